"""`objective=expected|minimax|regret`: the best policy of one economy that does not know the elasticities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch

from dlopt.errors import DloptError
from dlopt.framework.game import Progress
from dlopt.framework.steps import step_in_words
from dlopt.kind import Session, Step
from dlopt.trade.calibration import Calibration
from dlopt.trade.kind.problem import TradeProblem
from dlopt.trade.kind.uncertain import uncertain
from dlopt.trade.parameters import SHOCKS, moved
from dlopt.trade.results import SolveResult
from dlopt.trade.robust import Criterion, solve_robust

CRITERIA = get_args(Criterion)


class RobustProblem(TradeProblem):
    """One policy for several worlds, the calibration the first of them."""

    def __init__(self, worlds: Sequence[Calibration], arguments: Mapping[str, Any], seed: int, notes: Sequence[str]):
        super().__init__("unilateral", worlds[0], arguments, seed, notes=notes)
        self.worlds = tuple(worlds)
        self.size += f", {len(worlds)} worlds"

    def solve(self, session: Session) -> SolveResult:
        """Run the solver; its steps go on the tape."""
        torch.set_default_dtype(torch.float64)

        def on_progress(info: Progress) -> bool:
            words = step_in_words(info.iteration, info.phase, None, info.first_order_residual)
            session.watch.progress(Step(info.phase, words))
            return session.watch.stop()

        given = {key: value for key, value in self.arguments.items() if key not in ("init", "tolerance", "objective")}
        found = solve_robust(
            self.worlds, criterion=self.arguments["objective"], on_progress=on_progress, tape=session.tape, **given
        )
        words = (
            f"{found.message} Acting on the point estimate alone would cost {found.loss_from_the_point_estimate:.3g} "
            f"percentage points by this criterion; knowing the world beforehand is worth "
            f"{found.value_of_information:.3g} on average."
        )
        message = found.message if found.status == "interrupted" else words
        return self._noted(dataclasses.replace(found.result, robust=found, message=message))


def robust_problem(
    config: Mapping[str, Any], calibration: Calibration, arguments: Mapping[str, Any], seed: int, notes: Sequence[str]
) -> RobustProblem:
    """The problem of a config with such an objective.

    Raises:
        DloptError: no worlds are given, or keys that cannot go with it.
    """
    criterion, section, name = arguments["objective"], config["prior"], config["calibration"]
    if config["intervals"]:
        raise DloptError(f"objective={criterion} is one policy for all worlds: it has no intervals. Leave one of them.")
    if arguments.get("init", "baseline") != "baseline" or "moves" in arguments:
        raise DloptError(f"objective={criterion} begins at the baseline, with one player: leave init and moves.")
    asked = uncertain(section, calibration, name)
    if section["sets"]:
        from dlopt.calibrations.elasticities import load_with

        sets = [section["sets"]] if isinstance(section["sets"], str) else section["sets"]
        worlds = [calibration, *(load_with(name, str(one)) for one in sets)]
    elif asked.draws:
        worlds = [calibration, *_drawn(calibration, asked.prior, asked.draws, seed)]
    else:
        raise DloptError(f"objective={criterion} needs worlds: draws (prior.draws=20), or sets (prior.sets=[A,B]).")
    return RobustProblem(worlds, arguments, seed, notes)


def _drawn(calibration: Calibration, prior: Any, count: int, seed: int) -> list[Calibration]:
    if any(p.kind in SHOCKS for p in prior.parameters):
        raise DloptError("prior.of: shocks do not make worlds to choose policies for. Leave cost and productivity.")
    worlds = []
    for k, change in enumerate(prior.draws(count, seed).tolist()):
        world = calibration
        for parameter, amount in zip(prior.parameters, change, strict=True):
            if not parameter.possible(amount):
                raise DloptError(
                    f"Draw {k + 1} makes {parameter.label} {parameter.value + amount:g}, which cannot be: use "
                    "prior.law=lognormal or a smaller prior.error."
                )
            world = moved(world, parameter, amount)
        worlds.append(world)
    return worlds
