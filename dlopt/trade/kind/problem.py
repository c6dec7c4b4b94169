"""From the keys of a config to one call of a solver of the trade model, with every value checked on the way."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.tape import Tape
from dlopt.kind import Identity, KeyValueError, Problem, Session, Step, loaded
from dlopt.runs import read_run
from dlopt.trade import api
from dlopt.trade.calibration import Calibration
from dlopt.trade.draws import DrawOptions, DrawsInterrupted, draw_subsidies
from dlopt.trade.households import Households
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.intervals import intervals as compute
from dlopt.trade.kind import TRADE
from dlopt.trade.kind.carbon import carbon_of
from dlopt.trade.kind.sheets import describe
from dlopt.trade.kind.uncertain import Uncertain, uncertain
from dlopt.trade.policy import Policy
from dlopt.trade.rates import CHOICE_NAMES, CHOICES, KINDS
from dlopt.trade.redraw import RedrawInterrupted
from dlopt.trade.results import SolveResult
from dlopt.trade.shocks import Shock
from dlopt.trade.sobol import sobol
from dlopt.trade.statistics import by_formulas
from dlopt.trade.unusual import unusual_bounds, unusual_rates
from dlopt.trade.words import STYLISED, stylised


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
            session.watch.progress(Step("draws", f"draws {done} of {asked.draws}"))

        try:
            found = compute(result, asked.prior, asked.draws, seed, asked.level, asked.processes, tape, on_batch)
            if asked.sobol:
                indices = sobol(result, asked.prior, asked.sobol, None, seed, asked.processes, tape)
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
    calibration = calibration_named(
        config["calibration"], config["elasticities"], config["scale_elasticities"], config["theta_scale"]
    )
    common = {key: config[key] for key in ("accounting", "deficits", "psi_scale", "labour_supply", "revenue")}
    if config["tolerance"] is not None:
        common["tolerance"] = config["tolerance"]
    notes: list[str] = []
    if config["shocks"] is not None:
        common["shocks"] = _shock(config["shocks"], calibration, notes)
    if config["political_weights"] is not None:
        common["political_weights"] = _political_weights(config["political_weights"], calibration, notes)
    households = None if config["households"] is None else _households(config["households"], calibration)
    carbon = carbon_of(config, calibration, notes)
    if carbon is not None:
        common["carbon"] = carbon
    make: dict[str, Callable[[], Any]] = {
        "policy": lambda: _policy(config["policy"], config["calibration"], calibration, notes),
        "retaliators": lambda: _retaliators(config, calibration),
        "player": lambda: _player(config["player"], calibration, choices["scenario"], config["scenario"]["verbs"]),
        "players": lambda: _players(config["players"], calibration),
        "partners": lambda: _partners(config["partners"], calibration),
        "unions": lambda: _unions(config["unions"], calibration),
        "moves": lambda: _moves(config["moves"], calibration),
        "instruments": lambda: by_player(config, "instruments", calibration),
        "bounds": lambda: by_player(config, "bounds", calibration),
        "weights": lambda: _weights(config["weights"], calibration),
        "objective": lambda: config["objective"],
        "no_losers": lambda: config["no_losers"],
        "starts": lambda: config["starts"],
        "init": lambda: _init(config["init"], calibration),
        "solver": lambda: _solver(choices["solver"], config["solver"]),
    }
    # A sequence of moves says itself who moves.
    moved = verb == "unilateral" and config["moves"] != []
    own = {key.name for key in TRADE.keys if key.verbs and key.serves(verb)} - {"player" if moved else "moves"}
    arguments = {key: made() for key, made in make.items() if key in own}
    if "init" in arguments:
        arguments["seed"] = config["seed"]
    draws = _draws(config["draws"], arguments, calibration) if "draws" in own else None
    prior = uncertain(config["prior"], calibration, config["calibration"]) if config["intervals"] else None
    notes += unusual_rates(calibration)
    notes += unusual_bounds(_bounds(config["bounds"])) if "bounds" in own else []
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
            _check_answer(answer, arguments["policy"], calibration)
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


@functools.lru_cache(maxsize=8)
def calibration_named(
    name: str, elasticities: str | None = None, scale: str | None = None, theta_scale: float = 1.0
) -> Calibration:
    """A calibration, with other sets of elasticities where they are named; read once per process."""
    from dlopt.calibrations.elasticities import load_with

    world = load_with(name, elasticities, scale)
    return world if theta_scale == 1 else world.with_elasticities(theta=theta_scale * world.theta)


def _is_number(value: Any) -> bool:
    """Finite, and not a text that an interpolation left (`${...}` is checked by nobody before)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _solver(name: str, options: Mapping[str, Any]) -> Any:
    """A solver with its options; lists become tuples, as frozen options have them."""
    for key, value in options.items():
        if isinstance(value, int | float) and not (_is_number(+value) and value >= 0):
            raise KeyValueError(f"solver.{key}", value, "a finite number, 0 or more")
    made = next(key.choices for key in TRADE.keys if key.name == "solver")
    assert made is not None
    return loaded(made[name])(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def _player(player: str | None, calibration: Calibration, scenario: str, verbs: Sequence[str]) -> str:
    if player is None:
        together = f" All players at once: `dlopt solve nash scenario={scenario}`." if "nash" in verbs else ""
        raise DloptError(
            f"Which economy optimises? Scenario {scenario!r} names none: add player=NAME, one of "
            f"{', '.join(calibration.economies)}.{together}"
        )
    calibration.economy_index(player)
    return player


def _players(players: Any, calibration: Calibration) -> str | tuple[str, ...]:
    if players == "all":
        return "all"
    if isinstance(players, str):
        players = [players]
    if not isinstance(players, list) or len(players) == 0:
        raise KeyValueError("players", players, "all, or a list of economies such as [USA,CHN]")
    names = tuple(str(name) for name in players)
    for name in names:
        calibration.economy_index(name)
    if len(set(names)) < len(names):
        raise KeyValueError("players", f"[{','.join(names)}]", "a list that names each economy once")
    return names


def _moves(moves: Any, calibration: Calibration) -> tuple[str, ...]:
    names = _names(moves, "moves", "a list of economies such as [USA,CHN]")
    for name in names:
        calibration.economy_index(name)
    return names


def _unions(unions: Any, calibration: Calibration) -> tuple[tuple[str, ...], ...]:
    rule = "a list of lists of economies such as [[USA,EU],[JPN,IND]], each economy in one of them"
    if not isinstance(unions, list):
        raise KeyValueError("unions", unions, rule)
    groups = tuple(_names(union, "unions", rule) for union in unions)
    everyone = [name for group in groups for name in group]
    for name in everyone:
        calibration.economy_index(name)
    if len(set(everyone)) < len(everyone):
        raise KeyValueError("unions", [list(group) for group in groups], rule)
    return groups


def _names(value: Any, key: str, rule: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) == 0:
        raise KeyValueError(key, value, rule)
    return tuple(str(name) for name in value)


def by_player(config: Mapping[str, Any], section: str, calibration: Calibration) -> Any:
    """The instruments or bounds of all, or by economy where some have their own."""
    own = config.get("by_player") or {}
    if not isinstance(own, Mapping) or not all(isinstance(node, Mapping) for node in own.values()):
        raise KeyValueError("by_player", own, "a mapping such as {USA:{instruments:{tariff:by_sector}}}")
    sections = {"instruments": (*CHOICE_NAMES, "sectors"), "bounds": CHOICE_NAMES}
    for name, node in own.items():
        calibration.economy_index(str(name))
        for part, values in node.items():
            if part not in sections or not isinstance(values, Mapping):
                raise UnknownNameError(f"section of by_player.{name}", str(part), tuple(sections))
            for key in values:
                if key not in sections[part]:
                    raise UnknownNameError(f"key of {part}.{name}", str(key), sections[part])
    base: Mapping[str, Any] = config[section]
    if section == "bounds":
        if not any("bounds" in node for node in own.values()):
            return _bounds(base)
        return {label: _bounds({**base, **own.get(label, {}).get("bounds", {})}) for label in calibration.economies}
    if not any("instruments" in node for node in own.values()):
        return _instruments(base, calibration)
    chosen = {}
    for label in calibration.economies:
        node = {**base, **own.get(label, {}).get("instruments", {})}
        if any(str(node[name]).lower() != "false" for name in CHOICE_NAMES):
            chosen[label] = _instruments(node, calibration)
    return chosen


def _instruments(node: Mapping[str, Any], calibration: Calibration) -> InstrumentChoice:
    chosen: dict[str, Any] = {name: str(node[name]).lower() for name in CHOICE_NAMES}
    if set(chosen.values()) == {"false"}:
        keys = ", ".join(f"instruments.{name}" for name in CHOICE_NAMES)
        raise DloptError(f"No instrument is chosen: set one of {keys} to by_sector.")
    sectors = node["sectors"]
    if sectors in ("tradable", "all"):
        return InstrumentChoice(**chosen, sectors=sectors)
    if isinstance(sectors, str) and not _known_sector(sectors, calibration):
        raise UnknownNameError("value of instruments.sectors", sectors, ("tradable", "all", *calibration.sectors))
    if isinstance(sectors, str | int):
        sectors = [sectors]
    if not isinstance(sectors, list) or len(sectors) == 0:
        raise KeyValueError("instruments.sectors", sectors, "tradable, all, or a list of sectors such as [6,7]")
    labels = tuple(calibration.sectors[calibration.sector_index(label)] for label in sectors)
    if len(set(labels)) < len(labels):
        raise KeyValueError("instruments.sectors", f"[{','.join(labels)}]", "a list that names each sector once")
    return InstrumentChoice(**chosen, sectors=labels)


def _draws(node: Mapping[str, Any], own: Mapping[str, Any], calibration: Calibration) -> tuple[str, DrawOptions] | None:
    """Whose subsidies are drawn; it must be a player that chooses them."""
    if node["player"] is None:
        return None
    options = DrawOptions(node["count"], node["low"], node["high"])
    players = own["players"]
    chosen = own["instruments"]
    chosen = chosen.get(node["player"], InstrumentChoice()) if isinstance(chosen, Mapping) else chosen
    if chosen.subsidy == "false":
        raise DloptError(f"draws.player={node['player']}: nobody chooses subsidies here; set instruments.subsidy.")
    names = calibration.economies if players == "all" else players
    if node["player"] not in names:
        raise UnknownNameError("player (draws.player)", node["player"], names)
    return str(node["player"]), options


def _known_sector(label: str, calibration: Calibration) -> bool:
    return label in calibration.sectors or label in calibration.sector_names


def _bounds(node: Mapping[str, Any]) -> Bounds:
    values = {}
    for kind in CHOICES:
        pair = list(node[kind.name])
        key, shown = f"bounds.{kind.name}", f"[{','.join(str(v) for v in pair)}]"
        if len(pair) != 2 or not all(_is_number(v) for v in pair):
            raise KeyValueError(key, shown, "two finite numbers, the lowest and the highest rate")
        if pair[0] > pair[1]:
            raise KeyValueError(key, shown, f"[lowest,highest], that is [{pair[1]:g},{pair[0]:g}]")
        if not all(map(kind.possible, pair)):
            raise KeyValueError(key, shown, kind.limit)
        values[kind.name] = (float(pair[0]), float(pair[1]))
    return Bounds(**values)


def _weights(weights: Any, calibration: Calibration) -> str | dict[str, float]:
    if weights in ("income", "equal"):
        return str(weights)
    if not isinstance(weights, dict) or len(weights) == 0:
        raise KeyValueError("weights", weights, "income, equal, or a mapping such as {USA:1,CHN:2}")
    chosen: dict[str, float] = {}
    for name, value in weights.items():
        calibration.economy_index(str(name))
        if not (_is_number(value) and value >= 0):
            raise KeyValueError(f"weights.{name}", value, "a finite number, 0 or more")
        chosen[str(name)] = float(value)
    if not any(chosen.values()):
        raise KeyValueError("weights", chosen, "positive for some economy")
    return chosen


def _policy(name: str | None, where: str, calibration: Calibration, notes: list[str]) -> Policy | None:
    """Levels by name or file; else a sentence, a schedule by name, or a schedule in a file, with notes on it."""
    if name is None:
        return None
    from dlopt.calibrations import find_calibration, named_policies, read_policy
    from dlopt.policies import is_schedule, policy_from, schedules
    from dlopt.policies.reading import JOINT
    from dlopt.policies.words import is_policy_text

    named = named_policies(find_calibration(where))
    path = named.get(name, Path(name).expanduser())
    known = [schedule.name for schedule in schedules()]
    if (
        "%" in name
        or JOINT in name
        or is_policy_text(name)
        or (name in known and name not in named)
        or is_schedule(path)
    ):
        applied = policy_from(name, calibration)
        notes += applied.notes
        return applied.policy
    if not path.is_file():
        raise UnknownNameError(f"policy of calibration {calibration.name!r}, schedule or file", name, [*named, *known])
    return read_policy(path, calibration)


def _shock(text: str, calibration: Calibration, notes: list[str]) -> Shock:
    from dlopt.policies import shock_from

    applied = shock_from(text, calibration)
    notes += applied.notes
    return applied.shock


def _households(path: str, calibration: Calibration) -> Households:
    from dlopt.policies import households_from

    return households_from(path, calibration)


def _political_weights(text: str, calibration: Calibration, notes: list[str]) -> Tensor:
    from dlopt.policies import weights_from

    weights, said = weights_from(text, calibration)
    notes += said
    return weights


def _partners(partners: Any, calibration: Calibration) -> Any:
    if partners in ("all", "players"):
        return partners
    names = _names(
        [partners] if isinstance(partners, str) else partners, "partners", "all, players, or a list like [USA]"
    )
    for name in names:
        calibration.economy_index(name)
    return names


def _retaliators(config: Mapping[str, Any], calibration: Calibration) -> tuple[str, ...]:
    given = config["retaliators"]
    if given == "all":
        return ()
    names = _names([given] if isinstance(given, str) else given, "retaliators", "all, or a list such as [EU,CHN]")
    for name in names:
        calibration.economy_index(name)
    return names


def _check_answer(answer: tuple[Any, tuple[str, ...]], policy: Policy | None, calibration: Calibration) -> None:
    """There is something to answer, and somebody else to do it."""
    from dlopt.policies import sides

    if policy is None:
        raise DloptError(f"retaliation={answer[0]} answers a policy: give one, such as policy='USA: 25% on steel'.")
    sides(policy, calibration, answer[1])


def _init(init: str, calibration: Calibration) -> str | Policy:
    if init in ("baseline", "random"):
        return init
    folder = Path(init).expanduser()
    if not folder.is_dir():
        raise UnknownNameError("starting point init (or run folder)", init, ("baseline", "random"))
    return policy_of_run(folder, calibration)


def policy_of_run(folder: Path, calibration: Calibration) -> Policy:
    """The policies a run ended with.

    Raises:
        DloptError: not a run, no policies in it, or not those of these economies and sectors.
    """
    from dlopt.calibrations import read_policy
    from dlopt.runs.tables import read_table

    status = read_run(folder).status
    path = folder / "policies.parquet"
    if not path.is_file():
        raise DloptError(f"{folder} ({status}) has no policies to start from. Give another run, or init=baseline.")
    if read_table(folder, "policies").empty:
        return Policy.of(calibration)
    return read_policy(path, calibration)
