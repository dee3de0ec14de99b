"""The MarketState: what is known is exact, what is not known is None."""

import msgspec
import pytest
from strategy_cases import (
    ACCOUNT,
    CALL,
    DAY_NS,
    EXPIRY_NS,
    HOUR_NS,
    NOW_NS,
    PERPETUAL,
    PUT,
    SECOND_NS,
    STRATEGY,
    D,
    fill,
    forecast,
    perpetual,
    portfolio,
    surface,
    surface_slice,
)

from glmtrader.domain.decisions import MarketState, Staleness
from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId, IntentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.market_events import InstrumentsListed, MacroState
from glmtrader.domain.risk_events import TradingMode, TradingModeChanged
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.strategies import delta_hedger, pq_vol
from glmtrader.strategies.costs import CostAssumptions, cost_vol
from glmtrader.strategies.holdings import with_fill
from glmtrader.strategies.registry import KINDS, StrategyInstance
from glmtrader.strategies.state_builder import build_state
from glmtrader.strategies.views import MarketViews, StrategyBook

STRADDLES = StrategyInstance(
    strategy_id=STRATEGY,
    kind=pq_vol.NAME,
    account_id=ACCOUNT,
    underlying="BTC",
    params=pq_vol.PQVolParams(),
)
HEDGER = msgspec.structs.replace(
    STRADDLES, kind=delta_hedger.NAME, params=delta_hedger.DeltaHedgerParams()
)


def listed(*items: Instrument, delisted: tuple[Instrument, ...] = ()) -> InstrumentsListed:
    return InstrumentsListed(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        venue="sim",
        listed=items,
        delisted=tuple(item.instrument_id for item in delisted),
    )


def mode(value: TradingMode) -> TradingModeChanged:
    return TradingModeChanged(
        ts_event=NOW_NS, ts_init=NOW_NS, account_id=ACCOUNT, mode=value, reason="test"
    )


def macro(fomo: float | None) -> MacroState:
    return MacroState(
        ts_event=NOW_NS - 60 * SECOND_NS,
        ts_init=NOW_NS,
        underlying="BTC",
        macro_regime="chop",
        regime_score=0.2,
        sentiment_score=fomo,
        fomo_score=fomo,
        funding_rate_8h=None,
    )


def built(
    *events: Event,
    instance: StrategyInstance = STRADDLES,
    book: StrategyBook | None = None,
    now_ns: int = NOW_NS,
) -> MarketState:
    """The state after these events."""
    kind = KINDS[instance.kind]
    views = MarketViews()
    for event in events:
        views.apply(event)
    return build_state(
        instance,
        kind.expiry_window(instance.params),
        views,
        book or StrategyBook(kind.initial_memory()),
        now_ns=now_ns,
        clock=BTC_CLOCK,
        legs_inflight_ns=None,
    )


OPTIONAL = [
    "horizon_ns",
    "expiry_ns",
    "spot_usd",
    "strike_usd",
    "p_vol",
    "p_vol_bid",
    "p_vol_ask",
    "q_var",
    "q_vol",
    "q_vol_low",
    "q_vol_high",
    "q_straddle",
    "confidence",
    "model_id",
    "pq_spread",
    "cost_vol",
    "net_edge_long",
    "net_edge_short",
    "macro_regime",
    "regime_score",
    "sentiment_score",
    "fomo_score",
    "total_delta",
    "total_gamma",
    "total_vega",
    "leverage",
    "drawdown_pct",
    "hedge_instrument",
]


def test_nothing_known_is_none_and_no_default() -> None:
    """Before the first event every input is None, no age is known, and trading is not open."""
    empty = built()
    assert [name for name in OPTIONAL if getattr(empty, name) is not None] == []
    assert empty.staleness == Staleness(
        surface_ns=None, forecast_ns=None, macro_ns=None, portfolio_ns=None
    )
    assert empty.trading_halted == "not reconciled yet"
    assert (empty.position, empty.inflight, empty.straddles) == (D(0), D(0), ())


def test_edges_are_net_of_spread_and_cost() -> None:
    """Each edge is the forecast against the side that would be paid, less the all-in cost."""
    full = built(surface(), forecast(q_straddle=0.57), portfolio())
    expected = cost_vol(
        forward=90_000.0,
        strike=90_000.0,
        years=7 / 365,
        sigma=0.5,
        assumptions=CostAssumptions(),
    )
    assert full.cost_vol == pytest.approx(expected)
    assert full.net_edge_long == pytest.approx(0.57 - 0.51 - expected)
    assert full.net_edge_short == pytest.approx(0.49 - 0.57 - expected)
    assert full.pq_spread == pytest.approx(0.58 - 0.50)
    assert (full.horizon_ns, full.expiry_ns) == (7 * DAY_NS, EXPIRY_NS)


def test_without_a_forecast_there_is_no_edge_and_without_a_surface_no_cost() -> None:
    blind = built(surface(), portfolio())
    assert (blind.p_vol, blind.q_straddle, blind.net_edge_long) == (0.5, None, None)
    deaf = built(forecast(), portfolio())
    assert (deaf.p_vol, deaf.q_straddle, deaf.cost_vol, deaf.net_edge_short) == (None,) * 4


