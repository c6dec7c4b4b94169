"""What an agent does about its switches beyond saying yes or no: effort at a cost, and costs that hold some luck.

Effort e at the yearly cost k(e) on a switch that is off raises the rate of opportunities from `opening` to
`opening + e`; on one that is on it lowers the rate of failures from `closing` to `closing - e`. With G what an
opportunity is worth and D what the switch is worth, the agent solves

    max_e {e G - k(e)} = k*(G),      max_{0 <= e <= closing} {e D - k(e)},

the Legendre conjugate of k at the gain: no state is added, and the best effort is its derivative (Huang and Yu 2024,
sections 2.1 and 3.2). Where the cost of an opportunity has a logistic part of scale tau, new each time, it is worth
`G = tau log(1 + exp((D - s) / tau))` and is taken with probability `1 / (1 + exp(-(D - s) / tau))`; without,
`max(D - s, 0)`.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SEARCHED = 80  # halvings of an interval in which the best effort is looked for
GOLDEN = 0.5 * (math.sqrt(5) - 1)


class EffortCost(abc.ABC):
    """A yearly cost k(e) of effort, convex with k(0) = 0. One of a user's own says `cost`, and `most` if it matters.

    Attributes:
        most: the largest effort there is, per year.
    """

    most: float = 100.0

    @abc.abstractmethod
    def cost(self, effort: Tensor) -> Tensor:
        """k(e), of the shape of `effort`, `[B, L]`."""

    def effort(self, gain: Tensor, limit: Tensor | None = None) -> Tensor:
        """The effort that maximises `e gain - k(e)` on [0, limit], for gains of any sign.

        Here by golden section in double precision; a cost whose derivative has an inverse should say better.
        """
        with torch.no_grad():
            gain = gain.double()
            low = torch.zeros_like(gain)
            high = torch.full_like(gain, self.most)
            if limit is not None:
                high = torch.minimum(high, limit.double().expand_as(gain))
            for _ in range(SEARCHED):
                width = GOLDEN * (high - low)
                left, right = high - width, low + width
                better = left * gain - self.cost(left) >= right * gain - self.cost(right)
                low, high = torch.where(better, low, left), torch.where(better, right, high)
            return torch.where(gain > 0, 0.5 * (low + high), 0.0)

    def surplus(self, gain: Tensor, limit: Tensor | None = None) -> Tensor:
        """k*(gain), the maximum itself, 0 where the gain is not positive; its derivative is the best effort."""
        effort = self.effort(gain.detach(), limit).to(gain.dtype)
        return effort * gain - self.cost(effort)


@dataclasses.dataclass(frozen=True)
class PowerCost(EffortCost):
    """`k(e) = scale e^power / power`: quadratic for power 2.

    Attributes:
        scale: a number, or one for each state `[B, 1]`.
        power: above 1.
    """

    scale: float | Tensor
    power: float = 2.0
    most: float = math.inf

    def cost(self, effort: Tensor) -> Tensor:
        return self.scale * effort**self.power / self.power

    def effort(self, gain: Tensor, limit: Tensor | None = None) -> Tensor:
        best = gain.clamp_min(0) / self.scale
        if self.power != 2:
            best = best ** (1 / (self.power - 1))
        return best if limit is None else torch.minimum(best, limit)


@dataclasses.dataclass(frozen=True)
class Choosing:
    """How an agent chooses at some states; the plain way is yes or no.

    Attributes:
        search: cost of effort that raises the rates of opportunities; None: they cannot be raised.
        keep: cost of effort that lowers the rates of failures, at most to 0; None: they cannot be lowered.
        noise: scale of the logistic part in the cost of an opportunity, a number or `[B, 1]`; 0: none.
    """

    search: EffortCost | None = None
    keep: EffortCost | None = None
    noise: float | Tensor = 0.0

    @property
    def plain(self) -> bool:
        """Whether it is yes or no to a sure cost."""
        return self.search is None and self.keep is None and self.sure

    @property
    def sure(self) -> bool:
        """Whether costs hold no luck."""
        return not isinstance(self.noise, Tensor) and self.noise == 0

    def opportunity(self, gain: Tensor) -> Tensor:
        """What an opportunity is worth, `gain` being the worth of the switch less its cost."""
        if self.sure:
            return gain.clamp_min(0)
        return self.noise * torch.nn.functional.softplus(gain / self.noise)

    def taken(self, gain: Tensor) -> Tensor:
        """With which probability it is taken; booleans where costs are sure."""
        return gain > 0 if self.sure else torch.sigmoid(gain / self.noise)

    def worth(self, opening: Tensor, gain: Tensor) -> Tensor:
        """Worth per year of the opportunities of a switch that is off, effort at its best and paid."""
        prize = self.opportunity(gain)
        return opening * prize if self.search is None else opening * prize + self.search.surplus(prize)

    def loss(self, closing: Tensor, marginal: Tensor) -> Tensor:
        """Loss per year from failures of a switch that is on and worth `marginal`, effort at its best and paid."""
        if self.keep is None:
            return closing * marginal
        return closing * marginal - self.keep.surplus(marginal, closing.expand_as(marginal))

    def turns_on(self, opening: Tensor, gain: Tensor) -> Tensor:
        """Rate per year at which a switch that is off is turned on."""
        if self.search is not None:
            opening = opening + self.search.effort(self.opportunity(gain)).to(gain.dtype)
        return opening * self.taken(gain)

    def fails(self, closing: Tensor, marginal: Tensor) -> Tensor:
        """Rate per year at which a switch that is on fails."""
        if self.keep is None:
            return closing
        return closing - self.keep.effort(marginal, closing.expand_as(marginal)).to(marginal.dtype)


PLAIN = Choosing()


def as_array(function: Callable[..., Tensor], *arrays: Any) -> Any:
    """A function of tensors applied to NumPy arrays or numbers, in double precision."""
    return function(*(torch.as_tensor(array, dtype=torch.float64) for array in arrays)).numpy()


@dataclasses.dataclass(frozen=True)
class Effort:
    """Keys `search` and `keep` of a model: effort e costs `cost e^power / power` a year.

    Attributes:
        cost: the scale of the cost; infinite: no effort is made; null: as the model has it.
        power: above 1; null: as the model has it (2, quadratic, where it says nothing).
    """

    cost: float | None = None
    power: float | None = None


def power_cost(scale: float, power: float) -> PowerCost | None:
    """The cost with these parameters; None where no effort is worth making."""
    return None if math.isinf(scale) else PowerCost(scale, power)


NO_EFFORT = {"search_cost": math.inf, "search_power": 2.0, "keep_cost": math.inf, "keep_power": 2.0}
"""The parameters below where no effort is made."""


class EffortFields:
    """What models with the parameters below share; neutral ones leave no trace in digests and files.

    Attributes:
        search_cost, search_power: of effort that raises the rate of opportunities; an infinite cost: none is made.
        keep_cost, keep_power: of effort that lowers the rate of failures.
    """

    search_cost: float
    search_power: float
    keep_cost: float
    keep_power: float

    def choosing(self) -> Choosing:
        """How an agent of this model chooses."""
        return Choosing(power_cost(self.search_cost, self.search_power), power_cost(self.keep_cost, self.keep_power))

    def with_effort(self, search: Effort = Effort(), keep: Effort = Effort()) -> Any:
        """The same model with other costs of effort, where these say so."""
        changes: dict[str, Any] = {}
        for name, effort in (("search", search), ("keep", keep)):
            changes |= {f"{name}_{key}": v for key, v in dataclasses.asdict(effort).items() if v is not None}
        return dataclasses.replace(self, **changes) if changes else self  # type: ignore[type-var]

    def effort_faults(self) -> list[str]:
        """What is wrong with them."""
        faults = []
        for name in ("search", "keep"):
            cost, power = getattr(self, f"{name}_cost"), getattr(self, f"{name}_power")
            if not cost > 0:
                faults.append(f"{name}_cost is {cost:g}, must be positive (infinite: no effort)")
            if not (power > 1 and math.isfinite(power)):
                faults.append(f"{name}_power is {power:g}, must be above 1 and finite")
        return faults
