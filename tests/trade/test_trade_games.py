"""Tariff and subsidy games on small worlds: what a certified answer must satisfy."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

from dlopt import (
    BestResponse,
    Bounds,
    Calibration,
    DloptError,
    InstrumentChoice,
    Policy,
    UnknownNameError,
    solve_cooperative,
    solve_nash,
    solve_unilateral,
)
from dlopt.framework import AscentOptions, maximise
from dlopt.framework.game import first_order_residual
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.instruments import InstrumentError, build_instruments
from dlopt.trade.run import NoEquilibriumError

TARIFFS = InstrumentChoice(tariff="by_sector")
DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
BOUNDS = Bounds(tariff=(0.0, 4.0), export_tax=(-0.5, 2.0), subsidy=(-0.5, 0.6))


@pytest.fixture(scope="module")
def world() -> Calibration:
    return small_synthetic(3, 3, 1)


class TestNash:
    """Certified equilibria."""

    @pytest.mark.parametrize("choice", [TARIFFS, DUAL], ids=["tariffs", "dual"])
    @pytest.mark.parametrize("accounting", ["standard", "paper"])
    def test_is_certified(self, world: Calibration, choice: InstrumentChoice, accounting: str) -> None:
        """The certificate is what it says, recomputed from the policies alone."""
        result = solve_nash(world, instruments=choice, bounds=BOUNDS, accounting=accounting)
        assert result.status == "converged", result.message
        assert result.instruments is not None
        game = TradeGame(result.model, result.instruments)
        point = game.point(result.instruments.average(result.policy.log_wedges()))
        assert point is not None
        assert first_order_residual(game, point) <= 1e-8
        assert torch.allclose(100 * point.log_welfare.expm1(), result.real_income_change_pct, rtol=0, atol=1e-7)
        for player in range(3):
            own = (game.owner == player).nonzero().squeeze(1)
            inside = (point.a[own] > game.lower[own] + 1e-12) & (point.a[own] < game.upper[own] - 1e-12)
            values = torch.linalg.eigvalsh(point.hessian(player)[inside][:, inside])
            assert float(values.max()) <= 1e-9 * float(values.abs().max())

    def test_nobody_gains_by_deviating(self, world: Calibration) -> None:
        """Fifty random deviations of each player: never a gain (the tolerance is that of the certificate)."""
        result = solve_nash(world, instruments=DUAL, bounds=BOUNDS)
        assert result.instruments is not None
        game = TradeGame(result.model, result.instruments)
        point = game.point(result.instruments.average(result.wedges))
        assert point is not None
        draw = torch.Generator().manual_seed(11)
        for trial in range(50):
            player = trial % 3
            size = 10.0 ** (-(trial % 4))
            move = size * (torch.rand(len(point.a), generator=draw, dtype=torch.float64) - 0.5)
            a = torch.where(game.owner == player, point.a + move, point.a).clamp(game.lower, game.upper)
            other = game.point(a)
            assert other is not None
            assert float(other.objectives[player]) <= float(point.objectives[player]) + 1e-8

    def test_joint_newton_and_best_responses_agree(self, world: Calibration) -> None:
        """Exact best responses in turn, until nothing moves, from another start: the same equilibrium."""
        result = solve_nash(world, instruments=DUAL, bounds=BOUNDS)
        assert result.instruments is not None
        game = TradeGame(result.model, result.instruments)
        point: TradePoint | None = game.point(torch.full((game.instruments.count,), 0.05, dtype=torch.float64))
        assert point is not None
        for _ in range(100):
            before = point.a
            for player in range(3):
                response = maximise(game, player, point, AscentOptions(tolerance=1e-12)).point
                assert isinstance(response, TradePoint)
                point = response
            if float((point.a - before).abs().max()) < 1e-9:
                break
        else:
            pytest.fail("best responses did not settle in 100 rounds")
        assert torch.allclose(point.a, result.instruments.average(result.wedges), rtol=0, atol=1e-6)
        assert torch.allclose(100 * point.log_welfare.expm1(), result.real_income_change_pct, rtol=0, atol=1e-6)

    def test_starts_agree(self, world: Calibration) -> None:
        """From random starts, the same welfare within 1e-6 %; the result lists one equilibrium."""
        base = solve_nash(world, instruments=DUAL, bounds=BOUNDS, starts=2)
        assert len(base.solutions) == 1
        other = solve_nash(world, instruments=DUAL, bounds=BOUNDS, init="random", seed=1)
        assert other.status == "converged"
        assert torch.allclose(other.real_income_change_pct, base.real_income_change_pct, rtol=0, atol=1e-6)

    def test_labels_do_not_matter(self, world: Calibration) -> None:
        economies, sectors = [2, 0, 1], [1, 2, 0]
        e, s = torch.tensor(economies), torch.tensor(sectors)
        a = solve_nash(world, instruments=TARIFFS, bounds=BOUNDS)
        b = solve_nash(world.relabelled(economies, sectors), instruments=TARIFFS, bounds=BOUNDS)
        assert torch.allclose(a.real_income_change_pct[e], b.real_income_change_pct, rtol=0, atol=1e-6)
        assert torch.allclose(a.policy.tariff[e][:, e][:, :, s], b.policy.tariff, rtol=0, atol=1e-5)

    def test_accountings_agree_on_tariffs_alone(self, world: Calibration) -> None:
        a, b = (solve_nash(world, instruments=TARIFFS, bounds=BOUNDS, accounting=k) for k in ("standard", "paper"))
        assert torch.allclose(a.real_income_change_pct, b.real_income_change_pct, rtol=0, atol=1e-7)

    def test_same_seed_same_answer(self, world: Calibration) -> None:
        a, b = (solve_nash(world, instruments=TARIFFS, init="random", seed=5) for _ in range(2))
        assert torch.equal(a.u, b.u)

    def test_algorithm_1_is_honest(self, world: Calibration) -> None:
        result = solve_nash(world, instruments=TARIFFS, solver=BestResponse(rounds=1, steps=3, learning_rate=0.01))
        assert result.status == "not_converged"
        assert "first-order residual" in result.message
        assert result.certificate.equilibrium_residual <= 1e-10

    def test_stops_when_asked(self, world: Calibration) -> None:
        result = solve_nash(world, instruments=TARIFFS, on_iteration=lambda step: step.iteration == 2)
        assert result.status == "interrupted"
        assert [step.iteration for step in result.iterations] == [1, 2]
        assert result.certificate.equilibrium_residual <= 1e-10


class TestUnilateral:
    """One economy alone."""

    def test_gains_and_leaves_others_policies(self, world: Calibration) -> None:
        result = solve_unilateral(world, "E2", instruments=DUAL, bounds=BOUNDS)
        assert result.status == "converged"
        assert float(result.real_income_change_pct[1]) > 0
        rest = torch.tensor([0, 2])
        assert torch.allclose(result.policy.tariff[:, rest], world.tariff[:, rest], rtol=0, atol=1e-14)
        assert torch.allclose(result.policy.subsidy[rest], world.subsidy[rest], rtol=0, atol=1e-14)

    def test_more_instruments_are_never_worse(self, world: Calibration) -> None:
        """A uniform tariff, one per sector, one per sector and partner, and subsidies as well: each set contains the
        one before."""
        gains = [
            float(solve_unilateral(world, "E1", instruments=choice, bounds=BOUNDS).real_income_change_pct[0])
            for choice in (
                InstrumentChoice(tariff="uniform"), InstrumentChoice(tariff="mfn"), TARIFFS, DUAL,
                InstrumentChoice("by_sector", "by_sector", "by_sector"),
            )
        ]  # fmt: skip
        assert gains == sorted(gains)
        assert gains[-1] > gains[0] + 1e-3

    @pytest.mark.parametrize("mode", ["mfn", "uniform"])
    def test_grouped_optimum_has_equal_rates_and_mean_zero_gradient(self, world: Calibration, mode: str) -> None:
        """At the best common rate the gradients of its cells add up to nothing, though each alone does not vanish."""
        result = solve_unilateral(world, "E1", instruments=InstrumentChoice(tariff=mode), bounds=BOUNDS)
        assert result.status == "converged"
        tariff = result.policy.tariff[1:, 0]
        assert torch.allclose(tariff[0], tariff[1], rtol=0, atol=1e-14)
        if mode == "uniform":
            assert float(tariff.max() - tariff.min()) < 1e-14
        fine = build_instruments(result.model, TARIFFS, BOUNDS, ("E1",))
        point = TradeGame(result.model, fine).point(fine.average(result.wedges))
        assert point is not None
        cells = point.gradient()[0][fine.tau[1:, 0]]
        assert float(cells.abs().max()) > 1e-5
        total = cells.sum(0) if mode == "mfn" else cells.sum()
        assert float(total.abs().max()) <= 1e-8


class TestCooperation:
    """One planner."""

    def test_maximises_the_weighted_sum(self) -> None:
        """At the planner's optimum no random move of all tariffs raises the weighted sum of real incomes."""
        world = small_synthetic(2, 2, 3)
        weights = {"E1": 0.7, "E2": 0.3}
        result = solve_cooperative(world, instruments=DUAL, weights=weights, bounds=BOUNDS)
        assert result.status == "converged"
        assert result.instruments is not None
        game = TradeGame(result.model, result.instruments)
        a = result.instruments.average(result.wedges)
        weight = torch.tensor([0.7, 0.3], dtype=torch.float64)
        best = float((weight * result.model.log_welfare(result.u).exp()).sum())
        draw = torch.Generator().manual_seed(2)
        for trial in range(30):
            move = 10.0 ** (-(trial % 4)) * (torch.rand(len(a), generator=draw, dtype=torch.float64) - 0.5)
            other = game.point((a + move).clamp(game.lower, game.upper))
            assert other is not None
            assert float((weight * other.log_welfare.exp()).sum()) <= best + 1e-8

    def test_income_weights_are_shares_of_world_income(self) -> None:
        world = small_synthetic(2, 2, 3)
        model = build_model(world)
        by_name = dict(zip(world.economies, model.income.tolist(), strict=True))
        a = solve_cooperative(world, instruments=TARIFFS, bounds=BOUNDS)
        b = solve_cooperative(world, instruments=TARIFFS, bounds=BOUNDS, weights=by_name)
        assert torch.allclose(a.u, b.u, rtol=0, atol=1e-9)

    @pytest.mark.parametrize("weights", [{"E1": -1.0}, {"E1": 0.0, "E2": 0.0}, {"E1": float("nan")}])
    def test_refuses_weights_that_make_no_sense(self, weights: dict[str, float]) -> None:
        with pytest.raises(DloptError, match="weights is"):
            solve_cooperative(small_synthetic(2, 2, 3), instruments=TARIFFS, weights=weights)

    def test_refuses_unknown_weights(self) -> None:
        with pytest.raises(UnknownNameError, match="'income'"):
            solve_cooperative(small_synthetic(2, 2, 3), instruments=TARIFFS, weights="incme")
        with pytest.raises(UnknownNameError, match="economy 'E9'"):
            solve_cooperative(small_synthetic(2, 2, 3), instruments=TARIFFS, weights={"E9": 1.0})


