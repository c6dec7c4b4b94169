"""Shocks beside policies: trade costs and productivity change, and the world after them is a baseline like any other.

In exact hats a change of iceberg costs by the factor d and of productivity by T multiplies the weight of origin i in
what n buys of j by `(T_i / d_in)^theta`; nothing else in the equations changes, and no government collects anything on
melted goods. Costs may be infinite: the flow then ends, exactly. After the shock the world is a consistent calibration
again, so that every question can be asked of it; changes of real income multiply.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.trade.accounting import AccountingWord
from dlopt.trade.api import build_model
from dlopt.trade.balance import DeficitsWord
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.model import State, TradeModel

_SMALLEST_STEP = 1e-4


class ShockError(DloptError):
    """A shock that cannot be, or after which no equilibrium was found."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shock:
    """Factors by which costs and productivities change; None changes nothing.

    Attributes:
        cost: d, of iceberg trade costs, `[origin, destination, sector]`; 1.1 is 10 % more, infinity ends the flow.
        productivity: T, `[country, sector]`; 1.1 is 10 % more output from the same inputs.
    """

    cost: Tensor | None = None
    productivity: Tensor | None = None

    @classmethod
    def of_costs(
        cls, world: Calibration, factor: float, origins: Sequence[str] = (), destinations: Sequence[str] = (),
        sectors: Sequence[str] = (),
    ) -> Shock:  # fmt: skip
        """Costs of cross-border trade change by one factor; no names mean all.

        Raises:
            UnknownNameError: an unknown economy or sector.
        """
        chosen = ~torch.eye(world.n_economies, dtype=torch.bool)[:, :, None].expand(world.trade.shape)
        for axis, names, find in (
            (0, origins, world.economy_index), (1, destinations, world.economy_index), (2, sectors, world.sector_index)
        ):  # fmt: skip
            if names:
                inside = torch.zeros(world.trade.shape[axis], dtype=torch.bool)
                inside[[find(name) for name in names]] = True
                chosen = chosen & inside.view([-1 if k == axis else 1 for k in range(3)])
        return cls(cost=torch.where(chosen, factor, torch.ones_like(world.trade)))

    @classmethod
    def autarky(cls, world: Calibration) -> Shock:
        """All trade between economies ends."""
        return cls.of_costs(world, torch.inf)


@dataclasses.dataclass(frozen=True, eq=False)
class Shocked:
    """The world after a shock, at unchanged policies.

    Attributes:
        world: a balanced calibration; its digest is that of its new content.
        real_income_change_pct: what the shock itself did, per cent, `[country]`.
        residual: largest log residual of the equilibrium.
    """

    world: Calibration
    real_income_change_pct: Tensor
    residual: float


def shocked(
    calibration: Calibration, shock: Shock, *, accounting: AccountingWord = "standard", deficits: DeficitsWord = "none",
    psi_scale: float = 1.0,
) -> Shocked:  # fmt: skip
    """The equilibrium after a shock at the baseline's policies, as a calibration.

    Args:
        calibration: baseline; balanced first.
        shock: what changes.
        accounting, deficits, psi_scale: as in `solve_equilibrium`; use the same for what is solved in the new world.

    Raises:
        ShockError: factors of the wrong shape or not positive, or no equilibrium.
    """
    model = build_model(calibration, accounting, deficits, psi_scale)
    weight = _weights(shock, model)
    found = _follow(model, weight)
    if found.outcome is not Outcome.CONVERGED or not found.residual <= EQUILIBRIUM_TOLERANCE:
        raise ShockError(f"No equilibrium was found after the shock: {found.outcome.remedy} Make the shock smaller.")
    after = _weighted(model, weight)
    flows = after.flows(State.of(found.u, model.n, model.j), model.wedges0)
    world = dataclasses.replace(model.calibration, trade=flows)
    return Shocked(world, 100 * model.log_welfare(found.u).expm1(), found.residual)


def _weights(shock: Shock, model: TradeModel) -> Tensor:
    """`(T/d)^theta`, `[origin, destination, sector]`."""
    weight = torch.ones_like(model.trade)
    for name, factor, shape, sign in (
        ("cost", shock.cost, model.trade.shape, -1), ("productivity", shock.productivity, model.revenue.shape, 1)
    ):  # fmt: skip
        if factor is None:
            continue
        if factor.shape != shape:
            raise ShockError(f"{name} has shape {tuple(factor.shape)}; it must be {tuple(shape)}.")
        if not bool((factor > 0).all()) or (sign > 0 and not bool(factor.isfinite().all())):
            raise ShockError(f"{name} holds {float(factor.min()):g}: factors are above 0, and 1 changes nothing.")
        log = factor.to(weight.dtype).log()
        weight = weight * (sign * model.theta * (log if sign < 0 else log[:, None])).exp()
    return weight


def _weighted(model: TradeModel, weight: Tensor) -> TradeModel:
    """The model in which every origin's weight in what is bought is multiplied; hats stay relative to the baseline."""
    after = TradeModel(
        model.calibration, model.accounting, model.psi_scale, model.transfer, check=False, given=model.given
    )
    after.trade, after.lam = model.trade * weight, model.lam * weight
    return after


def _follow(model: TradeModel, weight: Tensor) -> Equilibrium:
    """From the baseline, where all weights are one, in steps that adapt to what Newton can follow."""
    u, done, step = torch.zeros(model.size, dtype=model.theta.dtype), 0.0, 1.0
    while True:
        target = min(1.0, done + step)
        stage = _weighted(model, 1 + target * (weight - 1))
        found = find_equilibrium(stage, model.wedges0, u, continuation=False)
        if found.outcome is Outcome.CONVERGED:
            u, done, step = found.u, target, 2 * step
            if done >= 1:
                return found
        elif step > _SMALLEST_STEP:
            step /= 4
        else:
            return found
