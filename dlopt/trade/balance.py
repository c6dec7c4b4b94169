"""From data to a baseline: an equilibrium with given trade balances, at unchanged policies.

Data do not clear: trade is not balanced and sector markets leave residuals. The model is solved once at the policies
in force, without economies of scale, and that equilibrium is the baseline. (With economies of scale the same step
moves sector labour by a factor of up to two, and is no baseline.)
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.trade.accounting import Accounting, exporter_share, importer_share
from dlopt.trade.calibration import Calibration
from dlopt.trade.closure import Deficits
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.model import State, TradeModel
from dlopt.trade.policy import Policy

SHARES_EXACT, SHARES_ROUNDED = 1e-12, 1e-6
"""Shares whose sum is within the first of one stay as they are; within the second they are scaled to sum to one.

What is a ten-millionth short of all spending leaves a market that does not clear: an equilibrium of other numbers.
"""


class BalanceError(DloptError):
    """No balanced baseline could be found."""


def implied_deficit(calibration: Calibration, accounting: Accounting | str = Accounting.STANDARD) -> Tensor:
    """D, what each country spends beyond its revenue and taxes, `[country]`, in the unit of `trade`; sums to zero."""
    wedges = Policy.of(calibration).log_wedges()
    tau, epsilon, sigma = wedges
    trade = calibration.trade
    revenue = trade * (sigma[:, None] - tau - epsilon).exp()
    taxes = (trade * importer_share(Accounting(accounting), *wedges)).sum((0, 2))
    taxes = taxes + (trade * exporter_share(Accounting(accounting), *wedges)).sum((1, 2))
    return trade.sum((0, 2)) - revenue.sum((1, 2)) - taxes


def balanced(
    calibration: Calibration,
    accounting: Accounting | str = Accounting.STANDARD,
    deficits: Deficits | str = Deficits.NONE,
) -> tuple[Calibration, Tensor]:
    """A consistent baseline near the data, and the transfers that belong to it.

    Returns:
        The calibration with `trade` an equilibrium and `final_share` given, and D, `[country]`.

    Raises:
        BalanceError: the final shares implied by the data are negative, shares do not sum to one, or the solve did
            not converge.
    """
    model = balancing_model(calibration, accounting, deficits)
    return closed_baseline(model, find_equilibrium(model, model.wedges0)), model.transfer


def balancing_model(
    calibration: Calibration,
    accounting: Accounting | str = Accounting.STANDARD,
    deficits: Deficits | str = Deficits.NONE,
) -> TradeModel:
    """The model whose equilibrium at unchanged policies is the baseline: the data as they are, without scale economies.

    Raises:
        BalanceError: the final shares implied by the data are negative, or shares do not sum to one.
    """
    calibration = _with_whole_shares(calibration)
    policy = Policy.of(calibration)
    tau, epsilon, sigma = policy.log_wedges()
    transfer = torch.zeros(calibration.n_economies, dtype=calibration.trade.dtype)
    if Deficits(deficits) is not Deficits.NONE:  # the rules differ in what policies do to transfers
        transfer = implied_deficit(calibration, accounting)
    revenue = (calibration.trade * (sigma[:, None] - tau - epsilon).exp()).sum(1)
    materials = calibration.input_share * ((1 - calibration.value_added_share) * revenue)[:, None, :]
    final_share = calibration.final_share
    if final_share is None:
        final = calibration.trade.sum(0) - materials.sum(2)
        final_share = final / final.sum(1, keepdim=True)
        negative = (final_share < -1e-6).nonzero()
        if len(negative):
            n, j = (int(k) for k in negative[0])
            raise BalanceError(
                f"The final-consumption share of {calibration.economies[n]} in sector {calibration.sectors[j]} that "
                f"the data imply is {float(final_share[n, j]):.2g}, below zero "
                f"({len(negative)} such cells). Give final_share in the calibration."
            )
        final_share = final_share.clamp(min=0)
        final_share = final_share / final_share.sum(1, keepdim=True)
    data = dataclasses.replace(calibration, final_share=final_share)
    return TradeModel(data, accounting, psi_scale=0.0, transfer=transfer, check=False)


def _with_whole_shares(calibration: Calibration) -> Calibration:
    """The calibration with input shares and final shares that sum to one, to rounding.

    Raises:
        BalanceError: they are further from it than rounding can be.
    """
    c = calibration
    columns = c.input_share.sum(1)
    inputs = torch.where(c.value_added_share < 1, columns, torch.ones_like(columns))
    changed = {"input_share": c.input_share / _divisor(c, "input", inputs, c.sectors)[:, None]}
    if c.final_share is not None:
        final = c.final_share.sum(1, keepdim=True)
        changed["final_share"] = c.final_share / _divisor(c, "final", final, ("all sectors",))
    return dataclasses.replace(c, **changed)  # type: ignore[arg-type]


def _divisor(calibration: Calibration, what: str, total: Tensor, of: tuple[str, ...]) -> Tensor:
    gap = (total - 1).abs()
    if not bool((gap <= SHARES_ROUNDED).all()):
        n, k = (int(place) for place in (~(gap <= SHARES_ROUNDED)).nonzero()[0])
        raise BalanceError(
            f"The {what} shares of {calibration.economies[n]}, {of[k]}, sum to {float(total[n, k]):.8g} and not to 1. "
            f"Correct {what}_share of calibration {calibration.name!r}."
        )
    return torch.where(gap <= SHARES_EXACT, torch.ones_like(total), total)


def closed_baseline(model: TradeModel, found: Equilibrium) -> Calibration:
    """The calibration whose trade is the equilibrium that was found for a `balancing_model`.

    Raises:
        BalanceError: it is none.
    """
    if found.outcome is not Outcome.CONVERGED:
        raise BalanceError(
            f"Calibration {model.calibration.name!r} could not be balanced (residual {found.residual:.1e}): "
            f"{found.outcome.remedy} Check its flows and shares for outliers."
        )
    flows = model.flows(State.of(found.u, model.n, model.j), model.wedges0)
    return dataclasses.replace(model.calibration, trade=flows)
