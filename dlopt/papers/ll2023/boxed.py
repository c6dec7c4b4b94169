"""Second and third best with free entry, as the authors' files search them: taxes and equilibrium at once, in a box.

Against an aggregate of all others their optimiser has wages, incomes, industries' shares of labour and the taxes as
unknowns, and the equations of the equilibrium as constraints. Bounds hold for all of them: hats of wages and incomes
between 0.75 and 1.5, hats of shares of labour between 0.25 and 4. Where the best policies move an industry by more,
the bound keeps them from it. The method here is SciPy's sequential quadratic programming, from the authors' start;
theirs is MATLAB's.
"""

from __future__ import annotations

import dataclasses

import torch
from scipy.optimize import minimize
from torch import Tensor

from dlopt.trade.calibration import Calibration

LEVELS, SHARES, TARIFF, EXPORT = (0.75, 1.5), (0.25, 4.0), (0.75, 2.0), (0.75, 4.0)
"""Bounds of hats of wages and incomes, of hats of shares of labour, of one plus the tariff, and plus the export tax."""
_TAX_AT_START, _TARIFF_AT_START, _EXPORT_AT_START = 1.25, 1.0, 1.5
_OTHERWISE = "SVN"
"""The economy whose second best they start from no tariffs and export taxes of a half; all others at a quarter each."""
_ROUNDS, _CLOSE, _MET = 1000, 1e-12, 1e-8


@dataclasses.dataclass(frozen=True, eq=False)
class TheirOptimum:
    """Where the search ended.

    Attributes:
        gain_pct: real income of the economy, per cent.
        unmet: largest residual of the constraints, as a share of the economy's income.
        ended: whether the optimiser says that it is done, with the constraints met to 1e-8.
        held: sectors whose share of labour is at a bound.
    """

    gain_pct: float
    unmet: float
    ended: bool
    held: tuple[str, ...]


class _Search:
    """The problem. Unknowns: two wages and incomes, shares of labour by sector, tariffs, and export taxes if chosen."""

    def __init__(self, world: Calibration, exports: bool) -> None:
        self.theta, self.psi, self.before, self.exports = world.theta, world.psi, 1 + world.tariff, exports
        kept = world.trade / self.before
        self.wages, self.incomes = kept.sum((1, 2)), world.trade.sum((0, 2))
        self.shares = kept.sum(1) / self.wages[:, None]
        self.spent = world.trade.sum(0) / self.incomes[:, None]
        self.lots, self.j = world.trade / world.trade.sum(0), world.n_sectors

    def outcome(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gain of the second economy, per cent, and residuals in units of its income."""
        j = self.j
        wage, income, share, tariff, export = x.split((2, 2, 2 * j, j, len(x) - 4 - 3 * j))
        share = share.reshape(j, 2).mT
        one = torch.ones_like(tariff)
        import_wedge = torch.stack([torch.stack([one, tariff]), torch.stack([self.before[1, 0], one])])
        export_wedge = torch.stack([torch.stack([one, one]), torch.stack([export if self.exports else one, one])])
        prices = import_wedge / self.before * export_wedge * (wage[:, None] * share**-self.psi)[:, None]
        lots = self.lots * prices**-self.theta
        total = lots.sum(0)
        flows = lots / total * self.spent * (income * self.incomes)[:, None]
        kept = flows / (import_wedge * export_wedge)
        labour = (kept.sum(1) - share * self.shares * (wage * self.wages)[:, None]).reshape(-1)
        level = (self.wages * (wage - 1)).sum()
        taxes = (flows - flows / import_wedge).sum((0, 2)) + (flows / import_wedge - kept).sum((1, 2))
        budget = taxes + wage * self.wages - income * self.incomes
        whole = (share * self.shares).sum(1) - 1
        money = torch.cat([labour[:-1], level[None], budget]) / self.incomes[1]
        log_index = -(self.spent[1] / self.theta * total[1].log()).sum()
        return 100 * (income[1].log() - log_index).expm1(), torch.cat([money, 100 * whole])


def their_optimum(world: Calibration, best: str) -> TheirOptimum:
    """Search in the authors' box from their start.

    Args:
        world: of two, all others and the economy, balanced.
        best: `second` or `third`.
    """
    exports, j = best == "second", world.n_sectors
    search = _Search(world, exports)
    otherwise = exports and world.economies[1] == _OTHERWISE
    start = [1.0] * (4 + 2 * j) + [_TARIFF_AT_START if otherwise else _TAX_AT_START] * j
    bounds = [LEVELS] * 4 + [SHARES] * (2 * j) + [TARIFF] * j
    if exports:
        start += [_EXPORT_AT_START if otherwise else _TAX_AT_START] * j
        bounds += [EXPORT] * j

    def tensor(x: object) -> Tensor:
        return torch.as_tensor(x, dtype=world.trade.dtype)

    gain = torch.func.grad(lambda x: -search.outcome(x)[0])
    slopes = torch.func.jacrev(lambda x: search.outcome(x)[1])
    constraints = {
        "type": "eq",
        "fun": lambda x: search.outcome(tensor(x))[1].numpy(),
        "jac": lambda x: slopes(tensor(x)).numpy(),
    }
    found = minimize(
        lambda x: -float(search.outcome(tensor(x))[0]), start, jac=lambda x: gain(tensor(x)).numpy(), method="SLSQP",
        bounds=bounds, constraints=constraints, options={"maxiter": _ROUNDS, "ftol": _CLOSE},
    )  # fmt: skip
    x = tensor(found.x)
    unmet = float(search.outcome(x)[1].abs().max())
    home = x[4 : 4 + 2 * j].reshape(j, 2)[:, 1]
    held = ((home <= SHARES[0] + 1e-6) | (home >= SHARES[1] - 1e-6)).nonzero()[:, 0].tolist()
    return TheirOptimum(
        -float(found.fun), unmet, bool(found.success) and unmet <= _MET, tuple(world.sectors[k] for k in held)
    )
