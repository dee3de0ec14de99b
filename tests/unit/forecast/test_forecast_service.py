"""The forecast service: which bars are kept, which are refused, and when Q is said."""

import math

import msgspec
import numpy as np
import pytest

from glmtrader.config.loader import find
from glmtrader.domain.event import Event
from glmtrader.domain.instruments import DAY_NS, HOUR_NS, MINUTE_NS
from glmtrader.domain.market_events import Candle, VolatilityForecast
from glmtrader.forecast.artefact import VolatilityModel, load_model
from glmtrader.forecast.candles import CandleArrays, regularise
from glmtrader.forecast.infer import ForecastValues, predict
from glmtrader.forecast.service import HISTORY_DAYS, CandleHistory, ForecastService

START_NS = 1_704_067_200 * 1_000_000_000
INTERVAL_NS = 5 * MINUTE_NS
ROOM = HISTORY_DAYS * DAY_NS // INTERVAL_NS


def bar(number: int, close: float = 100.0, **changes: float) -> Candle:
    """Bar `number` of the grid, which opens where nothing happens."""
    open_ns = START_NS + number * INTERVAL_NS
    base = Candle(
        ts_event=open_ns + INTERVAL_NS,
        ts_init=open_ns + INTERVAL_NS,
        underlying="BTC",
        open_ns=open_ns,
        interval_ns=INTERVAL_NS,
        open=100.0,
        high=max(100.0, close) + 1.0,
        low=min(100.0, close) - 1.0,
        close=close,
        volume=1.0,
    )
    return msgspec.structs.replace(base, **changes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"high": 99.0},
        {"low": 101.0},
        {"low": 0.0},
        {"close": math.nan},
        {"open": math.nan},
        {"low": math.nan},
        {"high": math.inf},
        {"volume": -1.0},
        {"volume": math.nan},
        {"interval_ns": MINUTE_NS},
        {"open_ns": START_NS + 9 * INTERVAL_NS + 1},
        {"open_ns": START_NS},
        {"open_ns": START_NS - INTERVAL_NS},
    ],
)
def test_a_bar_that_cannot_be_is_refused_and_counted(wrong: dict[str, float]) -> None:
    """Wrong prices, another grid, an old or repeated bar: the history stays as it was."""
    history = CandleHistory(INTERVAL_NS)
    assert history.add(bar(0))
    assert not history.add(bar(9, **wrong))
    assert (len(history), history.refused) == (1, 1)
    assert history.add(bar(1))


@pytest.mark.parametrize("count", [2, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM + 1, 4 * ROOM + 7])
def test_the_ring_equals_a_naive_list(count: int) -> None:
    """However many bars have passed, the arrays are those of the last ten days' bars."""
    gaps = {number for number in range(2, count) if number % 101 in (3, 4)}
    closes = 100.0 + np.random.default_rng(count).normal(size=count)
    history, naive = CandleHistory(INTERVAL_NS), []
    for number in range(count):
        if number not in gaps:
            candle = bar(number, float(closes[number]))
            history.add(candle)
            naive.append(candle)
    kept = naive[-ROOM:]
    assert len(history) == len(kept)
    opened, high, low, close, volume = (
        np.array([getattr(item, name) for item in kept])
        for name in ("open", "high", "low", "close", "volume")
    )
    opens_ns = np.array([item.open_ns for item in kept], dtype=np.int64)
    expected = regularise(opens_ns, opened, high, low, close, volume, INTERVAL_NS)
    found = history.arrays()
    for name in ("open_ns", "open", "high", "low", "close", "volume", "gap"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_an_outage_is_marked() -> None:
    """Bars that never came hold the last close and are marked as gaps."""
    history = CandleHistory(INTERVAL_NS)
    for number in (0, 1, 5):
        history.add(bar(number, 101.0))
    arrays = history.arrays()
    assert arrays.gap.tolist() == [False, False, True, True, True, False]
    assert arrays.volume[2:5].tolist() == [0.0, 0.0, 0.0]


@pytest.fixture(scope="module")
def model() -> VolatilityModel:
    return load_model(find("models", "q-gamma-glm-7d.json"))


@pytest.fixture(scope="module")
def nine_days() -> list[Candle]:
    """Nine days and an hour of a random walk, five minutes a bar."""
    count = 9 * 288 + 12
    rng = np.random.default_rng(5)
    closes = 30_000.0 * np.exp(np.cumsum(rng.normal(size=count) * 0.0015))
    opens = np.concatenate(([30_000.0], closes[:-1]))
    return [
        bar(
            number,
            open=float(opens[number]),
            close=float(closes[number]),
            high=float(max(opens[number], closes[number])) * 1.0005,
            low=float(min(opens[number], closes[number])) * 0.9995,
        )
        for number in range(count)
    ]


def served(
    model: VolatilityModel, candles: list[Candle], quiet_until_ns: int = 0
) -> tuple[list[VolatilityForecast], ForecastService]:
    said: list[Event] = []
    service = ForecastService(
        {"BTC": model}, interval_ns=INTERVAL_NS, quiet_until_ns=quiet_until_ns, publish=said.append
    )
    for candle in candles:
        service.handle(candle)
    found = [event for event in said if isinstance(event, VolatilityForecast)]
    assert len(found) == len(said)
    return found, service


def test_the_past_before_the_start_is_quiet(
    model: VolatilityModel, nine_days: list[Candle]
) -> None:
    """Bars that close before the start only fill the history; the first after it speaks."""
    start_ns = nine_days[-3].ts_event
    said, _ = served(model, nine_days, quiet_until_ns=start_ns)
    assert [event.ts_event for event in said] == [item.ts_event for item in nine_days[-3:]]


def test_what_is_said_is_the_models_word_on_the_closed_bars(
    model: VolatilityModel, nine_days: list[Candle]
) -> None:
    """The event carries the model's numbers unchanged, its id, and the last bar that was used."""
    said, service = served(model, nine_days, quiet_until_ns=nine_days[-1].ts_event)
    arrays: CandleArrays = service._histories["BTC"].arrays()
    expected = predict(model, arrays, nine_days[-1].ts_event, underlying="BTC")
    assert isinstance(expected, ForecastValues)
    (found,) = said
    for name in ("q_var", "q_vol", "q_vol_low", "q_vol_high", "q_straddle", "confidence"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.model_id == model.model_id
    assert found.candles_until_ns == nine_days[-1].ts_event
    assert found.q_vol_low < found.q_vol < found.q_vol_high


def test_too_little_history_says_nothing(model: VolatilityModel, nine_days: list[Candle]) -> None:
    said, _ = served(model, nine_days[:288])
    assert said == []


def test_a_refused_bar_gives_no_forecast(model: VolatilityModel, nine_days: list[Candle]) -> None:
    """Neither a repetition nor a bar of nonsense makes the service speak."""
    _, service = served(model, nine_days[:-1], quiet_until_ns=nine_days[-1].ts_event)
    said: list[Event] = []
    service._publish = said.append
    service.handle(nine_days[-2])
    service.handle(msgspec.structs.replace(nine_days[-1], high=math.nan))
    assert said == []
    service.handle(nine_days[-1])
    assert len(said) == 1


def test_other_coins_and_other_bars_are_ignored(
    model: VolatilityModel, nine_days: list[Candle]
) -> None:
    other = [msgspec.structs.replace(item, underlying="DOGE") for item in nine_days[:5]]
    hourly = [msgspec.structs.replace(item, interval_ns=HOUR_NS) for item in nine_days[:5]]
    _, service = served(model, [*other, *hourly])
    assert service._histories == {}
