"""Training of all parties' value functions at once: the usual training, with a residual for each party.

Delegates decide by the values as they stand, so that each step of the training is a small step of all best replies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlopt.choice.certificate import CUTOFF, WORST
from dlopt.choice.model import State
from dlopt.choice.production.delegates.evaluation import doing
from dlopt.choice.production.delegates.value import PartiesValue
from dlopt.choice.simulation import advance
from dlopt.choice.training import Trainer


class DelegatesTrainer(Trainer):
    """`Trainer` of a `PartiesValue`: residuals are `[B, P]`, each in units of what the control variate leaves it."""

    value: PartiesValue  # type: ignore[assignment]
    unit: Tensor  # type: ignore[assignment]

    def _set_scale(self) -> float:
        residual, value = self._pool_residual()
        size = self.model.rho * value.abs().mean(0)
        spread = residual - residual.mean(0)
        self.unit = torch.maximum(spread.square().mean(0).sqrt(), 1e-6 * size)
        self.value.scale.copy_(self.unit / (4 * self.model.rho))
        return float((spread.abs().mean(0) / size.clamp_min(1e-12)).max())

    def _hjb_losses(self, state: State, n: int) -> tuple[list[Tensor], Tensor]:
        size = len(state)
        found = [self.value.residuals(state.rows(piece)) for piece in self.ranks.pieces(size)]
        residuals = [residual / self.unit for residual, _, _ in found]
        average = self.ranks.whole([residual.detach() for residual in residuals], size)[:n].mean(0)
        marginal = self.ranks.whole([deciding for _, _, deciding in found], size)[:n]
        return [(residual - average).square().mean(1).sum() / size for residual in residuals], marginal

    def _pool_losses(self, some: slice) -> tuple[Tensor, Tensor]:
        """The paper's losses are not those of this problem."""
        nothing = self.pool.x.new_full((1,), math.nan)
        return nothing, nothing


def refine(value: PartiesValue, states: State, years: float, generator: torch.Generator, weights: bool) -> None:
    """`certificate.refine` for every party: output weights and constants that make V right along simulated paths.

    What is done is the same for all parties but the planner, and so is the linear system; her decisions are hers. A
    party for which the network as trained, or the control variate without it, has smaller residuals keeps that.
    """
    model, network = value.model, value.network
    value.unrefine()
    size, parties = len(network.refined) + 1, model.parties
    products = torch.zeros(2, size, size, dtype=torch.float64, device=states.x.device)
    against = torch.zeros(size, parties, dtype=torch.float64, device=states.x.device)
    at = states
    for _ in range(max(1, int(years))):
        with torch.no_grad():
            residual, evaluation, deciding = value.residuals(at)
            for k, marginal in enumerate((deciding, evaluation.worth[:, model.planner])):
                units, change = network.basis_at(model, at, doing(model, at, marginal).rate)
                one = units.new_ones(len(at), 1)
                units, change = torch.cat([units, one], 1).double(), torch.cat([change, -model.rho * one], 1).double()
                products[k] += units.T @ change / len(at)
            against -= units.T @ residual.double() / len(at)
        at = advance(model, at, deciding, 1.0, generator)
    kept = network.refined.clone(), value.level.clone()  # zeros
    constant = against[-1] / products[0, -1, -1]
    candidates = [(kept[0], constant.to(kept[1]))]
    if weights:
        scaled = products.diagonal(dim1=1, dim2=2).abs().clamp_min(1e-30).rsqrt()
        fits = []
        for k, columns in enumerate((slice(0, model.planner), slice(model.planner, None))):
            system = scaled[k][:, None] * products[k] * scaled[k]
            right = scaled[k][:, None] * against[:, columns]
            solved = torch.linalg.lstsq(system.cpu(), right.cpu(), rcond=CUTOFF, driver="gelsd").solution.to(right)
            fits.append(scaled[k][:, None] * solved)
        fit = torch.cat(fits, 1)
        candidates.insert(0, ((fit[:-1] / value.scale).to(kept[0]), fit[-1].to(kept[1])))
    network.refined.copy_(-network.output.detach())  # the control variate and a constant
    mean = value.residual(states)[0].mean(0) / model.rho
    candidates.append((-network.output.detach(), mean))
    errors = []
    for weight, level in candidates:
        network.refined.copy_(weight)
        value.level.copy_(level)
        errors.append(value.residual(states)[0].abs().mean(0))
    if weights:
        errors[0] = errors[0] / WORST  # chosen for the mean along paths, not for the size of the residual
    best = torch.stack(errors).argmin(0)
    for k, (weight, level) in enumerate(candidates):
        network.refined[:, best == k], value.level[best == k] = weight[:, best == k], level[best == k]
