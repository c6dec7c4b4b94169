"""The polynomial of the generic control variate: linear algebra, and what it leaves of the equation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from own_models import shops

from dlopt.choice import correction as correcting
from dlopt.choice import hjb_residual
from dlopt.choice.mean_field import MeanField


def test_coefficients_move_the_residual_as_they_are_said_to(monkeypatch):
    """Volatility and rates depend on the state; steps are too small to change a decision."""
    model = shops(4, 3).on(dtype=torch.float64)
    monkeypatch.setattr(correcting, "ROUNDS", 0)
    value = MeanField(model)
    state = model.draw(60, torch.Generator().manual_seed(1))
    before = value.evaluate(state)
    direction = value.direction.numpy()
    shared = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 2)))[0]
    columns = correcting._changes(model, state, before, value.p, direction, shared)
    step = 1e-7 * np.random.default_rng(1).normal(size=columns.shape[1])
    value._add(correcting._polynomial(step, direction, shared))
    after = value.evaluate(state)
    assert bool(((after.marginal > model.cost) == (before.marginal > model.cost)).all())
    moved = hjb_residual(model, state, after) - hjb_residual(model, state, before)
    assert moved.numpy() == pytest.approx(columns @ step, rel=1e-6, abs=1e-12)
    row, switch = (state.y < 0.5).nonzero(as_tuple=True)
    assert torch.allclose(value.worth(state, row, switch), after.marginal[row, switch], rtol=1e-9, atol=1e-12)


def test_least_squares_leave_less_of_the_equation(monkeypatch):
    model = shops(5, 2).on(dtype=torch.float64)
    state = model.draw(1000, torch.Generator().manual_seed(1))

    def left():
        return float(hjb_residual(model, state, MeanField(model).evaluate(state)).square().mean())

    corrected = left()
    monkeypatch.setattr(correcting, "ROUNDS", 0)
    assert corrected < 0.25 * left()
