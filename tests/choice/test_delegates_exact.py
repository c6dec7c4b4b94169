"""Delegates on the grid: equilibria, best replies, bargaining, against planners and independent simulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from delegate_economies import pair, states
from network_monte_carlo import simulated_value

from dlopt.choice import AnalysisOptions, Delegates, ModelError, solve_exact
from dlopt.choice.grid import factor_grid, generator
from dlopt.choice.production.delegates.exact import ExactDelegates
from dlopt.choice.production.delegates.grid import DelegatesGridSolution
from dlopt.choice.production.exact.grid import NetworkGridSolution
from dlopt.choice.production.presets import synthetic

POINTS = 15


def solved(economy, points=POINTS, **delegates) -> DelegatesGridSolution:
    return DelegatesGridSolution(Delegates.of(economy, **delegates), points)


@pytest.mark.parametrize("changes", [{}, {"gamma": 1.0}, {"search_cost": 20.0, "keep_cost": 30.0}])
@pytest.mark.parametrize("rule", ["forward", "bargain"])
def test_delegates_who_want_what_the_planner_wants_do_as_she_does(changes, rule):
    economy = pair(**changes)
    if rule == "bargain" and not economy.choosing().plain:
        return
    planner, game = NetworkGridSolution(economy, POINTS), solved(economy, own=0.0, rule=rule)
    np.testing.assert_allclose(game.table, planner.table, rtol=1e-7, atol=1e-7)
    if rule == "forward":
        for table in game.tables:
            np.testing.assert_allclose(table, planner.table, rtol=1e-7, atol=1e-7)
    else:  # with payments, which cancel
        np.testing.assert_allclose(game.tables.mean(0), planner.table, rtol=1e-7, atol=1e-7)


def test_three_sectors_with_one_aim_have_the_planners_value():
    economy = synthetic(3, own_share=0.05)
    planner, game = NetworkGridSolution(economy, 9), solved(economy, 9, own=0.0)
    np.testing.assert_allclose(game.tables, np.broadcast_to(planner.table, game.tables.shape), rtol=1e-6)
    assert game.bound.max() <= 1e-8


def test_a_sector_that_alone_has_choices_plans_for_itself():
    economy = pair(alpha=[[0.05, 0.45], [0.0, 0.05]])
    own = NetworkGridSolution(dataclasses.replace(economy, beta=np.array([1.0, 0.0])), POINTS)
    np.testing.assert_allclose(solved(economy).tables[0], own.table, rtol=1e-7)


@pytest.mark.parametrize("sector", [0, 1])
def test_values_of_delegates_match_simulation_jump_by_jump(sector):
    economy = pair()
    game = solved(economy)
    y, eps, z = states(economy, 1, seed=4)
    mine = dataclasses.replace(economy, beta=np.eye(2)[sector])  # utility of who buys this good alone
    mean, error = simulated_value(mine, y[0], eps[0], int(z[0]), lambda *s: game.marginal(*s) > 0, 500, seed=1)
    exact = game.by_player(y, eps, z)[0, sector]
    assert abs(mean - exact) <= 3 * error
    assert error < 0.01 * abs(exact)


def test_nobody_gains_by_deviating_and_many_deviations_lose():
    game = solved(pair())
    assert game.bound.max() <= 1e-8
    exact = ExactDelegates(game.model.on(), game)
    for i in range(2):
        found = exact.deviations(i)
        assert set(found) == {"best_reply", "sectors", "all", "none"}
        size = np.abs(game.tables[i]).mean()
        for table in found.values():
            assert (table - game.tables[i]).max() <= 1e-7 * size
        assert np.abs(found["best_reply"] - game.tables[i]).max() <= 1e-7 * size
        assert (found["sectors"] - game.tables[i]).mean() < -1e-5 * size


def test_best_reply_finds_a_gain_where_there_is_one():
    game = solved(pair())
    exact = ExactDelegates(game.model.on(), game)
    game.conduct, before = game.always(False), game.tables  # as if nobody formed a link
    game.tables = game.delegates(game.conduct)
    gain = exact.deviations(0)["best_reply"] - game.tables[0]
    assert gain.min() >= -1e-7
    assert gain.max() > 1e-3 * np.abs(before).mean()
    best = game.bounds(game.tables, game.conduct, game.reply(game.tables))
    assert gain.max() <= best[0] * np.abs(game.tables[0]).mean() * (1 + 1e-6)


def test_renaming_sectors_renames_delegates():
    economy = pair()
    swapped = dataclasses.replace(
        economy, beta=economy.beta[::-1], alpha=economy.alpha[::-1, ::-1], eps_bar=economy.eps_bar[::-1],
        sigma=economy.sigma[::-1],
    )  # fmt: skip
    y, eps, z = states(economy, 40)
    here, there = solved(economy).by_player(y, eps, z), solved(swapped).by_player(y[:, ::-1], eps[:, ::-1], 1 - z)
    np.testing.assert_allclose(here, there[:, ::-1], rtol=1e-7)


def test_the_order_is_planner_delegates_sectors():
    economy = pair()
    result = solve_exact(Delegates.of(economy), analysis=AnalysisOptions(paths=64, response_years=1, response_paths=8))
    assert result.status == "converged"
    table = result.table("decentralised").set_index("decides")["consumption_equivalent_pct"]
    assert table["planner"] == 0
    assert table["sectors"] < table["delegates"] < -1e-5
    assert result.table("equilibria")["same"].all()
    assert result.table("deviations")["no_gain"].all()
    assert set(result.table("values")["decides"]) == {"planner", "delegates", "sectors"}


def test_bargaining_of_two_maximises_their_sum():
    economy = pair(gamma=1.0)  # utilities are log real wages: their sum is twice that of a basket of halves
    sum_planner = NetworkGridSolution(dataclasses.replace(economy, beta=np.array([0.5, 0.5])), POINTS)
    for power in (0.0, 0.3, 1.0):
        game = solved(economy, rule="bargain", power=power)
        np.testing.assert_allclose(game.tables.sum(0), 2 * sum_planner.table, atol=1e-6)
    alone = solved(economy).tables.sum(0)
    assert (alone <= 2 * sum_planner.table + 1e-6).all()
    assert (2 * sum_planner.table - alone).max() > 1e-3


def test_who_bargains_has_a_share_of_the_gain():
    economy = pair()
    weak, strong = (solved(economy, rule="bargain", power=power) for power in (0.0, 1.0))
    np.testing.assert_allclose(weak.transfers(weak.tables, weak.conduct).sum(0), 0, atol=1e-12)
    one_way = pair(alpha=[[0.05, 0.45], [0.0, 0.05]])  # sector 1 is only a buyer, sector 2 only a supplier
    values = [solved(one_way, rule="bargain", power=power).tables for power in (0.0, 0.5, 1.0)]
    assert (np.diff([v[0].mean() for v in values]) > 0).all()
    assert (np.diff([v[1].mean() for v in values]) < 0).all()
    assert strong.bound.max() <= 1e-8
    exact = ExactDelegates(weak.model.on(), weak)
    assert (exact.deviations(0)["refuse"] - weak.tables[0]).max() <= 1e-6 * np.abs(weak.tables).mean()


def test_three_bargain_like_a_planner_if_they_want_the_same():
    economy = synthetic(3, own_share=0.05)
    planner, game = NetworkGridSolution(economy, 9), solved(economy, 9, own=0.0, rule="bargain")
    np.testing.assert_allclose(game.tables.mean(0), planner.table, rtol=1e-6)


def test_finer_grids_agree():
    y, eps, z = states(pair(), 60)
    coarse, fine = (solved(pair(), points).by_player(y, eps, z) for points in (25, 49))
    np.testing.assert_allclose(coarse, fine, rtol=2e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ModelError, match="own is 2"):
        Delegates.of(pair(), own=2.0)
    with pytest.raises(ModelError, match="power is -1"):
        Delegates.of(pair(), rule="bargain", power=-1.0)
    with pytest.raises(ModelError, match="rule is 'vote'"):
        Delegates.of(pair(), rule="vote")
    with pytest.raises(ModelError, match="over links alone"):
        Delegates.of(pair(search_cost=3.0), rule="bargain")
    with pytest.raises(ModelError, match="two or three sectors, not 4"):
        Delegates.of(synthetic(4), rule="bargain")
    with pytest.raises(ModelError, match="more than 3 sectors"):
        solve_exact(Delegates.of(synthetic(4)))


def values_by_iteration(game: Delegates, points: int, passes: int = 6000) -> np.ndarray:
    """V of both delegates of a pair, `[2, links 1, links 2, clock, points * points]`, from the equations as printed.

    Both delegates' best efforts at the last values, an implicit step of the factors, and again: no policies are kept.
    """
    m, g = game, factor_grid(points)
    one, eye = generator(g, m.phi).toarray(), np.eye(points)
    step = 1 / 5.0  # years, below one over the largest rate at which anything jumps
    forward = np.linalg.inv((m.rho + 1 / step) * np.eye(points**2) - np.kron(one, eye) - np.kron(eye, one))
    z1, z2 = (axis.ravel() for axis in np.meshgrid(g, g, indexing="ij"))
    flow = np.empty((2, 2, 2, 2, points**2))
    for a, b in np.ndindex(2, 2):
        links = np.array([[1, a], [b, 1]])
        missing = m.alpha * (1 - links)
        loss = np.minimum(1, m.kappa_0 * missing.sum(1) ** 2 + m.kappa * (missing**2).sum(1))
        eps = m.eps_bar[:, None] + m.sigma @ np.stack([z1, z2]) / np.sqrt(2 * m.phi)
        prices = -np.linalg.inv(np.eye(2) - m.alpha * links) @ (eps - loss[:, None])
        for i in range(2):
            basket = m.own * np.eye(2)[i] + (1 - m.own) * m.beta
            flow[i, a, b] = np.exp((1 - m.gamma) * -basket @ prices) / (1 - m.gamma)
    v = flow / m.rho
    for _ in range(passes):
        jumps = m.clock_rate * (v[:, :, :, ::-1] - v)
        for z in range(2):  # the link of the clock's sector: axis 1 + z
            off, on = (v.take(k, 1 + z)[:, :, z] for k in (0, 1))  # [delegate, other link, points * points]
            worth, gap = on[z] - off[z], on - off
            search, keep = np.maximum(worth, 0) / m.search_cost, np.maximum(worth, 0) / m.keep_cost
            keep = np.minimum(keep, m.link_rate)
            paid = np.array([1.0 if i == z else 1 - m.own for i in range(2)])[:, None, None]
            into = m.link_rate * (worth > 0) + search
            moves = [into * gap - paid * m.search_cost * search**2 / 2]
            moves.append(-(m.link_rate - keep) * gap - paid * m.keep_cost * keep**2 / 2)
            jumps[..., z, :] += np.stack(moves, 1 + z)
        new = (flow + jumps + v / step) @ forward.T
        if np.abs(new - v).max() <= 1e-11 * np.abs(v).max():
            return new
        v = new
    raise AssertionError("values did not settle")


@pytest.mark.parametrize("own", [1.0, 0.4])
def test_delegates_who_make_efforts_match_plain_value_iteration(own):
    game = solved(pair(search_cost=2.0, keep_cost=3.0), 9, own=own)
    plain = values_by_iteration(game.model, 9)
    assert game.bound.max() <= 1e-8
    code = game.y.astype(int)
    found = game.tables.reshape(2, 4, 2, -1)
    for c in range(4):
        np.testing.assert_allclose(found[:, c], plain[:, code[c, 0], code[c, 1]], rtol=1e-7)
    effort = game.conduct.rate.max()
    assert effort > 1.2  # it is worth making


@pytest.mark.parametrize("search_cost", [20.0, 0.2])
def test_replies_of_three_sectors_with_effort_settle(search_cost):
    game = solved(dataclasses.replace(synthetic(3, own_share=0.05), search_cost=search_cost), 9)
    assert game.bound.max() <= 1e-8
    assert game.rounds <= 15
