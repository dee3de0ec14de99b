"""The views: the newest events and nothing lost that has no successor."""

from decimal import Decimal

import pytest
from web_cases import (
    ACCOUNT,
    NOW_NS,
    chain,
    ledger,
    listed,
    make_views,
    option,
    perpetual,
    portfolio,
    position,
    row,
    surface,
    tick,
)

from glmtrader.domain.ids import AccountId
from glmtrader.kernel.bus import Bus
from glmtrader.kernel.clock import VirtualClock
from glmtrader.web.views import ViewCache, conflation_key

CALL = option(90_000, is_call=True)


def test_listings_are_differences_and_never_replace_each_other() -> None:
    """Two listings that wait both arrive; two ticks of one instrument are one."""
    first, second = listed(CALL), listed(perpetual())
    assert conflation_key(first) != conflation_key(second)
    assert conflation_key(tick(CALL, 1)) == conflation_key(tick(CALL, 2))
    assert conflation_key(tick(CALL)) != conflation_key(tick(perpetual()))


@pytest.mark.asyncio
async def test_a_reader_that_was_away_finds_the_newest_of_each() -> None:
    """What came while nobody read is conflated by key, in the order of the newest."""
    clock = VirtualClock(NOW_NS)
    bus = Bus(clock)
    views = ViewCache(bus, clock, make_views().scope)
    bus.publish(listed(CALL))
    bus.publish(listed(perpetual()))
    for ts_ns in range(5):
        bus.publish(tick(perpetual(), ts_ns))
    bus.drain()
    assert views.pending == 3
    bus.close()
    await views.run()
    assert set(views.instruments) == {CALL.instrument_id, perpetual().instrument_id}
    assert views.tick_ns == {"BTC": 4}
    assert views.seen_seq == 7


def test_a_flat_position_is_gone() -> None:
    """A position of nothing is not held."""
    views = make_views(position(CALL, "0.1", "0.02"), position(CALL, "0", None))
    assert views.held == {}


def test_a_snapshot_restores_positions_and_drops_those_it_does_not_hold() -> None:
    """The ledger is whole: after a restart it alone says what is held."""
    put = option(90_000, is_call=False)
    views = make_views(position(put, "0.3", "0.02"), ledger((CALL, "0.2", "0.004")))
    assert list(views.held) == [CALL.instrument_id]
    assert views.held[CALL.instrument_id].quantity == Decimal("0.2")


def test_a_snapshot_does_not_forget_whose_position_it_is() -> None:
    """A booking names the strategy, a snapshot does not: the name stays."""
    views = make_views(position(CALL, "0.1", "0.02"), ledger((CALL, "0.2", "0.004")))
    assert views.held[CALL.instrument_id].strategy_id == "pq"


def test_a_delisted_instrument_stays_known_while_it_is_held() -> None:
    """Expired options leave the list before they are delivered."""
    gone = listed(delisted=(CALL.instrument_id,))
    assert make_views(listed(CALL), gone).instruments == {}
    held = make_views(listed(CALL), position(CALL, "0.1", "0.02"), gone)
    assert set(held.instruments) == {CALL.instrument_id}


def test_other_accounts_are_not_served() -> None:
    """One account is served; another's risk changes nothing."""
    mine, other = portfolio(row("BTC", 1.0)), portfolio(account_id=AccountId("other"))
    assert make_views(mine, other).portfolio is mine
    assert mine.account_id == ACCOUNT


def test_a_surface_is_shown_with_the_chain_it_was_made_of_alone() -> None:
    """A newer chain's quotes never stand beside an older surface."""
    quotes = chain([0.02, 0.02], [0.021, 0.021])
    assert make_views(quotes, surface()).surface_chains == {"BTC": quotes}
    assert make_views(quotes, surface(ts_ns=NOW_NS + 1)).surface_chains == {}
