"""What the solved exporter says: losses out of sample, marginal values, the long run, responses to a shock."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.certificate import long_run_states
from dlopt.choice.evaluation import Evaluation
from dlopt.choice.exporter.model import Exporter, ExporterDynamics
from dlopt.choice.model import State, SwitchingModel, gather_movable
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.paper import increments, paper_losses
from dlopt.choice.simulation import advance
from dlopt.choice.value import ExactlySolved, Solution, ValueFunction

STEP = 0.5  # years per step of the simulations
SAMPLED = 5.0  # years between the states of a path that are looked at; they forget in about three
TOGETHER = 2048  # paths simulated side by side


def out_of_sample(
    value: ValueFunction, options: MethodOptions, states: int, generator: torch.Generator
) -> pd.DataFrame:
    """Loss_A / V^2 and Loss_P / V^2 at states never trained on (Table 1 of Huang and Yu).

    Returns:
        Rows `average`, `std`, `p85`, `p90`, `p95` of the column `statistic`; columns `analytic_loss`,
        `probabilistic_loss`.
    """
    columns: dict[str, list[Tensor]] = {"analytic_loss": [], "probabilistic_loss": []}
    for start in range(0, states, 500):
        with torch.no_grad():
            state = value.model.draw(min(500, states - start), generator)
            losses = paper_losses(value, state, options, increments(value.model, len(state), options, generator))
        columns["analytic_loss"].append(losses.analytic / losses.value**2)
        columns["probabilistic_loss"].append(losses.probabilistic / losses.value**2)
    frame = pd.DataFrame({key: torch.cat(parts).double().cpu().numpy() for key, parts in columns.items()})
    rows = [frame.mean(), frame.std(), *(frame.quantile(q) for q in (0.85, 0.90, 0.95))]
    table = pd.DataFrame(rows).reset_index(drop=True)
    table.insert(0, "statistic", ["average", "std", "p85", "p90", "p95"])
    return table


def validation(value: Solution, exact: ExactlySolved, states: dict[str, State]) -> pd.DataFrame:
    """Errors against the exact solution.

    Args:
        value: the solution to check.
        exact: the truth.
        states: sets of states by name.

    Returns:
        A row per set: `states`, `relative_error` (mean of |V-hat / V - 1|), `max_relative_error`, `decision_accuracy`
        (share of switches that are off and can move for which an opportunity would be treated rightly), `value_bias`
        (mean of V-hat / V - 1), `count`, `exact_method`.
    """
    rows = []
    for name, state in states.items():
        at, truth = value.at(state), exact.at(state)
        error = (at.value.double() / truth.value - 1).cpu().numpy()
        rows.append(
            {
                "states": name,
                "relative_error": np.abs(error).mean(),
                "max_relative_error": np.abs(error).max(),
                "decision_accuracy": right_decisions(value.model, state, at, truth),
                "value_bias": error.mean(),
                "count": len(error),
                "exact_method": exact.method,
            }
        )
    return pd.DataFrame(rows)


def right_decisions(model: SwitchingModel, state: State, at: Evaluation, truth: Evaluation) -> float:
    """Share of the movable switches that are off for which `at` and `truth` decide alike; 1 where there are none."""
    index = model.movable(state)
    cost, off = gather_movable(model.cost, index), gather_movable(state.y, index) < 0.5
    alike = (at.marginal > cost) == (truth.marginal > cost)
    return float(alike[off].double().mean()) if off.any() else 1.0


def long_run(
    solution: Solution, model: Exporter, start: State, options: AnalysisOptions, generator: torch.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the optimal policy for long; average what each destination is worth (Figure 1 of Huang and Yu).

    The first quarter of the years is dropped. A system that forgets its start shows no difference between the two
    halves of the rest beyond sampling error, which `simulation` reports.

    Returns:
        `marginal_values`: `destination`, `zeta`, `delta_v` (mean of V with the channel open minus V with it closed),
        `residual` (of a regression of positive delta_v on zeta), `complementarity` (what the channel adds to others,
        sum_j c_ji), `open_share`. And `simulation`: `statistic`, `markets`, `value`, `profit`.
    """
    dynamics, samples = solution.model, max(2, math.ceil(0.75 * options.years / SAMPLED))
    marginal = torch.zeros(model.destinations, dtype=torch.float64, device=start.x.device)
    share = torch.zeros_like(marginal)
    halves = torch.zeros(2, len(start), 3, dtype=torch.float64, device=start.x.device)
    seen: list[Tensor] = []
    for first in range(0, len(start), TOGETHER):
        rows = slice(first, first + TOGETHER)
        state = long_run_states(solution, start.rows(rows), options.years / 4, generator, STEP)
        for k in range(samples):
            state = long_run_states(solution, state, SAMPLED, generator, STEP)
            at = solution.at(state)
            marginal += at.marginal.double().sum(0) / (samples * len(start))
            share += state.y.double().sum(0) / (samples * len(start))
            now = torch.stack([state.y.sum(1), at.value, dynamics.flow(state)], 1).double()
            half = int(k >= samples // 2)
            halves[half, rows] += now / (samples - samples // 2 if half else samples // 2)
            if k % max(1, samples // 10) == 0:
                seen.append(now)
    sample = pd.DataFrame(torch.cat(seen).cpu().numpy(), columns=["markets", "value", "profit"])
    gap = halves[1] - halves[0]
    statistics = {
        "mean": halves.mean((0, 1)).cpu().numpy(),
        "std": sample.std().to_numpy(),
        **{f"p{100 * q:.0f}": sample.quantile(q).to_numpy() for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
        "second_half_minus_first": gap.mean(0).cpu().numpy(),
        "second_half_minus_first_se": (gap.std(0) / math.sqrt(len(start))).cpu().numpy(),
    }
    simulation = pd.DataFrame.from_dict(statistics, orient="index", columns=list(sample.columns))
    simulation.insert(0, "statistic", list(statistics))
    return _marginal_table(model, marginal.cpu().numpy(), share.cpu().numpy()), simulation.reset_index(drop=True)


def _marginal_table(model: Exporter, delta_v: np.ndarray, share: np.ndarray) -> pd.DataFrame:
    used = delta_v > 0
    if used.sum() < 2:
        used[:] = True
    design = np.stack([np.ones(model.destinations), model.zeta], axis=1)
    fit = np.linalg.lstsq(design[used], delta_v[used], rcond=None)[0]
    return pd.DataFrame(
        {
            "destination": list(model.names),
            "zeta": model.zeta,
            "delta_v": delta_v,
            "residual": delta_v - design @ fit,
            "complementarity": model.c.sum(axis=0),
            "open_share": share,
        }
    )


def impulse_response(
    solution: Solution, dynamics: ExporterDynamics, start: State, options: AnalysisOptions, seed: int
) -> pd.DataFrame:
    """Mean paths after a rise of all costs through the first factor, against the same paths without it.

    Args:
        solution: policy and value.
        dynamics: the exporter on the solution's device.
        start: long-run states.
        options: `shock` in long-run standard deviations of the first factor, `response_years`, `response_paths`.
        seed: of the shocks both paths share.

    Returns:
        `year`, `markets`, `markets_without`, `value`, `value_without`.
    """
    start = start.rows(slice(0, options.response_paths))
    hit = State(start.y, start.x + options.shock * dynamics.loading[:, 0], start.z)
    columns: list[dict[str, list[float]]] = []
    for state in (hit, start):
        generator = torch.Generator(device=start.x.device).manual_seed(seed)
        path: dict[str, list[float]] = {"markets": [], "value": []}
        for _ in range(math.ceil(options.response_years / STEP) + 1):
            at = solution.at(state)
            path["markets"].append(float(state.y.sum(1).mean()))
            path["value"].append(float(at.value.mean()))
            state = advance(dynamics, state, at.marginal, STEP, generator)
        columns.append(path)
    years = STEP * np.arange(len(columns[0]["value"]))
    return pd.DataFrame(
        {
            "year": years,
            "markets": columns[0]["markets"],
            "markets_without": columns[1]["markets"],
            "value": columns[0]["value"],
            "value_without": columns[1]["value"],
        }
    )
