"""From the keys of a config to one call of a solver of a model, and from a run folder back to its result."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.precision import double_precision
from dlopt.kind import Identity, KeyValueError, Problem, Session, Step, loaded
from dlopt.models import solve
from dlopt.models.check import check_model
from dlopt.models.game import equilibrium
from dlopt.models.kind import KEYS, EquilibriumKind
from dlopt.models.model import EquilibriumModel, ModelError, first_line
from dlopt.models.results import Certificate, Iteration, ModelResult
from dlopt.runs import RunReadError, read_run
from dlopt.runs.tables import read_table, saved_config

_SAME = 1e-8
"""Largest difference of an objective between the equilibrium found again and the one on file, of its size."""


class RestoreError(DloptError):
    """A run whose result cannot be had again."""


class ModelProblem(Problem):
    """One solve of a model.

    Args:
        verb: `dlopt.models.solve_<verb>` does the work.
        model: the model, checked.
        arguments: what the solver is given besides.
        sha256: digest of the package that makes the model.
    """

    def __init__(self, verb: str, model: EquilibriumModel, arguments: Mapping[str, Any], sha256: str) -> None:
        self.verb, self.model, self.arguments = verb, model, arguments
        self.identity = Identity(model.name, sha256)
        self.size = (
            f"{len(model.players)} players, {len(model.instruments)} instruments, {len(model.unknowns)} unknowns"
        )
        self.recorded = "init" in arguments
        init = arguments.get("init")
        self.extra = {"init.values": repr(sorted(init.items()))} if isinstance(init, Mapping) else {}

    def solve(self, session: Session) -> ModelResult:
        """Run the solver; its steps go on the tape."""
        torch.manual_seed(int(self.arguments.get("seed", 0)))

        def on_iteration(step: Iteration) -> bool:
            session.watch.progress(Step(step.phase, str(step)))
            return session.watch.stop()

        recorded = {"tape": session.tape} if self.recorded else {}
        solver = getattr(solve, f"solve_{self.verb}")
        result: ModelResult = solver(self.model, on_iteration=on_iteration, **recorded, **self.arguments)
        return result


def build(kind: EquilibriumKind, verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> ModelProblem:
    """Make the model of a config and check both.

    Args:
        kind: whose model it is.
        verb: what is asked.
        config: every key with its value.
        choices: the solver chosen, and the scenario.

    Raises:
        DloptError: the first value that cannot be, or what is wrong with the model.
    """
    model, sha256 = _model(kind, config.get("model"))
    arguments: dict[str, Any]
    if verb == "equilibrium":
        arguments = {"instruments": _values(model, "policy", config["policy"] or {})}
    else:
        arguments = {key: config[key] for key in ("starts", "seed")}
        arguments["instruments"] = _names(model.instrument_names, "instruments", "instrument", config["instruments"])
        arguments["init"] = _init(model, config["init"])
        if config["tolerance"] is not None:
            arguments["tolerance"] = config["tolerance"]
    if verb == "unilateral":
        if config["player"] is None:
            raise DloptError(f"Which player optimises? Add player=NAME, one of: {', '.join(model.players)}.")
        model.player_index(config["player"])
        arguments["player"] = config["player"]
    if verb == "nash":
        arguments["players"] = _names(model.players, "players", "player", config["players"])
        arguments["solver"] = _solver(choices["solver"], config["solver"])
    if verb == "cooperative":
        weights = config["weights"]
        if isinstance(weights, Mapping):
            weights = {str(name): _number(f"weights.{name}", value) for name, value in weights.items()}
        elif not isinstance(weights, str):
            raise KeyValueError("weights", weights, "equal, or a mapping from players to weights")
        solve.planner_weights(model, weights)
        arguments["weights"] = weights
    check_model(model)
    return ModelProblem(verb, model, arguments, sha256)


def restore(kind: EquilibriumKind, folder: Path) -> ModelResult:
    """The result of a run: its model from config and package, its instruments from `policies.parquet`.

    Nothing is optimised; the equilibrium is solved once. Iterations and further solutions are not restored.

    Raises:
        RunReadError: not a run, or a damaged one.
        RestoreError: it has no result, its package has changed, or its equilibrium is not the one on file.
    """
    record = read_run(folder)
    if not (folder / "policies.parquet").is_file():
        raise RestoreError(f"{folder} ({record.status}) has no result. Give a run that reached one.")
    config, _ = saved_config(folder)
    if not {key.name for key in KEYS} <= config.keys():
        raise RunReadError(f"The config of {folder} cannot be read: keys are missing. Run it again.")
    model, sha256 = _model(kind, config.get("model"))
    if sha256 != record.calibration["sha256"]:
        raise RestoreError(f"The package of kind {kind.name!r} has changed since {folder} was run. Run it again.")
    initial = check_model(model)
    policies = read_table(folder, "policies").set_index("instrument")
    a = model.values({str(name): float(value) for name, value in policies["value"].items()})
    u = equilibrium(model, a)
    now = model.call("objectives", u, a)
    before = torch.tensor(read_table(folder, "objectives")["value"].to_numpy().copy())
    gap = float(((now - before).abs() / before.abs().clamp(min=1.0)).max())
    if not gap <= _SAME:
        raise RestoreError(f"The equilibrium of {folder} was not found again (objectives differ by {gap:.1e}).")
    chosen = torch.tensor(policies["chosen"].to_numpy().copy())
    certificate = Certificate(**(record.certificate or {}))
    return ModelResult(str(record.status), record.message, certificate, model, u, a, initial, chosen)


def _model(kind: EquilibriumKind, values: Mapping[str, Any] | None) -> tuple[EquilibriumModel, str]:
    """The model at some parameters, and the digest of the code that makes it."""
    make = loaded(kind.model)
    arguments = []
    if kind.parameters is not None:
        found = loaded(kind.parameters)
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in (values or {}).items()}
        try:
            arguments = [found(**given) if isinstance(found, type) else dataclasses.replace(found, **given)]
        except DloptError:
            raise
        except Exception as error:
            raise ModelError(f"The parameters of kind {kind.name!r} are refused: {first_line(error)}.") from error
    try:
        with double_precision():
            model = make(*arguments)
    except DloptError:
        raise
    except Exception as error:
        raise ModelError(
            f"Kind {kind.name!r} cannot make its model from these parameters: {type(error).__name__}: "
            f"{first_line(error)}."
        ) from error
    if not isinstance(model, EquilibriumModel):
        raise ModelError(f"Kind {kind.name!r} makes a {type(model).__name__}, not an EquilibriumModel.")
    return model, _digest(make.__module__)


def _digest(module: str) -> str:
    """Of the sources of the package that a module is in."""
    package = importlib.import_module(module.partition(".")[0])
    sources = [Path(str(package.__file__))]
    if hasattr(package, "__path__"):
        sources = sorted(path for folder in package.__path__ for path in Path(folder).rglob("*.py"))
    sha = hashlib.sha256()
    for path in sources:
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _values(model: EquilibriumModel, key: str, given: Any) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise KeyValueError(key, given, f"a mapping such as {{{model.instrument_names[0]}:0.1}}")
    values = {str(name): _number(f"{key}.{name}", value) for name, value in given.items()}
    model.values(values)
    return values


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise KeyValueError(key, value, "a finite number")
    return float(value)


def _names(known: Any, key: str, what: str, given: Any) -> str | tuple[str, ...]:
    if given == "all":
        return "all"
    if not isinstance(given, str | list) or not given:
        raise KeyValueError(key, given, f"all, or a list such as [{known[0]}]")
    names = tuple(str(name) for name in ([given] if isinstance(given, str) else given))
    for name in names:
        if name not in known:
            raise UnknownNameError(what, name, known)
    if len(set(names)) < len(names):
        raise KeyValueError(key, f"[{','.join(names)}]", f"a list that names each {what} once")
    return names


def _init(model: EquilibriumModel, init: Any) -> str | dict[str, float]:
    if init in ("start", "random"):
        return str(init)
    if not isinstance(init, str):
        return _values(model, "init", init)
    folder = Path(init).expanduser()
    if not folder.is_dir():
        raise UnknownNameError("starting point init (or run folder)", init, ("start", "random"))
    status = read_run(folder).status
    if not (folder / "policies.parquet").is_file():
        raise DloptError(f"{folder} ({status}) has no policies to start from. Give another run, or init=start.")
    policies = read_table(folder, "policies")
    if not {"instrument", "value"} <= set(policies):
        raise DloptError(f"{folder} is a run of another kind of model. Give one of this kind, or init=start.")
    return _values(model, "init", policies.set_index("instrument")["value"].to_dict())


def _solver(name: str, options: Mapping[str, Any]) -> Any:
    """A solver with its options; lists become tuples, as frozen options have them."""
    made = next(key.choices for key in KEYS if key.name == "solver")
    assert made is not None
    for key, value in options.items():
        if isinstance(value, int | float) and not value >= 0:
            raise KeyValueError(f"solver.{key}", value, "a finite number, 0 or more")
    return loaded(made[name])(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
