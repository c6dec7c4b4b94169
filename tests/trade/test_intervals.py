"""Intervals: closed forms, the delta method against draws, draws that no process or interruption changes."""

from __future__ import annotations

import math
from functools import cache

import pandas as pd
import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

from dlopt import InstrumentChoice, SolveResult, solve_cooperative, solve_equilibrium, solve_nash, solve_unilateral
from dlopt.framework.tape import Tape
from dlopt.trade.interval_words import headlines, in_words
from dlopt.trade.intervals import intervals
from dlopt.trade.parameters import moved, parameters_of
from dlopt.trade.prior import Prior, PriorError
from dlopt.trade.redraw import RedrawInterrupted, redraw
from dlopt.trade.sensitivity import sensitivities
from dlopt.trade.sobol import sobol

TARIFFS = InstrumentChoice(tariff="by_sector")


@cache
def war() -> SolveResult:
    return solve_nash(small_synthetic(2, 3), instruments=TARIFFS)


@cache
def small_open_economy() -> SolveResult:
    world = one_sector_two_countries(theta=4.0, sizes=(1e-4, 1.0), imports=3e-5)
    return solve_unilateral(world, "Home", instruments=TARIFFS)


def test_standard_error_and_interval_of_an_optimal_tariff_in_closed_form() -> None:
    """t = 1/theta for a small economy: to first order its error is that of theta over theta squared."""
    result = small_open_economy()
    found = intervals(result, Prior.independent(parameters_of(result.model.given, ["theta"]), 0.05), level=0.95)
    row = found.policies().iloc[0]
    assert row["rate"] == pytest.approx(1 / 4, rel=1e-3)
    assert row["standard_error"] == pytest.approx(0.05 * 4 / 4**2, rel=2e-3)
    half = 1.959964 * row["standard_error"]
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=1e-2)


def test_draws_solve_again_what_they_draw() -> None:
    """Every draw's tariff is one over its theta; its median that of theta's median; a lost draw is counted."""
    result = small_open_economy()
    prior = Prior.independent(parameters_of(result.model.given, ["theta"]), 0.3)
    found = intervals(result, prior, draws=50, processes=1)
    assert found.draws is not None
    assert found.draws.failed == 0
    theta = 4.0 + found.draws.changes[:, 0]
    assert found.draws.instruments[:, 0].expm1() == pytest.approx((1 / theta).numpy(), rel=2e-3)
    normal = Prior(prior.parameters, torch.tensor([[4.0**2]], dtype=torch.float64), "normal")
    lost = redraw(found.slopes, normal.draws(40), 1)
    assert lost.failed == int((normal.draws(40)[:, 0] <= -4).sum())
    assert lost.failed > 0


def test_draws_equal_solving_the_game_again() -> None:
    result = war()
    prior = Prior.independent(parameters_of(result.model.given), 0.2)
    drawn = redraw(sensitivities(result, prior.parameters), prior.draws(2, seed=3), 1)
    for change, outcomes in zip(drawn.changes, drawn.outcomes, strict=True):
        world = result.model.given
        for parameter, amount in zip(prior.parameters, change.tolist(), strict=True):
            world = moved(world, parameter, amount)
        again = solve_nash(world, instruments=TARIFFS)
        assert outcomes[0] == pytest.approx(again.real_income_change_pct.numpy(), abs=1e-6)


def test_the_delta_method_equals_draws_at_small_variance() -> None:
    """Standard errors of standard errors are 1/sqrt(2 draws) of them; three of those."""
    result = war()
    prior = Prior.independent(parameters_of(result.model.given), 0.002)
    found = intervals(result, prior, draws=300, seed=1, processes=1)
    table = found.table().set_index(["method", "economy"])["standard_error"]
    ratio = (table["draws"] / table["delta"]).to_numpy()
    assert ratio == pytest.approx(1.0, abs=3 / math.sqrt(2 * 300))
    rates = found.policies().set_index(["method", "instrument"])["standard_error"]
    assert (rates["draws"] / rates["delta"]).to_numpy() == pytest.approx(1.0, abs=4 / math.sqrt(2 * 300))
    means = found.averages().set_index(["method", "player"])["standard_error"]
    assert (means["draws"] / means["delta"]).to_numpy() == pytest.approx(1.0, abs=3 / math.sqrt(2 * 300))


