"""Maximisation and games whose solutions are known on paper."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from games import cournot, cournot_quantities, direct_game, vector
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.framework import (
    AscentOptions,
    BestResponse,
    FixedPointGame,
    JointNewton,
    Monitor,
    Outcome,
    Progress,
    best_response_dynamics,
    maximise,
    solve_nash,
)
from dlopt.framework.game import first_order_residual
from dlopt.framework.joint import _joint_system, joint_newton


def hills(a: Tensor) -> Tensor:
    """Nonconcave: a saddle at the origin, maxima at (+-1, 0) of height 1 (along the first axis 2x^2 - x^4)."""
    return (2 * a[0] ** 2 - a[0] ** 4 - a[1] ** 2 * (1 + a[0] ** 2))[None]


class TestMaximise:
    """Newton ascent with bounds."""

    @pytest.mark.parametrize("start", [(0.05, 1.0), (-0.3, -2.0), (2.5, 1.5), (0.5, 0.0)])
    def test_finds_a_top_of_a_nonconcave_landscape(self, start: tuple[float, float]) -> None:
        """Also from where the Hessian is indefinite, and never below where it started."""
        game = direct_game(hills, [0, 0])
        point = game.point(vector(*start))
        assert point is not None
        result = maximise(game, 0, point)
        assert result.outcome is Outcome.CONVERGED
        # Gradient tolerance 1e-10 over curvature -8 and -4.
        assert result.point.a.abs().tolist() == pytest.approx([1.0, 0.0], abs=1e-10)
        assert float(result.point.objectives[0]) >= float(point.objectives[0])

    def test_leaves_a_saddle(self) -> None:
        """The gradient is exactly zero at the origin: only the curvature says that it is no top."""
        game = direct_game(hills, [0, 0])
        point = game.point(vector(0.0, 0.0))
        assert point is not None
        assert maximise(game, 0, point).point.a.abs().tolist() == pytest.approx([1.0, 0.0], abs=1e-10)

    def test_stops_at_bounds_and_only_there(self) -> None:
        """The top in [-0.5, 0.6] x [0.2, 3] is the corner (0.6, 0.2)."""
        game = direct_game(hills, [0, 0], [-0.5, 0.2], [0.6, 3.0])
        point = game.point(vector(0.1, 1.0))
        assert point is not None
        result = maximise(game, 0, point)
        assert result.outcome is Outcome.CONVERGED
        assert result.point.a.tolist() == [0.6, 0.2]

    def test_leaves_a_bound_that_does_not_bind(self) -> None:
        """A start on a bound, the gradient pointing inwards."""
        game = direct_game(hills, [0, 0], [0.2, -3.0], [3.0, 0.5])
        point = game.point(vector(3.0, 0.5))
        assert point is not None
        assert maximise(game, 0, point).point.a.tolist() == pytest.approx([1.0, 0.0], abs=1e-10)

    def test_moves_only_the_players_own(self) -> None:
        game = cournot()
        point = game.point(vector(1.0, 2.0, 0.5))
        assert point is not None
        result = maximise(game, 1, point)
        # Best response: (DEMAND - c - others) / 2.
        assert result.point.a.tolist() == pytest.approx([1.0, (10 - 2 - 1.5) / 2, 0.5], abs=1e-11)

    def test_says_when_it_ran_out_of_iterations(self) -> None:
        game = direct_game(hills, [0, 0])
        point = game.point(vector(2.5, 1.5))
        assert point is not None
        result = maximise(game, 0, point, AscentOptions(max_iterations=1))
        assert result.outcome is Outcome.MAX_ITERATIONS
        assert result.residual > 1e-10

    def test_badly_scaled_instruments(self) -> None:
        """Curvatures twelve orders of magnitude apart: the flat one's gradient is 1e-12, and its optimum is found."""
        game = direct_game(lambda a: (-((a[0] - 1) ** 2) - 1e-12 * (a[1] - 2) ** 2)[None], [0, 0])
        point = game.point(vector(0.0, 0.0))
        assert point is not None
        assert maximise(game, 0, point).point.a.tolist() == pytest.approx([1.0, 2.0], abs=1e-3)


