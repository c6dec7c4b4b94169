"""The four questions to a model: its equilibrium, what is best for one, for each, for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.framework.best_response import BestResponse
from dlopt.framework.joint import JointNewton
from dlopt.framework.outcome import Outcome
from dlopt.framework.tape import Tape
from dlopt.models.check import check_model
from dlopt.models.game import NoEquilibriumError, equilibrium
from dlopt.models.model import EquilibriumModel, ModelError
from dlopt.models.results import Certificate, Iteration, ModelResult, named
from dlopt.models.run import OnIteration, Run


def solve_equilibrium(
    model: EquilibriumModel, instruments: Mapping[str, float] | None = None, *, on_iteration: OnIteration | None = None
) -> ModelResult:
    """The model under given instruments; those not named are at their start.

    Raises:
        ModelError: the model cannot be solved as it is written, a value is outside its bounds, or there is no
            equilibrium at the start.
        UnknownNameError: an unknown instrument.
    """
    a = model.values(instruments or {})
    initial = check_model(model)
    try:
        u = equilibrium(model, a)
    except NoEquilibriumError as error:
        certificate = Certificate(float("inf"))
        return ModelResult(
            "not_converged", f"{error} What is shown is the start.", certificate, model, initial, model.a0, initial,
            torch.zeros(len(a), dtype=torch.bool),
        )  # fmt: skip
    residual = float(model.call("residual", u, a).abs().max())
    step = Iteration(1, "newton", 0.0, None, None, named(model.players, model.call("objectives", u, a)), a)
    if on_iteration:
        on_iteration(step)
    return ModelResult(
        "converged", Outcome.CONVERGED.remedy, Certificate(residual), model, u, a, initial,
        torch.zeros(len(a), dtype=torch.bool), (step,),
    )  # fmt: skip


def solve_unilateral(
    model: EquilibriumModel, player: str, *, instruments: str | Sequence[str] = "all", starts: int = 1, seed: int = 0,
    init: str | Mapping[str, float] = "start", tolerance: float | None = None, on_iteration: OnIteration | None = None,
    tape: Tape | None = None,
) -> ModelResult:  # fmt: skip
    """The best choices of one player while all others keep theirs (see `solve_nash` for the arguments)."""
    return solve_nash(
        model, players=(player,), instruments=instruments, starts=starts, seed=seed, init=init, tolerance=tolerance,
        on_iteration=on_iteration, tape=tape,
    )  # fmt: skip


def solve_nash(
    model: EquilibriumModel, *, players: str | Sequence[str] = "all", instruments: str | Sequence[str] = "all",
    solver: JointNewton | BestResponse = JointNewton(), starts: int = 1, seed: int = 0,
    init: str | Mapping[str, float] = "start", tolerance: float | None = None, on_iteration: OnIteration | None = None,
    tape: Tape | None = None,
) -> ModelResult:  # fmt: skip
    """Choices from which no player gains by deviating alone.

    Args:
        model: equations, objectives, players and instruments.
        players: `all`, or names; the instruments of everybody else stay where play begins.
        instruments: `all`, or names: those left out stay where play begins.
        solver: `JointNewton` (default) or `BestResponse` (gradient steps in turn).
        starts: random starts from which each player re-optimises alone; from 2 on, the whole game is also played from
            that many less one random starts, and every equilibrium found is listed.
        seed: of all random draws.
        init: `start`, `random`, or instruments by name: play begins there.
        tolerance: largest first-order residual; default 1e-8, more does not count as converged.
        on_iteration: called after every iteration.
        tape: records every step; one with the steps of a solve that was cut off makes this solve go on from there,
            to the same result to the last bit.

    Raises:
        ModelError: the model cannot be solved as it is written, or nobody has anything to choose.
        UnknownNameError: an unknown player or instrument.
    """
    if isinstance(solver, BestResponse) and solver.inner != BestResponse.inner:
        raise ModelError(
            f"solver.inner is {solver.inner}: a model of one's own gives equations, not the map of a fixed point. "
            f"Leave it at {BestResponse.inner}."
        )
    names = model.players if players == "all" else (players,) if isinstance(players, str) else tuple(players)
    positions = [model.player_index(name) for name in names]
    if len(set(positions)) != len(positions):
        raise ModelError(f"players is {list(names)}: name each player once.")
    owner = torch.where(_named(model, instruments), model.owner, -1)
    playing = [player for player in positions if bool((owner == player).any())]
    chosen = torch.isin(owner, torch.tensor(playing, dtype=owner.dtype)).nonzero().squeeze(1)
    if not len(chosen):
        raise ModelError(f"Of {', '.join(names)} nobody has an instrument in model {model.name!r}: give them one.")
    turn = {player: number for number, player in enumerate(playing)}
    weight = torch.eye(len(model.players), dtype=torch.float64)[playing]
    movers = torch.tensor([turn[player] for player in owner[chosen].tolist()])
    labels = tuple(model.players[player] for player in playing)
    run = Run(model, chosen, movers, weight, labels, starts, seed, init, tolerance, on_iteration, tape or Tape())
    return run.solve(solver)


def solve_cooperative(
    model: EquilibriumModel, *, weights: str | Mapping[str, float] = "equal", instruments: str | Sequence[str] = "all",
    starts: int = 1, seed: int = 0, init: str | Mapping[str, float] = "start", tolerance: float | None = None,
    on_iteration: OnIteration | None = None, tape: Tape | None = None,
) -> ModelResult:  # fmt: skip
    """What one planner would choose for all: the largest weighted sum of objectives.

    Args:
        weights: `equal`, or a mapping from players to weights; those it leaves out weigh nothing. They are scaled to
            sum to one.
        instruments: names of what the planner chooses; `all` is every instrument that is `cooperative`.

    Raises:
        ModelError: a weight that is negative or not finite, or none that is positive.

    See `solve_nash` for the other arguments and errors.
    """
    together = torch.tensor([instrument.cooperative for instrument in model.instruments])
    chosen = (together if instruments == "all" else _named(model, instruments)).nonzero().squeeze(1)
    if not len(chosen):
        raise ModelError(f"No instrument of model {model.name!r} is cooperative: name what the planner chooses.")
    weight = planner_weights(model, weights)[None]
    owner = torch.zeros(len(chosen), dtype=torch.int64)
    run = Run(model, chosen, owner, weight, ("planner",), starts, seed, init, tolerance, on_iteration, tape or Tape())
    return run.solve(JointNewton())


def planner_weights(model: EquilibriumModel, weights: str | Mapping[str, float]) -> Tensor:
    """Weights of the planner, summing to one, `[model player]` (see `solve_cooperative`)."""
    if isinstance(weights, str):
        if weights != "equal":
            raise UnknownNameError("value of weights", weights, ("equal",))
        return torch.full((len(model.players),), 1 / len(model.players), dtype=torch.float64)
    raw = torch.zeros(len(model.players), dtype=torch.float64)
    for name, value in weights.items():
        raw[model.player_index(str(name))] = float(value)
    if not bool((raw >= 0).all()) or not float(raw.sum()) > 0 or not bool(raw.isfinite().all()):
        raise ModelError(f"weights is {dict(weights)}: give weights that are finite, not negative and not all zero.")
    return raw / raw.sum()


def _named(model: EquilibriumModel, instruments: str | Sequence[str]) -> Tensor:
    """Which instruments are meant, `[instrument]`, bool."""
    if instruments == "all":
        return torch.ones(len(model.instruments), dtype=torch.bool)
    meant = torch.zeros(len(model.instruments), dtype=torch.bool)
    for name in (instruments,) if isinstance(instruments, str) else instruments:
        meant[model.instrument_index(name)] = True
    return meant
