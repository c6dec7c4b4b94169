"""What is shown of a solve of a model: when it has ended, and beside others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlopt.errors import DloptError
from dlopt.kind import Cell, Ended, Sheet, figures

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 24
"""Instruments and further quantities shown; all of them are in the tables."""


def sheets(ended: Ended) -> list[Sheet]:
    """Objectives, what was chosen, further quantities, the certificate."""
    found = []
    objectives, policies, outcomes = (ended.table(name) for name in ("objectives", "policies", "outcomes"))
    if objectives is not None:
        found.append(_before_and_after("Objectives", "player", objectives["player"], objectives, tone=True))
    if policies is not None:
        moved = policies[policies["chosen"] | (policies["initial"] != policies["value"])]
        if len(moved):
            found.append(_before_and_after("Instruments", "instrument", moved["instrument"], moved))
    if outcomes is not None and len(outcomes):
        names = outcomes["outcome"] + outcomes["label"].map(lambda label: f" {label}" if label else "")
        found.append(_before_and_after("Outcomes", "outcome", names, outcomes))
    if ended.certificate:
        found.append(figures(ended.certificate))
    return found


def compare(runs: Sequence[Ended]) -> list[Sheet]:
    """Objectives and instruments, runs across (named by position, from 1)."""
    import pandas as pd

    found = []
    for title, name, row in (("Objectives", "objectives", "player"), ("Instruments", "policies", "instrument")):
        columns = {}
        for k, run in enumerate(runs, start=1):
            table = run.table(name)
            if table is None:
                raise DloptError(
                    f"Run {k} ({run.status}) has no tables; only runs that reached a result can be compared."
                )
            columns[str(k)] = table.set_index(row)["value"]
        together = pd.concat(columns, axis=1, sort=False)
        rows = [(str(name), *("" if v != v else f"{v:.6g}" for v in values)) for name, *values in together.itertuples()]
        found.append(Sheet(title, ("", *columns), rows))
    return found


def brief(ended: Ended) -> str:
    """The objective of the first player."""
    objectives = ended.table("objectives")
    if objectives is None or objectives.empty:
        return ""
    first = objectives.iloc[0]
    return f"{str(first['player'])[:6]} {first['value']:.4g}"


def _before_and_after(title: str, what: str, names: pd.Series, table: pd.DataFrame, tone: bool = False) -> Sheet:
    rows: list[list[str | Cell]] = []
    for name, before, after in zip(names, table["initial"], table["value"], strict=True):
        change = f"{after - before:+.6g}" if after != before else ""
        colour = "good" if after > before else "bad" if after < before else ""
        rows.append([str(name), f"{before:.6g}", f"{after:.6g}", Cell(change, colour) if tone else change])
    left_out = len(rows) - _ROWS
    if left_out > 0:
        rows = [*rows[:_ROWS], [f"... {left_out} more", "", "", ""]]
    return Sheet(title, (what, "start", "solution", "change"), rows)
