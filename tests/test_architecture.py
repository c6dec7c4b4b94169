"""Which way the parts of dlopt may depend on each other: docs/architecture.md, read from the imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ADAPTER = {
    "errors", "store", "framework", "kind", "trade", "choice", "choice.exporter", "choice.production", "models",
    "calibrations", "policies", "runs", "views",
}  # fmt: skip
"""What the side of a room that faces the command line may import: its `kind`."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "store": {"errors"},
    "framework": {"errors"},
    "shown": {"errors"},
    "models": {"errors", "store", "framework", "kind", "shown"},
    "trade": {"errors", "store", "framework", "models", "shown"},
    "choice": {"errors", "store", "framework", "kind", "shown"},
    "choice.exporter": {"errors", "store", "framework", "choice"},
    "choice.production": {"errors", "store", "framework", "choice"},
    "calibrations": {"errors", "store", "trade"},
    "policies": {"errors", "store", "trade"},
    "kind": {"errors", "framework"},
    "registry": {"errors", "kind"},
    "opening": {"errors", "registry", "runs"},
    "trade.kind": ADAPTER,
    "models.kind": ADAPTER,
    "choice.kind": ADAPTER | {"choice.estimation.kind"},
    "choice.estimation.kind": ADAPTER,
    "choice.exporter.kind": ADAPTER | {"choice.kind"},
    "choice.production.kind": ADAPTER | {"choice.kind"},
    "runs": {"errors", "store", "kind"},
    "views": {
        "errors", "store", "framework", "kind", "registry", "shown", "trade", "choice", "choice.exporter",
        "choice.production", "policies", "runs",
    },
    "papers.engine": {"errors", "kind", "store", "framework", "trade", "calibrations", "runs", "views"},
    "papers.wang2024": {"errors", "store", "framework", "trade", "calibrations", "runs", "views", "papers.engine"},
    "papers.huang2024": {
        "errors", "store", "framework", "trade", "choice", "choice.exporter", "choice.production", "runs", "views",
        "papers.engine",
    },
    "papers.beside": {"errors", "store", "trade"},
    "papers.ossa2014": {"trade", "papers.beside"},
    "papers.ll2023": {"errors", "framework", "trade", "papers.beside"},
    "papers.caliendo_parro": {"trade", "calibrations", "papers.beside"},
    "papers": {
        "errors", "store", "trade", "calibrations", "views", "papers.engine", "papers.wang2024", "papers.huang2024",
    },
}  # fmt: skip
"""Room -> the rooms its modules may import. The command line and the front door (`dlopt` itself) may import all."""

ON_TOP = {"", "__main__", "cli"}
"""The front door, which hands out names of all rooms; `python -m dlopt`; the command line."""

DOORS = {"choice": {"choice.exporter", "choice.production"}, "models": {"models.kind"}}
"""Room -> rooms whose names its `__init__.py`, and no other module of it, hands out."""

SCREENS = {"hydra", "omegaconf", "typer", "click", "rich"}
FILES = {"os", "shutil", "tempfile", "csv", "json", "yaml", "pyarrow", "zipfile", "logging"}
NOT_IN: dict[str, set[str]] = {
    "framework": {*SCREENS, *FILES, "pathlib", "pandas", "matplotlib", "numpy", "scipy"},
    "models": {*SCREENS, *FILES, "matplotlib"},
    "trade": {*SCREENS, *FILES, "matplotlib"},
    "choice": {*SCREENS, "matplotlib", "yaml", "json"},
    "calibrations": {*SCREENS, "matplotlib"},
    "runs": {*SCREENS, "matplotlib", "torch"},
    "store": SCREENS,
    "views": {"hydra", "omegaconf", "typer", "click"},
    "papers": SCREENS,
}
"""Room, with the rooms in it -> what it must not know of: numerics write no file but through `store`, and only the
command line knows Hydra and Typer."""

NOT_YET: dict[tuple[str, str], str] = {}
"""Arrows that still point the wrong way: module and room -> what for. An arrow that is mended must leave the list."""

Sources = Mapping[str, str]
"""Name of a module without `dlopt.`, empty for `dlopt` itself, `.__init__` kept -> its source."""


