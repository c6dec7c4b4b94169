"""The log likelihood of rows and its derivatives in closed form, where nobody makes an effort.

A switch that is off then turns on at the rate `o Pr = o / (1 + exp(-z))`, `z = (D - s) / tau`: o the rate of
opportunities, D what the switch is worth, s its cost and tau the scale of the luck in it; one that is on fails at the
rate c. What a model says of o, c, s, tau is not differentiated, but looked at in two models near by.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from dlopt.choice.effort import Choosing
from dlopt.choice.model import State, SwitchingModel

LEAST = 1e-300

Near = tuple[SwitchingModel, SwitchingModel, float]
"""Two models a distance apart in one parameter."""


@dataclasses.dataclass(frozen=True, eq=False)
class Said:
    """What a model says at B states with J switches, each broadcastable to `[B, J]`; differences of two, too."""

    opening: Tensor
    closing: Tensor
    cost: Tensor
    noise: Tensor

    @staticmethod
    def of(model: SwitchingModel, how: Choosing, state: State) -> Said:
        """By a model."""
        opening, closing = model.rates(state)
        return Said(opening, closing, model.costs(state), torch.as_tensor(how.noise, dtype=torch.float64))

    def over(self, other: Said, distance: float) -> dict[str, Tensor]:
        """Differences over a distance, of what is not the same."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in FIELDS}
        return {name: (a - b) / distance for name, (a, b) in pairs.items() if not torch.equal(a, b)}


FIELDS = dataclasses.fields(Said)


class LogitRows:
    """Rows of a panel at one model.

    Args:
        said: what the model says at their states.
        worth: D of each pair, `[P]`.
        state, years, switch: of the rows, as in `Rows`, `[B]` each.
        row, column: the row and the switch, off there, of each pair, `[P]`.
    """

    def __init__(
        self, said: Said, worth: Tensor, state: State, years: Tensor, switch: Tensor, row: Tensor, column: Tensor
    ) -> None:
        self.row, self.column, self.shape = row, column, state.y.shape
        self.happened = (switch >= 0).nonzero()[:, 0]
        self.which = switch[self.happened]
        self.event = (switch >= 0)[row]
        self.years, self.on = years[:, None] * state.y, state.y[self.happened, self.which] > 0.5
        opening, noise = self._picked(said.opening), self._picked(said.noise)
        z = (worth - self._picked(said.cost)) / noise
        taken = torch.sigmoid(z)
        length, rate = years[row], opening * taken
        of_pair = torch.where(self.event, opening.clamp_min(LEAST).log() + logsigmoid(z), -length * rate)
        failed = said.closing.expand(self.shape)[self.happened, self.which]
        self.value = -(self.years * said.closing).sum(1)
        self.value.index_add_(0, row, of_pair)
        self.value.index_add_(0, self.happened, torch.where(self.on, failed.clamp_min(LEAST).log(), 0.0))
        # derivatives of the log likelihood in the rate of opportunities, in what a switch is worth, in tau, in failures
        self.by_opening = torch.where(self.event, 1 / opening.clamp_min(LEAST), -length * taken)
        self.by_worth = torch.where(self.event, 1.0, -length * rate) * torch.sigmoid(-z) / noise
        self.by_noise = -z * self.by_worth
        self.by_failure = torch.where(self.on, 1 / failed.clamp_min(LEAST), 0.0)

    def slope(self, changes: dict[str, Tensor], worth: Tensor | None) -> Tensor:
        """Derivative of each row's log likelihood, `[B]`, from those of what the model says and of D `[P]`."""
        of_pair = torch.zeros_like(self.by_worth) if worth is None else self.by_worth * worth
        for name, weight, sign in (
            ("opening", self.by_opening, 1), ("cost", self.by_worth, -1), ("noise", self.by_noise, 1)
        ):  # fmt: skip
            if name in changes:
                of_pair = of_pair + sign * weight * self._picked(changes[name])
        found = torch.zeros(self.shape[0], dtype=torch.float64).index_add_(0, self.row, of_pair)
        if "closing" in changes:
            closing = changes["closing"]
            found -= (self.years * closing).sum(1)
            at = closing.expand(self.shape)[self.happened, self.which]
            found.index_add_(0, self.happened, self.by_failure * at)
        return found

    def _picked(self, said: Tensor) -> Tensor:
        return said if said.numel() == 1 else said.expand(self.shape)[self.row, self.column]


def said_near(
    near: Sequence[Near], state: State, how: Callable[[SwitchingModel, State], Choosing]
) -> list[dict[str, Tensor]]:
    """For each parameter, how what models say changes with it."""
    return [
        Said.of(up, how(up, state), state).over(Said.of(down, how(down, state), state), distance)
        for up, down, distance in near
    ]
