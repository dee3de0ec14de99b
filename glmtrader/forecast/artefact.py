"""The fitted model as data: a JSON file with a content hash that every decision can name.

Nothing enters but numbers and names; no pickle, no code. The hash covers every field but itself.
"""

import hashlib
from pathlib import Path

import msgspec

from glmtrader.errors import ArtefactError
from glmtrader.forecast.spec import FEATURE_VERSION, FeatureSpec

SCHEMA_VERSION = 1
_BYTES_MAX = 4_000_000
_TRAIN_HINT = "train it again with `python -m glmtrader train`"


class TrainingSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One series that the model was trained on.

    Attributes:
        underlying: Name of the underlying, such as BTC.
        interval_ns: Length of its bars.
        bars: Bars on the grid, gaps included.
        gaps: Bars the source did not have.
        first_ns: Opening time of the first bar.
        last_ns: Closing time of the last bar.
        rows: Origins that were fitted.
    """

    underlying: str
    interval_ns: int
    bars: int
    gaps: int
    first_ns: int
    last_ns: int
    rows: int


class Coefficients(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A log-linear predictor: log(mean) = intercept + weights . clip(features, low, high).

    Attributes:
        intercept: Constant term.
        weights: One a feature, in raw feature units.
        low: Smallest value of each feature in training; further out is clipped to it.
        high: Largest value of each feature in training.
        covariance: Sandwich covariance of (intercept, weights), clustered by week; row-major
            lower triangle.
        dispersion: Pearson dispersion of the Gamma family.
        ridge: Penalty on the standardised weights.
    """

    intercept: float
    weights: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    covariance: tuple[float, ...]
    dispersion: float
    ridge: float


class Haircut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Break-even over forecast volatility: intercept + weights . clip(features), within bounds.

    Attributes:
        intercept: Constant term.
        weights: One a feature, in raw feature units.
        low: Lower end of each feature's range.
        high: Upper end of each feature's range.
        ridge: Penalty on the squared standardised weights.
        floor: Smallest ratio believed.
        ceiling: Largest ratio believed.
    """

    intercept: float
    weights: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ridge: float
    floor: float
    ceiling: float


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What forecasts made out of sample taught about the raw fit.

    Attributes:
        bias: Mean of realised over predicted variance; q_var is multiplied by it.
        jensen: E[sqrt(RV)] over sqrt(E[RV]); turns q_var into q_vol.
        haircut: Break-even volatility of hedged straddles over q_vol, given the features.
        straddle: Its mean over all straddles.
        straddle_error: Standard error of that mean, by blocks of weeks.
        noise: Log-linear predictor of the squared error of log volatility.
        quantile_low: 5 % quantile of the standardised log error.
        quantile_high: 95 % quantile of the standardised log error.
        rows: Out-of-sample forecasts that it rests on.
        straddles: Synthetic straddles that it rests on.
    """

    bias: float
    jensen: float
    haircut: Haircut
    straddle: float
    straddle_error: float
    noise: Coefficients
    quantile_low: float
    quantile_high: float
    rows: int
    straddles: int


class VolatilityModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fitted Gamma-GLM of realised variance with all that inference needs.

    Attributes:
        name: Short name, part of the id.
        underlyings: Underlyings that it was trained on; others are refused.
        horizon_ns: Length of the forecast window.
        spec: The features, with the hour-of-week profile.
        coefficients: The fit of annualised variance.
        calibration: Corrections measured out of sample.
        training: The series trained on.
        trained_until_ns: Nothing after this time was seen.
        scores: Walk-forward scores by name.
        libraries: Versions of the libraries that fitted it.
        note: How the straddle haircut and the scores were measured, in words.
        schema_version: Version of this structure.
        content_sha256: Hash of all other fields in canonical JSON.
    """

    name: str
    underlyings: tuple[str, ...]
    horizon_ns: int
    spec: FeatureSpec
    coefficients: Coefficients
    calibration: Calibration
    training: tuple[TrainingSet, ...]
    trained_until_ns: int
    scores: dict[str, float]
    libraries: dict[str, str]
    note: str
    schema_version: int = SCHEMA_VERSION
    content_sha256: str = ""

    @property
    def model_id(self) -> str:
        """The name that decisions record: the model's name and the head of its hash."""
        return f"{self.name}-{self.content_sha256[:16]}"


def seal(model: VolatilityModel) -> VolatilityModel:
    """Return the model with its content hash filled in."""
    return msgspec.structs.replace(model, content_sha256=_content_hash(model))


def save_model(model: VolatilityModel, path: Path) -> None:
    """Write a sealed model as JSON that a person can read and diff.

    Raises:
        ArtefactError: The model is not sealed.
    """
    if model.content_sha256 != _content_hash(model):
        raise ArtefactError(f"model {model.name} is not sealed; call seal(model) before saving")
    text = msgspec.json.format(msgspec.json.encode(model, order="sorted"), indent=1)
    path.write_bytes(text + b"\n")


def load_model(path: Path) -> VolatilityModel:
    """Read a model and verify its structure, versions and content hash.

    Raises:
        ArtefactError: The file is missing, too large, no model, of another version or altered.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"model {path} cannot be read: {error}; {_TRAIN_HINT}") from error
    if len(raw) > _BYTES_MAX:
        raise ArtefactError(f"model {path} has {len(raw)} bytes, at most {_BYTES_MAX} make sense")
    _check_version(path, raw)
    try:
        model = msgspec.json.decode(raw, type=VolatilityModel)
    except msgspec.MsgspecError as error:
        raise ArtefactError(f"model {path} is damaged: {error}; {_TRAIN_HINT}") from error
    _check_content(path, model)
    return model


class _Version(msgspec.Struct):
    schema_version: int


def _check_version(path: Path, raw: bytes) -> None:
    try:
        found = msgspec.json.decode(raw, type=_Version).schema_version
    except msgspec.MsgspecError as error:
        raise ArtefactError(f"{path} is not a model: {error}; {_TRAIN_HINT}") from error
    if found != SCHEMA_VERSION:
        raise ArtefactError(
            f"model {path} has schema version {found}, this program reads"
            f" {SCHEMA_VERSION}; {_TRAIN_HINT}"
        )


def _check_content(path: Path, model: VolatilityModel) -> None:
    found = _content_hash(model)
    if model.content_sha256 != found:
        raise ArtefactError(
            f"model {path} was altered: it names hash {model.content_sha256[:16]}..., its content"
            f" has {found[:16]}...; restore the file or {_TRAIN_HINT}"
        )
    if model.spec.version != FEATURE_VERSION:
        raise ArtefactError(
            f"model {path} has features of version {model.spec.version}, this program computes"
            f" version {FEATURE_VERSION}; {_TRAIN_HINT}"
        )
    if model.spec.horizon_ns != model.horizon_ns:
        raise ArtefactError(f"model {path}: features and target differ in horizon; {_TRAIN_HINT}")
    width = len(model.spec.names)
    parts: dict[str, Coefficients | Haircut] = {
        "fit": model.coefficients,
        "noise": model.calibration.noise,
        "haircut": model.calibration.haircut,
    }
    for name, part in parts.items():
        if not len(part.weights) == len(part.low) == len(part.high) == width:
            raise ArtefactError(
                f"model {path}: {name} does not have {width} weights; {_TRAIN_HINT}"
            )


def _content_hash(model: VolatilityModel) -> str:
    bare = msgspec.structs.replace(model, content_sha256="")
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()
