"""The market service: what cannot be true is counted and refused, and P stays honest."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.domain.market_events import (
    ChainSnapshot,
    InstrumentsListed,
    MarketTick,
    VolatilitySurface,
)
from glmtrader.kernel.ids import generator
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.market.service import MarketService, tick_fault
from glmtrader.quant.black76 import price
from glmtrader.quant.trading_clock import BTC_CLOCK
from glmtrader.simulator.contracts import inverse_option, inverse_perpetual

D = Decimal
NOW_NS = 1_767_600_000 * SECOND_NS
FORWARD = 90_000.0
PERPETUAL = inverse_perpetual("sim", "BTC", D("0.5"))
STRIKES = np.arange(70_000.0, 112_000.0, 2_000.0)


def chain(*, ts_ns: int = NOW_NS, keep: np.ndarray | None = None, **columns: Any) -> ChainSnapshot:
    """Two expiries at 50 %, a point either side; `keep` drops rows."""
    strike = np.tile(np.repeat(STRIKES, 2), 2)
    is_call = np.tile([False, True], 2 * len(STRIKES))
    days = np.repeat([7.0, 14.0], 2 * len(STRIKES))
    years = days / 365.0
    vols = {"bid": 0.49, "mark": 0.50, "ask": 0.51}
    values: dict[str, Any] = {
        name: price(FORWARD, strike, years, vol, is_call) / FORWARD for name, vol in vols.items()
    }
    values |= {
        "expiry_ns": NOW_NS + (days * DAY_NS).astype(np.int64),
        "strike": strike,
        "is_call": is_call,
        "bid_quantity": np.full(len(strike), 5.0),
        "ask_quantity": np.full(len(strike), 5.0),
        "forward": np.full(len(strike), FORWARD),
    }
    rows = np.ones(len(strike), dtype=bool) if keep is None else keep
    names = [
        f"sim:BTC-{day:.0f}-{k:.0f}-{'C' if call else 'P'}"
        for day, k, call in zip(days, strike, is_call, strict=True)
    ]
    kept = {name: column[rows] for name, column in values.items()}
    return ChainSnapshot(
        ts_event=ts_ns,
        ts_init=ts_ns,
        underlying="BTC",
        venue="sim",
        instrument_ids=tuple(
            InstrumentId(name) for name, row in zip(names, rows, strict=True) if row
        ),
        inverse=True,
        index_usd=columns.pop("index_usd", FORWARD),
        **{**kept, **columns},
    )


def tick(ts_ns: int = NOW_NS, **changes: Any) -> MarketTick:
    """A sound top of book of the perpetual, but for the changes."""
    base = MarketTick(
        ts_event=ts_ns,
        ts_init=ts_ns,
        instrument_id=PERPETUAL.instrument_id,
        bid=D("89999.5"),
        ask=D(90_000),
        bid_quantity=D(1000),
        ask_quantity=D(1000),
        mark=D(90_000),
        index_usd=D(90_000),
    )
    return msgspec.structs.replace(base, **changes)


class Market:
    """The service with its views, and what it has published."""

    def __init__(self) -> None:
        self.catalogue, self.quotes = Catalogue(), QuoteBook()
        self.said: list[Event] = []
        self.service = MarketService(
            self.catalogue, self.quotes, clock=BTC_CLOCK, publish=self.said.append
        )
        self.send(listing(PERPETUAL))

    def send(self, *events: Event) -> None:
        for event in events:
            self.service.handle(event)

    def surface(self, snapshot: ChainSnapshot) -> VolatilitySurface:
        self.send(snapshot)
        found = self.said[-1]
        assert isinstance(found, VolatilitySurface)
        return found


def listing(*items: Any, delisted: tuple[InstrumentId, ...] = ()) -> InstrumentsListed:
    return InstrumentsListed(
        ts_event=NOW_NS, ts_init=NOW_NS, venue="sim", listed=items, delisted=delisted
    )


NAN, INFINITY = D("nan"), D("inf")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bid": D(90_001)}, "crossed"),
        ({"bid": D(-1)}, "not_positive"),
        ({"ask": D(0)}, "not_positive"),
        ({"mark": D(-5)}, "not_positive"),
        ({"index_usd": D(0)}, "not_positive"),
        ({"bid_quantity": D(-1)}, "not_positive"),
        ({"ask": NAN}, "not_a_number"),
        ({"mark": INFINITY}, "not_a_number"),
        ({"ask_quantity": NAN}, "not_a_number"),
        ({"instrument_id": InstrumentId("sim:NOBODY")}, "unlisted"),
    ],
)
def test_a_tick_that_cannot_be_true_is_counted_and_refused(
    changes: dict[str, Any], fault: str
) -> None:
    """The last good quote and index stay, and the reason is counted."""
    market = Market()
    market.send(tick(), tick(NOW_NS + SECOND_NS, **changes))
    assert market.service.refused == {fault: 1}
    kept = market.quotes.get(PERPETUAL.instrument_id)
    assert kept is not None
    assert (kept.bid, kept.ask, kept.ts_ns) == (D("89999.5"), D(90_000), NOW_NS)
    assert market.quotes.index_usd("BTC") == (D(90_000), NOW_NS)


@pytest.mark.parametrize(
    "changes", [{}, {"bid": None}, {"ask": None, "mark": None}, {"bid": D(90_000)}]
)
def test_one_sided_and_locked_books_are_true(changes: dict[str, Any]) -> None:
    assert tick_fault(tick(**changes)) is None


prices = st.none() | st.decimals(allow_nan=True, allow_infinity=True, places=2)


@settings(max_examples=150, deadline=None)
@given(bid=prices, ask=prices, mark=prices, size=prices)
def test_what_passes_is_a_market(
    bid: Decimal | None, ask: Decimal | None, mark: Decimal | None, size: Decimal | None
) -> None:
    """Any tick is judged without an error, and one that passes has finite, uncrossed prices."""
    given_tick = tick(bid=bid, ask=ask, mark=mark, bid_quantity=size)
    if tick_fault(given_tick) is None:
        known = [value for value in (bid, ask, mark) if value is not None]
        assert all(value.is_finite() and value > 0 for value in known)
        assert bid is None or ask is None or bid <= ask


def test_a_delisted_instrument_gets_no_more_quotes() -> None:
    """It is still known, for positions refer to it; a late tick of it is refused."""
    market = Market()
    market.send(tick(), listing(delisted=(PERPETUAL.instrument_id,)), tick(NOW_NS + 1))
    assert market.service.refused == {"unlisted": 1}
    assert market.catalogue.get(PERPETUAL.instrument_id) == PERPETUAL
    assert not market.catalogue.is_listed(PERPETUAL.instrument_id)
    assert market.catalogue.perpetual("BTC") is None


def test_a_chain_gives_p_of_the_straddle() -> None:
    found = Market().surface(chain())
    assert found.unavailable is None
    near, far = found.slices
    assert near.expiry_ns < far.expiry_ns
    assert near.atm_vol == pytest.approx(0.50, abs=1e-6)
    assert near.straddle_bid == pytest.approx(0.49, abs=1e-6)
    assert near.straddle_ask == pytest.approx(0.51, abs=1e-6)
    assert found.quotes_used == len(chain().instrument_ids) - sum(found.quotes_refused.values())


def test_half_the_strikes_missing_leaves_p_as_it_is() -> None:
    """Any half of the rows gives the same volatility, or says that there is none; never another."""
    rng = generator(3, "rows")
    whole = chain()
    for _ in range(20):
        keep = rng.random(len(whole.instrument_ids)) < 0.5
        found = Market().surface(chain(keep=keep))
        for part in found.slices:
            assert part.atm_vol is None or part.atm_vol == pytest.approx(0.50, abs=0.002)
            quoted = part.straddle_bid is not None and part.straddle_ask is not None
            if quoted:
                assert part.straddle_bid == pytest.approx(0.49, abs=1e-6)
                assert part.straddle_ask == pytest.approx(0.51, abs=1e-6)


def test_bad_rows_are_refused_by_reason_and_spoil_no_other() -> None:
    """Crossed, negative and missing quotes are counted; the rest carries the same P."""
    whole = chain()
    bid, ask = whole.bid.copy(), whole.ask.copy()
    bid[0], ask[2], bid[4], bid[6], ask[6] = ask[0] * 2, -0.01, np.nan, np.nan, np.nan
    found = Market().surface(chain(bid=bid, ask=ask))
    assert sum(found.quotes_refused.values()) >= 3
    assert found.slices[0].atm_vol == pytest.approx(0.50, abs=1e-6)


def test_a_chain_of_nothing_says_why_there_is_no_surface() -> None:
    whole = chain()
    empty = Market().surface(chain(keep=np.zeros(len(whole.instrument_ids), dtype=bool)))
    assert (empty.slices, empty.unavailable) == ((), "the chain is empty")
    blank = np.full(len(whole.instrument_ids), np.nan)
    silent = Market().surface(chain(bid=blank, ask=blank))
    assert silent.slices == ()
    assert silent.unavailable is not None


@pytest.mark.parametrize("index", [float("nan"), 0.0, -1.0, float("inf")])
def test_a_chain_without_an_index_is_refused_whole(index: float) -> None:
    market = Market()
    market.send(chain(index_usd=index))
    assert market.service.refused == {"chain_without_index": 1}
    assert (market.said, market.quotes.chain("BTC")) == ([], None)


ROW = 2 * int(np.searchsorted(STRIKES, FORWARD)) + 1
NAME = chain().instrument_ids[ROW]


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (0.02, 0.03, (D("0.02"), D("0.03"))),
        (np.nan, 0.03, (None, D("0.03"))),
        (0.0, 0.03, (None, D("0.03"))),
        (-0.01, 0.03, (None, D("0.03"))),
        (0.02, np.inf, (D("0.02"), None)),
        (0.04, 0.03, (None, None)),
    ],
)
def test_a_row_that_cannot_be_true_is_no_quote(
    bid: float, ask: float, expected: tuple[Decimal | None, Decimal | None]
) -> None:
    """Execution never sees a negative, infinite or crossed price of a chain."""
    whole = chain()
    bids, asks = whole.bid.copy(), whole.ask.copy()
    bids[ROW], asks[ROW] = bid, ask
    book = QuoteBook()
    book.apply_chain(chain(bid=bids, ask=asks))
    quote = book.get(NAME)
    assert quote is not None
    assert (quote.bid, quote.ask) == expected


def test_the_newer_of_tick_and_chain_counts() -> None:
    """A tick older than the chain gives way to the chain's row; a later one, or one as old, not."""
    book = QuoteBook()
    option_tick = tick(instrument_id=NAME, bid=D("0.01"), ask=D("0.011"))
    book.apply_tick(option_tick, "BTC")
    only = book.get(NAME)
    assert only is not None
    assert only.bid == D("0.01")
    book.apply_chain(chain(ts_ns=NOW_NS + 1))
    newer = book.get(NAME)
    assert newer is not None
    assert newer.ts_ns == NOW_NS + 1
    assert newer.bid != D("0.01")
    for later_ns in (NOW_NS + 1, NOW_NS + 2):
        later = msgspec.structs.replace(option_tick, ts_init=later_ns, bid=D("0.009"))
        book.apply_tick(later, "BTC")
        kept = book.get(NAME)
        assert kept is not None
        assert kept.bid == D("0.009")