def test_averages_of_rates_are_those_of_the_rates_drawn_and_draws_are_all_shown() -> None:
    result = war()
    prior = Prior.independent(parameters_of(result.model.given, ["theta"]), 0.02)
    found = intervals(result, prior, draws=60, processes=1)
    assert found.draws is not None
    averages, policies = found.averages(), found.policies()
    rates = policies[policies["method"] == "delta"].groupby("player", sort=False)["rate"].mean()
    delta, drawn = (averages[averages["method"] == name].set_index("player") for name in ("delta", "draws"))
    assert list(delta["rate"]) == pytest.approx(100 * rates[delta.index].to_numpy())
    own = torch.stack([
        found.draws.instruments[:, [p == player for p in policies["player"][: result.instruments.count]]]  # type: ignore[union-attr]
        .expm1()
        .mean(1)
        for player in drawn.index
    ])  # fmt: skip
    assert list(drawn["standard_error"]) == pytest.approx((100 * own.std(1)).tolist())
    every = found.drawn()
    assert len(every) == 60 * len(result.calibration.economies)
    first = every[every["draw"] == 0]["real_income_change_pct"].to_numpy()
    assert first == pytest.approx(found.draws.outcomes[0, 0].numpy())


def test_a_planners_rates_are_those_of_the_economies_that_set_them() -> None:
    result = solve_cooperative(small_synthetic(2, 3), instruments=TARIFFS)
    names = set(result.calibration.economies)
    found = intervals(result, Prior.independent(parameters_of(result.model.given, ["theta"])))
    assert set(found.averages()["player"]) == names
    assert set(found.slopes.policies()["player"]) == names
    policies, table = found.policies(), result.table("policies")
    own = table.groupby("economy")["rate"].apply(lambda rates: sorted(rates.round(12)))
    for name in names:
        assert sorted(policies.loc[policies["player"] == name, "rate"].round(12)) == own[name]


def test_draws_that_may_have_several_equilibria_are_counted() -> None:
    """Theta times psi above one in a sector, at the elasticities drawn."""
    result = war()
    world = result.model.given
    prior = Prior.independent(parameters_of(world, ["theta", "psi"]), 0.4)
    found = intervals(result, prior, draws=20, processes=1)
    assert found.draws is not None
    values = found.draws.changes + torch.tensor([p.value for p in prior.parameters], dtype=torch.float64)
    j = world.n_sectors
    scaled = [p.where[0] for p in prior.parameters if p.kind == "psi"]
    above = (values[:, :j][:, scaled] * values[:, j:] > 1).any(1)
    assert 0 < found.steep == int(above.sum()) < 20
    assert f"In {found.steep} draws theta times psi is above one" in found.message


def test_sentences_say_whose_sign_is_sure() -> None:
    rows = [("A", -1.0, -2.0, -0.5), ("B", 0.1, -0.2, 0.3), ("C", 1.0, 0.5, 2.5)]
    table = pd.DataFrame(
        [(name, "draws", *figures) for name, *figures in rows],
        columns=["economy", "method", "real_income_change_pct", "low", "high"],
    )
    assert headlines(table, 200) == [
        "With uncertain parameters 1 of 3 intervals of real income hold gains only; 1 of 3 intervals of real income "
        "hold losses only; the sign is open for B. Widest: C, +0.50 to +2.50 %."
    ]


def test_seeds_processes_and_interruptions_change_no_number() -> None:
    result = war()
    prior = Prior.independent(parameters_of(result.model.given), 0.1)
    slopes, changes = sensitivities(result, prior.parameters), prior.draws(50, seed=5)
    assert torch.equal(changes, prior.draws(50, seed=5))
    assert not torch.equal(changes, prior.draws(50, seed=6))
    straight = redraw(slopes, changes, 1)
    tape = Tape()
    tape.stop = lambda: len(tape.entries) >= 1
    with pytest.raises(RedrawInterrupted):
        redraw(slopes, changes, 1, tape)
    resumed = redraw(slopes, changes, 2, Tape(tape.entries))
    assert torch.equal(straight.outcomes, resumed.outcomes)
    assert torch.equal(straight.instruments, resumed.instruments)


