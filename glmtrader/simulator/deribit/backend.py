"""What every method of the server works on: the exchange, its tape, its time, its callers.

The backend moves the exchange and hands what happened to whoever listens (the broadcaster). It
knows nothing of sockets.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.kernel.clock import Clock
from glmtrader.simulator.deribit.account_frames import AccountFrames
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.deribit.credentials import Credentials, Login
from glmtrader.simulator.deribit.faults import Faults
from glmtrader.simulator.deribit.names import Names
from glmtrader.simulator.deribit.order_frames import symbol_of, user_trade_frame
from glmtrader.simulator.deribit.rate_limits import CreditBook
from glmtrader.simulator.deribit.sessions import SessionBook
from glmtrader.simulator.deribit.tape import Tape
from glmtrader.simulator.deribit.ticker_frames import TickerFrames
from glmtrader.simulator.deribit.wire import Frame
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import AccountTrade, ExchangeEvent, InstrumentsChanged


class Link(Protocol):
    """A WebSocket connection as methods see it."""

    @property
    def name(self) -> str:
        """Unique for ever; orders carry it."""

    login: Login | None
    cancel_on_disconnect: bool

    def set_heartbeat(self, interval_s: float | None, now_ns: int) -> None:
        """Start or stop heartbeats."""

    def answered_test(self) -> None:
        """The client sent `public/test`."""

    def subscribe(self, channels: list[str], *, private: bool) -> list[str]:
        """Subscribe; returns the channels that were taken."""

    def unsubscribe(self, channels: list[str] | None, *, private: bool) -> list[str]:
        """Unsubscribe from these, or from all; returns those it was subscribed to."""

    def log_out(self) -> None:
        """Close without cancelling orders."""


class Caller:
    """Who made a request, and over what; `link` None is HTTP."""

    def __init__(self, link: Link | None, login: Login | None) -> None:
        self.link = link
        self.login = login

    @property
    def account(self) -> str:
        """The account of an authenticated caller."""
        assert self.login is not None, "a private method runs for somebody"
        return self.login.account

    @property
    def connection(self) -> str:
        """The connection's name for orders; empty over HTTP."""
        return "" if self.link is None else self.link.name


class Backend:
    """The exchange with its server-side memory.

    Args:
        exchange: moved by this backend alone.
        clock: the process clock.
        config: see there.
    """

    def __init__(self, exchange: SimulatedExchange, clock: Clock, config: ServerConfig) -> None:
        self.exchange = exchange
        self.config = config
        self.faults = Faults()
        self.credentials = Credentials(exchange, config)
        self.credits = CreditBook(config.rate_limits)
        self.names = Names(exchange)
        self.sessions = SessionBook(exchange)
        self.tape = Tape(exchange)
        self.tickers = TickerFrames(exchange, self.tape)
        self.accounts = AccountFrames(exchange, self.sessions)
        self.cancel_accounts: dict[str, bool] = {}
        self.change_id_offset = 0
        self._clock = clock
        self._happened: list[ExchangeEvent] = []
        self.listener: Callable[[list[ExchangeEvent]], None] = lambda _: None

    def now_ns(self) -> int:
        """The exchange's time; never before what the exchange has reached."""
        return max(self._clock.now_ns(), self.exchange.now_ns)

    def venue_now_ns(self) -> int:
        """The time the venue says it is: off by an injected clock offset."""
        return self.now_ns() + self.faults.clock_offset_ns

    def user_trade_frame(self, trade: AccountTrade) -> Frame:
        """An account's trade with what the tape knows of it."""
        seen = self.tape.trade(trade.trade_id, trade.instrument_id)
        return user_trade_frame(trade, self.names.find(symbol_of(trade.instrument_id)), seen)

    def step(self) -> None:
        """Move the market to now and tell what happened."""
        self.happened(self.exchange.advance(self.now_ns()))
        self.tape.sample_funding()

    def arrive(self) -> int:
        """Prepare for a request that changes something; returns its time.

        Expiries, funding and settlements are booked at whole seconds: when one may lie between the
        last step and now, the market is moved first, so that none is passed over.
        """
        if self.now_ns() // SECOND_NS != self.exchange.now_ns // SECOND_NS:
            self.step()
        return self.now_ns()

    def happened(self, events: Sequence[ExchangeEvent]) -> None:
        """Note what the exchange did; told to the listener by the next `tell`."""
        for event in events:
            self.tape.note(event)
            if isinstance(event, InstrumentsChanged):
                self.names.forget()
        self._happened.extend(events)

    def tell(self) -> None:
        """Hand everything noted since to the listener."""
        events, self._happened = self._happened, []
        if events:
            self.listener(events)
