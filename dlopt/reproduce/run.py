"""From targets to a folder: solve what they share, compute, write."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from dlopt.figures.canvas import save
from dlopt.files import write_table, write_text
from dlopt.reproduce import formats
from dlopt.reproduce.published import SOURCE
from dlopt.reproduce.scenarios import SCENARIOS, Scenario, Variant
from dlopt.reproduce.study import CERTIFIED, NOT_SOLVED, Study
from dlopt.reproduce.targets import TARGETS, Picture, Table


@dataclasses.dataclass(frozen=True)
class Made:
    """A target, computed.

    Attributes:
        target: its name.
        title: caption, the calibration named.
        note: what to print below it.
        table: cells of a table, or what a figure shows; None where the calibration cannot show it.
        stem: its files, without suffix.
    """

    target: str
    title: str
    note: str
    table: pd.DataFrame | None
    stem: Path

    @property
    def layout(self) -> Table | None:
        """How to print it; None for a figure."""
        target = TARGETS[self.target]
        return target if isinstance(target, Table) else None


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """Everything that was made, and the solutions behind it."""

    made: tuple[Made, ...]
    runs: pd.DataFrame
    folder: Path

    @property
    def certified(self) -> bool:
        """Whether every number comes from a certified solution, or from none."""
        statuses = set(self.runs["status"]) if len(self.runs) else set()
        for each in self.made:
            if each.layout and each.table is not None:
                statuses |= set(each.table["status"])
            elif each.table is None:
                return False
        return statuses <= {CERTIFIED, NOT_SOLVED}


def needed(targets: Sequence[str], variants: Sequence[Variant]) -> list[tuple[Scenario, Variant]]:
    """All solutions that the targets rest on, each once, in the order of the targets."""
    names = dict.fromkeys(name for target in targets for name in TARGETS[target].scenarios)
    return [(SCENARIOS[name], variant) for name in names for variant in variants]


def reproduce(
    targets: Sequence[str], study: Study, folder: Path, on_step: Callable[[str], None] = lambda _: None
) -> Reproduction:
    """Compute the targets and write them into `folder`: tables in three formats, figures in two beside their data.

    Args:
        targets: names, see `dlopt.reproduce.targets`.
        study: where solutions come from.
        folder: made if missing.
        on_step: told what is done next.

    Raises:
        StoppedError: asked to stop; solutions so far are in the cache.
    """
    for scenario, variant in needed(targets, study.variants):
        on_step(f"{scenario.title}, {variant.name}")
        study.get(scenario.name, variant)
    made = []
    for name in targets:
        on_step(name)
        made.append(_make(name, TARGETS[name], study, folder))
    runs = study.runs()
    write_table(runs, folder / "runs.parquet", {"calibration": study.calibration.name})
    return Reproduction(tuple(made), runs, folder)


def _make(name: str, target: Table | Picture, study: Study, folder: Path) -> Made:
    calibration = study.calibration
    title, stem = f"{target.title}. Calibration: {calibration.name}.", folder / name
    about = {
        "title": title, "note": target.note, "calibration": calibration.name,
        "calibration_sha256": calibration.sha256, "published": SOURCE,
    }  # fmt: skip
    if isinstance(target, Table):
        table = target.build(study)
        write_table(table, stem.with_suffix(".parquet"), about)
        body = formats.markdown(table, target.digits, target.rms)
        write_text(stem.with_suffix(".md"), f"# {title}\n\n{body}\n{target.note}\n")
        write_text(stem.with_suffix(".tex"), formats.latex(table, target.digits, target.rms, title, target.note))
        return Made(name, title, target.note, table, stem)
    data = target.data(study)
    if data is not None:
        path = stem.with_suffix(".parquet")
        write_table(data, path, about)
        save(target.draw(pd.read_parquet(path)), stem)
    return Made(name, title, target.note, data, stem)
