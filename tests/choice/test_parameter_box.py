"""Parameters as states: a box of models trained at once, against the models in it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from own_models import shops
from test_effort import economy

from dlopt.choice import AnalysisOptions, Box, Budget, ModelError, at_values, preset, solve_bsde, with_values
from dlopt.choice.box_value import build_box_value
from dlopt.choice.checkpoint import load_checkpoint
from dlopt.choice.evaluation import hjb_residual
from dlopt.choice.result import load_solution

BOUNDS = {"lambda0": [0.2, 0.4], "s_scale": [0.5, 1.5]}
SMALL = AnalysisOptions(
    certificate_paths=32, certificate_years=10, out_of_sample=20, paths=8, years=5, response_paths=4, response_years=2,
    validation=128, box=3,
)  # fmt: skip


def test_parameters_are_numbers_or_scales():
    model = preset("blocks", 4)
    changed = with_values(model, {"lambda0": 0.4, "s_scale": 0.5, "theta_scale": 2.0})
    assert (changed.lambda0, changed.theta) == (0.4, 2 * model.theta)
    assert changed.s == pytest.approx(0.5 * model.s)
    assert changed.zeta is not None
    assert (changed.zeta == model.zeta).all()


def test_scales_are_relative_to_the_model_whatever_the_bounds():
    """Bounds around 1.25 do not mean that 1 is 1.25; the same after a box has been put down and taken up."""
    model = preset("blocks", 4)
    box = Box.of(model, {"s_scale": [0.5, 2.0], "theta_scale": [0.5, 1.0]})
    again = Box(**box.parameters())
    assert again.digest() == box.digest()
    for one in (box, again):
        assert one.base.s == pytest.approx(1.25 * model.s)
        assert one.model_at(np.array([1.0, 1.0])).s == pytest.approx(model.s)
        assert one.model_at(np.array([0.5, 0.5])).theta == pytest.approx(0.5 * model.theta)


@pytest.mark.parametrize(
    ("bounds", "word"),
    [
        ({"lambda9": [0.1, 0.2]}, "no parameter 'lambda9'"),
        ({"lambda0": [0.4, 0.2]}, "LOW, HIGH"),
        ({"lambda0": [-0.1, 0.2]}, "lambda0"),
        ({"rho": [0.04, 0.06]}, "same everywhere"),
        ({"s_noise": [0.0, 0.1]}, "must be positive"),
        ({}, "at least one"),
    ],
)
def test_impossible_boxes_are_refused(bounds, word):
    with pytest.raises(ModelError, match=word):
        Box.of(preset("separable", 3), bounds)


def exporter():
    return dataclasses.replace(preset("separable", 3), search_cost=2.0, s_noise=0.2)


@pytest.mark.parametrize(
    ("base", "bounds"),
    [
        (exporter, {**BOUNDS, "sigma_scale": [0.8, 1.2], "search_cost": [1.0, 4.0], "s_noise": [0.1, 0.3]}),
        (lambda: economy(search_cost=0.05), {"kappa": [0.8, 1.2], "search_cost": [0.02, 0.08]}),
        (shops, {"a": [0.02, 0.08], "cost_scale": [0.5, 1.5]}),
    ],
)
def test_at_a_point_a_box_is_its_model(base, bounds):
    box = Box.of(base(), bounds)
    dynamics, options = box.on(dtype=torch.float64), box.traits().method
    state = dynamics.draw(48, torch.Generator().manual_seed(0))
    value = build_box_value(dynamics, options, torch.Generator().manual_seed(0))
    at = value.at(state)
    residual = hjb_residual(dynamics, state, at)
    groups = dynamics.groups(state.x)
    assert len(groups) == 3
    for group in groups:
        model = box.model_at(np.array(group.key))
        own, inner = model.on(dtype=torch.float64), dynamics.inner(state, group.rows)
        alone = model.traits().build(own, options, torch.Generator().manual_seed(0)).at(inner)
        assert torch.allclose(at.value[group.rows], alone.value)
        assert torch.allclose(at.marginal[group.rows], alone.marginal)
        assert torch.allclose(residual[group.rows], hjb_residual(own, inner, alone), atol=1e-12)


def test_one_training_covers_the_box(tmp_path):
    box = Box.of(preset("blocks", 3), BOUNDS)
    result = solve_bsde(box, budget=Budget(steps=400), analysis=SMALL, checkpoint=tmp_path / "model.pt")
    errors = result.table("box")
    assert len(errors) == 3
    assert errors[["lambda0", "s_scale"]].nunique().eq(3).all()
    assert errors["relative_error"].mean() < 2e-4
    assert (errors["decision_accuracy"] > 0.99).all()
    assert load_checkpoint(tmp_path / "model.pt").model.digest() == box.digest()
    _, again = load_solution(tmp_path / "model.pt")
    state = preset("blocks", 3).on().draw(8, torch.Generator().manual_seed(1))
    point = {"lambda0": 0.33, "s_scale": 0.7}
    assert torch.equal(at_values(again, point).at(state).value, at_values(result.solution, point).at(state).value)
