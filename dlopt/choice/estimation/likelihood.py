"""The log likelihood of each firm's history at any parameters of a box, and its derivatives.

Derivatives: with D = base(p) + correction(p) what switches are worth, those through the correction (the networks of the
trained value function) are by automatic differentiation, exact; those of the base, of rates and of costs are central
differences between two models of the box. How the log likelihood moves with D, rates and costs is known in closed form
(`logit`); where effort is made it is not, and the differences are those of the log likelihood, the correction held.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.choice.box import Box
from dlopt.choice.effort import Choosing
from dlopt.choice.estimation.logit import LEAST, LogitRows, Near, Said, said_near
from dlopt.choice.estimation.process import Process
from dlopt.choice.estimation.rows import Rows
from dlopt.choice.estimation.worth import HasWorth, Sloping, Worths
from dlopt.choice.model import Array, ModelError, State, SwitchingModel
from dlopt.errors import DloptError

PAIRS = 80_000  # switches of rows looked at together: more do not fit in the cache of a core
DIFFERENCE = 2e-3  # of the width of the box: half the distance of central differences

Moved = tuple[tuple[SwitchingModel, HasWorth], tuple[SwitchingModel, HasWorth], float]
"""The models above and below in one parameter, what switches are worth there, and how far they are apart."""


class SureCostsError(DloptError):
    """A likelihood of choices that have no luck in them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Where in a part of the rows the worth of a switch is needed.

    Attributes:
        state: the rows, and after them copies in which a switch that is on is off, to look at that one.
        owner: the row that each of these states belongs to.
        row, switch: the state and the switch, off there, of each pair.
    """

    state: State
    owner: Tensor
    row: Tensor
    switch: Tensor


class Likelihood:
    """Log likelihoods of N firms.

    Args:
        worths: what switches are worth over the box.
        rows: the panel.
        firms: N.
        process: the path of the continuous states, where its likelihood counts as well.
        smoothing: scale of a logistic part in the costs of opportunities where the model has none.

    Raises:
        SureCostsError: the model's costs have no luck in them, and there is no smoothing.
    """

    def __init__(
        self, worths: Worths, rows: Rows, firms: int, process: Process | None = None, smoothing: float = 0.0
    ) -> None:
        self.worths, self.rows, self.firms, self.process, self.smoothing = worths, rows, firms, process, smoothing
        self.box = worths.box
        check_luck(self.box, smoothing)

    def values(self, point: Array) -> Tensor:
        """Log likelihood of each firm at a point `[P]`, `[N]`."""
        return self._of(point, derivatives=False)[0]

    def scores(self, point: Array) -> tuple[Tensor, Tensor]:
        """Log likelihoods `[N]` and their derivatives `[N, P]`."""
        value, score = self._of(point, derivatives=True)
        assert score is not None
        return value, score

    def _of(self, point: Array, derivatives: bool) -> tuple[Tensor, Tensor | None]:
        rows, count = self.rows, len(self.rows.firm) * (self.rows.draws + 1)
        model, base = self.worths.at(point)
        moved = self._moved(point) if derivatives else []
        names = len(self.box.names)
        total = torch.zeros(count, dtype=torch.float64)
        slope = torch.zeros(count, names, dtype=torch.float64)
        size = max(256, PAIRS // rows.y.shape[1])
        sloped = Sloping(base, [(up[1], down[1], distance) for up, down, distance in moved])
        for k in range(0, len(rows), size):
            part = slice(k, min(k + size, len(rows)))
            state, years, switch, group = rows.state(part), rows.years[part], rows.switch[part], rows.group[part]
            pairs = self._pairs(model, state, switch)
            placed = torch.as_tensor(point, dtype=torch.float64).repeat(len(pairs.state), 1).requires_grad_(derivatives)
            with torch.set_grad_enabled(derivatives):
                correction = self.worths.correction(placed, pairs.state, pairs.row, pairs.switch)
            how = self._how(model, state)
            if how.search is None and how.keep is None:
                near = [(up[0], down[0], distance) for up, down, distance in moved]
                value = self._closed(model, sloped, near, correction, placed, pairs, state, years, switch, slope, group)
            else:
                value = self._differenced(
                    model, base, moved, correction, placed, pairs, state, years, switch, slope, group
                )
            total.index_add_(0, group, value)
        return self._combined(point, total, slope if derivatives else None)

    def _closed(
        self, model: SwitchingModel, sloped: Sloping, near: list[Near], correction: Tensor | None, placed: Tensor,
        pairs: Pairs, state: State, years: Tensor, switch: Tensor, slope: Tensor, group: Tensor,
    ) -> Tensor:  # fmt: skip
        """Log likelihood of rows without effort, in closed form; adds its derivatives to `slope`."""
        found = sloped.at(pairs.state, pairs.row, pairs.switch)
        worth = found[:, 0] if correction is None else found[:, 0] + correction.detach()
        said = Said.of(model, self._how(model, state), state)
        rows = LogitRows(said, worth, state, years, switch, pairs.row, pairs.switch)
        for p, changes in enumerate(said_near(near, state, self._how)):
            slope[:, p].index_add_(0, group, rows.slope(changes, found[:, 1 + p]))
        if near and correction is not None and len(pairs.row):
            slope.index_add_(0, group, torch.autograd.grad(correction, placed, rows.by_worth)[0])
        return rows.value

    def _differenced(
        self, model: SwitchingModel, base: HasWorth, moved: list[Moved], correction: Tensor | None, placed: Tensor,
        pairs: Pairs, state: State, years: Tensor, switch: Tensor, slope: Tensor, group: Tensor,
    ) -> Tensor:  # fmt: skip
        """The same with effort."""
        with torch.set_grad_enabled(bool(moved)):
            value = self._rows(model, base, correction, pairs, state, years, switch)
        if moved and correction is not None and len(pairs.row):
            through = torch.autograd.grad(value.sum(), placed)[0]
            own = torch.zeros(len(state), slope.shape[1], dtype=torch.float64).index_add_(0, pairs.owner, through)
            slope.index_add_(0, group, own)
        held = None if correction is None else correction.detach()
        for p, (up, down, distance) in enumerate(moved):
            ends = [self._rows(m, b, held, pairs, state, years, switch) for m, b in (up, down)]
            slope[:, p].index_add_(0, group, (ends[0] - ends[1]) / distance)
        return value.detach()

    def _combined(self, point: Array, total: Tensor, slope: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Mean over draws in each interval, sums over intervals of a firm."""
        rows, intervals = self.rows, len(self.rows.firm)
        drawn = total[: intervals * rows.draws].view(intervals, rows.draws) - rows.offset
        value = torch.logsumexp(drawn, 1) - torch.log(torch.tensor(float(rows.draws))) + total[intervals * rows.draws :]
        of_firm = torch.zeros(self.firms, dtype=torch.float64).index_add_(0, rows.firm, value)
        score = None
        if slope is not None:
            weight = torch.softmax(drawn, 1)
            each = (weight[:, :, None] * slope[: intervals * rows.draws].view(intervals, rows.draws, -1)).sum(1)
            each = each + slope[intervals * rows.draws :]
            score = torch.zeros(self.firms, slope.shape[1], dtype=torch.float64).index_add_(0, rows.firm, each)
        if self.process is not None:
            of_firm = of_firm + self.process.values(self.worths.at(point)[0])
            if score is not None:
                for p, (up, down, distance) in enumerate(self._moved(point)):
                    ends = [self.process.values(model) for model, _ in (up, down)]
                    score[:, p] += (ends[0] - ends[1]) / distance
        return of_firm, score

    def _moved(self, point: Array) -> list[Moved]:
        """For each parameter the models a little above and below, inside the box, and how far they are apart."""
        found = []
        for p, width in enumerate(self.box.high - self.box.low):
            up, down = point.copy(), point.copy()
            up[p] = min(point[p] + DIFFERENCE * width, self.box.high[p])
            down[p] = max(point[p] - DIFFERENCE * width, self.box.low[p])
            found.append((self.worths.at(up), self.worths.at(down), float(up[p] - down[p])))
        return found

    def _how(self, model: SwitchingModel, state: State) -> Choosing:
        how = model.choosing(state)
        return dataclasses.replace(how, noise=self.smoothing) if how.sure and self.smoothing > 0 else how

    def _pairs(self, model: SwitchingModel, state: State, switch: Tensor) -> Pairs:
        """Over time the switches that are off, of an event its own; those that are on where effort keeps them so."""
        keeps = model.choosing(state).keep is not None
        off, event = state.y < 0.5, switch >= 0
        wanted = (off | keeps) & ~event[:, None]
        happened = event.nonzero()[:, 0]
        wanted[happened, switch[happened]] = off[happened, switch[happened]] | keeps
        row, which = wanted.nonzero(as_tuple=True)
        owner = torch.arange(len(state))
        if not keeps:
            return Pairs(state, owner, row, which)
        on = (~off[row, which]).nonzero()[:, 0]
        copies = state.rows(row[on])
        copies.y[torch.arange(len(on)), which[on]] = 0.0
        owner = torch.cat([owner, row[on]])
        row = row.clone()
        row[on] = len(state) + torch.arange(len(on))
        return Pairs(State.joined([state, copies]), owner, row, which)

    def _rows(
        self, model: SwitchingModel, base: HasWorth, correction: Tensor | None, pairs: Pairs, state: State,
        years: Tensor, switch: Tensor,
    ) -> Tensor:  # fmt: skip
        """Log likelihood of rows, `[B]`, in double precision."""
        with torch.no_grad():
            worth = base.worth(pairs.state, pairs.row, pairs.switch).double()
        if correction is not None:
            worth = worth + correction
        owner = pairs.owner[pairs.row]
        marginal = torch.zeros(state.y.shape, dtype=torch.float64).index_put((owner, pairs.switch), worth)
        how = self._how(model, state)
        opening, closing = model.rates(state)
        on = state.y > 0.5
        rate = torch.where(on, how.fails(closing, marginal), how.turns_on(opening, marginal - model.costs(state)))
        event = switch >= 0
        one = rate.gather(1, switch.clamp_min(0)[:, None])[:, 0]
        return torch.where(event, one.clamp_min(LEAST).log(), -years * rate.sum(1))


def check_luck(box: Box, smoothing: float) -> None:
    """Whether there is a likelihood.

    Raises:
        SureCostsError: the model's costs have no luck in them, and there is no smoothing.
    """
    model = box.base.on()
    if smoothing == 0 and model.choosing(model.draw(1, torch.Generator().manual_seed(0))).sure:
        raise SureCostsError(
            "The costs of opportunities hold no luck in this model: what is not worth its cost has likelihood zero. "
            "Give the model s_noise (fixed={s_noise: 0.3}, or process.yaml), make it a parameter, set "
            "estimate.smoothing (money), or use estimate.by=moments."
        )


def check_model(model: SwitchingModel) -> None:
    """Whether panels of a model can be estimated.

    Raises:
        ModelError: it has a clock.
    """
    if model.clocks > 1:
        raise ModelError("Models with a clock (the production network) cannot be estimated from panels of firms.")
