"""A solved problem solved again with other numbers, many times: warm starts, several processes, on record.

Every draw starts where the derivatives of the solution point, so that no draw sees another: numbers depend neither on
the number of processes nor on where a run was cut off. Policies are followed by their first-order conditions
(`dlopt.framework.follow`); deviations are not searched for again.
"""

from __future__ import annotations

import dataclasses
import signal
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor
from typing import Any

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.follow import follow
from dlopt.framework.game import Point
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import Responses
from dlopt.framework.response_by_products import ResponsesByProducts, responses_of
from dlopt.framework.tape import Tape
from dlopt.trade.certificate import FIRST_ORDER_TOLERANCE
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.game import TradePoint
from dlopt.trade.nearby import Nearby, SensitivityError
from dlopt.trade.sensitivity import Players, Sensitivities, outcomes_of

BATCH = 20
"""Draws that are put on record together, and that a process is given at once."""


class RedrawInterrupted(Exception):
    """Asked to stop before all draws were solved; those that were are on the tape."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Redrawn:
    """The problem solved with other numbers.

    Attributes:
        changes: of the parameters, in their units, `[draw, parameter]`.
        outcomes: `dlopt.trade.sensitivity.OUTCOMES`, per cent, `[draw, outcome, country]`; NaN where a draw failed.
        instruments: log rates, `[draw, instrument]`; NaN there too.
    """

    changes: Tensor
    outcomes: Tensor
    instruments: Tensor

    def __repr__(self) -> str:
        return f"Redrawn({len(self.changes)} draws, {self.failed} failed)"

    @property
    def solved(self) -> Tensor:
        """Bool `[draw]`."""
        return ~self.outcomes[:, 0, 0].isnan()

    @property
    def failed(self) -> int:
        """Draws without a solution: impossible numbers, no equilibrium, or first-order conditions that do not hold."""
        return int((~self.solved).sum())


def redraw(
    found: Sensitivities, changes: Tensor, processes: int = 1, tape: Tape | None = None,
    on_batch: Callable[[int], None] | None = None, label: str = "redraw",
) -> Redrawn:  # fmt: skip
    """Solve the problem of a result again for every draw of its parameters.

    Args:
        found: the result and its derivatives with respect to the parameters drawn.
        changes: of the parameters, `[draw, parameter]`.
        processes: that share the draws; 0 is one for every core this process may use.
        tape: records batches of draws (see `solve_nash`).
        on_batch: told how many draws are done.
        label: of these draws on the tape, where there are others.

    Raises:
        RedrawInterrupted: the tape's owner wants to stop.
    """
    if changes.shape[1:] != (len(found.parameters),):
        raise SensitivityError(f"Draws are {tuple(changes.shape)} for {len(found.parameters)} parameters.")
    tape, solver = tape or Tape(), _Again(found)
    parts = changes.split(BATCH)
    known = [entry for entry in tape.entries if entry["label"] == label]
    fresh = _batches(solver, parts[len(known) :], processes)
    rows: list[Tensor] = []
    for _ in parts:
        if tape.stop():
            fresh.close()
            raise RedrawInterrupted
        try:
            rows.append(tape.take(label, lambda: {"rows": next(fresh)})["rows"])
        except BrokenExecutor as error:
            if tape.stop():  # what stops this process may end its helpers first
                raise RedrawInterrupted from error
            raise SensitivityError(
                "A process that solved draws was ended from outside. Go on with fewer (prior.processes=1)."
            ) from error
        if on_batch:
            on_batch(sum(map(len, rows)))
    fresh.close()
    table = torch.cat(rows)
    shape = found.outcomes.shape[:2]
    split = shape[0] * shape[1]
    return Redrawn(changes, table[:, :split].reshape(-1, *shape), table[:, split:])


def _batches(solver: _Again, parts: tuple[Tensor, ...], processes: int) -> Generator[Any, None, None]:
    """The solved batches in order."""
    if processes == 1 or len(parts) < 2:
        yield from (solver.rows(part) for part in parts)
        return
    from joblib import Parallel, delayed

    jobs = (delayed(_in_a_process)(solver, part) for part in parts)
    yield from Parallel(n_jobs=processes or -1, return_as="generator", pre_dispatch="2 * n_jobs")(jobs)


_HERE: dict[str, _Again] = {}
"""In a process that solves draws: what it has made of the problem so far, for the next batch."""


def _in_a_process(solver: _Again, part: Tensor) -> Tensor:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that gives out the work decides when to stop
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    if solver.key not in _HERE:
        _HERE.clear()
        _HERE[solver.key] = solver
    return _HERE[solver.key].rows(part)


def _sized(point: Point) -> tuple[Tensor, Tensor]:
    assert isinstance(point, TradePoint)
    return point.own_sizes()


class _Again:
    """What a process needs to solve draws."""

    def __init__(self, found: Sensitivities) -> None:
        self.found, self.key = found, uuid.uuid4().hex
        self._near: Nearby | None = None
        self._answer: tuple[Responses | ResponsesByProducts, Tensor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"found": self.found, "key": self.key, "_near": None, "_answer": None}

    def rows(self, part: Tensor) -> Tensor:
        """Outcomes and log rates of draws, `[draw, outcome x country + instrument]`; NaN where a draw failed."""
        count = self.found.outcomes[:, :, 0].numel() + len(self.found.instruments)
        rows = torch.full((len(part), count), float("nan"), dtype=torch.float64)
        for k, change in enumerate(part):
            try:
                rows[k] = self._solve(change)
            except (DloptError, ValueError, ArithmeticError):  # numbers that no world has
                continue
        return rows

    def _solve(self, change: Tensor) -> Tensor:
        result, found = self.found.result, self.found
        near = self._near = self._near or Nearby(result)
        changes = list(zip(found.parameters, change.tolist(), strict=True))
        if not all(p.possible(amount) for p, amount in changes):
            raise SensitivityError("A draw holds a parameter that cannot be.")
        model = near.model_at(changes)
        u = result.u + found.unknowns @ change
        wedges = near.following(model, result.wedges)
        if result.instruments is None:
            end = find_equilibrium(model, wedges, u)
            if end.outcome is not Outcome.CONVERGED:
                raise SensitivityError("A draw has no equilibrium.")
            return outcomes_of(model, end.u, end.wedges).flatten()
        players = Players(result)
        if self._answer is None:
            here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
            point = players.point(result.model, here)
            self._answer = responses_of(point.game, point), point.own_sizes()[1]
        answer, sizes = self._answer
        game = players.game(model, changes, wedges)
        a = (players.a + found.instruments @ change).clamp(game.lower, game.upper)
        end = find_equilibrium(model, game.instruments.apply(a, wedges), u, factorisation=near.factors)
        if end.outcome is not Outcome.CONVERGED:
            raise SensitivityError("A draw has no equilibrium where the derivatives point.")
        solved = follow(game, TradePoint(game, a, end), answer, _sized, sizes, FIRST_ORDER_TOLERANCE)
        if solved is None:
            raise SensitivityError("A draw has no solution near by.")
        assert isinstance(solved, TradePoint)
        return torch.cat((outcomes_of(model, solved.equilibrium.u, solved.equilibrium.wedges).flatten(), solved.a))
