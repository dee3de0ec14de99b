"""Candles on the wire. Bars are of the underlying and at least five minutes long."""

from typing import Final

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.market_model import CandleColumns

_MINUTES: Final = (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)
RESOLUTIONS: Final = {str(count): count * MINUTE_NS for count in _MINUTES} | {"1D": DAY_NS}
"""Deribit's words for bar lengths."""


def chart_frame(bars: CandleColumns | None, first_ms: int) -> Frame:
    """`public/get_tradingview_chart_data` from bars that begin at `first_ms` or later."""
    rows = [] if bars is None else [row for row in bar_frames(bars) if row["tick"] >= first_ms]
    names = {"ticks": "tick", "open": "open", "high": "high", "low": "low", "close": "close"}
    names |= {"volume": "volume", "cost": "cost"}
    columns: Frame = {name: [row[key] for row in rows] for name, key in names.items()}
    return columns | {"status": "ok" if rows else "no_data"}


def bar_frames(bars: CandleColumns) -> list[Frame]:
    """Each bar as a message of a `chart.trades` channel."""
    return [
        {
            "tick": ms(int(bars.open_ns[row])),
            "open": round(float(bars.open[row]), 2),
            "high": round(float(bars.high[row]), 2),
            "low": round(float(bars.low[row]), 2),
            "close": round(float(bars.close[row]), 2),
            "volume": round(float(bars.volume[row]), 8),
            "cost": round(float(bars.volume[row] * bars.close[row]), 2),
        }
        for row in range(len(bars.open_ns))
    ]
