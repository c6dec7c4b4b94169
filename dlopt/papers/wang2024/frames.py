"""Policies and outcomes of solutions as tables of observations."""

from __future__ import annotations

import pandas as pd
import torch

from dlopt.trade.results import SolveResult


def tariffs(result: SolveResult) -> pd.DataFrame:
    """Chosen tariffs on goods: `origin`, `destination`, `sector`, `rate`, `theta`, `psi`; one row per tariff."""
    c, instruments = result.calibration, result.instruments
    assert instruments is not None
    cells = ((instruments.tau >= 0) & c.tradable).nonzero()
    i, n, j = cells.T
    return pd.DataFrame({
        "origin": [c.economies[k] for k in i.tolist()],
        "destination": [c.economies[k] for k in n.tolist()],
        "sector": [c.sectors[k] for k in j.tolist()],
        "rate": result.policy.tariff[i, n, j].numpy(),
        "theta": c.theta[j].numpy(), "psi": c.psi[j].numpy(),
    })  # fmt: skip


def subsidies(result: SolveResult) -> pd.DataFrame:
    """Chosen subsidies of goods: `origin`, `sector`, `rate`, `theta`, `psi`."""
    c, instruments = result.calibration, result.instruments
    assert instruments is not None
    i, j = ((instruments.sigma >= 0) & c.tradable).nonzero().T
    return pd.DataFrame({
        "origin": [c.economies[k] for k in i.tolist()],
        "sector": [c.sectors[k] for k in j.tolist()],
        "rate": result.policy.subsidy[i, j].numpy(),
        "theta": c.theta[j].numpy(), "psi": c.psi[j].numpy(),
    })  # fmt: skip


def production_shares(result: SolveResult) -> pd.DataFrame:
    """Goods: change of `sum_n X_in^j / sum_nj X_in^j`, percentage points: `origin`, `sector`, `change`."""
    c, model = result.calibration, result.model
    before, after = model.trade.sum(1), model.flows(result.state, result.wedges).sum(1)
    change = 100 * (after / after.sum(1, keepdim=True) - before / before.sum(1, keepdim=True))
    i, j = (torch.ones_like(change, dtype=torch.bool) & c.tradable).nonzero().T
    return pd.DataFrame({
        "origin": [c.economies[k] for k in i.tolist()], "sector": [c.sectors[k] for k in j.tolist()],
        "change": change[i, j].numpy(),
    })  # fmt: skip


def welfare(result: SolveResult) -> dict[str, float]:
    """Change of real income, per cent, by economy."""
    return dict(zip(result.calibration.economies, result.real_income_change_pct.tolist(), strict=True))


def relative_wages(result: SolveResult, numeraire: str) -> dict[str, float]:
    """Change of wages relative to that of `numeraire`, per cent, by economy."""
    wage = result.state.wage
    change = 100 * (wage - wage[result.calibration.economy_index(numeraire)]).expm1()
    return dict(zip(result.calibration.economies, change.tolist(), strict=True))
