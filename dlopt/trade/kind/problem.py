"""From the keys of a config to one call of a solver of the trade model, with every value checked on the way."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dlopt.errors import DloptError
from dlopt.framework.tape import Tape
from dlopt.kind import Identity, KeyValueError, Problem, Session, Step
from dlopt.trade import api
from dlopt.trade.calibration import Calibration
from dlopt.trade.draws import DrawOptions, DrawsInterrupted, draw_subsidies
from dlopt.trade.households import Households
from dlopt.trade.intervals import intervals as compute
from dlopt.trade.kind import TRADE
from dlopt.trade.kind.carbon import carbon_of
from dlopt.trade.kind.reading import (
    bounds_of,
    by_player,
    calibration_named,
    check_answer,
    draws_of,
    households_of,
    moves_of,
    partners_of,
    player_of,
    players_of,
    policy_of,
    political_weights_of,
    retaliators_of,
    shock_of,
    solver_of,
    start_of,
    unions_of,
    weights_of,
)
from dlopt.trade.kind.sheets import describe
from dlopt.trade.kind.uncertain import Uncertain, uncertain
from dlopt.trade.policy import Policy
from dlopt.trade.provenance import STYLISED, stylised
from dlopt.trade.rates import CHOICE_NAMES, KINDS
from dlopt.trade.redraw import RedrawInterrupted
from dlopt.trade.results import SolveResult
from dlopt.trade.sobol import sobol
from dlopt.trade.statistics import by_formulas
from dlopt.trade.unusual import unusual_bounds, unusual_rates


@dataclasses.dataclass(frozen=True)
class Drawn(DrawOptions):
    """The section `draws`: whose subsidies are drawn after the solve (nobody's where it is None), and how."""

    player: str | None = None


class TradeProblem(Problem):
    """One solve of the trade model.

    Args:
        verb: `dlopt.solve_<verb>` does the work.
        calibration: the world before it is balanced.
        arguments: what the solver is given besides.
        seed: of all random draws.
        draws: whose subsidies are drawn afterwards, and how; None for nobody's.
        answer: how others answer the policy, and who; None where nobody does.
        notes: what a reader should know about how the policy was taken.
        prior: how uncertain parameters are, where intervals are asked for.
        formulas: whether policies by sufficient statistics are put beside the optimum.
        households: groups whose real consumption is reported.
    """

    def __init__(
        self,
        verb: str,
        calibration: Calibration,
        arguments: Mapping[str, Any],
        seed: int,
        draws: tuple[str, DrawOptions] | None = None,
        answer: tuple[Any, tuple[str, ...]] | None = None,
        notes: Sequence[str] = (),
        prior: Uncertain | None = None,
        formulas: bool = False,
        households: Households | None = None,
    ) -> None:
        self.prior, self.formulas, self.households = prior, formulas, households
        self.answer, self.notes = answer, tuple(notes)
        self.verb, self.calibration, self.arguments, self.seed, self.draws = verb, calibration, arguments, seed, draws
        note = STYLISED if stylised(calibration.source) else ""
        self.identity = Identity(calibration.name, calibration.sha256, note)
        self.size = f"{calibration.n_economies} economies, {calibration.n_sectors} sectors"
        self.recorded = "init" in arguments
        self.accounting = arguments["accounting"]
        self.extra = _digest(arguments.get("init"))
        if "shocks" in arguments:
            self.extra["shocks.sha256"] = arguments["shocks"].sha256
        if households is not None:
            self.extra["households.sha256"] = households.sha256
        if "carbon" in arguments:
            self.extra["carbon.sha256"] = arguments["carbon"].sha256
        if "political_weights" in arguments:
            content = arguments["political_weights"].contiguous().numpy().tobytes()
            self.extra["political_weights.sha256"] = hashlib.sha256(content).hexdigest()

    def solve(self, session: Session) -> SolveResult:
        """Run the solver; its steps go on the tape."""
        torch.manual_seed(self.seed)

        def on_iteration(info: Any) -> bool:
            session.watch.progress(Step(info.phase, describe(info)))
            return session.watch.stop()

        if self.answer is not None:
            return self._noted(self._with_intervals(self._answered(on_iteration), session))
        name = "moves" if "moves" in self.arguments else self.verb
        recorded = {"tape": session.tape} if self.recorded else {}
        result: SolveResult = getattr(api, f"solve_{name}")(
            self.calibration, on_iteration=on_iteration, **recorded, **self.arguments
        )
        if self.draws is not None and result.status != "interrupted":
            player, options = self.draws
            try:
                draws = draw_subsidies(result, player, options, self.seed, session.tape)
            except DrawsInterrupted:
                return _stopped(result)
            result = dataclasses.replace(result, draws=draws, message=f"{result.message} {draws.message}")
        if self.formulas and result.status == "converged":
            result = _with_formulas(result)
        return self._noted(self._with_intervals(result, session))

    def _with_intervals(self, result: SolveResult, session: Session) -> SolveResult:
        """The result with how far it moves with uncertain parameters, where that was asked for and it converged."""
        if self.prior is None or result.status != "converged":
            return result
        seed, asked = self.seed, self.prior
        tape = session.tape if self.recorded else Tape(stop=session.tape.stop)

        def on_batch(done: int) -> None:
            session.watch.progress(Step("draws", f"solved for {done} of {asked.draws} draws of the parameters"))

        try:
            found = compute(result, asked.prior, asked.draws, seed, asked.level, asked.processes, tape, on_batch)
            if asked.sobol:
                indices = sobol(result, asked.prior, asked.sobol, None, seed, asked.processes, tape, found.slopes)
                found = dataclasses.replace(found, sobol=indices)
        except RedrawInterrupted:
            return _stopped(result)
        except DloptError as error:  # the answer itself stands
            return dataclasses.replace(result, message=f"{result.message} No intervals: {error}")
        return dataclasses.replace(result, uncertainty=found, message=f"{result.message} {found.message}")

    def _answered(self, on_iteration: Callable[[Any], bool]) -> SolveResult:
        """The policy, and the answer to it."""
        from dlopt.policies import retaliate

        assert self.answer is not None
        how, who = self.answer
        given = {key: value for key, value in self.arguments.items() if key != "policy"}
        return retaliate(self.calibration, self.arguments["policy"], how, who, on_iteration=on_iteration, **given)

    def _noted(self, result: SolveResult) -> SolveResult:
        if self.households is not None:
            result = dataclasses.replace(result, households=self.households)
        message = " ".join((result.message, *self.notes))
        return dataclasses.replace(result, message=message) if self.notes else result


def _with_formulas(result: SolveResult) -> SolveResult:
    try:
        found = by_formulas(result)
    except DloptError as error:  # the answer itself stands
        return dataclasses.replace(result, message=f"{result.message} No formulas: {error}")
    return dataclasses.replace(result, formulas=found, message=f"{result.message} {found.message}")


def _stopped(result: SolveResult) -> SolveResult:
    return dataclasses.replace(result, status="interrupted", message="Stopped before all draws were solved.")


def build(verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> TradeProblem:
    """Check a config against the calibration.

    Args:
        verb: what is asked.
        config: every key with its value.
        choices: the solver and the scenario chosen.

    Raises:
        DloptError: the first value that cannot be.
    """
    calibration, said = calibration_named(
        config["calibration"], config["elasticities"], config["scale_elasticities"], config["theta_scale"]
    )
    common = {key: config[key] for key in ("accounting", "deficits", "psi_scale", "labour_supply", "revenue")}
    if config["tolerance"] is not None:
        common["tolerance"] = config["tolerance"]
    notes = list(said)
    if config["shocks"] is not None:
        common["shocks"] = shock_of(config["shocks"], calibration, notes)
    if config["political_weights"] is not None:
        common["political_weights"] = political_weights_of(config["political_weights"], calibration, notes)
    households = None if config["households"] is None else households_of(config["households"], calibration)
    carbon = carbon_of(config, calibration, notes)
    if carbon is not None:
        common["carbon"] = carbon
    make: dict[str, Callable[[], Any]] = {
        "policy": lambda: policy_of(config["policy"], config["calibration"], calibration, notes),
        "retaliators": lambda: retaliators_of(config, calibration),
        "player": lambda: player_of(config["player"], calibration, choices["scenario"], config["scenario"]["verbs"]),
        "players": lambda: players_of(config["players"], calibration),
        "partners": lambda: partners_of(config["partners"], calibration),
        "unions": lambda: unions_of(config["unions"], calibration),
        "moves": lambda: moves_of(config["moves"], calibration),
        "instruments": lambda: by_player(config, "instruments", calibration),
        "bounds": lambda: by_player(config, "bounds", calibration),
        "weights": lambda: weights_of(config["weights"], calibration),
        "objective": lambda: config["objective"],
        "no_losers": lambda: config["no_losers"],
        "starts": lambda: config["starts"],
        "init": lambda: start_of(config["init"], calibration),
        "solver": lambda: solver_of(choices["solver"], config["solver"]),
    }
    # A sequence of moves says itself who moves.
    moved = verb == "unilateral" and config["moves"] != []
    if verb == "unilateral" and config["partners"] == "players":  # those of the game; alone nobody has a partner
        config = {**config, "partners": config["players"]}
    own = {key.name for key in TRADE.keys if key.verbs and key.serves(verb)} - {"player" if moved else "moves"}
    arguments = {key: made() for key, made in make.items() if key in own}
    if "init" in arguments:
        arguments["seed"] = config["seed"]
    draws = draws_of(config["draws"], arguments, calibration) if "draws" in own else None
    prior = uncertain(config["prior"], calibration, config["calibration"]) if config["intervals"] else None
    notes += unusual_rates(calibration)
    notes += unusual_bounds(bounds_of(config["bounds"])) if "bounds" in own else []
    notes += unusual_rates(calibration, arguments["policy"]) if arguments.get("policy") is not None else []
    if verb == "unilateral" and arguments["objective"] in ("expected", "minimax", "regret"):
        from dlopt.trade.kind.robust import robust_problem  # which is made of this module's

        return robust_problem(config, calibration, {**common, **arguments}, config["seed"], notes)
    if verb in ("unilateral", "cooperative"):
        allowed = ("welfare", "bargain") if verb == "cooperative" else ("welfare", "expected", "minimax", "regret")
        if arguments["objective"] not in allowed:
            raise KeyValueError("objective", arguments["objective"], f"{', '.join(allowed)} with solve {verb}")
    formulas = verb == "unilateral" and config["formulas"]
    if formulas and (moved or _modes(arguments["instruments"]) - {"false", "by_sector"}):
        raise KeyValueError("formulas", "true", "false with moves, or with instruments other than by_sector")
    if verb == "unilateral":
        del arguments["objective"]
    if verb == "equilibrium":
        answer = None if config["retaliation"] == "none" else (config["retaliation"], arguments["retaliators"])
        del arguments["retaliators"]
        if answer is not None:
            check_answer(answer, arguments["policy"], calibration)
        return TradeProblem(
            verb, calibration, {**common, **arguments}, config["seed"], None, answer, notes, prior,
            households=households,
        )  # fmt: skip
    return TradeProblem(
        verb, calibration, {**common, **arguments}, config["seed"], draws, notes=notes, prior=prior, formulas=formulas,
        households=households,
    )  # fmt: skip


def _modes(choice: Any) -> set[str]:
    """How instruments are chosen, by anybody."""
    choices = choice.values() if isinstance(choice, Mapping) else (choice,)
    return {str(getattr(one, name)) for one in choices for name in CHOICE_NAMES}


def _digest(init: Any) -> dict[str, str]:
    """The policies a solve starts from, by content: the run they are from may change."""
    if not isinstance(init, Policy):
        return {}
    sha = hashlib.sha256()
    for name in KINDS:
        sha.update(getattr(init, name).contiguous().numpy().tobytes())
    return {"init.sha256": sha.hexdigest()}
