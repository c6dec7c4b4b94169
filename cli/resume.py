"""Going on with a run is allowed when nothing that defines the problem has changed."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dlopt import Calibration
from dlopt.errors import DloptError
from dlopt.runs import read_run

_MAY_DIFFER = ("resume", "init", "threads", "seed", "starts", "tolerance", "calibration", "scenario", "solver")
"""Keys that say how to solve, not what (the calibration is compared by content)."""


class ResumeError(DloptError):
    """The run that should go on was another problem."""


def check_same_settings(folder: Path, cfg: DictConfig, calibration: Calibration) -> None:
    """Compare the config of an earlier run with the one at hand.

    Raises:
        ResumeError: names every key that differs, with both values.
    """
    from dlopt.runs.tables import config_of, flat

    record = read_run(folder)
    if record.status == "running":
        raise ResumeError(f"{folder} is still running, or was killed before it wrote anything to go on with.")
    before = config_of(folder)
    now = flat(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    keys = sorted(key for key in before.keys() | now.keys() if key.partition(".")[0] not in _MAY_DIFFER)
    changed = [f"{key} was {before.get(key)}, is {now.get(key)}" for key in keys if before.get(key) != now.get(key)]
    if record.calibration.get("sha256") != calibration.sha256:
        before_name = record.calibration.get("name")
        other = "with other content" if before_name == calibration.name else f"is {calibration.name!r}"
        changed.append(f"the calibration was {before_name!r}, {other}")
    if changed:
        raise ResumeError(
            f"{folder} was another problem: {'; '.join(changed)}. Put these back, or use init={folder} to start there."
        )
