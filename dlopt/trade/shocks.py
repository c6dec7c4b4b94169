"""Shocks beside policies: trade costs, productivity and labour change.

In exact hats a change of iceberg costs by the factor d and of productivity by T multiplies the weight of origin i in
what n buys of j by `(T_i / d_in)^theta`; a change of labour by L multiplies the labour there is, with it value added
at given wages. Nothing else in the equations changes, and no government collects anything on melted goods. Costs may be
infinite: the flow then ends, exactly. Every verb takes a shock: all changes are then relative to the baseline before
it, and play begins in the equilibrium after it. `shocked` makes the world after a shock a baseline of its own.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.trade.accounting import AccountingWord
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE
from dlopt.trade.closure import DeficitsWord
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
        labour: of the labour there is, `[country]`; 1.1 is 10 % more. Real income is that of the whole economy.
    """

    cost: Tensor | None = None
    productivity: Tensor | None = None
    labour: Tensor | None = None

    @property
    def sha256(self) -> str:
        """Of its factors: where numbers come from."""
        sha = hashlib.sha256()
        for field in dataclasses.fields(self):
            factor: Tensor | None = getattr(self, field.name)
            sha.update(field.name.encode())
            if factor is not None:
                sha.update(factor.to(torch.float64).contiguous().numpy().tobytes())
        return sha.hexdigest()

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
    from dlopt.trade.api import build_model  # which makes use of this module

    model = build_model(calibration, accounting, deficits, psi_scale, shocks=shock)
    flows = model.flows(State.of(model.start, model.n, model.j), model.wedges0)
    residual = float(model.residual(model.start, model.wedges0).abs().max())
    world = dataclasses.replace(model.calibration, trade=flows)
    return Shocked(world, 100 * model.log_real_income(model.start).expm1(), residual)


def struck(model: TradeModel, shock: Shock) -> TradeModel:
    """The model after a shock: hats stay relative to the baseline before it, and `start` is the equilibrium after it.

    Raises:
        ShockError: factors of the wrong shape or not positive, or no equilibrium.
    """
    weight, labour = _factors(shock, model)
    if not bool((weight != 1).any() | (labour != 1).any()):
        return model
    found, after = _follow(model, weight, labour)
    if found.outcome is not Outcome.CONVERGED or not found.residual <= EQUILIBRIUM_TOLERANCE:
        raise ShockError(f"No equilibrium was found after the shock: {found.outcome.remedy} Make the shock smaller.")
    after.start, after.shock = found.u, shock
    if after.carbon is not None:
        after.carbon = after.carbon.after(after.sells, shock.productivity)
    return after


def _factors(shock: Shock, model: TradeModel) -> tuple[Tensor, Tensor]:
    """`(T/d)^theta`, `[origin, destination, sector]`, and L, `[country]`."""
    weight, labour = torch.ones_like(model.trade), torch.ones_like(model.income)
    for name, factor, shape in (
        ("cost", shock.cost, model.trade.shape), ("productivity", shock.productivity, model.revenue.shape),
        ("labour", shock.labour, model.income.shape),
    ):  # fmt: skip
        if factor is None:
            continue
        if factor.shape != shape:
            raise ShockError(f"{name} has shape {tuple(factor.shape)}; it must be {tuple(shape)}.")
        if not bool((factor > 0).all()) or (name != "cost" and not bool(factor.isfinite().all())):
            raise ShockError(f"{name} holds {float(factor.min()):g}: factors are above 0, and 1 changes nothing.")
        log = factor.to(weight.dtype).log()
        if name == "labour":
            labour = log.exp()
        elif name == "cost":
            weight = weight * (-model.theta * log).exp()
        else:
            weight = weight * (model.theta * log[:, None]).exp()
    return weight, labour


def _weighted(model: TradeModel, weight: Tensor, labour: Tensor) -> TradeModel:
    """The model in which every origin's weight in what is bought is multiplied, and the labour of every country.

    What nobody buys any more is no longer produced: its cells drop out of the equations.
    """
    after = copy.copy(model)
    after.trade, after.lam = model.trade * weight, model.lam * weight
    after.sells = model.sells & (after.trade > 0).any(1)
    nowhere = (model.buys & ~(after.trade > 0).any(0)).nonzero()
    if len(nowhere):
        n, j = (int(k) for k in nowhere[0])
        c = model.calibration
        raise ShockError(
            f"After the shock nobody supplies {c.economies[n]} with sector {c.sectors[j]} ({c.sector_names[j]}), which "
            f"it needs ({len(nowhere)} such cells): its price would be infinite. Leave some supplier in that sector."
        )
    after.use = model.use * after.sells[:, None, :]
    after.labour_share = model.labour_share * after.sells / labour[:, None]
    after.trading_blocs()
    if model.closure is not None:
        after.closure = dataclasses.replace(model.closure, labour=labour)
    after.value_added, after.world_share = model.value_added * labour, after.world_share * labour
    return after


def _follow(model: TradeModel, weight: Tensor, labour: Tensor) -> tuple[Equilibrium, TradeModel]:
    """From the baseline, where all factors are one, in steps that adapt to what Newton can follow."""
    u, done, step = model.start, 0.0, 1.0
    while True:
        target = min(1.0, done + step)
        stage = _weighted(model, 1 + target * (weight - 1), 1 + target * (labour - 1))
        found = find_equilibrium(stage, model.wedges0, u, continuation=False)
        if found.outcome is Outcome.CONVERGED:
            u, done, step = found.u, target, 2 * step
            if done >= 1:
                return found, stage
        elif step > _SMALLEST_STEP:
            step /= 4
        else:
            return found, stage
