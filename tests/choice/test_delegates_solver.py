"""Delegates by training: errors against the grid, gains from deviating, the control variate, resuming, the shell."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from commands import dlopt
from delegate_economies import pair, states
from watching import Until

import dlopt as front
from dlopt.choice import (
    AnalysisOptions,
    Budget,
    Delegates,
    DelegatesCertificate,
    load_solution,
    solve_bsde,
    solve_exact,
)
from dlopt.choice.model import State
from dlopt.choice.production.control_variate import ExpectedLinksBaseline
from dlopt.choice.production.delegates.control_variate import PartiesBaseline
from dlopt.choice.production.delegates.deviations import simulate
from dlopt.choice.production.delegates.evaluation import doing, residuals
from dlopt.choice.production.delegates.exact import ExactDelegates
from dlopt.choice.production.delegates.grid import DelegatesGridSolution
from dlopt.choice.production.delegates.own_links import MendedBaseline
from dlopt.choice.production.delegates.value import PartiesValue, build_value, likely_states
from dlopt.choice.production.folder import write_network
from dlopt.choice.production.kind import DECIDES, sheets
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_METHOD, arrays, with_clock
from dlopt.choice.states import switch_columns
from dlopt.kind import Ended, Status

SMALL = AnalysisOptions(
    certificate_paths=16, certificate_years=10.0, paths=32, validation=500, response_years=2.0, response_paths=16
)


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.pt"
    return solve_bsde(Delegates.of(pair()), budget=Budget(steps=300), analysis=SMALL, checkpoint=path), path


@pytest.mark.parametrize("gamma", [2.0, 1.0, 0.5])
def test_control_variate_is_that_of_a_planner_with_each_partys_basket(gamma):
    economy = dataclasses.replace(synthetic(4), gamma=gamma)
    dynamics = Delegates.of(economy, own=0.7).on(dtype=torch.float64)
    accept = np.random.default_rng(0).random((4, 4))
    state = dynamics.draw(30, torch.Generator().manual_seed(0), 1.0, 0.5)
    at = PartiesBaseline(dynamics, accept.copy()).evaluate(state)
    for party, basket in enumerate(dynamics.baskets):
        planner = dataclasses.replace(economy, beta=basket.numpy() / basket.numpy().sum()).on(dtype=torch.float64)
        alone = ExpectedLinksBaseline(planner, accept.copy()).evaluate(state)
        for ours, theirs in ((at.value, alone.value), (at.worth, alone.marginal), (at.generator, alone.generator),
                             (at.clock, alone.clock)):  # fmt: skip
            torch.testing.assert_close(ours[:, party], theirs, rtol=1e-8, atol=1e-11)


def test_tables_of_own_links_are_values_and_help():
    dynamics = Delegates.of(synthetic(4, own_share=0.05)).on(dtype=torch.float64)
    plain, generator = PartiesBaseline(dynamics, np.ones((4, 4))), torch.Generator().manual_seed(0)
    state = likely_states(plain, 200, generator)
    mended = MendedBaseline(plain, state)
    assert mended.table.any()
    at, rows, index = mended.evaluate(state), torch.arange(200), dynamics.movable(state)
    for z in range(4):
        torch.testing.assert_close(at.clock[:, :, z], mended.evaluate(with_clock(state, z)).value, rtol=1e-11, atol=0)
    for k in range(3):
        sides = []
        for on in (1.0, 0.0):
            y = state.y.clone()
            y[rows, index[:, k]] = on
            sides.append(mended.evaluate(State(y, state.x, state.z)).value)
        torch.testing.assert_close(at.worth[:, :, k], sides[0] - sides[1], rtol=1e-7, atol=1e-10)
    fresh = likely_states(plain, 400, generator)
    left = [residuals(dynamics, fresh, b.evaluate(fresh), doing(dynamics, fresh, b.evaluate(fresh).marginal))
            for b in (plain, mended)]  # fmt: skip
    size = [(r - r.mean(0)).abs().mean(0)[:4] for r in left]
    assert (size[1] <= 1.1 * size[0]).all()
    assert size[1].sum() < 0.7 * size[0].sum()


def test_equations_hold_where_links_are_frozen():
    dynamics = Delegates.of(dataclasses.replace(synthetic(5), link_rate=0.0)).on(dtype=torch.float64)
    state = dynamics.draw(30, torch.Generator().manual_seed(0), 1.0, 0.5)
    at = PartiesBaseline(dynamics, np.ones((5, 5))).evaluate(state)
    assert float(residuals(dynamics, state, at, doing(dynamics, state, at.marginal)).abs().max()) < 1e-10


def test_two_sectors_meet_the_grid(solved):
    result = solved[0]
    table = result.table("validation")
    assert (table["relative_error"] < 2e-4).all()
    assert (table[["society_error", "planner_error"]] < 2e-4).all().all()
    assert (table["decision_accuracy"] > 0.98).all()
    assert result.status == "converged", result.message
    assert isinstance(result.certificate, DelegatesCertificate)
    assert result.certificate.delegates_that_gain == 0


def test_no_deviation_gains_and_comparisons_agree_with_the_grid(solved):
    result = solved[0]
    deviations = result.table("deviations")
    assert set(deviations["deviation"]) == {"best_reply", "sectors"}
    assert (deviations["gain_pct"] < 0.1).all()
    assert (deviations.query("deviation == 'sectors'")["gain"] < deviations["gain_se"].max()).all()
    exact = solve_exact(Delegates.of(pair()), analysis=SMALL)
    here, there = (r.table("decentralised").set_index("decides") for r in (result, exact))
    assert (
        here.loc["sectors", "consumption_equivalent_pct"] < here.loc["delegates", "consumption_equivalent_pct"] + 1e-3
    )
    np.testing.assert_allclose(here["log_gdp_pct"], there["log_gdp_pct"], atol=4)  # the starts are drawn


def test_simulated_gains_are_those_of_the_grid():
    """From what is no equilibrium: delegates who think that every link costs them 2 form none."""
    model = Delegates.of(pair(kappa_0=0.5, kappa=1.0))
    dynamics = model.on()
    generator = torch.Generator().manual_seed(0)
    right = build_value(dynamics, NETWORK_METHOD, generator)

    class Wrong(PartiesValue):
        def corrected(self, base, state):
            at, links = super().corrected(base, state), 2 * state.y.sum(1)[:, None]
            return dataclasses.replace(at, value=at.value - links, worth=at.worth - 2, clock=at.clock - links[:, None])

    wrong = Wrong(dynamics, right.baseline, right.network)
    one = State(torch.zeros(1, 2), dynamics.centre[None], torch.tensor([0]))
    found = simulate(wrong, right, one.rows(torch.zeros(400, dtype=torch.long)), 60.0, generator)
    gain = found.deviating["sectors"] - found.integral[:, :2].T
    grid = DelegatesGridSolution(model, 21)
    exact, grid.conduct = ExactDelegates(dynamics, grid), grid.always(False)
    grid.tables = grid.delegates(grid.conduct)
    place = arrays(one)
    for i in range(2):
        truth = grid.value_in(exact.deviations(i)["sectors"] - grid.tables[i], *place)[0]
        assert truth > 0.1
        error = float(gain[i].std()) / 400**0.5
        assert abs(float(gain[i].mean()) - truth) < 3 * error + 0.03 * truth  # steps of half a year
        assert 3 * error < 0.5 * truth


def test_the_planners_values_are_judged_by_her_own_conduct():
    """Where delegates do worse than she does, that is no error of hers: value and residuals give the exact distance."""
    model = Delegates.of(pair(search_cost=0.2))
    dynamics, generator = model.on(), torch.Generator().manual_seed(0)
    value = build_value(dynamics, NETWORK_METHOD, generator)
    one = State(torch.zeros(1, 2), dynamics.centre[None], torch.tensor([0]))
    found = simulate(value, value, one.rows(torch.zeros(400, dtype=torch.long)), 60.0, generator)
    truth = ExactDelegates(dynamics, DelegatesGridSolution(model, 21)).parties(one).value[0]
    planner, society = dynamics.planner, dynamics.society
    distance = float(truth[planner] - truth[society])
    more = found.integral[:, planner] - found.integral[:, society]
    error = float(more.std()) / 400**0.5
    simulated = float(found.value[planner] - found.value[society] + more.mean())
    assert distance > 10 * error
    assert abs(simulated - distance) < 3 * error + 0.03 * distance  # steps of half a year


def test_delegates_who_search_meet_the_grid():
    result = solve_bsde(Delegates.of(pair(search_cost=2.0, keep_cost=3.0)), budget=Budget(steps=300), analysis=SMALL)
    table = result.table("validation")
    assert (table[["relative_error", "society_error"]] < 2e-4).all().all()
    assert result.certificate.delegates_that_gain == 0


def test_a_screen_shows_who_gains(solved):
    ended = Ended("bsde", Status.CONVERGED, {}, lambda name: solved[0].frames.get(name))
    society, gains = sheets(ended)
    assert [row[0] for row in society.rows] == list(DECIDES.values())
    assert [row[0] for row in gains.rows] != []
    assert "standard error" in gains.title
    assert sheets(dataclasses.replace(ended, table=lambda name: None)) == []


def test_checkpoints_hold_everything(solved, tmp_path):
    result, path = solved
    model, value = load_solution(path)
    assert model == Delegates.of(pair())
    y, eps, z = (torch.tensor(a) for a in states(pair(), 5))
    state = State(y.float(), eps.float(), z)
    torch.testing.assert_close(value.by_player(state), result.solution.by_player(state))
    budget, cut = Budget(steps=20, evaluations=2), tmp_path / "cut.pt"
    whole = solve_bsde(model, budget=budget, analysis=SMALL)
    part = solve_bsde(model, budget=budget, analysis=SMALL, checkpoint=cut, watch=Until(10))
    assert part.status == "interrupted"
    assert solve_bsde(model, budget=budget, analysis=SMALL, resume=cut).certificate == whole.certificate


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    write_network(pair(), place / "two")
    y, eps, z = states(pair(), 4)
    table = pd.DataFrame(np.c_[y, eps], columns=[*switch_columns(pair()), "eps_1", "eps_2"])
    table["z"], table["state"] = [("1", "2")[k] for k in z], list("abcd")
    table.to_csv(place / "states.csv", index=False)
    return place


SIZES = ["analysis.certificate_years=10", "analysis.certificate_paths=8", "analysis.paths=16", "threads=1"]
ASK = ["solve", "bsde", "scenario=network", "model=two", "evaluate=states.csv", *SIZES]


def test_shell_solves_evaluates_and_opens_delegates(place):
    done = dlopt(place, *ASK, "delegates=forward", "budget.steps=120", "hydra.run.dir=neural")
    assert done.returncode in (0, 2), done.stderr
    done = dlopt(place, *ASK, "delegates=forward", "method=exact", "hydra.run.dir=exact")
    assert done.returncode == 0, done.stderr
    here, there = (pd.read_parquet(place / run / "evaluation.parquet") for run in ("neural", "exact"))
    for column in ("value", "value_1", "value_2"):
        np.testing.assert_allclose(here[column], there[column], rtol=1e-3)
    record = json.loads((place / "neural" / "run.json").read_text())
    assert {"gain_pct", "gain_se_pct", "delegates_that_gain"} <= set(record["certificate"])
    for table in ("deviations", "values", "decentralised", "validation", "marginal_values", "losses"):
        assert (place / "neural" / f"{table}.parquet").is_file()
    for run, table in (("neural", here), ("exact", there)):
        opened = front.open_run(place / run)
        again = opened.evaluate(pd.read_csv(place / "states.csv", dtype={"z": str, "state": str}))
        np.testing.assert_allclose(again["value_2"], table["value_2"], rtol=1e-6)
    assert dlopt(place, "report", "neural").returncode == 0


def test_shell_bargains_and_refuses(place):
    done = dlopt(place, *ASK, "delegates=bargain", "delegates.power=0.8", "method=exact", "hydra.run.dir=bargain")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet(place / "bargain" / "deviations.parquet")["deviation"]) == {"refuse"}
    for words, expected in (
        (["delegates=bargain"], "give method=exact"),
        (["delegates=forward", "delegates.own=3"], "own is 3"),
        (["delegates=forward", "method=paper_network"], "method.loss=paper"),
        (["delegates=forward", "parameters={rho: [0.04, 0.06]}"], "box of parameters"),
        (["delegates=vote"], "forward"),
        (["scenario=export", "model=blocks", "delegates=forward"], "'delegates' is not one of this scenario's kind"),
    ):
        wrong = dlopt(place, *ASK, *words, "hydra.run.dir=wrong")
        assert wrong.returncode == 1, words
        assert expected in " ".join((wrong.stderr + wrong.stdout).split())
        assert "Traceback" not in wrong.stderr + wrong.stdout
        assert not (place / "wrong").exists()
