"""What the columns of the tables of runs mean, and their units."""

from __future__ import annotations

import pandas as pd

COLUMNS: dict[str, tuple[str, str]] = {
    "economy": ("economy; World is all of them together", ""),
    "partner": ("the other economy of a pair", ""),
    "origin": ("economy that sells", ""),
    "destination": ("economy that buys", ""),
    "sector": ("label of the sector in the calibration", ""),
    "sector_name": ("name of the sector", ""),
    "instrument": ("tariff, export_tax or subsidy", ""),
    "initial_rate": ("rate in the baseline", "fraction"),
    "rate": ("rate under the policies", "fraction"),
    "lower_bound": ("lowest rate that could be chosen; empty where nobody chose", "fraction"),
    "upper_bound": ("highest rate that could be chosen", "fraction"),
    "at_bound": ("whether the rate is at a bound", "yes or no"),
    "real_income_change_pct": ("change of real income (welfare) against the baseline", "per cent"),
    "real_income_change": ("the same in money, at baseline prices", "unit"),
    "nominal_income_change_pct": ("change of income in the numeraire", "per cent"),
    "price_index_change_pct": ("change of the consumer price index in the numeraire", "per cent"),
    "consumer_price_change_pct": ("change of the consumer price index in the numeraire", "per cent"),
    "wage_change_pct": ("change of the wage in the numeraire", "per cent"),
    "real_wage_change_pct": ("change of the wage over consumer prices", "per cent"),
    "tariff_revenue_share_pct": ("tariff revenue over income, under the policies", "per cent"),
    "tariff_revenue_gdp_pct": ("tariff revenue over GDP", "per cent"),
    "gdp": ("income from labour and taxes", "unit"),
    "tariff_revenue": ("tariffs collected", "unit"),
    "public_revenue": ("tariffs and export taxes less subsidies", "unit"),
    "exports": ("exports at the border, before the buyer's tariff", "unit"),
    "imports": ("imports at the border, before tariff", "unit"),
    "exports_gdp_pct": ("exports over GDP", "per cent"),
    "imports_gdp_pct": ("imports over GDP", "per cent"),
    "effective_tariff_pct": ("tariff revenue over imports", "per cent"),
    "tariff_pct": ("tariff revenue from the partner's goods over their value", "per cent"),
    "exports_change_pct": ("change of exports", "per cent"),
    "imports_change_pct": ("change of imports", "per cent"),
    "employment_change_pct": ("change of employment in the sector", "per cent"),
    "price_change_pct": ("change of the sector's consumer price in the numeraire", "per cent"),
    "output": ("producers' revenue", "unit"),
    "output_change_pct": ("change of the volume of output", "per cent"),
    "output_share": ("share of the sector in the economy's output", "fraction"),
    "employment_share": ("share of the sector in the economy's labour", "fraction"),
    "value": ("the flow at consumer prices", "unit"),
    "component": ("part of the change of real income, see docs/welfare.md", ""),
    "contribution_pct": ("what the part adds to the change", "per cent"),
    "contribution_log": ("the same in logs", "log"),
    "unit": ("of amounts of money", ""),
    "equilibrium": ("number of an equilibrium that was found", ""),
    "certified": ("whether it passed every test", "yes or no"),
    "equilibrium_residual": ("largest error of an equation of the equilibrium", "log"),
    "first_order_residual": ("largest derivative of a player's welfare in a direction open to it", ""),
    "iteration": ("number of a step of the solver", ""),
    "phase": ("part of the solver", ""),
    "player": ("whose turn it was", ""),
    "seconds": ("since the solve began", "seconds"),
    "move": ("number of a move in a sequence", ""),
    "status": ("how it ended", ""),
    "draw": ("number of a random draw", ""),
    "method": ("delta: by derivatives; draws: solved again for drawn parameters", ""),
    "mean": ("mean over draws; of the delta method the answer itself", ""),
    "standard_error": ("how far the figure moves with uncertain parameters", ""),
    "low": ("lower end of the interval", ""),
    "high": ("upper end of the interval", ""),
    "failed": ("draws without a solution, left out", ""),
    "parameter": ("a number that the answer depends on", ""),
    "name": ("the parameter in words, with the name of its sector", ""),
    "known": ("standard error of real income once the parameter is known", "per cent"),
    "narrower_pct": ("by how much knowing the parameter narrows the interval", "per cent"),
    "average_pct": ("the same, mean over economies", "per cent"),
    "first": ("share of the variance that the parameters explain alone", "fraction"),
    "total": ("the same with all they interact with", "fraction"),
    "world": ("number of a possible world; 0 is the point estimate", ""),
    "criterion": ("expected, minimax or regret", ""),
    "probability": ("of the world", "fraction"),
    "gain_pct": ("change of real income of who chose, under its policy", "per cent"),
    "best_pct": ("the same under what would be best in that world", "per cent"),
    "point_gain_pct": ("the same under what is best at the point estimate", "per cent"),
    "welfare_change_pct": ("change of real income less what more work and damages of emissions cost", "per cent"),
    "emissions": ("emissions of production, in the unit they were given in", ""),
    "emissions_change_pct": ("change of emissions", "per cent"),
    "carbon_price": ("revenue from carbon taxes per unit of emissions", "unit per unit of emissions"),
    "carbon_tax": ("price of carbon that producers pay", "unit per unit of emissions"),
    "border_tax": ("price of the carbon in imports", "unit per unit of emissions"),
    "ad_valorem_pct": ("what a price of carbon comes to, over the price before it", "per cent"),
    "carbon_revenue": ("revenue from carbon taxes", "unit"),
    "border_revenue": ("revenue from border carbon taxes", "unit"),
    "marginal_damage": ("what one more unit of emissions costs, at the prices reached", "unit per unit of emissions"),
    "damage_change": ("change of damages, at baseline prices", "unit"),
    "leakage_pct": ("what economies without a price emit more, over what those with one emit less", "per cent"),
    "importer": ("economy that buys", ""),
    "chosen": ("whether somebody chose the price", "yes or no"),
    "lowest_price": ("lowest price that could be chosen", "unit per unit of emissions"),
    "highest_price": ("highest price that could be chosen", "unit per unit of emissions"),
    "optimum_pct": ("change of real income at the certified optimum", "per cent"),
    "formula_pct": ("change of real income with sufficient-statistics policies", "per cent"),
    "formula_rate": ("rate by the sufficient-statistics formulas", "fraction"),
    "group": ("group of households, or of parameters", ""),
    "real_consumption_change_pct": ("change of the group's spending over the prices it pays", "per cent"),
    "difference_pct": ("difference between the two", "percentage points"),
    "regret_pct": ("what knowing the world would have added", "per cent"),
}
"""Column -> what it is, and its unit; `unit` stands for the unit of the calibration."""
_INITIAL = "_initial"


def codebook(tables: dict[str, pd.DataFrame], unit: str) -> pd.DataFrame:
    """One row for every column of every table: `table`, `column`, `meaning`, `unit`, `type`, `rows`."""
    rows = []
    for name, frame in tables.items():
        for column in map(str, frame.columns):
            meaning, of = describe(column)
            kind = "text" if frame[column].dtype == object or str(frame[column].dtype) == "str" else "number"
            rows.append(
                (name, column, meaning, of.replace("unit", unit, 1) if of.startswith("unit") else of, kind, len(frame))
            )
    return pd.DataFrame(rows, columns=["table", "column", "meaning", "unit", "type", "rows"])


def describe(column: str) -> tuple[str, str]:
    """Meaning and unit of a column; of an unknown one its name in words, and the unit its name ends in."""
    if column in COLUMNS:
        return COLUMNS[column]
    base = column.removesuffix(_INITIAL)
    if base != column and base in COLUMNS:
        meaning, unit = COLUMNS[base]
        return f"{meaning}, in the baseline", unit
    if column.startswith("welfare_"):
        return f"change of real income of {column.removeprefix('welfare_')} at this step", "per cent"
    return column.replace("_", " "), "per cent" if column.endswith("_pct") else ""
