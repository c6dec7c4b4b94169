"""First derivatives of the equilibrium equations, from their structure.

Every equation is `log(sum_k w_k exp(g_k)) = 0` with g_k linear in (unknowns, log wedges), so that its derivative is
`sum_k w_k dg_k` with the weights normalised to one (tax terms also carry the derivatives of their rates). The linear
forms touch a handful of variables each; this module writes them down instead of one reverse pass per row. Tests hold
them, and the second order in `dlopt.trade.curvature`, against automatic differentiation of `TradeModel.residual`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework.linear import LinearSolver
from dlopt.trade.accounting import exporter_receipt, importer_receipt
from dlopt.trade.factors import EquilibriumFactors
from dlopt.trade.krylov import KrylovFactors
from dlopt.trade.model import LogWedges, State, TradeModel, one_where_not


class Linearisation:
    """Weights of all exponential terms at a point, and the derivatives they give.

    Args:
        model: the trade model.
        u: unknowns, `[2N + 3NJ]`.
        wedges: log wedges.
    """

    def __init__(self, model: TradeModel, u: Tensor, wedges: LogWedges) -> None:
        self.model = m = model
        state = State.of(u, m.n, m.j)
        share = m.log_share_change(state, wedges)
        weight = m.lam * share.exp()
        self.share = weight / one_where_not(weight.sum(0), m.buys)
        """Expenditure shares, `[origin, destination, sector]`."""
        flows = m.trade * (share + state.expenditure).exp()
        sales = flows * (-m.log_kappa_change(wedges) - m.log_kappa0).exp()
        self.sales = sales / one_where_not(sales.sum(1), m.sells)[:, None]
        """Shares of destinations in revenue, `[origin, destination, sector]`."""
        use = m.use * (state.wage[:, None] + state.labour).exp()[:, None, :]
        final = m.alpha * (m.income * state.income.exp())[:, None]
        demand = one_where_not(final + use.sum(2), m.buys)
        self.final = final / demand
        """Final demand in expenditure, `[country, sector]`."""
        self.use = use / demand[:, :, None]
        """Intermediate demand of each using sector in expenditure, `[country, input sector, output sector]`."""
        receipt_m = importer_receipt(m.accounting, *wedges)
        receipt_x = exporter_receipt(m.accounting, *wedges)
        taxes = (flows * receipt_m.value).sum((0, 2)) + (flows * receipt_x.value).sum((1, 2))
        at = None if m.closure is None else m.closure.at(state.wage, state.income, (m.alpha * state.price).sum(1))
        self.closure = at
        """Transfers and labour, with derivatives; None where neither moves."""
        labour_income = m.value_added * (state.wage if at is None else state.wage + at.labour).exp()
        transfer = m.transfer if at is None else at.transfer
        self.earned = income = labour_income + taxes + transfer
        """Income from all sources, `[country]`."""
        self.labour_income = labour_income / income
        self.transfer = transfer / income
        to_importer = flows / income[None, :, None]
        to_exporter = flows / income[:, None, None]
        self.tariff, self.tariff_d, self.tariff_dd = (
            to_importer * receipt_m.value, to_importer * receipt_m.gradient, to_importer * receipt_m.hessian,
        )  # fmt: skip
        self.export, self.export_d, self.export_dd = (
            to_exporter * receipt_x.value, to_exporter * receipt_x.gradient, to_exporter * receipt_x.hessian,
        )  # fmt: skip
        labour = m.labour_share * state.labour.exp()
        self.labour = labour / labour.sum(1, keepdim=True)
        numeraire = m.world_share * state.wage.exp()
        self.numeraire = numeraire / numeraire.sum(1, keepdim=True)
        """Parts of the numeraire of each bloc, `[bloc, country]`."""

    def factors(self) -> LinearSolver:
        """Solves with the Jacobian and its transpose: by factors, or matrix-free above `TradeModel.dense_up_to`."""
        if self.model.linear_solver is not None:
            return self.model.linear_solver(self)
        if self.model.size > self.model.dense_up_to:
            return KrylovFactors(self)
        return EquilibriumFactors(self)

    def wedge_cells(self) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """Derivative of the residual with respect to each log wedge, as `(equation index, value)` per cell.

        Keys `tau`, `epsilon` (index and value `[origin, destination, sector]`) and `sigma` (the same shape: the
        contribution of each destination, to be summed over destinations).
        """
        m, n, j = self.model, self.model.n, self.model.j
        _, y, lab, p, _ = offsets(n, j)
        cell = torch.arange(n * j).view(n, j)
        country = torch.arange(n)
        rows_price = (p + cell)[None, :, :].expand(n, n, j)
        rows_labour = (lab + cell)[:, None, :].expand(n, n, j)
        rows_importer = (y + country)[None, :, None].expand(n, n, j)
        rows_exporter = (y + country)[:, None, None].expand(n, n, j)
        kappa_price, kappa_labour = -m.theta * self.share, -(m.theta + 1) * self.sales
        entries: dict[str, list[tuple[Tensor, Tensor]]] = {}
        for k, (name, sign) in enumerate((("tau", 1.0), ("epsilon", 1.0), ("sigma", -1.0))):
            entries[name] = [
                (rows_price, sign * kappa_price),
                (rows_labour, sign * kappa_labour),
                (rows_importer, -sign * m.theta * self.tariff + self.tariff_d[k]),
                (rows_exporter, -sign * m.theta * self.export + self.export_d[k]),
            ]
        return entries


def offsets(n: int, j: int) -> tuple[int, int, int, int, int]:
    """First index of wage, income, labour, price, expenditure."""
    return 0, n, 2 * n, 2 * n + n * j, 2 * n + 2 * n * j
