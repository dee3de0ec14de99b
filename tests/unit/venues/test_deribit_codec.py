"""Deribit's public data as domain values."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from deribit_samples import EXPIRY_MS, NOW_NS, OPTION, option_data, perpetual_data
from hypothesis import given
from hypothesis import strategies as st

from glmtrader.domain.instruments import MINUTE_NS, InstrumentKind
from glmtrader.errors import InstrumentError, ProtocolError
from glmtrader.venues.deribit.codec import candles_of, instrument_of, tick_of
from glmtrader.venues.deribit.counters import Counters
from glmtrader.venues.deribit.frames import ChartData, TickerData
from glmtrader.venues.deribit.listing import Listing
from glmtrader.venues.deribit.names import id_of, name_of, option_terms

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def test_option_tick_grows_above_its_step() -> None:
    """0.0312 is no valid price above 0.005, 0.0049 is one below it."""
    instrument = instrument_of(option_data())
    assert instrument is not None
    assert instrument.kind is InstrumentKind.INVERSE_OPTION
    instrument.check_order(Decimal("0.1"), Decimal("0.0049"))
    with pytest.raises(InstrumentError, match=r"tick 0\.0005"):
        instrument.check_order(Decimal("0.1"), Decimal("0.0312"))
    assert instrument.expiry_ns == EXPIRY_MS * 1_000_000


def test_perpetual_counts_in_usd_and_never_expires() -> None:
    """The venue's far expiry of a perpetual is no expiry; lots are ten dollars."""
    instrument = instrument_of(perpetual_data())
    assert instrument is not None
    assert instrument.kind is InstrumentKind.INVERSE_PERPETUAL
    assert (instrument.quantity_currency, instrument.lot) == ("USD", Decimal(10))
    assert instrument.expiry_ns is None


def test_linear_option_settles_in_its_quote_currency() -> None:
    """A USDC option is linear, priced and settled in USDC."""
    data = msgspec.structs.replace(
        option_data(),
        instrument_name="BTC_USDC-27MAR26-90000-C",
        quote_currency="USDC",
        settlement_currency="USDC",
        instrument_type="linear",
    )
    instrument = instrument_of(data)
    assert instrument is not None
    assert instrument.kind is InstrumentKind.LINEAR_OPTION
    assert (instrument.price_currency, instrument.settlement_currency) == ("USDC", "USDC")


def test_a_dated_future_is_not_traded_here() -> None:
    """A future with an expiry is no instrument of this system."""
    data = msgspec.structs.replace(perpetual_data(), settlement_period="month")
    assert instrument_of(data) is None


@given(
    day=st.dates(
        min_value=datetime(2020, 1, 1, tzinfo=UTC).date(),
        max_value=datetime(2090, 1, 1, tzinfo=UTC).date(),
    ),
    strike=st.decimals(min_value="0.01", max_value=999999, places=2),
    is_call=st.booleans(),
)
def test_option_names_are_read_back(day: datetime, strike: Decimal, *, is_call: bool) -> None:
    """Whatever the venue would call an option, its terms are read from the name."""
    spelled = f"{strike.normalize():f}".replace(".", "d")
    stamp = f"{day.day}{MONTHS[day.month - 1]}{day.year % 100:02d}"
    terms = option_terms(f"XRP_USDC-{stamp}-{spelled}-{'C' if is_call else 'P'}")
    assert terms is not None
    assert (terms.underlying, terms.strike, terms.is_call) == ("XRP", strike, is_call)
    expiry = datetime.fromtimestamp(terms.expiry_ns / 1e9, tz=UTC)
    assert (expiry.year, expiry.month, expiry.day, expiry.hour) == (
        day.year,
        day.month,
        day.day,
        8,
    )


def test_names_that_are_no_options() -> None:
    """Perpetuals, futures and spot pairs have no option terms; a wrong date is an error."""
    for name in ("BTC-PERPETUAL", "BTC-27MAR26", "BTC_USDC", "", "BTC-FS-27MAR26_PERP"):
        assert option_terms(name) is None
    with pytest.raises(ProtocolError, match="31FEB26"):
        option_terms("BTC-31FEB26-90000-C")
    assert name_of(id_of("BTC-PERPETUAL")) == "BTC-PERPETUAL"


@pytest.mark.parametrize("empty", [b"0.0", b"0", b"null"])
def test_an_empty_side_has_neither_price_nor_quantity(empty: bytes) -> None:
    """Zero and null both mean that nobody quotes."""
    text = (
        b'{"instrument_name":"X","timestamp":5,"best_bid_price":%b,"best_bid_amount":0.0,'
        b'"best_ask_price":0.1,"best_ask_amount":2.0,"mark_price":0.05,"index_price":90000.12}'
    )
    tick = tick_of(msgspec.json.decode(text % empty, type=TickerData), ts_init=NOW_NS)
    assert (tick.bid, tick.bid_quantity) == (None, None)
    assert (tick.ask, tick.ask_quantity) == (Decimal("0.1"), Decimal("2.0"))
    assert tick.index_usd == Decimal("90000.12")


def test_only_completed_bars_come_out() -> None:
    """The bar still open at the moment of asking is left out."""
    ticks = (0, 60_000, 120_000)
    column = (1.0, 2.0, 3.0)
    chart = ChartData(ticks, column, column, column, column, column)
    bars = candles_of(chart, underlying="BTC", interval_ns=MINUTE_NS, now_ns=3 * MINUTE_NS - 1)
    assert [bar.open_ns for bar in bars] == [0, MINUTE_NS]
    assert bars[0].ts_event == MINUTE_NS


def test_crooked_chart_data_is_refused() -> None:
    """Unequal columns and bars out of order are errors, not bars."""
    column = (1.0, 2.0)
    short = ChartData((0, 60_000), (1.0,), column, column, column, column)
    with pytest.raises(ProtocolError, match="unequal"):
        candles_of(short, underlying="BTC", interval_ns=MINUTE_NS, now_ns=10**12)
    backwards = ChartData((60_000, 0), column, column, column, column, column)
    with pytest.raises(ProtocolError, match="ascend"):
        candles_of(backwards, underlying="BTC", interval_ns=MINUTE_NS, now_ns=10**12)


def test_listing_tells_the_difference() -> None:
    """The first look is told whole, the next by difference, an equal one not at all."""
    listing = Listing(Counters())
    first = listing.replace([option_data(), perpetual_data()], now_ns=NOW_NS)
    assert first is not None
    assert len(first.listed) == 2
    assert listing.replace([option_data(), perpetual_data()], now_ns=NOW_NS) is None
    closed = listing.replace([option_data(is_active=False), perpetual_data()], now_ns=NOW_NS)
    assert closed is not None
    assert (closed.listed, closed.delisted) == ((), (id_of(OPTION),))


def test_an_impossible_instrument_is_counted_and_left_out() -> None:
    """A tick of zero is not traded on."""
    counters = Counters()
    bad = msgspec.structs.replace(option_data(), tick_size=Decimal(0))
    assert Listing(counters).replace([bad], now_ns=NOW_NS) is None
    assert counters["instrument_impossible"] == 1
