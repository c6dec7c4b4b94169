"""Caliendo and Parro (2015), Table 2: welfare effects of NAFTA's tariff reductions, on the authors' data.

What they call welfare is a first-order sum of terms-of-trade and volume-of-trade effects, with changes in levels at
baseline weights; it is computed here from the result, beside the exact change of real income.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from dlopt.papers.beside import Beside, Load, Say
from dlopt.trade.api import solve_equilibrium
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy
from dlopt.trade.results import SolveResult

NAFTA = ("MEX", "CAN", "USA")
PUBLISHED: dict[str, tuple[float, ...]] = {
    "welfare": (1.31, -0.06, 0.08),
    "terms of trade": (-0.41, -0.11, 0.04),
    "volume of trade": (1.72, 0.04, 0.04),
    "real wages": (1.72, 0.32, 0.11),
    "imports from the other two": (118.28, 11.11, 40.52),
}
"""Per cent, for Mexico, Canada and the United States, with trade balanced."""


def effects(result: SolveResult) -> dict[str, list[float]]:
    """What the paper tabulates, per cent, from flows and prices; imports are before tariffs; and real income."""
    model, state = result.model, result.state
    before = model.trade / (1 + model.calibration.tariff)
    after = model.flows(state, result.wedges) / (1 + result.policy.tariff)
    foreign = (~torch.eye(model.n, dtype=torch.bool))[:, :, None]
    cost = model.unit_cost(state).expm1()[:, None, :]
    gain = before * cost * foreign
    terms = (gain.sum((1, 2)) - gain.sum((0, 2))) / model.income
    growth = torch.where(before > 0, after / before - 1, 0.0)
    volume = (model.calibration.tariff * before * (growth - cost) * foreign).sum((0, 2)) / model.income
    wage = (state.wage - (model.alpha * state.price).sum(1)).expm1()
    members = [model.calibration.economy_index(label) for label in NAFTA]
    imports = []
    for n in members:
        partners = [k for k in members if k != n]
        imports.append(100 * float(after[partners, n].sum() / before[partners, n].sum() - 1))
    found = {"welfare": terms + volume, "terms of trade": terms, "volume of trade": volume, "real wages": wage}
    columns = {name: (100 * values[members]).tolist() for name, values in found.items()}
    exact = result.real_income_change_pct[members].tolist()
    return {**columns, "imports from the other two": imports, "real income (exact)": exact}


def tables(load: Load, say: Say, economies: Sequence[str] = ()) -> Iterator[Beside]:
    """Table 2, and exact real income beside the published first-order sum."""
    world = load("cp2015")
    say("the tariffs of 2005 within NAFTA")
    later = _nafta(world)
    result = solve_equilibrium(world, later)
    sure = result.status == "converged"
    rows = [
        (f"{economy}: {what}", PUBLISHED.get(what, PUBLISHED["welfare"])[k], values[k], sure)
        for what, values in effects(result).items()
        for k, economy in enumerate(NAFTA)
        if not economies or economy in economies
    ]
    note = "Per cent. The last three rows set the exact change of real income beside the published first-order sum."
    frame = pd.DataFrame(rows, columns=["what", "published", "computed", "certified"])
    yield Beside("table2", "Caliendo and Parro (2015), Table 2: NAFTA's tariff reductions", note, frame)


def _nafta(world: Calibration) -> Policy:
    """The policy `nafta2005` that comes with the calibration."""
    from dlopt.calibrations import find_calibration, named_policies, read_policy

    return read_policy(named_policies(find_calibration("cp2015"))["nafta2005"], world)
