"""The grid's equilibrium in the shape of the neural one, and what rules and deviations are worth on the grid."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, of_pairs
from dlopt.choice.production.delegates.evaluation import Evaluations
from dlopt.choice.production.delegates.grid import Conduct, DelegatesGridSolution
from dlopt.choice.production.delegates.model import BARGAIN, DelegatesDynamics
from dlopt.choice.production.delegates.value import value_columns
from dlopt.choice.production.exact.grid import NetworkGridSolution
from dlopt.choice.production.model import Array
from dlopt.choice.production.value import arrays

UNSETTLED = 1e-5  # share of mean |V| that a deviation may gain at most, in any state, to be called an equilibrium
SAME = 1e-6  # largest relative difference between the values of two solutions that are one
ITERATIONS = 40  # of the policy iteration that finds a best reply


class ExactDelegates:
    """An equilibrium on the grid, in float64; generators are not known (NaN). See `PartiesValue`."""

    model: Any  # DelegatesDynamics

    def __init__(self, model: DelegatesDynamics, exact: DelegatesGridSolution) -> None:
        self.model = model
        self.exact, self.method, self.covers = exact, exact.method, exact.covers

    @property
    def unsettled(self) -> str:
        """What is wrong where replies did not settle; empty where this is an equilibrium."""
        if (worst := float(self.exact.bound.max())) <= UNSETTLED:
            return ""
        return (
            f"No equilibrium was found: after {self.exact.rounds} rounds of best replies somebody may still gain "
            f"{100 * worst:.2g} % of V by deviating. Look at the table deviations, or change delegates.own a little."
        )

    @functools.cached_property
    def planner(self) -> NetworkGridSolution:
        """The planner's solution of the same economy."""
        grid = self.exact
        return NetworkGridSolution(grid.model.planned(), len(grid.grid), grid.tolerance)

    @functools.cached_property
    def tables(self) -> Array:
        """V of every party, `[P, C, N, points, points]`."""
        return np.concatenate([self.exact.tables, self.exact.table[None], self.planner.table[None]])

    def parties(self, state: State) -> Evaluations:
        """Values, differences and values over the clock of every party."""
        y, eps, z = arrays(state)
        code, *place = self.exact._locate(y, eps)
        rows, links = np.arange(len(z)), self.exact.model.size - 1
        clock = np.stack([_inside(table, code, *place) for table in self.tables], 1)  # [B, P, N]
        worth = np.empty((len(z), len(self.tables), links))
        for k in range(links):
            bit = 1 << self.exact.movable[z, k]
            for p, table in enumerate(self.tables):
                gap = _inside(table, code | bit, *place) - _inside(table, code & ~bit, *place)
                worth[:, p, k] = gap[rows, z]
        found = (torch.from_numpy(part).to(state.x.device) for part in (clock[rows, :, z], worth, clock, z))
        value, differences, clocks, position = found
        return Evaluations(value, differences, torch.full_like(value, float("nan")), clocks, position)

    def at(self, state: State) -> Evaluation:
        """Society's values and the decisions."""
        y, eps, z = arrays(state)
        nan = state.x.new_full((len(state),), float("nan"), dtype=torch.float64)
        clock = torch.from_numpy(self.exact.by_clock(y, eps)).to(nan)
        marginal = torch.from_numpy(self.exact.marginal(y, eps, z)).to(nan)
        value = clock[np.arange(len(state)), z]
        return Evaluation(value, marginal, nan, nan[:, None].expand(-1, self.model.shocks), clock)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some links are worth to who decides about them."""
        return of_pairs(self.at(state).marginal, self.model.movable(state), row, switch)

    def by_player(self, state: State) -> Tensor:
        """V of every delegate, `[B, N]`."""
        return torch.from_numpy(self.exact.by_player(*arrays(state))).to(state.x.device)

    def columns(self, state: State) -> pd.DataFrame:
        """V of every delegate as `value_SECTOR`."""
        return value_columns(self.model, self.by_player(state))

    # -- on the whole grid ---------------------------------------------------------------------------------------------

    def conducts(self) -> dict[str, Conduct]:
        """What is done when delegates decide, a planner, and sectors by their cost now."""
        grid = self.exact
        table = np.broadcast_to(self.planner.table, grid.tables.shape)
        planner = grid.reply(table)  # as every delegate would if all values were the planner's
        return {"planner": planner, "delegates": grid.conduct, "sectors": grid.myopic()}

    def under(self, conduct: Conduct) -> Array:
        """V of every delegate and of society if this is done, `[N + 1, C, N, points, points]`."""
        grid, m = self.exact, self.exact.model
        if conduct is grid.conduct:
            return np.concatenate([grid.tables, grid.table[None]])
        society = grid.party(conduct, m.beta, np.ones(m.size), grid.table)
        each = [grid.party(conduct, *who) for who in zip(m.baskets, m.shares, grid.tables, strict=True)]
        return np.stack([*each, society])

    def activity(self, conduct: Conduct) -> tuple[Array, Array]:
        """Discounted means of the number of links and of log GDP if this is done, `[C, N, points, points]` each."""
        grid, rho = self.exact, self.exact.model.rho
        links = np.broadcast_to(grid.y.sum(1)[:, None, None, None], grid._shape)
        gdp = np.broadcast_to(grid._real_wage(grid.model.beta)[:, None], grid._shape)
        several = [grid._evaluated(conduct.rate, rho * flow, np.array(flow)) for flow in (links, gdp)]
        return several[0], several[1]

    def deviations(self, sector: int) -> dict[str, Array]:
        """V of one delegate if it alone does otherwise, `[C, N, points, points]`, by what it does.

        `best_reply` (found by policy iteration), `sectors` (by its cost now), `all` and `none` of its links. With
        bargaining: `refuse`, it makes no deal as a buyer.
        """
        grid, m = self.exact, self.exact.model
        if m.rule == BARGAIN:
            return {"refuse": grid.delegates(self._alone(sector, grid.always(False)), grid.tables)[sector]}
        who = m.baskets[sector], m.shares[sector]
        fixed = {"sectors": grid.myopic(), "all": grid.always(True), "none": grid.always(False)}
        found = {key: grid.party(self._alone(sector, rule), *who) for key, rule in fixed.items()}
        tables = grid.tables.copy()
        for _ in range(ITERATIONS):
            conduct = self._alone(sector, grid.reply(tables))
            new = grid.party(conduct, *who, tables[sector])
            change = np.abs(new - tables[sector]).max()
            tables[sector] = new
            if change <= 1e-9 * np.abs(new).mean():
                break
        return {"best_reply": tables[sector], **found}

    def _alone(self, sector: int, other: Conduct) -> Conduct:
        """What is done if one sector does something else."""
        done = self.exact.conduct
        rate = done.rate.copy()
        rate[:, sector] = other.rate[:, sector]
        if not (done.rest.ndim or other.rest.ndim):
            return Conduct(rate, done.rest)
        rest = np.broadcast_to(done.rest, rate.shape).copy()
        rest[:, sector] = np.broadcast_to(other.rest, rate.shape)[:, sector]
        return Conduct(rate, rest)

    def equilibria(self) -> pd.DataFrame:
        """Whether best replies from other beginnings lead to the same values.

        Returns:
            A row for each of `myopic`, `all`, `none` (where replies begin): `rounds`, `bound` (largest gain any
            deviation may have, share of `|V|`), `largest_difference` (relative, from the values of the solution, over
            all delegates and the whole grid), `same` (at most 1e-6).
        """
        grid, rows = self.exact, []
        for start in ("myopic", "all", "none"):
            other = grid
            if start != grid.start:
                other = DelegatesGridSolution(grid.model, len(grid.grid), grid.tolerance, start)
            gap = float(np.abs(other.tables / grid.tables - 1).max())
            rows.append((start, other.rounds, float(other.bound.max()), gap, gap <= SAME))
        return pd.DataFrame(rows, columns=["start", "rounds", "bound", "largest_difference", "same"])


def _inside(table: Array, code: Array, rows: Array, columns: Array, weights: Array) -> Array:
    """Interpolation in a table `[C, N, points, points]` at every position of the clock, `[B, N]`."""
    near = table[code[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [B, 4, 4, N]
    found: Array = (near * weights[..., None]).sum((1, 2))
    return found
