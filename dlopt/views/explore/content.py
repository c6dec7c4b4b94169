"""What the page holds of a run: its tables as exact numbers in few letters, no more of them than a page can carry."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt.errors import DloptError
from dlopt.runs.record import RunRecord, read_run
from dlopt.runs.tables import read_table
from dlopt.trade.outcomes import WORLD
from dlopt.trade.provenance import UNSAID
from dlopt.trade.rates import INSTRUMENTS

MOST = 8_000_000
"""Letters of numbers on one page: more makes a browser slow and a file that is hard to send."""
PAIRS = (
    "exports_initial", "exports", "exports_change_pct", "imports_initial", "imports", "imports_change_pct",
    "tariff_pct_initial", "tariff_pct",
)  # fmt: skip
SECTORS = (
    "employment_change_pct", "employment_share_initial", "employment_share", "output_change_pct", "output_initial",
    "output", "price_change_pct",
)  # fmt: skip
FLOWS = ("exports_initial", "exports", "imports_initial", "imports")
_PER_NUMBER, _PER_CELL = 11, 38
_WHAT = ("rates by partner and sector together", "everything by pair of economies and by sector")


@dataclasses.dataclass(frozen=True)
class Held:
    """What a page holds of runs.

    Attributes:
        runs: one mapping for each run, ready for JSON; tables are base64 of little-endian numbers.
        left_out: sentences on what is not on the page.
    """

    runs: list[dict[str, Any]]
    left_out: list[str]


def collect(folders: Sequence[Path], names: Sequence[str], most: int = MOST) -> Held:
    """Read runs of the trade model; the first of them in most detail where not everything fits.

    Raises:
        DloptError: a run is of another kind, or has no result.
    """
    records = [_record(folder) for folder in folders]
    spent = 0
    held: list[dict[str, Any]] = []
    left: list[str] = []
    levels = [0] * len(folders)
    costs = [_costs(folder) for folder in folders]
    for level in range(3):  # what every run has, then pairs and sectors, then single rates
        for k, cost in enumerate(costs):
            if levels[k] == level and spent + cost[level] <= most:
                levels[k], spent = level + 1, spent + cost[level]
    for name, level, cost in zip(names, levels, costs, strict=True):
        if level == 0:
            left.append(f"{name}: the whole run. The page is full.")
        elif level < 3 and cost[level]:
            left.append(f"{name}: {_WHAT[2 - level]}. The page would be too large; the tables of the run have them.")
    for folder, record, name, level in zip(folders, records, names, levels, strict=True):
        if level:
            held.append(_run(folder, record, name, level))
    return Held(held, left)


def _record(folder: Path) -> RunRecord:
    record = read_run(folder)
    if record.kind != "trade":
        remedy = f"`dlopt report {folder.name}` makes a page of it"
        raise DloptError(f"{folder} is a run of kind {record.kind!r}: only runs of the trade model can be explored; "
                         f"{remedy}.")  # fmt: skip
    read_table(folder, "welfare")  # says why there is none
    return record


def _costs(folder: Path) -> tuple[int, int, int]:
    """Letters that the three levels of detail take."""
    economies = len(read_table(folder, "welfare"))
    sectors, policies = _table(folder, "sectors"), _table(folder, "policies")
    cells = 0 if policies is None else len(policies)
    pairs = economies * economies * (len(PAIRS) + 6) + (0 if sectors is None else len(sectors) * 17)
    return _PER_NUMBER * economies * 40, _PER_NUMBER * pairs, _PER_CELL * cells


def _run(folder: Path, record: RunRecord, name: str, level: int) -> dict[str, Any]:
    outcomes = _outcomes(folder)
    economies = [label for label in outcomes.index if label != WORLD]
    unit = str(outcomes["unit"].iloc[0]) if "unit" in outcomes else ""
    unit = "" if unit in UNSAID else unit
    numbers = outcomes.drop(columns="unit", errors="ignore")
    found: dict[str, Any] = {
        "name": name,
        "status": record.status.replace("_", " "),
        "certified": record.status == "converged",
        "message": record.message,
        "command": record.command,
        "world": str(record.calibration.get("name")),
        "note": str(record.calibration.get("note") or ""),
        "unit": unit,
        "economies": economies,
        "outcomes": {"rows": list(outcomes.index), "columns": {c: packed(numbers[c]) for c in numbers.columns}},
        "decomposition": _decomposition(folder, economies),
        "sectors": [],
    }
    if level < 2:
        return found
    sectors = _table(folder, "sectors")
    labels: list[Any] = [] if sectors is None else list(dict.fromkeys(sectors["sector"]))
    if sectors is not None:
        named = sectors.drop_duplicates("sector")
        found["sectors"] = [str(label) for label in named["sector_name"]]
        grid = sectors.set_index(["economy", "sector"]).reindex(pd.MultiIndex.from_product([economies, labels]))
        found["by_sector"] = {c: packed(grid[c]) for c in SECTORS if c in grid} | _flows(folder, economies, labels)
    partners = _table(folder, "partners")
    if partners is not None:
        square = pd.MultiIndex.from_product([economies, economies])
        wide = partners.set_index(["economy", "partner"]).reindex(square)
        found["pairs"] = {column: packed(wide[column]) for column in PAIRS}
    policies = _table(folder, "policies")
    if policies is not None and len(policies):
        found["rates"] = _rates(policies, economies, labels, detailed=level > 2)
    return found


def _outcomes(folder: Path) -> pd.DataFrame:
    """Everything by economy, the world below where the run tells of it."""
    welfare = read_table(folder, "welfare").set_index("economy")
    outcomes = _table(folder, "outcomes")
    if outcomes is None:
        return welfare
    own = outcomes.set_index("economy")
    return own.join(welfare[[column for column in welfare if column not in own]])


def _decomposition(folder: Path, economies: Sequence[str]) -> dict[str, Any] | None:
    frame = _table(folder, "decomposition")
    if frame is None or frame.empty:
        return None
    wide = frame.pivot_table(index="economy", columns="component", values="contribution_pct", sort=False)
    wide = wide.reindex(pd.Index(economies))
    return {"components": [str(name) for name in wide.columns], "values": packed(wide.to_numpy())}


def _flows(folder: Path, economies: Sequence[str], sectors: Sequence[Any]) -> dict[str, str]:
    """Exports and imports by sector, at buyers' prices; home flows apart."""
    trade = _table(folder, "trade")
    if trade is None:
        return {}
    abroad = trade[trade["origin"] != trade["destination"]]
    grid = pd.MultiIndex.from_product([economies, sectors])
    found: dict[str, str] = {}
    for word, side in (("exports", "origin"), ("imports", "destination")):
        sums = abroad.groupby([side, "sector"])[["value_initial", "value"]].sum().reindex(grid, fill_value=0.0)
        found |= {f"{word}_initial": packed(sums["value_initial"]), word: packed(sums["value"])}
    return found


