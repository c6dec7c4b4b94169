"""The production network: N sectors, each link from a supplier to a buyer a switch, and a clock over the buyers.

Sector i makes, from labour and the inputs of its linked suppliers (`Y_ij = 1`),

    F_i = zeta_i exp(eps_i - a_i(Y_i)) L_i^(1 - sum_j alpha_ij Y_ij) prod_j X_ij^(alpha_ij Y_ij),

with the constant `zeta_i = (1 - sum_j alpha_ij Y_ij)^-(1 - sum) prod_j (alpha_ij Y_ij)^-(alpha_ij Y_ij)` that makes the
log unit cost `c = -(I - A*Y)^-1 (eps - a)` with the wage as numeraire (Kopytov et al.'s normalisation; without it
every cost would hold a term in the shares alone). Log GDP is `f = -beta' c`, utility `exp((1 - gamma) f) / (1 - gamma)`
(`f` when gamma = 1; negative when gamma > 1).
Source: Huang and Yu (2024), section 3, with the Leontief system solved exactly.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.effort import NO_EFFORT, EffortFields
from dlopt.choice.factors import Array, FactorDynamics, FactorModel
from dlopt.choice.model import State

if TYPE_CHECKING:
    from dlopt.choice.traits import Traits


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NetworkEconomy(EffortFields, FactorModel):
    """Parameters of the network economy, in float64.

    Attributes:
        beta: consumption shares, sum 1, `[N]`.
        alpha: input shares, `alpha[i, j]` of supplier j in buyer i's cost when linked, `[N, N]`. Own links stay on.
        eps_bar: long-run log productivity, `[N]`.
        sigma: loadings of log productivity on the two shocks, per square root of a year, `[N, 2]`.
        phi: mean reversion of log productivity, per year.
        kappa_0, kappa: curvature of the loss from missing inputs, in the sum of missing shares and in each.
        gamma: relative risk aversion.
        link_rate: rate per year at which a link of the clock's sector dies, or may be formed.
        clock_rate: rate per year at which the clock moves to each other sector.
        rho: discount rate, per year.
        sectors, names: short labels and names of the sectors.
        name: name of the model.
        search_cost, search_power: of effort e that raises the rate at which a missing link of the clock's sector may
            be formed to `link_rate + e`, at `search_cost e^search_power / search_power` a year for each, in units of
            utility; infinite: none is made.
        keep_cost, keep_power: likewise, of effort that lowers the rate at which one of its links dies.
    """

    arrays: ClassVar = ("beta", "alpha", "eps_bar", "sigma")
    optional: ClassVar = NO_EFFORT
    factor_symbol: ClassVar = "eps"

    beta: Array
    alpha: Array
    eps_bar: Array
    sigma: Array
    phi: float
    kappa_0: float
    kappa: float
    gamma: float
    link_rate: float
    clock_rate: float
    rho: float
    sectors: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    name: str = "network"
    search_cost: float = math.inf
    search_power: float = 2.0
    keep_cost: float = math.inf
    keep_power: float = 2.0

    def __post_init__(self) -> None:
        self._freeze()
        n = len(self.beta)
        if not self.sectors:
            object.__setattr__(self, "sectors", tuple(str(k + 1) for k in range(n)))
        if not self.names:
            object.__setattr__(self, "names", self.sectors)
        faults = self._array_faults(alpha=(n, n), eps_bar=(n,), sigma=(n, 2))
        for key, least in (("phi", "positive"), ("rho", "positive"), ("gamma", "positive"), ("kappa_0", ""),
                           ("kappa", ""), ("link_rate", ""), ("clock_rate", "")):  # fmt: skip
            value = getattr(self, key)
            if not np.isfinite(value) or value < 0 or (least and value == 0):
                faults.append(f"{key} is {value:g}, must be {least or 'zero or positive'} and finite")
        faults += self.effort_faults()
        if n < 2:
            faults.append("there must be at least two sectors")
        if not faults:
            if (self.beta < 0).any() or abs(self.beta.sum() - 1) > 1e-6:
                faults.append(f"the consumption shares beta must be 0 or more and sum to 1, not {self.beta.sum():.8g}")
            if (self.alpha < 0).any() or (self.alpha.sum(1) >= 1).any():
                faults.append("input shares must be 0 or more, and those of a buyer must sum to less than 1")
            if not (self.sigma**2).sum(1).all():
                faults.append("a sector has no productivity shock (both sigmas 0): give it a small one")
            if len(self.sectors) != n or len(set(self.sectors)) != n or len(self.names) != n:
                faults.append("labels of sectors must be as many as sectors, and different")
        self._refuse("network economy", faults)

    @property
    def size(self) -> int:
        """N."""
        return len(self.beta)

    @property
    def buyers(self) -> Array:
        """Buyer of each switch, `[J]`, J = N (N - 1): switches run over buyers, then over their suppliers."""
        return np.nonzero(~np.eye(self.size, dtype=bool))[0]

    @property
    def suppliers(self) -> Array:
        """Supplier of each switch, `[J]`."""
        return np.nonzero(~np.eye(self.size, dtype=bool))[1]

    @property
    def centre(self) -> Array:
        return self.eps_bar

    @property
    def reversion(self) -> float:
        return self.phi

    @property
    def switch_labels(self) -> tuple[str, ...]:
        pairs = zip(self.buyers, self.suppliers, strict=True)
        return tuple(f"{self.sectors[i]}_{self.sectors[j]}" for i, j in pairs)

    @property
    def clock_labels(self) -> tuple[str, ...]:
        return self.sectors

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> NetworkDynamics:
        """The model as the solver sees it, on a device."""
        return NetworkDynamics(self, torch.device(device), dtype)

    def traits(self) -> Traits:
        """What the solver must know of this class of models."""
        from dlopt.choice.production.traits import NETWORK

        return NETWORK


class NetworkDynamics(FactorDynamics):
    """`SwitchingModel` of the network economy. B states, N sectors, J = N (N - 1) links, L = N - 1 movable."""

    parameters: NetworkEconomy

    def __init__(self, model: NetworkEconomy, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(model, device, dtype)
        n = model.size
        self.parameters, self.switches, self.clocks = model, n * (n - 1), n
        self.gamma, self.clock_rate, self.how = model.gamma, model.clock_rate, model.choosing()
        self.cost = torch.zeros(self.switches, device=device, dtype=dtype)
        self.alpha, self.beta = self.tensor(model.alpha), self.tensor(model.beta)
        self.identity = torch.eye(n, device=device, dtype=dtype)
        self.slots = torch.tensor(model.buyers * n + model.suppliers, device=device)
        self.supplier = torch.tensor(model.suppliers, device=device).view(n, n - 1)
        self._rate = self.tensor([model.link_rate])
        self._row = torch.arange(n - 1, device=device)

    def links(self, y: Tensor, own: float = 1.0) -> Tensor:
        """Switches `[B, J]` as matrices `[B, N, N]` with `own` on the diagonal."""
        full = y.new_full((len(y), self.factors**2), own)
        full[:, self.slots] = y
        return full.view(-1, self.factors, self.factors)

    def loss(self, links: Tensor) -> Tensor:
        """a(Y), log productivity lost to missing inputs, `[B, N]`."""
        missing = self.alpha * (1 - links)
        m = self.parameters
        return (m.kappa_0 * missing.sum(2) ** 2 + m.kappa * (missing**2).sum(2)).clamp_max(1.0)

    def unit_costs(self, state: State) -> Tensor:
        """Log unit costs c, the prices in units of the wage, `[B, N]`."""
        links = self.links(state.y)
        net = state.x - self.loss(links)
        return -torch.linalg.solve(self.identity - self.alpha * links, net)

    def log_gdp(self, state: State) -> Tensor:
        """f, `[B]`."""
        return -self.unit_costs(state) @ self.beta

    def utility(self, log_gdp: Tensor) -> Tensor:
        """Utility per year of log GDP."""
        power = 1 - self.gamma
        return torch.exp(power * log_gdp) / power if power else log_gdp

    def flow(self, state: State) -> Tensor:
        return self.utility(self.log_gdp(state))

    def link_gain(self, state: State) -> Tensor:
        """By how much the unit cost of the clock's sector is lower with each of its links than without, `[B, L]`.

        In equilibrium of all prices, other links given. A changed row of the Leontief matrix changes its inverse by
        a matrix of rank one, so that `c' - c = (L')_.i (a'_i - a_i + change of alpha_ij Y_ij times c_j)`: every price,
        and GDP, moves with the buyer's own cost, up or down.
        """
        assert state.z is not None
        rows = torch.arange(len(state), device=state.y.device)
        links = self.links(state.y)
        matrix = self.identity - self.alpha * links
        costs = -torch.linalg.solve(matrix, state.x - self.loss(links))
        column = torch.linalg.solve(matrix, self.identity[state.z])  # L e_i, [B, N]
        j = self.supplier[state.z]
        alpha, on = self.alpha[state.z].gather(1, j), links[rows, state.z].gather(1, j)
        flip = 1 - 2 * on
        change = alpha * flip
        direct = self.loss_change(links[rows, state.z], state.z, j, flip) + change * costs.gather(1, j)
        own = column.gather(1, state.z[:, None]) / (1 - change * column.gather(1, j))
        return -flip * own * direct

    def loss_change(self, row: Tensor, buyer: Tensor, j: Tensor, change: Tensor) -> Tensor:
        """Change of a_i when entry j of the buyer's row of links changes: `row` `[B, N]`, the rest `[B, L]`."""
        m, share = self.parameters, self.alpha[buyer]
        missing = share * (1 - row)
        total, squares = missing.sum(1, keepdim=True), (missing**2).sum(1, keepdim=True)
        a, gone = share.gather(1, j), missing.gather(1, j)
        after = gone - a * change
        new = m.kappa_0 * (total - a * change) ** 2 + m.kappa * (squares + after**2 - gone**2)
        return new.clamp_max(1.0) - (m.kappa_0 * total**2 + m.kappa * squares).clamp_max(1.0)

    def movable(self, state: State) -> Tensor:
        assert state.z is not None
        return state.z[:, None] * (self.factors - 1) + self._row

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        return self._rate, self._rate
