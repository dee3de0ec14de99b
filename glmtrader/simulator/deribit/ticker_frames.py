"""Tickers, quotes and book summaries on the wire.

As recorded, a missing best price is 0.0 in a ticker; in quotes and summaries it is null, as
documented. Price bands are wide: this exchange enforces none.
"""

from decimal import Decimal
from typing import Final

from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.deribit.instrument_frames import underlying_index
from glmtrader.simulator.deribit.open_interest import OpenInterest
from glmtrader.simulator.deribit.option_math import greeks, implied_vol_pair, percent
from glmtrader.simulator.deribit.tape import DayStats, Tape
from glmtrader.simulator.deribit.wire import Frame, ms
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import TickerView

_BAND: Final = Decimal("0.5")
_OPTION_BAND_COIN: Final = Decimal("0.25")
_RATE_DIGITS: Final = 8


class TickerFrames:
    """Makes frames of what an instrument is worth now."""

    def __init__(self, exchange: SimulatedExchange, tape: Tape) -> None:
        self._exchange = exchange
        self._tape = tape
        self._open_interest = OpenInterest(exchange)

    def ticker(self, instrument: Instrument) -> Frame:
        """`public/ticker` and the `ticker` channel."""
        view = self._exchange.ticker(instrument.instrument_id)
        frame = self._top(instrument, view)
        if instrument.is_option:
            return frame | self._option(instrument, view)
        return frame | _perpetual_fields(view)

    def quote(self, instrument: Instrument) -> Frame:
        """The `quote` channel."""
        view = self._exchange.ticker(instrument.instrument_id)
        return {
            "timestamp": ms(view.ts_ns),
            "instrument_name": instrument.symbol,
            "best_bid_price": view.bid,
            "best_bid_amount": view.bid_amount,
            "best_ask_price": view.ask,
            "best_ask_amount": view.ask_amount,
        }

    def summary(self, instrument: Instrument) -> Frame:
        """One row of `public/get_book_summary_by_currency`."""
        view = self._exchange.ticker(instrument.instrument_id)
        stats = self._tape.day_stats(instrument.instrument_id)
        frame: Frame = {
            "instrument_name": instrument.symbol,
            "base_currency": instrument.underlying,
            "quote_currency": instrument.price_currency,
            "bid_price": view.bid,
            "ask_price": view.ask,
            "mid_price": _mid(view),
            "mark_price": view.mark_price,
            "last": view.last_price,
            "low": stats.low,
            "high": stats.high,
            "volume": _coins(instrument, stats.volume, view.index_usd),
            "volume_usd": _dollars(instrument, stats.volume, view.index_usd),
            "price_change": stats.change_percent,
            "open_interest": self._open_interest.of(instrument.instrument_id),
            "estimated_delivery_price": view.index_usd,
            "creation_timestamp": ms(view.ts_ns),
        }
        if instrument.is_option:
            frame |= {
                "underlying_price": view.underlying_usd,
                "underlying_index": underlying_index(instrument),
                "mark_iv": percent(view.mark_vol),
                "interest_rate": 0.0,
            }
        else:
            frame |= {"funding_8h": _rate(view), "current_funding": _rate(view)}
        return frame

    def _top(self, instrument: Instrument, view: TickerView) -> Frame:
        stats = self._tape.day_stats(instrument.instrument_id)
        return {
            "timestamp": ms(view.ts_ns),
            "instrument_name": instrument.symbol,
            "state": "closed" if view.halted else "open",
            "stats": _stats_frame(instrument, stats, view.index_usd),
            "best_bid_price": view.bid or 0.0,
            "best_bid_amount": view.bid_amount,
            "best_ask_price": view.ask or 0.0,
            "best_ask_amount": view.ask_amount,
            "last_price": view.last_price,
            "mark_price": view.mark_price,
            "index_price": view.index_usd,
            "estimated_delivery_price": view.index_usd,
            "settlement_price": self._tape.settlement_prices.get(instrument.instrument_id),
            "open_interest": self._open_interest.of(instrument.instrument_id),
        } | _band(instrument, view)

    def _option(self, instrument: Instrument, view: TickerView) -> Frame:
        bid_vol, ask_vol = implied_vol_pair(
            instrument, view.bid, view.ask, view.underlying_usd, view.ts_ns
        )
        return {
            "underlying_price": view.underlying_usd,
            "underlying_index": underlying_index(instrument),
            "interest_rate": 0.0,
            "mark_iv": percent(view.mark_vol),
            "bid_iv": percent(bid_vol),
            "ask_iv": percent(ask_vol),
            "greeks": greeks(instrument, view.mark_vol, view.underlying_usd, view.ts_ns),
        }


def _perpetual_fields(view: TickerView) -> Frame:
    premium = None if view.mark_price is None else view.mark_price / view.index_usd - 1
    return {
        "funding_8h": _rate(view),
        "current_funding": _rate(view),
        "interest_value": None if premium is None else round(float(premium), _RATE_DIGITS),
    }


def _stats_frame(instrument: Instrument, stats: DayStats, index_usd: Decimal) -> Frame:
    return {
        "volume": _coins(instrument, stats.volume, index_usd),
        "volume_usd": _dollars(instrument, stats.volume, index_usd),
        "price_change": stats.change_percent,
        "low": stats.low,
        "high": stats.high,
    }


def _band(instrument: Instrument, view: TickerView) -> Frame:
    mark = view.mark_price or Decimal(0)
    if instrument.is_option:
        lowest, highest = instrument.tick_steps[0].tick, mark + _OPTION_BAND_COIN
    else:
        lowest, highest = mark * (1 - _BAND), mark * (1 + _BAND)
    return {
        "min_price": instrument.price_up(lowest),
        "max_price": instrument.price_down(highest),
    }


def _mid(view: TickerView) -> Decimal | None:
    return None if view.bid is None or view.ask is None else (view.bid + view.ask) / 2


def _rate(view: TickerView) -> float | None:
    return None if view.funding_rate_8h is None else round(view.funding_rate_8h, _RATE_DIGITS)


def _coins(instrument: Instrument, amount: Decimal, index_usd: Decimal) -> Decimal:
    return round(instrument.coin_quantity(amount, index_usd), 8)


def _dollars(instrument: Instrument, amount: Decimal, index_usd: Decimal) -> Decimal:
    return round(instrument.coin_quantity(amount, index_usd) * index_usd, 2)
