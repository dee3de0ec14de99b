"""The forecast service: a core component that keeps candles and publishes Q.

Every completed bar of an underlying gives one forecast. Inference is NumPy on a fitted artefact and
takes a millisecond or two, so it may run in a core step; fitting never happens here.
"""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

import numpy as np
import structlog

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.market_events import Candle, VolatilityForecast
from glmtrader.forecast.artefact import VolatilityModel
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.infer import ForecastUnavailable, ForecastValues, predict
from glmtrader.kernel.inbox import Inbox

HISTORY_DAYS: Final = 10
"""Bars kept: the model's nine days and one more for outages."""

BARS_MIN: Final = 2
"""A grid needs two bars; what a forecast needs beyond that, the model says."""

_log = structlog.get_logger("glmtrader.forecast")


class CandleHistory:
    """The last days of one underlying's bars as columns; bars that cannot be are refused.

    Rows: open time (ns, exact in int64), then open, high, low, close and volume.
    """

    def __init__(self, interval_ns: int) -> None:
        assert interval_ns > 0, f"interval_ns {interval_ns} must be positive"
        self.interval_ns = interval_ns
        self.refused = 0
        self._room = HISTORY_DAYS * DAY_NS // interval_ns
        self._open_ns = np.zeros(2 * self._room, dtype=np.int64)
        self._columns = np.zeros((5, 2 * self._room))
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._room)

    def add(self, candle: Candle) -> bool:
        """Append a bar.

        Returns:
            False (and counts it) for a bar of another interval, one that is not newer, and one
            whose prices cannot be true.
        """
        is_newer = self._end == 0 or candle.open_ns > self._open_ns[self._end - 1]
        on_grid = candle.interval_ns == self.interval_ns and candle.open_ns % self.interval_ns == 0
        if not (is_newer and on_grid and _is_possible(candle)):
            self.refused += 1
            return False
        if self._end == len(self._open_ns):
            self._make_room()
        self._open_ns[self._end] = candle.open_ns
        self._columns[:, self._end] = (
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
        )
        self._end += 1
        return True

    def arrays(self) -> CandleArrays:
        """The history on its regular grid, outages marked; needs two bars."""
        kept = slice(self._end - len(self), self._end)
        opened, high, low, close, volume = self._columns[:, kept]
        return regularise(
            self._open_ns[kept], opened, high, low, close, volume, interval_ns=self.interval_ns
        )

    def _make_room(self) -> None:
        """Move the newest bars to the front; once in as many bars as are kept."""
        kept = slice(self._end - self._room, self._end)
        self._open_ns[: self._room] = self._open_ns[kept]
        self._columns[:, : self._room] = self._columns[:, kept]
        self._end = self._room


class ForecastService:
    """Publishes a `VolatilityForecast` for each completed bar that allows one.

    Args:
        models: the fitted model of each underlying.
        interval_ns: length of the bars it listens to.
        quiet_until_ns: bars that close before this only fill the history.
    """

    EVENTS: ClassVar[tuple[type[Event], ...]] = (Candle,)

    def __init__(
        self,
        models: Mapping[str, VolatilityModel],
        *,
        interval_ns: int,
        quiet_until_ns: int,
        publish: Callable[[Event], None],
    ) -> None:
        self._models = dict(models)
        self._interval_ns = interval_ns
        self._quiet_until_ns = quiet_until_ns
        self._publish = publish
        self._histories: dict[str, CandleHistory] = {}
        self._unavailable: dict[str, str] = {}

    async def run(self, inbox: Inbox) -> None:
        """Take events for ever; awaits nothing but its inbox."""
        async for event in inbox:
            if isinstance(event, Candle):
                self.handle(event)

    def handle(self, candle: Candle) -> None:
        """Add a bar; forecast from it unless it belongs to the past before the start."""
        model = self._models.get(candle.underlying)
        if model is None or candle.interval_ns != self._interval_ns:
            return
        history = self._histories.setdefault(candle.underlying, CandleHistory(self._interval_ns))
        is_quiet = candle.ts_event < self._quiet_until_ns
        if not history.add(candle) or is_quiet or len(history) < BARS_MIN:
            return
        values = predict(model, history.arrays(), candle.ts_event, underlying=candle.underlying)
        if isinstance(values, ForecastUnavailable):
            self._say_unavailable(candle.underlying, values)
            return
        self._unavailable.pop(candle.underlying, None)
        self._publish(_event(values, candle))

    def _say_unavailable(self, underlying: str, refusal: ForecastUnavailable) -> None:
        """Log a refusal once for each new reason; the decision will hold for want of a forecast."""
        if self._unavailable.get(underlying) != refusal.reason.value:
            self._unavailable[underlying] = refusal.reason.value
            _log.warning("forecast_unavailable", underlying=underlying, detail=refusal.detail)


def _is_possible(candle: Candle) -> bool:
    """Whether a bar's numbers can be a market's; NaN fails every comparison."""
    return (
        0 < candle.low <= candle.open <= candle.high < math.inf
        and candle.low <= candle.close <= candle.high
        and 0 <= candle.volume < math.inf
    )


def _event(values: ForecastValues, candle: Candle) -> VolatilityForecast:
    return VolatilityForecast(
        ts_event=candle.ts_event,
        ts_init=candle.ts_init,
        underlying=candle.underlying,
        horizon_ns=values.horizon_ns,
        q_var=values.q_var,
        q_vol=values.q_vol,
        q_vol_low=values.q_vol_low,
        q_vol_high=values.q_vol_high,
        q_straddle=values.q_straddle,
        confidence=values.confidence,
        model_id=values.model_id,
        candles_until_ns=values.origin_ns,
    )
