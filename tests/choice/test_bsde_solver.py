"""Small trained cases: error bounds, certificates, resuming, determinism."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from watching import Until

from dlopt.choice import (
    PAPER,
    AnalysisOptions,
    Budget,
    CheckpointError,
    MethodOptions,
    ModelError,
    StateError,
    exact_solution,
    load_solution,
    preset,
    solve_bsde,
    solve_exact,
)
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_METHOD
from dlopt.choice.training import Trainer
from dlopt.choice.traits import traits_of

SMALL = AnalysisOptions(
    certificate_years=40.0, out_of_sample=300, paths=64, years=10.0, validation=500, response_years=4.0
)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.pt"
    model = preset("blocks", 10)
    return model, solve_bsde(model, budget=Budget(steps=400), analysis=SMALL, checkpoint=path), path


def test_blocks_meet_their_bounds(blocks):
    _, result, _ = blocks
    validation = result.tables()["validation"].set_index("states")
    assert validation.loc["long_run", "relative_error"] < 3e-4
    assert validation.loc["long_run", "decision_accuracy"] > 0.995
    assert validation.loc["drawn", "relative_error"] < 5e-4
    assert result.status == "converged"


def test_certificate_covers_the_true_gap(blocks):
    _, result, _ = blocks
    certificate = result.certificate
    bias = abs(result.tables()["validation"].set_index("states").loc["long_run", "value_bias"])
    assert 100 * bias < abs(certificate.value_gap_pct) + 4 * certificate.value_gap_se_pct + 0.01


def test_tables_are_complete(blocks):
    _, result, _ = blocks
    tables = result.tables()
    assert list(tables["out_of_sample"]["statistic"]) == ["average", "std", "p85", "p90", "p95"]
    expected = {"losses", "out_of_sample", "validation", "marginal_values", "simulation", "impulse_response"}
    assert set(tables) == expected
    assert {"step", "seconds", "hjb_residual_rel", "analytic_loss", "probabilistic_loss", "learning_rate"} <= set(
        tables["losses"]
    )
    assert {"destination", "zeta", "delta_v", "residual", "complementarity"} <= set(tables["marginal_values"])
    response = tables["impulse_response"]
    assert response["value"].iloc[0] < response["value_without"].iloc[0]  # costs went up


def test_resumed_run_equals_the_straight_one(blocks, tmp_path):
    model, straight, _ = blocks
    path = tmp_path / "model.pt"
    first = solve_bsde(model, budget=Budget(steps=400), analysis=SMALL, checkpoint=path, watch=Until(200))
    assert first.status == "interrupted"
    resumed = solve_bsde(model, budget=Budget(steps=400), analysis=SMALL, resume=path)
    assert resumed.certificate == straight.certificate
    for name in ("validation", "out_of_sample", "marginal_values", "simulation", "impulse_response"):
        pd.testing.assert_frame_equal(resumed.tables()[name], straight.tables()[name], check_exact=True)


def test_resume_refuses_what_changed(blocks):
    model, _, path = blocks
    changed = dataclasses.replace(model, s=model.s + 0.1, rho=0.06)
    with pytest.raises(CheckpointError, match=r"model\.s.*model\.rho.*method\.hidden \(was 32, now 16\).*seed"):
        solve_bsde(changed, MethodOptions(hidden=16), seed=1, resume=path)


def test_saved_solution_evaluates_as_the_result(blocks):
    model, result, path = blocks
    _, loaded = load_solution(path)
    state = loaded.model.draw(50, torch.Generator().manual_seed(5))
    y, nu = state.y.numpy().astype(float), state.x.numpy().astype(float)
    assert loaded.at(state).value.numpy() == pytest.approx(result.value(y, nu), rel=1e-6)
    exact = exact_solution(model)
    assert result.value(y, nu) == pytest.approx(exact.value(y, nu), rel=3e-3)
    assert (result.accept(y, nu) == exact.accept(y, nu)).mean() > 0.99


def test_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_solution(path)


def test_independent_destinations_need_no_training():
    result = solve_bsde(preset("separable", 20), budget=Budget(steps=100), analysis=SMALL)
    assert result.steps == 0
    validation = result.tables()["validation"].set_index("states")
    assert validation.loc["off_manifold", "max_relative_error"] < 1e-5
    assert (validation["decision_accuracy"] > 0.999).all()


@pytest.mark.parametrize(
    ("model", "method", "divided"),
    [
        (preset("blocks", 100), MethodOptions(), 1.0),
        (preset("blocks", 400), MethodOptions(), 2.0),
        (preset("blocks", 400), PAPER, 1.0),
        (synthetic(12), NETWORK_METHOD, 1.0),  # of its 132 links eleven can move at once
    ],
    ids=["a hundred", "four hundred", "the paper's losses", "a network"],
)
def test_steps_fall_with_the_number_of_switches_that_can_move(model, method, divided):
    dynamics, generator = model.on(), torch.Generator().manual_seed(0)
    method = dataclasses.replace(method, pool=16, batch=8, baseline="none")
    trainer = Trainer(traits_of(model).build(dynamics, method, generator), method, Budget(steps=2000), generator)
    trainer.step = 200
    trainer._one_step()
    done = 200 / 2000
    full = 0.5 * (1 + math.cos(math.pi * done)) + 1e-3
    assert trainer.adam.param_groups[0]["lr"] == pytest.approx(method.learning_rate * full / divided)
    if trainer.muon is not None:
        assert trainer.muon.param_groups[0]["lr"] == pytest.approx(method.muon_rate * full / divided)


def test_same_seed_same_numbers():
    model, budget = preset("gravity", 5), Budget(steps=30)
    runs = [solve_bsde(model, budget=budget, seed=4, analysis=SMALL) for _ in range(2)]
    assert runs[0].certificate == runs[1].certificate


@pytest.mark.parametrize("loss_p", ["corrected", "literal"])
def test_papers_method_runs(loss_p):
    method = dataclasses.replace(PAPER, hidden=16, subnet=16, batch=16, loss_p=loss_p)
    result = solve_bsde(preset("blocks", 5), method, Budget(steps=60), analysis=SMALL)
    losses = result.tables()["losses"]
    assert losses["analytic_loss"].iloc[-1] < losses["analytic_loss"].iloc[0]
    assert result.status == "not_converged"
    assert "target" in result.message


def test_exact_method_gives_the_same_tables():
    model = preset("separable", 5)
    states = pd.DataFrame(np.hstack([np.eye(5), np.tile(model.nubar, (5, 1))]))
    states.columns = [f"y_{j}" for j in range(1, 6)] + [f"nu_{j}" for j in range(1, 6)]
    states.insert(0, "state", list("abcde"))
    result = solve_exact(model, analysis=SMALL, states=states)
    evaluation = result.tables()["evaluation"]
    assert list(evaluation.columns) == ["state", "value", *(f"accept_{j}" for j in range(1, 6))]
    assert evaluation["value"].to_numpy() == pytest.approx(
        exact_solution(model).value(np.eye(5), states.iloc[:, 6:].to_numpy())
    )
    with pytest.raises(ModelError, match="no exact solution"):
        solve_exact(preset("gravity", 20))
    bad = states.rename(columns={"y_1": "Y_1"})
    with pytest.raises(StateError, match=r"y_1 is missing.*Y_1 is not one of"):
        result.evaluate(bad)
    bad = states.assign(y_2=0.5, nu_3="x")
    with pytest.raises(StateError, match=r"row 1, y_2: 0.5 is neither 0 nor 1.*nu_3: 'x' is not a finite"):
        result.evaluate(bad)


def test_impossible_methods_are_refused():
    with pytest.raises(ModelError, match=r"method\.loss='other'.*method\.hidden=0"):
        MethodOptions(loss="other", hidden=0)
    with pytest.raises(ModelError, match=r"budget\.seconds"):
        Budget(seconds=-1)
