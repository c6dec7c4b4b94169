"""What the model says would be, at the estimate and at other parameters, with intervals.

Firms are simulated on from where they were last seen, with the same random numbers at all parameters. Standard errors
are those of the delta method: what the outcomes would be at other estimates, to first order, by differences of one
standard error to each side along the main directions of the covariance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from dlopt.choice.estimation.generate import rate_bound, simulate
from dlopt.choice.estimation.inference import interval
from dlopt.choice.estimation.panel import Panel
from dlopt.choice.estimation.worth import Worths
from dlopt.choice.model import Array, ModelError, State

OUTCOMES = {
    "value": "value of a firm where it was last seen",
    "on": "switches on at the end of the simulated years",
    "turned_on": "switches turned on, per firm and year",
    "turned_off": "switches turned off, per firm and year",
}
COPIES = 4  # simulated firms for each one observed
MOST = 4000  # simulated firms
SPARE = 2.0


def check_counterfactuals(changes: Mapping[str, Mapping[str, float]], names: tuple[str, ...]) -> None:
    """Refuse what cannot be asked.

    Raises:
        ModelError: names the scenario and what is wrong with it.
    """
    for name, factors in changes.items():
        if not isinstance(factors, Mapping) or not factors:
            raise ModelError(
                f"The counterfactual {name!r} must say by what parameters are multiplied: {{NAME: FACTOR}}."
            )
        for key, factor in factors.items():
            if key not in names:
                raise ModelError(
                    f"The counterfactual {name!r} changes {key!r}, which is not a parameter: {', '.join(names)}."
                )
            if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
                raise ModelError(f"The counterfactual {name!r} multiplies {key} by {factor!r}: give a positive number.")


class Futures:
    """Outcomes of the firms of a panel, after they were last seen.

    Args:
        worths: what switches are worth over the box.
        panel: the firms.
        years: how long they are simulated.
        seed: of every random draw.
    """

    def __init__(self, worths: Worths, panel: Panel, years: float, seed: int) -> None:
        self.worths, self.years, self.seed = worths, years, seed
        last = np.append(panel.first[1:], len(panel.firm)) - 1
        copies = max(1, min(COPIES, MOST // len(last)))
        last = last[:MOST]
        self.y, self.x = (torch.as_tensor(np.tile(a[last], (copies, 1)), dtype=torch.float64)
                          for a in (panel.y, panel.x))  # fmt: skip
        self.seen = len(last)
        box = worths.box
        self.bound = SPARE * max(rate_bound(worths.solution(p), seed) for p in (box.low, box.high, box.middle))

    def at(self, point: Array) -> Array:
        """Every outcome of `OUTCOMES` at a point, `[4]`."""
        solution = self.worths.solution(point)
        like = solution.model.centre
        start = State(self.y.to(like), self.x.to(like))
        made = simulate(solution, start, [0.0, self.years], self.seed, self.bound)
        value = solution.at(start.rows(slice(0, self.seen))).value.double().mean()
        size = len(start) * self.years
        on = float(made.events.on.sum())
        return np.array([float(value), made.y[:, -1].sum(1).mean(), on / size, (len(made.events) - on) / size])


def counterfactuals(
    futures: Futures, point: Array, covariance: Array, changes: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Outcomes at the estimate and at each change of it.

    Args:
        futures: the simulator.
        point, covariance: the estimate and its covariance (NaN: held), `[P]`, `[P, P]`.
        changes: scenario -> parameter -> what it is multiplied by.

    Returns:
        `scenario`, `outcome`, `value`, `se`, `low`, `high`, and the difference to the estimate with its
        `difference_se`, `difference_low`, `difference_high`.

    Raises:
        ModelError: a scenario leaves the box.
    """
    box = futures.worths.box
    factors = {"as estimated": np.ones(len(point))}
    for name, change in changes.items():
        factors[name] = np.array([float(change.get(key, 1.0)) for key in box.names])
    for name, factor in factors.items():
        outside = [key for key, v, lo, hi in zip(box.names, point * factor, box.low, box.high, strict=True)
                   if not lo - 1e-9 <= v <= hi + 1e-9]  # fmt: skip
        if outside:
            raise ModelError(
                f"The counterfactual {name!r} takes {', '.join(outside)} out of the box, where V is not known. Choose "
                "a smaller change, or train over a larger box (parameters=...)."
            )
    free = np.flatnonzero(np.isfinite(np.diag(covariance)))
    values, vectors = np.linalg.eigh(covariance[np.ix_(free, free)])
    shifts = np.zeros((len(free), len(point)))
    shifts[:, free] = (vectors * np.sqrt(np.maximum(values, 0))).T  # main directions, one standard deviation long
    at: dict[str, Array] = {}
    slopes: dict[str, Array] = {}
    for name, factor in factors.items():
        at[name] = futures.at(point * factor)
        each = []
        for shift in shifts:
            up, down = (np.clip((point + sign * shift) * factor, box.low, box.high) for sign in (1, -1))
            span = float(np.linalg.norm(up - down)) / max(float(np.linalg.norm(2 * shift * factor)), 1e-300)
            each.append((futures.at(up) - futures.at(down)) / (2 * max(span, 1e-12)))
        slopes[name] = np.array(each).reshape(len(shifts), len(OUTCOMES))
    frames = []
    for name in factors:
        gap, error = at[name] - at["as estimated"], np.sqrt((slopes[name] ** 2).sum(0))
        gap_error = np.sqrt(((slopes[name] - slopes["as estimated"]) ** 2).sum(0))
        (low, high), (gap_low, gap_high) = interval(at[name], error), interval(gap, gap_error)
        columns = {
            "scenario": name,
            "outcome": list(OUTCOMES),
            "value": at[name],
            "se": error,
            "low": low,
            "high": high,
        }
        columns |= {
            "difference": gap,
            "difference_se": gap_error,
            "difference_low": gap_low,
            "difference_high": gap_high,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
