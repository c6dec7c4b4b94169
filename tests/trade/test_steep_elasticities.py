"""Sectors whose goods are nearly the same everywhere: Newton goes on where the fixed point does not arrive."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from economies import small_synthetic

import dlopt
from dlopt.framework import nash
from dlopt.framework.simultaneous import Simultaneous, play_at_once
from dlopt.trade.calibration import Calibration


def steep(theta: float) -> Calibration:
    """Six economies whose first sector has this trade elasticity, as crude oil has 51 in Caliendo and Parro (2015)."""
    world = small_synthetic(6, 4, 0)
    return world.with_elasticities(
        theta=torch.cat([torch.tensor([theta], dtype=world.theta.dtype), world.theta[1:]]), psi=world.psi * 0
    )


def test_newton_goes_on_where_the_fixed_point_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nash, "play_at_once", partial(play_at_once, options=Simultaneous(max_iterations=20)))
    phases = []

    def watched(info: Any) -> None:
        phases.append(info.phase)

    found = dlopt.solve_nash(steep(50.0), instruments={"tariff": "mfn"}, on_iteration=watched)
    assert found.status == "converged", found.message
    assert {"simultaneous", "newton-krylov"} <= set(phases)
    assert "dense" not in found.message
    monkeypatch.setattr(nash, "large_of", lambda game: None)
    dense = dlopt.solve_nash(steep(50.0), instruments={"tariff": "mfn"})
    assert dense.status == "converged", dense.message
    difference = found.real_income_change_pct - dense.real_income_change_pct
    assert float(difference.abs().max()) < 1e-9
