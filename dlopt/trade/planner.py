"""What a planner maximises: weighted welfare, bargains, and welfare without losers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.game import Monitor
from dlopt.framework.outcome import Outcome
from dlopt.trade.game import Objective, TradeGame, TradePoint
from dlopt.trade.model import TradeModel

OBJECTIVES = ("welfare", "bargain")
RUIN_PCT = 1.0
"""Loss of an economy, per cent, above which a planner with equal weights is warned about."""
SHORTFALL_TOLERANCE = 1e-10
"""Largest relative loss of an economy that counts as none."""
_PENALTY = 10.0


class NoBargainError(DloptError):
    """No policies were found from which every economy gains."""


def planner_weights(model: TradeModel, weights: str | Mapping[str, float]) -> Tensor:
    """Weights of the planner, summing to one, `[country]`.

    Args:
        weights: `income` (shares in world income, equation 20), `equal`, or a mapping from economies to weights;
            economies it leaves out weigh nothing.

    Raises:
        UnknownNameError: an unknown scheme or economy.
        DloptError: a negative weight, or none positive.
    """
    if isinstance(weights, str):
        if weights not in ("income", "equal"):
            raise UnknownNameError("value of weights", weights, ("income", "equal"))
        raw = model.income if weights == "income" else torch.ones_like(model.income)
    else:
        raw = torch.zeros_like(model.income)
        for label, value in weights.items():
            raw[model.calibration.economy_index(str(label))] = float(value)
    if not bool((raw >= 0).all()) or not float(raw.sum()) > 0 or not bool(raw.isfinite().all()):
        raise DloptError(f"weights is {weights}: give weights that are finite, not negative and not all zero.")
    return raw / raw.sum()


@dataclasses.dataclass(frozen=True)
class Goal:
    """What the players of a result maximise, for any model near its own.

    Attributes:
        name: `own`, each its own real income; a planner's `welfare` or `bargain`; `given`, an objective of the
            user's; `other`, what one smooth objective does not say: a planner without losers, a sequence of moves.
        weights: the planner's (see `planner_weights`).
        given: the user's objective.
    """

    name: Literal["own", "welfare", "bargain", "given", "other"] = "own"
    weights: str | Mapping[str, float] = "income"
    given: Objective | None = None

    def at(self, model: TradeModel) -> Objective | None:
        """The objective in a model; None for everybody's own real income."""
        if self.name == "welfare":
            return weighted_welfare(planner_weights(model, self.weights))
        if self.name == "bargain":
            return bargain(planner_weights(model, self.weights))
        return self.given

    def weight(self, model: TradeModel) -> Tensor | None:
        """The planner's weights, `[country]`; None where there are none."""
        return planner_weights(model, self.weights) if self.name in ("welfare", "bargain") else None

    def with_more_weight(self, model: TradeModel, country: int, amount: float) -> Goal:
        """The goal after one weight was raised, the others as they are."""
        weight = planner_weights(model, self.weights)
        weight[country] += amount
        return dataclasses.replace(self, weights=dict(zip(model.calibration.economies, weight.tolist(), strict=True)))


def ruined_in_words(model: TradeModel, weights: str | Mapping[str, float], u: Tensor) -> str:
    """A warning where equal weights made the planner sacrifice an economy; empty otherwise.

    Args:
        u: the planner's equilibrium, `[unknown]`.
    """
    change = 100 * model.log_welfare(u).expm1()
    worst = int(change.argmin())
    if weights != "equal" or float(change[worst]) > -RUIN_PCT:
        return ""
    who, loss = model.calibration.economies[worst], -float(change[worst])
    return (
        f" weights=equal adds percentages, whatever the size of an economy: {who} is made to lose {loss:.1f} %. Take "
        "weights=income, no_losers=true or objective=bargain unless that is meant."
    )


def weighted_welfare(weight: Tensor) -> Objective:
    """`sum_n weight_n W^_n` (equation 20)."""
    return lambda log_welfare: (weight * log_welfare.exp()).sum()[None]


def bargain(weight: Tensor) -> Objective:
    """Nash's product of gains over the baseline: `sum_n weight_n log(W^_n - 1)`, undefined where somebody loses."""
    return lambda log_welfare: torch.where(weight > 0, weight * log_welfare.expm1().log(), 0.0).sum()[None]


def smallest_gain(log_welfare: Tensor) -> Tensor:
    """A smooth lower bound of the smallest log gain, `[1]`."""
    return -(torch.logsumexp(-300 * log_welfare, 0) / 300)[None]


def protected_welfare(weight: Tensor, multiplier: Tensor, penalty: float) -> Objective:
    """Augmented Lagrangian of weighted welfare subject to `W^_n >= 1` for all n (Rockafellar 1973)."""

    def objective(log_welfare: Tensor) -> Tensor:
        pull = (multiplier - penalty * log_welfare.expm1()).clamp(min=0)
        return ((weight * log_welfare.exp()).sum() - (pull**2 - multiplier**2).sum() / (2 * penalty))[None]

    return objective


def everybody_gains(at: Callable[[Objective], TradeGame], start: TradePoint, monitor: Monitor) -> TradePoint:
    """Policies near `start` from which every economy gains, where a bargain can begin.

    Raises:
        NoBargainError: none were found.
    """
    game = at(smallest_gain)
    point = game.adopt(start)
    for _ in range(20):
        if float(point.log_goals.min()) > 1e-4:
            return point
        found = maximise(game, 0, point, AscentOptions(max_iterations=3), monitor, "search for gains")
        assert isinstance(found.point, TradePoint)
        if found.outcome in (Outcome.CONVERGED, Outcome.STALLED) and float(found.point.log_goals.min()) <= 1e-8:
            break
        point = found.point
    raise NoBargainError(
        "No policies were found from which every economy gains over the baseline: give more instruments, "
        "or use objective=welfare with no_losers=true."
    )


def protect(
    at: Callable[[Objective], TradeGame], weight: Tensor, start: TradePoint, monitor: Monitor
) -> tuple[TradeGame, TradePoint]:
    """The multipliers with which nobody loses, by the method of multipliers.

    Returns:
        The game of the final Lagrangian (its multipliers act as extra welfare weights of those who would lose) and
        its maximum. Shortfalls that remain are seen in the point's welfare.
    """
    multiplier, penalty = torch.zeros_like(weight), _PENALTY
    game = at(protected_welfare(weight, multiplier, penalty))
    point = game.adopt(start)
    for _ in range(25):
        found = maximise(game, 0, point, AscentOptions(tolerance=1e-10), monitor, "multipliers")
        assert isinstance(found.point, TradePoint)
        point = found.point
        gain = point.log_goals.expm1()
        # Complementarity: no shortfall, and no multiplier on an economy that gains.
        gap = float(torch.minimum(gain, multiplier / penalty).abs().max())
        multiplier = (multiplier - penalty * gain).clamp(min=0)
        if gap > SHORTFALL_TOLERANCE:
            penalty = min(3 * penalty, 1e3)
        game = at(protected_welfare(weight, multiplier, penalty))
        point = game.adopt(point)
        if gap <= SHORTFALL_TOLERANCE:
            break
    # With the right multipliers a mild penalty has the same maximum, and a curvature that can be read.
    game = at(protected_welfare(weight, multiplier, _PENALTY))
    return game, game.adopt(point)
