"""Impossible limits are refused, all at once."""

import pytest

from glmtrader.risk.limits import RiskLimits


def test_all_faults_are_listed() -> None:
    """Every fault is named in one message."""
    with pytest.raises(ValueError, match="leverage_max") as caught:
        RiskLimits(
            leverage_max=0.0,
            drawdown_pct_max=20.0,
            order_notional_usd_max=float("nan"),
            collar_reducing_vol=0.01,
            collar_reducing_pct=0.001,
            collar_degraded_factor=0.5,
        )
    for name in (
        "leverage_max",
        "drawdown_pct_max",
        "order_notional_usd_max",
        "collar_reducing_vol",
        "collar_reducing_pct",
        "collar_degraded_factor",
    ):
        assert name in str(caught.value)
