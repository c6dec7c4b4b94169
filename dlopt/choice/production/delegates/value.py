"""The value functions of all parties: one control variate, one network with an output for each, a constant for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, SwitchingModel, of_pairs
from dlopt.choice.options import MethodOptions
from dlopt.choice.perceptron import SwitchNetwork
from dlopt.choice.production.delegates.control_variate import PartiesBaseline, best_replies
from dlopt.choice.production.delegates.evaluation import Evaluations, doing, residuals
from dlopt.choice.production.delegates.model import DelegatesDynamics
from dlopt.choice.production.delegates.options import check_method
from dlopt.choice.production.delegates.own_links import MendedBaseline
from dlopt.choice.production.value import LARGEST_SIZE, LinkSize
from dlopt.choice.value import PART

FITTED = 128  # states on which the tables of the control variate are judged


class PartiesNetwork(SwitchNetwork):
    """A `SwitchNetwork` with P outputs on shared layers."""

    def __init__(self, model: DelegatesDynamics, widths: list[int], generator: torch.Generator) -> None:
        super().__init__(model, widths, generator)
        empty = self.output.detach().new_zeros(widths[-1], model.parties)
        self.output = nn.Parameter(empty)
        self.register_buffer("refined", empty.clone())

    def evaluate(self, model: SwitchingModel, state: State) -> Evaluations:  # type: ignore[override]
        """Outputs, differences over the movable links, generators, outputs over the clock."""
        last, weights = self._last(model, state), self.output + self.refined
        index = model.movable(state)
        assert index is not None
        assert last.clock is not None
        assert state.z is not None
        value = last.here @ weights
        sign = 1 - 2 * state.y.gather(1, index)
        worth = (last.flipped @ weights - value[:, None]).transpose(1, 2) * sign[:, None]
        clock = (last.clock @ weights).transpose(1, 2)
        return Evaluations(value, worth, last.generator @ weights, clock, state.z)

    def basis_at(self, model: SwitchingModel, state: State, rate: Tensor) -> tuple[Tensor, Tensor]:
        """As `basis`, links changing at `rate` `[B, L]`: `[B, hidden]` twice."""
        last = self._last(model, state)
        assert last.clock is not None
        change = last.generator + (rate[:, None] @ last.flipped)[:, 0]
        change = change - (rate.sum(1, keepdim=True) + model.rho) * last.here
        return last.here, change + model.clock_rate * (last.clock - last.here[:, None]).sum(1)


class PartiesLinkSize(LinkSize):
    """First weights of a link in proportion to what it moves the price of its buyer's good by, and all prices."""

    def __init__(self, model: DelegatesDynamics) -> None:
        super().__init__(model)
        inverse = torch.linalg.inv(model.identity - model.alpha)
        influence = (model.baskets @ inverse).square().mean(0).sqrt()  # of a buyer's cost on what the parties want
        size = (influence[:, None] * model.alpha).flatten()[model.slots]
        size = size / size.square().mean().sqrt().clamp_min(1e-12)
        self.size = size.clamp_max(LARGEST_SIZE)[:, None]


