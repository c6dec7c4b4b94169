"""Second derivatives of all players' objectives times directions: one forward and one adjoint solve for all of them.

Along the solution path the sums of shares, revenues and incomes change as prices, wage bills and incomes do, so that
the derivative of every weight is the weight times (a term of its importer + one of its exporter + the wedge's own).
Sums over flows become batched products `[sector, country, country] @ [sector, country, column]`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.trade.accounting import Wedges
from dlopt.trade.first_order import SIGNS, FirstOrder, Flows

Solve = Callable[[Tensor], Tensor]
"""`[unknown, column] -> [unknown, column]`, linear."""


@dataclasses.dataclass(frozen=True)
class _Move:
    """How the state moves: log changes by country and column (own directions), or with one common column."""

    income: Tensor
    price: Tensor  # theta times
    cost: Tensor  # theta times
    spending: Tensor
    pay: Tensor


class SecondOrder:
    """Products with the second derivatives at an equilibrium.

    Args:
        first: weights, owners, multipliers.
        forward: solves with the Jacobian.
        adjoint: solves with its transpose.
        objective: from changes of the unknowns to those of the objectives' derivatives with respect to them,
            `[unknown, column] -> [unknown, column]`; a single column is a direction common to all.
    """

    def __init__(self, first: FirstOrder, forward: Solve, adjoint: Solve, objective: Solve) -> None:
        self._first, self._at, self._columns = first, first.at, first.columns
        self._forward, self._adjoint, self._objective = forward, adjoint, objective

    def own_times(self, v: Tensor) -> Tensor:
        """Every player's own Hessian times its own part of v, `[instrument]` both."""
        inward, outward = self._own(v)
        shift = self._shift_own(inward, outward)
        du = -self._forward(shift)
        rows = self._rows(du, *self._wedge_rows_own(inward, outward))
        if self._columns.unions:  # a flow between two members of one player moves with the wedges of both
            inward, outward = self._between(v, self._columns.same)
        return self._finish(du, rows, inward, outward)

    def joint_times(self, v: Tensor) -> Tensor:
        """The Jacobian of all own derivatives times v, `[instrument]` both: everybody's rates move."""
        inward, outward = self._between(v, None)
        change = self._everywhere(v)
        shift, demand, cost = self._all_wedges(change)
        du = -self._forward(shift)
        return self._finish(du, self._rows(du, demand, cost), inward, outward)

    def _own(self, v: Tensor) -> tuple[Wedges, Wedges]:
        """Changes of the wedges on flows into members and out of them, by the member's own instruments."""
        tau, epsilon, sigma = self._columns.tables(v)
        nothing = v.new_zeros(())
        sigma = sigma[:, :, None] if sigma.ndim else sigma
        return (tau, nothing, nothing), (nothing, epsilon, sigma)

    def _between(self, v: Tensor, same: Tensor | None) -> tuple[Wedges, Wedges]:
        """The same with the wedges that the other end moves: where `same`, `[member, country]`, else everywhere."""
        tau, epsilon, sigma = self._everywhere(v)
        c = self._columns
        weight = torch.ones((), dtype=v.dtype) if same is None else same.to(v.dtype)

        def part(table: Tensor, axis: int) -> Tensor:
            return c.of_members(table, axis) if table.ndim else table

        (own_tau, _, _), (_, own_epsilon, own_sigma) = self._own(v)
        into, out_of = weight.T if same is not None else weight, weight
        sold = into * part(epsilon, 2), into * (sigma[:, :, None] if sigma.ndim else sigma)
        return (own_tau, *sold), (out_of * part(tau, 1), own_epsilon, own_sigma)

    def _everywhere(self, v: Tensor) -> Wedges:
        """Changes of the wedges of all countries, `[sector, origin, destination]` twice and `[sector, country]`."""
        c, n = self._columns, self._at.world.n
        out = []
        for table, axis in zip(c.tables(v), (2, 1, 1), strict=True):
            if table.ndim and not c.everybody:
                shape = [n if k == axis else size for k, size in enumerate(table.shape)]
                table = v.new_zeros(shape).index_copy_(axis, c.members, table)
            out.append(table)
        return out[0], out[1], out[2]

    def _shift_own(self, inward: Wedges, outward: Wedges) -> Tensor:
        """F_a v, each player's own direction in its own column, `[unknown, column]`."""
        at, c, n, j = self._at, self._columns, self._at.world.n, self._at.world.j
        columns = len(c.players)
        price, labour = at.share.new_zeros((j, n, columns)), at.share.new_zeros((j, n, columns))
        income = at.share.new_zeros((n, columns))
        for into, change in ((True, inward), (False, outward)):
            if not any(part.ndim for part in change):
                continue
            f, kappa = self._first.flows(into), _kappa(change)
            bought, sold = -f.theta * f.share * kappa, -(f.theta + 1) * f.sales * kappa
            importer, exporter = f.receipts(change, kappa)
            if into:
                c.add_own(price, bought.sum(1))
                labour = labour + c.gathered(sold)
                c.add_own(income, importer.sum((0, 1)))
                income = income + c.gathered(exporter.sum(0))
            else:
                price = price + c.gathered(bought.mT)
                c.add_own(labour, sold.sum(2))
                income = income + c.gathered(importer.sum(0).T)
                c.add_own(income, exporter.sum((0, 2)))
        return torch.cat((torch.zeros_like(income), income, labour.reshape(-1, columns), price.reshape(-1, columns)))

    def _wedge_rows_own(self, inward: Wedges, outward: Wedges) -> tuple[Tensor, Tensor]:
        """What the wedges' own change does to the rows in demand and in unit costs, `[sector, country, column]`."""
        at, c = self._at, self._columns
        demand, cost = (at.share.new_zeros((at.world.j, at.world.n, len(c.players))) for _ in range(2))
        for into, change in ((True, inward), (False, outward)):
            if not any(part.ndim for part in change):
                continue
            f, kappa = self._first.flows(into), _kappa(change)
            importer, exporter = f.receipts(change, kappa)
            receipts = importer * f.importer + exporter * f.exporter
            of_demand = receipts - (f.theta + 1) * f.sales * f.labour * kappa
            of_cost = f.theta * f.share * f.price * kappa - receipts
            if into:
                c.add_own(demand, of_demand.sum(1))
                cost = cost + c.gathered(of_cost)
            else:
                demand = demand + c.gathered(of_demand.mT)
                c.add_own(cost, of_cost.sum(2))
        return demand, cost

    def _all_wedges(self, change: Wedges) -> tuple[Tensor, Tensor, Tensor]:
        """F_a v with v common to all, `[unknown, 1]`, and what it does to everybody's rows in demand and unit costs."""
        at, first = self._at, self._first
        theta, income = at.world.theta, first.income
        change = (change[0], change[1], change[2][:, :, None] if change[2].ndim else change[2])
        kappa = _kappa(change)
        bought, sold = theta * at.share * kappa, (theta + 1) * at.sales * kappa
        importer = at.to_importer * at.sides.importer.along(change) - theta * at.tariff * kappa
        exporter = at.to_exporter * at.sides.exporter.along(change) - theta * at.export * kappa
        earned = importer.sum((0, 1)) + exporter.sum((0, 2))
        parts = (torch.zeros_like(earned), earned, -sold.sum(2).flatten(), -bought.sum(1).flatten())
        everybody = income.expand(at.world.j, *income.shape)
        demand = exporter.mT @ everybody + importer.sum(1)[:, :, None] * income - sold.mT @ first.labour
        cost = bought @ first.price - importer @ everybody - exporter.sum(2)[:, :, None] * income
        return torch.cat(parts)[:, None], demand, cost

    def _move(self, du: Tensor) -> _Move:
        at, theta = self._at, self._at.world.theta
        wage, income, labour, price = at.world.split(du)
        pay = wage + labour
        spending = at.final * income + at.intermediate(pay)
        return _Move(income, theta * price, theta * at.unit_cost(wage, labour, price), spending, pay)

    def _rows(self, du: Tensor, demand: Tensor, cost: Tensor) -> Tensor:
        """Derivative of `F_z' mu - dW/dz` along the path, `[unknown, column]`.

        Args:
            du: of the unknowns.
            demand, cost: contributions of the wedges' own changes.
        """
        at, s, first, move = self._at, self._at.world, self._first, self._move(du)
        d_wage, d_income, d_labour, d_price = s.split(du)
        markets, income, labour, price = s.split(first.multipliers)
        bought, sold = move.price + move.spending, move.cost + move.pay
        held = at.sales.mT @ labour
        base = held + at.own_tariffs * income
        demand = demand + bought * held - at.sales.mT @ (sold * labour)
        demand = demand + income * ((bought - d_income) * at.own_tariffs - at.tariff.mT @ move.cost)
        everybody = income.expand(s.j, *income.shape)
        cost = cost - at.share @ (move.price * price) + move.cost * (at.share @ price)
        cost = cost - at.tariff @ ((bought - d_income) * income) + move.cost * (at.tariff @ everybody)
        if at.exports:
            taxed = at.export.mT @ everybody
            base = base + taxed
            demand = demand + bought * taxed - at.export.mT @ ((move.cost + d_income) * income)
            cost = cost - income * (at.export @ bought - (move.cost + d_income) * at.own_exports)
        cost = s.theta * cost
        pay = at.wage_bills(demand - base * move.spending) + move.pay * at.wage_bills(base)
        wage, of_labour, of_price = at.fold(cost, s.theta * demand, pay)
        reference = s.model.reference
        of_numeraire = markets[reference]
        markets = markets.clone()
        markets[reference] = 0
        d_labour_income = d_wage - d_income
        if at.closure is not None:
            supply, _ = at.closure.push(d_wage, d_income, (s.alpha[:, :, None] * d_price).sum(0))
            d_labour_income = d_labour_income + supply
            of_labour = of_labour - at.labour * supply * markets
            of_supply, of_transfer = at.labour_income * income, income / at.earned
            rows = at.closure.pull(of_supply * d_labour_income, -of_transfer * d_income)
            curved = at.closure.curved(of_supply - markets, of_transfer, d_income)
            wage = wage + rows[0]
            of_price = of_price + s.alpha[:, :, None] * rows[2]
        wage = wage + at.labour_income * d_labour_income * income + (at.numeraire.T @ of_numeraire) * d_wage
        of_labour = of_labour + at.labour * d_labour * markets
        of_income = (at.final * (demand + base * (d_income - move.spending))).sum(0)
        if at.closure is not None:
            of_income = of_income + rows[1] + curved
        columns = of_income.shape[1]
        found = torch.cat((wage, of_income, of_labour.reshape(-1, columns), of_price.reshape(-1, columns)))
        return found - self._objective(du)

    def _finish(self, du: Tensor, rows: Tensor, inward: Wedges, outward: Wedges) -> Tensor:
        """Change of all own derivatives: of the multipliers, and of the weights at given multipliers."""
        c, move = self._columns, self._move(du)
        through, _ = FirstOrder(self._at, c, -self._adjoint(rows)).gradient()
        values: list[Tensor | None] = [None, None, None]
        for wedge in self._first.wedges():
            into = wedge == 0
            cells = self._direct(wedge, self._first.flows(into), move, inward if into else outward)
            values[wedge] = cells.sum(2) if wedge == 2 else cells
        return through + c.instruments((values[0], values[1], values[2]))

    def _direct(self, wedge: int, f: Flows, move: _Move, change: Wedges) -> Tensor:
        """Derivative of the own derivatives by flow at given multipliers."""
        c, s = self._columns, SIGNS[wedge]
        kappa = _kappa(change)
        if wedge == 0:
            price, spending = c.own(move.price)[:, None, :], c.own(move.spending)[:, None, :]
            cost, pay = c.spread(move.cost), c.spread(move.pay)
            importer, exporter = c.own(move.income), c.spread(move.income)
        else:
            price, spending = c.spread(move.price).mT, c.spread(move.spending).mT
            cost, pay = c.own(move.cost)[:, :, None], c.own(move.pay)[:, :, None]
            importer, exporter = c.spread(move.income).T, c.own(move.income)[:, None]
        share = price - cost - f.theta * kappa
        flow = share + spending
        out = s * (f.theta + 1) * f.sales * f.labour * (flow - kappa - pay) + s * f.theta * f.share * f.price * share
        for to, side, mu, income in (
            (f.to_importer, f.sides.importer, f.importer, importer),
            (f.to_exporter, f.sides.exporter, f.exporter, exporter),
        ):
            grown = (s * f.theta * side.value - side.slope(wedge)) * (flow - income)
            out = out + to * mu * (grown + s * f.theta * side.along(change) - side.slope_along(wedge, change))
        return out


def _kappa(change: Wedges) -> Tensor:
    tau, epsilon, sigma = change
    return tau + epsilon - sigma
