"""The example of a choice model of one's own: towns, the interdependence, and names that are refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from dlopt.choice import Box, EstimateOptions, check_exact, estimate, hjb_residual, simulate_panel
from dlopt.choice import correction as correcting
from dlopt.choice.mean_field import MeanField
from dlopt.choice.simulation import advance
from dlopt.errors import UnknownNameError

FILE = Path(__file__).parents[2] / "examples" / "stores" / "dlopt_stores.py"


@pytest.fixture(scope="module")
def stores():
    spec = importlib.util.spec_from_file_location("dlopt_stores", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["dlopt_stores"] = module
    spec.loader.exec_module(module)
    return module


def test_it_is_short_enough_to_copy():
    assert len(FILE.read_text().splitlines()) < 150


def test_towns_depend_on_one_another_both_ways(stores):
    model = stores.load("towns60")
    assert (model.switches, model.factors, model.shocks) == (60, 61, 61)
    assert (model.together > 0).any()
    assert (model.together < 0).any()
    assert stores.load("towns8").factors == 2
    with pytest.raises(UnknownNameError, match="towns8"):
        stores.load("villages")


def test_what_sites_cost_is_estimated(stores):
    """From chains that follow the exact solution, with luck in costs."""
    model = dataclasses.replace(stores.towns(2, 1), s_noise=0.2)
    assert stores.KIND.verb("estimate")
    panel = simulate_panel(check_exact(model)(model.on(dtype=torch.float64)), 60, 5, 0.5, seed=3)
    options = EstimateOptions(bootstrap=0, simulations=0, first=1, tolerance=0.1)
    result = estimate(panel, Box.of(model, {"cost_scale": [0.3, 3.0]}), options)
    assert result.status == "converged"
    assert abs(result.estimates["cost_scale"] - 1) < 3.5 * result.standard_errors["cost_scale"]


def test_the_control_variate_knows_shocks_that_fade_differently(stores, monkeypatch):
    """The common shock lasts longer than those of towns, and moves all towns at once."""
    model = stores.towns(20).on()
    baseline = MeanField(model)
    state, generator = model.draw(512, torch.Generator().manual_seed(3)), torch.Generator().manual_seed(4)
    for _ in range(40):
        state = advance(model, state, baseline.evaluate(state).marginal, 0.5, generator)

    def left(value):
        at = value.evaluate(state)
        return float(hjb_residual(model, state, at).abs().mean() / (model.rho * at.value.abs().mean()))

    corrected = left(baseline)
    monkeypatch.setattr(correcting, "ROUNDS", 0)
    uncorrected = left(MeanField(model))
    assert corrected < 0.1 * uncorrected
