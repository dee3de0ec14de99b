"""A recorded market: quotes at snapshots alone, volatilities held, deliveries, bad input."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec import structs
from recordings import (
    EXPIRY_NS,
    FIRST_BAR_NS,
    FIRST_SNAPSHOT_NS,
    LATER_EXPIRY_NS,
    SECOND_SNAPSHOT_NS,
    Row,
    close_at,
    good_rows,
    option_row,
    record,
    write_bars,
    write_chain,
)

from glmtrader.domain.instruments import HOUR_NS, MINUTE_NS, SECOND_NS, YEAR_NS, InstrumentKind
from glmtrader.errors import DataError
from glmtrader.quant import black76
from glmtrader.simulator.recorded import RecordedMarket
from glmtrader.simulator.recorded_config import RecordedMarketConfig


@pytest.fixture
def market(tmp_path: Path) -> RecordedMarket:
    return RecordedMarket(record(tmp_path))


def bar_of(now_ns: int) -> int:
    """The last bar that is over at `now_ns`."""
    return (now_ns - FIRST_BAR_NS) // (5 * MINUTE_NS) - 1


def test_it_starts_at_the_first_snapshot_with_history(market: RecordedMarket) -> None:
    assert market.start_ns == market.now_ns == FIRST_SNAPSHOT_NS
    assert market.snapshot_times() == (FIRST_SNAPSHOT_NS, SECOND_SNAPSHOT_NS)
    assert len(market.candles("BTC", HOUR_NS, FIRST_SNAPSHOT_NS, 24).open_ns) == 24


def test_the_index_is_the_last_completed_close(market: RecordedMarket) -> None:
    boundary_ns = FIRST_SNAPSHOT_NS + 210 * SECOND_NS
    market.advance(boundary_ns - 1)
    assert market.index_usd("BTC") == close_at(bar_of(FIRST_SNAPSHOT_NS))
    market.advance(boundary_ns)
    assert market.index_usd("BTC") == close_at(bar_of(FIRST_SNAPSHOT_NS) + 1)


def test_recorded_quotes_stand_only_shortly_after_a_snapshot(market: RecordedMarket) -> None:
    market.advance(FIRST_SNAPSHOT_NS + 60 * SECOND_NS)
    assert market.is_tradable(market.now_ns)
    assert set(market.chain("BTC").bid) == {0.019}
    market.advance(FIRST_SNAPSHOT_NS + 60 * SECOND_NS + 1)
    chain = market.chain("BTC")
    assert not market.is_tradable(market.now_ns)
    assert np.isnan(chain.bid).all()
    assert np.isnan(chain.ask).all()
    assert not chain.bid_size.any()
    assert chain.ts_ns == FIRST_SNAPSHOT_NS


def test_tradable_is_answered_only_for_the_moment_reached(market: RecordedMarket) -> None:
    with pytest.raises(DataError, match="not"):
        market.is_tradable(FIRST_SNAPSHOT_NS + 1)


def test_marks_hold_volatility_and_follow_index_and_clock(market: RecordedMarket) -> None:
    now_ns = FIRST_SNAPSHOT_NS + 3 * HOUR_NS
    market.advance(now_ns)
    chain = market.chain("BTC")
    bar = bar_of(FIRST_SNAPSHOT_NS)
    index_at_snapshot = close_at(bar) + 10.0 * 90 / 300  # 90 s into the next bar
    forward = 94_400.0 * close_at(bar_of(now_ns)) / index_at_snapshot
    assert chain.forward == pytest.approx(forward)
    assert set(chain.mark_vol) == {0.5}
    years = (chain.expiry_ns - now_ns) / YEAR_NS
    usd = black76.price(forward, chain.strike, years, 0.5, chain.is_call)
    assert chain.mark == pytest.approx(usd / forward)


def test_the_forward_is_the_recorded_one_until_a_newer_close_is_known(
    market: RecordedMarket,
) -> None:
    market.advance(FIRST_SNAPSHOT_NS + 209 * SECOND_NS)
    assert set(market.chain("BTC").forward) == {94_400.0}
    market.advance(FIRST_SNAPSHOT_NS + 210 * SECOND_NS)
    assert market.chain("BTC").forward[0] == pytest.approx(94_400.0 * (1 + 7 / close_at(432)))


def test_an_expiry_between_snapshots_is_delivered_and_delisted(market: RecordedMarket) -> None:
    market.advance(EXPIRY_NS - 1)
    listed = market.instruments()
    with pytest.raises(DataError, match="ahead"):
        market.delivery_price("BTC", EXPIRY_NS)
    market.advance(EXPIRY_NS)
    closes = [close_at(bar_of(EXPIRY_NS) - i) for i in range(6)]
    assert market.delivery_price("BTC", EXPIRY_NS) == pytest.approx(np.mean(closes))
    assert set(market.chain("BTC").expiry_ns) == {LATER_EXPIRY_NS}
    assert len(listed) - len(market.instruments()) == 4


def test_the_listing_is_the_same_object_over_an_equal_snapshot(market: RecordedMarket) -> None:
    listed = market.instruments()
    market.advance(SECOND_SNAPSHOT_NS)
    assert market.chain("BTC").ts_ns == SECOND_SNAPSHOT_NS
    assert market.instruments() is listed


def test_the_perpetual_is_linear_and_half_a_tick_around_its_close(market: RecordedMarket) -> None:
    perpetual = market.instruments()[0]
    assert perpetual.kind is InstrumentKind.LINEAR_PERPETUAL
    assert perpetual.symbol == "BTC-USDT-PERP"
    assert perpetual.settlement_currency == "USD"
    quote = market.perpetual("BTC")
    close = close_at(bar_of(FIRST_SNAPSHOT_NS)) - 7.0
    assert (quote.bid, quote.mark, quote.ask) == (close - 0.05, close, close + 0.05)
    assert Decimal(str(quote.ask)) - Decimal(str(quote.bid)) == perpetual.tick_at(Decimal(1))


def test_funding_is_the_rate_settled_last(market: RecordedMarket) -> None:
    assert market.perpetual("BTC").funding_rate_8h == pytest.approx(4e-5)
    market.advance(FIRST_BAR_NS + 40 * HOUR_NS)
    assert market.perpetual("BTC").funding_rate_8h == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("reason", "field", "value"),
    [
        ("crossed", "bid", 0.021),
        ("crossed", "bid", 0.03),
        ("negative", "bid", -0.001),
        ("negative", "mark_iv", 0.0),
        ("not_a_number", "mark_iv", float("nan")),
        ("not_a_number", "underlying_price", None),
        ("expired", "expiry_ts", FIRST_SNAPSHOT_NS // 1_000_000),
        ("wrong_name", "strike", 93_000.0),
        ("wrong_name", "instrument_name", "BTC-3JAN26-94000-X"),
    ],
)
def test_a_bad_row_is_counted_and_never_listed(
    tmp_path: Path, reason: str, field: str, value: object
) -> None:
    def spoil(rows: list[Row]) -> None:
        rows[0][field] = value

    market = RecordedMarket(record(tmp_path, spoil))
    assert market.rows_refused == {"BTC": {reason: 1}}
    assert "deribit:BTC-3JAN26-94000-C" not in market.chain("BTC").instrument_ids
    assert len(market.chain("BTC").strike) == 7


def test_a_repeated_row_is_counted(tmp_path: Path) -> None:
    market = RecordedMarket(record(tmp_path, lambda rows: rows.append(rows[0])))
    assert market.rows_refused == {"BTC": {"duplicate": 1}}


def test_no_quote_is_no_fault(tmp_path: Path) -> None:
    def unquote(rows: list[Row]) -> None:
        rows[0]["bid"], rows[0]["ask"] = None, 0.0

    market = RecordedMarket(record(tmp_path, unquote))
    chain = market.chain("BTC")
    assert market.rows_refused == {"BTC": {}}
    assert np.isnan(chain.bid[0])
    assert np.isnan(chain.ask[0])
    assert (chain.bid_size[0], chain.bid_size[1]) == (0.0, 10.0)


def test_an_option_missing_from_a_snapshot_keeps_its_volatility_unquoted(tmp_path: Path) -> None:
    market = RecordedMarket(record(tmp_path, lambda rows: rows.pop(8)))
    market.advance(SECOND_SNAPSHOT_NS)
    chain = market.chain("BTC")
    lost = chain.instrument_ids.index("deribit:BTC-3JAN26-94000-C")
    assert np.isnan(chain.bid[lost])
    assert chain.mark_vol[lost] == 0.5
    assert chain.mark[lost] > 0
    assert np.isnan(chain.bid).sum() == 1


def test_recorded_sizes_are_used_where_they_exist(tmp_path: Path) -> None:
    def size(rows: list[Row]) -> None:
        for row in rows:
            row["bid_size"], row["ask_size"] = 3.5, 0.7

    chain = RecordedMarket(record(tmp_path, size)).chain("BTC")
    assert set(chain.bid_size) == {3.5}
    assert set(chain.ask_size) == {0.7}


def test_a_missing_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(DataError, match=r"nowhere.*set `folder`"):
        RecordedMarket(RecordedMarketConfig(folder=str(folder)))


@pytest.mark.parametrize(
    "name", ["options/chain_1.parquet", "klines/BTC_5m.parquet", "funding/BTC.csv"]
)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    config = record(tmp_path)
    (tmp_path / name).unlink()
    wanted = "chain_" if name.startswith("options") else name.split("/")[1]
    with pytest.raises(DataError, match=wanted):
        RecordedMarket(config)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    config = record(tmp_path)
    write_bars(tmp_path / "options" / "chain_2.parquet")
    with pytest.raises(DataError, match=r"chain_2.parquet: no column snapshot_ts"):
        RecordedMarket(config)


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    config = record(tmp_path)
    (tmp_path / "klines" / "BTC_5m.parquet").write_text("open,high,low", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        RecordedMarket(config)


@pytest.mark.parametrize(
    ("second", "close", "message"),
    [(0, 2.0, "does not come after"), (300_000, float("nan"), "is no price"), (1, 0.0, "no price")],
)
def test_bad_bars_are_refused(tmp_path: Path, second: int, close: float, message: str) -> None:
    config = record(tmp_path)
    bar = {"open": 1.0, "high": 1.0, "low": 1.0, "volume": 1.0}
    bars = [{"ts": 0, "close": 1.0} | bar, {"ts": second, "close": close} | bar]
    write_bars(tmp_path / "klines" / "BTC_5m.parquet", bars=bars)
    with pytest.raises(DataError, match=message):
        RecordedMarket(config)


def test_a_coin_that_was_not_recorded_is_named(tmp_path: Path) -> None:
    rows = [row | {"currency": "ETH"} for row in good_rows()]
    config = record(tmp_path)
    write_chain(tmp_path / "options" / "chain_1.parquet", rows)
    with pytest.raises(DataError, match="no option of BTC"):
        RecordedMarket(config)


def test_the_recording_ends(market: RecordedMarket) -> None:
    market.advance(market.end_ns)
    with pytest.raises(DataError, match="ends at"):
        market.advance(market.end_ns + 1)


def test_a_start_without_history_is_refused(tmp_path: Path) -> None:
    config = record(tmp_path)
    early = structs.replace(config, start_ns=FIRST_BAR_NS + HOUR_NS)
    with pytest.raises(DataError, match="outside the recording"):
        RecordedMarket(early)


def test_before_the_first_snapshot_there_is_no_chain(tmp_path: Path) -> None:
    config = record(tmp_path)
    early = structs.replace(config, start_ns=FIRST_SNAPSHOT_NS - HOUR_NS)
    market = RecordedMarket(early)
    assert [row.symbol for row in market.instruments()] == ["BTC-USDT-PERP"]
    with pytest.raises(DataError, match="no chain of BTC"):
        market.chain("BTC")
    market.advance(FIRST_SNAPSHOT_NS)
    assert len(market.chain("BTC").strike) == 8


def test_settings_that_cannot_be_run_are_refused() -> None:
    with pytest.raises(ValueError, match=r"option_lot lacks DOGE.*trade_window_s"):
        RecordedMarketConfig(folder=".", underlyings=("DOGE",), trade_window_s=0.0)


def test_files_of_several_days_are_read_together(tmp_path: Path) -> None:
    config = record(tmp_path)
    third_ns = SECOND_SNAPSHOT_NS + HOUR_NS
    rows = [option_row(third_ns, LATER_EXPIRY_NS, 94_000.0, is_call=True)]
    write_chain(tmp_path / "options" / "chain_0.parquet", rows)
    assert RecordedMarket(config).snapshot_times()[-1] == third_ns


def test_bars_of_several_days_are_read_together(tmp_path: Path) -> None:
    config = record(tmp_path)
    whole = tmp_path / "klines" / "BTC_5m.parquet"
    bars = pq.read_table(whole).to_pylist()
    whole.unlink()
    write_bars(tmp_path / "klines" / "BTC_5m_20260101.parquet", bars=bars[:288])
    write_bars(tmp_path / "klines" / "BTC_5m_20260102.parquet", bars=bars[288:])
    by_day = structs.replace(config, candle_file="klines/{underlying}_5m_*.parquet")
    columns = RecordedMarket(by_day).candles("BTC", 5 * MINUTE_NS, FIRST_SNAPSHOT_NS, 1000)
    assert len(columns.open_ns) == bar_of(FIRST_SNAPSHOT_NS) + 1


def test_recorded_quotes_are_replayed_as_they_were(recorded_data: Path) -> None:
    """On the real recording: no row is bad, marks agree with the venue's, all moments priced."""
    market = RecordedMarket(RecordedMarketConfig(folder=str(recorded_data)))
    assert market.rows_refused == {"BTC": {}}
    assert len(market.snapshot_times()) > 190
    assert len(market.candles("BTC", HOUR_NS, market.now_ns, 216).open_ns) == 216
    for now_ns in market.snapshot_times():
        market.advance(now_ns)
        chain = market.chain("BTC")
        assert chain.ts_ns == now_ns
        assert not np.isnan(chain.mark).any()
        assert (chain.expiry_ns > now_ns).all()
        inside = (chain.mark >= chain.bid - 0.003) & (chain.mark <= chain.ask + 0.003)
        quoted = ~np.isnan(chain.bid) & ~np.isnan(chain.ask)
        assert inside[quoted].mean() > 0.98