class TestInstruments:
    """Who may choose what, and within which bounds."""

    def test_counts(self, world: Calibration) -> None:
        model = build_model(world)

        def count(players: str | tuple[str, ...] = "all", partners: str = "all", **modes: str) -> int:
            return build_instruments(model, InstrumentChoice(**modes), BOUNDS, players, partners).count  # type: ignore[arg-type]

        assert count(tariff="by_sector") == 3 * 2 * 3
        assert count(tariff="mfn") == 3 * 3
        assert count(tariff="uniform") == 3
        assert count(export_tax="by_sector") == 3 * 2 * 3
        assert count(export_tax="uniform") == 3
        assert count(subsidy="by_sector") == 3 * 3
        assert count(subsidy="uniform") == 3
        assert count(tariff="by_sector", subsidy="by_sector", players=("E1", "E2")) == 2 * 2 * 3 + 2 * 3
        assert count(tariff="by_sector", players=("E1", "E2"), partners="players") == 2 * 3

    def test_only_chosen_sectors_move(self) -> None:
        world = small_synthetic(3, 3, 1, n_tradable=2)
        model = build_model(world)
        tradable = build_instruments(model, DUAL)
        assert bool((tradable.tau[:, :, 2] == -1).all())
        assert bool((tradable.sigma[:, 2] == -1).all())
        everything = build_instruments(model, dataclasses.replace(DUAL, sectors="all"))
        assert bool((everything.sigma >= 0).all())
        for sectors in (("3",), ("Sector 3",)):
            named = build_instruments(model, dataclasses.replace(DUAL, sectors=sectors))
            assert bool((named.sigma[:, 2] >= 0).all())
            assert int((named.sigma >= 0).sum()) == 3

    def test_cells_without_trade_are_left_out(self) -> None:
        """A tariff on nothing, a subsidy for nobody: no instrument; and the game is still certified."""
        world = small_synthetic(3, 3, 2)
        trade = world.trade.clone()
        trade[0, :, 1] = 0.0
        trade[2, 1, 0] = 0.0
        gaps = dataclasses.replace(world, trade=trade)
        instruments = build_instruments(build_model(gaps), DUAL)
        assert bool((instruments.tau[0, :, 1] == -1).all())
        assert int(instruments.tau[2, 1, 0]) == int(instruments.sigma[0, 1]) == -1
        assert instruments.count == 18 - 3 + 9 - 1
        result = solve_nash(gaps, instruments=DUAL, bounds=BOUNDS)
        assert result.status == "converged"
        assert len(result.tables()["policies"]) == instruments.count

    def test_apply_and_average_are_inverse(self, world: Calibration) -> None:
        model = build_model(world)
        for choice in (DUAL, InstrumentChoice("mfn", "uniform", "uniform")):
            instruments = build_instruments(model, choice, BOUNDS)
            a = instruments.lower + 0.3 * (instruments.upper - instruments.lower)
            wedges = instruments.apply(a, model.wedges0)
            assert torch.allclose(instruments.average(wedges), a, rtol=0, atol=1e-14)
            # total is the transpose of apply.
            probe = tuple(torch.rand_like(w) for w in model.wedges0)
            moved = sum(float((p * (w - w0)).sum()) for p, w, w0 in
                        zip(probe, instruments.apply(a + 1, model.wedges0), wedges, strict=True))  # fmt: skip
            assert float(instruments.total(probe).sum()) == pytest.approx(moved, rel=1e-12)  # type: ignore[arg-type]

    def test_bounds_hold_and_are_reported(self, world: Calibration) -> None:
        """Tariffs capped at 5 %, below what anybody wants: all at the cap, exactly, and counted."""
        result = solve_nash(world, instruments=TARIFFS, bounds=Bounds(tariff=(0.0, 0.05)))
        assert result.status == "converged"
        table = result.tables()["policies"]
        held = table["rate"] >= 0.05 - 1e-14
        assert (table["at_bound"] == held).all()
        assert held.sum() > len(table) / 2
        assert table["rate"].between(0, 0.05 + 1e-14).all()
        assert result.certificate.at_bound == int(held.sum() + (table["rate"] == 0).sum())
        assert (table["lower_bound"] == 0).all()
        assert table["upper_bound"].tolist() == pytest.approx([0.05] * len(table), abs=1e-15)

    def test_a_start_outside_the_bounds_is_brought_inside(self, world: Calibration) -> None:
        far = dataclasses.replace(Policy.of(world), tariff=world.tariff + 3.0)
        result = solve_nash(world, instruments=TARIFFS, bounds=Bounds(tariff=(0.0, 1.0)), init=far)
        base = solve_nash(world, instruments=TARIFFS, bounds=Bounds(tariff=(0.0, 1.0)))
        assert torch.allclose(result.real_income_change_pct, base.real_income_change_pct, rtol=0, atol=1e-6)

    @pytest.mark.parametrize(
        ("bounds", "message"),
        [
            (Bounds(tariff=(0.5, 0.1)), r"bounds.tariff is \[0.5, 0.1\]"),
            (Bounds(tariff=(-1.0, 1.0)), "-1 < low <= high"),
            (Bounds(export_tax=(0.0, float("inf"))), "bounds.export_tax"),
            (Bounds(subsidy=(0.0, 1.0)), "low <= high < 1"),
            (Bounds(subsidy=(float("nan"), 0.5)), "bounds.subsidy"),
        ],
    )
    def test_refuses_bounds(self, world: Calibration, bounds: Bounds, message: str) -> None:
        with pytest.raises(InstrumentError, match=message):
            solve_nash(world, instruments=TARIFFS, bounds=bounds)

    def test_refuses_names(self, world: Calibration) -> None:
        with pytest.raises(UnknownNameError, match=r"economy 'E4'.*E1, E2, E3"):
            solve_nash(world, instruments=TARIFFS, players=("E1", "E4"))
        with pytest.raises(UnknownNameError, match=r"economy 'USA'"):
            solve_unilateral(world, "USA", instruments=TARIFFS)
        with pytest.raises(UnknownNameError, match=r"sector '7'"):
            solve_nash(world, instruments=dataclasses.replace(TARIFFS, sectors=("1", "7")))
        with pytest.raises(UnknownNameError, match=r"instruments.tariff 'by_sctor'.*'by_sector'"):
            solve_nash(world, instruments=InstrumentChoice(tariff="by_sctor"))
        with pytest.raises(UnknownNameError, match=r"instruments.subsidy 'mfn'"):
            solve_nash(world, instruments=InstrumentChoice(subsidy="mfn"))
        with pytest.raises(UnknownNameError, match=r"partners 'player'.*'players'"):
            solve_nash(world, instruments=TARIFFS, partners="player")
        with pytest.raises(UnknownNameError, match=r"init 'baselin'.*'baseline'"):
            solve_nash(world, instruments=TARIFFS, init="baselin")

    def test_refuses_nobody_and_nothing(self, world: Calibration) -> None:
        with pytest.raises(InstrumentError, match="name each economy once"):
            solve_nash(world, instruments=TARIFFS, players=("E1", "E1"))
        with pytest.raises(InstrumentError, match="at least one"):
            solve_nash(world, instruments=TARIFFS, players=())
        with pytest.raises(InstrumentError, match="No instrument is left"):
            solve_nash(world, instruments=InstrumentChoice())


def test_a_start_without_equilibrium_is_refused() -> None:
    """Where the start admits none, play cannot begin, and the message says what to do instead."""
    world = small_synthetic(3, 3, 7)
    ruinous = dataclasses.replace(Policy.of(world), subsidy=torch.full_like(world.subsidy, 0.0))
    ruinous = dataclasses.replace(ruinous, subsidy=ruinous.subsidy + torch.tensor([[0.97, 0.97, 0.0]]).double())
    with pytest.raises(NoEquilibriumError, match="init=baseline"):
        solve_nash(
            world, instruments=InstrumentChoice(subsidy="by_sector"), bounds=Bounds(subsidy=(0.0, 0.98)), init=ruinous
        )


def test_symmetric_countries_choose_symmetric_tariffs() -> None:
    result = solve_nash(one_sector_two_countries(sizes=(1.0, 1.0), imports=0.3), instruments=TARIFFS)
    assert float(result.policy.tariff[0, 1, 0]) == pytest.approx(float(result.policy.tariff[1, 0, 0]), abs=1e-9)
    assert float(result.real_income_change_pct[0]) < 0
