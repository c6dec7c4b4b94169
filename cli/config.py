"""The config schema: the dataclasses of the solvers, made known to Hydra."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from dlopt import BestResponse, Bounds, InstrumentChoice, JointNewton
from dlopt.trade.draws import DrawOptions

SOLVERS: dict[str, type] = {"joint_newton": JointNewton, "best_response": BestResponse}
"""Choices of the config group `solver`."""

FREE = ("weights",)
"""Keys whose value is a mapping of the user's own names."""


def schema_of(options: type) -> type:
    """A frozen options dataclass as OmegaConf wants it: not frozen, and with types it knows.

    OmegaConf makes nodes of frozen dataclasses read-only, so that nothing could be overridden.
    """
    hints = typing.get_type_hints(options)
    fields = []
    for field in dataclasses.fields(options):
        if not field.init:
            continue
        factory = field.default_factory
        default: Any = field.default if factory is dataclasses.MISSING else factory()
        if default is dataclasses.MISSING:
            default = MISSING
        if isinstance(default, tuple):
            default = list(default)
        fields.append((field.name, _known(hints[field.name]), dataclasses.field(default_factory=_returning(default))))
    return dataclasses.make_dataclass(f"{options.__name__}Schema", fields, namespace={"__module__": __name__})


def _returning(value: Any) -> Any:
    return lambda: list(value) if isinstance(value, list) else value


def _known(hint: Any) -> Any:
    """The nearest type OmegaConf checks; Any where it has none (our own checks follow)."""
    if hint in (bool, int, float, str):
        return hint
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal and all(isinstance(a, str) or a is False for a in arguments):
        return str
    if origin is tuple and set(arguments) <= {float, Ellipsis}:
        return list[float]
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = next(a for a in arguments if a is not type(None))
        return typing.Optional[inner] if inner in (bool, int, float, str) else Any  # noqa: UP045 (omegaconf 2.3)
    return Any


InstrumentChoiceSchema = schema_of(InstrumentChoice)
BoundsSchema = schema_of(Bounds)
JointNewtonSchema = schema_of(JointNewton)
BestResponseSchema = schema_of(BestResponse)


@dataclasses.dataclass
class DrawsSchema(schema_of(DrawOptions)):  # type: ignore[misc]
    """Whose subsidies are drawn after the solve (nobody's where it is null), and how."""

    player: str | None = None


@dataclasses.dataclass
class ScenarioSchema:
    """What a scenario says about itself."""

    description: str = MISSING
    verbs: list[str] = MISSING


@dataclasses.dataclass
class Config:
    """Every key of `dlopt solve` (see `dlopt.cli.verbs.KEYS` for their meaning)."""

    verb: str = MISSING
    scenario: ScenarioSchema = dataclasses.field(default_factory=ScenarioSchema)
    calibration: str = "stylized2017"
    policy: str | None = None
    player: str | None = None
    players: Any = "all"
    partners: str = "all"
    unions: Any = dataclasses.field(default_factory=list)
    moves: Any = dataclasses.field(default_factory=list)
    instruments: InstrumentChoiceSchema = dataclasses.field(default_factory=InstrumentChoiceSchema)  # type: ignore[valid-type]
    bounds: BoundsSchema = dataclasses.field(default_factory=BoundsSchema)  # type: ignore[valid-type]
    draws: DrawsSchema = dataclasses.field(default_factory=DrawsSchema)
    weights: Any = "income"
    objective: str = "welfare"
    no_losers: bool = False
    psi_scale: float = 1.0
    accounting: str = "standard"
    deficits: str = "none"
    solver: Any = MISSING
    tolerance: float | None = None
    starts: int = 1
    init: str = "baseline"
    resume: str | None = None
    checkpoint_seconds: float = 10.0
    seed: int = 0
    threads: int = 1


SECTIONS = tuple(field.name for field in dataclasses.fields(Config) if dataclasses.is_dataclass(field.default_factory))
"""Keys that have keys below them, the solver's apart."""


def register() -> None:
    """Make the schema and the solver group known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, options in (("joint_newton", JointNewtonSchema), ("best_response", BestResponseSchema)):
        store.store(group="solver", name=name, node=options)


def allowed_keys(solvers: tuple[str, ...] = tuple(SOLVERS)) -> list[str]:
    """Dotted names of all keys a user may set, sections included."""
    keys = []
    for field in dataclasses.fields(Config):
        if field.name in ("verb", "scenario", "solver"):
            continue
        keys.append(field.name)
        if dataclasses.is_dataclass(field.default_factory):
            keys += [f"{field.name}.{inner.name}" for inner in dataclasses.fields(field.default_factory)]
    options = {f"solver.{field.name}" for name in solvers for field in dataclasses.fields(SOLVERS[name]) if field.init}
    return [*keys, *sorted(options)]


def unknown_keys(cfg: DictConfig, solver: str) -> list[str]:
    """Dotted keys of a composed config that the schema does not have (a scenario file or `++key=` can add some)."""
    known = {*allowed_keys((solver,)), "verb", "scenario", "solver", "scenario.description", "scenario.verbs"}
    return [key for key in _dotted(OmegaConf.to_container(cfg, resolve=False)) if key not in known]


def _dotted(content: Any, prefix: str = "") -> list[str]:
    keys = []
    for key, value in content.items():
        name = f"{prefix}{key}"
        keys.append(name)
        if isinstance(value, dict) and name not in FREE:
            keys += _dotted(value, f"{name}.")
    return keys
