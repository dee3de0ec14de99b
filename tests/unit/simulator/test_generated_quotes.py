"""The generated crowd: listings by the calendar, smile, quotes on the grid, perpetual."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, SECOND_NS, InstrumentKind
from glmtrader.kernel.ids import generator
from glmtrader.simulator import smile
from glmtrader.simulator.contracts import expiry_name, option_symbol
from glmtrader.simulator.generated import GeneratedMarket
from glmtrader.simulator.generated_config import BITCOIN, ETHER, GeneratedMarketConfig
from glmtrader.simulator.listing_calendar import OptionListing, listed_expiries

START_NS = int(datetime(2026, 3, 24, 12, tzinfo=UTC).timestamp()) * SECOND_NS
BOTH = GeneratedMarketConfig(step_s=60, coins=(BITCOIN, ETHER))


def market(seed: int = 7, config: GeneratedMarketConfig = BOTH) -> GeneratedMarket:
    return GeneratedMarket(config, rng=generator(seed, "market"), start_ns=START_NS)


def test_expiries_are_those_that_deribit_listed() -> None:
    """The expiries recorded on 31 January 2026, 21:21 UTC."""
    now_ns = int(datetime(2026, 1, 31, 21, 21, tzinfo=UTC).timestamp()) * SECOND_NS
    assert " ".join(map(expiry_name, listed_expiries(now_ns))) == (
        "1FEB26 2FEB26 3FEB26 4FEB26 6FEB26 13FEB26 20FEB26 27FEB26 27MAR26 24APR26"
        " 26JUN26 25SEP26 25DEC26"
    )


def test_the_listing_turns_over_at_eight() -> None:
    eight_ns = START_NS - START_NS % DAY_NS + DAY_NS + 8 * HOUR_NS
    before, after = set(listed_expiries(eight_ns - 1)), set(listed_expiries(eight_ns))
    assert before - after == {eight_ns}
    assert eight_ns + 4 * DAY_NS in after - before


def test_what_expired_is_delisted_and_a_new_daily_comes() -> None:
    one = market()
    at_start = one.instruments()
    eight_ns = START_NS - START_NS % DAY_NS + DAY_NS + 8 * HOUR_NS
    one.advance(eight_ns - SECOND_NS)
    assert eight_ns in one.chain("BTC").expiry_ns
    one.advance(eight_ns)
    expiries = set(one.chain("BTC").expiry_ns.tolist())
    assert eight_ns not in expiries
    assert eight_ns + 4 * DAY_NS in expiries
    assert one.instruments() is not at_start
    assert not any(row.is_expired(eight_ns) for row in one.instruments())


def test_the_listing_is_the_same_object_until_it_changes() -> None:
    one = market()
    listed = one.instruments()
    one.advance(START_NS + SECOND_NS)
    assert one.instruments() is listed


def test_strikes_are_added_when_spot_moves_and_none_is_lost() -> None:
    listing = OptionListing(BITCOIN, "deribit")
    listing.refresh(START_NS, 90_000.0, 0.05)
    before = set(listing.options.instrument_ids)
    assert not listing.refresh(START_NS + HOUR_NS, 90_100.0, 0.05)
    assert listing.refresh(START_NS + HOUR_NS, 110_000.0, 0.05)
    assert before < set(listing.options.instrument_ids)


def test_contracts_have_the_venues_terms() -> None:
    rows = {row.symbol: row for row in market().instruments()}
    perpetual = rows["BTC-PERPETUAL"]
    assert perpetual.kind is InstrumentKind.INVERSE_PERPETUAL
    assert (perpetual.contract_size, perpetual.lot, perpetual.tick_at(Decimal(1))) == (
        Decimal(10),
        Decimal(10),
        Decimal("0.5"),
    )
    option = rows["BTC-27MAR26-90000-C"]
    assert option.lot == Decimal("0.1")
    assert option.tick_at(Decimal("0.0049")) == Decimal("0.0001")
    assert option.tick_at(Decimal("0.005")) == Decimal("0.0005")
    assert rows["ETH-27MAR26-3000-P"].lot == 1


def test_a_fractional_strike_is_spelled_with_d() -> None:
    assert option_symbol("XRP", START_NS, 1.25, is_call=False) == "XRP-24MAR26-1d25-P"


@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_every_quote_can_be_traded_at(coin: str) -> None:
    """Bids and asks lie on ticks, sizes are whole lots, and no quote is crossed."""
    one = market()
    rows = {row.instrument_id: row for row in one.instruments()}
    chain = one.chain(coin)
    assert 500 < len(chain.strike) < 1100
    for i, name in enumerate(chain.instrument_ids):
        for price, size in ((chain.bid[i], chain.bid_size[i]), (chain.ask[i], chain.ask_size[i])):
            if np.isnan(price):
                assert size == 0
            else:
                rows[name].check_order(Decimal(str(size)), Decimal(str(price)))
        assert not chain.bid[i] >= chain.ask[i]
        assert not chain.bid[i] > chain.mark[i] + 5e-9
        assert not chain.ask[i] < chain.mark[i] - 5e-9


def test_some_wings_are_one_sided() -> None:
    chain = market().chain("BTC")
    assert 0 < np.isnan(chain.bid).mean() < 0.15
    assert not np.isnan(chain.mark).any()


def test_spreads_are_as_wide_as_measured() -> None:
    """Median widths in volatility, |delta| between 0.05 and 0.6, by days to expiry."""
    one = market()
    chain = one.chain("BTC")
    years = (chain.expiry_ns - START_NS) / (365 * DAY_NS)
    total = chain.mark_vol * np.sqrt(years)
    z = np.log(chain.strike / chain.forward) / total
    vega = smile.vega_coin(chain.forward, chain.strike, years, chain.mark_vol)
    otm = (np.abs(z) < 1.6) & ((chain.strike >= chain.forward) == chain.is_call)
    width = (chain.ask - chain.bid) / vega
    days = 365 * years
    for low, high, measured in ((0, 2, 0.035), (2, 8, 0.024), (8, 35, 0.012), (35, 120, 0.0072)):
        rows = otm & (days >= low) & (days < high)
        assert np.nanmedian(width[rows]) == pytest.approx(measured, rel=0.45)


def test_marks_respect_parity_and_fall_with_the_strike() -> None:
    chain = market().chain("BTC")
    for expiry_ns in np.unique(chain.expiry_ns):
        rows = chain.expiry_ns == expiry_ns
        call, put = rows & chain.is_call, rows & ~chain.is_call
        moneyness = 1.0 - chain.strike[call] / chain.forward[call]
        assert chain.mark[call] - chain.mark[put] == pytest.approx(moneyness, abs=2e-8)
        assert np.all(np.diff(chain.mark[call]) <= 0)
        assert np.all(np.diff(chain.mark[put]) >= 0)
        butterfly = np.diff(np.diff(chain.mark[call]) / np.diff(chain.strike[call]))
        assert np.all(butterfly >= -1e-11)


def test_total_variance_grows_with_expiry() -> None:
    chain = market().chain("BTC")
    years = (chain.expiry_ns - START_NS) / (365 * DAY_NS)
    nearest = [
        rows[np.argmin(np.abs(chain.strike[rows] / chain.forward[rows] - 1.0))]
        for rows in (np.flatnonzero(chain.expiry_ns == at) for at in np.unique(chain.expiry_ns))
    ]
    assert np.all(np.diff(chain.mark_vol[nearest] ** 2 * years[nearest]) > 0)


def test_implied_is_expected_volatility_plus_the_premium() -> None:
    one = market()
    chain = one.chain("BTC")
    near = np.argmin(np.abs(chain.strike / chain.forward - 1.0) + chain.expiry_ns / 1e22)
    expiry_ns = int(chain.expiry_ns[near])
    gap = chain.mark_vol[near] - one.expected_vol("BTC", expiry_ns)
    days = (expiry_ns - START_NS) / DAY_NS
    mean = BOTH.premium_mean_vol
    fade = np.exp(-days / BOTH.premium_fade_days)
    assert gap == pytest.approx(mean + (one.premium_vol("BTC") - mean) * fade, abs=0.004)


def test_the_premium_takes_either_sign() -> None:
    """Over many half-lives its mean and spread are the configured ones."""
    config = GeneratedMarketConfig(step_s=300, premium_half_life_s=3600.0)
    one = market(config=config)
    seen = []
    for hour in range(1, 500):
        one.advance(START_NS + hour * HOUR_NS)
        seen.append(one.premium_vol("BTC"))
    assert np.mean(seen) == pytest.approx(config.premium_mean_vol, abs=0.012)
    assert np.std(seen) == pytest.approx(config.premium_sd_vol, rel=0.2)
    assert 0.25 < np.mean(np.array(seen) > 0) < 0.85


def test_the_perpetual_is_one_tick_wide_near_the_index() -> None:
    one = market()
    for coin, tick in (("BTC", 0.5), ("ETH", 0.05)):
        quote = one.perpetual(coin)
        assert quote.ask - quote.bid == pytest.approx(tick)
        assert quote.bid <= quote.mark + 0.01
        assert quote.mark == pytest.approx(one.index_usd(coin), rel=2e-3)
        assert quote.bid_size_usd % 10 == 0
        assert quote.bid_size_usd > 0
        assert abs(quote.funding_rate_8h) < 1e-3