class TestNash:
    """Joint Newton, verified."""

    def test_cournot(self) -> None:
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(3.0, 0.5, 2.0)])
        assert result.outcome is Outcome.CONVERGED
        # First-order conditions to 1e-8 with curvature -2.
        assert torch.allclose(result.point.a, cournot_quantities(), rtol=0, atol=1e-8)
        proof = result.optimality
        assert proof is not None
        assert proof.curvature == pytest.approx((-2.0,) * 3, abs=1e-9)
        assert proof.at_bound == proof.flat_directions == 0
        assert proof.gain == pytest.approx(0.0, abs=1e-8)

    def test_cournot_with_a_capacity(self) -> None:
        """Firm 1 would make 3 but is held at 2.5: the others solve 2 q_2 + q_3 = 5.5, q_2 + 2 q_3 = 4.5."""
        game = cournot(upper=2.5)
        start = game.point(vector(0.5, 0.5, 0.5))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(1.5, 0.1, 1.0)])
        assert result.outcome is Outcome.CONVERGED
        assert result.point.a.tolist() == pytest.approx([2.5, 6.5 / 3, 3.5 / 3], abs=1e-8)
        assert result.optimality is not None
        assert result.optimality.at_bound == 1

    def test_cournot_with_a_firm_that_stays_out(self) -> None:
        """At cost 9 the third firm produces nothing, and the others share the market as a duopoly."""
        game = cournot(costs=(1.0, 2.0, 9.0))
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(2.0, 2.0, 2.0)])
        assert result.outcome is Outcome.CONVERGED
        assert torch.allclose(result.point.a[:2], cournot_quantities((1.0, 2.0)), rtol=0, atol=1e-8)
        assert float(result.point.a[2]) == 0.0
        assert result.optimality is not None
        assert result.optimality.at_bound == 1

    def test_without_another_start_nothing_is_proven(self) -> None:
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        result = solve_nash(game, start)
        assert result.outcome is Outcome.STALLED
        assert result.optimality is not None
        assert result.optimality.gain is None
        assert result.optimality.first_order_residual <= 1e-8

    def test_one_player_is_a_maximisation(self) -> None:
        game = direct_game(hills, [0, 0])
        start = game.point(vector(0.5, 0.7))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(-0.4, 0.2)])
        assert result.outcome is Outcome.CONVERGED
        assert result.point.a.tolist() == pytest.approx([1.0, 0.0], abs=1e-9)

    def test_a_saddle_of_each_player_is_left(self) -> None:
        """Each player's own objective is a double well in its own choice: the joint first-order conditions also hold
        where both sit on the ridge between the wells, and Newton started nearby would stay there."""

        def wells(a: Tensor) -> Tensor:
            return torch.stack([2 * a[0] ** 2 - a[0] ** 4 + 0.1 * a[0] * a[1],
                                2 * a[1] ** 2 - a[1] ** 4 + 0.1 * a[0] * a[1]])  # fmt: skip

        game = direct_game(wells, [0, 1], [-2.0, -2.0], [2.0, 2.0])
        start = game.point(vector(0.0, 0.0) + 1e-6)
        assert start is not None
        assert first_order_residual(game, start) < 1e-5
        result = solve_nash(game, start, other_starts=[vector(-1.0, 1.0)])
        assert result.outcome is Outcome.CONVERGED
        # By symmetry a = (x, x) with 4 x - 4 x^3 + 0.1 x = 0.
        assert result.point.a.tolist() == pytest.approx([1.025**0.5] * 2, abs=1e-8)
        assert result.optimality is not None
        assert max(result.optimality.curvature) < -1

    def test_a_player_who_sits_on_the_lower_hill_moves(self) -> None:
        """First- and second-order conditions hold at the lower of two tops: only another start reveals the gain."""
        game = direct_game(lambda a: (2 * a[0] ** 2 - a[0] ** 4 + 0.4 * a[0] + 3)[None], [0], [-2.0], [2.0])
        start = game.point(vector(-0.9))
        assert start is not None
        blind = solve_nash(game, start, other_starts=[vector(-1.2)])
        assert blind.outcome is Outcome.CONVERGED
        assert float(blind.point.a) < 0
        seeing = solve_nash(game, start, other_starts=[vector(-1.2), vector(1.5)])
        assert seeing.outcome is Outcome.CONVERGED
        assert float(seeing.point.a) > 0
        assert float(seeing.point.objectives) > float(blind.point.objectives) + 0.5

    def test_a_slope_along_a_neutral_direction_leads_to_the_bounds(self) -> None:
        """Player 0 cares for the difference of its choices and hardly for their sum: joint steps stand still."""

        def hardly(a: Tensor) -> Tensor:
            return torch.stack([1 - (a[0] - a[1]) ** 2 + 1e-6 * (a[0] + a[1]), 1 - a[2] ** 2])

        game = direct_game(hardly, [0, 0, 1], [-1.0, -1.0, -1.0], [1.0, 1.0, 1.0])
        start = game.point(vector(0.0, 0.0, 0.0))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(0.5, -0.5, 0.5)])
        assert result.outcome is Outcome.CONVERGED
        assert torch.allclose(result.point.a, vector(1.0, 1.0, 0.0), rtol=0, atol=1e-8)
        assert result.iterations < 30  # 40 joint steps on the spot otherwise

    def test_one_matrix_serves_several_joint_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Second derivatives of everybody in everything are what costs: near the end a matrix does for many steps."""
        matrices = []

        def counted(*arguments: Any) -> Any:
            matrices.append(arguments)
            return _joint_system(*arguments)

        monkeypatch.setattr("dlopt.framework.joint._joint_system", counted)
        costs = vector(1.0, 2.0, 3.0)
        game = direct_game(lambda a: a * (10 - a.sum()) - costs * a.exp(), [0, 1, 2], [0.0] * 3, [4.0] * 3)
        start = game.point(vector(1.2, 0.9, 0.7))
        assert start is not None
        end = joint_newton(game, start, JointNewton(), Monitor())
        assert end.outcome is Outcome.CONVERGED
        a = end.point.a
        assert float((10 - a.sum() - a - costs * a.exp()).abs().max()) <= 1e-10  # everybody's first-order condition
        assert len(matrices) <= 2  # Newton alone takes one at each of five points

    def test_a_game_without_equilibrium_is_not_converged(self) -> None:
        """Matching pennies with quadratic stakes: player 0 wants to be at player 1's choice, player 1 far from it."""

        def pursuit(a: Tensor) -> Tensor:
            return torch.stack([-((a[0] - a[1]) ** 2), (a[0] - a[1]) ** 2])

        game = direct_game(pursuit, [0, 1], [-1.0, -1.0], [1.0, 1.0])
        start = game.point(vector(0.3, 0.5))
        assert start is not None
        result = solve_nash(game, start, JointNewton(rounds=5), other_starts=[vector(-0.5, -0.8)])
        assert result.outcome is not Outcome.CONVERGED


