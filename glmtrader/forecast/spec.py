"""Which features a model has and what they need: the specification that every artefact carries.

A feature is named `<kind>_<hours>h`; `target_clock` alone looks forward, and only at the calendar.
"""

import msgspec

from glmtrader.domain.instruments import DAY_NS, HOUR_NS, WEEK_NS
from glmtrader.errors import ForecastError

FEATURE_VERSION = 1
LOOKBACK_HOURS = 192
"""The longest window: eight days, so that nine days of history always suffice."""

KINDS = ("rv", "range", "spread", "down", "up", "downside", "volume")
"""rv: log clock-adjusted realised variance a day. range: log Garman-Klass over realised variance.
spread: log squared high-low span over realised variance. down, up: fall or rise over the window in
units of the eight-day volatility. downside: share of variance made by falls, less a half. volume:
log traded quantity against the eight-day mean."""

HOURS_A_WEEK = 168


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of a model, in the order of its coefficients.

    Attributes:
        names: Feature names; leaving one out switches it off.
        horizon_ns: Length of the window that is forecast, which `target_clock` weighs.
        clock: Variance weight of each hour of the week (168, Monday 00:00 UTC first, mean 1).
        version: Version of the features' definitions.
    """

    names: tuple[str, ...]
    horizon_ns: int
    clock: tuple[float, ...] = (1.0,) * HOURS_A_WEEK
    version: int = FEATURE_VERSION


def parse_name(name: str) -> tuple[str, int]:
    """Split a feature name into its kind and its window in hours (0 for the calendar).

    Raises:
        ForecastError: No such feature, or a window longer than the lookback.
    """
    if name == "target_clock":
        return name, 0
    kind, _, window = name.rpartition("_")
    hours = int(window[:-1]) if window.endswith("h") and window[:-1].isdecimal() else 0
    if kind not in KINDS or not 1 <= hours <= LOOKBACK_HOURS:
        raise ForecastError(
            f"no feature {name!r}; a feature is one of {', '.join(KINDS)} with a window of"
            f" 1h to {LOOKBACK_HOURS}h, such as rv_24h, or target_clock"
        )
    return kind, hours


def default_spec(horizon_ns: int) -> FeatureSpec:
    """Return the shipped feature set for a horizon.

    The calendar of the target is left out where the horizon is whole weeks: its weight is then 1
    at every origin.
    """
    if horizon_ns < HOUR_NS or horizon_ns > 5 * WEEK_NS:
        raise ForecastError(f"a horizon of {horizon_ns / DAY_NS:g} days; use 1 hour to 5 weeks")
    names = (
        *("rv_1h", "rv_6h", "rv_24h", "rv_72h", "rv_192h"),
        *("range_6h", "range_24h", "range_192h"),
        *("down_24h", "down_72h", "down_192h", "up_24h", "up_72h", "up_192h"),
        *("downside_24h", "downside_192h"),
    )
    calendar = () if horizon_ns % WEEK_NS == 0 else ("target_clock",)
    return FeatureSpec(names=(*names, *calendar), horizon_ns=horizon_ns)