def test_draws_and_sobol_indices_share_a_record() -> None:
    pytest.importorskip("SALib")
    result, tape = war(), Tape()
    prior = Prior.independent(parameters_of(result.model.given, ["theta"]), 0.1)
    found = intervals(result, prior, draws=21, processes=1, tape=tape)
    shares = sobol(result, prior, base=4, processes=1, tape=tape, slopes=found.slopes)
    again = Tape(tape.entries[:2])
    resumed = intervals(result, prior, draws=21, processes=1, tape=again)
    assert found.draws is not None
    assert resumed.draws is not None
    assert torch.equal(found.draws.outcomes, resumed.draws.outcomes)
    assert torch.equal(sobol(result, prior, base=4, processes=1, tape=again).total, shares.total)


def test_alternatives_vary_as_they_disagree() -> None:
    parameters = parameters_of(small_synthetic(2, 3), ["theta"])
    values = torch.tensor([[4.0, 5.0, 6.0], [5.0, 5.0, 3.0], [8.0, 5.0, 6.0]], dtype=torch.float64)
    prior = Prior.of_alternatives(parameters, values)
    assert prior.covariance == pytest.approx(torch.cov(values.log().T).numpy())
    draws = prior.draws(4000)
    centre = torch.tensor([p.value for p in parameters])
    logs = (1 + draws / centre).log()
    assert torch.cov(logs.T) == pytest.approx(prior.covariance.numpy(), abs=0.02)
    assert not draws[:, 1].any()


def test_evidence_ranks_what_would_narrow_most() -> None:
    """Independent parameters: what knowing one leaves is the variance of the others."""
    result = war()
    prior = Prior.independent(parameters_of(result.model.given), 0.1)
    found = intervals(result, prior)
    evidence, (errors, _) = found.evidence(), found.standard_errors
    first = evidence.iloc[0]
    economy = result.calibration.economy_index(first["economy"])
    slopes = found.slopes.welfare[economy]
    sizes = (slopes * torch.tensor([0.1 * p.value for p in prior.parameters])) ** 2
    k = [p.label for p in prior.parameters].index(first["parameter"])
    assert first["standard_error"] == pytest.approx(float(errors[economy]))
    assert first["known"] == pytest.approx(math.sqrt(float(sizes.sum() - sizes[k])))
    assert evidence["average_pct"].is_monotonic_decreasing
    assert in_words(evidence)[0].startswith(f"Knowing {first['name']} exactly would narrow")


def test_sobol_indices_of_an_answer_that_is_nearly_linear_are_the_delta_methods_shares() -> None:
    pytest.importorskip("SALib")
    world = small_synthetic(2, 2)
    result = solve_equilibrium(world, None)
    tariff = world.tariff.clone()
    tariff[0, 1] += 0.3
    result = solve_equilibrium(world, type(result.policy)(tariff, world.export_tax, world.subsidy))
    prior = Prior.independent(parameters_of(world), 0.02)
    found = sobol(result, prior, base=128, processes=1)
    assert found.failed == 0
    assert found.base == 128
    slopes = sensitivities(result, prior.parameters).welfare
    parts = slopes**2 * prior.of_values.diagonal()
    shares = parts / parts.sum(1, keepdim=True)
    assert found.first == pytest.approx(shares.numpy(), abs=0.08)
    assert found.total == pytest.approx(shares.numpy(), abs=0.08)
    grouped = sobol(result, prior, base=64, groups=[p.kind for p in prior.parameters], processes=1)
    assert grouped.groups == ("theta", "psi")
    assert grouped.first.sum(1) == pytest.approx(torch.ones(2).numpy(), abs=0.15)


def test_priors_that_are_none_are_refused() -> None:
    parameters = parameters_of(small_synthetic(2, 2), ["theta"])
    with pytest.raises(PriorError, match="negative eigenvalue"):
        Prior(tuple(parameters), torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64))
    with pytest.raises(PriorError, match=r"need \(2, 2\)"):
        Prior(tuple(parameters), torch.eye(3, dtype=torch.float64))
    with pytest.raises(PriorError, match="above 0"):
        Prior.independent(parameters, 0.0)
    with pytest.raises(PriorError, match="at least two sources"):
        Prior.of_alternatives(parameters, torch.ones((1, 2), dtype=torch.float64))
    pytest.importorskip("SALib")
    with pytest.raises(PriorError, match="one group"):
        sobol(war(), Prior.independent(parameters, 0.1), 4, groups=["theta", "theta"])
    correlated = Prior(tuple(parameters), torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64))
    with pytest.raises(PriorError, match="correlations"):
        sobol(war(), correlated, 4)
    with pytest.raises(PriorError, match="between 0 and 1"):
        intervals(war(), level=90)
