"""The published formula for uniform Nash tariffs beside the certified equilibrium: `python -m benchmarks.formula`.

Lashkaripour (2021), The cost of a global tariff war: a sufficient statistics approach, Journal of International
Economics 131. Labour is the only cost, every country has one tariff on everything. Nash tariffs are found there as the
root of 3N equations in changes of wages w^ and incomes Y^ and in tariffs t, his (6), (7) and (14), solved here with
scipy's hybrid method. With X_inj the sales of i to n at n's prices and lambda_inj their share in n's spending on j,

    w^_i R_i = sum_nj X'_inj / (1 + t_in),      Y^_n Y_n = w^_n R_n + sum_ij X'_inj t_in / (1 + t_in),
    1 / t_i = sum_j theta_j sum_{n != i} chi_inj (1 - lambda'_inj),

chi the shares in all that i sells abroad. The last is exact only where foreign wages and incomes do not move with i's
tariff. How far that carries is measured: dlopt's welfare at these tariffs, what each country gains by leaving them
alone, and the certified equilibrium. Seconds are processor seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy import optimize

from dlopt.calibrations.generator import synthetic
from dlopt.framework.answer import best_responses
from dlopt.framework.ascent import AscentOptions
from dlopt.framework.conditions import Asked
from dlopt.framework.game import Monitor
from dlopt.framework.outcome import Outcome
from dlopt.trade.api import build_model, solve_nash
from dlopt.trade.calibration import Calibration
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import InstrumentChoice, build_instruments

CHOICE = InstrumentChoice(tariff="uniform", sectors="all")


def by_formula(world: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Tariffs and changes of log welfare by the published equations, `[country]` both.

    Raises:
        RuntimeError: scipy finds no root.
    """
    trade, before, theta = world.trade.numpy(), world.tariff.numpy(), world.theta.numpy()
    n = trade.shape[0]
    abroad = ~np.eye(n, dtype=bool)
    spending, income, wages = trade.sum(0), trade.sum((0, 2)), (trade / (1 + before)).sum((1, 2))
    share = trade / np.where(spending > 0, spending, 1.0)

    def state(x: np.ndarray) -> tuple[np.ndarray, ...]:
        wage, earned, tariff = x[:n], x[n : 2 * n], np.where(abroad, x[None, 2 * n :], 0.0)[:, :, None]
        weight = share * ((1 + tariff) / (1 + before) * wage[:, None, None]) ** -theta
        total = weight.sum(0)
        now = weight / np.where(total > 0, total, 1.0)
        return wage, earned, tariff, now, now * spending * earned[:, None], total

    def equations(x: np.ndarray) -> np.ndarray:
        wage, earned, tariff, now, paid, _ = state(x)
        net = paid / (1 + tariff)
        markets = net.sum((1, 2)) / wages - wage
        markets[-1] = (wages * (wage - 1)).sum() / wages.sum()
        budget = (wage * wages + (net * tariff).sum((0, 2))) / income - earned
        sold = net * abroad[:, :, None]
        elasticity = ((sold * (1 - now)).sum(1) @ theta) / sold.sum((1, 2))
        return np.concatenate((markets, budget, x[2 * n :] - 1 / elasticity))

    found = optimize.root(equations, np.concatenate((np.ones(2 * n), np.full(n, 0.2))), tol=1e-13)
    if np.abs(equations(found.x)).max() > 1e-9:
        raise RuntimeError(f"scipy's hybrid method ends with a residual of {np.abs(equations(found.x)).max():.1e}.")
    _, earned, _, _, _, total = state(found.x)
    price = -np.log(np.where(total > 0, total, 1.0)) / theta
    return found.x[2 * n :], np.log(earned) - (spending / income[:, None] * price).sum(1)


def measure(n: int, j: int, seed: int) -> str:
    """What is found on a synthetic world, as rows of a Markdown table."""
    world = synthetic(n, j, seed, scale_economies=False, intermediates=False)
    began = time.process_time()
    tariff, welfare = by_formula(world)
    formula_seconds = time.process_time() - began
    model = build_model(world)
    game = TradeGame(model, build_instruments(model, CHOICE))
    a = torch.from_numpy(tariff).log1p()[game.owner]
    known = game.large.conditions(a)
    assert known is not None
    point = game.large.point(known)
    began = time.process_time()
    certified = solve_nash(world, instruments=CHOICE)
    seconds = time.process_time() - began
    starts = [Asked(a, known, 0.0, player) for player in range(game.players)]
    options = [AscentOptions(tolerance=1e-9, max_iterations=60, promise=1e-12)] * len(starts)
    found = dict(best_responses(game.large, point, starts, options, Monitor()))
    gains, rises = [], []
    for player, step in sorted(found.items()):
        assert step.outcome is Outcome.CONVERGED
        assert step.objective is not None
        gains.append(100 * (step.objective / float(point.objectives[player]) - 1))
        rises.append(100 * float(step.point.a[player].expm1() - a[player].expm1()))
    assert certified.instruments is not None
    exact = certified.instruments.average(certified.wedges).expm1()
    off = 100 * (torch.from_numpy(tariff)[game.owner] - exact).abs()
    apart = (100 * point.log_welfare.expm1() - certified.real_income_change_pct).abs()
    rows = {
        "the published equations, scipy": f"{formula_seconds:.1f} s",
        "dlopt, " + certified.status + " (all best responses)": f"{seconds:.1f} s",
        "welfare at these tariffs, dlopt against the equations, largest difference, %": (
            f"{100 * float((point.log_welfare - torch.from_numpy(welfare)).abs().max()):.0e}"
        ),
        "tariffs off the equilibrium's, points: median, largest": f"{float(off.median()):.3f}, {float(off.max()):.3f}",
        "welfare off the equilibrium's, points: median, largest": (
            f"{float(apart.median()):.4f}, {float(apart.max()):.4f}"
        ),
        "own best response less the tariff, points: smallest, median, largest": (
            f"{min(rises):.3f}, {float(np.median(rises)):.3f}, {max(rises):.3f}"
        ),
        "gain from deviating, %: median, largest": f"{float(np.median(gains)):.1e}, {max(gains):.1e}",
    }
    lines = [f"| {n} x {j}, synthetic, seed {seed} | |", "|---|---:|"]
    return "\n".join((*lines, *(f"| {name} | {value} |" for name, value in rows.items())))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formula", description=__doc__.splitlines()[0])
    parser.add_argument("--economies", type=int, default=81)
    parser.add_argument("--sectors", type=int, default=28)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    print(measure(arguments.economies, arguments.sectors, arguments.seed))


if __name__ == "__main__":
    main()
