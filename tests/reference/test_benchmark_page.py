"""The page of benchmarks is what `python -m benchmarks --page-only` makes of the results that were kept."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.__main__ import PEERS
from benchmarks.solve import METHODS
from benchmarks.table import page

ROOT = Path(__file__).parents[2]


def test_page_is_made_of_the_results() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert page(results) == (ROOT / "docs" / "benchmarks.md").read_text()


def test_every_row_has_a_method_that_makes_it() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    for case, found in results["cases"].items():
        assert {*found} <= {"ours", *PEERS[case]} <= {*METHODS}, case
