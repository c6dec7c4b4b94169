"""A second implementation of the model without intermediates, in plain numpy and scipy, reaches the same optima.

It shares nothing with `dlopt.trade`: wages and labour by sector are the unknowns, the Jacobian is by differences, and
the optimum is found by L-BFGS-B on differences of welfare.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from economies import without_intermediates
from numpy.typing import NDArray
from scipy.optimize import minimize

from dlopt import Bounds, Calibration, InstrumentChoice, SolveResult, solve_nash, solve_unilateral

Array = NDArray[np.float64]
BOUNDS = Bounds(tariff=(-0.25, 1.0))


class Economy:
    """Exact-hat equilibria of a balanced baseline in which goods are made from labour alone.

    Every tax falls on the price it meets (`accounting=standard`): producers are paid cost, a subsidy `s` makes the
    price `(1 - s)` times cost, and a tariff `t` comes on top.
    """

    def __init__(self, result: SolveResult) -> None:
        c = result.calibration
        self.theta, self.psi = c.theta.numpy(), c.psi.numpy()
        self.tariff, self.subsidy = c.tariff.numpy(), c.subsidy.numpy()
        trade = result.model.trade.numpy()
        paid = trade / ((1 + self.tariff) * (1 - self.subsidy)[:, None])
        self.revenue, spending = paid.sum(1), trade.sum(0)
        self.labour_income, self.income = self.revenue.sum(1), spending.sum(1)
        self.share, self.weight = trade / spending, spending / self.income[:, None]
        self.last: Array = np.zeros(len(self.income) - 1 + self.revenue.size)

    def welfare(self, tariff: Array) -> Array:
        """Real income relative to the baseline, `[country]`, under tariffs `[origin, destination, sector]`."""
        countries, sectors = self.revenue.shape

        def state(z: Array) -> tuple[Array, Array, Array, Array, Array]:
            wage = np.exp(np.concatenate(([0.0], z[: countries - 1])))
            labour = np.exp(z[countries - 1 :].reshape(countries, sectors))
            cost = wage[:, None] * labour**-self.psi
            raw = self.share * (cost[:, None] * (1 + tariff) / (1 + self.tariff)) ** -self.theta
            price = raw.sum(0) ** (-1 / self.theta)
            spent = raw / raw.sum(0) * self.weight  # per unit of the destination's income
            paid = spent / ((1 + tariff) * (1 - self.subsidy)[:, None])
            kept = np.diag(1 - (spent * tariff / (1 + tariff)).sum((0, 2)))
            outlay = (paid * self.subsidy[:, None]).sum(2)
            income = np.linalg.solve(kept + outlay, wage * self.labour_income)
            return wage, labour, price, income, (paid * income[:, None]).sum(1)

        def gaps(z: Array) -> Array:
            wage, labour, _, _, revenue = state(z)
            employed = (self.revenue * labour).sum(1) / self.labour_income
            return np.concatenate(
                (np.log(employed[1:]), np.log(revenue / (wage[:, None] * labour * self.revenue)).ravel())
            )

        z, step = self.last, 1e-6
        for _ in range(50):
            if np.abs(gaps(z)).max() <= 1e-12:
                break
            slopes = [(gaps(z + step * e) - gaps(z - step * e)) / (2 * step) for e in np.eye(len(z))]
            z = z - np.linalg.solve(np.array(slopes).T, gaps(z))
        assert np.abs(gaps(z)).max() <= 1e-12
        self.last = z
        _, _, price, income, _ = state(z)
        return np.asarray(income / self.income / np.exp((self.weight * np.log(price)).sum(1)))


def world() -> Calibration:
    """Two economies, five sectors with economies of scale, and markups: fixed negative subsidies, rebated."""
    draw = np.random.default_rng(1)
    trade = draw.lognormal(0, 1, (2, 2, 5)) * (1 + 3 * np.eye(2)[:, :, None])
    tariff = 0.1 * draw.uniform(0, 1, (2, 2, 5)) * (1 - np.eye(2)[:, :, None])
    theta = draw.uniform(2, 8, 5)
    plain = without_intermediates(
        torch.from_numpy(trade), torch.from_numpy(tariff), theta=theta.tolist(), psi=(0.8 / theta).tolist()
    )
    return dataclasses.replace(plain, subsidy=-1 / plain.theta.expand(2, -1))


@pytest.mark.parametrize("game", ["unilateral", "nash"])
def test_optimal_tariffs(game: str) -> None:
    tariffs = InstrumentChoice(tariff="by_sector")
    calibration = world()
    player = calibration.economies[0]
    if game == "nash":
        result = solve_nash(calibration, instruments=tariffs, bounds=BOUNDS)
    else:
        result = solve_unilateral(calibration, player=player, instruments=tariffs, bounds=BOUNDS)
    assert result.status == "converged"
    economy, ours = Economy(result), result.policy.tariff.numpy()
    gains = 100 * (economy.welfare(ours) - 1)
    assert gains == pytest.approx(result.real_income_change_pct.numpy(), abs=1e-8)

    cells = [(i, k) for i in range(1, calibration.n_economies) for k in range(calibration.n_sectors)]

    def loss(rates: Array) -> float:
        tried = ours.copy()
        for rate, (origin, sector) in zip(rates, cells, strict=True):
            tried[origin, 0, sector] = rate
        return float(1 - economy.welfare(tried)[0])

    start = np.full(len(cells), 0.2)
    bounds = [BOUNDS.tariff] * len(cells)
    found = minimize(
        loss, start, method="L-BFGS-B", jac="3-point", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    assert -100 * found.fun == pytest.approx(float(gains[0]), abs=1e-7)
    assert found.x == pytest.approx(np.array([ours[i, 0, k] for i, k in cells]), abs=1e-4)
