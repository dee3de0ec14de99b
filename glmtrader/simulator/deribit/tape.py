"""What the server remembers of the public market: trades, deliveries, settlements, funding.

Bounded, and of this run alone: nothing is kept over a restart.
"""

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import DAY_NS, HOUR_NS
from glmtrader.domain.orders import Side
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.deribit.option_math import implied_vol
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import (
    CashBooked,
    ExchangeEvent,
    ExpiryDelivered,
    InstrumentsChanged,
    PublicTrade,
    Transaction,
    TransactionKind,
)
from glmtrader.simulator.refusals import ExchangeRefusedError

TRADES_MAX: Final = 10_000
DELIVERIES_MAX: Final = 1_000
SETTLED_MAX: Final = 5_000
FUNDING_HOURS_MAX: Final = 24 * 400
FUNDING_HOURS: Final = 8
"""The quoted funding rate is of eight hours."""


class TapeTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A public trade with what was true around it.

    Attributes:
        number: of all trades of this run. tick_direction: Deribit's 0 to 3.
        volatility: the price's implied volatility, of options; underlying_usd: their forward.
    """

    number: int
    trade: PublicTrade
    tick_direction: int
    volatility: float | None
    underlying_usd: Decimal | None


class FundingHour(msgspec.Struct, frozen=True, kw_only=True):
    """Funding of a perpetual over one hour, at its end."""

    end_ns: int
    index_usd: Decimal
    previous_index_usd: Decimal
    rate_1h: float
    rate_8h: float


class SettledInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An option that was delivered, or a perpetual's session settlement, at a USD price."""

    instrument_id: InstrumentId
    ts_ns: int
    price: Decimal
    is_delivery: bool


class DayStats(msgspec.Struct, frozen=True, kw_only=True):
    """Trades of the last 24 hours; None where there were none."""

    volume: Decimal
    low: Decimal | None
    high: Decimal | None
    change_percent: Decimal | None


