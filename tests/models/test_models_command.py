"""The carbon example as its users have it: installed by pip, solved from the shell, somewhere else."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dlopt.errors import DloptError

EXAMPLE = Path(__file__).parents[2] / "examples" / "carbon"
SMALL = ("model.labour=[1,2]", "model.technology=[3,1]", "model.damage=[1,2]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which `pip install` has put the package."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not at hand, and packages are not built without it here")
    source, target = tmp_path_factory.mktemp("source") / "carbon", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    install = ("install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target), str(source))
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True, timeout=120)
    return target


class Shell:
    """`dlopt` in a folder of its own, with the package installed."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dlopt", *words], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out + err

    def record(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name / "run.json").read_text())
        return content

    def table(self, run: str, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / run / f"{name}.parquet")


@pytest.fixture
def shell(tmp_path: Path, site: Path) -> Shell:
    return Shell(tmp_path, site)


def test_the_planner_from_the_shell(shell: Shell) -> None:
    """Certified, with tables, a report; and the result again from its folder."""
    shown = shell("solve", "cooperative", "kind=carbon", *SMALL, "weights={1: 1, 2: 3}", "hydra.run.dir=run")
    assert "converged" in shown
    record = shell.record("run")
    assert (record["status"], record["kind"], record["verb"]) == ("converged", "carbon", "cooperative")
    policies, outcomes = shell.table("run", "policies"), shell.table("run", "outcomes").set_index("outcome")["value"]
    taxes = policies[policies["instrument"].str.startswith("carbon_tax")]["value"].tolist()
    assert taxes == pytest.approx([outcomes["world_marginal_damage"]] * 2, abs=1e-6)
    assert taxes[0] > 0.01
    shell("report", "run")
    assert "world_marginal_damage" in (shell.folder / "run" / "report.html").read_text(encoding="utf-8")


def test_a_result_again_from_its_folder(shell: Shell, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("solve", "unilateral", "kind=carbon", *SMALL, "player=1", "hydra.run.dir=alone")
    shell("solve", "unilateral", "kind=carbon", *SMALL, "player=2", "init=alone", "hydra.run.dir=answer")
    before, after = (shell.table(run, "policies").set_index("instrument")["value"] for run in ("alone", "answer"))
    assert after["carbon_tax_1"] == before["carbon_tax_1"]
    assert after["tariff_1_2"] > before["tariff_1_2"] == 0
    from dlopt_carbon import KIND

    # The digest is of the package's sources, which are the same here and there.
    result = KIND.restore(shell.folder / "answer")
    assert result.status == "converged"
    assert result.policy == pytest.approx(after.to_dict(), abs=0)
    (shell.folder / "answer" / "policies.parquet").unlink()
    with pytest.raises(DloptError, match="no result"):
        KIND.restore(shell.folder / "answer")


def test_cut_off_and_gone_on_with(shell: Shell) -> None:
    words = ("solve", "nash", "kind=carbon", *SMALL, "checkpoint_seconds=0")
    shell(*words, "hydra.run.dir=whole")
    process = shell.start(*words, "hydra.run.dir=cut")
    until = time.monotonic() + 60
    while not (shell.folder / "cut" / "checkpoint.pt").is_file() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 2
    assert shell.record("cut")["status"] == "interrupted"
    shell("solve", "nash", "resume=cut", "hydra.run.dir=cut")
    for name in ("policies", "unknowns", "equilibria"):
        pd.testing.assert_frame_equal(shell.table("cut", name), shell.table("whole", name), check_exact=True)


def test_a_sweep(shell: Shell) -> None:
    shell("solve", "equilibrium", "-m", "kind=carbon", *SMALL, "model.theta=3,4", "policy={carbon_tax_1: 0.1}",
          "hydra.sweep.dir=sweep")  # fmt: skip
    runs = sorted(path for path in (shell.folder / "sweep").iterdir() if path.is_dir())
    assert len(runs) == 2
    emissions = [pd.read_parquet(run / "outcomes.parquet")["value"][0] for run in runs]
    assert emissions[0] != emissions[1]


def test_what_is_refused_leaves_no_folder(shell: Shell) -> None:
    shown = shell("solve", "nash", "kind=carbon", "model.damage=[1,2]", "hydra.run.dir=run", code=1)
    assert "one entry for each country" in " ".join(shown.split())
    assert not (shell.folder / "run").exists()


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "domain": ("nash", {"model": {"theta": -1.0}}, "above 0"),
    "player": ("nash", {"players": ["1", "4"]}, "player '4'"),
    "players": ("nash", {"players": {"1": 2}}, "players=.* is not possible"),
    "twice": ("nash", {"players": ["1", "1"]}, "once"),
    "instrument": ("nash", {"instruments": ["tarif_2_1"]}, "tariff_2_1"),
    "init": ("nash", {"init": "begin"}, "init.*'begin'"),
    "init value": ("nash", {"init": {"carbon_tax_1": "high"}}, "init.carbon_tax_1=high is not possible"),
    "bounds": ("equilibrium", {"policy": {"carbon_tax_1": 9.0}}, "outside its bounds"),
    "policy": ("equilibrium", {"policy": "low"}, "policy=low is not possible"),
    "nobody": ("unilateral", {}, "player=NAME"),
    "weights": ("cooperative", {"weights": {"1": -1.0}}, "not negative"),
    "weight": ("cooperative", {"weights": ["1"]}, "weights=.* is not possible"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    from dlopt_carbon import KIND

    verb, given, message = REFUSED[case]
    config = {key.name: key.default for key in KIND.keys} | {"solver": {}, "model": {}} | given
    with pytest.raises(DloptError, match=message):
        KIND.problem(verb, config, {"solver": "joint_newton", "scenario": "carbon"})
