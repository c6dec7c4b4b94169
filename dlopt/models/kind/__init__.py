"""A kind of problem from an equilibrium model of one's own: `dlopt solve equilibrium|unilateral|nash|cooperative`.

A package puts an `EquilibriumKind` under the entry-point group `dlopt.kinds`. This file loads nothing heavy: it serves
help and completion, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.kind import ABOVE_0, CHECKPOINTS, COUNT, RESUME, SEED, THREADS, Ended, Key, Kind, Problem, Verb

if TYPE_CHECKING:
    from dlopt.kind import Sheet
    from dlopt.models.model import EquilibriumModel
    from dlopt.models.results import ModelResult

_OPTIMISE = ("unilateral", "nash", "cooperative")

KEYS = (
    Key("policy", "instruments to evaluate, such as {tax:0.1}; those not named are at their start", None, Any,
        verbs=("equilibrium",)),
    Key("player", "the player who optimises", None, str | None, verbs=("unilateral",)),
    Key("players", "the players: all, or a list", "all", Any, words=("all",), open=True, verbs=("nash",)),
    Key("instruments", "what is chosen: all, or a list of instruments", "all", Any, words=("all",), open=True,
        verbs=_OPTIMISE),
    Key("weights", "the planner's: equal, or a mapping from players to weights", "equal", Any, words=("equal",),
        open=True, verbs=("cooperative",)),
    Key("solver", "joint_newton, or best_response: gradient steps in turn (solver.KEY sets its options)",
        "joint_newton", choices={"joint_newton": "dlopt.framework.joint:JointNewton",
                                 "best_response": "dlopt.framework.best_response:BestResponse"}, verbs=("nash",)),
    Key("starts", "random starting points per player when the result is verified", 1, rule=COUNT, verbs=_OPTIMISE),
    Key("init", "start, random (drawn with seed), instruments such as {tax:0.1}, or a run folder to start from",
        "start", Any, words=("start", "random"), open=True, verbs=_OPTIMISE),
    dataclasses.replace(RESUME, verbs=_OPTIMISE),
    dataclasses.replace(CHECKPOINTS, verbs=_OPTIMISE),
    Key("tolerance", "first-order residual at which to stop; null is 1e-8", None, float | None, rule=ABOVE_0,
        verbs=_OPTIMISE),
    SEED,
    THREADS,
)  # fmt: skip
"""Keys of every model, in the order the help shows them; its own parameters come first, as `model.KEY`."""


class EquilibriumKind(Kind):
    """A model of one's own, with parameters that can be set from the shell.

    Args:
        name: of the kind, and of its entry point.
        solves: one sentence.
        model: makes the model from the parameters; or where to find what does, as `module:NAME`, so that help and
            completion need not load it.
        parameters: a frozen dataclass (type or instance) of numbers, texts, booleans and tuples of numbers, which are
            the keys `model.KEY`; None for a model without, which is made by `model()`.
        configs: a folder with `scenario/NAME.yaml` of its own.
    """

    table = "objectives"
    briefly = "objective of the first player"

    def __init__(
        self, name: str, solves: str, model: Callable[..., EquilibriumModel] | str, parameters: Any = None,
        configs: Path | None = None,
    ) -> None:  # fmt: skip
        self.name, self.solves, self.model, self.parameters, self.configs = name, solves, model, parameters, configs
        self.verbs = (
            Verb("equilibrium", "The equilibrium at given instruments.", name),
            Verb("unilateral", "The best choices of one player while the others stand still.", name),
            Verb("nash", "Choices from which no player gains by deviating alone.", name),
            Verb("cooperative", "What a planner would choose for all.", name),
        )

    @property
    def keys(self) -> Sequence[Key]:
        """The model's own, and those of every model."""
        if self.parameters is None:
            return KEYS
        return (Key("model", "parameters of the model", options=self.parameters), *KEYS)

    def problem(self, verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> Problem:
        """One call of a solver of `dlopt.models`: model, names and values checked, derivatives compared."""
        from dlopt.models.kind.problem import build

        return build(self, self.verb(verb).name, config, choices)

    def brief(self, ended: Ended) -> str:
        """The objective of the first player."""
        from dlopt.models.sheets import brief

        return brief(ended)

    def sheets(self, ended: Ended) -> list[Sheet]:
        """Objectives, what was chosen, further quantities, the certificate."""
        from dlopt.models.sheets import sheets

        return sheets(ended)

    def compare(self, runs: Sequence[Ended]) -> list[Sheet]:
        """Objectives and instruments, runs across."""
        from dlopt.models.sheets import compare

        return compare(runs)

    def restore(self, folder: Path) -> ModelResult:
        """The result of a run: its equilibrium is solved again at the instruments on file."""
        from dlopt.models.kind.problem import restore

        return restore(self, folder)
