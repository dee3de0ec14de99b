"""What a broken market does to a trader: it is refused and counted, and nothing is traded on it."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from live_world import of
from virtual_demo import DEMO_MINUTES, virtual_demo

from glmtrader.domain.decisions import Action, Intent, IntentType
from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId, IntentId, StrategyId
from glmtrader.domain.instruments import DAY_NS
from glmtrader.domain.market_events import ChainSnapshot, MarketTick, VolatilitySurface
from glmtrader.domain.order_events import Fill, IntentCompleted, OrderCommand
from glmtrader.domain.risk_events import RiskVeto
from glmtrader.domain.strategy_events import DecisionMade, StrategyIntent, StrategySignal

SEED = 1
"""A market in which the demo trades when nothing is broken."""

Change = Callable[[ChainSnapshot], ChainSnapshot]


def crossed(chain: ChainSnapshot) -> ChainSnapshot:
    """Every bid above its ask."""
    return msgspec.structs.replace(chain, bid=chain.ask * 1.05, ask=chain.bid)


def negative(chain: ChainSnapshot) -> ChainSnapshot:
    """Every price below zero."""
    return msgspec.structs.replace(chain, bid=-chain.bid, ask=-chain.ask)


def not_numbers(chain: ChainSnapshot) -> ChainSnapshot:
    """No price is a number."""
    nothing = np.full_like(chain.bid, np.nan)
    return msgspec.structs.replace(chain, bid=nothing, ask=nothing)


def without_the_middle(chain: ChainSnapshot) -> ChainSnapshot:
    """The half of the strikes that is nearest the money is missing."""
    distance = np.abs(np.log(chain.strike / chain.forward))
    gone = distance < np.median(distance)
    return msgspec.structs.replace(
        chain, bid=np.where(gone, np.nan, chain.bid), ask=np.where(gone, np.nan, chain.ask)
    )


def spoiled(change: Change) -> Callable[[Event], Event]:
    """What the venue says, with its chains changed and no other word on any option."""

    def spoil(event: Event) -> Event:
        if isinstance(event, MarketTick) and event.instrument_id.endswith(("-C", "-P")):
            return msgspec.structs.replace(event, bid=None, ask=None)
        return change(event) if isinstance(event, ChainSnapshot) else event

    return spoil


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (crossed, "crossed"),
        (negative, "negative"),
        (not_numbers, "no_quote"),
        (without_the_middle, "no_quote"),
    ],
)
async def test_a_broken_chain_is_counted_and_never_traded(
    change: Change, refusal: str, tmp_path: Path
) -> None:
    """A whole demo of broken chains: no order, refusals counted, holds with their reason."""
    async with virtual_demo(tmp_path, SEED, spoil=spoiled(change)) as world:
        await world.run(DEMO_MINUTES)
        events = world.events()
    surfaces = of(events, VolatilitySurface)
    assert surfaces
    counted = {reason for surface in surfaces for reason in surface.quotes_refused}
    assert refusal in counted
    assert of(events, OrderCommand) == []
    decisions = [event.decision.intent for event in of(events, DecisionMade)]
    assert decisions
    assert {intent.intent_type for intent in decisions} == {IntentType.HOLD}


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [-1, 400])
async def test_a_straddle_of_no_listed_expiry_is_not_ordered(days: int, tmp_path: Path) -> None:
    """Expired, or listed by nobody: the intent ends in words, without an order."""
    async with virtual_demo(tmp_path, SEED) as world:
        await world.run(6)
        intent = Intent(
            intent_type=IntentType.INCREASE_LONG_GAMMA,
            action=Action.BUY_STRADDLE,
            direction=1,
            quantity=Decimal(1),
            confidence=0.9,
            reason="a test asks",
            expiry_ns=world.now_ns + days * DAY_NS,
            strike_usd=90_000.0,
            instrument_id=None,
            distance_to_action_vol=None,
            metadata={},
        )
        world.system.bus.publish(
            StrategyIntent(
                ts_event=world.now_ns,
                ts_init=world.now_ns,
                intent_id=IntentId("other-1-1"),
                strategy_id=StrategyId("other"),
                account_id=world.account_id,
                underlying="BTC",
                intent=intent,
            )
        )
        await world.run(1)
        events = world.events()
    ended = [
        event
        for event in events
        if isinstance(event, RiskVeto | IntentCompleted) and event.intent_id == "other-1-1"
    ]
    assert ended
    asked = [event.order.intent_id for event in of(events, OrderCommand)]
    assert "other-1-1" not in asked


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", ["deribit:BTC-1JAN26-90000-C", "deribit:BTC-9JAN26-123456-P", "nowhere:DOGE"]
)
async def test_a_signal_for_an_unlisted_instrument_is_vetoed(name: str, tmp_path: Path) -> None:
    """Expired, never listed, or of no venue: a veto that names it, and no fill."""
    async with virtual_demo(tmp_path, SEED) as world:
        await world.run(6)
        world.system.bus.publish(
            StrategySignal(
                ts_event=world.now_ns,
                ts_init=world.now_ns,
                strategy_id=StrategyId("other"),
                account_id=world.account_id,
                instrument_id=InstrumentId(name),
                signal_type="buy",
                quantity=Decimal(1),
                confidence=0.9,
            )
        )
        await world.run(1)
        events = world.events()
    vetoes = [event for event in of(events, RiskVeto) if event.strategy_id == "other"]
    assert len(vetoes) == 1
    assert name in vetoes[0].reason + str(vetoes[0].details)
    assert not [fill for fill in of(events, Fill) if fill.instrument_id == name]
