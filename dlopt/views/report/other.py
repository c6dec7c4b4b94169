"""The page about a run of a kind that has no chapters of its own: its answer, pictures, then every table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import pandas as pd

from dlopt.errors import DloptError
from dlopt.kind import Ended
from dlopt.registry import load_kind
from dlopt.runs.record import RunRecord
from dlopt.runs.tables import read_table
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.report.charts import bars, signed
from dlopt.views.report.html import folded, picture, scrolling, section, table
from dlopt.views.report.pictures import png
from dlopt.views.sheets import html as as_html

TITLES: Mapping[str, str] = {
    "impulse_response": "After a shock",
    "losses": "Training, step by step",
    "marginal_values": "What each option adds to the value, in numbers",
    "out_of_sample": "Errors at states that were not trained on",
    "simulation": "In the long run",
    "transition": "The way to the long run",
    "decentralised": "If each sector decided for itself",
    "validation": "Beside the exact solution",
    "objectives": "What players come to",
    "policies": "Instruments",
    "counterfactuals": "Counterfactuals, with all columns",
    "covariance": "Covariance of the estimates",
    "estimates": "Estimates, with all standard errors",
    "identification": "What the data say least to most about",
    "moments": "Moments of the data and of the model",
    "search": "Steps of the search",
    "unknowns": "Unknowns of the equilibrium",
    "iterations": "Steps of the solver, one by one",
    "equilibria": "Equilibria that were found",
}
"""Titles of tables; others have their name in words."""
PICTURES: Mapping[str, str] = {
    "losses": "Training",
    "links": "Links",
    "objectives": "What players come to",
    "instruments": "Instruments",
    "outcomes": "Outcomes",
    "iterations": "Steps of the solver",
}
FIRST = ("simulation",)
"""Tables that answer what was asked, and so stand above the pictures."""
STATISTICS: Mapping[str, str] = {
    "std": "standard deviation",
    "second_half_minus_first": "second half of the time less the first",
    "second_half_minus_first_se": "standard error of this difference",
}
"""Statistics in words; `p90` is said likewise."""
HEADS: Mapping[str, str] = {
    "value_se": "standard error of value",
    "hjb_residual_rel": "mean residual over V",
    "alpha": "input share",
    "delta_v_pct": "adds to V, %",
    "std": "standard deviation",
    "log_gdp_pct": "log GDP, %",
    "se": "s.e.",
    "difference_se": "s.e.",
    "difference_low": "95 % from",
    "difference_high": "to",
    "se_sandwich": "sandwich",
    "se_hessian": "Hessian",
    "se_opg": "scores",
    "se_bootstrap": "bootstrap",
    "errors": "used",
    "box_low": "searched from",
    "box_high": "to",
    "decrement": "standard errors to go",
}
"""Heads of columns; others have their name in words."""
_SHORT = 15
"""Rows; longer tables open on a click."""
_LONGEST = 2000
"""Longer tables stay in their files."""


def chapters(folder: Path, record: RunRecord, ended: Ended) -> list[str]:
    """What a screen shows of the run, its pictures, and its tables: short ones first, long ones folded."""
    from dlopt.views.figures.results import of_run  # which itself draws with the map of this package

    parts = []
    try:
        kind = load_kind(record.kind)
        lines = kind.headlines(ended)
        shown = [sheet for sheet in kind.sheets(ended) if sheet.title != "Certificate" and not sheet.proof]
    except DloptError:  # of a package that is not installed here
        lines, shown = [], []
    if lines:
        parts.append(f'<ul class="heads">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>')
    if shown:
        parts.append(section("At a glance", scrolling(as_html(shown))))
    frames = {path.stem: read_table(folder, path.stem) for path in sorted(folder.glob("*.parquet"))}
    frames = {name: frame for name, frame in frames.items() if 0 < len(frame) <= _LONGEST}
    parts += [section(TITLES[name], _frame(frames[name])) for name in FIRST if name in frames]
    if "marginal_values" in frames:
        parts += _worth(frames["marginal_values"])
    for name, draw in of_run(list(frames), frames.__getitem__).items():
        if name == "links" and list(folder.rglob("link_map.png")):
            continue  # the run drew it itself
        title = PICTURES.get(name, _words(name))
        try:
            parts.append(section(title, picture(png(draw()), title)))
        except MissingPlotError as missing:
            parts.append(section(title, f'<p class="note">{missing}</p>'))
    for name in sorted(frames, key=lambda name: len(frames[name]) > _SHORT):
        if name in FIRST:
            continue
        frame = frames[name]
        inside = _frame(frame)
        parts.append(
            section(TITLES.get(name, _words(name)), inside if len(frame) <= _SHORT else folded(inside, len(frame)))
        )
    return parts


def _worth(frame: pd.DataFrame) -> list[str]:
    """Bars of what each option adds to the value; none where the table says it otherwise."""
    column, unit = ("delta_v_pct", "%") if "delta_v_pct" in frame else ("delta_v", "")
    name = next((name for name in ("destination", "switch") if name in frame), None)
    if column not in frame or (name is None and "buyer" not in frame):
        return []
    labels = frame[name] if name else frame["buyer_name"] + " from " + frame["supplier_name"]
    values = {str(label): float(value) for label, value in zip(labels, frame[column], strict=True)}
    if len(values) < len(frame):
        return []
    caption = "The value with the option less the value without it, on average" + (", per cent." if unit else ".")
    largest = max(map(abs, values.values()))
    return [section("What each option is worth", bars(values, signed(largest, 2), unit, caption, column))]


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _frame(frame: pd.DataFrame) -> str:
    if "statistic" in frame:
        frame = frame.assign(statistic=frame["statistic"].map(_statistic))
    if "se" in frame:  # of an estimation, whose intervals are of 95 %
        frame = frame.rename(columns={"low": "95 % from", "high": "to"})
    heads = [HEADS.get(str(name), str(name).replace("_pct", ", %").replace("_", " ")) for name in frame.columns]
    own = [str(name) in ("parameter", "parameters") for name in frame.columns]  # names that keys know
    return table(
        heads,
        [
            [str(value) if name else _number(value) for name, value in zip(own, row, strict=True)]
            for row in frame.itertuples(index=False)
        ],
    )


def _statistic(name: object) -> str:
    return STATISTICS.get(str(name), re.sub(r"^p(\d+)$", r"\1 % lie below", str(name)))


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return re.sub(r"(?<=[a-z])_(?=[a-z])", " ", str(value))
    if pd.isna(value):
        return ""
    if value == 0:
        return "0"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.1e}"
