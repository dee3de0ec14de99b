"""A model file is what it says, or it is refused with the way out."""

from pathlib import Path

import msgspec
import pytest

from glmtrader.domain.instruments import DAY_NS
from glmtrader.errors import ArtefactError
from glmtrader.forecast.artefact import VolatilityModel, load_model, save_model, seal


@pytest.fixture
def saved(day_model: VolatilityModel, tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    save_model(day_model, path)
    return path


def test_a_saved_model_comes_back_bit_for_bit(saved: Path, day_model: VolatilityModel) -> None:
    assert load_model(saved) == day_model


def test_saving_twice_writes_the_same_bytes(
    saved: Path, day_model: VolatilityModel, tmp_path: Path
) -> None:
    save_model(load_model(saved), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()


def test_the_id_names_the_content(day_model: VolatilityModel) -> None:
    other = seal(msgspec.structs.replace(day_model, note="another"))
    assert other.model_id != day_model.model_id
    assert day_model.model_id.startswith("q-gamma-glm-1d-")


def test_one_altered_digit_is_refused(saved: Path, day_model: VolatilityModel) -> None:
    weight = str(day_model.coefficients.weights[2])
    saved.write_text(saved.read_text().replace(weight, weight[:-1] + "3" * 2, 1))
    with pytest.raises(ArtefactError, match=r"was altered.*restore the file or train it again"):
        load_model(saved)


def test_another_schema_version_is_refused(saved: Path) -> None:
    saved.write_text(saved.read_text().replace('"schema_version": 1', '"schema_version": 7'))
    with pytest.raises(ArtefactError, match=r"schema version 7, this program reads 1; train"):
        load_model(saved)


def test_another_feature_version_is_refused(day_model: VolatilityModel, tmp_path: Path) -> None:
    spec = msgspec.structs.replace(day_model.spec, version=9)
    save_model(seal(msgspec.structs.replace(day_model, spec=spec)), tmp_path / "m.json")
    with pytest.raises(ArtefactError, match=r"features of version 9.*train it again"):
        load_model(tmp_path / "m.json")


def test_features_and_coefficients_that_do_not_match_are_refused(
    day_model: VolatilityModel, tmp_path: Path
) -> None:
    spec = msgspec.structs.replace(day_model.spec, names=day_model.spec.names[:-1])
    save_model(seal(msgspec.structs.replace(day_model, spec=spec)), tmp_path / "m.json")
    with pytest.raises(ArtefactError, match="does not have"):
        load_model(tmp_path / "m.json")


def test_features_of_another_horizon_are_refused(
    day_model: VolatilityModel, tmp_path: Path
) -> None:
    model = seal(msgspec.structs.replace(day_model, horizon_ns=2 * DAY_NS))
    save_model(model, tmp_path / "m.json")
    with pytest.raises(ArtefactError, match="differ in horizon"):
        load_model(tmp_path / "m.json")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema_version": 1}', '{"schema_version": "a"}']
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "junk.json"
    path.write_text(text)
    with pytest.raises(ArtefactError, match=r"junk\.json.*train"):
        load_model(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"none\.json cannot be read"):
        load_model(tmp_path / "none.json")


def test_a_model_that_is_not_sealed_is_not_saved(
    day_model: VolatilityModel, tmp_path: Path
) -> None:
    with pytest.raises(ArtefactError, match="not sealed"):
        save_model(msgspec.structs.replace(day_model, note="x"), tmp_path / "m.json")
