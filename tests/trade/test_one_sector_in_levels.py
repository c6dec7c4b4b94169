"""One-sector worlds with transfers, elastic labour and an income tax, against a second solution: numpy, in levels."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from dlopt import solve_equilibrium
from dlopt.calibrations.importers.flows import read
from dlopt.policies import policy_from
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

Array = npt.NDArray[np.float64]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "schedules" / "baci2023_194.csv"
THETA, OPENNESS = 4.0, 0.25
CASES: list[dict[str, Any]] = [
    {},
    {"labour_supply": 0.5},
    {"labour_supply": 0.5, "revenue": "income_tax"},
    {"deficits": "share"},
    {"deficits": "share", "labour_supply": 0.5, "revenue": "income_tax"},
    {"deficits": "constant", "revenue": "income_tax", "labour_supply": 0.25},
    {"deficits": "proportional", "labour_supply": 0.5},
]


def in_levels(flows: Array, tariffs: Array, deficits: str, elasticity: float, revenue: str) -> tuple[Array, Array]:
    """Changes of real income and of welfare in per cent, by wages, incomes and employment that are adjusted in turn.

    Args:
        flows: `[origin, destination]`, home sales included, at free trade.
        tariffs: `[origin, destination]`, as fractions, zero at home.
        deficits: what transfers do; `none`: they end before, and the baseline is the world after that.
        elasticity: of labour to real wages.
        revenue: `lump_sum` or `income_tax`.
    """
    if deficits == "none":
        flows = _solved(flows, np.zeros_like(flows), "none", 0.0, "lump_sum")["flows"]
    made, spent = flows.sum(1), flows.sum(0)
    end = _solved(flows, tariffs, deficits, elasticity, revenue)
    weight = elasticity / (1 + elasticity)
    work = made * end["wage"] * end["labour"] if revenue == "lump_sum" else end["earned"]
    real = end["income"] / spent / end["price"]
    welfare = (end["income"] - weight * work) / end["price"] / (spent - weight * made)
    return 100 * (real - 1), 100 * (welfare - 1)


def _solved(flows: Array, tariffs: Array, deficits: str, elasticity: float, revenue: str) -> dict[str, Array]:
    made, spent = flows.sum(1), flows.sum(0)
    gap, shares = spent - made, flows / spent
    wage, labour, income = np.ones(len(flows)), np.ones(len(flows)), spent.copy()
    for _ in range(100_000):
        cost = (wage[:, None] * (1 + tariffs)) ** -THETA
        price = (shares * cost).sum(0) ** (-1 / THETA)
        sold = shares * cost * price**THETA * income / (1 + tariffs)
        earned = wage * labour * made + (tariffs * sold).sum(0)
        transfer = {
            "none": 0 * gap,
            "constant": gap,
            "share": gap * income.sum() / spent.sum(),
            "proportional": income * (gap / spent - (gap / spent * income).sum() / income.sum()),
        }[deficits]
        pay = wage / price if revenue == "lump_sum" else earned / (made * labour * price)
        new = wage * (sold.sum(1) / (wage * labour * made)) ** 0.15
        new *= made.sum() / (new * made).sum()
        off = max(np.abs(new / wage - 1).max(), np.abs(pay**elasticity / labour - 1).max())
        off = max(off, np.abs((earned + transfer) / income - 1).max())
        wage = new
        income = income + 0.5 * (earned + transfer - income)
        labour = labour * (pay**elasticity / labour) ** 0.5
        if off < 1e-13:
            found = {"wage": wage, "labour": labour, "income": income, "price": price, "earned": earned, "flows": sold}
            return found
    raise AssertionError(f"the wages of the second solution do not settle: {off}")


def compare(world: Calibration, tariffs: Array, options: dict[str, Any]) -> None:
    """The two solutions of one world agree to 1e-8 %."""
    given = {"deficits": "none", "labour_supply": 0.0, "revenue": "lump_sum", **options}
    policy = dataclasses.replace(Policy.of(world), tariff=torch.from_numpy(tariffs)[:, :, None])
    result = solve_equilibrium(world, policy, **given)
    real, welfare = in_levels(
        world.trade[:, :, 0].numpy(), tariffs, given["deficits"], given["labour_supply"], given["revenue"]
    )
    table = result.table("welfare").set_index("economy").loc[list(world.economies)]
    np.testing.assert_allclose(table["real_income_change_pct"], real, atol=1e-8)
    np.testing.assert_allclose(table["welfare_change_pct"], welfare, atol=1e-8)


@pytest.fixture(scope="module")
def random_world(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """Six economies of unequal size whose trade does not balance."""
    draws = np.random.default_rng(5)
    names = ["BRA", "CHN", "DEU", "IND", "JPN", "USA"]
    size = draws.lognormal(0.0, 1.0, 6)
    rows = [
        {"exporter": i, "importer": n, "value": 100 * size[a] * size[b] * draws.lognormal(0.0, 0.4)}
        for a, i in enumerate(names)
        for b, n in enumerate(names)
        if i != n
    ]
    path = tmp_path_factory.mktemp("flows") / "flows.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return read(path, openness=OPENNESS).calibration


@pytest.mark.parametrize("options", CASES, ids=str)
def test_a_random_world(random_world: Calibration, options: dict[str, Any]) -> None:
    tariffs = np.random.default_rng(7).uniform(0.0, 0.6, (6, 6))
    np.fill_diagonal(tariffs, 0.0)
    compare(random_world, tariffs, options)


@pytest.mark.skipif(not SHARED.is_file(), reason="../shared/data/schedules is not at hand")
@pytest.mark.parametrize("options", CASES[2:5:2], ids=str)
def test_the_schedule_of_2_april_on_194_economies(options: dict[str, Any]) -> None:
    world = read(SHARED, year="2023").calibration
    compare(world, policy_from("us_2025_04_02", world).policy.tariff[:, :, 0].numpy(), options)
