"""First derivatives of the equilibrium equations, from their structure.

Every equation is `log(sum_k w_k exp(g_k)) = 0` with g_k linear in (unknowns, log wedges), so that its derivative is
`sum_k w_k dg_k` with the weights normalised to one (tax terms also carry the derivatives of their rates). The linear
forms touch a handful of variables each; this module writes them down instead of one reverse pass per row. Tests hold
them, and the second order in `dlopt.trade.curvature`, against automatic differentiation of `TradeModel.residual`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework.root import LinearSolver
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
        labour_income = m.value_added * state.wage.exp()
        income = labour_income + taxes + m.transfer
        self.labour_income = labour_income / income
        self.transfer = m.transfer / income
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
        self.numeraire = numeraire / numeraire.sum()

    def jacobian(self) -> Tensor:
        """Derivative of the residual with respect to the unknowns, `[equation, unknown]`."""
        m, n, j = self.model, self.model.n, self.model.j
        theta = m.theta
        size = m.size
        jac = self.share.new_zeros((size, size))
        # Derivatives with respect to unit costs are collected in `cost` and folded in by the chain rule (A.2).
        cost = self.share.new_zeros((size, n * j))
        w, y, lab, p, x = offsets(n, j)
        cell = torch.arange(n * j).view(n, j)
        country = torch.arange(n)
        flat = cell.flatten()
        buys, sells = m.buys.to(theta.dtype), m.sells.to(theta.dtype)

        # prices: theta (dp_n - sum_i share dc_i); identity where nothing is bought
        jac[p + flat, p + flat] = torch.where(m.buys, theta.expand(n, j), torch.ones_like(m.spending)).flatten()
        rows = (p + cell)[None, :, :].expand(n, n, j)
        cells_i = cell[:, None, :].expand(n, n, j)
        cells_n = cell[None, :, :].expand(n, n, j)
        cost.index_put_((rows, cells_i), -theta * self.share)

        # labour: sum_n sales (theta (dp_n - dc_i) + dx_n) - dw_i - dl_i; identity where nothing is sold
        rows = (lab + cell)[:, None, :].expand(n, n, j)
        jac.index_put_((rows, p + cells_n), theta * self.sales, accumulate=True)
        jac.index_put_((rows, x + cells_n), self.sales, accumulate=True)
        cost.index_put_((lab + cell, cell), -theta * sells)
        jac[lab + flat, lab + flat] = torch.where(m.sells, -1.0, 1.0).to(theta.dtype).flatten()
        jac[(lab + cell), (w + country)[:, None].expand(n, j)] = -sells

        # expenditure: final dY_i + sum_s use (dw_i + dl_is) - dx_i
        rows = (x + cell)[:, :, None].expand(n, j, j)
        jac.index_put_((rows, (lab + cell)[:, None, :].expand(n, j, j)), self.use * buys[:, :, None], accumulate=True)
        jac[(x + cell), (w + country)[:, None].expand(n, j)] = self.use.sum(2) * buys
        jac[(x + cell), (y + country)[:, None].expand(n, j)] = self.final * buys
        jac[x + flat, x + flat] = torch.where(m.buys, -1.0, 1.0).to(theta.dtype).flatten()

        # income: labour income dw_i + taxes - dY_i
        jac[y + country, w + country] = self.labour_income
        jac[y + country, y + country] = -torch.ones_like(self.labour_income)
        for receipt, collector in ((self.tariff, 1), (self.export, 0)):
            shape = (1, n, 1) if collector else (n, 1, 1)
            rows = (y + country).view(shape).expand(n, n, j)
            jac.index_put_((rows, p + cells_n), theta * receipt, accumulate=True)
            jac.index_put_((rows, x + cells_n), receipt, accumulate=True)
            cost.index_put_((rows, cells_i), -theta * receipt, accumulate=True)

        # labour markets, one of them replaced by the numeraire
        jac[(w + country)[:, None].expand(n, j), lab + cell] = self.labour
        jac[w + m.reference] = 0
        jac[w + m.reference, w + country] = self.numeraire

        # chain rule through unit costs, country by country
        per_country = cost.view(size, n, j)
        folded = torch.einsum("rij,isj->ris", per_country, m.materials)
        jac[:, p : p + n * j] += folded.reshape(size, n * j)
        jac[:, lab : lab + n * j] -= cost * m.psi.repeat(n)
        jac[:, w : w + n] += (per_country * m.beta).sum(2)
        return jac

    def factors(self) -> LinearSolver:
        """Solves with the Jacobian and its transpose: by factors, or matrix-free above `TradeModel.dense_up_to`."""
        if self.model.size > self.model.dense_up_to:
            return KrylovFactors(self)
        return EquilibriumFactors(self.jacobian(), self.model.n, self.model.j)

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