def test_a_row_that_left_the_chain_is_no_quote_any_more() -> None:
    """After a chain of other instruments an old row is neither stale nor somebody else's."""
    book = QuoteBook()
    book.apply_chain(chain())
    assert book.get(NAME) is not None
    keep = np.array([name != NAME for name in chain().instrument_ids])
    book.apply_chain(chain(ts_ns=NOW_NS + 1, keep=keep))
    assert book.get(NAME) is None
    assert len(book.chain("BTC").instrument_ids) == keep.sum()  # type: ignore[union-attr]


def test_the_catalogue_answers_by_expiry_and_underlying() -> None:
    """Options come by ascending strike, puts before calls; what never was is None."""
    catalogue = Catalogue()
    catalogue.apply(listing(PERPETUAL, *three_options()))
    found = catalogue.options("BTC", NOW_NS + DAY_NS)
    assert [(item.strike, item.is_call) for item in found] == [
        (D(1000), False),
        (D(1000), True),
        (D(2000), False),
    ]
    assert list(catalogue.options("ETH", NOW_NS + DAY_NS)) == []
    assert catalogue.get(InstrumentId("sim:NOBODY")) is None
    assert len(list(catalogue.listed())) == 4
    catalogue.apply(listing(found[2], delisted=(found[0].instrument_id,)))
    assert list(catalogue.options("BTC", NOW_NS + DAY_NS)) == [found[1], found[2]]
    catalogue.apply(listing(found[0]))
    assert list(catalogue.options("BTC", NOW_NS + DAY_NS)) == list(found)


def three_options() -> list[Any]:
    """Three options of one expiry, in no order."""
    return [
        inverse_option("sim", "BTC", NOW_NS + DAY_NS, strike, D("0.1"), is_call=is_call)
        for strike, is_call in ((2000, False), (1000, True), (1000, False))
    ]
