"""Gradient training of a value function, resumable bit for bit.

Default loss (`hjb`): the squared Hamilton-Jacobi-Bellman residual at states of which half come from an on-policy pool,
simulated along with the training, and half cover the state space (`pool_share` says otherwise). The mean residual on
the pool is taken out: it is what a constant added to V changes, so the constant is set from it directly and need not be
learned.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlopt.choice.evaluation import hjb_residual
from dlopt.choice.model import State, SwitchingModel
from dlopt.choice.optimizer import Muon
from dlopt.choice.options import Budget, MethodOptions
from dlopt.choice.paper import increments, paper_losses
from dlopt.choice.ranks import Ranks
from dlopt.choice.simulation import advance
from dlopt.choice.value import ValueFunction
from dlopt.kind import Watch

STEPS = ((1e-3, 500), (3e-2, 2500), (math.inf, 6000))
"""Where no budget is given: mean |R| over rho V that the control variate leaves, up to which so many steps are made."""
PAPER_STEPS = 1000  # of the paper's losses: each costs thirty of the others
MANY = 100  # switches above which step sizes fall
WARM_UP = 100  # steps over which rates grow to their full size
AFAR = 10.0  # how much larger than on-policy the residual may be at states from all over the state space
WIDE = 256  # of these are looked at
TIMED_STEPS = 20  # steps from which a budget in seconds is turned into steps


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training stands.

    Attributes:
        step, steps: done and in all.
        seconds: spent training, over all runs it was resumed in.
        hjb_residual_rel: mean absolute residual R over rho times mean absolute V, on the pool.
        loss: of the last batches.
        analytic_loss, probabilistic_loss: mean Loss_A / V^2 and Loss_P / V^2 on a batch of the pool.
        learning_rate: Adam's.
        decision_accuracy: share of right decisions, where an exact solution exists; else NaN.
    """

    step: int
    steps: int
    seconds: float
    hjb_residual_rel: float
    loss: float
    analytic_loss: float
    probabilistic_loss: float
    learning_rate: float
    decision_accuracy: float = math.nan


