"""Panels made by simulating firms that follow a solution: for tests, for teaching, and for simulated moments.

Events are simulated one by one, with no step in time (thinning): changes come up for each switch at a rate that bounds
all true ones, and are made with the probability that the true rate has of it. The continuous states move as the
model says and do not depend on the switches, so that they are known at the dates of a grid and, between these, by
`bridge`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.certificate import long_run_states
from dlopt.choice.estimation.bridge import bridge
from dlopt.choice.estimation.panel import Events, Panel, PanelError
from dlopt.choice.evaluation import flip_rates
from dlopt.choice.model import Array, State
from dlopt.choice.value import Solution

LONGEST = 0.25  # years between dates of the grid, at most
PROBED = 2048  # states at which rates are looked up for a bound
MARGIN = 1.25  # over the largest rate found
RESTED = 25.0  # years after which states drawn at random count as long-run ones
TRIES = 6  # doublings of the bound


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """What some firms did. N firms, T dates, E events, by firm and date.

    Attributes:
        y, x: at the dates, `[N, T, J]` and `[N, T, K]`.
        events: with the continuous states at their dates.
    """

    y: Array
    x: Array
    events: Events


class _BoundError(Exception):
    """A rate above the bound."""


def simulate(
    solution: Solution, start: State, dates: Sequence[float] | Array, seed: int, bound: float | None = None
) -> History:
    """Firms that follow a solution from states at the first date on.

    The same seed and bound give the same opportunities and shocks, whatever the solution.

    Args:
        solution: a value function; its policy is followed.
        start: states at the first date, one for each firm.
        dates: dates at which the firms are seen, increasing, `[T]`.
        seed: of every random draw.
        bound: a rate per year that no switch's rate of changing exceeds; None: found by looking at random states.

    Raises:
        PanelError: the model has a clock, or rates without a bound.
    """
    model = solution.model
    if model.clocks > 1:
        raise PanelError("Models with a clock (the production network) make no panels of firms.")
    given = bound is not None
    rate = float(bound) if bound is not None else rate_bound(solution, seed)
    for _ in range(TRIES):
        try:
            return _simulated(solution, start, np.asarray(dates, dtype=float), seed, rate)
        except _BoundError:
            if given:
                break
            rate *= 2
    raise PanelError(f"Switches change at rates above {rate:g} a year: effort or rates seem to have no bound.")


def rate_bound(solution: Solution, seed: int = 0) -> float:
    """A rate that no switch's rate of changing should exceed: a quarter above the largest at random states."""
    generator = torch.Generator(device=solution.model.centre.device).manual_seed(seed)
    state = solution.model.draw(PROBED, generator)
    return MARGIN * float(flip_rates(solution.model, state, solution.at(state).marginal).max())


def _simulated(solution: Solution, start: State, dates: Array, seed: int, bound: float) -> History:
    model, rng = solution.model, np.random.default_rng(seed)
    like = model.centre
    generator = torch.Generator(device=like.device).manual_seed(seed)
    y, x = start.y.clone(), start.x.clone()
    firms, switches = y.shape
    seen_y, seen_x = [y.clone()], [x.clone()]
    made: list[tuple[Array, Array, Array, Array, Array]] = []
    longest = min(LONGEST, model.longest_step)
    for before, after in itertools.pairwise(dates.tolist()):
        steps = max(1, int(np.ceil((after - before) / longest - 1e-9)))
        for k in range(steps):
            begin, years = before + k * (after - before) / steps, (after - before) / steps
            noise = torch.randn(firms, model.shocks, generator=generator, device=like.device, dtype=like.dtype)
            later = model.diffuse(x, years, noise)
            count = rng.poisson(switches * bound * years, firms)
            most = int(count.max(initial=0))
            when = np.sort(np.where(np.arange(most) < count[:, None], rng.uniform(0, years, (firms, most)), np.inf), 1)
            switch, chance = rng.integers(0, switches, (firms, most)), rng.uniform(0, 1, (firms, most))
            shocks = torch.randn(most, firms, model.shocks, generator=generator, device=like.device, dtype=like.dtype)
            clock, at = np.zeros(firms), x
            for m in range(most):
                due = np.flatnonzero(m < count)
                rows = torch.from_numpy(due).to(like.device)
                since = like.new_tensor(when[due, m] - clock[due])
                until = like.new_tensor(years - when[due, m])
                now = bridge(model, at[rows], later[rows], since, until, shocks[m, rows])
                at, clock[due] = at.index_copy(0, rows, now), when[due, m]
                chosen = torch.from_numpy(switch[due, m]).to(like.device)
                rate = _rate(solution, State(y[rows], now), chosen).double().cpu().numpy()
                if (rate > bound).any():
                    raise _BoundError
                flips = np.flatnonzero(chance[due, m] * bound < rate)
                hit, which = rows[flips], chosen[flips]
                y[hit, which] = 1 - y[hit, which]
                made.append((
                    due[flips], begin + when[due[flips], m], which.cpu().numpy(), y[hit, which].cpu().numpy() > 0.5,
                    now[flips].double().cpu().numpy(),
                ))  # fmt: skip
            x = later
        seen_y.append(y.clone())
        seen_x.append(x.clone())
    events = _sorted(made, x.shape[1])
    every = [torch.stack(seen, 1).double().cpu().numpy() for seen in (seen_y, seen_x)]
    return History(every[0], every[1], events)


