"""What a backtest takes for granted, in sentences with the numbers of its configuration; pure."""

from typing import Final

from glmtrader.config.schema import Config
from glmtrader.domain.instruments import HOUR_NS
from glmtrader.simulator.recorded_config import RecordedMarketConfig

MINUTE_S: Final = 60.0


def assumptions(config: Config) -> list[str]:
    """One sentence each; empty where nothing recorded is replayed."""
    recorded = config.market.recorded
    return [] if recorded is None else [*_of_market(recorded), *_of_run(config, recorded)]


def _of_market(recorded: RecordedMarketConfig) -> list[str]:
    funding = (
        "Funding is charged continuously at the rate settled last."
        if recorded.funding_file is not None
        else "No funding is charged."
    )
    return [
        (
            "Options trade only at recorded snapshots, at recorded quotes, within"
            f" {recorded.trade_window_s:g} s; a size of {recorded.quote_size_coin:g} coins stands"
            " behind a quote whose size was not recorded."
        ),
        (
            "Delivery is the mean of the 07:30-08:00 closes of the spot candles; the index is the"
            " last completed five-minute close, USDT taken as USD."
        ),
        (
            "The hedge is the USD-M perpetual, filled half a tick"
            f" ({recorded.perpetual_tick_usd / 2:g} USD) from its last five-minute close."
        ),
        funding,
        "Our orders move no price, and nobody else reacts to them.",
    ]


def _of_run(config: Config, recorded: RecordedMarketConfig) -> list[str]:
    budget_h = min(config.risk.surface_age_ns_max, config.risk.quote_age_ns_max) / HOUR_NS
    balances = ", ".join(f"{amount} {coin}" for coin, amount in config.paper.balances.items())
    return [
        (
            "Between snapshots strike volatilities are held and forwards move with the index; the"
            f" staleness budget is {budget_h:g} hours."
        ),
        (
            f"The market moves every {config.paper.step_s / MINUTE_S:g} minutes: deltas are hedged"
            " no more often, and not faded through the settlement average."
        ),
        (
            f"The account starts with {balances} and counts in {config.account.numeraire};"
            f" {recorded.history_days} days of candles come before the first decision."
        ),
    ]
