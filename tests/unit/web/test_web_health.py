"""Health: true only with every feed fresh and the core answering, else each reason."""

import msgspec
import pytest
from web_cases import NOW_NS, chain, listed, make_views, perpetual, tick

from glmtrader.domain.event import Event
from glmtrader.domain.instruments import MINUTE_NS, SECOND_NS
from glmtrader.domain.risk_events import TradingMode, TradingModeChanged
from glmtrader.domain.system_events import ComponentFailed, VenueStatusChanged
from glmtrader.web.health import QUEUE_DEPTH_MAX, CoreProbe, health
from glmtrader.web.responses import HealthReport
from glmtrader.web.status_page import render

IDLE = CoreProbe(sequence=10, queue_depth=0, views_pending=0)
FED = (listed(perpetual()), chain([0.02, 0.02], [0.03, 0.03]), tick(perpetual()))


def report(*more: Event, after_ns: int = 0, probe: CoreProbe = IDLE) -> HealthReport:
    views = make_views(*FED, *more, underlyings=("BTC",))
    return health(views, NOW_NS + after_ns, probe)


def failure(*, fatal: bool) -> ComponentFailed:
    return ComponentFailed(
        ts_event=NOW_NS, ts_init=NOW_NS, component="risk", error="x", fatal=fatal, restarts=0
    )


def venue(status: str) -> VenueStatusChanged:
    return VenueStatusChanged(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        venue="sim",
        status=status,
        detail="",
        clock_offset_ns=None,
    )


def test_fresh_feeds_and_an_answering_core_are_healthy() -> None:
    assert report().healthy
    assert report(failure(fatal=False), venue("maintenance")).healthy


def test_a_feed_is_stale_one_nanosecond_after_its_budget() -> None:
    """Each feed has its own budget."""
    assert report(after_ns=MINUTE_NS).healthy
    late = report(after_ns=MINUTE_NS + 1)
    assert not late.healthy
    assert [feed.name for feed in late.feeds if not feed.fresh] == ["tick.BTC"]
    later = report(after_ns=5 * MINUTE_NS + 1)
    assert [feed.name for feed in later.feeds if not feed.fresh] == ["tick.BTC", "chain.BTC"]


def test_every_configured_underlying_must_be_fed() -> None:
    """One of two is not enough."""
    found = health(make_views(*FED, underlyings=("BTC", "ETH")), NOW_NS, IDLE)
    assert not found.healthy
    assert found.reasons == ["tick.ETH: nothing has come yet", "chain.ETH: nothing has come yet"]


def test_a_core_that_does_not_keep_up_does_not_answer() -> None:
    """A long queue is a reason though every feed is fresh."""
    full = msgspec.structs.replace(IDLE, queue_depth=QUEUE_DEPTH_MAX + 1)
    assert report(probe=msgspec.structs.replace(IDLE, queue_depth=QUEUE_DEPTH_MAX)).healthy
    found = report(probe=full)
    assert not found.healthy
    assert not found.core.answers


def test_a_core_that_dispatches_nothing_does_not_answer() -> None:
    """Silence of the dispatcher is a reason of its own, beside the feeds'."""
    found = report(after_ns=2 * MINUTE_NS)
    assert not found.core.answers
    assert any(reason.startswith("core: no event was dispatched") for reason in found.reasons)


@pytest.mark.parametrize(
    ("event", "word"), [(failure(fatal=True), "risk"), (venue("disconnected"), "sim")]
)
def test_a_crashed_component_and_a_lost_venue_are_reasons(event: Event, word: str) -> None:
    found = report(event)
    assert not found.healthy
    assert word in found.reasons[0]


def test_the_page_escapes_what_events_say() -> None:
    """A venue's words are text, never markup."""
    mode = TradingModeChanged(
        ts_event=NOW_NS,
        ts_init=NOW_NS,
        account_id=make_views().scope.account_id,
        mode=TradingMode.HALTED,
        reason="<script>alert(1)</script>",
    )
    views = make_views(*FED, mode, underlyings=("BTC",))
    page = render(views, health(views, NOW_NS + SECOND_NS, IDLE), NOW_NS + SECOND_NS)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "halted" in page