class TestBestResponseDynamics:
    """Algorithm 1 of the paper."""

    @pytest.mark.parametrize("optimizer", ["adam", "sgd", "adagrad", "rmsprop"])
    @pytest.mark.parametrize("sequence", ["random_shuffle", "cyclic", "random"])
    def test_approaches_the_equilibrium_and_does_not_claim_it(self, optimizer: str, sequence: str) -> None:
        """Half of the distance is gone after a few rounds; no optimiser reaches 1e-8 in so few, and none says so."""
        game = cournot()
        start = game.point(vector(4.0, 4.0, 4.0))
        assert start is not None
        options = BestResponse(optimizer=optimizer, sequence=sequence, learning_rate=0.2, steps=6, rounds=5)
        result = best_response_dynamics(game, start, options, seed=3, other_starts=[vector(1.0, 1.0, 1.0)])
        distance = float((result.point.a - cournot_quantities()).norm())
        assert distance < 0.5 * float((start.a - cournot_quantities()).norm())
        assert result.outcome is Outcome.MAX_ITERATIONS
        assert result.optimality is not None
        assert result.optimality.first_order_residual > 1e-8

    def test_converged_once_it_truly_is(self) -> None:
        """Gradient steps of size 1/2 are exact for curvature -2: the dynamics contract by half a round."""
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        options = BestResponse("sgd", learning_rate=0.5, steps=3, rounds=40, sequence="cyclic")
        result = best_response_dynamics(game, start, options, other_starts=[vector(1.0, 1.0, 1.0)])
        assert result.outcome is Outcome.CONVERGED
        assert torch.allclose(result.point.a, cournot_quantities(), rtol=0, atol=1e-8)

    def test_the_seed_decides(self) -> None:
        game = cournot()
        start = game.point(vector(4.0, 4.0, 4.0))
        assert start is not None
        options = BestResponse(learning_rate=0.1, steps=5, rounds=2, sequence="random")
        ends = [best_response_dynamics(game, start, options, seed=seed).point.a for seed in (1, 1, 2)]
        assert torch.equal(ends[0], ends[1])
        assert not torch.equal(ends[0], ends[2])

    def test_eta_is_the_fraction_of_the_way(self) -> None:
        """One firm's exact best response from 4 is (10 - 1 - 8) / 2 = 0.5; a quarter of the way is 3.125."""
        game = cournot()
        start = game.point(vector(4.0, 4.0, 4.0))
        assert start is not None
        seen: list[Tensor] = []
        options = BestResponse("sgd", learning_rate=0.5, steps=1, rounds=1, eta=0.25, sequence="cyclic")
        monitor = Monitor(lambda progress: seen.append(progress.point.a))
        best_response_dynamics(game, start, options, monitor=monitor)
        assert seen[0].tolist() == pytest.approx([3.125, 4.0, 4.0], abs=1e-11)

    def test_gradients_are_clipped(self) -> None:
        """The gradient at 4 is -7; clipped to 2 the step of rate 0.1 is 0.2."""
        game = cournot()
        start = game.point(vector(4.0, 4.0, 4.0))
        assert start is not None
        seen: list[Tensor] = []
        options = BestResponse("sgd", learning_rate=0.1, clip=2.0, steps=1, rounds=1, sequence="cyclic")
        monitor = Monitor(lambda progress: seen.append(progress.point.a))
        best_response_dynamics(game, start, options, monitor=monitor)
        # torch adds 1e-6 to the norm it divides by.
        assert seen[0].tolist() == pytest.approx([3.8, 4.0, 4.0], abs=1e-6)

    def test_bounds_are_kept(self) -> None:
        game = cournot(lower=1.0, upper=2.0)
        start = game.point(vector(1.5, 1.5, 1.5))
        assert start is not None
        result = best_response_dynamics(game, start, BestResponse(learning_rate=0.5, steps=20, rounds=3))
        assert bool(((result.point.a >= 1.0) & (result.point.a <= 2.0)).all())
        assert float(result.point.a[0]) == 2.0

    def test_unknown_names_are_refused(self) -> None:
        with pytest.raises(UnknownNameError, match="'adam'"):
            BestResponse(optimizer="adan")
        with pytest.raises(UnknownNameError, match="'cyclic'"):
            BestResponse(sequence="cylcic")