class Trainer:
    """A value function under training: everything needed to go on exactly is in `state_dict`.

    Args:
        value: the untrained value function.
        options: the method.
        budget: how long.
        generator: source of all randomness from here on.
        ranks: the processes that train it together; in each of them everything here is the same.
    """

    def __init__(
        self,
        value: ValueFunction,
        options: MethodOptions,
        budget: Budget,
        generator: torch.Generator,
        ranks: Ranks = Ranks(),
    ) -> None:
        self.value, self.options, self.budget, self.generator = value, options, budget, generator
        self.ranks = ranks.cut(options.pieces)
        self.model: SwitchingModel = value.model
        self.step, self.seconds = 0, 0.0
        self.steps = budget.steps
        self.history: list[Progress] = []
        self.outcome = ""  # how training ended, once it has
        matrices = list(value.network.hidden)
        if value.conditional is not None:
            matrices += list(value.conditional.hidden)
        if options.muon_rate == 0:
            matrices = []
        own = {id(p) for p in matrices}
        rest = [p for p in value.parameters() if id(p) not in own]
        self.adam = torch.optim.Adam(rest, lr=options.learning_rate, betas=(0.9, 0.99), fused=True)
        self.muon = Muon(matrices, lr=options.muon_rate) if matrices else None
        self.pool = self._first_pool()
        self.pace = self._pace()
        left = self._set_scale()
        if budget.steps is None and budget.seconds is None:
            many = next(steps for size, steps in STEPS if left <= size)
            self.steps = many if options.loss == "hjb" else PAPER_STEPS
        self._loss = math.nan

    # -- set-up -------------------------------------------------------------------------------------------------

    def _pace(self) -> float:
        """Factor on both step sizes: falls with the root of the number of switches that can move, where they are many.

        The residual is a sum over switches, and its gradient the noisier the more there are.
        """
        movable = self.model.movable(self.pool.rows(slice(0, 1)))
        count = self.model.switches if movable is None else movable.shape[1]
        return 1.0 if self.options.loss == "paper" else min(1.0, math.sqrt(MANY / count))

    def _first_pool(self) -> State:
        """States after 25 years under the policy of the control variate: the networks are still zero."""
        pool = self.model.draw(self.options.pool, self.generator)
        if self.options.baseline == "none":
            return pool  # no policy yet
        for _ in range(50):
            pool = advance(self.model, pool, self.value.baseline.evaluate(pool).marginal, 0.5, self.generator)
        return pool

    def _set_scale(self) -> float:
        """Correction and residual in units of what the control variate leaves over; mean |R| over rho V of that."""
        residual, value = self._pool_residual()
        if self.options.baseline == "none":
            self.unit = float(residual.square().mean().sqrt())
            self.value.scale.fill_(self.unit / self.model.rho)
            self.value.shift.copy_(residual.mean() / self.model.rho)
            return math.inf
        size = self.model.rho * float(value.abs().mean())
        spread, wide = residual - residual.mean(), self._wide_residual() - residual.mean()
        self.unit = max(*(float(r.square().mean().sqrt()) / far for r, far in ((spread, 1), (wide, AFAR))), 1e-6 * size)
        self.value.scale.fill_(self.unit / (4 * self.model.rho))
        return max(float(spread.abs().mean()), float(wide.abs().mean()) / AFAR) / max(size, 1e-12)

    # -- one step -----------------------------------------------------------------------------------------------

    def train(
        self,
        watch: Watch,
        on_checkpoint: Callable[[], None],
        decisions: Callable[[], float] | None = None,
    ) -> str:
        """Train until the budget is spent, the residual is at `options.stop_at`, or `watch` says stop.

        Args:
            watch: told how training stands, and asked whether to stop.
            on_checkpoint: called every `budget.checkpoint_seconds`.
            decisions: measures the share of right decisions, for the progress reports.

        Returns:
            `finished`, `target`, `diverged` or `stopped`.
        """
        last_checkpoint = time.monotonic()
        if self.step == 0 and not self.outcome:
            self._measure(watch, decisions)
        while not self.outcome:
            started = time.monotonic()
            self._one_step()
            self.step += 1
            self.seconds += time.monotonic() - started
            if self.steps is None and self.step == TIMED_STEPS:
                self.steps = self.ranks.told(self._affordable_steps())
            if self.steps is not None and (
                self.step % max(1, self.steps // self.budget.evaluations) == 0 or self.step == self.steps
            ):
                self._measure(watch, decisions)
            if self.ranks.anybody(watch.stop()) and not self.outcome:
                return "stopped"
            if time.monotonic() - last_checkpoint > self.budget.checkpoint_seconds:
                on_checkpoint()
                last_checkpoint = time.monotonic()
        return self.outcome

    def _measure(self, watch: Watch, decisions: Callable[[], float] | None) -> None:
        """Report how training stands, and whether it has ended."""
        progress = self._report(decisions)
        watch.progress(progress)
        outcome = ""
        if not math.isfinite(progress.loss):
            outcome = "diverged"
        elif progress.hjb_residual_rel <= self.options.stop_at and self._accurate_afar():
            outcome = "target"
        elif self.step == self.steps:
            outcome = "finished"
        self.outcome = self.ranks.told(outcome)

    def _affordable_steps(self) -> int:
        """Steps that fit in the budget, rounded down to two digits so that equal machines agree."""
        assert self.budget.seconds is not None
        steps = max(TIMED_STEPS, int(self.budget.seconds / (self.seconds / self.step)))
        unit = 10 ** max(0, len(str(steps)) - 2)
        return steps // unit * unit

    def _rate(self) -> float:
        """Factor on the step sizes: linear warm-up, then cosine to a thousandth."""
        done = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done)) + 1e-3

    def _one_step(self) -> None:
        rate = self._rate()
        for optimizer, base in ((self.adam, self.options.learning_rate), (self.muon, self.options.muon_rate)):
            if optimizer is not None:
                for group in optimizer.param_groups:
                    group["lr"] = base * self.pace * rate
        n = self.options.pooled
        index = (torch.arange(n, device=self.pool.x.device) + self.step * n) % self.options.pool
        mine = self.pool.rows(index)
        wide = self.model.draw(self.options.batch - n, self.generator, self.options.width, self.options.off_manifold)
        both = State.joined([mine, wide])
        losses, marginal = self._hjb_losses(both, n) if self.options.loss == "hjb" else self._paper_losses(both, mine)
        weights = list(self.value.parameters())
        found = [(loss, *torch.autograd.grad(loss, weights, materialize_grads=True)) for loss in losses]
        total = self.ranks.total([torch.cat([tensor.detach().flatten() for tensor in piece]) for piece in found])
        loss, *gradients = total.split([1, *(weight.numel() for weight in weights)])
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.view_as(weight)
        self.adam.step()
        if self.muon is not None:
            self.muon.step()
        if n:
            moved = advance(self.model, mine, marginal, self.options.pool_years, self.generator)
            self.pool.y[index], self.pool.x[index] = moved.y, moved.x
            if self.pool.z is not None and moved.z is not None:
                self.pool.z[index] = moved.z
        self._loss = float(loss)

    def _hjb_losses(self, state: State, n: int) -> tuple[list[Tensor], Tensor]:
        """Mean squared residual around the mean of the first n states, a part from each piece; their marginals."""
        size = len(state)
        own = [state.rows(piece) for piece in self.ranks.pieces(size)]
        at = [self.value.evaluate(piece) for piece in own]
        residuals = [hjb_residual(self.model, *piece) / self.unit for piece in zip(own, at, strict=True)]
        average = self.ranks.whole([residual.detach() for residual in residuals], size)[:n].mean()
        marginal = self.ranks.whole([piece.marginal.detach() for piece in at], size)[:n]
        return [(residual - average).square().sum() / size for residual in residuals], marginal

    def _paper_losses(self, state: State, mine: State) -> tuple[list[Tensor], Tensor]:
        """Mean of the paper's losses, a part from each piece; marginals at the states from the pool."""
        noises = increments(self.model, len(state), self.options, self.generator)
        unit = (self.unit * self.options.delta) ** 2
        parts = []
        for piece in self.ranks.pieces(len(state)):
            losses = paper_losses(self.value, state.rows(piece), self.options, [noise[piece] for noise in noises])
            parts.append((losses.analytic + losses.probabilistic).sum() / len(state) / unit)
        if len(mine) == 0:
            return parts, state.y[:0]
        marginals = [self.value.at(mine.rows(piece)).marginal for piece in self.ranks.pieces(len(mine))]
        return parts, self.ranks.whole(marginals, len(mine))

    # -- measuring ----------------------------------------------------------------------------------------------

    def _report(self, decisions: Callable[[], float] | None) -> Progress:
        """Measure on the pool, without touching the training's randomness."""
        residual, value = self._pool_residual()
        if self.options.loss == "hjb":
            residual = self.value.take_out(self.pool, residual)
        scale = max(self.model.rho * float(value.abs().mean()), 1e-12)
        analytic, probabilistic = (losses.mean() for losses in self._pool_losses(slice(0, 64)))
        progress = Progress(
            step=self.step,
            steps=self.steps or 0,
            seconds=self.seconds,
            hjb_residual_rel=float(residual.abs().mean()) / scale,
            loss=self._loss if self.step else 0.0,
            analytic_loss=float(analytic),
            probabilistic_loss=float(probabilistic),
            learning_rate=self.options.learning_rate * self.pace * self._rate(),
            decision_accuracy=decisions() if decisions is not None else math.nan,
        )
        self.history.append(progress)
        return progress

    def _pool_residual(self) -> tuple[Tensor, Tensor]:
        """Residual and V at all states of the pool, `[pool]` each."""
        size = len(self.pool)
        found = [self.value.residual(self.pool.rows(piece)) for piece in self.ranks.pieces(size)]
        residual, value = [residual for residual, _ in found], [at.value for _, at in found]
        return self.ranks.whole(residual, size), self.ranks.whole(value, size)

    def _wide_residual(self) -> Tensor:
        """Residual at states from all over the state space, always the same, `[WIDE]`."""
        own = torch.Generator(device=self.pool.x.device).manual_seed(0)
        state = self.model.draw(WIDE, own, self.options.width, self.options.off_manifold)
        return self.value.residual(state)[0]

    def _accurate_afar(self) -> bool:
        """Whether the residual is small at these, too: where policy soon leads elsewhere the pool says nothing."""
        size = self.model.rho * float(self._pool_residual()[1].abs().mean())
        return float(self._wide_residual().abs().mean()) <= AFAR * self.options.stop_at * size

    @torch.no_grad()
    def _pool_losses(self, some: slice) -> tuple[Tensor, Tensor]:
        """Loss_A / V^2 and Loss_P / V^2 over one sub-interval at some states of the pool, `[B]` each."""
        pool, options = self.pool.rows(some), dataclasses.replace(self.options, intervals=1)
        own = torch.Generator(device=pool.x.device).manual_seed(0)
        (noise,) = increments(self.model, len(pool), options, own)
        pieces = self.ranks.pieces(len(pool))
        found = [paper_losses(self.value, pool.rows(piece), options, [noise[piece]]) for piece in pieces]
        analytic = [losses.analytic / losses.value**2 for losses in found]
        probabilistic = [losses.probabilistic / losses.value**2 for losses in found]
        return self.ranks.whole(analytic, len(pool)), self.ranks.whole(probabilistic, len(pool))

    # -- going on later -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and strings only."""
        pool = {"y": self.pool.y, "x": self.pool.x}
        if self.pool.z is not None:
            pool["z"] = self.pool.z
        return {
            "value": self.value.state_dict(),
            "adam": self.adam.state_dict(),
            "muon": None if self.muon is None else self.muon.state_dict(),
            "generator": self.generator.get_state(),
            "pool": pool,
            "step": self.step,
            "steps": self.steps,
            "seconds": self.seconds,
            "unit": self.unit,
            "loss": self._loss,
            "outcome": self.outcome,
            "history": [dataclasses.asdict(p) for p in self.history],
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to where `state_dict` was taken."""
        self.value.load_state_dict(saved["value"])
        self.adam.load_state_dict(saved["adam"])
        if self.muon is not None:
            self.muon.load_state_dict(saved["muon"])
        self.generator.set_state(saved["generator"].cpu())
        device = self.pool.x.device
        self.pool = State(**{key: tensor.to(device) for key, tensor in saved["pool"].items()})
        self.step, self.steps, self.seconds = saved["step"], saved["steps"], saved["seconds"]
        self.unit, self._loss, self.outcome = saved["unit"], saved["loss"], saved["outcome"]
        self.history = [Progress(**row) for row in saved["history"]]
