"""Moments of a panel: averages over firms of what is seen at visits.

Each moment is a number for every firm, so that its sampling error is that of a mean. They say how often switches are
turned on and off, which ones and when, how much firms differ, and whether switches come together.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from dlopt.choice.estimation.panel import Panel
from dlopt.choice.model import Array, SwitchingModel

MOMENTS = {
    "turned_on": "switches turned on between two visits, share of all",
    "turned_off": "switches turned off between two visits, share of all",
    "on": "switches on, share of all",
    "on_squared": "square of the share of switches on",
    "turned_on_squared": "square of the number of switches turned on, per switch",
    "turned_on_beside": "switches turned on times the share of switches on before",
    "turned_on_dear": "switches turned on whose cost is above the median, share of all",
    "turned_on_at_state": "switches turned on times the continuous state, in standard deviations",
    "on_at_state": "switches on times the continuous state, in standard deviations",
}
"""Name -> what is averaged over visits and switches of a firm, then over firms."""


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Moments of N firms.

    Attributes:
        names: of the Q moments.
        each: of every firm, `[N, Q]`.
    """

    names: tuple[str, ...]
    each: Array

    @property
    def mean(self) -> Array:
        """Over firms, `[Q]`."""
        return np.asarray(self.each.mean(0))

    @property
    def covariance(self) -> Array:
        """Of the means, `[Q, Q]`."""
        return np.asarray(np.cov(self.each.T) / len(self.each))


def moments_of(panel: Panel, model: SwitchingModel) -> Moments:
    """The moments of a panel; `model` gives costs and the scale of the continuous states (its middle, say)."""
    cost = model.cost.double().cpu().numpy()
    dear = cost > np.median(cost)
    z = (panel.x - model.centre.double().cpu().numpy()) / model.spread.double().cpu().numpy()
    if z.shape[1] != panel.y.shape[1]:  # states are not those of the switches: their mean is taken
        z = np.repeat(z.mean(1, keepdims=True), panel.y.shape[1], axis=1)
    pair = np.flatnonzero(panel.firm[1:] == panel.firm[:-1])
    before, after, z = panel.y[pair].astype(float), panel.y[pair + 1].astype(float), z[pair + 1]
    on, off, share = (1 - before) * after, before * (1 - after), after.mean(1)
    rows = {
        "turned_on": on.mean(1),
        "turned_off": off.mean(1),
        "on": share,
        "on_squared": share**2,
        "turned_on_squared": on.sum(1) ** 2 / on.shape[1],
        "turned_on_beside": on.mean(1) * before.mean(1),
        "turned_on_dear": (on * dear).mean(1),
        "turned_on_at_state": (on * z).mean(1),
        "on_at_state": (after * z).mean(1),
    }
    names = tuple(name for name in MOMENTS if name != "turned_on_dear" or dear.any())
    firm, count = panel.firm[pair], len(panel.firms)
    visits = np.bincount(firm, minlength=count)
    each = np.stack([np.bincount(firm, rows[name], count) / visits for name in names], axis=1)
    return Moments(names, each)
