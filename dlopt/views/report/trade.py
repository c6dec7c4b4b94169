"""The chapters of the page about a trade run: answer, map, charts, tables; each number as it stands in the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dlopt.runs.tables import average_policies, read_table
from dlopt.trade.outcomes import WORLD
from dlopt.trade.provenance import UNSAID
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.report import pictures
from dlopt.views.report.charts import BEFORE_AFTER, bars, dots, signed, sortable
from dlopt.views.report.html import folded, picture, section
from dlopt.views.report.worldmap import world_map

GAIN = "real_income_change_pct"
_COMPONENTS = (
    "The parts of log real income add up to the change; docs/welfare.md says what each means. Parts that are zero "
    "everywhere are left out."
)
_MOST_PARTNERS = 200
_NOTHING = 5e-7
"""Per cent; smaller changes are rounding, and no picture is drawn of them."""
_SAME = 1e-6
"""Rates nearer than this are the same: a map of them would have one colour."""
_MOST_SECTORS = 400
_OPEN = 60
"""Rows; a longer table of economies opens on a click."""
_MONEY = ("real_income_change", "tariff_revenue", "exports_initial", "exports")
"""Columns in the unit of the world, which their heads name."""
_NUMERAIRE = (
    "Tariff: tariff revenue over the value of imports. "
    "Money after the policies is measured so that the value added of the whole world stays what it was. Changes of "
    "real income in money are at baseline prices."
)
OUTCOMES = (
    ("real_income_change_pct", "real income, %", "+.3f"),
    ("real_income_change", "real income", "+,.0f"),
    ("consumer_price_change_pct", "consumer prices, %", "+.2f"),
    ("real_wage_change_pct", "real wage, %", "+.2f"),
    ("tariff_revenue", "tariff revenue", ",.0f"),
    ("tariff_revenue_gdp_pct", "tariff revenue, % of GDP", ".2f"),
    ("exports_gdp_pct_initial", "exports before, % of GDP", ".1f"),
    ("exports_gdp_pct", "exports, % of GDP", ".1f"),
    ("effective_tariff_pct_initial", "tariff before, %", ".2f"),
    ("effective_tariff_pct", "tariff, %", ".2f"),
)
"""Column, its head, the form of its numbers."""
_WHOLE = 1000  # amounts of money from here on are shown without decimals
PARTNERS = (
    ("exports_initial", "exports before", ",.0f"),
    ("exports", "exports", ",.0f"),
    ("exports_change_pct", "change, %", "+.1f"),
    ("imports_change_pct", "imports, change, %", "+.1f"),
    ("tariff_pct_initial", "tariff charged before, %", ".1f"),
    ("tariff_pct", "tariff charged, %", ".1f"),
)
SECTORS = (
    ("output_change_pct", "output volume, %", "+.1f"),
    ("employment_change_pct", "employment, %", "+.1f"),
    ("price_change_pct", "consumer price, %", "+.1f"),
    ("output_share_initial", "share of output before", ".4f"),
    ("output_share", "share of output", ".4f"),
)


HOUSEHOLDS = (
    ("consumer_price_change_pct", "their prices", "+.3f"), ("real_consumption_change_pct", "real consumption", "+.3f"),
    ("difference_pct", "less the average", "+.3f"),
)  # fmt: skip
FORMULAS = (
    ("optimum_pct", "optimum", "+.4f"), ("formula_pct", "formulas", "+.4f"), ("difference_pct", "difference", "+.4f"),
)  # fmt: skip
CARBON = (
    ("emissions_initial", "emissions before", ",.5g"), ("emissions", "emissions", ",.5g"),
    ("emissions_change_pct", "change, %", "+.2f"), ("carbon_price", "price per tonne", ".4g"),
    ("carbon_revenue", "carbon revenue", ",.4g"), ("border_revenue", "border revenue", ",.4g"),
    ("marginal_damage", "marginal damage", ".4g"), ("damage_change", "damages, change", ",.4g"),
    ("leakage_pct", "leakage, %", ".1f"),
)  # fmt: skip
EMISSIONS = (
    ("emissions_initial", "before", ",.4g"), ("emissions", "after", ",.4g"), ("carbon_tax", "price per tonne", ".4g"),
    ("ad_valorem_pct", "as % of the producer's price", ".2f"),
)  # fmt: skip

DRAWS = (
    ("at_optimum", "at the optimum", "+.3f"),
    ("mean", "mean", "+.3f"),
    ("std", "standard deviation", ".3f"),
    *((f"p{k}", f"{k} % of draws are below", "+.3f") for k in (5, 25, 50, 75, 95)),
    ("share_of_losses", "draws with a loss, %", ".1f"),
    ("failed", "draws without a solution", ".0f"),
)


def table_of(folder: Path, name: str) -> pd.DataFrame | None:
    """A table of a run, None where it has none of that name."""
    return read_table(folder, name) if (folder / f"{name}.parquet").is_file() else None


def gains(folders: Sequence[Path]) -> pd.DataFrame:
    """Change of real income: a column for each run, a row for each economy and, last, the world where runs tell."""
    columns = []
    for folder in folders:
        outcomes = table_of(folder, "outcomes")
        frame = read_table(folder, "welfare") if outcomes is None else outcomes
        columns.append(frame.set_index("economy")[GAIN])
    wide = pd.concat(columns, axis=1, sort=False)
    return wide.loc[[*(label for label in wide.index if label != WORLD), *([WORLD] if WORLD in wide.index else [])]]


def answer(folder: Path, lines: Sequence[str]) -> str:
    """The answer in sentences, map and bars."""
    sentences = "".join(f"<li>{escape(line)}</li>" for line in lines)
    gains = read_table(folder, "welfare").set_index("economy")[GAIN].to_dict()
    named = {str(label): float(value) for label, value in gains.items()}
    told = f'<ul class="heads">{sentences}</ul>' if sentences else ""
    if all(abs(value) < _NOTHING for value in named.values()):
        return told or "<p>No real income changes.</p>"
    largest = max(map(abs, named.values()))
    drawn = world_map(named, signed(largest, 2), "%", "World map: change of real income by economy, per cent.")
    return (
        told
        + (section("Who gains, who loses", drawn) if drawn else "")
        + section(
            "Change of real income",
            bars(named, signed(largest, 3), "%", "Change of real income against the baseline, per cent.", GAIN),
        )
    )


def details(folder: Path) -> list[str]:
    """Tables and further pictures."""
    parts = []
    policies = table_of(folder, "policies")
    if policies is not None and not policies.empty:
        parts += _policies(policies, list(read_table(folder, "welfare")["economy"]))
    outcomes = table_of(folder, "outcomes")
    unit = str(outcomes["unit"].iloc[0]) if outcomes is not None and len(outcomes) else ""
    if outcomes is not None:
        rows = _rows(outcomes, OUTCOMES, outcomes["economy"])
        drawn = _table(_in_unit(OUTCOMES, unit), rows, "outcomes", (WORLD,))
        parts.append(
            section("Outcomes by economy", folded(drawn, len(rows)) if len(rows) > _OPEN else drawn, _NUMERAIRE)
        )
    parts += _carbon(folder)
    households = table_of(folder, "households")
    if households is not None:
        rows = _rows(households, HOUSEHOLDS, households["economy"] + ", " + households["group"])
        note = "Per cent. Groups buy different baskets; their incomes move like that of their economy."
        parts.append(section("Households", _table(HOUSEHOLDS, rows, "households", first="group"), note))
    formulas = table_of(folder, "formulas")
    if formulas is not None:
        rows = _rows(formulas, FORMULAS, formulas["economy"])
        note = "Change of real income, per cent; the formulas are those of Lashkaripour and Lugovskyy (2023)."
        parts.append(section("Sufficient statistics beside the optimum", _table(FORMULAS, rows, "formulas"), note))
    for name, title, show in (("moves", "After each move", _moves), ("draws_summary", "Draws of subsidies", _draws)):
        frame = table_of(folder, name)
        if frame is not None:
            parts.append(section(title, show(frame), "Change of real income, per cent."))
    partners, sectors = table_of(folder, "partners"), table_of(folder, "sectors")
    if partners is not None and len(partners) <= _MOST_PARTNERS:
        rows = _rows(partners, PARTNERS, partners["economy"] + " with " + partners["partner"])
        drawn = _table(_in_unit(PARTNERS, unit), rows, "partners", first="pair")
        parts.append(section("Trade by pair of economies", folded(drawn, len(rows))))
    if sectors is not None and "output_change_pct" in sectors and len(sectors) <= _MOST_SECTORS:
        labels = sectors["economy"] + ", " + sectors["sector_name"]
        rows = _rows(sectors, SECTORS, labels)
        parts.append(
            section(
                "Output and employment by sector", folded(_table(SECTORS, rows, "sectors", first="sector"), len(rows))
            )
        )
    parts += _decomposition(folder)
    return parts


def path(folder: Path) -> list[str]:
    """Steps of the solver, for the chapter on method."""
    iterations = table_of(folder, "iterations")
    if iterations is None or "phase" not in iterations or not iterations["first_order_residual"].notna().any():
        return []
    return [_drawn("Steps of the solver", lambda: pictures.way_of_the_solver(iterations))]


def _policies(policies: pd.DataFrame, economies: Sequence[str]) -> list[str]:
    parts = []
    averages = average_policies(policies)
    for kind, title in pictures.KINDS.items():
        own = averages[averages["instrument"] == kind].set_index("economy")
        if own.empty:
            continue
        order = [name for name in economies if name in own.index]
        pairs = {
            str(name): (float(row["initial_pct"]), float(row["rate_pct"])) for name, row in own.loc[order].iterrows()
        }
        chart = dots(pairs, BEFORE_AFTER, ".1f", "%", f"{title}: simple averages of the rates chosen or changed.")
        varies = policies[policies["instrument"] == kind].groupby("economy")["rate"].agg(lambda r: r.max() - r.min())
        drawn = "<p>Each economy has one rate for all sectors and partners shown here.</p>"
        if policies["sector"].nunique() == 1 and varies.max() > _SAME:
            drawn = ""  # a map of one column would be one block of colour
        elif varies.max() > _SAME:
            drawn = _drawn(f"{title} by sector", partial(pictures.policies_by_sector, policies, kind), "h3")
        parts.append(section(title, chart + drawn))
    return parts


def _carbon(folder: Path) -> list[str]:
    carbon = table_of(folder, "carbon")
    if carbon is None:
        return []
    own = carbon[carbon["economy"] != WORLD].set_index("economy")
    pairs = {str(name): (row["emissions_initial"], row["emissions"]) for name, row in own.iterrows()}
    chart = dots(pairs, BEFORE_AFTER, ",.4g", "", "Emissions by economy, before and after.")
    rows = _rows(carbon, CARBON, carbon["economy"])
    unit = str(carbon["unit"].iloc[0])
    said = "the unit of the data" if unit in UNSAID else unit
    note = f"Prices and damages per tonne, and revenue, in {said}; damages at baseline prices. {_NUMERAIRE}"
    parts = [section("Carbon", chart + _table(CARBON, rows, "carbon", (WORLD,)), note)]
    emitted = table_of(folder, "emissions")
    if emitted is not None and len(emitted) <= _MOST_SECTORS:
        emitted = emitted[emitted["emissions_initial"] > 0]
        rows = _rows(emitted, EMISSIONS, emitted["economy"] + ", " + emitted["sector_name"])
        parts.append(
            section("Emissions by sector", folded(_table(EMISSIONS, rows, "emissions", first="sector"), len(rows)))
        )
    return parts


def _decomposition(folder: Path) -> list[str]:
    frame = table_of(folder, "decomposition")
    if frame is None or frame.empty:
        return []
    wide = frame.pivot_table(index="economy", columns="component", values="contribution_pct", sort=False)
    wide = wide.loc[:, (wide.abs() >= _NOTHING).any()]
    if wide.empty:
        return []
    columns = tuple((str(name), str(name).replace("_", " "), "+.3f") for name in wide.columns)
    rows = _rows(wide.reset_index(), columns, pd.Series(wide.index))
    drawn = _table(columns, rows, "decomposition")
    drawn = folded(drawn, len(rows)) if len(rows) > _OPEN else drawn
    return [section("Where the change comes from, %", drawn, _COMPONENTS)]


def _drawn(title: str, draw: Callable[[], Any], head: str = "h2") -> str:
    try:
        inside = picture(pictures.png(draw()), title)
    except MissingPlotError as missing:
        inside = f'<p class="note">{escape(str(missing))}</p>'
    return f"<section><{head}>{escape(title)}</{head}>{inside}</section>"


def _table(columns: Any, rows: Any, source: str, totals: tuple[str, ...] = (), first: str = "economy") -> str:
    return sortable([(name, words) for name, words, _ in columns], rows, source, totals, first)


def _in_unit(columns: Any, unit: str) -> Any:
    """The columns, the unit said in the heads of those that are money."""
    said = unit not in UNSAID
    return [(name, f"{words}, {unit}" if said and name in _MONEY else words, form) for name, words, form in columns]


def _figure(value: float, form: str) -> str:
    """A number; without a sign where nothing but zeros is left of it."""
    text = f"{value:{form}}"
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")


def _rows(frame: pd.DataFrame, columns: Any, labels: pd.Series) -> list[tuple[str, list[tuple[str, object]]]]:
    rows = []
    forms = {name: form for name, _, form in columns}
    for name, form in forms.items():
        if form.endswith(",.0f") and frame[name].abs().max() < _WHOLE:
            forms[name] = form.replace(",.0f", ",.4g")
    for label, row in zip(labels, frame.to_dict("records"), strict=True):
        values: list[tuple[str, object]] = []
        for name, form in forms.items():
            value = float(row[name])
            values.append(("", "") if pd.isna(value) else (_figure(value, form), value))
        rows.append((str(label), values))
    return rows


def _moves(frame: pd.DataFrame) -> str:
    wide = frame.assign(move=frame["move"].astype(str) + ": " + frame["player"])
    wide = wide.pivot(index="economy", columns="move", values=GAIN).loc[frame["economy"].unique()]
    columns = tuple((str(name), str(name), "+.3f") for name in wide.columns)
    return _table(columns, _rows(wide.reset_index(), columns, pd.Series(wide.index)), "moves")


def _draws(frame: pd.DataFrame) -> str:
    shares = frame.assign(share_of_losses=100 * frame["share_of_losses"])
    return _table(DRAWS, _rows(shares, DRAWS, frame["economy"]), "draws_summary")
