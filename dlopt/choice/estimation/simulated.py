"""The method of simulated moments: parameters at which simulated firms have the moments of those observed.

Firms are simulated from the states in which they were first seen, at the dates of their visits, with the same random
numbers at all parameters (McFadden 1989; Pakes and Pollard 1989). Simulated moments move in small jumps with the
parameters; their derivatives are differences over a tenth of the box, and the search is that of Gauss and Newton.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import torch

from dlopt.choice.estimation.generate import rate_bound, simulate
from dlopt.choice.estimation.moments import Moments, moments_of
from dlopt.choice.estimation.panel import Panel, PanelError
from dlopt.choice.estimation.search import EDGE, SHORTEST, Found, at_edge, solved
from dlopt.choice.estimation.worth import Worths
from dlopt.choice.model import Array, State

DIFFERENCE = 0.15  # of the width of the box, to each side: nearer, what simulated firms do changes too seldom
SPARE = 2.0  # factor on the bound of rates, which must hold at all parameters


class SimulatedMoments:
    """Moments that a model implies for the firms of a panel.

    Args:
        worths: what switches are worth over the box.
        panel: the firms.
        copies: firms simulated for each one observed.
        seed: of every random draw.
    """

    def __init__(self, worths: Worths, panel: Panel, copies: int, seed: int) -> None:
        self.worths, self.copies, self.seed = worths, copies, seed
        self.reference = worths.box.base.on(dtype=torch.float64)
        self.data = moments_of(panel, self.reference)
        first = panel.first
        visits = np.diff(np.append(first, len(panel.firm)))
        grid = panel.year.reshape(len(first), -1) if (visits == visits[0]).all() else None
        if grid is None or np.abs(grid - grid[0]).max() > 1e-6:
            raise PanelError(
                "Simulated moments need a panel in which all firms are visited at the same dates. Leave out the firms "
                "or visits that are not, or use estimate.by=likelihood."
            )
        self.dates = grid[0]
        self.start = State(
            torch.as_tensor(np.tile(panel.y[first], (copies, 1)), dtype=torch.float64),
            torch.as_tensor(np.tile(panel.x[first], (copies, 1)), dtype=torch.float64),
        )
        low, high = worths.box.low, worths.box.high
        corners = [low, high, worths.box.middle]
        self.bound = SPARE * max(rate_bound(worths.solution(corner), seed) for corner in corners)

    def at(self, point: Array) -> Moments:
        """Moments of the firms simulated at a point, the copies of each firm averaged."""
        solution = self.worths.solution(point)
        like = solution.model.centre
        start = State(self.start.y.to(like), self.start.x.to(like))
        made = simulate(solution, start, self.dates, self.seed, self.bound)
        count, times = made.y.shape[:2]
        panel = Panel(
            tuple(map(str, range(count))), np.repeat(np.arange(count), times), np.tile(self.dates, count),
            made.y.reshape(count * times, -1), made.x.reshape(count * times, -1), None,
        )  # fmt: skip
        found = moments_of(panel, self.reference)
        each = found.each.reshape(self.copies, -1, len(found.names)).mean(0)
        return dataclasses.replace(found, each=each)

    def slopes(self, point: Array) -> Array:
        """Derivatives of the moments in the parameters, `[Q, P]`."""
        low, high = self.worths.box.low, self.worths.box.high
        found = []
        for p, width in enumerate(high - low):
            up, down = point.copy(), point.copy()
            up[p], down[p] = min(point[p] + DIFFERENCE * width, high[p]), max(point[p] - DIFFERENCE * width, low[p])
            found.append((self.at(up).mean - self.at(down).mean) / (up[p] - down[p]))
        return np.stack(found, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Matched:
    """What the search for moments came to.

    Attributes:
        point: the estimate, `[P]`.
        model: moments there.
        slopes: derivatives of the moments, `[Q, P]`.
        weight: of the moments, `[Q, Q]`.
        distance: the weighted distance; with optimal weights and a right model chi-squared, Q - P degrees of freedom.
        covariance: of the estimates, NaN at an edge, `[P, P]`.
        information: what the moments say, `[P, P]`.
        step_left: of the search, in standard errors.
        iteration: its last step.
        outcome: as of `search.Found`.
    """

    point: Array
    model: Moments
    slopes: Array
    weight: Array
    distance: float
    covariance: Array
    information: Array
    step_left: float
    iteration: int
    outcome: str


def match(
    simulated: SimulatedMoments, start: Array, weights: str, tolerance: float, iterations: int,
    told: Callable[[Found], bool] = lambda found: False, begun: int = 0,
) -> Matched:  # fmt: skip
    """The parameters whose simulated moments are nearest to those of the data; arguments as of `search.maximise`."""
    data, copies = simulated.data, simulated.copies
    low, high = simulated.worths.box.low, simulated.worths.box.high
    noise = (1 + 1 / copies) * data.covariance  # of data minus model
    diagonal = np.diag(1 / np.maximum(np.diag(noise), 1e-300))
    weight = diagonal if weights == "diagonal" else _inverse(noise)
    point = np.clip(start, low, high)
    model, outcome, k = simulated.at(point), "max_iterations", begun
    for k in range(begun, iterations + 1):
        gap = data.mean - model.mean
        slopes = simulated.slopes(point)
        gradient, information = slopes.T @ weight @ gap, slopes.T @ weight @ slopes
        edge = at_edge(point, low, high)
        free = np.flatnonzero(edge * gradient <= 0)
        step = np.zeros(len(point))
        step[free] = solved(information[np.ix_(free, free)], gradient[free]) if len(free) else 0.0
        decrement = float(np.sqrt(max(step @ gradient, 0.0)))
        value = float(gap @ weight @ gap)
        found = Found(k, len(data.each), -0.5 * value, decrement, point, np.zeros((0, len(point))))
        if decrement <= tolerance:
            outcome = "converged"
            break
        if k == iterations:
            break
        if told(found):
            outcome = "stopped"
            break
        length, better = min(1.0, 0.5 / np.abs(step / (high - low)).max()), False
        while not better and length >= SHORTEST:
            trial = np.clip(point + length * step, low, high)
            new = simulated.at(trial)
            better = float((data.mean - new.mean) @ weight @ (data.mean - new.mean)) < value
            length *= 0.5
        if not better:
            # simulated moments jump, by no more than the luck of simulated firms, which standard errors include
            luck = math.sqrt(len(point) / (1 + copies))  # its length, in standard errors
            outcome = "converged" if decrement <= max(tolerance, luck) else "stalled"
            break
        point, model = trial, new
    covariance = np.full((len(point), len(point)), np.nan)
    inside = np.flatnonzero(at_edge(point, low, high) == 0)
    if len(inside):
        bread = _inverse(information[np.ix_(inside, inside)])
        meat = slopes[:, inside].T @ weight @ noise @ weight @ slopes[:, inside]
        covariance[np.ix_(inside, inside)] = bread @ meat @ bread
    return Matched(point, model, slopes, weight, value, covariance, information, decrement, k, outcome)


def _inverse(matrix: Array) -> Array:
    """The inverse of a symmetric positive matrix, directions without size left out."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / np.outer(size, size)
    return np.asarray(np.linalg.pinv(scaled, rcond=EDGE, hermitian=True) / np.outer(size, size))
