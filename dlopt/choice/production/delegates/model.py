"""Delegates: each sector forms its own links, looks ahead, and knows that the others do so too.

When the clock stands at sector i, its delegate decides about the links of i; everybody lives with them. Delegate p
has a value function of its own,

    rho V_p = u_p + L V_p + sum_j rate_zj (V_p(Y flipped at zj) - V_p) - share_pz cost_z
              + lambda_z sum_z' (V_p(z') - V_p),

with the rates that the delegate of the clock's sector chooses because they are best for V_z: a Markov perfect
equilibrium. What delegate p wants is low unit costs: `u_p = exp((1 - gamma) f_p) / (1 - gamma)` with `f_p = -w_p' c`,
the log purchasing power of the wage over a basket `w_p`. With `own = 1` that is the good of its own sector alone, with
`own = 0` the basket of consumers, which is what a planner wants; between them the two are mixed.
Source: Huang and Yu (2024), section 3.2, who name this extension and leave the delegates' aims open.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.factors import Array
from dlopt.choice.model import State
from dlopt.choice.production.model import NetworkDynamics, NetworkEconomy

if TYPE_CHECKING:
    from dlopt.choice.traits import Traits

LARGEST = 3  # sectors that bargain
FORWARD, BARGAIN = "forward", "bargain"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Delegates(NetworkEconomy):
    """A network economy whose sectors decide for themselves.

    Attributes:
        own: how much a delegate cares for the price of its own good: its basket is `own` of that and `1 - own` of
            what consumers buy. 0: all want what the planner wants. Of the others' cost of effort it counts `1 - own`.
        rule: `forward`: the buyer's delegate decides about a link. `bargain`: buyer and supplier do together. The link
            is formed if it is worth something to the two together, and the buyer pays the supplier so that their gain
            is shared (Nash bargaining with transfers, in utility).
        power: the buyer's share of that gain, for `bargain`.
    """

    own: float = 1.0
    rule: str = FORWARD
    power: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        faults = []
        for key in ("own", "power"):
            if not 0 <= getattr(self, key) <= 1:
                faults.append(f"{key} is {getattr(self, key):g}, must be from 0 to 1")
        if self.rule not in (FORWARD, BARGAIN):
            faults.append(f"rule is {self.rule!r}, must be {FORWARD} or {BARGAIN}")
        elif self.rule == BARGAIN and not self.choosing().plain:
            faults.append("search and keep have costs: bargaining is over links alone, not over effort")
        elif self.rule == BARGAIN and self.size > LARGEST:
            faults.append(f"bargaining is solved for two or three sectors, not {self.size}")
        self._refuse("economy of delegates", faults)

    @classmethod
    def of(cls, economy: NetworkEconomy, own: float = 1.0, rule: str = FORWARD, power: float = 0.5) -> Delegates:
        """The same economy with delegates."""
        return cls(**economy.parameters(), own=own, rule=rule, power=power)

    def planned(self) -> NetworkEconomy:
        """The same economy with a planner."""
        mine = ("own", "rule", "power")
        return NetworkEconomy(**{key: value for key, value in self.parameters().items() if key not in mine})

    @property
    def baskets(self) -> Array:
        """Weights of log unit costs in what each delegate wants, a row each, sums 1, `[N, N]`."""
        return (1 - self.own) * self.beta + self.own * np.eye(self.size)

    @property
    def shares(self) -> Array:
        """Share of the cost of effort that delegate p counts when the clock's sector makes it, `[N, N]` (p, clock)."""
        return (1 - self.own) + self.own * np.eye(self.size)

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> DelegatesDynamics:
        """The model as the solver sees it, on a device."""
        return DelegatesDynamics(self, torch.device(device), dtype)

    def traits(self) -> Traits:
        """What the solver must know of this class of models."""
        from dlopt.choice.production.delegates.traits import DELEGATES

        return DELEGATES


class DelegatesDynamics(NetworkDynamics):
    """The economy on a device, seen by P parties: the N delegates, society, and a planner.

    Society is the consumer, who lives with what delegates decide; the planner is what she would do instead.

    Attributes:
        baskets: of every party, `[P, N]`.
        shares: of the cost of effort, by party and clock, `[P, N]`.
        parties: P = N + 2.
    """

    parameters: Delegates

    def __init__(self, model: Delegates, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(model, device, dtype)
        everybody: Any = np.ones((2, 1))
        self.baskets = self.tensor(np.concatenate([model.baskets, everybody * model.beta]))
        self.shares = self.tensor(np.concatenate([model.shares, everybody * np.ones(model.size)]))
        self.parties = model.size + 2
        self.society, self.planner = model.size, model.size + 1

    def flows(self, state: State) -> Tensor:
        """Utility per year of every party, `[B, P]`."""
        return self.utility(-self.unit_costs(state) @ self.baskets.T)
