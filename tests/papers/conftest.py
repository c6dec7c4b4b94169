"""A world small enough to solve every game in seconds, with the labels that the scenarios name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from economies import small_synthetic

from dlopt import Calibration
from dlopt.papers.engine.cache import Cache
from dlopt.papers.engine.study import Study
from dlopt.papers.targets import PROBLEMS
from dlopt.papers.wang2024.scenarios import Variant

VARIANT = Variant("standard", "tradable")


@pytest.fixture(scope="session")
def world() -> Calibration:
    """Three economies, 18 sectors labelled 6 to 22, and a service."""
    made = small_synthetic(3, 18)
    return dataclasses.replace(
        made, economies=("USA", "CHN", "IND"), sectors=tuple(str(label) for label in range(6, 24))
    )


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def study_of(shared: Path) -> Callable[..., Study]:
    """A study of some world, on the shared cache."""

    def make(calibration: Calibration, *variants: Variant) -> Study:
        return Study(PROBLEMS, Cache(shared, calibration), variants or (VARIANT,))

    return make
