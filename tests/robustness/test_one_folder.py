"""A folder belongs to one run: whoever comes second leaves nothing in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from economies import small_synthetic

from dlopt.calibrations import write_bundle
from dlopt.runs.lock import Lock, is_held, take_ahead

LOOK = "import sys; from pathlib import Path; from dlopt.runs.lock import is_held; print(is_held(Path(sys.argv[1])))"


def held_elsewhere(folder: Path) -> bool:
    shown = subprocess.run([sys.executable, "-c", LOOK, str(folder)], capture_output=True, text=True, check=True)
    return shown.stdout.strip() == "True"


def test_a_lock_taken_ahead_is_handed_to_the_run(tmp_path: Path) -> None:
    assert take_ahead(tmp_path)
    assert held_elsewhere(tmp_path)
    assert not is_held(tmp_path)  # nothing runs here yet: it may be resumed into
    lock, second = Lock(tmp_path), Lock(tmp_path)
    assert lock.take()
    assert not second.take()
    assert is_held(tmp_path)
    lock.release()
    assert not held_elsewhere(tmp_path)


def test_the_second_of_two_commands_leaves_the_config_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlopt.cli.solve import launch

    from dlopt.errors import DloptError

    write_bundle(small_synthetic(), tmp_path / "world")
    monkeypatch.chdir(tmp_path)
    words = ["scenario=given_policy", f"calibration={tmp_path / 'world'}", "hydra.run.dir=run"]
    checked = launch.check("equilibrium", [*words, "seed=2"])  # nobody is there yet
    monkeypatch.setattr(launch, "check", lambda *_, **__: checked)
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    config = tmp_path / "run" / ".hydra" / "config.yaml"
    config.write_text("seed: 1\n")
    first = Lock(tmp_path / "run")
    assert first.take()
    with pytest.raises(DloptError, match="still running"):
        launch.solve("equilibrium", [])
    first.release()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(DloptError, match="already holds a run"):
        launch.solve("equilibrium", [])
    assert yaml.safe_load(config.read_text()) == {"seed": 1}
