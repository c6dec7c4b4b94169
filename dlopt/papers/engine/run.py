"""From targets to a folder: solve what they share, compute, write."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from dlopt.papers.engine import formats
from dlopt.papers.engine.study import CERTIFIED, MEASURED, NOT_SOLVED, Study, needed
from dlopt.papers.engine.targets import Picture, Table
from dlopt.store.files import write_table, write_text
from dlopt.views.figures.canvas import save


@dataclasses.dataclass(frozen=True)
class Made:
    """A target, computed.

    Attributes:
        target: its name.
        title: caption, which says what it was computed on.
        note: what to print below it.
        table: cells of a table, or what a figure shows; None where the calibration cannot show it.
        stem: its files, without suffix.
        layout: how to print it; None for a figure.
    """

    target: str
    title: str
    note: str
    table: pd.DataFrame | None
    stem: Path
    layout: Table | None = None


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """Everything that was made, and the solutions behind it."""

    made: tuple[Made, ...]
    runs: pd.DataFrame
    folder: Path

    @property
    def certified(self) -> bool:
        """Whether every number comes from a certified solution, from none, or from a published algorithm measured."""
        statuses = set(self.runs["status"]) if len(self.runs) else set()
        for each in self.made:
            if each.layout and each.table is not None:
                statuses |= set(each.table["status"])
            elif each.table is None:
                return False
        return statuses <= {CERTIFIED, NOT_SOLVED, MEASURED}


def reproduce(
    targets: Mapping[str, Table | Picture],
    study: Study,
    folder: Path,
    on_step: Callable[[str, int], None] = lambda _text, _done: None,
) -> Reproduction:
    """Compute the targets and write them into `folder`: tables in three formats, figures in two beside their data.

    Args:
        targets: by name.
        study: where solutions come from.
        folder: made if missing.
        on_step: told what is done next, and how many solutions and targets are done.

    Raises:
        StoppedError: asked to stop; solutions so far are in the cache.
    """
    names = (name for target in targets.values() for name in target.needs)
    tasks = needed(names, study.problems, study.variants)
    for done, task in enumerate(tasks):
        on_step(study.about(task), done)
        study.get(task.name, task.variant)
    made = []
    for done, (name, target) in enumerate(targets.items(), start=len(tasks)):
        on_step(name, done)
        made.append(_make(name, target, study, folder))
    runs = study.runs()
    write_table(runs, folder / "runs.parquet", {"calibration": study.calibration.name})
    return Reproduction(tuple(made), runs, folder)


def _make(name: str, target: Table | Picture, study: Study, folder: Path) -> Made:
    title, stem = target.caption(study), folder / name
    about = {
        "title": title, "note": target.note, "calibration": study.calibration.name,
        "calibration_sha256": study.calibration.sha256, "published": target.source,
    }  # fmt: skip
    if isinstance(target, Table):
        table = target.build(study)
        write_table(table, stem.with_suffix(".parquet"), about)
        body = formats.markdown(table, target.form, target.rms)
        write_text(stem.with_suffix(".md"), f"# {title}\n\n{body}\n{target.note}\n")
        write_text(stem.with_suffix(".tex"), formats.latex(table, target.form, target.rms, title, target.note))
        return Made(name, title, target.note, table, stem, target)
    data = target.data(study)
    if data is not None:
        path = stem.with_suffix(".parquet")
        write_table(data, path, about)
        save(target.draw(pd.read_parquet(path)), stem)
    return Made(name, title, target.note, data, stem)
