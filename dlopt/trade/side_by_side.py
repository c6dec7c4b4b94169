"""Many worlds side by side, each under policies of its own: what makes a search for deviations cheap.

The worlds lie near a common point whose preconditioner serves them all. Each has its own Newton steps, step lengths and
Krylov spaces, so that none changes what another finds but by rounding; tables of small worlds are so small that ten
cost little more than one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework.linear import LinearMap, gmres_apart
from dlopt.trade.krylov import Preconditioner
from dlopt.trade.model import LogWedges
from dlopt.trade.sectors import SectorModel, SectorPoint

ACCEPTED = 1e-11
"""Residual of an equilibrium where rounding ends the search."""
_NEWTON = 25  # steps
_HALVINGS = 6
_FORCING = 0.1  # relative residual of a Newton step far from the equilibrium, which is no nearer after a better one


def settle_side_by_side(
    world: SectorModel, z: Tensor, wedges: LogWedges, preconditioner: Preconditioner, tolerance: Tensor
) -> tuple[SectorPoint, Tensor]:
    """Equilibria by Newton-GMRES, and where one was found, bool `[world]`; elsewhere the start is handed back.

    Args:
        world: constants.
        z: where to begin, `[world, unknown]`.
        wedges: log wedges, the sector first after the worlds.
        preconditioner: of a point near by.
        tolerance: residual aimed at, `[world]`.
    """
    begin = z
    at = SectorPoint(world, z, wedges)
    residual = _largest(at)
    lost, settled = residual == torch.inf, residual <= tolerance
    for _ in range(_NEWTON):
        moving = ~(lost | settled)
        if not bool(moving.any()):
            break
        exact = torch.maximum(residual.clamp(max=_FORCING), 0.3 * tolerance / residual).clamp(1e-9, 0.1)
        rhs = torch.where(moving[:, None], at.residual, 0.0).T
        step = gmres_apart(_product(at), preconditioner.solve, rhs, None, exact, cycles=2, space=preconditioner.kind).T
        scale = (1.0 / step.abs().amax(1).clamp(min=1e-300)).clamp(max=1.0)
        for _ in range(_HALVINGS):
            trial = at.at(z - scale[:, None] * step)
            left = _largest(trial)
            taken = (left < (1 - scale / 4) * residual) | (left <= tolerance) | ~moving
            if bool(taken.all()):
                break
            scale = torch.where(taken, scale, scale / 2)
        if not bool(taken.all()):  # rounding ends the search, or there is no equilibrium near by
            settled = settled | (~taken & (residual <= ACCEPTED))
            lost = lost | (~taken & ~settled)
            back = torch.where(lost[:, None], begin, z)
            trial = at.at(torch.where(taken[:, None], trial.z, back))
            left = _largest(trial)
        at, z, residual = trial, trial.z, left
        settled = settled | (residual <= tolerance)
    return at, settled & ~lost


def multipliers_side_by_side(
    at: SectorPoint, rhs: Tensor, start: Tensor, preconditioner: Preconditioner, tolerance: Tensor
) -> Tensor:
    """mu with F_z' mu = rhs in every world, `[unknown, world]`.

    Args:
        at: weights of all worlds.
        rhs, start: `[unknown, world]`.
        preconditioner: as in `settle_side_by_side`.
        tolerance: residual aimed at, relative, `[world]`.
    """

    def product(mu: Tensor) -> Tensor:
        return at.transposed(mu.T.contiguous()[..., None])[..., 0].T

    precondition, kind = preconditioner.solve_transposed, preconditioner.kind
    return gmres_apart(product, precondition, rhs, start, tolerance, cycles=5, space=kind)


def _product(at: SectorPoint) -> LinearMap:
    return lambda z: at.product(z.T.contiguous()[..., None])[..., 0].T


def _largest(at: SectorPoint) -> Tensor:
    return at.residual.abs().amax(1).nan_to_num(nan=torch.inf, posinf=torch.inf)
