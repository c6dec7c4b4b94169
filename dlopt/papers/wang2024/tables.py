"""The paper's tables of welfare, regressions, elasticities and computation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from dlopt.papers.engine import cells
from dlopt.papers.engine.published import published
from dlopt.papers.engine.study import NOT_SOLVED, UNAVAILABLE, Study
from dlopt.papers.wang2024 import frames, regressions
from dlopt.papers.wang2024.scenarios import Variant
from dlopt.trade.results import SolveResult

_TWO, _ALL = "USA+CHN", "all"
TABLE3 = {
    (_TWO, "tariff"): "us_china_trade_war", (_TWO, "dual"): "us_china_dual",
    (_ALL, "tariff"): "trade_war", (_ALL, "dual"): "dual",
}  # fmt: skip
TABLE5 = {("planner", "tariff"): "cooperation_tariff", ("planner", "dual"): "cooperation"}
TABLE_B1 = {
    (_TWO, "subsidy"): "us_china_subsidy", (_ALL, "subsidy"): "subsidy", (_ALL, "uniform_subsidy"): "uniform_subsidy",
}  # fmt: skip
TABLE_B2 = {
    (players, kind): f"{prefix}{name}_no_scale"
    for players, prefix in ((_TWO, "us_china_"), (_ALL, ""))
    for kind, name in (("subsidy", "subsidy"), ("tariff", "trade_war"), ("dual", "dual"))
}
_WORDS = {
    _TWO: "China and US", _ALL: "World", "planner": "Cooperation", "tariff": "tariffs", "dual": "dual",
    "subsidy": "subsidies", "uniform_subsidy": "one subsidy rate",
}  # fmt: skip
Regression = tuple[str, str, Callable[[SolveResult], regressions.Fit]]
TABLE2: tuple[Regression, ...] = (
    ("log 1/(1-s), dual", "dual", regressions.subsidies_on_elasticities),
    ("log t, dual", "dual", regressions.tariffs_on_elasticities),
    ("log t, trade war", "trade_war", regressions.tariffs_on_elasticities),
)
TABLE4: tuple[Regression, ...] = (
    ("log t, cooperative tariffs", "cooperation_tariff", regressions.tariffs_on_elasticities),
    ("log t, cooperative dual", "cooperation", regressions.tariffs_on_elasticities),
    ("log 1/(1-s), cooperative dual", "cooperation", regressions.subsidies_on_elasticities),
)


def welfare(study: Study, name: str, columns: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Changes of real income by economy, one column for each scenario."""
    printed = published(name)
    if "players" not in printed:
        printed = printed.assign(players="planner")
    known = printed.set_index(["players", "instruments", "economy"])["welfare_change_pct"]
    ours = study.calibration.economies
    economies = [
        *(e for e in printed["economy"].unique() if e in ours),
        *(e for e in ours if e not in set(printed["economy"])),
    ]
    rows = []
    for (players, kind), scenario in columns.items():
        for variant in study.variants:
            entry = study.get(scenario, variant)
            found = frames.welfare(entry.result) if entry.result else {}
            label = f"{_WORDS[players]}, {_WORDS[kind]}"
            rows += [
                cells.cell(e, label, variant.name, known.get((players, kind, e)), found.get(e), entry.status)
                for e in economies
            ]
    return cells.frame(rows)


