"""What an equilibrium of delegates says: worth of links to who decides and to society, and the exact comparisons."""

from __future__ import annotations

import pandas as pd

from dlopt.choice.model import State
from dlopt.choice.options import AnalysisOptions
from dlopt.choice.production.analysis import harmful_links, transition
from dlopt.choice.production.delegates.deviations import gain_row, tables_of
from dlopt.choice.production.delegates.exact import ExactDelegates
from dlopt.choice.production.delegates.model import BARGAIN, DelegatesDynamics
from dlopt.choice.production.delegates.value import PartiesValue
from dlopt.choice.production.model import Array
from dlopt.choice.production.value import arrays, with_clock

Equilibrium = PartiesValue | ExactDelegates


def link_values(solution: Equilibrium, dynamics: DelegatesDynamics, sample: State) -> pd.DataFrame:
    """What each link is worth to its buyer's delegate and to society, the clock at the buyer, averaged over a sample.

    Returns:
        A row per link with a positive share: `buyer`, `supplier`, `buyer_name`, `supplier_name`, `alpha`,
        `delta_v_pct` (to society, percent of its mean |V|), `buyer_delta_pct`, `supplier_delta_pct` (to the delegates
        of buyer and supplier, of theirs), `formed`, `planner_accepts`, `buyer_accepts` (shares of the sample: in
        equilibrium; by a planner; if the buyer's unit cost now decides), `harmful` (worth something to who decides,
        and less than nothing to society, on average).
    """
    model, rows = dynamics.parameters, []
    for i in range(model.size):
        here = with_clock(sample, i)
        at, decides = solution.parties(here), solution.at(here).marginal
        size = at.value.abs().mean(0)
        now = dynamics.link_gain(here)
        for k, j in enumerate(dynamics.supplier[i].tolist()):
            if model.alpha[i, j] == 0:
                continue
            worth = 100 * at.worth[:, :, k].mean(0) / size
            social = float(worth[dynamics.society])
            rows.append(
                {
                    "buyer": model.sectors[i],
                    "supplier": model.sectors[j],
                    "buyer_name": model.names[i],
                    "supplier_name": model.names[j],
                    "alpha": model.alpha[i, j],
                    "delta_v_pct": social,
                    "buyer_delta_pct": float(worth[i]),
                    "supplier_delta_pct": float(worth[j]),
                    "formed": float((decides[:, k] > 0).double().mean()),
                    "planner_accepts": float((at.worth[:, dynamics.planner, k] > 0).double().mean()),
                    "buyer_accepts": float((now[:, k] > 0).double().mean()),
                    "harmful": bool(float(decides[:, k].mean()) > 0 > social),
                }
            )
    return pd.DataFrame(rows)


def analyse(
    solution: Equilibrium, dynamics: DelegatesDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    """Tables of any equilibrium; an exact one also has `deviations`, `decentralised`, `values` and `equilibria`."""
    links = link_values(solution, dynamics, resting.rows(slice(0, options.paths)))
    frames = {"marginal_values": links, "harmful_links": harmful_links(links)}
    if isinstance(solution, ExactDelegates):
        frames |= exact_tables(solution, dynamics, resting)
        if dynamics.parameters.rule == BARGAIN:
            return frames
    if not isinstance(solution, ExactDelegates) or dynamics.factors == dynamics.shocks:
        frames["transition"] = transition(solution, dynamics, resting, options, seed)
    return frames


def exact_tables(
    solution: ExactDelegates, dynamics: DelegatesDynamics, resting: State
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """As `deviations.gains` and `deviations.compared`, from the grid: means over the states, errors 0.

    `deviations` also has `bound_pct`: at most what any deviation gains in any state, percent of mean |V|. With
    bargaining that is what buyer and suppliers gain together.
    """
    grid, model = solution.exact, dynamics.parameters
    place = arrays(resting)

    def mean(table: Array) -> float:
        return float(grid.value_in(table, *place).mean())

    rows = []
    for i, sector in enumerate(model.sectors):
        mine = mean(grid.tables[i])
        for deviation, table in solution.deviations(i).items():
            row = gain_row(sector, model.names[i], deviation, mine, mean(table) - mine, 0.0)
            rows.append({**row, "bound_pct": 100 * grid.bound[i]})
    means = {rule: [mean(v) for v in solution.under(conduct)] for rule, conduct in solution.conducts().items()}
    errors = {rule: [0.0] * len(found) for rule, found in means.items()}
    late = {rule: tuple(map(mean, solution.activity(conduct))) for rule, conduct in solution.conducts().items()}
    return {
        "deviations": pd.DataFrame(rows),
        **tables_of(model, means, errors, late),
        "equilibria": solution.equilibria(),
    }
