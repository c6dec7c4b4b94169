"""A retailer who opens stores in interdependent towns: a choice model of one's own for dlopt.

A store in town j earns `sales_j` a year and costs `wage_j + exposure_j' x`, where the continuous states x are one
common cost shock and others of the towns. Two open stores meet twice: they share lorries (density economies, which
reach far) and customers (cannibalisation, which reaches as far as people drive). A site comes up for lease at a rate
that differs between towns; taking it costs `fit_out_j`; a lease ends at a rate, too.

    pip install examples/stores
    dlopt solve bsde kind=stores model=towns8
    dlopt solve bsde kind=stores model=towns60
    dlopt solve bsde kind=stores 'fixed={s_noise: 0.2}' 'parameters={cost_scale: [0.5, 2]}' name=towns
    dlopt panel chains --kind stores --run towns --set cost_scale=1 --firms 200 --years 6
    dlopt estimate chains kind=stores value=towns

Every number here is made up, from a seed. Money is in yearly sales of the average store.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from dlopt.choice import AnalysisOptions, ChoiceModel, Choosing, State
from dlopt.choice.kind import ChoiceKind
from dlopt.errors import UnknownNameError

LORRY, DRIVE = 40.0, 8.0  # kilometres over which density economies and cannibalisation fall to a third


@dataclasses.dataclass(frozen=True, eq=False)
class Stores(ChoiceModel):
    """The retailer's problem. J towns, K cost shocks, each the deviation of its own process from its mean of 0.

    Attributes:
        sales, wage: of a store per year, `[J]`.
        together: what two open stores add to yearly profit, symmetric, diagonal 0, `[J, J]`.
        exposure: what a long-run standard deviation of each shock adds to the yearly cost of a store, `[K, J]`.
        reversion: at which each shock returns to its mean, per year, `[K]`.
        cost: of fitting out a store, `[J]`.
        offers, ends: rates at which sites come up and leases end, per year, `[J]`.
        centre, spread: long-run mean and standard deviation of the shocks, `[K]`.
        rho: discount rate.
        s_noise: scale of the luck in the cost of a site, without which choices have no likelihood; 0: none.
    """

    sales: Tensor
    wage: Tensor
    together: Tensor
    exposure: Tensor
    reversion: Tensor
    cost: Tensor
    offers: Tensor
    ends: Tensor
    centre: Tensor
    spread: Tensor
    rho: float = 0.05
    s_noise: float = 0.0
    name: str = "stores"

    def flow(self, state: State) -> Tensor:
        """Profit per year, `[B]`."""
        alone = self.sales - self.wage - state.x @ self.exposure
        return (state.y * (alone + 0.5 * state.y @ self.together)).sum(1)

    def drift(self, x: Tensor) -> Tensor:
        """Shocks fade, `[B, K]`."""
        return -self.reversion * x

    def volatility(self, x: Tensor) -> Tensor:
        """Each shock has a standard deviation of 1 in the long run, `[K, K]`."""
        return torch.diag((2 * self.reversion).sqrt())

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        """Of sites and of ends of leases, `[J]` each."""
        return self.offers, self.ends

    def choosing(self, state: State) -> Choosing:
        """Luck in costs, no effort."""
        return Choosing(noise=self.s_noise)


def towns(number: int, shocks: int | None = None, seed: int = 0) -> Stores:
    """Towns scattered over a country.

    Args:
        number: J.
        shocks: how many shocks besides the common one; None: one for each town. With fewer, towns are exposed to each
            by weights of their own, so that the model keeps a solution by enumeration.
        seed: of everything drawn.
    """
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 12.0 * number**0.5, size=(number, 2))
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    people = np.exp(0.3 * rng.normal(size=number))
    together = 0.012 * np.exp(-distance / LORRY) - 0.08 * np.sqrt(np.outer(people, people)) * np.exp(-distance / DRIVE)
    np.fill_diagonal(together, 0.0)
    own = 0.25 * np.eye(number) if shocks is None else 0.25 * rng.normal(size=(shocks, number))
    count = 1 + len(own)
    return Stores(
        sales=people,
        wage=0.6 + 0.1 * rng.random(number) + 0.2 * (people - 1),
        together=together,
        exposure=np.vstack([np.full(number, 0.2), own]),
        reversion=np.append(0.3, np.full(count - 1, 0.5)),
        cost=0.8 + 0.4 * rng.random(number),
        offers=rng.uniform(0.2, 0.4, number),
        ends=np.full(number, 0.1),
        centre=np.zeros(count),
        spread=np.ones(count),
        name=f"towns{number}",
    )


def load(name: str) -> Stores:
    """`towns8`, with two shocks and an exact solution by enumeration, or `townsN`, with a shock of each town's own."""
    number = name.removeprefix("towns")
    if not (name.startswith("towns") and number.isdecimal() and 2 <= int(number) <= 500):
        raise UnknownNameError("model", name, MODELS)
    return towns(int(number), 1 if name == "towns8" else None)


MODELS = ("towns8", "towns60")
KIND = ChoiceKind(
    "stores",
    "A retailer opens stores in interdependent towns.",
    load=load,
    size=lambda model: f"{model.switches} towns",
    units="values and costs in yearly sales of the average store, rates per year",
    model="towns8",
    words=MODELS,
    models="towns8, towns60, or any other number of towns",
    states="a table of states: state, y_1.., x_1..",
    analysis=AnalysisOptions(out_of_sample=1000, paths=256, validation=2048, response_paths=256),
    panels=True,
)
