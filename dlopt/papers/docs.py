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
"""The calibration that `notes.md` and `in_short.md` are about."""

IN_SHORT = (
    "**In short.** This page sets the numbers that Wang, Xu, Yang and Zhu (2024) print beside those that dlopt "
    "computes. The paper does not say which sectors have policies, and its equations for revenue have export taxes "
    "where its prices have subsidies. Each problem is therefore solved under several *readings*, a column each, named "
    "`accounting/sectors`: `paper` levies taxes as we read these equations, `standard` each tax on the price it meets; "
    "with `all` every sector has policies, with `tradable` only goods have. A reading fits where its column is near "
    "the one called `published`."
)
"""What the page says, whatever was solved."""


def document(done: Reproduction, calibration: Calibration, variants: Sequence[Variant]) -> str:
    """Markdown: fit by column, then every table without the figures; notes where they apply."""
    names = ", ".join(f"`{variant.name}`" for variant in variants)
    words = "all" if len(done.made) == len(TARGETS) else " ".join(made.target for made in done.made)
    count, minutes = cost(done.runs)
    statuses = done.runs.drop_duplicates("key")["status"].value_counts() if count else pd.Series(dtype=int)
    states = ", ".join(f"{number} {status}" for status, number in statuses.items())
    parts = [
        "# Published and computed",
        IN_SHORT,
        *_notes(calibration, "in_short.md"),
        f"Made by `dlopt reproduce {words} calibration={calibration.name} --docs FILE`. {calibration.source}.",
        f"Readings: {names}. {count} problems were solved ({states}) in {minutes:.0f} minutes of processor time, each "
        "on one core. Published numbers are typed from the papers; computed ones come from solving the model and from "
        "nothing else. `certified` means that the solution passed all checks; `measured`, that the algorithm of the "
        "paper was run as it is printed, to see where it ends.",
        "## Which reading fits",
        "How far computed changes of real income are from published ones: the root mean square difference over "
        "economies, in percentage points; the smallest of each row in bold.",
        _fits(done),
        *_notes(calibration, "notes.md"),
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


def _notes(calibration: Calibration, file: str) -> list[str]:
    if calibration.name != STUDIED:
        return []
    return [(importlib.resources.files("dlopt.papers.wang2024") / file).read_text(encoding="utf-8")]
