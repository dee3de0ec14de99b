"""Whether the process can be relied on: feeds fresh, and the core answering. Pure."""

from typing import Final

import msgspec

from glmtrader import __version__
from glmtrader.domain.instruments import MILLISECOND_NS, SECOND_NS
from glmtrader.web.responses import CoreHealth, FeedHealth, HealthReport, utc_text
from glmtrader.web.views import ViewCache

QUEUE_DEPTH_MAX: Final = 1_024
"""Events waiting for the dispatcher above which the core does not keep up."""


class CoreProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The bus at the moment of the question: number of the last event, and what waits."""

    sequence: int
    queue_depth: int
    views_pending: int


def health(views: ViewCache, now_ns: int, probe: CoreProbe) -> HealthReport:
    """The whole report; healthy exactly when it has no reasons."""
    feeds = [feed for name in views.scope.underlyings for feed in _feeds(views, name, now_ns)]
    faults = _core_faults(views, now_ns, probe)
    reasons = [
        *faults,
        *(_feed_fault(feed) for feed in feeds if not feed.fresh),
        *_failures(views),
        *_venue_faults(views),
    ]
    return HealthReport(
        healthy=not reasons,
        reasons=reasons,
        mode=None if views.mode is None else views.mode.mode.value,
        mode_reason=None if views.mode is None else views.mode.reason,
        feeds=feeds,
        core=CoreHealth(
            sequence=probe.sequence,
            queue_depth=probe.queue_depth,
            last_dispatch_age_ms=_age_ms(views.seen_ns, now_ns),
            answers=not faults,
        ),
        venues={name: status.status for name, status in sorted(views.venues.items())},
        version=__version__,
        timestamp=utc_text(now_ns),
    )


def _feeds(views: ViewCache, underlying: str, now_ns: int) -> tuple[FeedHealth, FeedHealth]:
    scope = views.scope
    return (
        _feed(f"tick.{underlying}", views.tick_ns.get(underlying), now_ns, scope.quote_age_ns_max),
        _feed(
            f"chain.{underlying}", views.chain_ns.get(underlying), now_ns, scope.surface_age_ns_max
        ),
    )


def _feed(name: str, newest_ns: int | None, now_ns: int, age_ns_max: int) -> FeedHealth:
    age_ns = None if newest_ns is None else now_ns - newest_ns
    return FeedHealth(
        name=name,
        age_ms=_age_ms(newest_ns, now_ns),
        age_ms_max=age_ns_max / MILLISECOND_NS,
        fresh=age_ns is not None and age_ns <= age_ns_max,
    )


def _feed_fault(feed: FeedHealth) -> str:
    if feed.age_ms is None:
        return f"{feed.name}: nothing has come yet"
    return f"{feed.name}: {feed.age_ms:.0f} ms old, stale above {feed.age_ms_max:.0f}"


def _core_faults(views: ViewCache, now_ns: int, probe: CoreProbe) -> list[str]:
    """Why the core counts as not answering; ticks alone give it something to dispatch."""
    faults = []
    if probe.queue_depth > QUEUE_DEPTH_MAX:
        faults.append(f"core: {probe.queue_depth} events wait, too many above {QUEUE_DEPTH_MAX}")
    if views.seen_ns is None:
        faults.append("core: no event was dispatched yet")
        return faults
    quiet_ns = now_ns - views.seen_ns
    if quiet_ns > views.scope.quote_age_ns_max and probe.views_pending == 0:
        faults.append(f"core: no event was dispatched for {quiet_ns / SECOND_NS:.1f} s")
    return faults


def _failures(views: ViewCache) -> list[str]:
    fatal = (name for name, event in sorted(views.failures.items()) if event.fatal)
    return [f"core component {name} crashed: trading is halted until a restart" for name in fatal]


def _venue_faults(views: ViewCache) -> list[str]:
    gone = (name for name, event in sorted(views.venues.items()) if event.status == "disconnected")
    return [f"venue {name} is disconnected" for name in gone]


def _age_ms(since_ns: int | None, now_ns: int) -> float | None:
    return None if since_ns is None else (now_ns - since_ns) / MILLISECOND_NS
