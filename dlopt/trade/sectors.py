"""The equations sector by sector, expenditures substituted out: weights and products made for large worlds.

Countries are linked within a sector by trade, sectors within a country by inputs. With the sector as first axis every
product with the Jacobian is a batch of small matrix products. Unknowns are z = (wages, incomes, labour, prices),
`2N + 2NJ`, tables `[sector, country]`, flows `[sector, origin, destination]`; expenditures follow from them (A.8).
All may have a leading axis: many worlds that differ in their policies, side by side.
The equations are those of `dlopt.trade.model`; tests hold the two together.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

from dlopt.framework.linear import times
from dlopt.trade.accounting import Sides
from dlopt.trade.closure import ClosurePoint
from dlopt.trade.model import LogWedges, State, TradeModel, one_where_not

_Tables = TypeVar("_Tables", "SectorModel", "SectorWeights")

SHARED = ("_buys", "_sells")
"""What worlds that differ in policies have in common."""
_WEIGHTS = (
    "share", "sales", "final", "labour", "use", "labour_income", "numeraire", "earned", "own_tariffs", "own_exports",
    "_tariffs", "_exports", "_buys", "_sells",
)  # fmt: skip
"""All that products read."""


def by_sector(table: Tensor) -> Tensor:
    """The sector axis first: `[origin, destination, sector]` to `[sector, origin, destination]`, and tables alike."""
    return table.movedim(-1, 0).contiguous()


class SectorModel:
    """The constants of a `TradeModel` with the sector as first axis.

    Args:
        model: the trade model.
    """

    def __init__(self, model: TradeModel) -> None:
        m = self.model = model
        self.n, self.j = m.n, m.j
        self.globals, self.cells = 2 * m.n, m.n * m.j
        self.size = self.globals + 2 * self.cells
        """Unknowns: wages, incomes, labour, prices."""
        self.theta, self.psi = m.theta.view(-1, 1, 1), m.psi.view(-1, 1, 1)
        self.alpha, self.beta = by_sector(m.alpha), by_sector(m.beta)
        self.trade, self.lam, self.log_kappa0 = by_sector(m.trade), by_sector(m.lam), by_sector(m.log_kappa0)
        self.buys, self.sells = by_sector(m.buys), by_sector(m.sells)
        self.spending = by_sector(one_where_not(m.spending, m.buys))
        self.revenue = by_sector(one_where_not(m.revenue, m.sells))
        self.labour_share = by_sector(m.labour_share)
        self.materials = m.materials
        self.inputs = bool((m.materials != 0).any())
        """Whether anybody buys inputs."""
        self.scale = bool((m.psi != 0).any())
        """Whether there are economies of scale."""
        self.all_cells = bool(m.buys.all()) and bool(m.sells.all())

    @cached_property
    def single(self) -> SectorModel:
        """The constants in single precision."""
        return _in_single(self, ("theta", "psi", "alpha", "beta", "materials"))

    def split(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Wages and incomes `[..., country, column]`, labour and prices `[..., sector, country, column]`.

        A single vector `[unknown]` has no column axis.
        """
        axis = max(z.ndim - 2, 0)
        wage, income, labour, price = z.split((self.n, self.n, self.cells, self.cells), axis)
        tables = (*z.shape[:axis], self.j, self.n, *z.shape[axis + 1 :])
        return wage, income, labour.reshape(tables), price.reshape(tables)

    def input_prices(self, price: Tensor) -> Tensor:
        """What inputs add to log unit costs, `[..., sector, country, column]` both (A.2)."""
        return self._by_materials(self.materials.mT, price) if self.inputs else torch.zeros_like(price)

    def input_costs(self, cost: Tensor) -> Tensor:
        """Transpose of `input_prices`."""
        return self._by_materials(self.materials, cost)

    def _by_materials(self, matrices: Tensor, table: Tensor) -> Tensor:
        if table.ndim > 3:  # worlds share the matrices: they are columns
            worlds = table.movedim(0, -1)
            found = self._by_materials(matrices, worlds.flatten(-2))
            return found.unflatten(-1, worlds.shape[-2:]).movedim(-1, 0)
        return times(matrices, table.transpose(-3, -2)).transpose(-3, -2)

    def unit_cost(self, wage: Tensor, labour: Tensor, price: Tensor) -> Tensor:
        """Change of log unit costs (A.2), `[..., sector, country, column]`."""
        cost = self.beta[:, :, None] * of_sectors(wage) + self.input_prices(price)
        return cost - self.psi * labour if self.scale else cost

    def fold_costs(self, cost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transpose of `unit_cost`: rows in unit costs, `[sector, country, column]`, in wages, labour and prices."""
        price = torch.zeros_like(cost)
        if self.inputs:
            price = times(self.materials, cost.transpose(-3, -2)).transpose(-3, -2)
        return (self.beta[:, :, None] * cost).sum(-3), -self.psi * cost, price

    def reduced(self, u: Tensor) -> Tensor:
        """z of the unknowns u of the model, `[2N + 3NJ]`."""
        state = State.of(u, self.n, self.j)
        return torch.cat((state.wage, state.income, state.labour.T.flatten(), state.price.T.flatten()))

    def stacked(self, z: Tensor, expenditure: Tensor) -> Tensor:
        """The unknowns u of the model: z with log expenditures, `[sector, country]`."""
        wage, income, labour, price = self.split(z)
        return State(wage, income, labour.T, price.T, expenditure.T).stacked()


class SectorWeights:
    """Weights of all terms of the equations' derivatives, and products with the Jacobian they make up.

    Args:
        world: constants.
        share: shares in expenditure, `[sector, origin, destination]`.
        sales: shares of destinations in revenue, `[sector, origin, destination]`.
        tariff: tariff revenue over the importer's income, `[sector, origin, destination]`.
        export: export taxes less subsidies over the exporter's income, `[sector, origin, destination]`.
        final: final demand in expenditure, `[sector, country]`.
        use: demand for inputs in expenditure, `[country, input sector, output sector]`.
        labour_income: in income, `[country]`.
        labour: share of each sector, `[sector, country]`.
        closure: transfers and labour at the point, and income from all sources `[country]`; None where neither moves.
        numeraire: each country's part of that of its bloc, `[bloc, country]`.
    """

    def __init__(
        self, world: SectorModel, share: Tensor, sales: Tensor, tariff: Tensor, export: Tensor, final: Tensor,
        use: Tensor, labour_income: Tensor, labour: Tensor, numeraire: Tensor,
        closure: tuple[ClosurePoint, Tensor] | None = None,
    ) -> None:  # fmt: skip
        s = self.world = world
        self.share, self.sales, self.tariff, self.export = share, sales, tariff, export
        self.final, self.labour = torch.where(s.buys, final, 0.0)[..., None], labour[..., None]
        self.use = use if s.all_cells else torch.where(s.buys.T[:, :, None], use, 0.0)
        self.labour_income, self.numeraire = labour_income[..., None], numeraire
        self.closure = None if closure is None else closure[0]
        self.earned = torch.ones_like(self.labour_income) if closure is None else closure[1][..., None]
        self.exports = bool((export != 0).any())
        """Whether anybody taxes or subsidises what it sells."""
        self._tariffs = tariff.movedim(-1, -3).flatten(-2)  # [importer, sector x origin]
        self.own_tariffs = tariff.sum(-2)[..., None]
        if self.exports:
            self._exports = export.movedim(-2, -3).flatten(-2)  # [exporter, sector x destination]
            self.own_exports = export.sum(-1)[..., None]
        self._buys, self._sells = s.buys.to(share.dtype)[:, :, None], s.sells.to(share.dtype)[:, :, None]

    @cached_property
    def bought(self) -> Tensor:
        """Shares in expenditure, `[sector, destination, origin]`."""
        return self.share.mT.contiguous()

    @cached_property
    def single(self) -> SectorWeights:
        """The weights in single precision, for products that need not be more exact."""
        single = _in_single(self, _WEIGHTS)
        single.world = self.world.single
        return single

    def intermediate(self, pay: Tensor) -> Tensor:
        """What wage bills do to log expenditures through inputs, `[sector, country, column]` both."""
        if not self.world.inputs:
            return torch.zeros_like(pay)
        return times(self.use, pay.transpose(-3, -2)).transpose(-3, -2)

    def wage_bills(self, demand: Tensor) -> Tensor:
        """Transpose of `intermediate`."""
        if not self.world.inputs:
            return torch.zeros_like(demand)
        return times(self.use.mT, demand.transpose(-3, -2)).transpose(-3, -2)

    def product(self, z: Tensor) -> Tensor:
        """The Jacobian times `[unknown, column]`, in the precision of these."""
        if z.dtype == torch.float32 and self.share.dtype != torch.float32:
            return self.single.product(z)
        s = self.world
        wage, income, labour, price = s.split(z)
        cost = s.theta * self.unit_cost(wage, labour, price)
        pay = of_sectors(wage) + labour
        demand = s.theta * price + self.final * of_sectors(income) + self.intermediate(pay)
        prices = s.theta * price - times(self.bought, cost)
        jobs = times(self.sales, demand)
        if s.all_cells:
            jobs = jobs - (cost + pay)
        else:
            prices = self._buys * prices + (1 - self._buys) * price
            jobs = jobs - self._sells * (cost + pay) + (1 - self._sells) * labour
        earned = self.labour_income * wage - income - times(self._tariffs, cost.flatten(-3, -2))
        earned = earned + (self.own_tariffs * demand).sum(-3)
        if self.exports:
            earned = earned - (self.own_exports * cost).sum(-3) + times(self._exports, demand.flatten(-3, -2))
        markets = (self.labour * labour).sum(-3)
        if self.closure is not None:
            supply, transfer = self.closure.push(wage, income, (s.alpha[:, :, None] * price).sum(-3))
            markets = markets - supply
            earned = earned + self.labour_income * supply + transfer / self.earned
        markets[..., s.model.reference, :] = self.numeraire @ wage
        return torch.cat((markets, earned, jobs.flatten(-3, -2), prices.flatten(-3, -2)), -2)

    def unit_cost(self, wage: Tensor, labour: Tensor, price: Tensor) -> Tensor:
        """Change of log unit costs (A.2), `[..., sector, country, column]`."""
        return self.world.unit_cost(wage, labour, price)

    def transposed(self, mu: Tensor) -> Tensor:
        """The transposed Jacobian times `[equation, column]`, in the precision of these."""
        if mu.dtype == torch.float32 and self.share.dtype != torch.float32:
            return self.single.transposed(mu)
        s = self.world
        markets, income, labour, price = s.split(mu)
        if not s.all_cells:
            labour, price = self._sells * labour, self._buys * price
        demand = self.demand_rows(income, labour)
        cost = -labour - times(self.share, price) - times(self._tariffs.mT, income).reshape(labour.shape)
        if self.exports:
            cost = cost - self.own_exports * of_sectors(income)
        wage, of_labour, of_price = self.fold(
            s.theta * cost, s.theta * (demand + price), self.wage_bills(demand) - labour
        )
        held = markets[..., s.model.reference, :].clone()
        markets = markets.clone()
        markets[..., s.model.reference, :] = 0
        of_labour = of_labour + self.labour * of_sectors(markets)
        if not s.all_cells:
            _, _, labour, price = s.split(mu)
            of_labour, of_price = of_labour + (1 - self._sells) * labour, of_price + (1 - self._buys) * price
        wage = wage + self.labour_income * income + self.numeraire.mT @ held
        incomes = (self.final * demand).sum(-3) - income
        if self.closure is not None:
            rows = self.closure.pull(self.labour_income * income - markets, income / self.earned)
            wage, incomes = wage + rows[0], incomes + rows[1]
            of_price = of_price + s.alpha[:, :, None] * of_sectors(rows[2])
        return torch.cat((wage, incomes, of_labour.flatten(-3, -2), of_price.flatten(-3, -2)), -2)

    def demand_rows(self, income: Tensor, labour: Tensor) -> Tensor:
        """What demand does to incomes and jobs, transposed: `[sector, country, column]`."""
        demand = times(self.sales.mT, labour) + self.own_tariffs * of_sectors(income)
        if self.exports:
            demand = demand + times(self._exports.mT, income).reshape(labour.shape)
        return demand

    def fold(self, cost: Tensor, price: Tensor, pay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows in unit costs, prices and wage bills, `[sector, country, column]`, in wages, labour and prices."""
        s = self.world
        if s.inputs:
            price = price + s.input_costs(cost)
        labour = pay - s.psi * cost if s.scale else pay
        return (s.beta[:, :, None] * cost + pay).sum(-3), labour, price

    def effect(self, demand: Tensor) -> Tensor:
        """What demand, `[sector, country, column]`, does to the equations, `[unknown, column]`."""
        s, columns = self.world, demand.shape[2]
        earned = (self.own_tariffs * demand).sum(0)
        if self.exports:
            earned = earned + self._exports @ demand.reshape(-1, columns)
        jobs = times(self.sales, demand).reshape(-1, columns)
        return torch.cat((torch.zeros_like(earned), earned, jobs, demand.new_zeros((s.cells, columns))))

    def causes(self, demand: Tensor) -> Tensor:
        """Rows in demand, `[sector, country, column]`, as rows in what demand depends on, `[unknown, column]`."""
        s, columns = self.world, demand.shape[2]
        pay = self.wage_bills(demand)
        top = (pay.sum(0), (self.final * demand).sum(0), pay.reshape(-1, columns))
        return torch.cat((*top, demand.new_zeros((s.cells, columns))))


class SectorPoint(SectorWeights):
    """Residual of the equations at a point, and the weights of all terms in their derivatives.

    Args:
        world: constants.
        z: unknowns, `[..., 2N + 2NJ]`.
        wedges: log wedges, the sector first.
        like: a point under the same wedges: what depends on them alone is taken from there.
    """

    def __init__(self, world: SectorModel, z: Tensor, wedges: LogWedges, like: SectorPoint | None = None) -> None:
        self.z, self.wedges = z, wedges
        s, m = world, world.model
        theta = s.theta
        if like is None:
            tau, epsilon, sigma = wedges
            self.sides = Sides(m.accounting, (tau, epsilon, sigma[..., None]))
            self._less = s.log_kappa0 - (tau + epsilon - sigma[..., None])
        else:
            self.sides, self._less = like.sides, like._less
        sides = self.sides
        wage, income, labour, price = (part[..., 0] for part in s.split(z[..., None]))
        cost = s.beta * wage[..., None, :] - s.psi[..., 0] * labour + s.input_prices(price[..., None])[..., 0]
        pay = (wage[..., None, :] + labour).exp()
        use = m.use * pay.mT[..., None, :]
        final = s.alpha * (m.income * income.exp())[..., None, :]
        demand = one_where_not(final + use.sum(-1).mT, s.buys)
        self.expenditure = (demand / s.spending).log()
        """log of expenditures, `[..., sector, country]` (A.8)."""
        change = (price[..., None, :] - cost[..., None]).add_(self._less).mul_(theta).exp_()
        share = s.lam * change
        total = one_where_not(share.sum(-2), s.buys)
        flows = self.flows = change.mul_(s.trade).mul_(self.expenditure.exp()[..., None, :])
        sales = flows * sides.producer
        revenue = one_where_not(sales.sum(-1), s.sells)
        closure = None if m.closure is None else m.closure.at(wage, income, (s.alpha * price).sum(-2))
        earned = m.value_added * (wage if closure is None else wage + closure.labour).exp()
        labour_income = earned
        importer, exporter = flows * sides.importer.value, flows * sides.exporter.value
        earned = earned + importer.sum((-3, -2)) + exporter.sum((-3, -1))
        earned = earned + (m.transfer if closure is None else closure.transfer)
        used = s.labour_share * labour.exp()
        numeraire = m.world_share * wage.exp()[..., None, :]
        markets = used.sum(-2).log() if closure is None else used.sum(-2).log() - closure.labour
        self.walras = float(markets[..., m.reference].abs().max())
        markets[..., m.reference] = numeraire.sum(-1).log()
        self.residual = torch.cat((
            markets,
            (earned / m.income).log() - income,
            torch.where(s.sells, (revenue / s.revenue).log() - wage[..., None, :] - labour, labour).flatten(-2),
            torch.where(s.buys, total.log(), price).flatten(-2),
        ), -1)  # fmt: skip
        """Log residual of every equation, ordered like z."""
        self._income = earned
        by_destination, by_origin = earned[..., None, None, :], earned[..., None, :, None]
        super().__init__(
            world, share.div_(total[..., None, :]), sales.div_(revenue[..., None]), importer.div_(by_destination),
            exporter.div_(by_origin), final / demand, use / demand.mT[..., None], labour_income / earned,
            used / used.sum(-2, keepdim=True), numeraire / numeraire.sum(-1, keepdim=True),
            None if closure is None else (closure, earned),
        )  # fmt: skip

    @cached_property
    def to_importer(self) -> Tensor:
        """Flows over the income of the destination."""
        return self.flows / self._income[..., None, None, :]

    @cached_property
    def to_exporter(self) -> Tensor:
        """Flows over the income of the origin."""
        return self.flows / self._income[..., None, :, None]

    def at(self, z: Tensor) -> SectorPoint:
        """The point at other unknowns, under the same policies."""
        return SectorPoint(self.world, z, self.wedges, self)

    def one(self, k: int) -> SectorPoint:
        """World k of many."""
        alone = copy.copy(self)
        vars(alone).pop("single", None)
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and name not in SHARED:
                setattr(alone, name, value[k])
        tau, epsilon, sigma = alone.wedges = self.wedges[0][k], self.wedges[1][k], self.wedges[2][k]
        alone.sides = Sides(self.world.model.accounting, (tau, epsilon, sigma[:, :, None]))
        if self.closure is not None:
            wage, income, _, price = self.world.split(alone.z)
            alone.closure = self.closure.closure.at(wage, income, (self.world.alpha * price).sum(0))
        return alone


def _in_single(whole: _Tables, names: tuple[str, ...]) -> _Tables:
    """A copy with the named tables, where there are such, in single precision, and without what was made from them."""
    single = copy.copy(whole)
    vars(single).pop("bought", None)
    for name in names:
        if name in vars(whole):
            setattr(single, name, vars(whole)[name].float())
    return single


def of_sectors(table: Tensor) -> Tensor:
    """`[..., country, column]`, the same in every sector: `[..., 1, country, column]`."""
    return table[..., None, :, :]
