"""Estimation from panels: simulated firms, likelihoods against closed forms, derivatives, what is said of estimates."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from own_models import shops
from scipy.stats import multivariate_normal

from dlopt.choice import (
    Box,
    EstimateOptions,
    Exporter,
    MethodOptions,
    ModelError,
    Panel,
    PanelError,
    SureCostsError,
    check_exact,
    estimate,
    panel_tables,
    preset,
    read_panel,
    simulate_panel,
    write_panel,
)
from dlopt.choice.box_value import build_box_value
from dlopt.choice.estimation.bridge import bridge
from dlopt.choice.estimation.estimate import Progress, likelihood_of, worths_of
from dlopt.choice.estimation.inference import directions, infer
from dlopt.choice.estimation.panel_files import panel_from
from dlopt.choice.estimation.process import Process
from dlopt.choice.estimation.proxies import smoothed
from dlopt.choice.estimation.sampled import sampled_rows
from dlopt.choice.estimation.search import maximise
from dlopt.choice.estimation.worth import TrainedWorths
from dlopt.choice.training import Watch

QUICK = EstimateOptions(bootstrap=50, simulations=1, first=1)
LAMBDA0, LAMBDA1 = 0.4, 0.25


def always(switches=2, noise=0.05):
    """Destinations so good that every opportunity is taken: independent two-state chains."""
    one = np.ones(switches)
    sigma = np.stack([0.3 * one, 0.1 * np.arange(1, switches + 1)], axis=1)
    return Exporter(
        20 * one, one, one, sigma, np.zeros((switches, switches)), 0.35, LAMBDA0, LAMBDA1, 0.05, s_noise=noise
    )  # fmt: skip


def lucky(name="separable", switches=3, **changes):
    return dataclasses.replace(preset(name, switches), **{"s_noise": 0.3, **changes})


def exactly(model):
    return check_exact(model)(model.on(dtype=torch.float64))


RATES = Box.of(always(), {"lambda0": [0.2, 0.8], "lambda1": [0.1, 0.5]})
BOUNDS = {"lambda0": [0.15, 0.45], "s_scale": [0.4, 1.6]}


@pytest.fixture(scope="module")
def chains():
    return simulate_panel(exactly(always()), firms=400, years=5, every=1.0, seed=4)


@pytest.fixture(scope="module")
def firms():
    return simulate_panel(exactly(lucky()), firms=120, years=6, every=0.5, seed=5)


def test_bridge_is_the_law_given_both_ends():
    model = lucky().on(dtype=torch.float64)
    s, u = 0.3, 0.5
    start, end = (model.draw(1, torch.Generator().manual_seed(k)).x for k in (1, 2))
    keep = [math.exp(-model.reversion * t) for t in (s, u, s + u)]
    var = [1 - k**2 for k in keep]  # in long-run variances
    gain = keep[1] * var[0] / var[2]
    mean = keep[0] * (start - model.centre) + gain * (end - model.centre - keep[2] * (start - model.centre))
    left = var[0] - gain * keep[1] * var[0]
    zero, one = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    times = torch.tensor([s]).double(), torch.tensor([u]).double()
    found = bridge(model, start, end, *times, zero)
    assert torch.allclose(found, model.centre + mean, atol=1e-12)
    shock = bridge(model, start, end, *times, one) - found
    assert torch.allclose(shock, math.sqrt(left) * model.loading[:, 0], atol=1e-12)


def test_simulated_firms_are_the_chains_they_should_be(chains):
    """Share on after a year given off before, against the closed form of a two-state chain."""
    total = LAMBDA0 + LAMBDA1
    true = LAMBDA0 / total * -math.expm1(-total)
    before, after = (chains.y[chains.year == t].ravel() for t in (2.0, 3.0))
    off = before == 0
    assert after[off].mean() == pytest.approx(true, abs=4 * math.sqrt(true * (1 - true) / off.sum()))
    same = simulate_panel(exactly(always()), firms=400, years=5, every=1.0, seed=4)
    assert (same.y == chains.y).all()
    assert (same.events.year == chains.events.year).all()


def test_the_most_likely_rates_are_events_over_time(chains):
    """Where every opportunity is taken the estimates are in closed form: events over time at risk."""
    result = estimate(chains, RATES, dataclasses.replace(QUICK, tolerance=1e-4))
    at_risk = np.zeros(2)
    for firm in range(len(chains.firms)):
        mine = chains.events.firm == firm
        for j in range(2):
            hits = mine & (chains.events.switch == j)
            clock, now = 0.0, chains.y[chains.first[firm], j]
            for t, on in [*zip(chains.events.year[hits], chains.events.on[hits], strict=True), (5.0, None)]:
                at_risk[int(now)] += t - clock
                clock, now = t, on
    ons = chains.events.on.sum()
    truth = {"lambda0": ons / at_risk[0], "lambda1": (len(chains.events) - ons) / at_risk[1]}
    assert result.estimates == pytest.approx(truth, rel=1e-4)
    errors = {
        "lambda0": truth["lambda0"] / math.sqrt(ons),
        "lambda1": truth["lambda1"] / math.sqrt(len(chains.events) - ons),
    }
    assert result.table("estimates")["se_hessian"].to_list() == pytest.approx(list(errors.values()), rel=5e-3)
    assert result.status == "converged"


@pytest.mark.parametrize("pilot", [(LAMBDA0, LAMBDA1), (0.6, 0.35)])
def test_likelihood_of_a_sampled_panel_is_that_of_the_chain(chains, pilot):
    """With proposals at the truth every draw has the exact probability; elsewhere their mean has."""
    panel, worths = chains.sampled(), worths_of(RATES)
    options = dataclasses.replace(QUICK, histories=1 if pilot[0] == LAMBDA0 else 40, process=False)
    likelihood = likelihood_of(panel, worths, options, np.array(pilot), 0)
    found = float(likelihood.values(np.array([LAMBDA0, LAMBDA1])).sum())
    total = LAMBDA0 + LAMBDA1
    moves = -np.expm1(-total)
    on, off = LAMBDA0 / total * moves, LAMBDA1 / total * moves
    pair = np.flatnonzero(panel.firm[1:] == panel.firm[:-1])
    before, after = panel.y[pair], panel.y[pair + 1]
    chance = np.where(before > 0, np.where(after > 0, 1 - off, off), np.where(after > 0, on, 1 - on))
    assert found == pytest.approx(np.log(chance).sum(), rel=1e-6 if pilot[0] == LAMBDA0 else 5e-3)


def test_drawn_histories_end_where_they_must(chains):
    panel = chains.sampled()
    rows = sampled_rows(panel, exactly(always()), 0.5, 2, 2, 0)
    assert rows.draws == 4
    assert len(rows.firm) == len(panel.firm)
    assert torch.isfinite(rows.offset).all()


@pytest.mark.parametrize("changes", [{}, {"keep_cost": 4.0, "search_cost": 6.0}], ids=["plain", "effort"])
def test_scores_are_derivatives(firms, changes):
    box = Box.of(lucky(**changes), BOUNDS)
    likelihood = likelihood_of(firms.some(np.arange(20)), worths_of(box), QUICK, box.middle, 0)
    point = np.array([0.31, 0.9])
    _, score = likelihood.scores(point)
    for k in range(2):
        step = np.zeros(2)
        step[k] = 1e-3
        slope = (likelihood.values(point + step) - likelihood.values(point - step)) / 2e-3
        assert torch.allclose(score[:, k], slope, atol=2e-3, rtol=2e-3)


def test_derivatives_through_a_trained_value_function(firms):
    """The parameters enter the networks as states: what automatic differentiation says against differences."""
    box = Box.of(lucky("blocks"), BOUNDS)
    value = build_box_value(box.on(), MethodOptions(), torch.Generator().manual_seed(0))
    with torch.no_grad():
        value.network.output.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
        value.conditional.head.normal_(0, 0.1, generator=torch.Generator().manual_seed(2))
        value.scale.fill_(1.0)
    worths = TrainedWorths(value)
    likelihood = likelihood_of(firms.some(np.arange(20)), worths, QUICK, box.middle, 0)
    point = np.array([0.31, 0.9])
    _, score = likelihood.scores(point)
    for k, width in enumerate(box.high - box.low):
        step = np.zeros(2)
        step[k] = 0.01 * width
        slope = (likelihood.values(point + step) - likelihood.values(point - step)) / (0.02 * width)
        assert score[:, k].sum().item() == pytest.approx(slope.sum().item(), rel=1e-2, abs=0.3)
    # and what a switch is worth is that of the solution at the point
    state = value.model.draw(30, torch.Generator().manual_seed(3))
    state = dataclasses.replace(state, y=torch.zeros_like(state.y), x=state.x[:, :3])
    row, switch = torch.arange(30), torch.arange(30) % 3
    model, base = worths.at(point)
    placed = torch.tensor(point).repeat(30, 1)
    split = base.worth(dataclasses.replace(state, x=state.x.double(), y=state.y.double()), row, switch)
    split = split + worths.correction(placed, state, row, switch)
    assert torch.allclose(split.float(), worths.solution(point).worth(state, row, switch), atol=2e-4)
    assert model.switches == 3


def test_scores_have_mean_zero_at_the_truth(firms):
    box = Box.of(lucky(), {**BOUNDS, "s_noise": [0.1, 0.6]})
    _, score = likelihood_of(firms, worths_of(box), QUICK, box.middle, 0).scores(np.array([0.3, 1.0, 0.3]))
    each = score.numpy()
    assert np.abs(each.mean(0) / (each.std(0) / math.sqrt(len(each)))).max() < 3.5


def test_mean_reversion_is_estimated_from_costs_too(firms):
    """As well as a regression of the costs on those half a year before says: only these know it well."""
    box = Box.of(lucky(), {"theta": [0.2, 0.6]})
    result = estimate(firms, box, QUICK)
    assert abs(result.estimates["theta"] - 0.35) < 3.5 * result.standard_errors["theta"]
    alone = estimate(firms, box, dataclasses.replace(QUICK, process=False, iterations=2))
    assert not alone.standard_errors["theta"] < 2 * result.standard_errors["theta"]


@pytest.mark.parametrize("own", [(), (0.15, 0.25)], ids=["common shocks", "more shocks than costs"])
def test_likelihood_of_the_path_of_the_costs(own):
    model = lucky(switches=2)
    if own:
        model = dataclasses.replace(model, sigma=np.concatenate([model.sigma, np.diag(own)], axis=1))
    panel = simulate_panel(exactly(model), firms=3, years=2, every=0.5, seed=1)
    keep = math.exp(-0.5 * model.theta)
    cov = (1 - keep**2) * model.loading @ model.loading.T
    pair = np.flatnonzero(panel.firm[1:] == panel.firm[:-1])
    gap = panel.x[pair + 1] - model.nubar - keep * (panel.x[pair] - model.nubar)
    truth = np.bincount(panel.firm[pair], multivariate_normal(np.zeros(2), cov).logpdf(gap))
    found = Process(panel, model.on(dtype=torch.float64)).values(model.on(dtype=torch.float64)).numpy()
    assert found - found[0] == pytest.approx(truth - truth[0], abs=1e-8)


def test_estimates_with_all_that_is_said_of_them(firms):
    box = Box.of(lucky(), BOUNDS)
    result = estimate(firms, box, QUICK, changes={"same": {"s_scale": 1.0}, "cheap": {"s_scale": 0.7}}, seed=1)
    truth = {"lambda0": 0.3, "s_scale": 1.0}
    for name, value in result.estimates.items():
        assert abs(value - truth[name]) < 3.5 * result.standard_errors[name]
    table = result.table("estimates")
    for kind in ("hessian", "opg", "bootstrap"):
        assert table[f"se_{kind}"].to_numpy() == pytest.approx(table["se"].to_numpy(), rel=0.5)
    assert np.abs(result.table("moments")["t"]).max() < 5
    said = result.table("counterfactuals").set_index(["scenario", "outcome"])
    assert (said.loc["same", "difference"] == 0).all()
    assert (said.loc["same", "difference_se"] == 0).all()
    assert said.loc[("cheap", "value"), "difference"] > 0
    assert said.loc[("cheap", "turned_on"), "difference_low"] > 0
    assert (said["low"] < said["high"]).all()
    assert "Estimates" in str(result)
    with pytest.raises(ModelError, match="out of the box"):
        estimate(firms, box, QUICK, changes={"far": {"lambda0": 9.0}})


@pytest.mark.parametrize("noise", [0.3, 0.0])
def test_moments_find_the_parameters_with_and_without_luck(noise):
    model = lucky(s_noise=noise)
    seen = simulate_panel(exactly(model), firms=150, years=6, every=0.5, seed=6, events="none")
    options = EstimateOptions(by="moments", simulations=4, bootstrap=0)
    result = estimate(seen, Box.of(model, BOUNDS), options)
    assert result.status == "converged"
    for name, true in (("lambda0", 0.3), ("s_scale", 1.0)):
        assert abs(result.estimates[name] - true) < 3.5 * result.standard_errors[name]
    table = result.table("moments")
    assert list(table.columns) == ["moment", "meaning", "data", "se", "model", "difference", "t"]
    assert np.abs(table["t"]).max() < 4
    assert result.certificate.overidentifying == len(table) - 2
    assert result.certificate.distance < 30  # chi-squared with 7 degrees of freedom, nearly


def test_gone_on_with_a_search_ends_with_the_same_numbers(firms):
    box, kept = Box.of(lucky(), BOUNDS), list[Progress]()
    options = dataclasses.replace(QUICK, first=4)
    whole = estimate(firms, box, options, record=kept.append)
    for before in (kept[0], kept[len(kept) // 2]):
        again = estimate(firms, box, options, before=Progress.read(before.content()))
        assert again.estimates == whole.estimates
        pd.testing.assert_frame_equal(again.table("search"), whole.table("search"))

    class Stop(Watch):
        def stop(self):
            return True

    assert estimate(firms, box, options, watch=Stop()).status == "interrupted"


def test_what_cannot_be_relied_on_says_so(firms):
    edge = estimate(firms, Box.of(lucky(), {"lambda0": [0.1, 0.2], "s_scale": [0.4, 1.6]}), QUICK)
    assert edge.status == "not_converged"
    assert edge.certificate.at_edge == ("lambda0",)
    assert math.isnan(edge.standard_errors["lambda0"])
    # revenue and cost of all channels move D - s in nearly one way where nothing else does: zeta and nubar
    twin = Box.of(always(), {"zeta_scale": [0.9, 1.1], "lambda0": [0.2, 0.8]})
    flat = estimate(simulate_panel(exactly(always()), 60, 3, 1.0, seed=2), twin, QUICK)
    assert flat.status == "not_converged"
    assert "zeta_scale" in flat.message
    short = estimate(firms, Box.of(lucky(), BOUNDS), dataclasses.replace(QUICK, iterations=1))
    assert short.status == "not_converged"


def test_costs_without_luck_have_no_likelihood_but_smoothed():
    model = lucky(s_noise=0.0)
    panel = simulate_panel(exactly(model), 60, 4, 0.25, seed=3)
    box = Box.of(model, {"lambda0": [0.15, 0.45]})
    with pytest.raises(SureCostsError, match="s_noise"):
        estimate(panel, box, QUICK)
    result = estimate(panel, box, dataclasses.replace(QUICK, smoothing=0.05))
    assert abs(result.estimates["lambda0"] - 0.3) < 4 * result.standard_errors["lambda0"]


def test_shocks_given_proxies_are_those_of_the_joint_normal_law(firms):
    """Kalman's filter and smoother against conditioning in one matrix."""
    panel = firms.some([0, 1])
    rng, theta, error = np.random.default_rng(0), 0.35, np.array([[0.3, 0.1], [0.1, 0.2]])
    seen = rng.normal(size=(len(panel.firm), 2))
    mean, drawn = smoothed(panel, seen, theta, error, 4000, rng)
    mine = panel.firm == 1
    apart = np.abs(panel.year[mine][:, None] - panel.year[mine][None])
    prior = np.kron(np.exp(-theta * apart), np.eye(2))
    gain = prior @ np.linalg.inv(prior + np.kron(np.eye(mine.sum()), error))
    assert mean[mine].ravel() == pytest.approx(gain @ seen[mine].ravel(), abs=1e-10)
    spread = drawn[:, mine].reshape(4000, -1)
    assert np.cov(spread.T) == pytest.approx(prior - gain @ prior, abs=0.04)


