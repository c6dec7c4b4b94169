"""A panel as rows of the log likelihood: firm-years without an event, and events.

Given the path of the continuous states, the switches of a firm jump with rates that the model says, so that the
log likelihood of its history is

    sum over events of log(rate of that event) - integral over time of the sum of all rates.

What is not seen is drawn: between two dates at which the continuous states are known, they are drawn from `bridge`,
twice with opposite shocks (antithetic), any number of times. The likelihood of what happened between the two is the
mean over the draws, and the log likelihood the sum over these intervals of its log: the states are Markov, so that
intervals are independent given the states at their ends.

Time between two points on a drawn path is integrated at two nodes (Gauss-Legendre) whose shocks are independent: by
that the mean of any quadratic in the states, and the variance of the integral of a linear one, are those of the
bridge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.estimation.bridge import bridge
from dlopt.choice.estimation.panel import Events, Panel
from dlopt.choice.model import Array, State, SwitchingModel

NODES = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the log likelihood, B of them, of I intervals with R draws each.

    Attributes:
        y: switches of each segment and before each event, `[S, J]`.
        place: the row of `y` that belongs to each row, `[B]`.
        x: continuous states, `[B, K]`.
        years: weight of the sum of all rates; 0 for an event, `[B]`.
        switch: the one that changes; -1 for time without an event, `[B]`.
        group: `interval * R + draw`, or `I * R + interval` where the row is the same in all draws, `[B]`.
        firm: of each interval, `[I]`.
        draws: R.
        offset: log of how much more often each draw is made than it should be, `[I, R]`.
    """

    y: Tensor
    place: Tensor
    x: Tensor
    years: Tensor
    switch: Tensor
    group: Tensor
    firm: Tensor
    draws: int
    offset: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def state(self, part: slice) -> State:
        """Some of the states, in double precision."""
        return State(self.y[self.place[part]].double(), self.x[part].double())

    @staticmethod
    def joined(parts: Sequence[Rows], offset: Tensor) -> Rows:
        """Rows of the same intervals with other draws, all of them unseen, as one; `offset` `[I, R]` of all draws."""
        draws = sum(part.draws for part in parts)
        begin = np.cumsum([0, *(part.draws for part in parts)])
        shift = np.cumsum([0, *(len(part.y) for part in parts)])
        group = [
            part.group // part.draws * draws + part.group % part.draws + int(first)
            for part, first in zip(parts, begin, strict=False)
        ]
        return Rows(
            torch.cat([part.y for part in parts]),
            torch.cat([part.place + int(first) for part, first in zip(parts, shift, strict=False)]),
            torch.cat([part.x for part in parts]), torch.cat([part.years for part in parts]),
            torch.cat([part.switch for part in parts]), torch.cat(group), parts[0].firm, draws, offset,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """Points on the time line of each firm, by firm and date.

    Attributes:
        firm, year: `[P]`.
        known: whether the continuous states are known, `[P]`.
        x: these, `[P, K]`.
        switch: the one that changes there, -1: none, `[P]`.
        y: switches just after, `[P, J]`.
        interval: number of the interval that begins with the last known point, `[P]`.
    """

    firm: Array
    year: Array
    known: Array
    x: Array
    switch: Array
    y: Array
    interval: Array


def points_of(panel: Panel, events: Events, step: float) -> Points:
    """All visits and events, and dates between them so that none are further apart than `step` years."""
    visits, factors = len(panel.firm), panel.x.shape[1]
    firm = np.concatenate([panel.firm, events.firm])
    year = np.concatenate([panel.year, events.year])
    late = np.concatenate([np.ones(visits), np.zeros(len(events))])
    order = np.lexsort((late, year, firm))
    known = np.concatenate([np.ones(visits, bool), np.full(len(events), events.x is not None)])
    x = np.concatenate([panel.x, np.zeros((len(events), factors)) if events.x is None else events.x])
    switch = np.concatenate([np.full(visits, -1), events.switch])
    y = np.zeros((len(firm), panel.y.shape[1]), dtype=np.uint8)
    y[:visits] = panel.y
    before = panel.path(events)[1]
    y[visits:] = before
    y[visits + np.arange(len(events)), events.switch] = events.on
    firm, year, known, x, switch, y = (a[order] for a in (firm, year, known, x, switch, y))
    length = np.append(np.diff(year), 0.0)
    length[np.append(firm[1:] != firm[:-1], True)] = 0.0
    pieces = np.maximum(1, np.ceil(length / step - 1e-9).astype(int))
    source = np.repeat(np.arange(len(firm)), pieces)
    place = np.arange(len(source)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = place > 0
    year = year[source] + place * (length / pieces)[source]
    known, switch = known[source] & ~inner, np.where(inner, -1, switch[source])
    interval = np.cumsum(known) - 1
    return Points(firm[source], year, known, x[source], switch, y[source], interval)


def rows_of(
    panel: Panel,
    events: Events,
    model: SwitchingModel,
    step: float,
    draws: int,
    generator: torch.Generator,
) -> Rows:
    """The rows of a panel with these events, the paths drawn as those of a model.

    Args:
        panel, events: what happened; the events of the panel, or drawn ones.
        model: says how continuous states move between known ones.
        step: years between two points, at most.
        draws: of paths between known points, an even number.
        generator: source of randomness.
    """
    points = points_of(panel, events, step)
    like = model.centre
    x = torch.as_tensor(points.x, dtype=like.dtype)
    ends = np.flatnonzero(points.known)
    following = np.append(ends[1:], len(points.firm) - 1)
    until = following[points.interval]  # the known point that ends the interval each point lies in
    half = draws // 2
    paths = x.expand(draws, -1, -1).clone()
    after = np.arange(len(points.firm)) - ends[points.interval]
    for k in range(1, int(after[~points.known].max(initial=0)) + 1):
        rows = np.flatnonzero((after == k) & ~points.known)
        since = _years(points, rows - 1, rows, like)
        left = _years(points, rows, until[rows], like)
        noise = torch.randn(half, len(rows), model.shocks, generator=generator, dtype=like.dtype)
        for r in range(draws):
            shock = noise[r % half] if r < half else -noise[r % half]
            paths[r, rows] = bridge(model, paths[r, rows - 1], x[until[rows]], since, left, shock)
    same = points.firm[1:] == points.firm[:-1]
    segment = np.flatnonzero(same & (np.diff(points.year) > 0))
    count, intervals = len(segment), len(ends)
    length = _years(points, segment, segment + 1, like)
    where = torch.as_tensor(points.interval[segment])
    nodes = torch.randn(half, 2, count, model.shocks, generator=generator, dtype=like.dtype)
    drawn, years, group = list[Tensor](), list[Tensor](), list[Tensor]()
    for r in range(draws):
        for k, share in enumerate(NODES):
            shock = nodes[r % half, k] if r < half else -nodes[r % half, k]
            start, end = paths[r, segment], paths[r, segment + 1]
            drawn.append(bridge(model, start, end, share * length, (1 - share) * length, shock))
            years.append(0.5 * length)
            group.append(where * draws + r)
    switch = [torch.full((count,), -1)] * len(drawn)
    place = [torch.arange(count)] * len(drawn)
    happened = np.flatnonzero(points.switch >= 0)
    which, was = points.switch[happened], points.y[happened]
    was[np.arange(len(happened)), which] ^= 1  # just before
    y = torch.as_tensor(np.concatenate([points.y[segment], was]))
    if len(happened):
        seen = bool(points.known[happened[0]])
        inside = torch.as_tensor(points.interval[happened] - (1 if seen else 0))  # a known event ends its interval
        for r in range(1 if seen else draws):
            drawn.append(paths[r, happened])
            years.append(like.new_zeros(len(happened)))
            group.append(intervals * draws + inside if seen else inside * draws + r)
            switch.append(torch.as_tensor(which))
            place.append(count + torch.arange(len(happened)))
    offset = torch.zeros(intervals, draws, dtype=torch.float64)
    firm = torch.as_tensor(points.firm[ends])
    return Rows(
        y, torch.cat(place), torch.cat(drawn), torch.cat(years).double(), torch.cat(switch), torch.cat(group), firm,
        draws, offset,
    )  # fmt: skip


def _years(points: Points, start: Array, end: Array, like: Tensor) -> Tensor:
    return torch.as_tensor(points.year[end] - points.year[start], dtype=like.dtype)
