"""The pages that lead from an equation of a paper to a function name functions that are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`((?:\w+\.)+\w+)(?:\([^`]*\))?`")
"""Dotted names in code spans."""
PACKAGES = {"equations": "dlopt.trade", "bsde": "dlopt.choice", "network": "dlopt.choice"}
"""Page -> where names without `dlopt` are looked for."""


def _named(page: str) -> set[str]:
    """Whole names of the functions and classes in the table rows of a page that hold an equation, table or figure."""
    lines = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if re.match(r"\| *(section|appendix|Table|Figure|\(|continuous|links|N = )", line)]
    return {name for row in rows for name in NAMED.findall(row)}


@pytest.mark.parametrize("page", PACKAGES)
def test_names_beside_equations_exist(page: str) -> None:
    names = _named(page)
    assert len(names) > 5
    assert [name for name in sorted(names) if not _there(name, PACKAGES[page])] == []


def _there(name: str, package: str) -> bool:
    whole = name if name.startswith("dlopt.") else f"{package}.{name}"
    return any(_found(each) for each in (whole, *(f"{module}.{name}" for module in MODULES.get(package, ()))))


MODULES = {"dlopt.trade": ("dlopt.trade.model", "dlopt.trade.game", "dlopt.framework")}
"""Modules whose classes the page of the trade model names without saying where they stand."""


def _found(whole: str) -> bool:
    """Whether a module, or what is in one, has this name."""
    parts = whole.split(".")
    for k in range(len(parts), 0, -1):
        try:
            at: object = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            if not hasattr(at, part) and part not in getattr(at, "__annotations__", {}):
                return False
            at = getattr(at, part, None)
        return True
    return False
