"""Which kinds of problem there are: those of dlopt, and those that installed packages bring.

A package names its kind under the entry-point group `dlopt.kinds`. It is imported when its kind is asked for, or when
all are listed; one that is at fault is reported in a line, and the others go on working.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from typing import TYPE_CHECKING

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import Kind, Verb

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "dlopt.kinds"
BUILT_IN = {
    "trade": "dlopt.trade.kind:TRADE",
    "export": "dlopt.choice.exporter.kind:EXPORT",
    "network": "dlopt.choice.production.kind:NETWORK",
}
"""Name -> where it is defined. The first that has a verb is the one the verb means by itself."""


class KindError(DloptError):
    """An installed package whose kind cannot be used: names the package, the fault and the remedy."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A kind, and where it comes from.

    Attributes:
        name: as in `kind=NAME`.
        source: `built in`, or name and version of the package.
        kind: None where `fault` says why there is none.
    """

    name: str
    source: str
    kind: Kind | None
    fault: str = ""


def load_kind(name: str) -> Kind:
    """A kind by name.

    Raises:
        UnknownNameError: there is none of this name.
        KindError: the package that should bring it is at fault.
    """
    if name in BUILT_IN:
        return _built_in(name)
    points = _points().get(name)
    if points is None:
        raise UnknownNameError("kind", name, kind_names())
    return _installed(points)


def kind_names() -> list[str]:
    """Names of all kinds, without importing a package."""
    return [*BUILT_IN, *sorted(name for name in _points() if name not in BUILT_IN)]


def installed_names() -> list[str]:
    """Names of the kinds that packages bring, clashes with the built-in ones included."""
    return sorted(_points())


def built_in_verbs() -> dict[str, tuple[Verb, str]]:
    """Verb -> what it is, and the kind it means by itself."""
    verbs: dict[str, tuple[Verb, str]] = {}
    for name in BUILT_IN:
        for verb in _built_in(name).all_verbs:
            verbs.setdefault(verb.name, (verb, name))
    return verbs


def all_kinds() -> list[Found]:
    """Every kind, those of packages imported; one at fault with its fault."""
    found = [Found(name, "built in", _built_in(name)) for name in BUILT_IN]
    for name, points in sorted(_points().items()):
        source = ", ".join(_source(point) for point in points)
        try:
            found.append(Found(name, source, _installed(points)))
        except KindError as error:
            found.append(Found(name, source, None, str(error)))
    return found


@functools.cache
def _points() -> dict[str, tuple[EntryPoint, ...]]:
    from importlib.metadata import entry_points

    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        same = points.get(point.name, ())
        if all(_source(point) != _source(other) or point.value != other.value for other in same):
            points[point.name] = (*same, point)
    return points


@functools.cache
def _built_in(name: str) -> Kind:
    module, _, attribute = BUILT_IN[name].partition(":")
    kind: Kind = getattr(importlib.import_module(module), attribute)
    return kind


@functools.cache
def _installed(points: tuple[EntryPoint, ...]) -> Kind:
    point = points[0]
    source = _source(point)
    if len(points) > 1:
        both = " and ".join(_source(point) for point in points)
        raise KindError(f"Packages {both} both bring a kind {point.name!r}: uninstall one of them.")
    if point.name in BUILT_IN:
        raise KindError(
            f"Package {source} brings a kind {point.name!r}, which is built in: its author must rename the entry point."
        )
    try:
        kind = point.load()
    except Exception as error:  # whatever a package does when it is imported
        reason = (str(error).splitlines() or [""])[0]
        raise KindError(
            f"Package {source} cannot be imported for its kind {point.name!r}: {type(error).__name__}: {reason}. "
            "Update or uninstall it."
        ) from error
    if not isinstance(kind, Kind):
        is_what = f"{point.value} is {type(kind).__name__!r}, not an instance of dlopt.kind.Kind"
        raise KindError(f"Package {source} declares no kind: {is_what}. Update or uninstall it.")
    fault = _unsound(kind, point.name)
    if fault:
        raise KindError(f"Package {source}: {fault}. Update or uninstall it.")
    return kind


def _unsound(kind: Kind, name: str) -> str:
    """What is wrong with a kind's account of itself, in words."""
    if getattr(kind, "name", None) != name:
        return f"its kind calls itself {getattr(kind, 'name', None)!r}, its entry point is {name!r}"
    try:
        verbs, solves, keys = [verb.name for verb in kind.all_verbs], kind.solves, list(kind.keys)
    except Exception as error:  # whatever a package does
        return f"its kind {name!r} cannot be read ({type(error).__name__}: {error})"
    if not isinstance(solves, str) or not verbs:
        return f"its kind {name!r} does not say what it solves, or by which verbs"
    unknown = [verb for verb in verbs if verb not in built_in_verbs()]
    if unknown:
        return f"its kind {name!r} has the verb {unknown[0]!r}; verbs are {', '.join(built_in_verbs())}"
    missing = {"resume", "seed", "threads"} - {key.name for key in keys}
    return f"its kind {name!r} lacks the keys {', '.join(sorted(missing))} (dlopt.kind.COMMON)" if missing else ""


def _source(point: EntryPoint) -> str:
    package = point.dist
    return "an unknown package" if package is None else f"{package.name} {package.version}"
