"""The exchange's state as bytes: written whole, read back into fresh parts."""

import msgspec

from glmtrader.errors import DataError
from glmtrader.simulator.bookkeeping import Bookkeeper
from glmtrader.simulator.exchange_config import STATE_VERSION, ExchangeState
from glmtrader.simulator.exchange_types import PlatformState
from glmtrader.simulator.listing import Listing
from glmtrader.simulator.order_desk import OrderDesk


def write_state(
    listing: Listing,
    keeper: Bookkeeper,
    desk: OrderDesk,
    *,
    now_ns: int,
    settling_until_ns: int,
    platform: tuple[PlatformState, str],
) -> bytes:
    """Encode everything but the market."""
    state = ExchangeState(
        version=STATE_VERSION,
        now_ns=now_ns,
        platform=platform[0],
        platform_reason=platform[1],
        settling_until_ns=settling_until_ns,
        halted=tuple(sorted(listing.halted)),
        known=listing.known(),
        listed=tuple(item.instrument_id for item in listing.listed()),
        accounts=tuple(account.state for account in keeper.accounts.values()),
        orders=tuple(desk.orders.values()),
        transactions={name: tuple(items) for name, items in keeper.history.items()},
        cursor=keeper.cursor,
        order_priority=desk.priority,
        order_numbers=desk.order_numbers,
        trade_numbers=desk.trade_numbers,
        trade_seqs=desk.trade_seqs,
        last_prices=desk.last_prices,
    )
    return msgspec.json.encode(state)


def check_accounts(state: ExchangeState, names: list[str]) -> None:
    """Refuse a state that lacks a configured account.

    Raises:
        DataError: names the account.
    """
    saved = {account.name for account in state.accounts}
    for name in names:
        if name not in saved:
            raise DataError(f"the saved exchange has no account {name!r}: start a new one")


def fill_parts(state: ExchangeState, listing: Listing, keeper: Bookkeeper, desk: OrderDesk) -> None:
    """Put a state into fresh parts."""
    listing.remember(state.known, state.listed)
    listing.halted.update(state.halted)
    for account in state.accounts:
        keeper.open_account(account, state.transactions[account.name])
    keeper.cursor = state.cursor
    desk.restore(state.orders)
    desk.priority = state.order_priority
    desk.order_numbers = dict(state.order_numbers)
    desk.trade_numbers = dict(state.trade_numbers)
    desk.trade_seqs = dict(state.trade_seqs)
    desk.last_prices = dict(state.last_prices)


def read_state(data: bytes) -> ExchangeState:
    """Decode what `write_state` wrote.

    Raises:
        DataError: it is something else, or of another version.
    """
    try:
        state = msgspec.json.decode(data, type=ExchangeState)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise DataError(f"the saved exchange cannot be read ({error}): move it away") from error
    if state.version != STATE_VERSION:
        raise DataError(
            f"the saved exchange has version {state.version}, this code reads {STATE_VERSION}"
        )
    return state
