"""Effort at a cost, and luck in costs: exact solutions against each other and by other means, and training on them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from own_models import OwnExporter

from dlopt.choice import AnalysisOptions, Budget, EnumeratedSolution, NetworkEconomy, preset, solve_bsde
from dlopt.choice.effort import Choosing, EffortCost, PowerCost
from dlopt.choice.exporter.exact import BlocksSolution, LumpedSolution, SeparableSolution
from dlopt.choice.exporter.folder import read_folder, write_folder
from dlopt.choice.folder_files import ModelFolderError
from dlopt.choice.production import traits as production
from dlopt.choice.production.exact.grid import NetworkGridSolution
from dlopt.choice.production.presets import synthetic

ALL = {"search_cost": 2.0, "search_power": 3.0, "keep_cost": 8.0, "s_noise": 0.2}
SMALL = AnalysisOptions(
    certificate_paths=64, certificate_years=20, out_of_sample=50, paths=16, years=10, response_paths=8, validation=512
)


def random_states(model, count=200, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random((count, model.destinations)) < 0.5).astype(float)
    return y, model.nubar + rng.normal(size=(count, 2)) @ model.loading.T


class Quadratic(EffortCost):
    """A user's cost, solved by search; and the same with a closed form to compare with."""

    most = 5.0

    def __init__(self, scale=1.7):
        self.scale = scale

    def cost(self, effort):
        return 0.5 * self.scale * effort**2


@pytest.mark.parametrize("power", [1.5, 2.0, 3.0])
def test_the_surplus_is_the_conjugate_of_the_cost(power):
    cost = PowerCost(1.7, power)
    gain = torch.linspace(-1, 3, 9, dtype=torch.float64, requires_grad=True)
    efforts = torch.linspace(0, 10, 200_001, dtype=torch.float64)
    best = (efforts * gain.detach()[:, None] - cost.cost(efforts)).max(1).values
    surplus = cost.surplus(gain)
    assert surplus.detach().numpy() == pytest.approx(best.numpy(), abs=1e-7)
    (slope,) = torch.autograd.grad(surplus.sum(), gain)
    assert slope.numpy() == pytest.approx(cost.effort(gain.detach()).numpy(), abs=1e-12)  # the envelope theorem


def test_a_cost_of_ones_own_is_maximised_by_search():
    gain, limit = torch.linspace(-1, 6, 15), torch.tensor(2.5)
    for bound in (None, limit):
        found, closed = Quadratic().surplus(gain, bound), PowerCost(1.7).surplus(gain, bound)
        assert found.numpy() == pytest.approx(closed.numpy(), abs=1e-5)


def test_luck_in_costs_is_the_expected_best_of_a_logistic_draw():
    draws = torch.tensor(np.random.default_rng(0).logistic(size=400_000))
    for gain in (-0.5, 0.1, 0.8):
        how, one = Choosing(noise=0.3), torch.tensor([gain], dtype=torch.float64)
        net = gain - 0.3 * draws
        assert float(how.opportunity(one)) == pytest.approx(float(net.clamp_min(0).mean()), abs=4e-3)
        assert float(how.taken(one)) == pytest.approx(float((net > 0).double().mean()), abs=4e-3)


@pytest.mark.parametrize("changes", [{"search_cost": 2.0}, ALL])
def test_separable_and_blocks_agree(changes):
    model = dataclasses.replace(preset("separable", 3), **changes)
    y, nu = random_states(model)
    alone, together = SeparableSolution(model), BlocksSolution(model)
    assert alone.value(y, nu) == pytest.approx(together.value(y, nu), rel=1e-5)
    assert (alone.value(y, nu) > SeparableSolution(preset("separable", 3)).value(y, nu)).all()  # effort is a choice


def test_identical_destinations_agree_with_blocks():
    model = dataclasses.replace(preset("lumped", 3), **ALL)
    y, nu = random_states(model)
    assert LumpedSolution(model, 481).value(y, nu) == pytest.approx(BlocksSolution(model).value(y, nu), rel=1e-5)


@dataclasses.dataclass(frozen=True, eq=False)
class Searcher(OwnExporter):
    """A model of one's own, with a cost of its own."""

    own: bool = True

    def choosing(self, state):
        return Choosing(search=Quadratic(2.0) if self.own else PowerCost(2.0), keep=PowerCost(8.0, 3.0), noise=0.2)


