"""Completed bars of each underlying, from the perpetual's chart data: history, then each new one.

After each bar's end the bars since the last one told are asked for, so that a lost connection
leaves no hole. The venue's chart of the perpetual stands for the underlying; volume is in coin.
"""

from typing import Final

from glmtrader.domain.instruments import DAY_NS, MINUTE_NS, SECOND_NS
from glmtrader.domain.market_events import Candle
from glmtrader.kernel.clock import Clock
from glmtrader.venues.deribit.codec import candles_of
from glmtrader.venues.deribit.config import CANDLE_MINUTES
from glmtrader.venues.deribit.frames import ChartData
from glmtrader.venues.deribit.names import MS_NS, perpetual_name
from glmtrader.venues.deribit.rest import Rest
from glmtrader.venues.port import Publish

BARS_A_PAGE: Final = 4000
"""The venue gives about 5,000 bars a call."""

SETTLE_S: Final = 2.0
"""How long after its end a bar is asked for: late trades are in it then."""


async def history(
    rest: Rest, clock: Clock, underlying: str, *, interval_ns: int, since_ns: int
) -> list[Candle]:
    """Completed bars opened at or after `since_ns`, ascending, each once.

    Raises:
        VenueUnavailableError, VenueRefusedError, ProtocolError: as the venue has it.
    """
    minutes, rest_ns = divmod(interval_ns, MINUTE_NS)
    assert rest_ns == 0, f"interval {interval_ns} ns is no whole minute"
    assert minutes in CANDLE_MINUTES, f"the venue has no bars of {minutes} minutes"
    found: dict[int, Candle] = {}
    now_ns = clock.now_ns() + rest.clock_offset_ns
    start_ns = since_ns
    while start_ns < now_ns:
        end_ns = min(start_ns + BARS_A_PAGE * interval_ns, now_ns)
        params = {
            "instrument_name": perpetual_name(underlying),
            "start_timestamp": start_ns // MS_NS,
            "end_timestamp": end_ns // MS_NS,
            "resolution": str(minutes),
        }
        chart = await rest.public("get_tradingview_chart_data", params, ChartData)
        bars = candles_of(chart, underlying=underlying, interval_ns=interval_ns, now_ns=now_ns)
        found.update((bar.open_ns, bar) for bar in bars if bar.open_ns >= since_ns)
        start_ns = end_ns
    return [found[open_ns] for open_ns in sorted(found)]


class CandleFeed:
    """Publishes the bars of one underlying."""

    def __init__(
        self,
        rest: Rest,
        clock: Clock,
        publish: Publish,
        underlying: str,
        *,
        interval_ns: int,
        history_days: int,
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._publish = publish
        self._underlying = underlying
        self._interval_ns = interval_ns
        now_ns = clock.now_ns()
        self._next_open_ns = (now_ns // interval_ns) * interval_ns - history_days * DAY_NS

    async def step(self) -> None:
        """Tell the bars that were completed since the last step."""
        bars = await history(
            self._rest,
            self._clock,
            self._underlying,
            interval_ns=self._interval_ns,
            since_ns=self._next_open_ns,
        )
        for bar in bars:
            self._publish(bar)
            self._next_open_ns = bar.open_ns + self._interval_ns

    def wait_s(self) -> float:
        """Until a little after the end of the bar that is open now."""
        venue_ns = self._clock.now_ns() + self._rest.clock_offset_ns
        return (self._interval_ns - venue_ns % self._interval_ns) / SECOND_NS + SETTLE_S