def test_proxies_without_error_are_the_states(firms):
    """The likelihood for tiny errors is that of the states themselves, and large ones are allowed for."""
    box, some = Box.of(lucky(), BOUNDS), firms.some(np.arange(30))
    known = dataclasses.replace(some, events=dataclasses.replace(some.events, x=None))
    point = np.array([0.3, 1.0])
    sharp = likelihood_of(known, worths_of(box), dataclasses.replace(QUICK, noise=1e-4, histories=8), point, 0)
    plain = likelihood_of(known, worths_of(box), dataclasses.replace(QUICK, draws=32), point, 0)
    assert float(sharp.values(point).sum()) == pytest.approx(float(plain.values(point).sum()), abs=0.6)
    rng = np.random.default_rng(0)
    blurred = dataclasses.replace(known, x=known.x + 0.2 * rng.normal(size=known.x.shape))
    result = estimate(blurred, box, dataclasses.replace(QUICK, noise=0.2, histories=4))
    for name, true in (("lambda0", 0.3), ("s_scale", 1.0)):
        assert abs(result.estimates[name] - true) < 3.5 * result.standard_errors[name]


def test_a_model_of_ones_own():
    """Any switching model: here two shops, solved by enumeration."""
    model = shops()
    panel = simulate_panel(exactly(model), 80, 4, 0.25, seed=3)
    box = Box.of(model, {"cost_scale": [0.5, 1.5]})
    likelihood = likelihood_of(
        panel, worths_of(box), dataclasses.replace(QUICK, smoothing=0.1, step=0.1), box.middle, 0
    )
    value, score = likelihood.scores(box.middle)
    assert torch.isfinite(value).all()
    assert torch.isfinite(score).all()


