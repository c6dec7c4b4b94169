"""Panels seen only at visits: what happened in between is drawn, and weighed by how likely it is.

The probability of going from the switches of one visit to those of the next sums over all histories in between, of
which there are infinitely many. It is a mean over histories drawn from a proposal that ends where it must: each switch
by itself, with constant rates, looked up in the model at a point near the estimate. A history counts with its
likelihood over the density with which it was drawn (importance sampling), so that the simulated likelihood has the
right mean at every point, and is smooth in the parameters because the histories stay the same.
"""

from __future__ import annotations

import numpy as np
import torch

from dlopt.choice.estimation.panel import Events, Panel
from dlopt.choice.estimation.rows import Rows, rows_of
from dlopt.choice.evaluation import flip_rates
from dlopt.choice.model import Array, State
from dlopt.choice.value import Solution

LEAST = 0.05  # of the rate of opportunities: what the proposal's rate is at least


def sampled_rows(panel: Panel, solution: Solution, step: float, histories: int, draws: int, seed: int) -> Rows:
    """The rows of a panel without events, for drawn ones.

    Args:
        panel: the visits.
        solution: of the model that proposals are made with.
        step, draws: as `rows_of`, for each history.
        histories: drawn between two visits.
        seed: of every random draw.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    opening, closing = _proposals(panel, solution)
    start = np.flatnonzero(panel.firm[1:] == panel.firm[:-1])
    years = np.diff(panel.year)[start]
    before, after = panel.y[start] > 0.5, panel.y[start + 1] > 0.5
    parts, offset = [], torch.zeros(len(panel.firm), histories * draws, dtype=torch.float64)
    for h in range(histories):
        interval, when, switch, on, density = _histories(before, after, years, opening, closing, rng)
        row = start[interval]
        order = np.lexsort((when, panel.firm[row], row))
        interval, when, switch, on = interval[order], when[order], switch[order], on[order]
        events = Events(panel.firm[start[interval]], panel.year[start[interval]] + when, switch, on)
        parts.append(rows_of(panel, events, solution.model, step, draws, generator))
        offset[start, h * draws : (h + 1) * draws] = torch.as_tensor(density)[:, None]
    return Rows.joined(parts, offset)


def _proposals(panel: Panel, solution: Solution) -> tuple[Array, Array]:
    """Rates of turning on and off in each interval between visits, the mean of those at its ends, `[I, J]`."""
    like = solution.model.centre
    state = State(torch.as_tensor(panel.y, dtype=like.dtype), torch.as_tensor(panel.x, dtype=like.dtype))
    model, marginal = solution.model, solution.at(state).marginal.to(like.dtype)
    shape = marginal.shape
    # worth and cost do not depend on whether the switch itself is on
    on = flip_rates(model, State(torch.zeros_like(state.y), state.x), marginal).expand(shape).double().numpy()
    off = flip_rates(model, State(torch.ones_like(state.y), state.x), marginal).expand(shape).double().numpy()
    least = LEAST * model.rates(state)[0].expand(shape).double().numpy()
    on, off = np.maximum(on, least), np.maximum(off, 1e-3)
    start = np.flatnonzero(panel.firm[1:] == panel.firm[:-1])
    return tuple(0.5 * (rate[start] + rate[start + 1]) for rate in (on, off))


def _histories(
    before: Array, after: Array, years: Array, opening: Array, closing: Array, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array, Array]:
    """One history of every switch in every interval, from `before` to `after` `[I, J]`.

    By rejection; where the ends differ the first change is drawn from those that come in time (Nielsen 2002).

    Returns:
        `interval`, `when`, `switch`, `on` of every change, and the log density of each interval's history, `[I]`.
    """
    intervals, switches = before.shape
    length = np.repeat(years, switches)
    first, last = before.ravel(), after.ravel()
    up, down = opening.ravel(), closing.ravel()
    both = up + down
    move = -np.expm1(-both * length) / both
    reach = np.where(first, np.where(last, 1 - down * move, down * move), np.where(last, up * move, 1 - up * move))
    density = -np.log(reach)
    found: list[tuple[Array, Array, Array]] = []
    open_ones = np.arange(len(first))
    while len(open_ones):
        chain = open_ones
        now, clock, log = first[chain].copy(), np.zeros(len(chain)), np.zeros(len(chain))
        changes: list[tuple[Array, Array, Array]] = []
        alive, start = np.arange(len(chain)), True
        while len(alive):
            c = chain[alive]
            rate = np.where(now[alive], down[c], up[c])
            u = rng.uniform(size=len(alive))
            if start:
                must = first[c] != last[c]
                u = np.where(must, u * -np.expm1(-rate * length[c]), u)
                start = False
            wait = -np.log1p(-u) / rate
            left = length[c] - clock[alive]
            jumps = wait < left
            log[alive] -= rate * np.minimum(wait, left)
            moved = alive[jumps]
            clock[moved] += wait[jumps]
            log[moved] += np.log(rate[jumps])
            now[moved] = ~now[moved]
            changes.append((moved, clock[moved].copy(), now[moved].copy()))
            alive = moved
        good = now == last[chain]
        density[chain[good]] += log[good]
        for moved, when, state in changes:
            keep = good[moved]
            found.append((chain[moved[keep]], when[keep], state[keep]))
        open_ones = chain[~good]
    which, when, on = (np.concatenate([part[k] for part in found]) for k in range(3))
    return which // switches, when, which % switches, on, density.reshape(intervals, switches).sum(1)
