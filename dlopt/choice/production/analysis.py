"""What the solved network economy says: worth of links, responses to shocks, and sectors that decide for themselves."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, gather_movable
from dlopt.choice.options import AnalysisOptions
from dlopt.choice.production.model import NetworkDynamics
from dlopt.choice.production.value import with_clock
from dlopt.choice.simulation import advance
from dlopt.choice.value import Solution

STEP = 0.5  # years per step of the simulations


def link_values(solution: Solution, dynamics: NetworkDynamics, sample: State) -> pd.DataFrame:
    """What each link is worth to the planner and to its buyer, averaged over a sample (Figure 2 of Huang and Yu).

    Both are taken with the clock at the buyer, when the decision falls. The private gain is the fall of the buyer's
    log unit cost through the link now: it has the sign of the change of GDP now, so links that are privately
    profitable and socially harmful are those that cost more later than they bring today.

    Returns:
        A row per link with a positive share: `buyer`, `supplier`, `buyer_name`, `supplier_name`, `alpha`,
        `delta_v_pct` (mean of V with the link minus V without, percent of mean |V|), `planner_accepts`,
        `buyer_accepts`, `harmful_share` (shares of the sample; the last: buyer would, planner would not),
        `private_gain_pct` (mean fall of the unit cost, percent), `harmful` (profitable on average, and harmful).
    """
    model = dynamics.parameters
    size = float(solution.at(sample).value.abs().mean())
    rows = []
    for i in range(model.size):
        here = with_clock(sample, i)
        worth = solution.at(here).marginal.double().cpu().numpy()
        gain = dynamics.link_gain(here).double().cpu().numpy()
        for k, j in enumerate(dynamics.supplier[i].tolist()):
            if model.alpha[i, j] > 0:
                delta, private = 100 * worth[:, k].mean() / size, 100 * gain[:, k].mean()
                rows.append(
                    {
                        "buyer": model.sectors[i],
                        "supplier": model.sectors[j],
                        "buyer_name": model.names[i],
                        "supplier_name": model.names[j],
                        "alpha": model.alpha[i, j],
                        "delta_v_pct": delta,
                        "planner_accepts": (worth[:, k] > 0).mean(),
                        "buyer_accepts": (gain[:, k] > 0).mean(),
                        "harmful_share": ((gain[:, k] > 0) & (worth[:, k] < 0)).mean(),
                        "private_gain_pct": private,
                        "harmful": bool(private > 0 > delta),
                    }
                )
    return pd.DataFrame(rows)


def harmful_links(links: pd.DataFrame) -> pd.DataFrame:
    """Links profitable to their buyer and harmful to society on average, the most harmful first."""
    return links[links["harmful"]].drop(columns="harmful").sort_values("delta_v_pct").reset_index(drop=True)


def consumption_equivalent_pct(gamma: float, rho: float, value: float, reference: float) -> float:
    """Permanent change of consumption, percent, that turns the value `reference` into `value`."""
    if gamma == 1:
        return 100 * math.expm1(rho * (value - reference))
    return 100 * ((value / reference) ** (1 / (1 - gamma)) - 1)


def transition(
    solution: Solution, dynamics: NetworkDynamics, start: State, options: AnalysisOptions, seed: int
) -> pd.DataFrame:
    """Mean paths after a fall of productivity, against the same paths without it.

    `aggregate`: eps falls by `options.shock` loadings on the first factor, turned so that GDP falls; `sectoral`: the
    sector whose own swings move GDP most loses `options.shock` of its own long-run standard deviations.

    Returns:
        `shock`, `year`, `links` and `links_without` (number), `log_gdp_pct` (mean difference, percent),
        `consumption_equivalent_pct` (of the difference in V).
    """
    model = dynamics.parameters
    start = start.rows(slice(0, options.response_paths))
    domar = torch.linalg.solve((dynamics.identity - dynamics.alpha).T, dynamics.beta)
    first = dynamics.loading[:, 0] * torch.sign(domar @ dynamics.loading[:, 0])
    largest = int((domar * dynamics.spread).argmax())
    own = dynamics.identity[largest] * dynamics.spread[largest]
    without = _path(solution, dynamics, start, options, seed)
    tables = []
    for name, fall in (("aggregate", first), (f"sectoral: {model.names[largest]}", own)):
        hit = _path(solution, dynamics, State(start.y, start.x - options.shock * fall, start.z), options, seed)
        equivalent = [
            consumption_equivalent_pct(model.gamma, model.rho, v, w) for v, w in zip(hit[2], without[2], strict=True)
        ]
        tables.append(
            pd.DataFrame(
                {
                    "shock": name,
                    "year": STEP * np.arange(len(hit[0])),
                    "links": hit[0],
                    "links_without": without[0],
                    "log_gdp_pct": 100 * (hit[1] - without[1]),
                    "consumption_equivalent_pct": equivalent,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _path(
    solution: Solution, dynamics: NetworkDynamics, state: State, options: AnalysisOptions, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean number of links, log GDP and value along the planner's paths."""
    generator = torch.Generator(device=state.x.device).manual_seed(seed)
    rows = []
    for _ in range(math.ceil(options.response_years / STEP) + 1):
        at = solution.at(state)
        means = (state.y.sum(1).mean(), dynamics.log_gdp(state).mean(), at.value.mean())
        rows.append([float(x) for x in means])
        state = advance(dynamics, state, at.marginal, STEP, generator)
    links, gdp, value = np.array(rows).T
    return links, gdp, value


