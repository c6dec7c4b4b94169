"""Small network economies solved by training: error bounds, certificates, resuming, analyses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from watching import Until

from dlopt.choice import (
    AnalysisOptions,
    Budget,
    CheckpointError,
    StateError,
    load_solution,
    solve_bsde,
    solve_exact,
)
from dlopt.choice.model import State
from dlopt.choice.production import traits
from dlopt.choice.production.exact.frozen import FrozenNetwork
from dlopt.choice.production.exact.grid import NetworkGridSolution
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_METHOD
from dlopt.choice.states import switch_columns

SMALL = AnalysisOptions(
    certificate_paths=64, certificate_years=40.0, out_of_sample=200, paths=64, validation=500, response_years=4.0,
    response_paths=32,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_grid():
    """The exact solution of three sectors takes most of the time here: each model is solved on the grid once."""
    solved = {}

    def solve(model):
        if model.digest() not in solved:
            solved[model.digest()] = NetworkGridSolution(model)
        return solved[model.digest()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traits, "NetworkGridSolution", solve)
        yield


@pytest.fixture(scope="module")
def model():
    return synthetic(3, own_share=0.05)


@pytest.fixture(scope="module")
def states(model):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(model.eps_bar + rng.normal(size=(5, 2)) @ model.loading.T, columns=["eps_1", "eps_2", "eps_3"])
    table[switch_columns(model)] = (rng.random((5, 6)) < 0.5).astype(int)
    table["z"], table["state"] = ["s01", "s02", "s03", "s01", "s02"], list("abcde")
    return table


@pytest.fixture(scope="module")
def solved(model, states, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.pt"
    return solve_bsde(model, budget=Budget(steps=400), analysis=SMALL, checkpoint=path, states=states), path


@pytest.fixture(scope="module")
def exact(model, states):
    return solve_exact(model, analysis=SMALL, states=states)


def test_three_sectors_meet_their_bounds(solved):
    validation = solved[0].tables()["validation"].set_index("states")
    assert (validation["relative_error"] < 2e-4).all()
    assert (validation["decision_accuracy"] > 0.98).all()
    assert solved[0].status == "converged"


def test_certificate_covers_the_true_gap(solved):
    certificate = solved[0].certificate
    bias = abs(solved[0].tables()["validation"].set_index("states").loc["long_run", "value_bias"])
    assert abs(certificate.value_gap_pct / 100) < 2e-4
    assert bias < abs(certificate.value_gap_pct) / 100 + 4 * certificate.value_gap_se_pct / 100 + 1e-4


def test_evaluation_agrees_with_the_exact_solution(solved, exact):
    here, there = (result.tables()["evaluation"] for result in (solved[0], exact))
    np.testing.assert_allclose(here["value"], there["value"], rtol=1e-3)
    assert (here.iloc[:, 2:].to_numpy() == there.iloc[:, 2:].to_numpy()).mean() > 0.9


def test_values_of_links_agree_with_the_exact_solution(solved, exact):
    here, there = (result.tables()["marginal_values"].set_index(["buyer", "supplier"]) for result in (solved[0], exact))
    np.testing.assert_allclose(here["delta_v_pct"], there["delta_v_pct"], atol=0.1 * there["delta_v_pct"].abs().max())


@pytest.mark.parametrize("which", ["solved", "exact"])
def test_sectors_that_decide_alone_do_worse(which, request):
    result = request.getfixturevalue(which)
    table = (result[0] if which == "solved" else result).tables()["decentralised"].set_index("decides")
    assert table.loc["planner", "consumption_equivalent_pct"] == pytest.approx(0, abs=1e-9)
    assert table.loc["sectors", "consumption_equivalent_pct"] <= 0


def test_a_shock_lowers_gdp_and_fades(solved):
    table = solved[0].tables()["transition"]
    for _, path in table.groupby("shock"):
        assert path["log_gdp_pct"].iloc[0] < 0
        assert abs(path["log_gdp_pct"].iloc[-1]) < abs(path["log_gdp_pct"].iloc[0])
        assert path["consumption_equivalent_pct"].iloc[0] < 0


def test_frozen_links_reproduce_the_closed_form():
    model = dataclasses.replace(synthetic(5), link_rate=0.0, clock_rate=0.0)
    result = solve_bsde(model, budget=Budget(steps=20), analysis=SMALL)
    dynamics = result.solution.model
    state = dynamics.draw(200, torch.Generator().manual_seed(3))
    links = dynamics.links(state.y).double().numpy()
    truth = FrozenNetwork(model).value(links, state.x.double().numpy())
    np.testing.assert_allclose(result.solution.at(state).value.double().numpy(), truth, rtol=1e-6)


def test_resuming_gives_the_same_numbers(tmp_path):
    model = synthetic(2)
    whole = solve_bsde(model, budget=Budget(steps=40, evaluations=2), analysis=SMALL)
    path = tmp_path / "model.pt"
    part = solve_bsde(model, budget=Budget(steps=40, evaluations=2), analysis=SMALL, checkpoint=path,
                         watch=Until(20))  # fmt: skip
    assert part.status == "interrupted"
    rest = solve_bsde(model, budget=Budget(steps=40, evaluations=2), analysis=SMALL, resume=path)
    assert rest.certificate == whole.certificate
    with pytest.raises(CheckpointError, match="seed"):
        solve_bsde(model, seed=1, resume=path)
    loaded_model, value = load_solution(path)
    assert loaded_model.digest() == model.digest()
    state = State(*(t[:4] for t in (lambda s: (s.y, s.x, s.z))(value.model.draw(8, torch.Generator().manual_seed(0)))))
    assert torch.isfinite(value.at(state).value).all()


def test_states_are_checked(model, states):
    with pytest.raises(StateError, match="'s09' is not a position of the clock"):
        solve_bsde(model, states=states.assign(z="s09"))
    with pytest.raises(StateError, match="y_s01_s02 is missing"):
        solve_bsde(model, states=states.drop(columns="y_s01_s02"))


def test_papers_losses_train():
    method = dataclasses.replace(NETWORK_METHOD, loss="paper", baseline="none", hidden=16, batch=8)
    result = solve_bsde(synthetic(2), method, Budget(steps=10), analysis=SMALL)
    assert result.status == "not_converged"
    assert np.isfinite(result.tables()["losses"]["loss"]).all()
