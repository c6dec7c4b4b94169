"""The trade model in changes: baseline constants and the equilibrium residual.

Wang, Xu, Yang, Zhu (2024), section 3 and appendix A.2: Eaton-Kortum, N countries, J sectors, input-output links,
sectoral economies of scale, in exact-hat algebra. Unknowns are logs of hats, stacked as `State` describes.
Every equation reads `log(sum of exponentials of linear forms) = 0`, which is what `derivatives` rests on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.linear import LinearSolver
from dlopt.trade.accounting import Accounting, exporter_share, importer_share
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

if TYPE_CHECKING:
    from dlopt.trade.carbon import CarbonTerms
    from dlopt.trade.closure import Closure
    from dlopt.trade.derivatives import Linearisation
    from dlopt.trade.politics import Politics
    from dlopt.trade.shocks import Shock

LogWedges = tuple[Tensor, Tensor, Tensor]
"""`(tau, epsilon, sigma)`: `[origin, destination, sector]` twice and `[country, sector]`."""

MakeSolver = Callable[["Linearisation"], LinearSolver]
"""From the equations linearised at a point to what solves with their Jacobian and its transpose."""

DENSE_UP_TO = 4000
"""Unknowns up to which Jacobians are formed and factorised; larger systems are solved matrix-free (docs/scaling.md)."""

_CELLS_TOGETHER = 1_000_000
"""Flows in one batch of problems: some hundred MB of intermediate results at the most."""


def between(first: LogWedges, last: LogWedges, share: float | Tensor) -> LogWedges:
    """Log wedges a share of the way from one policy to another; shares `[point]` give them a leading axis."""

    def part(a: Tensor, b: Tensor) -> Tensor:
        weight = share.view(-1, *(1,) * a.ndim) if isinstance(share, Tensor) else share
        return a + weight * (b - a)

    return part(first[0], last[0]), part(first[1], last[1]), part(first[2], last[2])


class InconsistentBaselineError(DloptError):
    """The calibration is not an equilibrium: balance it first."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class State:
    """The unknowns, as logs of hats.

    Attributes:
        wage: `[country]`.
        income: final income Y, `[country]`.
        labour: sectoral employment, `[country, sector]`.
        price: sectoral price index, `[country, sector]`.
        expenditure: sectoral expenditure, `[country, sector]`.
    """

    wage: Tensor
    income: Tensor
    labour: Tensor
    price: Tensor
    expenditure: Tensor

    def __repr__(self) -> str:
        return f"State({self.labour.shape[-2]} economies, {self.labour.shape[-1]} sectors)"

    def stacked(self) -> Tensor:
        """One vector `[..., 2N + 3NJ]` (leading axes are batches)."""
        parts = (self.wage, self.income, self.labour.flatten(-2), self.price.flatten(-2), self.expenditure.flatten(-2))
        return torch.cat(parts, dim=-1)

    @classmethod
    def of(cls, u: Tensor, n: int, j: int) -> State:
        """Inverse of `stacked`."""
        wage, income, labour, price, expenditure = u.split((n, n, n * j, n * j, n * j), dim=-1)
        table = (*u.shape[:-1], n, j)
        return cls(wage, income, labour.reshape(table), price.reshape(table), expenditure.reshape(table))