class Tape:
    """Collects what happens; asked by public methods."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self.trades: deque[TapeTrade] = deque(maxlen=TRADES_MAX)
        self.deliveries: deque[ExpiryDelivered] = deque(maxlen=DELIVERIES_MAX)
        self.settled: deque[SettledInstrument] = deque(maxlen=SETTLED_MAX)
        self.settlement_prices: dict[InstrumentId, Decimal] = {}
        self.funding: dict[InstrumentId, deque[FundingHour]] = {}
        self.started_ns = exchange.now_ns
        self._listed_ns: dict[InstrumentId, int] = {}
        self._last: dict[InstrumentId, TapeTrade] = {}
        self._accruing: dict[InstrumentId, _Accruing] = {}
        self._perpetuals: list[InstrumentId] = []
        self._find_perpetuals()
        self._number = 0

    def note(self, event: ExchangeEvent) -> None:
        """Remember an event."""
        match event:
            case PublicTrade():
                self._note_trade(event)
            case ExpiryDelivered():
                self.deliveries.append(event)
            case CashBooked(transaction=booked) if booked.kind is TransactionKind.SETTLEMENT:
                self._note_settlement(booked)
            case InstrumentsChanged():
                self._note_listing(event)
            case _:
                pass

    def listed_ns(self, instrument_id: InstrumentId) -> int:
        """When an instrument was listed; the start of this run for what was there then."""
        return self._listed_ns.get(instrument_id, self.started_ns)

    def trade(self, trade_id: str, instrument_id: InstrumentId) -> TapeTrade | None:
        """A trade by its id, if it is remembered."""
        last = self._last.get(instrument_id)
        if last is not None and last.trade.trade_id == trade_id:
            return last
        return next((it for it in reversed(self.trades) if it.trade.trade_id == trade_id), None)

    def day_stats(self, instrument_id: InstrumentId) -> DayStats:
        """Volume and range of the last 24 hours."""
        if instrument_id not in self._last:
            return DayStats(volume=ZERO, low=None, high=None, change_percent=None)
        since_ns = self._exchange.now_ns - DAY_NS
        found = [
            item.trade
            for item in self.trades
            if item.trade.instrument_id == instrument_id and item.trade.ts_ns >= since_ns
        ]
        if not found:
            return DayStats(volume=ZERO, low=None, high=None, change_percent=None)
        change = 100 * (found[-1].price / found[0].price - 1)
        return DayStats(
            volume=sum((item.amount for item in found), ZERO),
            low=min(item.price for item in found),
            high=max(item.price for item in found),
            change_percent=change.quantize(Decimal("0.0001")),
        )

    def sample_funding(self) -> None:
        """Let the present funding rates count for the time since the last sample."""
        now_ns = self._exchange.now_ns
        for name in self._perpetuals:
            self._sample(name, now_ns)

    def _note_settlement(self, booked: Transaction) -> None:
        name, price = booked.instrument_id, booked.price
        assert name is not None, f"booking {booked.cursor} settles nothing"
        assert price is not None, f"booking {booked.cursor} settles without a price"
        if self.settlement_prices.get(name) != price:
            self._note_settled(name, booked.ts_ns, price, is_delivery=False)
        self.settlement_prices[name] = price

    def _note_listing(self, event: InstrumentsChanged) -> None:
        self._find_perpetuals()
        for item in event.listed:
            self._listed_ns[item.instrument_id] = event.ts_ns
        latest = self.deliveries[-1] if self.deliveries else None
        for gone in event.delisted:
            self._listed_ns.pop(gone, None)
            self._last.pop(gone, None)
            if latest is not None and latest.ts_ns == event.ts_ns:
                self._note_settled(gone, event.ts_ns, latest.price_usd, is_delivery=True)

    def _note_settled(
        self, name: InstrumentId, ts_ns: int, price: Decimal, *, is_delivery: bool
    ) -> None:
        self.settled.append(
            SettledInstrument(instrument_id=name, ts_ns=ts_ns, price=price, is_delivery=is_delivery)
        )

    def _find_perpetuals(self) -> None:
        listed = self._exchange.instruments()
        self._perpetuals = [item.instrument_id for item in listed if item.is_perpetual]

    def _sample(self, name: InstrumentId, now_ns: int) -> None:
        view = self._exchange.ticker(name)
        assert view.funding_rate_8h is not None, f"{name}: a perpetual has a funding rate"
        accruing = self._accruing.get(name)
        if accruing is None:
            self._accruing[name] = _Accruing(now_ns, view.index_usd)
            return
        rate = view.funding_rate_8h
        accruing.add(rate, now_ns)
        if now_ns // HOUR_NS == accruing.hour:
            return
        hours = self.funding.setdefault(name, deque(maxlen=FUNDING_HOURS_MAX))
        recent = [item.rate_1h for item in list(hours)[-(FUNDING_HOURS - 1) :]]
        hours.append(
            FundingHour(
                end_ns=now_ns - now_ns % HOUR_NS,
                index_usd=view.index_usd,
                previous_index_usd=accruing.index_usd,
                rate_1h=accruing.rate,
                rate_8h=sum(recent) + accruing.rate,
            )
        )
        self._accruing[name] = _Accruing(now_ns, view.index_usd)

    def _note_trade(self, trade: PublicTrade) -> None:
        last = self._last.get(trade.instrument_id)
        self._number += 1
        volatility, forward = self._volatility(trade)
        item = TapeTrade(
            number=self._number,
            trade=trade,
            tick_direction=_tick_direction(trade, last),
            volatility=volatility,
            underlying_usd=forward,
        )
        self._last[trade.instrument_id] = item
        self.trades.append(item)

    def _volatility(self, trade: PublicTrade) -> tuple[float | None, Decimal | None]:
        try:
            instrument = self._exchange.instrument(trade.instrument_id)
        except ExchangeRefusedError:
            return None, None
        if not instrument.is_option:
            return None, None
        forward = self._exchange.ticker(trade.instrument_id).underlying_usd
        return implied_vol(instrument, trade.price, forward, trade.ts_ns), forward


class _Accruing:
    """A perpetual's funding in the running hour."""

    def __init__(self, now_ns: int, index_usd: Decimal) -> None:
        self.hour = now_ns // HOUR_NS
        self.index_usd = index_usd
        self.rate = 0.0
        self._last_ns = now_ns

    def add(self, rate_8h: float, now_ns: int) -> None:
        """Count a rate for the time since the last sample."""
        self.rate += rate_8h * (now_ns - self._last_ns) / (FUNDING_HOURS * HOUR_NS)
        self._last_ns = now_ns


def _tick_direction(trade: PublicTrade, last: TapeTrade | None) -> int:
    """0 plus, 1 zero-plus, 2 minus, 3 zero-minus; a first trade by its taker's side."""
    if last is None:
        return 0 if trade.side is Side.BUY else 2
    if trade.price > last.trade.price:
        return 0
    if trade.price < last.trade.price:
        return 2
    return 1 if last.tick_direction < 2 else 3
