"""Several runs side by side as one table of numbers, for files and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dlopt.errors import DloptError
from dlopt.kind import Cell, Ended, Kind
from dlopt.runs.labels import labels_of
from dlopt.runs.sweep import members
from dlopt.runs.tables import average_policies, read_table
from dlopt.store.exports import write_any
from dlopt.store.files import write_text
from dlopt.trade.outcomes import WORLD
from dlopt.trade.rates import INSTRUMENTS
from dlopt.views.figures.canvas import panels
from dlopt.views.report.html import document, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAIN = "real_income_change_pct"
INCOME = "real income change, %"
_LONGEST = 18
LONGER = 60
"""Letters of the name of a run at most, where there is more room than on a screen."""
_STYLES = 12
"""Runs that marks can tell apart: filled, then hollow. More runs are rows."""
_COLOURS = ("#595959", "#1f5f99", "#a34700", "#4d7326", "#7b4397", "#222222")
_MARKS = ("o", "s", "^", "D", "v", "P")


def runs_of(folders: Sequence[Path]) -> list[Path]:
    """The runs meant: those given, and those with a result of every sweep or suite given."""
    found: list[Path] = []
    for folder in folders:
        many = members(folder)
        found += [folder] if many is None else many[0]
    return found


def names_of(folders: Sequence[Path], longest: int = _LONGEST) -> list[str]:
    """A short name for each run, no two the same: for a screen, or `LONGER` for files and pictures."""
    return labels_of(folders, longest)


def compared(kind: Kind, folders: Sequence[Path], names: Sequence[str], runs: Sequence[Ended]) -> pd.DataFrame:
    """One row for each quantity and economy, one column for each run, then each run less the first.

    Columns `measure`, `economy`, the names of the runs, and `NAME less FIRST`. Runs of another kind than trade have
    what `dlopt runs compare` shows, as text.

    Raises:
        RunReadError: a run has no tables.
    """
    if not all((folder / "welfare.parquet").is_file() for folder in folders):
        return _as_text(kind, names, runs)
    measures: dict[str, pd.DataFrame] = {INCOME: side_by_side([_gains(folder) for folder in folders], names)}
    averages = [average_policies(read_table(folder, "policies")) for folder in folders]
    for instrument in INSTRUMENTS:
        own = [frame[frame["instrument"] == instrument.name].set_index("economy")["rate_pct"] for frame in averages]
        if any(len(rates) for rates in own):
            measures[f"average {instrument.label}, %"] = side_by_side(own, names)
    frames = []
    for measure, frame in measures.items():
        wide = frame.copy()
        for name in names[1:]:
            wide[f"{name} less {names[0]}"] = frame[name] - frame[names[0]]
        wide.insert(0, "economy", wide.index)
        wide.insert(0, "measure", measure)
        frames.append(wide)
    return pd.concat(frames, ignore_index=True)


def side_by_side(columns: Sequence[pd.Series], names: Sequence[str]) -> pd.DataFrame:
    """One column for each run; economies in the order in which they appear."""
    together = pd.concat(list(columns), axis=1, sort=False)
    together.columns = pd.Index(list(names))
    return together


def figure(frame: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Real income of every economy in all runs: a mark for each run; of more than twelve runs, a row for each.

    Raises:
        MissingPlotError: matplotlib is not installed.
        DloptError: these runs have no real income, or are too many for one picture.
    """
    own = frame[frame["measure"] == INCOME] if "measure" in frame else frame.iloc[:0]
    if own.empty:
        raise DloptError("These runs have no real income to draw. Leave out --figure.")
    wide = own.set_index("economy")[list(names)]
    if len(names) > _STYLES:
        wide = wide.T
    rows, marked = list(wide.index), list(wide.columns)
    if len(marked) > _STYLES:
        raise DloptError(
            f"{len(names)} runs of {len(own)} economies are too many for one picture. "
            f"Name at most {_STYLES} runs, or look at them with `dlopt explore`."
        )
    drawn, (axes,) = panels(1, 1, 1.2 + 0.25 * max(len(rows), len(marked)))
    for k, name in enumerate(marked):
        colour = _COLOURS[k % 6]
        face = colour if k < 6 else "white"
        axes.plot(wide[name], rows, _MARKS[k % 6], color=colour, markerfacecolor=face, label=name, markersize=5)
    axes.invert_yaxis()
    axes.axvline(0, color="#222", linewidth=0.8)
    axes.grid(axis="y", color="#ddd", linewidth=0.6)
    axes.set_xlabel("change of real income, per cent", fontsize=8)
    drawn.legend(fontsize=7, frameon=False, loc="outside right upper")
    return drawn


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write the comparison as the suffix says: also .md and .html, with four significant digits.

    Raises:
        SuffixError: another suffix.
        FileWriteError: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".md", ".html"):
        write_any(frame, path, {"source": "dlopt runs compare"})
        return
    words = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    heads = [str(column) for column in frame.columns]
    if suffix == ".html":
        write_text(path, document("dlopt: runs compared", table(heads, words)))
        return
    rule = ["---" if k < 2 else "---:" for k in range(len(heads))]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (heads, rule, *words)]
    write_text(path, "".join(f"| {line} |\n" for line in lines))


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if pd.isna(value) else f"{value:.4g}"


def _gains(folder: Path) -> pd.Series:
    """By economy, and of the world where the run tells."""
    gains = read_table(folder, "welfare").set_index("economy")[GAIN]
    if (folder / "outcomes.parquet").is_file():
        world = read_table(folder, "outcomes").set_index("economy").loc[[WORLD], GAIN]
        gains = pd.concat([gains, world])
    return gains


def _as_text(kind: Kind, names: Sequence[str], runs: Sequence[Ended]) -> pd.DataFrame:
    rows = []
    for sheet in kind.compare(runs):
        for row in sheet.rows:
            words = [cell.text if isinstance(cell, Cell) else str(cell) for cell in row]
            head, rest = " ".join(words[: sheet.left]), words[sheet.left :]
            rows.append({"measure": sheet.title, "row": head} | dict(zip(names, rest, strict=False)))
    return pd.DataFrame(rows)