def sources() -> dict[str, str]:
    """Of the project."""
    found = {}
    for base, folder in (("", ROOT / "dlopt"), ("cli.", ROOT / "cli")):
        for path in folder.rglob("*.py"):
            name = base + ".".join(path.relative_to(folder).with_suffix("").parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


def room(module: str) -> str:
    """The room a module or anything in it is in: the longest name of a room that it begins with."""
    parts = module.removesuffix(".__init__").split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in MAY_IMPORT or name in ON_TOP:
            return name
    return parts[0]


@functools.cache
def imports(module: str, source: str) -> tuple[str, ...]:
    """Full names of everything a module imports, wherever in it, for types too."""
    package = ["dlopt", *module.split(".")[:-1]]
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{start}.{alias.name}" for alias in node.names]
    return tuple(found)


def arrows(read: Sources) -> set[tuple[str, str]]:
    """Every arrow from a module to another room of dlopt."""
    found = set()
    for module, source in read.items():
        for name in imports(module, source):
            if name.split(".")[0] == "dlopt":
                inside = ".".join(name.split(".")[1:])
                # `from dlopt import SolveResult` is an import of the front door.
                target = room(inside) if inside.split(".")[0] in _tops(read) else ""
                if target != room(module) and not name.startswith("dlopt.__"):
                    found.add((module, target))
    return found


def _tops(read: Sources) -> set[str]:
    return {module.split(".")[0] for module in read} - {"__init__"}


def turned(read: Sources) -> set[tuple[str, str]]:
    """Arrows that point the wrong way."""
    wrong = set()
    for module, target in arrows(read):
        own = room(module)
        door = DOORS.get(own, set()) if module == f"{own}.__init__" else set()
        if own not in ON_TOP and module != "__init__" and target not in MAY_IMPORT.get(own, set()) | door:
            wrong.add((module, target))
    return wrong


def foreign(read: Sources) -> set[tuple[str, str]]:
    """Packages imported where they must not be known."""
    return {
        (module, package)
        for module, source in read.items()
        for package in {name.split(".")[0] for name in imports(module, source)}
        for place, forbidden in NOT_IN.items()
        if package in forbidden and f"{module}.".startswith(f"{place}.")
    }


def test_every_room_says_what_it_may_import() -> None:
    rooms = {room(module) for module in sources() if module != "__init__"}
    assert rooms <= {*MAY_IMPORT, *ON_TOP}, "a new room needs a line in MAY_IMPORT and in docs/architecture.md"


def test_the_rooms_form_no_circle() -> None:
    above: dict[str, set[str]] = {name: set(below) for name, below in MAY_IMPORT.items()}
    while above:
        free = {name for name, below in above.items() if not below & set(above)}
        assert free, f"a circle among {sorted(above)}"
        above = {name: below for name, below in above.items() if name not in free}


def test_every_arrow_points_the_right_way() -> None:
    wrong = turned(sources())
    assert wrong - set(NOT_YET) == set()
    assert set(NOT_YET) - wrong == set(), "mended: take it off the list"


def test_no_room_knows_what_it_must_not() -> None:
    assert foreign(sources()) == set()


def test_the_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {room(module) for module in sources()} & set(MAY_IMPORT)
    assert sorted(name for name in rooms if f"`dlopt/{name.replace('.', '/')}" not in page) == []


@pytest.mark.parametrize(
    ("module", "line", "target"),
    [
        ("framework.nash", "from dlopt.trade.model import TradeModel", "trade"),
        ("store.files", "def read():\n    import dlopt.runs.folder", "runs"),
        ("choice.training", "from .exporter.model import Exporter", "choice.exporter"),
        ("trade.model", "from dlopt.choice import solve_bsde", "choice"),
        ("runs.record", "if TYPE_CHECKING:\n    from ..trade import results", "trade"),
        ("papers.engine.study", "from dlopt.cli import screen", "cli"),
        ("trade.model", "from dlopt import load_calibration", ""),
        ("elsewhere", "from dlopt.framework.game import Game", "framework"),
    ],
)
def test_a_turned_arrow_is_found(module: str, line: str, target: str) -> None:
    read = {**sources(), module: line}
    assert (module, target) in turned(read)


def test_arrows_that_are_allowed_are_not_found() -> None:
    read = {
        "framework.game": "import torch", "choice.exporter.model": "", "cli.solve": "from dlopt.papers import run",
        "trade.model": "import math\nfrom dlopt.framework.game import Game\nfrom .rates import KINDS", "papers.run": "",
        "choice.__init__": "from dlopt.choice.exporter.model import Exporter", "trade.rates": "",
        "__init__": "from dlopt.trade.model import TradeModel",
    }  # fmt: skip
    assert turned(read) == set()


def test_a_room_that_knows_too_much_is_found() -> None:
    assert foreign({"trade.model": "import hydra.utils", "cli.solve": "import hydra"}) == {("trade.model", "hydra")}
    assert foreign({"papers.engine.run": "from rich import table"}) == {("papers.engine.run", "rich")}
