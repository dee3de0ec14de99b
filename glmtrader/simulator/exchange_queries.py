"""The exchange's read side: orders, accounts and the market, as they are now.

Nothing here changes anything. `SimulatedExchange` adds the requests and time.
"""

from collections import deque
from decimal import Decimal

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument
from glmtrader.domain.orders import Side
from glmtrader.simulator.bookkeeping import Bookkeeper
from glmtrader.simulator.crowd import Crowd
from glmtrader.simulator.exchange_config import ExchangeConfig
from glmtrader.simulator.exchange_types import (
    AccountSummary,
    AccountTrade,
    BookView,
    ExchangeOrder,
    ExpiryDelivered,
    OrderState,
    PositionView,
    PublicTrade,
    TickerView,
    Transaction,
)
from glmtrader.simulator.funds import Funds
from glmtrader.simulator.listing import Listing
from glmtrader.simulator.market_model import CandleColumns, MarketModel, OptionChain
from glmtrader.simulator.order_desk import OrderDesk
from glmtrader.simulator.refusals import ExchangeRefusedError

DELIVERIES_MAX = 200
"""Delivery prices kept."""


class ExchangeQueries:
    """What anybody may ask of the exchange."""

    _now_ns: int

    def _build(self, model: MarketModel, config: ExchangeConfig) -> None:
        self._model = model
        self._config = config
        self._deliveries: deque[ExpiryDelivered] = deque(maxlen=DELIVERIES_MAX)
        self._listing = Listing()
        self._crowd = Crowd(model, quote_age_ns_max=config.option_quote_age_ns_max)
        self._keeper = Bookkeeper(config.fees, history_max=config.history_max)
        self._funds = Funds(config.margin, self._listing, self._crowd, self._keeper)
        self._desk = OrderDesk(
            self._listing,
            self._crowd,
            self._keeper,
            closed_orders_max=config.closed_orders_max,
        )

    @property
    def now_ns(self) -> int:
        """The moment the exchange has reached."""
        return self._now_ns

    @property
    def config(self) -> ExchangeConfig:
        """How this exchange behaves; the accounts in it are those configured, not those kept."""
        return self._config

    @property
    def cursor(self) -> int:
        """The newest booking of any account; grows with every trade, payment or delivery."""
        return self._keeper.cursor

    def open_orders(
        self,
        account: str,
        *,
        instrument_id: InstrumentId | None = None,
        currency: str | None = None,
    ) -> list[ExchangeOrder]:
        """Resting orders in the order of their arrival; `currency` is the settlement's."""
        self._keeper.account(account)
        return [
            order
            for order in self._desk.open_orders(account, instrument_id)
            if currency in (None, self._listing.get(order.instrument_id).settlement_currency)
        ]

    def order(self, account: str, order_id: str) -> ExchangeOrder:
        """An order, open or lately closed.

        Raises:
            ExchangeRefusedError: unknown (or forgotten), or another account's.
        """
        self._keeper.account(account)
        found = self._desk.orders.get(order_id)
        if found is None:
            raise ExchangeRefusedError("order_not_found", f"there is no order {order_id}")
        if found.account != account:
            raise ExchangeRefusedError("not_owner_of_order", f"{order_id} is not yours")
        return found

    def orders_by_label(self, account: str, label: str) -> list[ExchangeOrder]:
        """Every order with that label, oldest first: labels are not unique. May be empty."""
        self._keeper.account(account)
        return [
            order
            for order in self._desk.orders.values()
            if order.account == account and order.label == label
        ]

    def closed_orders(self, account: str, count: int) -> list[ExchangeOrder]:
        """The latest filled and cancelled orders of an account, newest first."""
        self._keeper.account(account)
        closed = [
            order
            for order in self._desk.orders.values()
            if order.account == account and order.state is not OrderState.OPEN
        ]
        return sorted(closed, key=lambda order: order.updated_ns, reverse=True)[:count]

    def account_names(self) -> tuple[str, ...]:
        """All accounts."""
        return tuple(self._keeper.accounts)

    def credentials(self, api_key: str) -> tuple[str, str]:
        """Account name and secret of a key, for whoever verifies signatures.

        Raises:
            ExchangeRefusedError: nobody has this key.
        """
        for account in self._keeper.accounts.values():
            if account.state.api_key == api_key:
                return account.name, account.state.api_secret
        raise ExchangeRefusedError("invalid_credentials", "nobody has this key")

    def trades(
        self,
        account: str,
        *,
        instrument_id: InstrumentId | None = None,
        since_trade_seq: int = 0,
        since_cursor: int = 0,
    ) -> list[AccountTrade]:
        """An account's trades, ascending, from a sequence number or cursor on (inclusive)."""
        return [
            item.trade
            for item in self._keeper.since(account, since_cursor)
            if item.trade is not None
            and instrument_id in (None, item.instrument_id)
            and item.trade.trade_seq >= since_trade_seq
        ]

    def transactions(self, account: str, since_cursor: int = 0) -> tuple[Transaction, ...]:
        """An account's bookings with this cursor or a later one, ascending."""
        return self._keeper.since(account, since_cursor)

    def positions(self, account: str, currency: str | None = None) -> list[PositionView]:
        """Open positions by name; `currency` is the settlement's."""
        return [
            view
            for view in self._funds.positions(account)
            if currency in (None, self._listing.get(view.instrument_id).settlement_currency)
        ]

    def account_summary(self, account: str, currency: str) -> AccountSummary:
        """Cash, equity on marks and margins of one currency."""
        return self._funds.summary(account, currency, self._desk.open_orders(account))

    def currencies(self, account: str) -> tuple[str, ...]:
        """Currencies the account has or had cash in."""
        return tuple(sorted(self._keeper.account(account).state.cash))

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Coins traded here."""
        return self._model.underlyings

    def instruments(self) -> tuple[Instrument, ...]:
        """Everything listed now."""
        return self._listing.listed()

    def perpetuals(self) -> tuple[Instrument, ...]:
        """The perpetuals among them, those held past their listing included."""
        return self._listing.perpetuals()

    def is_listed(self, instrument_id: InstrumentId) -> bool:
        """Whether an instrument is listed now."""
        return self._listing.is_listed(instrument_id)

    def is_known(self, instrument_id: InstrumentId) -> bool:
        """Whether an instrument is listed or still held: anything may be asked of it."""
        return self._listing.is_known(instrument_id)

    def instrument(self, instrument_id: InstrumentId) -> Instrument:
        """One instrument, listed or still held.

        Raises:
            ExchangeRefusedError: not known here.
        """
        return self._listing.get(instrument_id)

    def index_usd(self, underlying: str) -> Decimal:
        """The index price."""
        return self._crowd.index_usd(underlying)

    def chain(self, underlying: str) -> OptionChain:
        """The crowd's option quotes as columns, what accounts rest or took not included."""
        return self._crowd.chain(underlying)

    def candles(
        self, underlying: str, interval_ns: int, until_ns: int, count: int
    ) -> CandleColumns:
        """Completed bars of an underlying before `until_ns`."""
        return self._model.candles(underlying, interval_ns, until_ns, count)

    def public_trades(self, instrument_id: InstrumentId, count: int) -> list[PublicTrade]:
        """The latest executions of an instrument, newest first; none from before a restart."""
        recent = self._desk.recent_trades
        found = [trade for trade in reversed(recent) if trade.instrument_id == instrument_id]
        return found[:count]

    def deliveries(self, underlying: str) -> list[ExpiryDelivered]:
        """Delivery prices of this run, oldest first."""
        return [item for item in self._deliveries if item.underlying == underlying]

    def order_book(self, instrument_id: InstrumentId, depth: int) -> BookView:
        """The best levels of both sides."""
        assert depth > 0, f"a book of depth {depth} shows nothing"
        book = self._desk.book(self._listing.get(instrument_id))
        return BookView(
            instrument_id=instrument_id,
            ts_ns=self._now_ns,
            change_id=book.change_id,
            bids=tuple(book.levels(Side.BUY))[:depth],
            asks=tuple(book.levels(Side.SELL))[:depth],
        )

    def ticker(self, instrument_id: InstrumentId) -> TickerView:
        """Top of book, mark and index of one instrument."""
        instrument = self._listing.get(instrument_id)
        book = self._desk.book(instrument)
        funding = None
        if instrument.is_perpetual:
            funding = self._crowd.perpetual(instrument.underlying).funding_rate_8h
        return TickerView(
            instrument_id=instrument_id,
            ts_ns=self._now_ns,
            bid=book.best(Side.BUY),
            ask=book.best(Side.SELL),
            bid_amount=book.amount_at_best(Side.BUY),
            ask_amount=book.amount_at_best(Side.SELL),
            mark_price=self._crowd.mark(instrument),
            index_usd=self._crowd.index_usd(instrument.underlying),
            underlying_usd=self._crowd.underlying_usd(instrument),
            mark_vol=self._crowd.mark_vol(instrument),
            funding_rate_8h=funding,
            last_price=self._desk.last_prices.get(instrument_id),
            halted=instrument_id in self._listing.halted,
        )
