"""The config schema of a kind: its keys, made known to Hydra."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from dlopt.kind import Key, Kind, loaded
from dlopt.registry import BUILT_IN

from .scenarios import own_scenarios


@dataclasses.dataclass
class ScenarioSchema:
    """What a scenario says about itself."""

    description: str = MISSING
    verbs: list[str] = MISSING


def register(kinds: Iterable[Kind]) -> None:
    """Make kinds known to Hydra: the config group `kind`, their sections of several choices, and their scenarios."""
    store = ConfigStore.instance()
    for kind in kinds:
        store.store(group="kind", name=kind.name, node=_schema(kind), package="_global_")
        for key in kind.keys:
            for name, options in (key.choices or {}).items():
                store.store(group=key.name, name=name, node=_section(options))
        if kind.name not in BUILT_IN:
            for name, node in own_scenarios(kind).items():
                store.store(group="scenario", name=name, node=node, package="_global_")


def keys_of(kind: Kind, verb: str | None = None) -> dict[str, Key]:
    """Every key a user may set, sections included, with the entry that tells most about it."""
    found: dict[str, Key] = {}
    for key in kind.keys:
        if verb is not None and not key.serves(verb):
            continue
        for name in (key.name, *(f"{key.name}.{field}" for field in _fields_below(key))):
            found.setdefault(name, dataclasses.replace(key, rule=None, words=()) if name != key.name else key)
        if "." in key.name:
            found[key.name] = key
    return found


def sections_of(kind: Kind) -> list[str]:
    """Keys that have keys below them and are set through these alone."""
    return [key.name for key in kind.keys if key.options is not None]


def groups_of(kind: Kind) -> list[str]:
    """Keys that choose one of several sections."""
    return [key.name for key in kind.keys if key.choices is not None]


def known_keys(kind: Kind, choices: Mapping[str, str]) -> set[str]:
    """Every dotted key that a composed config of a kind has, given what was chosen in its groups."""
    known = {"verb", "scenario", "scenario.description", "scenario.verbs"}
    for key in kind.keys:
        known.add(key.name)
        fields = _fields(key.choices[choices[key.name]]) if key.choices is not None else _fields(key.options)
        known |= {f"{key.name}.{field}" for field in fields}
    return known


def opaque_keys(kind: Kind) -> set[str]:
    """Keys whose value may be a mapping of the user's own names."""
    return {key.name for key in kind.keys if key.options is None and key.choices is None}


def _fields_below(key: Key) -> list[str]:
    if key.choices is not None:
        return sorted({field for options in key.choices.values() for field in _fields(options)})
    return _fields(key.options)


def _fields(options: Any) -> list[str]:
    found = loaded(options)
    return [] if found is None else [field.name for field in dataclasses.fields(found) if field.init]


def _schema(kind: Kind) -> Any:
    """The dataclass of a kind's keys."""
    fields: list[Any] = [("verb", str, dataclasses.field(default=MISSING))]
    fields.append(("scenario", ScenarioSchema, dataclasses.field(default_factory=ScenarioSchema)))
    defaults: list[Any] = []
    for key in kind.keys:
        if "." in key.name or key.name in {name for name, *_ in fields}:  # two verbs may mean two things by one name
            continue
        if key.choices is not None:
            defaults.append({f"/{key.name}": key.default})
            fields.append((key.name, Any, dataclasses.field(default=MISSING)))
        elif key.options is not None:
            section = _section(key.options)
            fields.append((key.name, type(section), dataclasses.field(default_factory=_returning(section))))
        else:
            hint = key.type if key.type is not None else type(key.default) if key.default is not None else Any
            default = list(key.default) if isinstance(key.default, tuple) else key.default
            fields.append((key.name, _known(hint), dataclasses.field(default_factory=_returning(default))))
    listed = dataclasses.field(default_factory=_returning([*defaults, "_self_"]))
    fields.insert(0, ("defaults", list[Any], listed))
    return dataclasses.make_dataclass(f"{kind.name.title()}Schema", fields, namespace={"__module__": __name__})


def _section(options: Any) -> Any:
    """An options dataclass (type or instance) as OmegaConf wants it, with its values; empty for None."""
    found = loaded(options)
    if found is None:
        return dataclasses.make_dataclass("NoOptions", [], namespace={"__module__": __name__})()
    schema = schema_of(found if isinstance(found, type) else type(found))
    if isinstance(found, type):
        return schema()
    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.init}
    return schema(**{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()})


def schema_of(options: type) -> Any:
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