def decentralised(
    solution: Solution, dynamics: NetworkDynamics, start: State, options: AnalysisOptions, seed: int
) -> pd.DataFrame:
    """The planner against sectors that form each link when it lowers their unit cost.

    With V the planner's value and pi the sectors' rule, `V^pi(x) = V(x) - E^pi int exp(-rho t) loss(x_t) dt`, where
    loss is the rate at which pi's choices fall short of V: an integral with little noise.

    Returns:
        Rows `planner`, `sectors`: `value` (mean over the start), `value_se` (of the difference),
        `consumption_equivalent_pct` (against the planner), `links`, `log_gdp_pct` (means in the last quarter).
    """
    model = dynamics.parameters
    start = start.rows(slice(0, options.certificate_paths))
    base = float(solution.at(start).value.mean())
    rows = []
    for name in ("planner", "sectors"):
        generator = torch.Generator(device=start.x.device).manual_seed(seed)
        state, steps = start, math.ceil(options.certificate_years / STEP)
        short = start.x.new_zeros(len(start), dtype=torch.float64)
        late: list[tuple[float, float]] = []
        last = torch.zeros_like(short)
        for k in range(steps):
            at = solution.at(state)
            chosen = at if name == "planner" else dataclasses.replace(at, marginal=dynamics.link_gain(state))
            last = _shortfall(dynamics, state, at, chosen.marginal > 0).double()
            weight = (math.exp(-model.rho * k * STEP) - math.exp(-model.rho * (k + 1) * STEP)) / model.rho
            short += weight * last
            if k >= 0.75 * steps:
                late.append((float(state.y.sum(1).mean()), float(dynamics.log_gdp(state).mean())))
            state = advance(dynamics, state, chosen.marginal, STEP, generator)
        short += math.exp(-model.rho * steps * STEP) / model.rho * last.mean()
        value = base - float(short.mean())
        links, gdp = np.mean(late, axis=0)
        rows.append(
            {
                "decides": name,
                "value": value,
                "value_se": float(short.std()) / math.sqrt(len(short)),
                "consumption_equivalent_pct": consumption_equivalent_pct(model.gamma, model.rho, value, base),
                "links": links,
                "log_gdp_pct": 100 * gdp,
            }
        )
    return pd.DataFrame(rows)


def _shortfall(dynamics: NetworkDynamics, state: State, at: Evaluation, accept: Tensor) -> Tensor:
    """Utility per year by which accepting these links falls short of the planner's choice, `[B]`, 0 or more."""
    missing = 1 - gather_movable(state.y, dynamics.movable(state))
    opening, _ = dynamics.rates(state)
    return (opening * missing * (at.marginal.clamp_min(0) - accept * at.marginal)).sum(1)
