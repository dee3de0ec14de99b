"""Positions and account summaries on the wire."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from glmtrader.domain.instruments import Instrument
from glmtrader.domain.pnl import ZERO
from glmtrader.simulator.deribit.names import kind_of
from glmtrader.simulator.deribit.option_math import greeks
from glmtrader.simulator.deribit.sessions import SessionBook
from glmtrader.simulator.deribit.wire import Frame
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.exchange_types import PositionView

_GREEKS: Final = ("delta", "gamma", "vega", "theta")


class AccountFrames:
    """Makes frames of what an account has."""

    def __init__(self, exchange: SimulatedExchange, sessions: SessionBook) -> None:
        self._exchange = exchange
        self._sessions = sessions

    def position(self, account: str, held: PositionView) -> Frame:
        """One row of `private/get_positions`."""
        instrument = self._exchange.instrument(held.instrument_id)
        session = self._sessions.running(account, held.instrument_id)
        frame: Frame = {
            "instrument_name": instrument.symbol,
            "kind": kind_of(instrument),
            "direction": "buy" if held.quantity > 0 else "sell",
            "size": held.quantity,
            "average_price": round(held.average_price, 8),
            "mark_price": held.mark_price,
            "index_price": held.index_usd,
            "floating_profit_loss": held.floating_pnl,
            "realized_profit_loss": session.profit,
            "realized_funding": session.funding,
            "total_profit_loss": held.floating_pnl,
            "initial_margin": held.initial_margin,
            "maintenance_margin": held.maintenance_margin,
            "open_orders_margin": ZERO,
            "settlement_price": None,
        }
        return frame | self._kind_fields(instrument, held)

    def flat(self, instrument: Instrument) -> Frame:
        """`private/get_position` where nothing is held."""
        view = self._exchange.ticker(instrument.instrument_id)
        nothing = [
            "size",
            "average_price",
            "floating_profit_loss",
            "realized_profit_loss",
            "total_profit_loss",
            "initial_margin",
            "maintenance_margin",
            "open_orders_margin",
            "delta",
        ]
        return dict.fromkeys(nothing, ZERO) | {
            "instrument_name": instrument.symbol,
            "kind": kind_of(instrument),
            "direction": "zero",
            "mark_price": view.mark_price,
            "index_price": view.index_usd,
        }

    def summary(self, account: str, currency: str) -> Frame:
        """`private/get_account_summary` and `user.portfolio`."""
        found = self._exchange.account_summary(account, currency)
        held = self._exchange.positions(account, currency)
        totals = self._totals(held)
        futures = sum((it.floating_pnl for it in held if self._is_perpetual(it)), ZERO)
        options = sum((it.floating_pnl for it in held if not self._is_perpetual(it)), ZERO)
        frame: Frame = {
            "currency": currency,
            "balance": found.balance,
            "equity": found.equity,
            "margin_balance": found.margin_balance,
            "available_funds": found.available_funds,
            "available_withdrawal_funds": max(min(found.available_funds, found.balance), ZERO),
            "initial_margin": found.initial_margin,
            "maintenance_margin": found.maintenance_margin,
            "projected_initial_margin": found.initial_margin,
            "projected_maintenance_margin": found.maintenance_margin,
            "session_rpl": found.session_rpl,
            "session_upl": found.session_upl,
            "total_pl": futures + options,
            "futures_pl": futures,
            "futures_session_rpl": found.session_rpl,
            "futures_session_upl": found.session_upl,
            "options_value": found.options_value,
            "options_pl": options,
            "options_session_rpl": ZERO,
            "options_session_upl": ZERO,
            "spot_reserve": ZERO,
            "fee_balance": ZERO,
            "locked_balance": ZERO,
            "margin_model": "segregated_sm",
            "portfolio_margining_enabled": False,
            "cross_collateral_enabled": False,
        }
        return frame | totals

    def owner(self, account: str) -> Frame:
        """The extended part of an account summary."""
        number = self._exchange.account_names().index(account) + 1
        return {
            "id": number,
            "type": "main",
            "username": account,
            "system_name": account,
            "email": f"{account}@simulated.invalid",
            "creation_timestamp": 0,
            "interuser_transfers_enabled": False,
            "security_keys_enabled": False,
            "mmp_enabled": False,
            "login_enabled": True,
            "referrer_id": None,
        }

    def _kind_fields(self, instrument: Instrument, held: PositionView) -> Frame:
        values = self._greeks(held)
        if not instrument.is_option:
            coins = values["delta"]
            return {
                "delta": coins,
                "size_currency": coins,
                "leverage": 50,
                "estimated_liquidation_price": None,
                "interest_value": ZERO,
            }
        return values | {
            "average_price_usd": round(held.average_price * held.index_usd, 6),
            "floating_profit_loss_usd": round(held.floating_pnl * held.index_usd, 6),
        }

    def _greeks(self, held: PositionView) -> Frame:
        """Greeks of a position; a perpetual has delta alone, in coin."""
        instrument = self._exchange.instrument(held.instrument_id)
        if not instrument.is_option:
            mark = held.mark_price or held.index_usd
            return {"delta": round(instrument.coin_quantity(held.quantity, mark), 8)}
        view = self._exchange.ticker(held.instrument_id)
        unit = greeks(instrument, view.mark_vol, view.underlying_usd, view.ts_ns)
        size = float(held.quantity)
        return {name: round(unit[name] * size, 6) for name in _GREEKS}

    def _totals(self, held: Iterable[PositionView]) -> Frame:
        sums = dict.fromkeys((f"options_{name}" for name in _GREEKS), 0.0)
        delta = Decimal(0)
        for item in held:
            values = self._greeks(item)
            delta += Decimal(str(values["delta"]))
            if not self._is_perpetual(item):
                for name in _GREEKS:
                    sums[f"options_{name}"] += values[name]
        return {name: round(value, 6) for name, value in sums.items()} | {
            "delta_total": delta,
            "projected_delta_total": delta,
        }

    def _is_perpetual(self, held: PositionView) -> bool:
        return self._exchange.instrument(held.instrument_id).is_perpetual
