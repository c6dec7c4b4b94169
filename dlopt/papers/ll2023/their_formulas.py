"""Policies with restricted entry by the formulas, as the authors' files have them, and where they lead.

`dlopt.trade.statistics` has the formulas of the paper. The files differ in two places. In first and second best the
inverse supply elasticity omega has a sum over the other markets in its denominator, 1 - sum(x), which the files write
as 1 + sum(1 - x): it is larger by the number of other markets times that of industries, here 688, and omega is nearly
zero. In third best it is zero.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.trade.calibration import Calibration
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.model import LogWedges, State, TradeModel

_ROUNDS, _SAME = 200, 1e-12


class TheirFormulasError(DloptError):
    """No policies agree with the formulas as the files have them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Led:
    """What policies by the formulas lead to.

    Attributes:
        gain_pct: real income of the economy, per cent.
        wage, income: hats, `[country]`, where baseline wages weighted by what they pay for stay one on average.
    """

    gain_pct: float
    wage: Tensor
    income: Tensor


def led(model: TradeModel, economy: str, best: str) -> Led:
    """The equilibrium with policies that are what the formulas say of it.

    Args:
        model: of `ll2023_restricted`.
        economy: who chooses.
        best: `first`, `second` or `third`.

    Raises:
        TheirFormulasError: none was found.
    """
    home, wedges, u = model.calibration.economy_index(economy), model.wedges0, model.start
    for _ in range(_ROUNDS):
        said = _said(model, u, wedges, home, best)
        move = max(float((a - b).abs().max()) for a, b in zip(said, wedges, strict=True))
        wedges = said
        found = find_equilibrium(model, wedges, u)
        if found.outcome is not Outcome.CONVERGED:
            raise TheirFormulasError(f"{economy}, {best} best: the formulas lead to no equilibrium. Ask for others.")
        u = found.u
        if move <= _SAME:
            state = State.of(u, model.n, model.j)
            weight = _wages(model.calibration)
            level = float((weight * state.wage.exp()).sum() / weight.sum())
            gain = float(100 * model.log_real_income(u)[home].expm1())
            return Led(gain, state.wage.exp() / level, state.income.exp() / level)
    raise TheirFormulasError(f"{economy}, {best} best: the formulas did not settle (last change {move:.1e}).")


def _wages(world: Calibration) -> Tensor:
    """Baseline wage bills, `[country]`."""
    return (world.trade / ((1 + world.tariff) * (1 - world.subsidy[:, None]))).sum((1, 2))


def _said(model: TradeModel, u: Tensor, wedges: LogWedges, home: int, best: str) -> LogWedges:
    """Log wedges that the formulas ask of `home` at an equilibrium; the others keep the baseline's."""
    mu = -model.calibration.subsidy
    flows = model.flows(State.of(u, model.n, model.j), wedges)
    share = flows / flows.sum(0)
    paid = flows * (-wedges[0] - wedges[1]).exp()
    bill = (paid / (1 + mu[:, None])).sum((1, 2)), (paid * (mu / (1 + mu))[:, None]).sum((1, 2))
    mean = bill[1] / bill[0]
    omega = torch.zeros_like(share[:, home])
    if best != "third":
        excess = (mu - mean[:, None]) / (1 + mu)
        rho = paid / paid.sum((1, 2), keepdim=True)
        other = torch.arange(model.n) != home
        asked = 1 - excess[:, None] * rho * (1 + model.theta * (1 - share))
        omega = -excess * (rho[:, home].sum(1) / (1 + asked[:, other].sum((1, 2))))[:, None]
        omega[home] = 0.0
    m = torch.ones_like(mu[home]) if best == "first" else (1 + mean[home]) / (1 + mu[home])
    own, rest = share[home, home], 1 - share[home]
    tariff = (1 + omega) * ((1 + model.theta * own) / (1 + m * model.theta * own))
    tau, epsilon, sigma = (wedge.clone() for wedge in model.wedges0)
    if best == "third":
        away = torch.arange(model.n) != home
        sold = (flows * (-wedges[0]).exp())[home][away]
        tariff = tariff * (1 + sold.sum() / (sold * model.theta * rest[away]).sum())
    else:
        epsilon[home] = (m * (1 + 1 / (model.theta * rest))).log() - (
            1 + torch.einsum("jk,jnk->nk", omega, share) / rest
        ).log()
        epsilon[home, home] = 0.0
    tau[:, home] = tariff.log()
    tau[home, home] = 0.0
    if best == "first":
        sigma[home] = 0.0
    return tau, epsilon, sigma
