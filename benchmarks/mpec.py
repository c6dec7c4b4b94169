"""The direct route of Judd and Su: policies and equilibrium as variables of one program, for CasADi and IPOPT.

Written in SX, whose scalar graph gives exact sparse Jacobians and Hessians. Variables are logs of hats; every equation
is scaled to be of order one, as in `dlopt.trade.model`.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.problems import Case, game_of, judge


def solve(case: Case, calibration: str) -> dict[str, object]:
    """One optimiser's problem.

    Raises:
        ValueError: several players; their conditions are no program.
    """
    import casadi as ca

    began = time.perf_counter()
    game = game_of(case, calibration)
    if game.players > 1:
        raise ValueError("several players")
    model, instruments = game.model, game.instruments
    n, j = model.n, model.j
    a = ca.SX.sym("a", instruments.count)
    u = ca.SX.sym("u", model.size)
    wage, income = u[:n], u[n : 2 * n]
    cut = [2 * n + k * n * j for k in range(4)]
    labour, price, spending = (ca.reshape(u[cut[k] : cut[k + 1]], j, n).T for k in range(3))
    tau0, epsilon0, sigma0 = (w.numpy() for w in game.fixed)
    maps = [m.numpy() for m in (instruments.tau, instruments.epsilon, instruments.sigma)]
    theta, psi = model.theta.numpy(), model.psi.numpy()
    alpha, beta, lam = model.alpha.numpy(), model.beta.numpy(), model.lam.numpy()
    materials, use, trade = model.materials.numpy(), model.use.numpy(), model.trade.numpy()
    baseline, revenue0 = model.log_kappa0.numpy(), model.revenue.numpy()
    buys, sells = model.buys.numpy(), model.sells.numpy()

    def wedge(kind: int, value: float, *at: int) -> object:
        index = int(maps[kind][at])
        return a[index] if index >= 0 else value

    cost = [
        [beta[i, s] * wage[i] - psi[s] * labour[i, s] + sum(
            materials[i, k, s] * price[i, k] for k in range(j) if materials[i, k, s]
        ) for s in range(j)] for i in range(n)
    ]  # fmt: skip
    revenue = [[0.0] * j for _ in range(n)]
    receipts = [model.value_added[i].item() * ca.exp(wage[i]) + model.transfer[i].item() for i in range(n)]
    residuals = []
    for d in range(n):
        for s in range(j):
            total = 0.0
            for o in range(n):
                if not trade[o, d, s]:
                    continue
                t, e = wedge(0, tau0[o, d, s], o, d, s), wedge(1, epsilon0[o, d, s], o, d, s)
                g = wedge(2, sigma0[o, s], o, s)
                share = ca.exp(theta[s] * (price[d, s] - cost[o][s] - (t + e - g - baseline[o, d, s])))
                total += lam[o, d, s] * share
                flow = trade[o, d, s] * share * ca.exp(spending[d, s])
                revenue[o][s] += flow * ca.exp(-(t + e - g))
                receipts[d] += flow * (1 - ca.exp(-t))
                receipts[o] += flow * (ca.exp(-t) - ca.exp(-t - e + g))
            residuals.append(ca.log(total) if buys[d, s] else price[d, s])
    for i in range(n):
        for s in range(j):
            made = ca.log(revenue[i][s] / revenue0[i, s]) - wage[i] - labour[i, s] if sells[i, s] else labour[i, s]
            residuals.append(made)
            inputs = sum(use[i, s, k] * ca.exp(wage[i] + labour[i, k]) for k in range(j) if use[i, s, k])
            demand = alpha[i, s] * model.income[i].item() * ca.exp(income[i]) + inputs
            bought = ca.log(demand / model.spending[i, s].item()) - spending[i, s] if buys[i, s] else spending[i, s]
            residuals.append(bought)
        residuals.append(ca.log(receipts[i] / model.income[i].item()) - income[i])
        shares = model.labour_share[i].tolist()
        if i == model.reference:
            weights = model.world_share.tolist()
            residuals.append(ca.log(sum(w * ca.exp(wage[k]) for k, w in enumerate(weights))))
        else:
            residuals.append(ca.log(sum(w * ca.exp(labour[i, k]) for k, w in enumerate(shares) if w)))
    welfare = [income[i] - sum(alpha[i, s] * price[i, s] for s in range(j)) for i in range(n)]
    if case.planner:
        weights = (model.income / model.income.sum()).tolist()
        objective = -sum(w * ca.exp(x) for w, x in zip(weights, welfare, strict=True))
    else:
        objective = -ca.exp(welfare[model.calibration.economies.index(case.players[0])])
    options = {"ipopt.print_level": 0, "print_time": 0, "ipopt.sb": "yes", "ipopt.tol": 1e-9, "ipopt.max_iter": 500}
    program = {"x": ca.vertcat(a, u), "f": objective, "g": ca.vertcat(*residuals)}
    solver = ca.nlpsol("solver", "ipopt", program, options)
    ready = time.perf_counter()
    start = np.concatenate((instruments.average(game.fixed).numpy(), np.zeros(model.size)))
    free = np.full(model.size, np.inf)
    found = solver(
        x0=start, lbg=0, ubg=0,
        lbx=np.concatenate((game.lower.numpy(), -free)), ubx=np.concatenate((game.upper.numpy(), free)),
    )  # fmt: skip
    done = time.perf_counter()
    stats = solver.stats()
    chosen = torch.from_numpy(np.array(found["x"]).ravel()[: instruments.count])
    return {
        "setup_seconds": ready - began, "solve_seconds": done - ready, "status": stats["return_status"],
        "evaluations": stats["iter_count"], **judge(game, chosen),
    }  # fmt: skip
