"""The three-country roundabout economy written as a user's model: rates instead of logs, residuals instead of a map."""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.models import EquilibriumModel, Instrument

THETA, BETA = 3.0, 2 / 3
TECHNOLOGY, LABOUR = (torch.tensor(v, dtype=torch.float64) for v in ([3.0, 1.0, 1.0], [1.0, 2.0, 5.0]))
ABROAD = 1 - torch.eye(3, dtype=torch.float64)


def world(u: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Final income, labour income that sales pay, and prices that costs imply, at logs of wages and prices."""
    wage, price = u[:3], u[3:]
    rate = torch.cat([torch.stack([a[0] * 0, a[0], a[1]])[:, None], 0.05 * ABROAD[:, 1:]], dim=1)
    cost = BETA * wage + (1 - BETA) * price
    paid = cost[:, None] + torch.log(1 + ABROAD) + torch.log(1 + rate) - TECHNOLOGY.log()[:, None]
    share = torch.softmax(-THETA * paid, 0)
    net = share / (1 + rate)
    spending = wage.exp() * LABOUR / BETA / net.sum(0)
    income = wage.exp() * LABOUR + (spending * (share - net)).sum(0)
    return income, BETA * net @ spending, -torch.logsumexp(-THETA * paid, 0) / THETA


def residual(u: Tensor, a: Tensor) -> Tensor:
    """Labour markets, the first replaced by the numeraire, and prices."""
    _, pay, price = world(u, a)
    markets = (pay / (u[:3].exp() * LABOUR)).log()
    numeraire = ((u[:3].exp() * LABOUR).sum() / LABOUR.sum()).log()
    return torch.cat([numeraire[None], markets[1:], price - u[3:]])


def objectives(u: Tensor, a: Tensor) -> Tensor:
    """Real incomes."""
    return world(u, a)[0] / u[3:].exp()


def roundabout() -> EquilibriumModel:
    """Country 1 chooses its tariffs on 2 and 3; all others stay at 5 %."""
    tariffs = [Instrument(f"tariff_on_{k}", "1", lower=0.0, upper=4.0, start=0.05) for k in "23"]
    return EquilibriumModel(
        residual, objectives, "123", tariffs, torch.zeros(6, dtype=torch.float64), name="roundabout"
    )
