"""Carbon taxes in open economies, as a kind of problem of dlopt: `dlopt solve nash kind=carbon`."""

from __future__ import annotations

import dataclasses

from dlopt.models.kind import EquilibriumKind


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The world: one entry per country in the tuples.

    Attributes:
        technology: productivity T.
        labour: workers.
        damage: fall of log utility from one more unit of world emissions, times 100.
        theta: trade elasticity.
        beta: share of labour in cost.
        iceberg: units sent for one to arrive abroad.
    """

    technology: tuple[float, ...] = (3.0, 1.0, 1.0)
    labour: tuple[float, ...] = (1.0, 2.0, 5.0)
    damage: tuple[float, ...] = (1.0, 2.0, 3.0)
    theta: float = 3.0
    beta: float = 2 / 3
    iceberg: float = 2.0

    def __post_init__(self) -> None:
        if len({len(self.technology), len(self.labour), len(self.damage)}) > 1:
            raise ValueError("technology, labour and damage need one entry for each country")
        sizes = (*self.technology, *self.labour, self.theta, self.iceberg)
        if min(sizes) <= 0 or not 0 < self.beta < 1:
            raise ValueError("technology, labour, theta and iceberg must be above 0, and beta between 0 and 1")


KIND = EquilibriumKind(
    "carbon",
    "Tariffs and carbon taxes of countries that trade and suffer from the emissions of all.",
    "dlopt_carbon.model:model",
    Parameters,
)
