"""A forecast from a model and nine days of candles, or a reason why there is none."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from glmtrader.domain.instruments import HOUR_NS, MINUTE_NS
from glmtrader.forecast.artefact import VolatilityModel
from glmtrader.forecast.candles import CandleArrays
from glmtrader.forecast.infer import (
    ForecastUnavailable,
    ForecastValues,
    UnavailableReason,
    predict,
)

CandleMaker = Callable[..., CandleArrays]


def _end(candles: CandleArrays) -> int:
    return int(candles.open_ns[-1]) + candles.interval_ns


def _values(model: VolatilityModel, candles: CandleArrays, now_ns: int) -> ForecastValues:
    found = predict(model, candles, now_ns, underlying="BTC")
    assert isinstance(found, ForecastValues)
    return found


def _refusal(
    model: VolatilityModel, candles: CandleArrays, now_ns: int, underlying: str = "BTC"
) -> UnavailableReason:
    found = predict(model, candles, now_ns, underlying=underlying)
    assert isinstance(found, ForecastUnavailable)
    assert underlying in found.detail
    return found.reason


@pytest.mark.parametrize("interval_ns", [5 * MINUTE_NS, 15 * MINUTE_NS, HOUR_NS])
def test_nine_days_of_any_bars_suffice(
    day_model: VolatilityModel, make_candles: CandleMaker, interval_ns: int
) -> None:
    candles = make_candles(9.0, interval_ns=interval_ns)
    found = _values(day_model, candles, _end(candles))
    assert 0.1 < found.q_vol < 3.0
    assert found.model_id == day_model.model_id
    assert tuple(found.features) == day_model.spec.names


def test_the_three_volatilities_keep_their_order(
    day_model: VolatilityModel, make_candles: CandleMaker
) -> None:
    candles = make_candles(9.0)
    found = _values(day_model, candles, _end(candles))
    assert found.q_vol < np.sqrt(found.q_var)
    assert found.q_vol_low < found.q_vol < found.q_vol_high
    haircut = day_model.calibration.haircut
    assert haircut.floor <= found.q_straddle / found.q_vol <= haircut.ceiling
    assert found.confidence == pytest.approx(np.sqrt(found.q_vol_low / found.q_vol_high))
    assert 0.0 < found.confidence < 1.0


def test_more_history_and_later_bars_change_no_bit(
    day_model: VolatilityModel, make_candles: CandleMaker
) -> None:
    candles = make_candles(40.0, interval_ns=15 * MINUTE_NS)
    now = int(candles.open_ns[2000]) + 11 * MINUTE_NS
    closed = candles.closed_before(now)
    whole = predict(day_model, candles, now, underlying="BTC")
    short = predict(day_model, candles.between(closed - 9 * 96, closed), now, underlying="BTC")
    assert isinstance(whole, ForecastValues)
    assert whole == short


def test_wilder_days_give_a_higher_forecast(
    day_model: VolatilityModel, make_candles: CandleMaker
) -> None:
    calm = make_candles(9.0)
    wild = msgspec.structs.replace(
        calm,
        **{
            name: 30_000.0 * (getattr(calm, name) / 30_000.0) ** 1.5
            for name in ("open", "high", "low", "close")
        },
    )
    now = _end(calm)
    assert _values(day_model, wild, now).q_vol > 1.1 * _values(day_model, calm, now).q_vol


def test_features_outside_training_are_clipped_and_named(
    day_model: VolatilityModel, make_candles: CandleMaker
) -> None:
    calm = make_candles(9.0)
    names = ("open", "high", "low", "close")
    insane = msgspec.structs.replace(calm, **{n: (getattr(calm, n) / 3e4) ** 40.0 for n in names})
    found = _values(day_model, insane, _end(calm))
    assert "rv_24h" in found.clipped
    assert np.isfinite(found.q_vol)


def test_a_symbol_mix_up_is_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    assert _refusal(day_model, candles, _end(candles), "ETH") is UnavailableReason.UNDERLYING


def test_a_short_history_is_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(8.0)
    assert _refusal(day_model, candles, _end(candles)) is UnavailableReason.HISTORY
    assert _refusal(day_model, candles, 0) is UnavailableReason.HISTORY


def test_stale_candles_are_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    budget = 2 * HOUR_NS
    assert _values(day_model, candles, _end(candles) + budget).origin_ns == _end(candles)
    assert _refusal(day_model, candles, _end(candles) + budget + 1) is UnavailableReason.STALE


def test_many_gaps_are_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    gap = candles.gap.copy()
    gap[60:71] = True
    holed = msgspec.structs.replace(candles, gap=gap)
    assert _refusal(day_model, holed, _end(candles)) is UnavailableReason.GAPS


def test_constant_prices_are_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    flat = np.full(len(candles), 100.0)
    still = msgspec.structs.replace(candles, open=flat, high=flat, low=flat, close=flat)
    assert _refusal(day_model, still, _end(candles)) is UnavailableReason.CONSTANT


def test_a_nan_price_is_refused(day_model: VolatilityModel, make_candles: CandleMaker) -> None:
    candles = make_candles(9.0)
    close = candles.close.copy()
    close[-5] = np.nan
    torn = msgspec.structs.replace(candles, close=close)
    assert _refusal(day_model, torn, _end(candles)) is UnavailableReason.NOT_FINITE
