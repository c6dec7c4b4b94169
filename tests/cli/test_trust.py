"""A config may say what to solve, not what code to run or where else to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlopt.errors import DloptError

HOSTILE = [
    "hydra.launcher._target_=os.system",
    "hydra.sweeper._target_=subprocess.run",
    "++hydra.callbacks.evil._target_=os.system",
    "hydra.job_logging.handlers.console={'()':os.system}",
    "++hydra.hydra_logging.handlers.console.class=os.system",
    "hydra.sweep.subdir=../../elsewhere",
    "hydra.sweep.subdir=/tmp/elsewhere",
    "++hydra.launcher.inner._target_=os.system",
    "++hydra.sweeper.inner=[{_target_:os.system}]",
    "++hydra.job_logging.handlers.console.class=logging.os.system",
    "hydra.job_logging.handlers.file.filename=/tmp/elsewhere/log",
    "hydra.job_logging.handlers.file.filename='${hydra.runtime.output_dir}/../log'",
    "hydra.output_subdir=/tmp/elsewhere",
    "hydra.output_subdir=../elsewhere",
    "hydra.job.name=../elsewhere",
    "hydra.launcher._target_='${oc.env:NO_SUCH_VARIABLE}'",
]


@pytest.mark.parametrize("word", HOSTILE)
def test_code_of_its_choice_is_refused(checked: Callable[..., Any], word: str) -> None:
    with pytest.raises(DloptError):
        checked("nash", "scenario=dual", word)


def test_in_a_file_too(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "own" / "hydra" / "launcher").mkdir(parents=True)
    (tmp_path / "own" / "hydra" / "launcher" / "mine.yaml").write_text("_target_: os.system\n")
    with pytest.raises(DloptError, match=r"os\.system is refused"):
        checked("nash", "scenario=dual", "hydra/launcher=mine", "--config-dir", str(tmp_path / "own"))


def test_the_launchers_are_trusted(checked: Callable[..., Any]) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    found = checked("nash", "-m", "scenario=dual,trade_war", "hydra/launcher=joblib", "threads=4096")
    assert "hydra.launcher.n_jobs=1" in found.arguments
