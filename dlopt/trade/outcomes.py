"""Outcomes as people quote them: by economy with the world below, and by pair of economies.

Money is in the unit of the calibration. Values after the policies are in the numeraire that holds the value added of
the whole world fixed; changes of real income in money are at baseline prices: `Y (W^ - 1)`, what the change is worth to
an economy with income Y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.trade.accounting import importer_share, outlays
from dlopt.trade.model import LogWedges
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd

WORLD = "World"
"""The label of the row that is all economies together."""


def outcomes_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy, and one for the world.

    Columns come in pairs, `NAME_initial` in the baseline and `NAME` under the policies: `gdp` (income from labour and
    taxes), `tariff_revenue`, `public_revenue` (tariffs and export taxes less subsidies), `exports`, `imports` (at the
    border, before tariff), the shares `tariff_revenue_gdp_pct`, `exports_gdp_pct`, `imports_gdp_pct`, and
    `effective_tariff_pct`, tariff revenue over imports.
    """
    import pandas as pd

    model, state = result.model, result.state
    gain = result.real_income_change_pct / 100
    prices, wages = (model.alpha * state.price).sum(1), state.wage
    columns: dict[str, Tensor] = {
        "real_income_change_pct": 100 * gain,
        "real_income_change": model.income * gain,
        "consumer_price_change_pct": 100 * prices.expm1(),
        "real_wage_change_pct": 100 * (wages - prices).expm1(),
    }
    before = _money(result, model.calibration.trade, model.wedges0, model.payroll.sum(1))
    paid, _, _ = model.incomes(state, result.wedges)
    after = _money(result, model.flows(state, result.wedges), result.wedges, paid)
    pairs = {f"{name}{end}": money[name] for name in before for end, money in (("_initial", before), ("", after))}
    frame = pd.DataFrame(
        {"economy": [*result.calibration.economies, WORLD]}
        | {name: [*values.tolist(), float("nan")] for name, values in (columns | pairs).items()}
    )
    last = frame.index[-1]
    sums = ["real_income_change", *pairs]
    frame.loc[last, sums] = frame.loc[frame.index[:-1], sums].sum()
    frame.loc[last, "real_income_change_pct"] = 100 * frame.loc[last, "real_income_change"] / float(model.income.sum())
    for end in ("_initial", ""):
        for name in ("tariff_revenue", "exports", "imports"):
            frame[f"{name}_gdp_pct{end}"] = 100 * frame[f"{name}{end}"] / frame[f"gdp{end}"]
        frame[f"effective_tariff_pct{end}"] = _rate(frame[f"tariff_revenue{end}"], frame[f"imports{end}"])
    frame["unit"] = result.model.given.unit
    return frame


def partner_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy and partner: trade at the border in both directions, and what the economy charges.

    `tariff_pct` is the economy's tariff revenue from the partner's goods over their value.
    """
    import pandas as pd

    model, names = result.model, result.calibration.economies
    economy, partner = (~torch.eye(model.n, dtype=torch.bool)).nonzero(as_tuple=True)
    columns: dict[str, list[float] | list[str]] = {
        "economy": [names[k] for k in economy.tolist()],
        "partner": [names[k] for k in partner.tolist()],
    }
    flows = model.flows(result.state, result.wedges)
    for end, trade, wedges in (("_initial", model.calibration.trade, model.wedges0), ("", flows, result.wedges)):
        tariff = trade * importer_share(model.accounting, *wedges)
        border, charged = (trade - tariff).sum(2), tariff.sum(2)
        columns[f"exports{end}"] = border[economy, partner].tolist()
        columns[f"imports{end}"] = border[partner, economy].tolist()
        columns[f"tariff_revenue{end}"] = charged[partner, economy].tolist()
    frame = pd.DataFrame(columns)
    for name in ("exports", "imports"):
        frame[f"{name}_change_pct"] = _rate(frame[name], frame[f"{name}_initial"]) - 100
    for end in ("_initial", ""):
        frame[f"tariff_pct{end}"] = _rate(frame[f"tariff_revenue{end}"], frame[f"imports{end}"])
    frame["unit"] = result.model.given.unit
    return frame


def _money(result: SolveResult, trade: Tensor, wedges: LogWedges, pay: Tensor) -> dict[str, Tensor]:
    """GDP, revenue and trade of every economy, `[country]` each."""
    model = result.model
    tariff = trade * importer_share(model.accounting, *wedges)
    taxes, subsidies = (trade * share for share in outlays(model.accounting, *wedges))
    abroad = ~torch.eye(model.n, dtype=torch.bool)[:, :, None]
    border = (trade - tariff) * abroad
    public = tariff.sum((0, 2)) + (taxes - subsidies).sum((1, 2))
    return {
        "gdp": pay + public,
        "tariff_revenue": tariff.sum((0, 2)),
        "public_revenue": public,
        "exports": border.sum((1, 2)),
        "imports": border.sum((0, 2)),
    }


def _rate(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Per cent; nothing where there is no whole."""
    return 100 * part / whole.where(whole > 0)
