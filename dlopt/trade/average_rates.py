"""Who sets each rate, simple averages of the rates of each, and how far they move."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.trade.instruments import Instruments
from dlopt.trade.rates import INSTRUMENTS, KINDS

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult
    from dlopt.trade.sensitivity import Sensitivities


def setters(result: SolveResult) -> tuple[Tensor, tuple[str, ...]]:
    """Whose rate each instrument is, also where one planner chooses all: `USA`, or `USA+EU` for a union's tariff.

    Returns:
        Positions in the labels, `[instrument]`; the labels.
    """
    chosen, economies = result.instruments, result.calibration.economies
    assert chosen is not None
    sets = torch.zeros((chosen.count, len(economies)), dtype=torch.bool)
    for kind, cells in zip(INSTRUMENTS, chosen.maps(), strict=False):
        at = (cells >= 0).nonzero()
        sets[cells[cells >= 0], at[:, 1] if kind.setter == "destination" else at[:, 0]] = True
    groups, where = torch.unique(sets, dim=0, return_inverse=True)
    labels = ["+".join(label for label, yes in zip(economies, row, strict=True) if yes) for row in groups.tolist()]
    order = sorted(range(len(labels)), key=lambda k: groups[k].int().argmax().item())
    place = torch.empty(len(order), dtype=torch.int64)
    place[torch.tensor(order)] = torch.arange(len(order))
    return place[where], tuple(labels[k] for k in order)


@dataclasses.dataclass(frozen=True, eq=False)
class AverageRates:
    """A group of instruments for everybody who sets rates, and every kind, in order.

    Attributes:
        chosen: the instruments.
        players, kinds: of each group; the economy where one planner chooses for all.
        share: of each instrument in its group's average, `[group, instrument]`; rows sum to one.
        rates: chosen, fractions, `[instrument]`.
    """

    chosen: Instruments
    players: tuple[str, ...]
    kinds: tuple[str, ...]
    share: Tensor
    rates: Tensor

    @classmethod
    def of(cls, result: SolveResult) -> AverageRates | None:
        """The averages of a result; None where nobody chose."""
        chosen = result.instruments
        if chosen is None:
            return None
        who, labels = setters(result)
        groups, where = torch.unique(who * len(KINDS) + chosen.kind, return_inverse=True)
        share = torch.nn.functional.one_hot(where, len(groups)).T.to(result.u.dtype)
        numbers = groups.tolist()
        players = tuple(labels[k // len(KINDS)] for k in numbers)
        kinds = tuple(KINDS[k % len(KINDS)] for k in numbers)
        rates = chosen.rates(chosen.average(result.wedges))
        return cls(chosen, players, kinds, share / share.sum(1, keepdim=True), rates)

    @property
    def rate_per_log(self) -> Tensor:
        """How far each rate moves with its log, `[instrument]`."""
        tax = torch.tensor([kind.tax for kind in INSTRUMENTS])[self.chosen.kind]
        return torch.where(tax, 1 + self.rates, 1 - self.rates)

    def of_rates(self, rates: Tensor) -> Tensor:
        """Averages in per cent, `[..., group]`, of rates, `[..., instrument]`."""
        return 100 * rates @ self.share.T

    def slopes(self, of_logs: Tensor) -> Tensor:
        """Derivatives of the averages in percentage points, `[group, parameter]`.

        Args:
            of_logs: derivatives of log rates, `[instrument, parameter]`.
        """
        return 100 * self.share @ (self.rate_per_log[:, None] * of_logs)


def average_slopes(found: Sensitivities) -> pd.DataFrame:
    """How average rates move with parameters: a row for each player, kind and parameter; empty where nobody chose.

    Returns:
        Columns `player`, `instrument` (kind), `parameter`, `name` (in words), `rate_pct`, `derivative` (percentage
        points per unit) and `per_one_percent` (for one per cent more; see `dlopt.trade.parameters.Parameter`).
    """
    import pandas as pd

    columns = ["player", "instrument", "parameter", "name", "rate_pct", "derivative", "per_one_percent"]
    averages = AverageRates.of(found.result)
    if averages is None:
        return pd.DataFrame(columns=columns)
    slopes, means = averages.slopes(found.instruments), averages.of_rates(averages.rates)
    calibration = found.result.model.calibration
    rows = [
        (player, kind, p.label, p.named(calibration), float(means[g]), float(slopes[g, k]))
        for k, p in enumerate(found.parameters)
        for g, (player, kind) in enumerate(zip(averages.players, averages.kinds, strict=True))
    ]
    frame = pd.DataFrame(rows, columns=columns[:-1])
    steps = [p.one_percent for p in found.parameters for _ in averages.players]
    return frame.assign(per_one_percent=frame["derivative"] * steps)