class PartiesValue(nn.Module):
    """V = baseline + shift + level + scale * network for every party; `Solution` of society under the delegates.

    As a `Solution` its value is that of society and its differences are those of the delegate who decides, so that
    simulations follow the delegates. `baseline`, `network`, `shift`, `level`, `scale` as in `ValueFunction`, `[P]`.

    Attributes:
        deviating: None, or the value functions whose decisions are given to all parties but the one that decides: then
            each delegate's V is that of its best reply to them.
    """

    model: Any  # DelegatesDynamics
    conditional = None

    def __init__(
        self, model: DelegatesDynamics, baseline: MendedBaseline, network: PartiesNetwork,
        deviating: PartiesValue | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.model = model
        self.baseline, self.network = baseline, network
        self.given = (deviating,)  # in a tuple, so that its weights are not ours
        for name, start in (("scale", 1.0), ("shift", 0.0), ("level", 0.0)):
            self.register_buffer(name, model.centre.new_full((model.parties,), start))

    scale: Tensor
    shift: Tensor
    level: Tensor

    @property
    def deviating(self) -> PartiesValue | None:
        return self.given[0]

    def evaluate(self, state: State) -> Evaluations:
        """All values and what the equations need of them, with gradients to the weights."""
        with torch.no_grad():
            base = self.baseline.evaluate(state)
        return self.corrected(base, state)

    def corrected(self, base: Evaluations, state: State) -> Evaluations:
        """`evaluate`, the control variate being known."""
        return base.plus(self.network.evaluate(self.model, state), self.scale, self.shift + self.level)

    def residuals(self, state: State) -> tuple[Tensor, Evaluations, Tensor]:
        """Residuals of all equations `[B, P]`, the evaluation behind them, and what the links of a state are worth to
        the delegate who really decides `[B, L]`; with gradients.

        The equation of the planner has the rates that are best for her.
        """
        m = self.model
        assert state.z is not None
        with torch.no_grad():
            base = self.baseline.evaluate(state)
        at = self.corrected(base, state)
        deciding = at.marginal.detach()
        if self.deviating is not None:
            with torch.no_grad():
                deciding = self.deviating.corrected(base, state).marginal
        found = residuals(m, state, at, doing(m, state, deciding))
        rows = torch.arange(len(state), device=state.z.device)
        others: list[tuple[Tensor | int, Tensor]] = [(m.planner, at.worth[:, m.planner].detach())]
        if self.deviating is not None:
            others.append((state.z, at.marginal.detach()))
        for party, marginal in others:
            own = residuals(m, state, at, doing(m, state, marginal))
            found = torch.index_put(found, (rows, torch.as_tensor(party).expand_as(rows)), own[rows, party])
        return found, at, deciding

    def residual(self, state: State) -> tuple[Tensor, Evaluations]:
        """Residuals of all equations and the evaluation, without gradients, in parts that fit in memory."""
        with torch.no_grad():
            rows = range(0, max(len(state), 1), PART)
            parts = [self.residuals(state.rows(slice(k, k + PART))) for k in rows]
        return torch.cat([part[0] for part in parts]), Evaluations.joined([part[1] for part in parts])

    def parties(self, state: State) -> Evaluations:
        """`evaluate` without gradients, in parts that fit in memory."""
        with torch.no_grad():
            rows = range(0, max(len(state), 1), PART)
            return Evaluations.joined([self.evaluate(state.rows(slice(k, k + PART))) for k in rows])

    def at(self, state: State) -> Evaluation:
        """Society's values and the delegates' decisions."""
        return self.parties(state).of(self.model.society)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some links are worth to the delegate who decides about them."""
        return of_pairs(self.parties(state).marginal, self.model.movable(state), row, switch)

    def by_player(self, state: State) -> Tensor:
        """V of every delegate, `[B, N]`."""
        return self.parties(state).value[:, : self.model.factors]

    def columns(self, state: State) -> pd.DataFrame:
        """V of every delegate as `value_SECTOR`, for tables of states."""
        return value_columns(self.model, self.by_player(state))

    def take_out(self, state: State, residual: Tensor) -> Tensor:
        """Residuals without their means, of which the constants are set."""
        self.shift += residual.mean(0) / self.model.rho
        return residual - residual.mean(0)

    def unrefine(self) -> None:
        """Back to what training left."""
        self.level.zero_()
        self.network.refined.zero_()


def value_columns(dynamics: DelegatesDynamics, values: Tensor) -> pd.DataFrame:
    """Values `[B, N]` as columns `value_SECTOR`."""
    names = [f"value_{sector}" for sector in dynamics.parameters.sectors]
    return pd.DataFrame(values.double().cpu().numpy(), columns=names)


def likely_states(baseline: PartiesBaseline, count: int, generator: torch.Generator) -> State:
    """States with links drawn at their expected long-run frequencies."""
    m = baseline.dynamics
    state = m.draw(count, generator)
    luck = torch.rand(state.y.shape, generator=generator, device=state.y.device, dtype=state.y.dtype)
    return State((luck < baseline.p.flatten()[m.slots]).to(state.y.dtype), state.x, state.z)


def build_value(
    model: DelegatesDynamics, options: MethodOptions, generator: torch.Generator, deviating: PartiesValue | None = None
) -> PartiesValue:
    """The untrained value functions that the options describe, their weights drawn from `generator`.

    Raises:
        ModelError: the method is not for delegates.
    """
    check_method(model.parameters, options)
    n = model.factors
    if deviating is not None:
        baseline = deviating.baseline
    else:
        accept = best_replies(model, generator) if options.baseline == "meanfield" else np.ones((n, n))
        plain = PartiesBaseline(model, accept)
        baseline = MendedBaseline(plain, likely_states(plain, FITTED, generator))
    network: Any = PartiesNetwork(model, [options.hidden] * options.layers, generator)
    parametrize.register_parametrization(network, "switch_weight", PartiesLinkSize(model))
    return PartiesValue(model, baseline, network, deviating)
