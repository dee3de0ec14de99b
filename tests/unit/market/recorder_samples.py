"""Market events and a bus for the recorder's tests."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS, YEAR_NS
from glmtrader.domain.market_events import Candle, ChainSnapshot, MarketTick
from glmtrader.quant import black76
from glmtrader.simulator.contracts import option_symbol

DAY_START_NS = 20_600 * DAY_NS  # 27 May 2026
EXPIRY_NS = DAY_START_NS + 3 * DAY_NS + 8 * HOUR_NS
VOL = 0.5


def chain(
    at_ns: int, *, rows: int = 4, inverse: bool = True, says_vol: bool = True
) -> ChainSnapshot:
    """Calls around the money, the first of them without a bid."""
    strike = np.linspace(90_000.0, 89_000.0 + 1_000.0 * rows, rows)
    is_call = np.ones(rows, np.bool_)
    expiry_ns = np.full(rows, EXPIRY_NS, np.int64)
    forward = np.full(rows, 91_000.0)
    usd = black76.price(forward, strike, (expiry_ns - at_ns) / YEAR_NS, VOL, is_call)
    mark = usd / forward
    names = (option_symbol("BTC", EXPIRY_NS, float(k), is_call=True) for k in strike)
    return ChainSnapshot(
        ts_event=at_ns,
        ts_init=at_ns,
        underlying="BTC",
        venue="deribit",
        instrument_ids=tuple(InstrumentId(f"deribit:{name}") for name in names),
        expiry_ns=expiry_ns,
        strike=strike,
        is_call=is_call,
        bid=np.where(np.arange(rows) == 0, np.nan, mark - 0.001),
        ask=mark + 0.001,
        mark=mark,
        bid_quantity=np.where(np.arange(rows) == 0, 0.0, 3.0),
        ask_quantity=np.full(rows, 2.5),
        forward=forward,
        inverse=inverse,
        index_usd=90_950.0,
        mark_vol=np.full(rows, VOL) if says_vol else None,
    )


def tick(at_ns: int, *, bid: str | None = "90940.5") -> MarketTick:
    """The perpetual's book."""
    return MarketTick(
        ts_event=at_ns,
        ts_init=at_ns,
        instrument_id=InstrumentId("deribit:BTC-PERPETUAL"),
        bid=None if bid is None else Decimal(bid),
        ask=Decimal("90941.0"),
        bid_quantity=None if bid is None else Decimal(120_000),
        ask_quantity=Decimal(80_000),
        mark=Decimal("90940.77"),
        index_usd=Decimal("90950.12"),
    )


def candle(open_ns: int, *, minutes: int = 5) -> Candle:
    """A bar of the index."""
    return Candle(
        ts_event=open_ns + minutes * MINUTE_NS,
        ts_init=open_ns + minutes * MINUTE_NS,
        underlying="BTC",
        open_ns=open_ns,
        interval_ns=minutes * MINUTE_NS,
        open=1.0,
        high=4.0,
        low=0.5,
        close=2.0,
        volume=7.0,
    )


def files(folder: Path) -> list[str]:
    """All recorded files, relative to the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
