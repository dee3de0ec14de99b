"""What a wheel of this project carries, and that it runs from anywhere."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from demo_runs import ROOT

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built by pip as it is on a user's machine."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder)]
    built = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, timeout=110, check=False
    )
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("pip reaches no index to fetch the build backend from")
    assert built.returncode == 0, built.stderr
    found = list(folder.glob("glmtrader-*.whl"))
    assert len(found) == 1
    return found[0]


def test_a_wheel_carries_what_a_run_needs(wheel: Path) -> None:
    """Configurations, models and the status page; no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {
        *(f"configs/{path.name}" for path in (ROOT / "configs").glob("*.toml")),
        *(f"models/{path.name}" for path in (ROOT / "models").glob("*.json")),
    }
    assert {f"glmtrader/_shipped/{name}" for name in shipped} <= names
    static = ROOT / "glmtrader" / "web" / "static"
    pages = {f"glmtrader/web/static/{path.name}" for path in static.iterdir() if path.is_file()}
    assert pages
    assert pages <= names
    assert "glmtrader/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_an_installed_wheel_runs_the_demo_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, with the dependencies that are here."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    target = next(home.glob("lib/python*/site-packages"))
    (target / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    zipfile.ZipFile(wheel).extractall(target)
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    clean["GLMTRADER__API__PORT"] = "0"

    def command(*arguments: str) -> str:
        run = [str(python), "-m", "glmtrader", *arguments]
        done = subprocess.run(
            run, cwd=empty, env=clean, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "mode paper" in command("check", "--config", "paper.toml")
    assert '"type":"summary"' in command("run", "--config", "paper.toml", "--for", "3s", "--json")