def test_enumeration_of_models_of_ones_own_agrees():
    model = dataclasses.replace(preset("lumped", 2), search_cost=2.0, keep_cost=8.0, keep_power=3.0, s_noise=0.2)
    given = OwnExporter.of(model)
    fields = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    one = {  # one cost moves both destinations
        "centre": model.nubar[:1], "spread": model.spread[:1], "loading": model.loading[:1], "sigma": model.sigma[:1],
    }  # fmt: skip
    y, nu = random_states(model, 50)
    exact = LumpedSolution(model).value(y, nu)
    for own in (False, True):
        searcher = Searcher(**{**fields, **one}, own=own)
        found = EnumeratedSolution(searcher).value(y, nu[:, :1])
        assert found == pytest.approx(exact, rel=1e-4), own


def test_effort_so_dear_that_none_is_made_changes_no_bit():
    plain, dear = preset("blocks", 6), dataclasses.replace(preset("blocks", 6), search_cost=1e30, keep_cost=1e30)
    assert plain.digest() == dataclasses.replace(plain, search_power=2.0).digest() != dear.digest()
    found = [solve_bsde(model, budget=Budget(steps=3), analysis=SMALL, seed=1) for model in (plain, dear)]
    weights = [result.solution.state_dict() for result in found]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.parametrize("changes", [{"search_cost": 2.0}, ALL])
def test_separable_with_effort_is_solved(changes):
    model = dataclasses.replace(preset("separable", 5), **changes)
    result = solve_bsde(model, budget=Budget(steps=3), analysis=SMALL)
    errors = result.table("validation").set_index("states")
    assert (errors["relative_error"] < 2e-4).all()
    assert (errors["decision_accuracy"] > 0.995).all()
    certificate = result.certificate
    assert abs(certificate.value_gap_pct) < 0.01  # simulated under rates with effort


def test_training_learns_effort_under_complementarity():
    model = dataclasses.replace(preset("blocks", 5), search_cost=2.0, keep_cost=8.0)
    result = solve_bsde(model, budget=Budget(steps=300), analysis=SMALL)
    errors = result.table("validation").set_index("states").loc["long_run"]
    assert errors["relative_error"] < 2e-4
    assert errors["decision_accuracy"] > 0.995


def economy(**changes):
    """Two sectors with strong links."""
    alpha = np.array([[0.05, 0.5], [0.45, 0.05]])
    return NetworkEconomy(
        np.array([0.6, 0.4]), alpha, np.array([0.02, -0.03]), np.array([[0.04, 0.01], [-0.01, 0.05]]), 0.138, 0.5, 1.0,
        2.0, 0.5, 0.5, 0.04, **changes,
    )  # fmt: skip


def test_a_planner_who_searches_follows_the_grid():
    plain = NetworkGridSolution(economy(), 21)
    model = economy(search_cost=0.02, keep_cost=0.05)
    exact = NetworkGridSolution(model, 21)
    y = np.array([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)])
    eps, z = np.tile(model.eps_bar, (4, 1)), np.zeros(4, dtype=int)
    assert (exact.value(y, eps, z) > plain.value(y, eps, z)).all()
    dear = NetworkGridSolution(economy(search_cost=1e12), 21)
    assert dear.value(y, eps, z) == pytest.approx(plain.value(y, eps, z), rel=1e-8)
    result = solve_bsde(model, budget=Budget(steps=200), analysis=SMALL)
    errors = result.table("validation").set_index("states").loc["long_run"]
    assert errors["relative_error"] < 2e-4
    assert errors["decision_accuracy"] > 0.99


def test_three_sectors_whose_planner_searches_follow_the_grid(monkeypatch):
    monkeypatch.setattr(production, "NetworkGridSolution", lambda model: NetworkGridSolution(model, 17))
    model = dataclasses.replace(synthetic(3, own_share=0.05), search_cost=2.0, keep_cost=4.0)
    result = solve_bsde(model, budget=Budget(steps=600), analysis=SMALL)
    table = result.table("validation")
    assert (table["relative_error"] < 2e-4).all()
    assert (table["decision_accuracy"] > 0.98).all()


def test_folders_keep_effort(tmp_path):
    model = dataclasses.replace(preset("blocks", 4), **ALL)
    write_folder(model, tmp_path / "m")
    assert read_folder(tmp_path / "m").digest() == model.digest()
    process = tmp_path / "m" / "process.yaml"
    plain = "theta: 0.35\nlambda0: 0.3\nlambda1: 0.2\nrho: 0.05\n"
    process.write_text(plain + "search: 4\n")
    read = read_folder(tmp_path / "m")
    assert (read.search_cost, read.search_power, read.keep_cost) == (4.0, 2.0, math.inf)
    for wrong, word in (
        ("search: 0", "above 0"),
        ("keep: {power: 2}", "cost"),
        ("search: {cost: 1, power: 1}", "above 1"),
    ):
        process.write_text(plain + wrong + "\n")
        with pytest.raises(ModelFolderError, match=word):
            read_folder(tmp_path / "m")
