"""A page of documentation from what was made: which reading fits which column, and what of the paper holds."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Sequence

import pandas as pd

from dlopt.papers.engine import cells, formats
from dlopt.papers.engine.problem import Variant
from dlopt.papers.engine.run import Reproduction
from dlopt.papers.engine.study import cost
from dlopt.papers.targets import TARGETS
from dlopt.papers.wang2024.figure_data import DISTANCE
from dlopt.trade.calibration import Calibration

STUDIED = "icio2017"
"""The calibration that the notes in `notes.md` are about."""


def document(done: Reproduction, calibration: Calibration, variants: Sequence[Variant]) -> str:
    """Markdown: fit by column, then every table without the figures; notes where they apply."""
    names = ", ".join(f"`{variant.name}`" for variant in variants)
    words = "all" if len(done.made) == len(TARGETS) else " ".join(made.target for made in done.made)
    count, minutes = cost(done.runs)
    statuses = done.runs.drop_duplicates("key")["status"].value_counts() if count else pd.Series(dtype=int)
    states = ", ".join(f"{number} {status}" for status, number in statuses.items())
    parts = [
        "# Published and computed",
        f"Made by `dlopt reproduce {words} calibration={calibration.name} --docs FILE`. {calibration.source}.",
        f"Readings of the model, accounting/sectors with instruments: {names}. {count} problems "
        f"were solved ({states}) in {minutes:.0f} minutes of processor time, each on one core. Published numbers "
        "are files of the package, computed ones come from solves only; `measured` is a published algorithm, shown "
        "for what it is.",
        "## Which reading fits",
        "Root mean square difference over economies, percentage points of real income; the smallest in bold.",
        _fits(done),
        *_notes(calibration),
    ]
    for made in done.made:
        if made.layout is not None and made.table is not None:
            parts += [f"## {made.layout.title}", formats.markdown(made.table, made.layout.form, made.layout.rms)]
            if made.layout.note:
                parts.append(made.layout.note)
            if "evidence" in made.table:
                parts.append(_evidence(made.table))
        elif made.target == "figure3" and made.table is not None:
            parts += [f"## {TARGETS[made.target].title}", _distances(made.table)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _fits(done: Reproduction) -> str:
    rows: list[list[str]] = []
    heads: list[str] = []
    for made in done.made:
        if made.layout is None or not made.layout.rms or made.table is None:
            continue
        gap = cells.gaps(made.table)
        heads = heads or [str(name) for name in gap.columns]
        for column, values in gap.iterrows():
            texts = [formats.number(float(v), made.layout.form) for v in values]
            marked = [f"**{text}**" if text == min(texts, key=float) else text for text in texts]
            name = re.match(r"Table \w+(\.\d)?", made.layout.title)
            rows.append([name[0] if name else made.target, str(column), *marked])
    if not rows:
        return "No table of welfare was asked for."
    lines = [["table", "column", *heads], ["---", "---", *["---:"] * len(heads)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _evidence(table: pd.DataFrame) -> str:
    lines = ["| finding | reading | holds | evidence |", "| --- | --- | --- | --- |"]
    for line in table.to_dict("records"):
        verdict = "" if pd.isna(line["computed"]) else "yes" if line["computed"] else "no"
        lines.append(f"| {line['row']} | {line['variant']} | {verdict} | {line['evidence']} |")
    return "\n".join(lines)


def _distances(table: pd.DataFrame) -> str:
    """Where the paths of Figure 3 end."""
    lines = [
        "| learning rate | steps of each player | tariffs, mean distance, points | welfare, largest distance, points |",
        "| --- | ---: | ---: | ---: |",
    ]
    for rate, path in table.groupby("learning_rate"):
        last = path[path["x"] == path["x"].max()]
        gap = (last["y"] - last["certified"]).abs()
        tariffs = last["panel"] == DISTANCE
        lines.append(f"| {rate:g} | {path['x'].max():.0f} | {gap[tariffs].iloc[0]:.2f} | {gap[~tariffs].max():.3f} |")
    return "\n".join(lines)


def _notes(calibration: Calibration) -> list[str]:
    if calibration.name != STUDIED:
        return []
    return [(importlib.resources.files("dlopt.papers.wang2024") / "notes.md").read_text(encoding="utf-8")]
