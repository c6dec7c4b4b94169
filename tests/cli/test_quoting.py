"""A path comes out of Hydra's parser as it went in."""

from __future__ import annotations

import pytest
from dlopt.cli.solve.check import quoted
from hydra.core.override_parser.overrides_parser import OverridesParser

PATHS = [
    "a b",
    "it's",
    r"a\b",
    r"a\'b",
    "end\\",
    "end\\\\",
    r"x\\'y\z'",
    "new\nline",
    'a "q"',
    "a=b,c",
    "[x]",
    "ü😀",
    "'",
]


@pytest.mark.parametrize("path", PATHS)
def test_there_and_back(path: str) -> None:
    assert OverridesParser.create().parse_overrides([f"key={quoted(path)}"])[0].value() == path
