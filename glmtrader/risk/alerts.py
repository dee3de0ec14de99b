"""Alerts of the risk service: each said once when it begins, and again only after it has ended."""

from collections.abc import Callable

from glmtrader.domain.event import Event
from glmtrader.domain.risk_events import (
    KillSwitchSet,
    PortfolioRisk,
    RiskAlert,
    Severity,
    TradingMode,
)
from glmtrader.risk.account_desk import AccountDesk


class AlertBoard:
    """Remembers which alerts are on."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._raised: set[str] = set()

    def check(self, desk: AccountDesk, risk: PortfolioRisk | None, now_ns: int) -> None:
        """Raise or clear what follows from the value of one account."""
        self._check_missing(desk, now_ns)
        if risk is None:
            return
        limits = desk.limits
        values = {
            "drawdown": (risk.drawdown_pct, limits.drawdown_pct_max),
            "leverage": (risk.leverage, limits.leverage_max),
            "margin": (risk.margin_used_pct or 0.0, limits.margin_used_pct_max),
        }
        for alert_type, (value, limit) in values.items():
            key = f"{alert_type}/{risk.account_id}"
            if value < limit:
                self.clear(key)
                continue
            message = f"{risk.account_id}: {alert_type} is {value:.4g}, the limit {limit:.4g}"
            clears_by = f"{alert_type} below {limit:.4g}"
            self.raise_alert(
                key, Severity.CRITICAL, message, f"{value:.6g}", f"{limit:.6g}", clears_by, now_ns
            )

    def kill_switch(self, event: KillSwitchSet, now_ns: int) -> None:
        """Say that the kill switch is on, or off again."""
        if not event.engaged:
            self.clear("kill_switch")
            return
        message = f"kill switch engaged by {event.source}: no new orders"
        clears_by = "a person clearing the kill switch"
        self.raise_alert(
            "kill_switch", Severity.CRITICAL, message, "engaged", "cleared", clears_by, now_ns
        )

    def mode(self, desk: AccountDesk, reason: str, now_ns: int) -> None:
        """Say that an account is halted, whoever halted it, or no longer."""
        key = f"halted/{desk.account.account_id}"
        if desk.mode is not TradingMode.HALTED:
            self.clear(key)
            return
        message = f"{desk.account.account_id} is halted: {reason}"
        clears_by = "a person releasing the halt, or a restart that reconciles"
        self.raise_alert(key, Severity.CRITICAL, message, "halted", "open", clears_by, now_ns)

    def raise_alert(
        self,
        key: str,
        severity: Severity,
        message: str,
        current_value: str,
        threshold_value: str,
        clears_by: str,
        now_ns: int,
    ) -> None:
        """Publish an alert unless it is on already; its type is the part of `key` before `/`."""
        if key in self._raised:
            return
        self._raised.add(key)
        self._publish(
            RiskAlert(
                ts_event=now_ns,
                ts_init=now_ns,
                alert_type=key.partition("/")[0],
                severity=severity,
                message=message,
                current_value=current_value,
                threshold_value=threshold_value,
                clears_by=clears_by,
            )
        )

    def clear(self, key: str) -> None:
        """Let an alert be raised again."""
        self._raised.discard(key)

    def _check_missing(self, desk: AccountDesk, now_ns: int) -> None:
        keys = {kind: f"data/{desk.account.account_id}/{kind}" for kind in Severity}
        if desk.missing is None or not desk.is_opened:
            for key in keys.values():
                self.clear(key)
            return
        severity = Severity.CRITICAL if desk.positions() else Severity.WARNING
        message = f"{desk.account.account_id} cannot be valued: {desk.missing}"
        clears_by = "the input arriving"
        self.raise_alert(
            keys[severity], severity, message, desk.missing, "all inputs", clears_by, now_ns
        )