def test_panels_are_read_as_they_were_written(tmp_path, firms):
    model = lucky()
    write_panel(firms, model, tmp_path)
    again = read_panel(tmp_path, model)
    assert again.firms == firms.firms
    for a, b in (
        (again.y, firms.y),
        (again.x, firms.x),
        (again.events.x, firms.events.x),
        (again.events.on, firms.events.on),
    ):
        assert (a == b).all()
    tables = panel_tables(firms, model)
    tables["states"].to_csv(tmp_path / "only.csv", index=False)
    assert read_panel(tmp_path / "only.csv", model).events is None
    shuffled = {name: table.sample(frac=1, random_state=0) for name, table in tables.items()}
    mixed = panel_from(shuffled["states"], shuffled["events"], model)
    assert (mixed.events.year == firms.events.year).all()


@pytest.mark.parametrize(
    ("table", "change", "word"),
    [
        ("states", lambda t: t.drop(columns="nu_2"), "column nu_2 is missing"),
        ("states", lambda t: t.assign(extra=1), "extra is not known"),
        ("states", lambda t: t.assign(y_1=2), "neither 0 nor 1"),
        ("states", lambda t: t.assign(nu_1=np.nan), "no finite number"),
        ("states", lambda t: pd.concat([t, t]), "visited twice"),
        ("states", lambda t: t.groupby("firm").head(1), "needs two"),
        ("states", lambda t: t.assign(y_1=1 - t["y_1"]), "does not show|was so before"),
        ("events", lambda t: t.assign(switch="9"), "no switch of the model"),
        ("events", lambda t: t.assign(firm="nobody"), "has no visits"),
        ("events", lambda t: t.assign(year=99.0), "outside its visits"),
        ("events", lambda t: t.iloc[1:], "does not show"),
        ("events", lambda t: t.drop(columns="nu_1"), "only some"),
    ],
)
def test_panels_that_cannot_be_are_refused(firms, table, change, word):
    model = lucky()
    tables = panel_tables(firms, model)
    tables[table] = change(tables[table])
    with pytest.raises(PanelError, match=word):
        panel_from(tables["states"], tables["events"], model)


