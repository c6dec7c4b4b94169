"""The equilibrium under given policies, by chord Newton with continuation in the policies."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from dlopt.framework.linear import LinearSolver
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions, solve_root
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.model import LogWedges, TradeModel, between
from dlopt.trade.sectors import SectorModel
from dlopt.trade.wages import collapses, settle

_POLISH = 5  # corrections


@dataclasses.dataclass(frozen=True)
class Equilibrium:
    """An equilibrium, or how far the search for it came.

    Attributes:
        outcome: of the last solve.
        u: unknowns, `[2N + 3NJ]` (see `dlopt.trade.model.State`).
        wedges: the log wedges it belongs to.
        residual: largest absolute log residual.
        iterations: Newton steps, all continuation stages together.
        factorisation: of a Jacobian near `u`; None if none was made.
    """

    outcome: Outcome
    u: Tensor
    wedges: LogWedges
    residual: float
    iterations: int
    factorisation: LinearSolver | None


def find_equilibrium(
    model: TradeModel,
    wedges: LogWedges,
    start: Tensor | None = None,
    options: RootOptions = RootOptions(),
    factorisation: LinearSolver | None = None,
    continuation: bool = True,
) -> Equilibrium:
    """Solve the model under `wedges`.

    Newton from `start` (default: the baseline; where labour is the only cost and tariffs the only policies, wages at
    which labour markets clear). Where it fails and `continuation` is allowed, the policies are moved
    from the baseline's to `wedges` in steps that adapt to what Newton can follow; theta*psi near one and large
    subsidies need it.
    """
    u = start if start is not None else _begin(model, wedges)
    direct = _newton(model, wedges, u, options, factorisation)
    if direct.outcome is Outcome.CONVERGED or not continuation:
        return direct
    done, step, iterations = 0.0, 0.25, direct.iterations
    u = model.start
    previous: tuple[float, Tensor] | None = None
    current: LinearSolver | None = None
    while done < 1:
        target = min(1.0, done + step)
        stage = between(model.wedges0, wedges, target)
        guess = u if previous is None else u + (target - done) / (done - previous[0]) * (u - previous[1])
        attempt = _newton(model, stage, guess, options, current)
        iterations += attempt.iterations
        if attempt.outcome is Outcome.CONVERGED:
            previous = (done, u)
            u, done, current = attempt.u, target, attempt.factorisation
            step *= 1.5 if attempt.iterations > 8 else 2.0
        elif step > 1e-3:
            step /= 3
            current = None
        else:
            return dataclasses.replace(attempt, iterations=iterations)
    return dataclasses.replace(attempt, wedges=wedges, iterations=iterations)


def polished(model: TradeModel, found: Equilibrium, factors: LinearSolver) -> Equilibrium:
    """The same equilibrium as exact as rounding allows: differences between neighbours then hold no solver's error.

    Args:
        model: the model.
        found: converged.
        factors: of the Jacobian near it.
    """
    factors = found.factorisation or factors
    equations, u = model.equations(found.wedges), found.u
    r = equations(u)
    norm = float(r.abs().max())
    for _ in range(_POLISH):
        trial = u - factors.solve(r)
        r = equations(trial)
        left = float(r.abs().max())
        if not left < norm:
            break
        rounded = left > norm / 2
        u, norm = trial, left
        if rounded:
            break
    return dataclasses.replace(found, u=u, residual=norm)


def _begin(model: TradeModel, wedges: LogWedges) -> Tensor:
    """The baseline, or the equilibrium where wages say everything."""
    tau, epsilon, sigma = wedges
    if not collapses(model, epsilon, sigma):
        return model.start
    world = SectorModel(model)
    found = settle(world, world.reduced(model.start)[: model.n], tau.movedim(-1, 0).contiguous(), 1e-14)
    return model.start if found is None else world.stacked(found.z(), found.expenditure())


def _newton(
    model: TradeModel, wedges: LogWedges, u: Tensor, options: RootOptions, factorisation: LinearSolver | None
) -> Equilibrium:
    result = solve_root(
        model.equations(wedges),
        lambda v: Linearisation(model, v, wedges),
        u,
        options,
        factorisation,
        Linearisation.factors,
    )
    return Equilibrium(result.outcome, result.u, wedges, result.residual, result.iterations, result.factorisation)
