r"""Value and greeks of an account, by underlying: pure.

Equity in a currency is cash, open profit of perpetuals and value of options settled in it. With
S the price and E the equity in coin, `delta_coin` of an account that counts in that coin is
S dE/dS = sum q (N(d1) - mark) + perpetuals in coin; an account that counts in anything else holds
the coins themselves too, and E is added. Deltas of different coins are only ever added in USD.

Between full valuations `moved` follows a price with delta and gamma alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import InstrumentKind
from glmtrader.domain.ledger import Ledger
from glmtrader.domain.orders import Account
from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.risk.exposure import Exposure, ExposureBook, Worth

DOLLARS: Final = frozenset({"USD", "USDC", "USDT"})
"""Currencies taken as one US dollar."""

EQUITY_USD_MIN: Final = 1.0
"""Ratios to equity count at least one dollar of it, so that none is infinite."""


class Valuation(msgspec.Struct, frozen=True, kw_only=True):
    """An account at one set of prices.

    Attributes:
        collateral_usd: equity without the value of options, which the venue takes as no margin.
        long_premium_usd: value of options held long (in flight apart).
        coin_equity: equity by currency. slopes_usd: d equity_usd / dS by underlying.
        delta_slopes: d delta_coin / dS by underlying. prices: in USD, as used.
    """

    risk: PortfolioRisk
    collateral_usd: float
    long_premium_usd: float
    coin_equity: dict[str, float]
    slopes_usd: dict[str, float]
    delta_slopes: dict[str, float]
    prices: dict[str, float]


def missing_input(
    account: Account,
    ledger: Ledger,
    book: ExposureBook,
    prices: Mapping[str, float],
    is_traded: Callable[[str], bool],
) -> str | None:
    """Why the account cannot be valued; None when it can.

    A coin that nothing is traded in and nothing is owed of needs no price: it counts as nothing.

    Args:
        account: for its numeraire.
        ledger: cash.
        book: exposures, their units priced.
        prices: USD by underlying.
        is_traded: whether a coin is an underlying, or pays for an instrument, that is listed.
    """
    if not _is_priced(account.numeraire, prices):
        return f"no price of {account.numeraire}"
    for currency, amount in ledger.balances.items():
        if amount and not _is_priced(currency, prices) and (amount < 0 or is_traded(currency)):
            return f"no price of {currency}"
    for name, item in book.by_id.items():
        if not item.position:
            continue
        if item.unit is None:
            return f"{name} has no price or no volatility"
        if not _is_priced(item.instrument.settlement_currency, prices):
            return f"no price of {item.instrument.settlement_currency}, in which {name} pays"
    return None


def in_numeraire(account: Account, currency: str, prices: Mapping[str, float]) -> float:
    """What one unit of a currency is worth to the account; nothing without a price."""
    if currency == account.numeraire:
        return 1.0
    if not _is_priced(currency, prices):
        return 0.0
    return _usd(currency, prices) / _usd(account.numeraire, prices)


def value(
    account: Account,
    ledger: Ledger,
    book: ExposureBook,
    prices: Mapping[str, float],
    marks: Mapping[InstrumentId, float],
    *,
    peak: float | None,
    trigger: str,
    now_ns: int,
) -> Valuation:
    """Value the account; `missing_input` must have found nothing.

    Args:
        account: for its numeraire.
        ledger: cash and entry values.
        book: exposures, their units priced.
        prices: USD by underlying.
        marks: USD by perpetual; its underlying's price where there is none.
        peak: highest equity so far in the numeraire, None before the first valuation.
        trigger: what asked for it.
        now_ns: time of the event that is made.
    """
    held = [item for item in book.by_id.values() if item.position]
    options = [item for item in held if item.is_option]
    totals = _totals_by_place(held)
    coin_equity = _equity_by_currency(ledger, totals, held, prices, marks)
    sums = _sums_by_underlying(totals, coin_equity)
    outright = {name: coin_equity.get(name, 0.0) for name in sums if name != account.numeraire}
    equity_usd = sum(amount * _usd(name, prices) for name, amount in coin_equity.items() if amount)
    collateral_usd = equity_usd - sum(item.value_usd for item in sums.values())
    rows = tuple(
        _underlying_risk(name, item, outright.get(name, 0.0), prices[name])
        for name, item in sums.items()
    )
    risk = PortfolioRisk(
        ts_event=now_ns,
        ts_init=now_ns,
        account_id=account.account_id,
        trigger=trigger,
        numeraire=account.numeraire,
        by_underlying=rows,
        margin_used_pct=book.margin_usd / max(collateral_usd, EQUITY_USD_MIN),
        scenario_loss_usd=max(0.0, -book.scenario_worst_usd),
        greeks_age_ns=_greeks_age_ns(options, now_ns),
        degraded=_degraded(ledger, options, prices, now_ns),
        marks_usd=_perpetual_marks(held, prices, marks),
        **_totals(rows, equity_usd, _usd(account.numeraire, prices), peak),
    )
    return Valuation(
        risk=risk,
        collateral_usd=collateral_usd,
        long_premium_usd=sum(item.long_premium_usd for item in sums.values()),
        coin_equity=coin_equity,
        slopes_usd={name: coin_equity.get(name, 0.0) + item.delta for name, item in sums.items()},
        delta_slopes=_delta_slopes(sums, outright, prices),
        prices=dict(prices),
    )


def moved(
    valuation: Valuation,
    prices: Mapping[str, float],
    marks: Mapping[InstrumentId, float],
    *,
    peak: float | None,
    trigger: str,
    now_ns: int,
) -> PortfolioRisk:
    """Follow prices from a full valuation: equity to second order, delta to first."""
    base = valuation.risk
    equity_usd = base.equity_usd
    rows = []
    for row in base.by_underlying:
        price = prices[row.underlying]
        step = price - row.price_usd
        equity_usd += step * (valuation.slopes_usd[row.underlying] + 0.5 * row.gamma_per_usd * step)
        delta = row.delta_coin + valuation.delta_slopes[row.underlying] * step
        rows.append(
            msgspec.structs.replace(
                row,
                price_usd=price,
                delta_coin=delta,
                delta_usd=delta * price,
                gross_delta_usd=row.gross_delta_usd * price / row.price_usd,
            )
        )
    age_ns = base.greeks_age_ns
    totals = _totals(tuple(rows), equity_usd, _usd(base.numeraire, prices), peak)
    return msgspec.structs.replace(
        base,
        ts_event=now_ns,
        ts_init=now_ns,
        trigger=trigger,
        by_underlying=tuple(rows),
        greeks_age_ns=None if age_ns is None else age_ns + now_ns - base.ts_init,
        marks_usd={name: marks.get(name, mark) for name, mark in base.marks_usd.items()},
        **totals,
    )


def outright_coins(account: Account, valuation: Valuation) -> dict[str, float]:
    """Coins held outright that an account of this numeraire counts as risk."""
    return {
        name: amount
        for name, amount in valuation.coin_equity.items()
        if name != account.numeraire and name not in DOLLARS
    }


def _totals(
    rows: tuple[UnderlyingRisk, ...], equity_usd: float, numeraire_usd: float, peak: float | None
) -> dict[str, Any]:
    """The fields of `PortfolioRisk` that are sums over underlyings, in USD."""
    equity = equity_usd / numeraire_usd
    top = equity if peak is None else max(peak, equity)
    gross_usd = sum(row.gross_delta_usd for row in rows)
    return {
        "equity_usd": equity_usd,
        "equity": equity,
        "total_delta_usd": sum(row.delta_usd for row in rows),
        "total_gamma_usd": sum(row.gamma_per_usd * row.price_usd for row in rows),
        "total_vega_usd": sum(row.vega_per_vol for row in rows),
        "total_theta_usd": sum(row.theta_per_year for row in rows),
        "leverage": gross_usd / max(equity_usd, EQUITY_USD_MIN),
        "drawdown_pct": (top - equity) / top if top > 0 else 0.0,
    }


def _underlying_risk(
    name: str, item: Worth, outright_coin: float, price_usd: float
) -> UnderlyingRisk:
    delta_coin = item.delta + outright_coin
    return UnderlyingRisk(
        underlying=name,
        price_usd=price_usd,
        delta_coin=delta_coin,
        delta_usd=delta_coin * price_usd,
        gamma_per_usd=item.gamma,
        vega_per_vol=item.vega,
        theta_per_year=item.theta,
        rho_per_rate=item.rho,
        gross_delta_usd=item.gross_usd,
        option_premium_usd=item.value_usd,
        has_options=item.options_count > 0,
    )


def _totals_by_place(held: Sequence[Exposure]) -> dict[tuple[str, str], Worth]:
    """Sums of what is held, by underlying and settlement currency."""
    rows: dict[tuple[str, str], list[Worth]] = {}
    for item in held:
        rows.setdefault(item.place, []).append(item.worth)
    return {place: Worth.total(found) for place, found in rows.items()}


def _sums_by_underlying(
    totals: Mapping[tuple[str, str], Worth], coin_equity: Mapping[str, float]
) -> dict[str, Worth]:
    """Sums over all settlement currencies; coins held outright are underlyings too."""
    found: dict[str, list[Worth]] = {name: [] for name in _coins(coin_equity)}
    for (name, _), item in totals.items():
        found.setdefault(name, []).append(item)
    return {name: Worth.total(rows) if rows else Worth() for name, rows in sorted(found.items())}


def _delta_slopes(
    sums: Mapping[str, Worth], outright: Mapping[str, float], prices: Mapping[str, float]
) -> dict[str, float]:
    return {
        name: item.gamma - (0.0 if name in outright else item.inverse_delta / prices[name])
        for name, item in sums.items()
    }


def _equity_by_currency(
    ledger: Ledger,
    totals: Mapping[tuple[str, str], Worth],
    held: Sequence[Exposure],
    prices: Mapping[str, float],
    marks: Mapping[InstrumentId, float],
) -> dict[str, float]:
    """Cash that has a price, the value of options and the open profit of everything else."""
    equity = {
        currency: float(amount)
        for currency, amount in ledger.balances.items()
        if _is_priced(currency, prices)
    }
    for (_, currency), item in totals.items():
        equity[currency] = equity.get(currency, 0.0) + item.option_value
    for exposure in held:
        if not exposure.is_option:
            currency = exposure.place[1]
            carried = _carried(exposure, ledger, prices, marks)
            equity[currency] = equity.get(currency, 0.0) + carried
    return equity


def _carried(
    item: Exposure,
    ledger: Ledger,
    prices: Mapping[str, float],
    marks: Mapping[InstrumentId, float],
) -> float:
    """What a perpetual or a coin carries beyond cash, in its settlement currency."""
    instrument = item.instrument
    if instrument.kind is InstrumentKind.SPOT:
        return 0.0
    quantity = float(item.position)
    cost = float(ledger.position(instrument.instrument_id).entry_value)
    mark = marks.get(instrument.instrument_id, prices[instrument.underlying])
    return cost - quantity / mark if instrument.is_inverse else quantity * mark - cost


def _perpetual_marks(
    held: Sequence[Exposure], prices: Mapping[str, float], marks: Mapping[InstrumentId, float]
) -> dict[InstrumentId, float]:
    """The prices that the perpetuals held were valued at."""
    return {
        item.instrument.instrument_id: marks.get(
            item.instrument.instrument_id, prices[item.instrument.underlying]
        )
        for item in held
        if not item.is_option and item.instrument.is_perpetual
    }


def _coins(coin_equity: Mapping[str, float]) -> set[str]:
    """Coins of which the account has some."""
    return {name for name, amount in coin_equity.items() if amount and name not in DOLLARS}


def _is_priced(currency: str, prices: Mapping[str, float]) -> bool:
    return currency in DOLLARS or currency in prices


def _usd(currency: str, prices: Mapping[str, float]) -> float:
    return 1.0 if currency in DOLLARS else prices[currency]


def _degraded(
    ledger: Ledger, options: Sequence[Exposure], prices: Mapping[str, float], now_ns: int
) -> str | None:
    """What was valued at less than its price, or at an old one."""
    unpriced = [
        currency
        for currency, amount in sorted(ledger.balances.items())
        if amount and not _is_priced(currency, prices)
    ]
    reasons = [_awaiting_delivery(options, now_ns)]
    if unpriced:
        reasons.append(f"without a price, counted as nothing: {', '.join(unpriced)}")
    return "; ".join(reason for reason in reasons if reason) or None


def _awaiting_delivery(options: Sequence[Exposure], now_ns: int) -> str | None:
    """Which options have expired and are not delivered yet: they count at the present payoff."""
    names = [item.instrument.symbol for item in options if item.instrument.is_expired(now_ns)]
    return f"awaiting delivery: {', '.join(sorted(names))}" if names else None


def _greeks_age_ns(options: Sequence[Exposure], now_ns: int) -> int | None:
    """Age of the oldest surface among the options held."""
    ages = [
        now_ns - item.unit.surface_ns
        for item in options
        if item.unit is not None and item.unit.surface_ns is not None
    ]
    return max(ages, default=None)