def test_panels_of_other_models_are_refused(firms):
    with pytest.raises(PanelError, match="3 switches"):
        estimate(firms, RATES, QUICK)
    with pytest.raises(PanelError, match="makes no sense"):
        simulate_panel(exactly(lucky()), firms=0)


def test_some_firms_of_a_panel(firms):
    some = firms.some([3, 1, 3])
    assert isinstance(some, Panel)
    assert len(set(some.firms)) == 3
    assert (some.y[some.firm == 0] == some.y[some.firm == 2]).all()
    assert some.years == 18


def test_search_stops_at_the_edge_and_at_the_top():
    """Log likelihoods of a normal mean."""
    data = np.random.default_rng(0).normal(0.4, 1.0, (500, 2))

    def scores(point):
        return -0.5 * ((data - point) ** 2).sum(1), data - point

    low, high = np.zeros(2), np.ones(2)
    found = maximise(scores, np.array([0.9, 0.1]), low, high, 1e-5, 50)
    assert found.outcome == "converged"
    assert found.point == pytest.approx(data.mean(0), abs=1e-6)
    edge = maximise(scores, np.array([0.9, 0.1]), low, np.array([1.0, 0.2]), 1e-5, 50)
    assert edge.point[1] == 0.2
    inferred = infer(scores, found.point, data - found.point, low, high, 200, np.random.default_rng(1))
    assert inferred.errors("hessian") == pytest.approx([500**-0.5] * 2, rel=1e-6)
    assert inferred.errors("sandwich") == pytest.approx(data.std(0) * 500**-0.5, rel=1e-6)
    assert inferred.errors("bootstrap") == pytest.approx(data.std(0) * 500**-0.5, rel=0.2)


def test_search_ends_where_derivatives_are_not_quite_those_of_the_values():
    data = np.random.default_rng(0).normal(0.4, 1.0, (500, 2))

    def scores(point):
        return -0.5 * ((data - point) ** 2).sum(1), data - point + 0.05 * 500**-0.5

    found = maximise(scores, np.array([0.9, 0.1]), np.zeros(2), np.ones(2), 0.02, 50)
    assert (found.outcome, found.iteration < 10) == ("converged", True)
    assert found.point == pytest.approx(data.mean(0), abs=0.1 * 500**-0.5)


def test_flat_directions_are_named():
    ways, condition = directions(
        np.array([[1e4, 1e4, 0], [1e4, 1e4 + 1e-3, 0], [0, 0, 1e4]]), "abc", np.zeros(3), np.ones(3)
    )
    assert ways[0].flat
    assert set(ways[0].words.split(", ")) == {"a up", "b down"} or set(ways[0].words.split(", ")) == {"b up", "a down"}
    assert not ways[1].flat
    assert condition > 1e6


def test_options_that_make_no_sense():
    with pytest.raises(ModelError, match="even"):
        EstimateOptions(draws=3)
    with pytest.raises(ModelError, match=r"estimate\.by"):
        EstimateOptions(by="magic")