def _rate(solution: Solution, state: State, switch: Tensor) -> Tensor:
    """Rate per year at which one switch of each state changes, `[B]`."""
    row = torch.arange(len(state), device=state.y.device)
    off = state.y.clone()
    off[row, switch] = 0.0
    marginal = torch.zeros_like(state.y)
    marginal[row, switch] = solution.worth(State(off, state.x), row, switch).to(marginal)
    return flip_rates(solution.model, state, marginal)[row, switch]


def _sorted(made: list[tuple[Array, Array, Array, Array, Array]], factors: int) -> Events:
    if not made:
        none = np.zeros(0, dtype=int)
        return Events(none, none.astype(float), none, none.astype(bool), np.zeros((0, factors)))
    firm, year, switch, on, x = (np.concatenate([part[k] for part in made]) for k in range(5))
    order = np.lexsort((year, firm))
    return Events(firm[order], year[order], switch[order], on[order], x[order])


def simulate_panel(
    solution: Solution,
    firms: int = 1000,
    years: float = 10.0,
    every: float = 0.25,
    seed: int = 0,
    events: str = "states",
    first_year: float = 0.0,
) -> Panel:
    """A panel of independent firms in the long run of a solution.

    Args:
        solution: a solved model, of the parameters that are to be the truth.
        firms: how many, each with shocks of its own.
        years: how long they are seen.
        every: years between two visits.
        seed: of every random draw.
        events: what is known between visits: `states` (every event with the continuous states at its date), `dates`
            (events with their dates) or `none` (sampled).
        first_year: date of the first visit.

    Raises:
        PanelError: the model has a clock, or an argument makes no sense.
    """
    if events not in ("states", "dates", "none"):
        raise PanelError(f"events={events!r} is not possible: it must be states, dates or none.")
    if firms < 1 or not 0 < every <= years:
        raise PanelError(f"A panel of {firms} firms over {years:g} years, seen every {every:g}, makes no sense.")
    model = solution.model
    generator = torch.Generator(device=model.centre.device).manual_seed(seed)
    start = long_run_states(solution, model.draw(firms, generator), RESTED, generator)
    dates = first_year + np.linspace(0, years, round(years / every) + 1)
    made = simulate(solution, start, dates, seed + 1)
    return panel_of(made, dates, events)


def panel_of(made: History, dates: Array, events: str = "states") -> Panel:
    """A simulated history as a panel."""
    count, times = made.y.shape[:2]
    known = made.events if events == "states" else dataclasses.replace(made.events, x=None)
    width = len(str(count))
    return Panel(
        tuple(f"f{k + 1:0{width}d}" for k in range(count)),
        np.repeat(np.arange(count), times),
        np.tile(dates, count),
        made.y.reshape(count * times, -1),
        made.x.reshape(count * times, -1),
        None if events == "none" else known,
    )
