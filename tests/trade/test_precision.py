"""The trade model is solved in double precision, whatever torch's default type is."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
import torch
from economies import small_synthetic

import dlopt


@pytest.fixture
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def tables() -> dict[str, pd.DataFrame]:
    """Of a dual game from a random start, of a best response, and of given policies: all but times."""
    world = small_synthetic()
    policy = dlopt.Policy(world.tariff + 0.1, world.export_tax, world.subsidy + 0.05)
    found = {
        "game": dlopt.solve_nash(
            world, instruments={"tariff": "uniform", "subsidy": "by_sector"}, init="random", seed=3
        ),
        "best response": dlopt.solve_unilateral(world, "E1", instruments={"tariff": "uniform"}),
        "equilibrium": dlopt.solve_equilibrium(world, policy),
    }
    return {
        f"{what}, {name}": table.drop(columns=[column for column in table if "seconds" in column])
        for what, result in found.items()
        for name, table in result.tables().items()
    }


def test_no_number_depends_on_the_default_type(double: None) -> None:
    first = tables()
    torch.set_default_dtype(torch.float32)
    for name, table in tables().items():
        pd.testing.assert_frame_equal(table, first[name], check_exact=True, obj=name)
