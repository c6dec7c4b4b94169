"""The list of tests that are not quick: every line of it names a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiers import SLOW

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("line", SLOW)
def test_every_line_names_tests(line: str) -> None:
    path, _, names = line.partition("::")
    assert (ROOT / path).exists(), "no such file: take the line off, or name the file as it is called now"
    for name in filter(None, names.partition("[")[0].split("::")):
        assert re.search(rf"\b(def|class) {name}\b", (ROOT / path).read_text(encoding="utf-8")), name