def _rates(
    policies: pd.DataFrame, economies: Sequence[str], sectors: Sequence[Any], *, detailed: bool
) -> dict[str, dict[str, Any]]:
    """By instrument: simple averages by partner and by sector, in per cent, and every single rate where it fits."""
    found: dict[str, dict[str, Any]] = {}
    for kind in INSTRUMENTS:
        own = policies[policies["instrument"] == kind.name]
        if own.empty:
            continue
        other = "origin" if kind.setter == "destination" else "destination"
        table = pd.DataFrame({
            "owner": _places(own["economy"], economies),
            "partner": _places(own[other], economies) if kind.pairs else -1,
            "sector": _places(own["sector"], sectors),
            "before": 100 * own["initial_rate"].to_numpy(),
            "after": 100 * own["rate"].to_numpy(),
        })  # fmt: skip
        views = {"by_sector": _averages(table, "sector"), "overall": _averages(table)}
        if kind.pairs:
            views["by_partner"] = _averages(table, "partner")
            if detailed:
                views["cells"] = table
        found[kind.name] = {name: _columns(frame) for name, frame in views.items()}
    return found


def _places(values: pd.Series, among: Sequence[Any]) -> Any:
    return pd.Index(among).get_indexer(pd.Index(values))


def _averages(table: pd.DataFrame, *by: str) -> pd.DataFrame:
    return table.groupby(["owner", *by], sort=False)[["before", "after"]].mean().reset_index()


def _columns(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): packed(frame[name]) for name in frame.columns}


def _table(folder: Path, name: str) -> pd.DataFrame | None:
    return read_table(folder, name) if (folder / f"{name}.parquet").is_file() else None


def packed(values: Any) -> str:
    """Numbers as base64: whole ones as 32-bit integers after an `i`, others as they are, in 64 bits, after an `f`."""
    array = np.asarray(values)
    small = array.dtype.kind in "iu"
    return ("i" if small else "f") + base64.b64encode(array.astype("<i4" if small else "<f8").tobytes()).decode()
