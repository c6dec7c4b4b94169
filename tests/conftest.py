"""Fixtures shared by all tests: real data where they are at hand, and economies that are worth building once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
import torch
from tiers import LONG, SLOW

from dlopt.calibrations import load_calibration
from dlopt.trade.calibration import Calibration

# The same examples in every run: a test that fails fails again.
hypothesis.settings.register_profile("seeded", derandomize=True)
hypothesis.settings.load_profile("seeded")

# What tests run is nobody's to call by name.
os.environ["DLOPT_STATE"] = tempfile.mkdtemp(prefix="dlopt-state-")

# One thread for each of the processes that share out the tests.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test that slow.txt does not name is quick; the files that take longest come first."""
    for item in items:
        if not item.nodeid.startswith(SLOW):
            item.add_marker("quick")
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The folder of a public data set by name; the test is skipped where the data are not at hand."""

    def folder(name: str) -> Path:
        path = REAL_DATA / name
        if not path.is_dir():
            pytest.skip(f"real data {name} are not at hand (looked in ../shared/data)")
        return path

    return folder


@pytest.fixture(scope="session")
def stylized() -> Calibration:
    """The embedded economy, as users load it."""
    return load_calibration(Path(__file__).parents[1] / "data" / "stylized2017")
