"""Games in which carbon has a price: the trade game with wedges that move with unit costs.

The equations are those of the base model at effective wedges w(u, a) (`dlopt.trade.carbon_wedges`). First and second
derivatives are the base model's, chained:

    G_u = F_u + F_w w_u,    G_a = F_w w_a,
    grad^2 (mu'F) along (du, dw) plus (F_w' mu) grad^2 w.

Systems are dense: prices of carbon are for worlds whose Jacobian can be factorised (docs/scaling.md).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.game import Point
from dlopt.framework.linear import LinearSolver
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions, solve_root
from dlopt.trade.carbon import CarbonError
from dlopt.trade.carbon_wedges import Cells, Charges, ChargesAt, gram
from dlopt.trade.curvature import Curvature
from dlopt.trade.derivatives import Linearisation, offsets
from dlopt.trade.equilibrium import Equilibrium
from dlopt.trade.factors import EquilibriumFactors
from dlopt.trade.game import Objective, TradeGame, TradePoint
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.wedges import WedgeJacobian

LARGEST = 12_000
"""Unknowns up to which a price of carbon is allowed: Jacobians are dense."""
_NEAR = RootOptions(max_iterations=20, shortest=0.2)
_SMALLEST_STEP = 1e-3


class PricedLinearisation(Linearisation):
    """The base model's at the effective wedges, and how these move.

    Args:
        model: the model, with emissions.
        u: unknowns, `[2N + 3NJ]`.
        charges: rates and prices of carbon.
    """

    def __init__(self, model: TradeModel, u: Tensor, charges: Charges) -> None:
        self.charges = ChargesAt(charges, model, u)
        super().__init__(model, u, self.charges.wedges)

    def factors(self) -> LinearSolver:
        """Solves with the Jacobian and its transpose, by factors."""
        return PricedFactors(self)

    def by_cells(self, cells: Cells) -> list[tuple[Tensor, Tensor]]:
        """Derivative of the residual with respect to something that moves the three wedges of each flow so."""
        base = self.wedge_cells().values()
        rows = [row for row, _ in next(iter(base))]
        values = [torch.zeros_like(self.share) for _ in rows]
        for entries, move in zip(base, cells, strict=True):
            for k, (_, value) in enumerate(entries):
                values[k] = values[k] + value * move
        return list(zip(rows, values, strict=True))


class PricedFactors(EquilibriumFactors):
    """Factors of F_u + F_w w_u: wedges depend on unit costs, no expenditure on either."""

    def _matrix(self, lin: Linearisation, use: Tensor, buys: Tensor) -> Tensor:
        assert isinstance(lin, PricedLinearisation)
        out = super()._matrix(lin, use, buys)
        m, n, j = lin.model, lin.model.n, lin.model.j
        by_cost = out.new_zeros((m.size, n * j))
        column = torch.arange(n * j).view(n, 1, j).expand(n, n, j)
        for row, value in lin.by_cells(lin.charges.cost_slopes()):
            by_cost.index_put_((row, column), value, accumulate=True)
        _, _, lab, p, x = offsets(n, j)
        cost = out.new_zeros((n, j, x))
        country, sector = torch.arange(n), torch.arange(j)
        cost[country, :, country] = m.beta
        cost[:, :, lab:p].view(n, j, n, j)[country[:, None], sector, country[:, None], sector] = -m.psi.expand(n, j)
        cost[:, :, p:x].view(n, j, n, j)[country, :, country] = m.materials.transpose(1, 2)
        return out + by_cost[:x] @ cost.view(n * j, x)


def equilibrium_with_prices(
    model: TradeModel, charges: Charges, start: Tensor | None = None, options: RootOptions = RootOptions(),
    factorisation: LinearSolver | None = None, continuation: bool = True,
) -> Equilibrium:  # fmt: skip
    """The equilibrium under rates and prices of carbon (see `dlopt.trade.equilibrium.find_equilibrium`).

    Raises:
        CarbonError: the world is too large.
    """
    if model.size > LARGEST:
        raise CarbonError(
            f"A price of carbon is for worlds of up to {LARGEST:,} unknowns, and this one has {model.size:,}: put "
            "economies or sectors together. Damages and emissions without a price have no limit."
        )

    def newton(at: Charges, u: Tensor, factors: LinearSolver | None) -> Equilibrium:
        found = solve_root(
            lambda v: model.residual(v, at.effective(model, v)), lambda v: PricedLinearisation(model, v, at), u,
            options, factors, PricedLinearisation.factors,
        )  # fmt: skip
        wedges = at.effective(model, found.u)
        return Equilibrium(found.outcome, found.u, wedges, found.residual, found.iterations, found.factorisation)

    direct = newton(charges, model.start if start is None else start, factorisation)
    if direct.outcome is Outcome.CONVERGED or not continuation:
        return direct
    u, done, step, attempt = model.start, 0.0, 0.25, direct
    while done < 1 and step > _SMALLEST_STEP:
        target = min(1.0, done + step)
        attempt = newton(charges.share(target, model.wedges0), u, None)
        if attempt.outcome is Outcome.CONVERGED:
            u, done, step = attempt.u, target, 2 * step
        else:
            step /= 3
    return attempt


class PricedJacobian(WedgeJacobian):
    """G_a, `[unknown, instrument]`, without its zeros.

    Args:
        linearisation: weights at the point.
        instruments: who chooses which cells.
    """

    def __init__(self, linearisation: PricedLinearisation, instruments: Instruments) -> None:
        self._size, self._count = linearisation.model.size, instruments.count
        rows, columns, values = [], [], []
        for which, (index, weight) in enumerate(chosen_cells(linearisation.model, instruments)):
            here = index >= 0
            if not bool(here.any()):
                continue
            for row, value in linearisation.by_cells(linearisation.charges.slopes(which)):
                rows.append(row[here])
                columns.append(index[here])
                values.append((value * weight)[here])
        self._rows, self._columns, self._values = torch.cat(rows), torch.cat(columns), torch.cat(values)


def chosen_cells(model: TradeModel, instruments: Instruments) -> list[tuple[Tensor, Tensor]]:
    """Of tau, epsilon, sigma, A and B: the instrument of each flow, and what a unit of it does there.

    `[origin, destination, sector]` each; -1 where fixed.
    """
    shape, one = model.trade.shape, torch.ones_like(model.trade)
    found = [(index, one) for index in instruments.cells()]
    if instruments.unit is not None:
        assert model.carbon is not None
        assert instruments.carbon is not None
        assert instruments.border is not None
        carbon = instruments.carbon[:, None].expand(shape)
        for index, intensity in (
            (carbon, model.carbon.intensity), (instruments.border, model.carbon.border_intensity)
        ):  # fmt: skip
            found.append((index, instruments.unit[index.clamp(min=0)] * intensity[:, None]))
    return found


class PricedGame(TradeGame):
    """A `TradeGame` in which somebody pays for carbon (see `TradeGame` for the arguments)."""

    def __init__(
        self, model: TradeModel, instruments: Instruments, objective: Objective | None = None,
        fixed: LogWedges | None = None, inner: str = "chord",
    ) -> None:  # fmt: skip
        if inner != "chord":
            raise CarbonError(f"solver.inner={inner} knows no prices of carbon: take solver.inner=chord.")
        super().__init__(model, instruments, objective, fixed, inner)

    @property
    def large(self) -> Any:
        """None: first-order conditions are those of the points."""
        return None

    def charges(self, a: Tensor) -> Charges:
        """Rates and prices of carbon at instruments `a`, `[instrument]`."""
        assert self.model.carbon is not None
        wedges = self.instruments.apply(a, self.fixed)
        return Charges.of(self.model.carbon, wedges, a, self.instruments)

    def point(self, a: Tensor, near: Point | None = None) -> PricedPoint | None:
        """See `TradeGame.point`."""
        charges = self.charges(a)
        if isinstance(near, PricedPoint):
            found = equilibrium_with_prices(
                self.model, charges, near.tangent(a), _NEAR, near.factorisation, continuation=False
            )
        else:
            found = equilibrium_with_prices(self.model, charges)
        return PricedPoint(self, a, found) if found.outcome is Outcome.CONVERGED else None

    def restore(self, state: dict[str, Any]) -> PricedPoint:
        """See `TradeGame.restore`."""
        a, u, residual = state["a"], state["u"], state["residual"]
        wedges = self.charges(a).effective(self.model, u)
        point = PricedPoint(self, a, Equilibrium(Outcome.CONVERGED, u, wedges, residual, 0, None))
        point.jointly = state["jointly"]
        return point

    def adopt(self, point: TradePoint) -> PricedPoint:
        """See `TradeGame.adopt`."""
        return PricedPoint(self, point.a, point.equilibrium)


class PricedPoint(TradePoint):
    """A `TradePoint` whose wedges move with the equilibrium."""

    game: PricedGame

    @cached_property
    def linearisation(self) -> PricedLinearisation:
        """Weights of all terms at the equilibrium."""
        return PricedLinearisation(self.game.model, self.equilibrium.u, self.game.charges(self.a))

    @cached_property
    def _wedge_jacobian(self) -> PricedJacobian:
        return PricedJacobian(self.linearisation, self.game.instruments)

    def own_sizes(self) -> tuple[Tensor, Tensor]:
        """Own derivatives, `[instrument]`; no formula gives sizes of the own curvature."""
        own = self.gradient().gather(0, self.game.owner[None, :]).squeeze(0)
        return own, torch.zeros_like(own)

    def _hessian(self, player: int, own: Tensor, joint: bool) -> Tensor:
        model, rows = self.game.model, self.game.form_rows
        columns = torch.arange(len(self.a)) if joint else own
        everyone = self.sensitivity if joint else self._own_sensitivity(own)
        mine = everyone[:, own] if joint else everyone
        mu = self.multipliers[:, player]
        curvature, at = Curvature(self.linearisation, mu), self.linearisation.charges
        moved = at.along(self._costs(everyone), self._moves(columns))
        mine_moved = at.along(self._costs(mine), self._moves(own)) if joint else moved
        weights = tuple(
            sum((mu[row] * value for row, value in entries), torch.zeros_like(model.trade))
            for entries in self.linearisation.wedge_cells().values()
        )
        outer = self._form_hessian(player) @ (rows @ mine)
        out = (rows.T @ outer - curvature.along(mine)).T @ everyone
        here, all_here = curvature.by_cell(mine), curvature.by_cell(everyone) if joint else None
        one = torch.ones_like(model.trade)
        for k in range(3):
            out = out - gram(one, here[k], moved.wedges[k])
            out = out - gram(one, mine_moved.wedges[k], here[k] if all_here is None else all_here[k])
            for other in range(3):
                out = out - gram(curvature.of_wedges(k, other), mine_moved.wedges[k], moved.wedges[other])
        out = out - at.second((weights[0], weights[1], weights[2]), mine_moved, moved)
        return out if joint else (out + out.T) / 2

    def _costs(self, du: Tensor) -> Tensor:
        """Change of log unit costs by flow, `[country, 1, sector, column]`."""
        m, n, j = self.game.model, self.game.model.n, self.game.model.j
        _, _, lab, p, x = offsets(n, j)
        labour, price = du[lab:p].view(n, j, -1), du[p:x].view(n, j, -1)
        cost = m.beta[:, :, None] * du[:n, None] - m.psi[:, None] * labour + m.materials.transpose(1, 2) @ price
        return cost[:, None]

    def _moves(self, columns: Tensor) -> tuple[Tensor, ...]:
        """What instruments do to tau, epsilon, sigma, A and B by flow, `[origin, destination, sector, column]`."""
        out = []
        for index, weight in chosen_cells(self.game.model, self.game.instruments):
            out.append((index[..., None] == columns) * weight[..., None])
        while len(out) < 5:
            out.append(self.a.new_zeros((1, 1, 1, len(columns))))
        return tuple(out)