def test_the_forecast_is_brought_to_the_traded_expiry() -> None:
    """P and Q share one horizon: a week's forecast is not compared with five busy days as it is."""
    busy = built(surface(surface_slice(4.6)), forecast(q_straddle=0.57))
    assert busy.q_straddle is not None
    assert busy.q_straddle > 0.58


def test_other_underlyings_and_accounts_do_not_enter() -> None:
    """What ether does, or another account owes, is no input of this decision."""
    other = portfolio(delta=9.0, account_id=AccountId("other"))
    alien = built(surface(underlying="ETH"), forecast(underlying="ETH"), other)
    assert (alien.p_vol, alien.q_vol, alien.total_delta, alien.leverage) == (None,) * 4


def test_ages_count_from_the_source_and_the_forecasts_from_its_last_bar() -> None:
    later_ns = NOW_NS + 10 * SECOND_NS
    bars_old = msgspec.structs.replace(forecast(), candles_until_ns=NOW_NS - HOUR_NS)
    aged = built(surface(), bars_old, portfolio(), macro(0.1), now_ns=later_ns)
    assert aged.staleness == Staleness(
        surface_ns=10 * SECOND_NS,
        forecast_ns=HOUR_NS + 10 * SECOND_NS,
        macro_ns=70 * SECOND_NS,
        portfolio_ns=10 * SECOND_NS,
    )


def test_a_straddle_is_counted_once() -> None:
    """A tenth of a call and of a put is a tenth of a straddle, quoted at its own expiry."""
    book = StrategyBook(pq_vol.initial_memory())
    for item in (CALL, PUT):
        book.holdings = with_fill(book.holdings, fill(item, "0.1"))
    seen = built(listed(CALL, PUT), surface(), forecast(), book=book)
    assert seen.position == D("0.1")
    (pair,) = seen.straddles
    assert (pair.p_vol_bid, pair.p_vol_ask) == (0.49, 0.51)
    assert pair.q_straddle == pytest.approx(0.57)


def test_a_leg_that_stands_alone_is_shown_and_is_no_straddle() -> None:
    """Two tenths of a call beside one of a put are one tenth of a position."""
    book = StrategyBook(pq_vol.initial_memory())
    for item, quantity in ((CALL, "0.2"), (PUT, "0.1")):
        book.holdings = with_fill(book.holdings, fill(item, quantity))
    seen = built(listed(CALL, PUT), surface(), forecast(), book=book)
    assert seen.position == D("0.1")
    assert [item.is_whole for item in seen.straddles] == [True, False]


def test_a_held_expiry_that_is_not_quoted_has_no_price_and_keeps_its_forecast() -> None:
    book = StrategyBook(pq_vol.initial_memory())
    for item in (CALL, PUT):
        book.holdings = with_fill(book.holdings, fill(item, "0.1"))
    events = (listed(CALL, PUT), surface(surface_slice(9.0)), forecast())
    (pair,) = built(*events, book=book).straddles
    assert (pair.p_vol_bid, pair.p_vol_ask) == (None, None)
    assert pair.q_straddle is not None
    (expired,) = built(*events, book=book, now_ns=EXPIRY_NS).straddles
    assert expired.q_straddle is None


def test_what_is_in_flight_is_summed_with_its_sign() -> None:
    book = StrategyBook(pq_vol.initial_memory())
    book.inflight = {IntentId("pq-1-1"): D("0.1"), IntentId("pq-1-2"): D("0.2")}
    assert built(book=book).inflight == D("0.3")


@pytest.mark.parametrize("value", list(TradingMode))
def test_only_an_open_account_takes_new_risk(value: TradingMode) -> None:
    halted = built(mode(value)).trading_halted
    assert halted == (None if value is TradingMode.OPEN else f"{value}: test")


def test_a_zero_score_replaces_the_old_one() -> None:
    """A FOMO score of 0.0 is a score: it takes the place of the 0.9 before it."""
    calm = built(macro(0.9), macro(0.0))
    assert (calm.fomo_score, calm.sentiment_score) == (0.0, 0.0)
    assert built(macro(0.9), macro(None)).fomo_score is None


ETHER = perpetual("ETH")
ELSEWHERE = msgspec.structs.replace(PERPETUAL, venue="other", instrument_id="other:BTC-PERPETUAL")


@pytest.mark.parametrize(
    ("events", "chosen"),
    [
        ([listed(PERPETUAL, ETHER, CALL)], PERPETUAL),
        ([listed(ETHER)], None),
        ([listed(PERPETUAL, ELSEWHERE)], None),
        ([listed(PERPETUAL), listed(delisted=(PERPETUAL,))], None),
        ([listed(PERPETUAL), listed(delisted=(CALL, ETHER))], PERPETUAL),
    ],
)
def test_the_hedge_is_the_one_listed_perpetual_of_the_underlying(
    events: list[Event], chosen: Instrument | None
) -> None:
    """Never another coin's, never one that is gone, and none where two would do."""
    assert built(*events, instance=HEDGER).hedge_instrument == chosen


def test_delta_is_the_underlyings_own() -> None:
    """Delta comes in coin of one underlying, and the price it was computed at with it."""
    seen = built(surface(), portfolio(delta=0.25, gamma=2e-6), instance=HEDGER)
    assert (seen.total_delta, seen.total_gamma, seen.spot_usd) == (0.25, 2e-6, 90_000.0)
