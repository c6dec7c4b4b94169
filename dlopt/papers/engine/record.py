"""What a reproduction leaves beside its tables: `run.json` and a log, like any run."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlopt.kind import Status
from dlopt.papers.engine.run import Reproduction
from dlopt.papers.engine.study import StoppedError, Study
from dlopt.runs.folder import RunFolder

LOG = "dlopt.log"
_RESIDUALS = ("equilibrium_residual", "first_order_residual", "best_response_gain_pct", "hjb_residual_rel")
_log = logging.getLogger("dlopt.papers")


@contextmanager
def recorded(folder: Path, words: Sequence[str], targets: Mapping[str, Any], study: Study) -> Iterator[RunFolder]:
    """Say that it is running, and how it ended; what goes wrong on the way is recorded and raised again.

    Args:
        folder: of the tables; made if missing.
        words: of the command after `dlopt reproduce`.
        targets: by name.
        study: what they are computed from.

    Raises:
        FileWriteError: the folder cannot be written.
    """
    calibration = study.calibration
    run = RunFolder.start(
        folder,
        kind="papers",
        verb="reproduce",
        command=shlex.join(["dlopt", "reproduce", *words]),
        scenario=",".join(targets),
        calibration={"name": calibration.name, "sha256": calibration.sha256},
        accounting=",".join(dict.fromkeys(variant.accounting for variant in study.variants)),
        seed=0,
        threads=1,
        settings={"targets": ",".join(targets), "variants": ",".join(variant.name for variant in study.variants)},
        overrides=list(words),
    )
    handler = logging.FileHandler(folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    _log.info(run.record.command)
    try:
        yield run
    except StoppedError as stopped:
        _end(run, Status.INTERRUPTED, str(stopped))
        raise
    except BaseException as error:
        _end(run, Status.FAILED, str(error) or type(error).__name__)
        raise
    finally:
        _log.removeHandler(handler)
        handler.close()


def step(text: str) -> None:
    """Put what is done next into the log."""
    _log.info(text)


def finish(run: RunFolder, done: Reproduction) -> None:
    """Record every problem with its status, and the largest of all residuals."""
    for line in done.runs.to_dict("records"):
        _log.info(f"{line['title']} {line['variant']}: {line['status']}. {line['message']}")
    columns = [name for name in _RESIDUALS if name in done.runs and done.runs[name].notna().any()]
    certificate = {name: float(done.runs[name].max()) for name in columns}
    if done.certified:
        _end(run, Status.CONVERGED, "Every number comes from a certified solution, or needs none.", certificate)
    else:
        _end(run, Status.NOT_CONVERGED, "Some numbers are not certified: runs.parquet says which.", certificate)


def _end(run: RunFolder, status: Status, message: str, certificate: Mapping[str, float] | None = None) -> None:
    run.finish(status, message=message, certificate=certificate)
    _log.info(f"{status}: {message}")
