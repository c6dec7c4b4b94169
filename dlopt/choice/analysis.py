"""What a solved model says: losses out of sample, errors, the long run, responses to a shock."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.certificate import long_run_states
from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import Array, State, SwitchingModel, gather_movable
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.paper import increments, paper_losses
from dlopt.choice.simulation import advance
from dlopt.choice.value import ExactlySolved, ExactValue, Solution, ValueFunction

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
        A row per set: `states`, `relative_error` (mean absolute value of V-hat / V - 1), `max_relative_error`,
        `decision_accuracy` (share of switches that are off and can move for which an opportunity would be treated
        rightly), `value_bias` (mean of V-hat / V - 1), `count` (of those the exact solution covers), `exact_method`.
    """
    rows = []
    for name, drawn in states.items():
        state = covered(exact, drawn)
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


def covered(exact: ExactlySolved, state: State) -> State:
    """The states that an exact solution covers: on a grid a rare one lies beyond its ends."""
    return state.rows(exact.reaches(state)) if isinstance(exact, ExactValue) else state


def right_decisions(model: SwitchingModel, state: State, at: Evaluation, truth: Evaluation) -> float:
    """Share of the movable switches that are off for which `at` and `truth` decide alike; 1 where there are none."""
    cost, off = model.costs(state), gather_movable(state.y, model.movable(state)) < 0.5
    alike = (at.marginal > cost) == (truth.marginal > cost)
    return float(alike[off].double().mean()) if off.any() else 1.0


@dataclasses.dataclass(frozen=True)
class LongRun:
    """Averages over long paths under the policy of a solution.

    Attributes:
        marginal: mean of V with each switch on minus V with it off, where it can move, `[J]`.
        on: share of the time each switch is on, `[J]`.
        simulation: distribution of a few quantities, see `long_run`.
    """

    marginal: Array
    on: Array
    simulation: pd.DataFrame


def long_run(
    solution: Solution,
    start: State,
    options: AnalysisOptions,
    generator: torch.Generator,
    columns: tuple[str, str, str] = ("on", "value", "flow"),
) -> LongRun:
    """Simulate the optimal policy for long; average what each switch is worth (Figure 1 of Huang and Yu).

    The first quarter of the years is dropped. A system that forgets its start shows no difference between the two
    halves of the rest beyond sampling error, which `simulation` reports.

    Args:
        solution: policy and value.
        start: where the paths begin.
        options: `years`.
        generator: source of randomness.
        columns: what the number of switches that are on, V and flow utility are called.

    Returns:
        Averages; their `simulation` has a column `statistic` (`mean`, `std`, five quantiles,
        `second_half_minus_first`, and its standard error) and `columns`.
    """
    dynamics, samples = solution.model, max(2, math.ceil(0.75 * options.years / SAMPLED))
    marginal = torch.zeros(dynamics.switches, dtype=torch.float64, device=start.x.device)
    share, looks = torch.zeros_like(marginal), torch.zeros_like(marginal)
    halves = torch.zeros(2, len(start), 3, dtype=torch.float64, device=start.x.device)
    seen: list[Tensor] = []
    for first in range(0, len(start), TOGETHER):
        rows = slice(first, first + TOGETHER)
        state = long_run_states(solution, start.rows(rows), options.years / 4, generator, STEP)
        for k in range(samples):
            state = long_run_states(solution, state, SAMPLED, generator, STEP)
            at, index = solution.at(state), dynamics.movable(state)
            if index is None:
                marginal += at.marginal.double().sum(0) / (samples * len(start))
            else:
                marginal.index_add_(0, index.ravel(), at.marginal.double().ravel())
                looks.index_add_(0, index.ravel(), torch.ones_like(at.marginal, dtype=torch.float64).ravel())
            share += state.y.double().sum(0) / (samples * len(start))
            now = torch.stack([state.y.sum(1), at.value, dynamics.flow(state)], 1).double()
            half = int(k >= samples // 2)
            halves[half, rows] += now / (samples - samples // 2 if half else samples // 2)
            if k % max(1, samples // 10) == 0:
                seen.append(now)
    sample = pd.DataFrame(torch.cat(seen).cpu().numpy(), columns=list(columns))
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
    marginal = torch.where(looks > 0, marginal / looks, marginal)
    return LongRun(marginal.cpu().numpy(), share.cpu().numpy(), simulation.reset_index(drop=True))


def repeated(start: State, paths: int) -> State:
    """States to start so many paths from: `start` over and over."""
    copies = -(-paths // len(start))
    return start.rows(torch.arange(len(start), device=start.x.device).repeat(copies)[:paths])


def impulse_response(
    solution: Solution, start: State, shock: Tensor, options: AnalysisOptions, seed: int, column: str = "on"
) -> pd.DataFrame:
    """Mean paths after a change of the continuous states, against the same paths without it.

    Args:
        solution: policy and value.
        start: long-run states.
        shock: what is added to the continuous states, `[K]`.
        options: `response_years`, `response_paths`.
        seed: of the shocks both paths share.
        column: what the number of switches that are on is called.

    Returns:
        `year`, `on`, `on_without`, `value`, `value_without`.
    """
    dynamics, start = solution.model, start.rows(slice(0, options.response_paths))
    hit = State(start.y, start.x + shock, start.z)
    columns: list[dict[str, list[float]]] = []
    for state in (hit, start):
        generator = torch.Generator(device=start.x.device).manual_seed(seed)
        path: dict[str, list[float]] = {column: [], "value": []}
        for _ in range(math.ceil(options.response_years / STEP) + 1):
            at = solution.at(state)
            path[column].append(float(state.y.sum(1).mean()))
            path["value"].append(float(at.value.mean()))
            state = advance(dynamics, state, at.marginal, STEP, generator)
        columns.append(path)
    years = STEP * np.arange(len(columns[0]["value"]))
    return pd.DataFrame(
        {
            "year": years,
            column: columns[0][column],
            f"{column}_without": columns[1][column],
            "value": columns[0]["value"],
            "value_without": columns[1]["value"],
        }
    )
