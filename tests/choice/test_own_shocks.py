"""Exporters with shocks of single destinations, or more common ones than two: exact solutions, folders, likelihoods."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from monte_carlo import simulated_value
from own_models import OwnExporter

from dlopt.choice import (
    AnalysisOptions,
    Box,
    Budget,
    Exporter,
    ModelError,
    ModelFolderError,
    exact_solution,
    load_model,
    preset,
    read_folder,
    solve_bsde,
    write_folder,
)  # fmt: skip
from dlopt.choice.enumeration import EnumeratedSolution
from dlopt.choice.exporter.exact import BlocksSolution, SeparableSolution

SMALL = AnalysisOptions(
    certificate_paths=32, certificate_years=10, out_of_sample=100, paths=32, years=10, validation=256,
    response_years=2, response_paths=16,
)  # fmt: skip


def with_own(model: Exporter, own: float = 0.2, common: int = 0) -> Exporter:
    """The model with a shock more of each destination, and `common` shocks more of all."""
    rng = np.random.default_rng(7)
    more = 0.1 * rng.normal(size=(model.destinations, common))
    size = own * rng.uniform(0.5, 1.5, size=model.destinations)
    return dataclasses.replace(model, sigma=np.concatenate([model.sigma, more, np.diag(size)], axis=1))


def test_independent_destinations_are_solved_whatever_their_shocks():
    """Alone only the volatility of its cost matters to a destination, not what it shares with others."""
    model = with_own(preset("separable", 6), common=1)
    total = np.sqrt((model.sigma**2).sum(1))
    apart = dataclasses.replace(model, sigma=np.diag(total))
    rng = np.random.default_rng(0)
    y = (rng.random((50, 6)) < 0.5).astype(float)
    nu = model.nubar + model.spread * rng.normal(size=(50, 6))
    assert isinstance(exact_solution(model), SeparableSolution)
    assert exact_solution(model).value(y, nu) == pytest.approx(exact_solution(apart).value(y, nu), rel=1e-12)
    result = solve_bsde(model, budget=Budget(steps=100), analysis=SMALL)
    validation = result.tables()["validation"].set_index("states")
    assert result.status == "converged"
    assert (validation["max_relative_error"] < 1e-5).all()
    assert (validation["decision_accuracy"] > 0.999).all()


def test_pairs_with_shocks_of_their_own_meet_enumeration():
    """Costs uncorrelated, which suits the enumeration's grid, yet moved by two common shocks beside their own."""
    loadings = np.array([[0.3, 0.1, 0.2, 0.0], [0.1, -0.3, 0.0, 0.25]])
    model = dataclasses.replace(preset("blocks", 2), c=np.array([[0.0, 0.4], [0.3, 0.0]]), sigma=loadings)
    coarse, fine = (EnumeratedSolution(OwnExporter.of(model), points=points) for points in (41, 81))
    blocks = exact_solution(model)
    assert isinstance(blocks, BlocksSolution)
    rng = np.random.default_rng(1)
    y = (rng.random((200, 2)) < 0.5).astype(float)
    nu = model.nubar + model.spread * rng.normal(size=(200, 2)).clip(-2, 2)
    truth = blocks.value(y, nu)
    errors = [np.abs(found.value(y, nu) / truth - 1).max() for found in (coarse, fine)]
    assert errors[1] < 1e-4
    assert errors[1] < 0.4 * errors[0]
    assert (fine.accept(y, nu) == blocks.accept(y, nu)).mean() > 0.99


def test_value_of_a_pair_equals_simulation():
    model = with_own(dataclasses.replace(preset("blocks", 2), c=np.array([[0.0, 0.4], [0.3, 0.0]])), own=0.5)
    exact = exact_solution(model)
    y, nu = np.array([1.0, 0.0]), model.nubar + model.spread * np.array([1.0, -0.5])
    mean, error = simulated_value(model, y, nu, exact.accept, 3000, seed=2)
    assert abs(mean - exact.value(y[None], nu[None])[0]) <= 3 * error


def test_there_is_no_exact_solution_of_larger_blocks():
    model = with_own(preset("blocks", 5))
    assert exact_solution(model) is None
    with pytest.raises(ModelError, match="covers blocks whose costs two factors move"):
        BlocksSolution(model)


def test_costs_have_the_law_that_loadings_say():
    model = with_own(preset("gravity", 3), common=1)
    dynamics = model.on(dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    drawn = dynamics.draw(200_000, generator).x
    later = dynamics.diffuse(
        drawn, 0.7, torch.randn(200_000, dynamics.shocks, generator=generator, dtype=torch.float64)
    )
    cov = model.loading @ model.loading.T
    assert np.cov(later.numpy().T) == pytest.approx(cov, abs=0.01 * cov.max())
    between = (drawn - drawn.mean(0)).T @ (later - later.mean(0)) / len(drawn)
    assert between.numpy() == pytest.approx(math.exp(-0.7 * model.theta) * cov, abs=0.01 * cov.max())


@pytest.mark.parametrize("common", [0, 2])
def test_folders_keep_all_shocks(tmp_path, common):
    model = with_own(preset("gravity", 4), common=common)
    write_folder(model, tmp_path / "mine")
    header = (tmp_path / "mine" / "destinations.csv").read_text().splitlines()[0]
    assert header == ",".join(["destination,zeta,nubar,s", *(f"sigma_{k}" for k in range(2 + common)), "sigma_own"])
    assert read_folder(tmp_path / "mine").digest() == model.digest()


def test_folders_of_single_shocks_and_of_none(tmp_path):
    table = "destination,zeta,nubar,s,{0}\na,1,1,0.5,{1}\nb,1,1,0.5,{2}\n"
    (tmp_path / "complementarity.csv").write_text("destination,other,c\n")
    (tmp_path / "process.yaml").write_text("theta: 0.35\nlambda0: 0.3\nlambda1: 0.2\nrho: 0.05\n")
    (tmp_path / "destinations.csv").write_text(table.format("sigma_own", 0.3, 0.2))
    assert np.array_equal(load_model(str(tmp_path)).sigma, np.diag([0.3, 0.2]))
    (tmp_path / "destinations.csv").write_text(table.format("sigma_0,sigma_own", "0.1,0", "0.2,0.3"))
    assert np.array_equal(load_model(str(tmp_path)).sigma, [[0.1, 0.0], [0.2, 0.3]])
    (tmp_path / "destinations.csv").write_text(table.format("sigma_own", 0.3, 0))
    with pytest.raises(ModelFolderError, match="sigma_own is not 0: costs must move"):
        read_folder(tmp_path)
    (tmp_path / "destinations.csv").write_text(table.format("longitude", 3, 2))
    with pytest.raises(ModelFolderError, match="costs move with shocks; give sigma_0, or sigma_own"):
        read_folder(tmp_path)


def test_parameters_as_states_move_all_shocks():
    model = with_own(preset("separable", 3))
    at = Box.of(model, {"sigma_scale": [0.8, 1.2]}).model_at(np.array([1.1]))
    assert at.sigma == pytest.approx(1.1 * model.sigma, rel=1e-6)