class TradeModel:
    """Baseline of a consistent calibration, and the residual of the equilibrium in changes.

    Args:
        calibration: an equilibrium with `final_share` given (see `dlopt.trade.balance`).
        accounting: bases of the taxes.
        psi_scale: multiplies the scale elasticities; 0 removes them.
        transfer: D, received by each country in the numeraire, `[country]`; zero where trade is balanced.
        dense_up_to: unknowns up to which linear systems are factorised densely.
        given: the calibration before it was balanced, named in files as where numbers come from; default `calibration`.
        linear_solver: makes what solves with the Jacobian at a linearisation; None chooses by size.

    Raises:
        InconsistentBaselineError: markets do not clear at the calibration's own numbers.
    """

    def __init__(
        self,
        calibration: Calibration,
        accounting: Accounting | str = Accounting.STANDARD,
        psi_scale: float = 1.0,
        transfer: Tensor | None = None,
        check: bool = True,
        dense_up_to: int = DENSE_UP_TO,
        given: Calibration | None = None,
        linear_solver: MakeSolver | None = None,
    ) -> None:
        c = calibration
        if c.final_share is None:
            raise InconsistentBaselineError(f"Calibration {c.name!r} has no final shares. Balance it first.")
        self.calibration = c
        self.given = given or c
        self.linear_solver = linear_solver
        self.accounting = Accounting(accounting)
        self.n, self.j = c.n_economies, c.n_sectors
        self.size = 2 * self.n + 3 * self.n * self.j
        self.dense_up_to = dense_up_to
        self.batch = max(1, _CELLS_TOGETHER // (self.n * self.n * self.j))
        """Problems whose residuals are evaluated together."""
        self.psi_scale = psi_scale
        self.theta, self.psi = c.theta, c.psi * psi_scale
        self.alpha, self.beta = c.final_share, c.value_added_share
        self.wedges0: LogWedges = Policy.of(c).log_wedges()
        tau, epsilon, sigma = self.wedges0
        self.log_kappa0 = tau + epsilon - sigma[:, None]
        self.trade = c.trade
        """X, `[origin, destination, sector]`."""
        self.spending = c.trade.sum(0)
        """X_n^j, `[country, sector]`."""
        self.revenue = (c.trade * (-self.log_kappa0).exp()).sum(1)
        """R_i^j, `[country, sector]`."""
        self.payroll = self.beta * self.revenue
        """w_i L_i^j, `[country, sector]`."""
        self.value_added = self.payroll.sum(1)
        """w_i L_i, `[country]`."""
        self.transfer = torch.zeros_like(self.value_added) if transfer is None else transfer
        taxes = (c.trade * importer_share(self.accounting, *self.wedges0)).sum((0, 2))
        taxes = taxes + (c.trade * exporter_share(self.accounting, *self.wedges0)).sum((1, 2))
        self.income = self.value_added + taxes + self.transfer
        """Y_i, `[country]`."""
        self.buys = self.spending > 0
        self.sells = self.revenue > 0
        self.lam = c.trade / one_where_not(self.spending, self.buys)
        """lambda, `[origin, destination, sector]`."""
        self.materials = c.input_share * (1 - self.beta)[:, None, :]
        """gamma (1-beta): cost share of input s in output j, `[country, input sector, output sector]`."""
        self.use = self.materials * self.revenue[:, None, :]
        """Spending on s as an input of j, `[country, input sector, output sector]`."""
        self.labour_share = self.payroll / self.value_added[:, None]
        self.trading_blocs()
        self.start = torch.zeros(self.size, dtype=c.theta.dtype)
        """The equilibrium at the baseline's policies: zero, but after a shock."""
        self.shock: Shock | None = None
        """What has changed beside policies (see `dlopt.trade.shocks.struck`); hats stay relative to before it."""
        self.closure: Closure | None = None
        """Transfers that move and labour that is supplied elastically; None where neither is."""
        self.politics: Politics | None = None
        """What governments care for besides welfare."""
        self.carbon: CarbonTerms | None = None
        """Emissions, their damages and prices."""
        self.extensions: Mapping[str, Any] = {}
        """What made it other than the base model (see `dlopt.trade.api.extended`), so that it can be made again."""
        if check:
            self._check()

    def __repr__(self) -> str:
        return (
            f"TradeModel({self.calibration.name!r}: {self.n} economies, {self.j} sectors, {self.accounting.value} "
            f"accounting, {self.size} unknowns)"
        )

    def trading_blocs(self) -> None:
        """Set the numeraire of each set of countries that are linked by trade: all together are one such set.

        Prices of countries that do not trade with each other, even through others, have no common unit.
        """
        linked = (self.trade > 0).any(2)
        linked = linked | linked.T | torch.eye(self.n, dtype=torch.bool)
        for _ in range(max(1, (self.n - 1).bit_length())):
            linked = (linked.double() @ linked.double()) > 0
        blocs = torch.unique(linked, dim=0)
        share = torch.where(blocs, self.value_added, 0.0)
        self.reference = share.argmax(1)
        """The country of each bloc whose labour market is dropped for the numeraire (Walras), `[bloc]`."""
        self.world_share = share / share.sum(1, keepdim=True)
        """Shares in the value added of each bloc, `[bloc, country]`."""

    def _check(self) -> None:
        demand = self.alpha * self.income[:, None] + self.use.sum(2)
        gap = ((demand - self.spending).abs() / self.spending.sum(1, keepdim=True)).max()
        if not gap <= 1e-8:
            raise InconsistentBaselineError(
                f"Markets of calibration {self.calibration.name!r} do not clear: spending and demand differ by up to "
                f"{float(gap):.1e} of a country's spending. Balance it first (dlopt.trade.balance.balanced)."
            )

    def unit_cost(self, state: State) -> Tensor:
        """log c^ (A.2), `[..., country, sector]`."""
        inputs = torch.einsum("isj,...is->...ij", self.materials, state.price)
        return -self.psi * state.labour + self.beta * state.wage[..., None] + inputs

    def log_share_change(self, state: State, wedges: LogWedges) -> Tensor:
        """log of lambda'/lambda (A.3), `[..., origin, destination, sector]`."""
        gap = state.price[..., None, :, :] - self.unit_cost(state)[..., :, None, :] - self.log_kappa_change(wedges)
        return self.theta * gap

    def log_kappa_change(self, wedges: LogWedges) -> Tensor:
        """log kappa^, `[..., origin, destination, sector]`."""
        tau, epsilon, sigma = wedges
        return tau + epsilon - sigma[..., :, None, :] - self.log_kappa0

    def flows(self, state: State, wedges: LogWedges) -> Tensor:
        """X', `[..., origin, destination, sector]`."""
        return self.trade * (self.log_share_change(state, wedges) + state.expenditure[..., None, :, :]).exp()

    def incomes(self, state: State, wedges: LogWedges) -> tuple[Tensor, Tensor, Tensor]:
        """Parts of Y' (A.7): labour income, tariff revenue, export tax less subsidies; each `[..., country]`."""
        flows = self.flows(state, wedges)
        tariffs = (flows * importer_share(self.accounting, *wedges)).sum((-3, -1))
        exports = (flows * exporter_share(self.accounting, *wedges)).sum((-2, -1))
        return self.value_added * (state.wage + self.log_supply(state)).exp(), tariffs, exports

    def log_real_income(self, u: Tensor) -> Tensor:
        """log of income over the price of consumption (A.9, A.10), `[..., country]`; linear in the unknowns."""
        state = State.of(u, self.n, self.j)
        return state.income - (self.alpha * state.price).sum(-1)

    def log_welfare(self, u: Tensor) -> Tensor:
        """log W^, `[..., country]`: of real income, less what work costs and what damage emissions do."""
        state = State.of(u, self.n, self.j)
        if self.closure is None:
            found = self.log_real_income(u)
        else:
            found = self.closure.log_welfare(state.wage, state.income, (self.alpha * state.price).sum(-1))
        if self.carbon is None or not self.carbon.harms:
            return found
        return self.carbon.log_welfare(found, state.wage[..., None] + state.labour - self.unit_cost(state))

    def log_supply(self, state: State) -> Tensor:
        """log of labour supplied by those who are there, `[..., country]`."""
        if self.closure is None:
            return torch.zeros_like(state.wage)
        return self.closure.supply(state.wage, state.income, (self.alpha * state.price).sum(-1))

    def residual(self, u: Tensor, wedges: LogWedges) -> Tensor:
        """Log residual of every equation (A.4) to (A.8), `[..., 2N + 3NJ]`, ordered like the unknowns.

        The labour market of `reference` is replaced by the numeraire: world value added is constant (of each bloc,
        where a shock has left several). Cells that buy
        or sell nothing in the baseline keep their hats at one. Leading axes of `u` and of the wedges are batches.
        """
        return self.equations(wedges)(u)

    def equations(self, wedges: LogWedges) -> Callable[[Tensor], Tensor]:
        """`residual` under given wedges, as a function of the unknowns: what wedges alone decide is computed once."""
        kappa = self.log_kappa_change(wedges)
        net = (-kappa - self.log_kappa0).exp()
        importer = importer_share(self.accounting, *wedges)
        exporter = exporter_share(self.accounting, *wedges)
        revenue0 = one_where_not(self.revenue, self.sells)
        spending0 = one_where_not(self.spending, self.buys)

        def residual(u: Tensor) -> Tensor:
            state = State.of(u, self.n, self.j)
            gap = state.price[..., None, :, :] - self.unit_cost(state)[..., :, None, :] - kappa
            change = (self.theta * gap).exp()  # lambda' / lambda
            prices = one_where_not((self.lam * change).sum(-3), self.buys).log()
            flows = self.trade * change * state.expenditure.exp()[..., None, :, :]
            revenue = one_where_not((flows * net).sum(-2), self.sells)
            labour = (revenue / revenue0).log() - state.wage[..., None] - state.labour
            pay = (state.wage[..., None] + state.labour).exp()
            use = torch.einsum("isj,...ij->...is", self.use, pay)
            demand = self.alpha * (self.income * state.income.exp())[..., None] + use
            expenditure = (one_where_not(demand, self.buys) / spending0).log() - state.expenditure
            taxes = (flows * importer).sum((-3, -1)) + (flows * exporter).sum((-2, -1))
            supply = self.log_supply(state)
            transfer = self.transfer if self.closure is None else self.closure.transfer(state.income)
            earned = self.value_added * (state.wage + supply).exp() + taxes + transfer
            income = (earned / self.income).log() - state.income
            wage = self.labour_residual(state, supply)
            numeraire = (state.wage.exp() @ self.world_share.mT).log()
            wage = wage.index_copy(-1, self.reference, numeraire)
            prices = torch.where(self.buys, prices, state.price)
            labour = torch.where(self.sells, labour, state.labour)
            expenditure = torch.where(self.buys, expenditure, state.expenditure)
            return State(wage, income, labour, prices, expenditure).stacked()

        return residual

    def labour_residual(self, state: State, supply: Tensor | None = None) -> Tensor:
        """log of labour used over labour supplied (A.6), `[..., country]`: of all countries, the redundant one too."""
        supply = self.log_supply(state) if supply is None else supply
        return (self.labour_share * state.labour.exp()).sum(-1).log() - supply

    def walras_residual(self, u: Tensor) -> float:
        """The labour market that was dropped: zero at an equilibrium."""
        return float(self.labour_residual(State.of(u, self.n, self.j))[self.reference].abs().max())


def one_where_not(values: Tensor, active: Tensor) -> Tensor:
    """`values`, with one where a cell is not active, so that logs and their derivatives stay finite."""
    return torch.where(active, values, torch.ones_like(values))
