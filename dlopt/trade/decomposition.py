"""Where a change of real income comes from: terms of trade, tax wedges times volumes, scale, transfers.

At every equilibrium of the model the change of a country's welfare is, exactly,

    Y dlogW = sum_exports Q db - sum_imports Q db                      terms of trade
            + sum_imports (p - b) dQ                                   tariffs x import volumes
            + sum_exports (export tax) dQ - sum_sales (subsidy) dQ     export taxes and subsidies x volumes
            + sum_sectors psi R dlogL                                  economies of scale
            + w dL                                                     employment, where labour is supplied elastically

and, of transfers T, dT less T times the change of import prices. Here Q are quantities, p consumer
prices, b border prices (what the destination's residents and government together pay the origin's per unit) and R the
revenue of producers (docs/welfare.md derives it). It is integrated along the path of equilibria on which all log
wedges move in proportion from the baseline to the solution (a Divisia integral). Where there is a shock
(`dlopt.trade.shocks`), what it does at unchanged policies is a part of its own, and the path begins after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.batch import BatchOptions, solve_batch
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions
from dlopt.trade.accounting import importer_share_along, outlays
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.model import LogWedges, State, TradeModel, between

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.closure import Closure
    from dlopt.trade.results import SolveResult

COMPONENTS = (
    "terms_of_trade", "tariff_volume", "export_tax_volume", "subsidy_volume", "scale", "transfer", "employment",
    "shock",
)  # fmt: skip
"""The parts, in order: see docs/welfare.md."""

TOLERANCE = 1e-10
"""Largest difference between the sum of the parts and the total, logs."""

_NODES = (8, 16, 32, 64, 128)
_EXACT = BatchOptions(tolerance=1e-13, max_iterations=30)
_TIGHT = RootOptions(tolerance=1e-12)
_DEEPEST = 6


class DecompositionError(DloptError):
    """The path from the baseline does not lead to the result, or not smoothly enough to be integrated."""


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """The parts of each economy's change of real income.

    Attributes:
        contribution_log: parts of log W^, `[country, component]`, components as in `COMPONENTS`.
        total_log: log W^ of the solution, `[country]`.
        nodes: points of the quadrature that were needed.
    """

    contribution_log: Tensor
    total_log: Tensor
    nodes: int

    def table(self, economies: Sequence[str]) -> pd.DataFrame:
        """One row per economy and component."""
        import pandas as pd

        return pd.DataFrame({
            "economy": [economy for economy in economies for _ in COMPONENTS],
            "component": list(COMPONENTS) * len(economies),
            "contribution_pct": self.contribution_pct.flatten().numpy(),
            "contribution_log": self.contribution_log.flatten().numpy(),
        })  # fmt: skip

    @property
    def contribution_pct(self) -> Tensor:
        """Parts of 100 (W^ - 1), `[country, component]`: the logs, scaled by (W^ - 1) / log W^."""
        small = self.total_log.abs() < 1e-12
        scale = torch.where(small, 1.0, self.total_log.expm1() / torch.where(small, 1.0, self.total_log))
        return 100 * scale[:, None] * self.contribution_log


def decompose(result: SolveResult) -> Decomposition:
    """Decompose the welfare change between the baseline and the equilibrium of a result.

    Raises:
        DecompositionError: the result is no equilibrium, or moving the wedges in proportion does not lead to it.
    """
    model, u, wedges = result.model, result.u, result.wedges
    if not result.certificate.equilibrium_residual <= EQUILIBRIUM_TOLERANCE:
        raise DecompositionError("Only an equilibrium can be decomposed, and this result is none.")
    parts, nodes = _between(model, model.wedges0, model.start, wedges, u)
    parts = torch.cat((parts, model.log_real_income(model.start)[:, None]), 1)
    return Decomposition(parts, model.log_real_income(u), nodes)


def _between(
    model: TradeModel, wedges0: LogWedges, u0: Tensor, wedges1: LogWedges, u1: Tensor, depth: int = 0
) -> tuple[Tensor, int]:
    """Parts of the change of log welfare between two equilibria, `[country, component]`, and the nodes needed.

    Where the path between them is too crooked for one quadrature, its two halves are integrated.
    """
    total = model.log_real_income(u1) - model.log_real_income(u0)
    series = torch.stack(((u0 + u1) / 2, (u1 - u0) / 2))
    for count in _NODES:
        found = _integral(model, wedges0, u0, wedges1, u1, series, count)
        if found is None:
            break
        parts, series = found
        if float((parts.sum(1) - total).abs().max()) <= TOLERANCE / 2**depth:
            return parts, count
    half = between(wedges0, wedges1, 0.5)
    middle = find_equilibrium(model, half, (u0 + u1) / 2, _TIGHT)
    if depth == _DEEPEST or middle.outcome is not Outcome.CONVERGED:
        raise DecompositionError(
            "Moving all policies in proportion from the baseline does not lead to this equilibrium. It may be one of "
            "several, or policies on the way have none."
        )
    first, nodes = _between(model, wedges0, u0, half, middle.u, depth + 1)
    second, more = _between(model, half, middle.u, wedges1, u1, depth + 1)
    return first + second, nodes + more


def _integral(
    model: TradeModel, wedges0: LogWedges, u0: Tensor, wedges1: LogWedges, u1: Tensor, series: Tensor, count: int
) -> tuple[Tensor, Tensor] | None:
    """Parts of the change of log welfare, `[country, component]`, by the Gauss-Legendre rule of `count` nodes.

    The path of equilibria is the polynomial through the nodes and both ends, and its derivative that polynomial's.
    `series` holds Legendre coefficients of a first guess, `[degree, unknown]`; those of the path are returned with
    the parts. None where no equilibria were found from the guess.
    """
    x, weight = np.polynomial.legendre.leggauss(count)
    at = torch.from_numpy((x + 1) / 2)
    change = (wedges1[0] - wedges0[0], wedges1[1] - wedges0[1], wedges1[2] - wedges0[2])
    guess = _legendre(x, len(series) - 1) @ series
    factorisation = Linearisation(model, guess[count // 2], between(wedges0, wedges1, 0.5)).factors()

    def errors(v: Tensor, rows: Tensor) -> Tensor:
        some = zip(v.split(model.batch), at[rows].split(model.batch), strict=True)
        return torch.cat([model.residual(u, between(wedges0, wedges1, share)) for u, share in some])

    found, residual = solve_batch(errors, factorisation, guess, _EXACT)
    if not bool((residual <= 1e-11).all()):
        return None
    ends = np.concatenate(([-1.0], x, [1.0]))
    series = torch.linalg.solve(_legendre(ends, count + 1), torch.cat((u0[None], found, u1[None])))
    derivative = torch.from_numpy(np.polynomial.legendre.legder(np.eye(count + 2), scl=2.0).T.copy())
    slope = _legendre(x, count) @ derivative.T @ series
    nodes = zip(*(table.split(model.batch) for table in (found, at, slope)), strict=True)
    parts = torch.cat([rates(model, u, between(wedges0, wedges1, share), du, change) for u, share, du in nodes])
    return torch.einsum("k,knc->nc", torch.from_numpy(weight / 2), parts), series


def _legendre(x: np.ndarray, degree: int) -> Tensor:
    """Legendre polynomials at points in [-1, 1], `[point, degree]`."""
    return torch.from_numpy(np.polynomial.legendre.legvander(x, degree))


def rates(model: TradeModel, u: Tensor, wedges: LogWedges, du: Tensor, change: LogWedges) -> Tensor:
    """Parts of dlogW at an equilibrium for moves `du` of the unknowns and `change` of the log wedges.

    Shape `[..., country, component]`; exact where `du` solves the linearised equilibrium. `u`, `du` and the wedges may
    have leading batch axes.
    """
    state, d = State.of(u, model.n, model.j), State.of(du, model.n, model.j)
    flows = model.flows(state, wedges)
    dtau, depsilon, dsigma = change[0], change[1], change[2][:, None]
    dcost = model.unit_cost(d)
    dprice = dcost[..., :, None, :] + dtau + depsilon - dsigma
    dquantity = model.theta * (d.price[..., None, :, :] - dprice) + d.expenditure[..., None, :, :] - dprice
    tariff, tariff_slope = importer_share_along(model.accounting, wedges, change)
    export_tax, subsidy = outlays(model.accounting, *wedges)
    # Q db by flow: b = p (1 - tariff share), so Q db = X (1 - share) dlogp - X dshare.
    abroad = ~torch.eye(model.n, dtype=torch.bool)[:, :, None]
    border = flows * (1 - tariff) * abroad
    dborder = border * dprice - flows * tariff_slope * abroad
    exports, imports, bought = dborder.sum((-2, -1)), dborder.sum((-3, -1)), border.sum((-3, -1))
    held, moved, supplied = model.transfer, torch.zeros_like(imports), torch.zeros_like(imports)
    if model.closure is not None:
        held, moved, supplied = _of_closure(model.closure, model, state, d)
    valued = -held * imports / torch.where(bought > 0, bought, 1.0)
    revenue = model.revenue * (state.wage[..., None] + state.labour).exp() * model.sells
    parts = (
        exports - imports - valued,
        (flows * tariff * dquantity).sum((-3, -1)),
        (flows * export_tax * dquantity).sum((-2, -1)),
        -(flows * subsidy * dquantity).sum((-2, -1)),
        (revenue * model.psi * d.labour).sum(-1),
        moved + valued,
        supplied * model.incomes(state, wedges)[0],
    )
    return torch.stack(parts, dim=-1) / (model.income * state.income.exp())[..., None]


def _of_closure(closure: Closure, model: TradeModel, state: State, d: State) -> tuple[Tensor, Tensor, Tensor]:
    """Transfers, their change, and the change of log labour supplied, `[..., country]` each."""
    rows = [
        table.reshape(-1, model.n) for s in (state, d) for table in (s.wage, s.income, (model.alpha * s.price).sum(-1))
    ]
    out = []
    for wage, income, index, *change in zip(*rows, strict=True):
        at = closure.at(wage, income, index)
        supply, transfer = at.push(*(part[:, None] for part in change))
        out.append(torch.stack((at.transfer, transfer[:, 0], supply[:, 0])))
    held, moved, supplied = torch.stack(out, 1).reshape(3, *state.wage.shape)
    return held, moved, supplied