class TestMonitor:
    """A caller watches, and may stop."""

    def _stop_at(self, number: int) -> Monitor:
        return Monitor(lambda progress: progress.iteration >= number)

    def test_interrupts_the_joint_newton_with_a_point(self) -> None:
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        result = solve_nash(game, start, other_starts=[vector(3.0, 0.5, 2.0)], monitor=self._stop_at(3))
        assert result.outcome is Outcome.INTERRUPTED
        assert result.iterations == 3
        assert result.optimality is None
        assert result.point.residual <= 1e-12
        assert not torch.equal(result.point.a, start.a)

    def test_interrupts_the_dynamics_with_a_point(self) -> None:
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        result = best_response_dynamics(game, start, BestResponse(rounds=4, steps=2), monitor=self._stop_at(2))
        assert result.outcome is Outcome.INTERRUPTED
        assert result.iterations == 2

    def test_reports_every_phase_in_order(self) -> None:
        game = cournot()
        start = game.point(vector(1.0, 1.0, 1.0))
        assert start is not None
        seen: list[Progress] = []
        result = solve_nash(game, start, other_starts=[vector(3.0, 0.5, 2.0)], monitor=Monitor(seen.append))
        assert [progress.iteration for progress in seen] == list(range(1, result.iterations + 1))
        phases = list(dict.fromkeys(progress.phase for progress in seen))
        assert phases == ["best response", "joint newton", "verification"]
        assert all(math.isfinite(progress.first_order_residual) for progress in seen)
        newton = [progress.player for progress in seen if progress.phase == "joint newton"]
        assert set(newton) == {None}


def test_a_point_without_equilibrium_is_none() -> None:
    """Where G leaves its domain there is no point, and an optimiser steps shorter instead of failing."""
    problem = cournot().problem
    nowhere = FixedPointGame(
        type(problem)(lambda x, a: torch.where(a[:1] > 2, x + 1, a[:1]), problem.objectives),
        torch.tensor([0, 1, 2]), vector(0.0),
    )  # fmt: skip
    assert nowhere.point(vector(3.0, 0.0, 0.0)) is None
    assert nowhere.point(vector(1.0, 0.0, 0.0)) is not None


def test_an_optimiser_stays_where_there_is_an_equilibrium() -> None:
    """The objective rises up to 1.9 and on, but beyond 2 there is no equilibrium: the ascent ends below the edge."""

    def edge(x: Tensor, a: Tensor) -> Tensor:
        return torch.where(a > 2, x + 1, a)

    problem = type(cournot().problem)(edge, lambda x, a: a - 0.1 * (a - 1.5) ** 2)
    game = FixedPointGame(problem, torch.tensor([0]), vector(0.0))
    start = game.point(vector(0.0))
    assert start is not None
    result = maximise(game, 0, start)
    assert result.outcome is not Outcome.CONVERGED
    assert 1.9 < float(result.point.a) <= 2.0
