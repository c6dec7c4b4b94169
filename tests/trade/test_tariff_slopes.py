"""One sector, two countries: how optimal and Nash tariffs move with the trade elasticity, on paper.

Home's optimal tariff is t = (1 + r) / theta, where r is what Foreign spends on Home's good over what it spends on its
own, net of Foreign's tariff; a = Home's own spending over its imports, net, is the mirror image. With Foreign's wage at
one and x the log of Home's, without intermediates and returns to scale, both have closed forms and trade balances where

    e^x L / (1 + a) = L* r / (1 + r),  a = A (1+t)^(1+theta) e^(-theta x),  r = R (1+t*)^(-1-theta) e^(-theta x),

A and R from the data. Home alone, or both (then t* = (1 + 1/a) / theta), are two or three equations, solved here by
scipy and differentiated by hand. Nothing of dlopt's is used.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from economies import one_sector_two_countries
from scipy.optimize import root

from dlopt import Bounds, InstrumentChoice, SolveResult, solve_nash, solve_unilateral
from dlopt.trade.parameters import parameters_of
from dlopt.trade.prior import Prior

TARIFFS = InstrumentChoice(tariff="by_sector")
WIDE = Bounds(tariff=(-0.5, 9.0))
HOME_TARIFF, FOREIGN_TARIFF, IMPORTS = 0.05, 0.1, 0.3


def on_paper(theta: float, sizes: tuple[float, float], both: bool) -> tuple[np.ndarray, np.ndarray]:
    """Log wage, Home's tariff and Foreign's at the solution, and their derivatives with respect to theta."""
    own, abroad = (size - IMPORTS for size in sizes)
    bought, sold = IMPORTS * (1 + HOME_TARIFF), IMPORTS * (1 + FOREIGN_TARIFF)

    def ratios(z: np.ndarray, theta: float) -> tuple[float, float]:
        x, t, t_star = z
        a = own / bought * (1 + HOME_TARIFF) ** -theta * (1 + t) ** (1 + theta) * math.exp(-theta * x)
        r = sold / abroad * (1 + FOREIGN_TARIFF) ** theta * (1 + t_star) ** (-1 - theta) * math.exp(-theta * x)
        return a, r

    def equations(z: np.ndarray) -> list[float]:
        a, r = ratios(z, theta)
        balance = z[0] + math.log(sizes[0] / (1 + a)) - math.log(sizes[1] * r / (1 + r))
        return [balance, z[1] - (1 + r) / theta, z[2] - ((1 + 1 / a) / theta if both else FOREIGN_TARIFF)]

    solved = root(equations, [0.0, 1 / theta, 1 / theta], tol=1e-14)
    assert max(map(abs, equations(solved.x))) < 1e-11
    x, t, t_star = solved.x
    a, r = ratios(solved.x, theta)
    # derivatives of log a and log r with respect to x, t, t_star and theta
    log_a = np.array([-theta, (1 + theta) / (1 + t), 0.0, math.log((1 + t) / (1 + HOME_TARIFF)) - x])
    log_r = np.array([-theta, 0.0, -(1 + theta) / (1 + t_star), math.log((1 + FOREIGN_TARIFF) / (1 + t_star)) - x])
    balance = np.array([1.0, 0.0, 0.0, 0.0]) - a / (1 + a) * log_a - log_r / (1 + r)
    home = np.array([0.0, 1.0, 0.0, t / theta]) - r / theta * log_r
    foreign = np.array([0.0, 0.0, 1.0, 0.0])
    if both:
        foreign += np.array([0.0, 0.0, 0.0, t_star / theta]) + log_a / (a * theta)
    every = np.stack([balance, home, foreign])
    return solved.x, -np.linalg.solve(every[:, :3], every[:, 3])


def computed(theta: float, sizes: tuple[float, float], both: bool, accounting: str = "standard") -> SolveResult:
    world = one_sector_two_countries(
        theta=theta, sizes=sizes, imports=IMPORTS, tariffs=(HOME_TARIFF, FOREIGN_TARIFF)
    )  # fmt: skip
    if both:
        return solve_nash(world, instruments=TARIFFS, bounds=WIDE, accounting=accounting)  # type: ignore[arg-type]
    return solve_unilateral(world, "Home", instruments=TARIFFS, bounds=WIDE, accounting=accounting)  # type: ignore[arg-type]


@pytest.mark.parametrize("both", [False, True], ids=["Home alone", "Nash"])
@pytest.mark.parametrize(
    ("theta", "sizes", "accounting"),
    [
        (1.5, (1.0, 1.0), "standard"),
        (4.0, (1.0, 6.0), "paper"),
        (4.0, (5.0, 1.0), "standard"),
        (9.0, (5.0, 1.0), "paper"),
        (9.0, (1.0, 6.0), "standard"),
    ],
)
def test_tariffs_move_with_the_elasticity_as_on_paper(
    theta: float, sizes: tuple[float, float], both: bool, accounting: str
) -> None:
    paper, slopes = on_paper(theta, sizes, both)
    result = computed(theta, sizes, both, accounting)
    found = result.sensitivity("theta")
    rates = [float(result.policy.tariff[1, 0, 0]), float(result.policy.tariff[0, 1, 0])]
    assert rates == pytest.approx(list(paper[1:]), abs=1e-9)
    chosen = 2 if both else 1
    slope = found.instruments[:, 0] * (1 + torch.tensor(rates[:chosen], dtype=torch.float64))
    assert slope.numpy() == pytest.approx(slopes[1 : 1 + chosen], rel=1e-7)
    wage = found.outcomes[1, :, 0] / 100 * (-result.state.wage).exp()
    assert float(result.state.wage[0] - result.state.wage[1]) == pytest.approx(paper[0], abs=1e-9)
    assert float(wage[0] - wage[1]) == pytest.approx(slopes[0], rel=1e-7)


@pytest.mark.parametrize("both", [False, True], ids=["Home alone", "Nash"])
def test_standard_errors_of_tariffs_are_those_on_paper(both: bool) -> None:
    """The delta method: the standard error of theta times the slope, in rates."""
    theta, error = 4.0, 0.5
    paper, slopes = on_paper(theta, (1.0, 2.0), both)
    result = computed(theta, (1.0, 2.0), both)
    prior = Prior(
        tuple(parameters_of(result.model.given, ["theta"])), torch.tensor([[error**2]], dtype=torch.float64), "normal"
    )
    table = result.intervals(prior).policies()
    chosen = 2 if both else 1
    assert table["standard_error"].to_numpy() == pytest.approx(error * abs(slopes[1 : 1 + chosen]), rel=1e-7)
    assert table["rate"].to_numpy() == pytest.approx(paper[1 : 1 + chosen], abs=1e-9)