def regression(study: Study, name: str, columns: Sequence[Regression]) -> pd.DataFrame:
    """Slopes, standard errors and counts, one column for each regression."""
    printed = published(name)
    rows: list[dict[str, Any]] = []
    for number, (label, scenario, estimate) in enumerate(columns, start=1):
        for variant in study.variants:
            entry = study.get(scenario, variant)
            found = estimate(entry.result) if entry.result else None
            about = (f"({number}) {label}", variant.name)
            for regressor in ("log_theta", "log_psi"):
                title = regressor.replace("_", " ")
                line = printed[(printed["column"] == number) & (printed["regressor"] == regressor)].iloc[0]
                slope, error = (found.slopes[regressor], found.errors[regressor]) if found else (None, None)
                rows.append(cells.cell(title, *about, line["estimate"], slope, entry.status))
                rows.append(cells.cell(f"{title}, std. error", *about, line["std_error"], error, entry.status))
            line = printed[printed["column"] == number].iloc[0]
            counts = (found.observations, found.dropped, found.r_squared) if found else (None, None, None)
            rows += [
                cells.cell("observations", *about, line["observations"], counts[0], entry.status),
                cells.cell("dropped, log undefined", *about, None, counts[1], entry.status),
                cells.cell("R squared", *about, line["r_squared"], counts[2], entry.status),
            ]
    return cells.frame(rows)


def elasticities(study: Study) -> pd.DataFrame:
    """Table A.1: those of the calibration, none of them solved for."""
    printed = published("tableA1_elasticities")
    c = study.calibration
    rows = []
    for line in printed.to_dict("records"):
        label = str(line["sector"])
        at = c.sectors.index(label) if label in c.sectors else None
        status = UNAVAILABLE if at is None else NOT_SOLVED
        for column, values in (("theta", c.theta), ("psi", c.psi)):
            value = None if at is None else float(values[at])
            rows.append(
                cells.cell(f"{label} {line['description']}", column, "calibration", line[column], value, status)
            )
    return cells.frame(rows)


def text_numbers(study: Study) -> pd.DataFrame:
    """Numbers given in the text and in figure notes: average tariffs and the slope of Figure 7."""
    printed = published("text_figures").set_index("item")["value"]
    averages = {
        "average Nash tariff, global trade war, pct": "trade_war",
        "average Nash tariff, global dual competition, pct": "dual",
        "average cooperative tariff, tariffs only, pct": "cooperation_tariff",
        "average cooperative tariff, dual, pct": "cooperation",
    }
    rows = []
    for variant in study.variants:
        for item, scenario in averages.items():
            entry = study.get(scenario, variant)
            value = average_tariff(entry.result) if entry.result else None
            rows.append(cells.cell(item, "value", variant.name, printed[item], value, entry.status))
        item = "slope of Nash tariff on Nash subsidy, dual, importer fixed effects"
        entry = study.get("dual", variant)
        slope = regressions.tariffs_on_subsidies(entry.result).slopes["subsidy"] if entry.result else None
        rows.append(cells.cell(item, "value", variant.name, printed[item], slope, entry.status))
    return cells.frame(rows)


def average_tariff(result: SolveResult) -> float:
    """Simple average over goods tariffs, per cent."""
    return float(100 * frames.tariffs(result)["rate"].mean())


def computation(study: Study) -> pd.DataFrame:
    """Table 1: the published settings, and how long the same problems take here, in minutes.

    The settings of Adam have no counterpart where Newton's method is used.
    """
    printed = published("table1_computation").set_index("item")["value"]
    hours = {
        "max_computation_time": ("dual", 5.0), "cooperative_dual_time": ("cooperation", 24.0),
        "unilateral_china_subsidies_time": ("china_subsidy", 1.0),
    }  # fmt: skip
    rows = []
    for variant in study.variants:
        for item, (scenario, limit) in hours.items():
            entry = study.get(scenario, variant)
            minutes = entry.solved.seconds / 60 if entry.solved else None
            row = cells.cell(
                f"{study.title(entry.task)}, minutes", "time", variant.name, 60 * limit, minutes, entry.status
            )
            rows.append(row | {"as_printed": printed[item]})
        rows.append(_players(study, variant, float(printed["players"])))
    return cells.frame(rows)


def _players(study: Study, variant: Variant, printed: float) -> dict[str, Any]:
    entry = study.get("dual", variant)
    count = len(entry.result.instruments.players) if entry.result and entry.result.instruments else None
    return cells.cell("players", "settings", variant.name, printed, count, entry.status) | {
        "as_printed": f"{printed:g}"
    }
