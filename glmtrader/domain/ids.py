"""Names of things. Each is a string at run time and a type of its own for the checker."""

from typing import Final, NewType

InstrumentId = NewType("InstrumentId", str)
"""`venue:symbol`, for example `deribit:BTC-27MAR26-90000-C`."""

AccountId = NewType("AccountId", str)
"""The configured name of one margin account at one venue, for example `deribit-main`."""

StrategyId = NewType("StrategyId", str)
"""The configured name of one strategy instance, for example `pq-btc`."""

IntentId = NewType("IntentId", str)
"""`{strategy}-{epoch}-{seq}`: unique for ever, and the same again in replay."""

ClientOrderId = NewType("ClientOrderId", str)
"""`{intent}-{leg}-{attempt}`: what the venue gets as label; a pure function of the three."""

VenueOrderId = NewType("VenueOrderId", str)
"""The venue's own number for an order."""

TradeId = NewType("TradeId", str)
"""The venue's own number for one execution; a fill is applied once for each."""

CLIENT_ORDER_ID_LENGTH_MAX: Final = 36
"""The shortest limit among the venues spoken to (Binance: 36, Deribit labels: 64)."""


def instrument_id(venue: str, symbol: str) -> InstrumentId:
    """Join a venue and its own symbol into the id used everywhere else."""
    assert venue, "an instrument needs a venue"
    assert symbol, "an instrument needs a symbol"
    return InstrumentId(f"{venue}:{symbol}")


def client_order_id(intent: IntentId, leg: int, attempt: int) -> ClientOrderId:
    """Name an order: a pure function of its intent, leg and attempt.

    Raises:
        AssertionError: the name is longer than every venue accepts, because the strategy's
            configured name is too long.
    """
    name = f"{intent}-{leg}-{attempt}"
    assert len(name) <= CLIENT_ORDER_ID_LENGTH_MAX, f"client order id {name!r} is too long"
    return ClientOrderId(name)


def intent_of(client_order: ClientOrderId) -> IntentId:
    """The intent that an order's name begins with."""
    return IntentId(client_order.rsplit("-", 2)[0])


def strategy_of(client_order: ClientOrderId) -> StrategyId:
    """The strategy that an order's name begins with."""
    return StrategyId(client_order.rsplit("-", 4)[0])
