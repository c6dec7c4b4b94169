"""First-order conditions of all players at once, and products of their derivatives, against the dense ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from economies import small_synthetic
from test_derivatives import with_gaps
from torch import Tensor

from dlopt import InstrumentChoice
from dlopt.calibrations import synthetic
from dlopt.framework.conditions import Asked
from dlopt.trade.api import build_model
from dlopt.trade.conditions import TradeConditions, WageConditions
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.instruments import build_instruments
from dlopt.trade.large_game import LargeTradeGame
from dlopt.trade.planner import weighted_welfare
from dlopt.trade.sectors import SectorPoint

ALL = InstrumentChoice("by_sector", "by_sector", "by_sector")
GAMES: dict[str, tuple[InstrumentChoice, dict[str, Any]]] = {
    "all instruments": (ALL, {}),
    "mfn tariffs, uniform subsidies": (InstrumentChoice("mfn", "false", "uniform"), {}),
    "uniform": (InstrumentChoice("uniform", "uniform"), {}),
    "union": (ALL, {"unions": [("E2", "E3")]}),
    "some players": (ALL, {"players": ("E3", "E1")}),
    "between players": (InstrumentChoice("by_sector"), {"players": ("E3", "E1"), "partners": "players"}),
    "planner": (ALL, {}),
}
WORLDS = {
    "standard": (small_synthetic(4, 3, 1, policies="all"), "standard", "none"),
    "paper": (small_synthetic(4, 3, 1, policies="all"), "paper", "none"),
    "gaps, deficits": (dataclasses.replace(with_gaps(), economies=("E1", "E2", "E3")), "paper", "constant"),
}


@pytest.fixture(params=GAMES)
def game(request: pytest.FixtureRequest, world: str) -> TradeGame:
    calibration, accounting, deficits = WORLDS[world]
    model = build_model(calibration, accounting, deficits)
    choice, options = GAMES[request.param]
    instruments = build_instruments(model, choice, **options)
    if request.param != "planner":
        return TradeGame(model, instruments)
    instruments = dataclasses.replace(instruments, owner=torch.zeros_like(instruments.owner))
    weight = torch.linspace(0.5, 1.5, model.n, dtype=torch.float64)
    return TradeGame(model, instruments, weighted_welfare(weight))


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def somewhere(game: TradeGame) -> tuple[LargeTradeGame, TradeConditions, TradePoint]:
    """Conditions at random policies, and the same equilibrium as a dense point."""
    large, draw = LargeTradeGame(game), torch.Generator().manual_seed(0)
    move = 0.1 * torch.rand(game.instruments.count, generator=draw, dtype=torch.float64)
    found = large.conditions(game.instruments.average(game.fixed) + move)
    assert found is not None
    return large, found, large.point(found)


def relative(actual: Tensor, wanted: Tensor) -> float:
    return float((actual - wanted).abs().max() / wanted.abs().max())


def test_own_derivatives_and_products_are_the_dense_ones(game: TradeGame) -> None:
    large, conditions, point = somewhere(game)
    own = point.gradient().gather(0, game.owner[None])[0]
    assert relative(conditions.own_gradient(), own) <= 1e-12
    assert float((conditions.objectives_at.values - point.objectives).abs().max()) <= 1e-14
    assert float((conditions.objectives - point.objectives).abs().max()) <= 1e-11  # the residual's part is taken out
    v = torch.randn(len(own), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    of_own, jointly = torch.zeros_like(v), torch.zeros_like(v)
    for player in range(game.players):
        mine = game.owner == player
        of_own[mine] = point.hessian(player) @ v[mine]
        jointly[mine] = point.hessian(player, joint=True) @ v
    assert relative(conditions.own_hessian_times(v, 1e-13), of_own) <= 1e-10
    assert relative(conditions.joint_times(v, 1e-13), jointly) <= 1e-10
    for player in range(game.players):
        alone, mine = large.conditions(point.a, conditions, player=player), game.owner == player
        assert alone is not None
        assert relative(alone.own_gradient()[mine], own[mine]) <= 1e-11
        assert not bool(alone.own_gradient()[~mine].any())
        assert relative(alone.own_hessian_times(v, 1e-13)[mine], of_own[mine]) <= 1e-10


def test_products_asked_in_single_precision_are_those_in_double(game: TradeGame) -> None:
    _, conditions, _ = somewhere(game)
    draw = torch.Generator().manual_seed(4)
    z = torch.randn(conditions.at.world.size, 3, generator=draw, dtype=torch.float64)
    for times in (conditions.at.product, conditions.at.transposed):
        assert times(z).dtype == torch.float64
        assert 0 < relative(times(z.float()).double(), times(z)) <= 1e-5
    alone = conditions.large.several([Asked(conditions.a, conditions, 1e-9, 0)] * 2)[1]
    assert isinstance(alone, TradeConditions)
    assert relative(alone.at.product(z.float()).double(), alone.at.product(z)) <= 1e-5


def test_preconditioners_and_krylov_spaces_in_single_precision_change_nothing() -> None:
    """They are kept so from 24 countries on."""
    model = build_model(small_synthetic(25, 3, 1, policies="all"))
    game = TradeGame(model, build_instruments(model, InstrumentChoice("mfn", "false", "uniform")))
    _, conditions, point = somewhere(game)
    assert relative(conditions.own_gradient(), point.gradient().gather(0, game.owner[None])[0]) <= 1e-12
    v = torch.randn(len(conditions.a), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    player = 3
    mine = game.owner == player
    wanted = point.hessian(player) @ v[mine]
    assert relative(conditions.own_hessian_times(v, 1e-13)[mine], wanted) <= 1e-10


def test_deviations_side_by_side_are_those_one_by_one(game: TradeGame) -> None:
    """Far ones, each of one player; one that has no equilibrium changes nothing for the others."""
    large, conditions, _ = somewhere(game)
    draw = torch.Generator().manual_seed(2)
    asked = []
    for player in [*range(game.players), 0]:
        size = torch.where(game.instruments.kind == 2, 0.05, 0.3)
        move = size * torch.rand(game.instruments.count, generator=draw, dtype=torch.float64)
        a = conditions.a + torch.where(game.owner == player, move, 0.0)
        asked.append(Asked(a, conditions, 10.0 ** -(9 + player), player))
    lost = torch.where(game.owner == 0, -6.0 + 12.0 * (game.instruments.kind > 0), conditions.a)
    together = large.several([*asked, Asked(lost, conditions, 1e-9, 0)])
    for one, found in zip(asked, together, strict=False):
        alone = large.conditions(one.a, conditions, 1e-14, one.player)
        assert alone is not None
        assert isinstance(found, TradeConditions)
        assert found.residual <= 1e-8
        assert float((found.objectives - alone.objectives).abs().max()) <= 1e-7
        assert relative(found.own_gradient(), alone.own_gradient()) <= 1e-6
        assert relative(found.formula()[1], alone.formula()[1]) <= 1e-6
    if bool((game.instruments.kind == 2).any()):
        assert together[-1] is None


def test_objectives_of_rough_equilibria_are_nearly_exact(game: TradeGame) -> None:
    """The multipliers take out most of what unknowns that are a thousandth off do to the objectives."""
    large, conditions, _ = somewhere(game)
    shake = 1e-3 * torch.randn(large.world.size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    at = SectorPoint(large.world, conditions.at.z + shake, conditions.at.wedges)
    rough = TradeConditions(
        large, conditions.a, at, conditions.columns, conditions.anchor, conditions.multipliers,
        large._objectives(at, conditions.columns),
    )  # fmt: skip
    plain = (rough.objectives_at.values - conditions.objectives).abs().max()
    assert float((rough.objectives - conditions.objectives).abs().max()) <= 0.1 * float(plain)


def test_points_and_states_give_the_same_conditions(game: TradeGame) -> None:
    large, conditions, point = somewhere(game)
    assert float(game.model.residual(point.equilibrium.u, point.equilibrium.wedges).abs().max()) <= 1e-11
    assert relative(large.of(point).own_gradient(), conditions.own_gradient()) <= 1e-11
    again = large.restore(conditions.state())
    assert torch.equal(again.own_gradient(), conditions.own_gradient())
    move = torch.full_like(conditions.a, 0.01)
    after, repeated = (large.conditions(conditions.a + move, near, 1e-7) for near in (conditions, again))
    assert after is not None
    assert repeated is not None
    assert torch.equal(after.own_gradient(), repeated.own_gradient())


def test_policies_without_equilibrium_have_no_conditions() -> None:
    model = build_model(small_synthetic(4, 3, 2))
    large = LargeTradeGame(TradeGame(model, build_instruments(model, InstrumentChoice(subsidy="uniform"))))
    assert large.conditions(torch.full((4,), 3.0, dtype=torch.float64)) is None


@pytest.mark.parametrize("deficits", ["none", "constant"])
@pytest.mark.parametrize("options", [{}, {"unions": [("E2", "E3")]}, {"players": ("E3", "E1")}])
def test_a_world_of_labour_alone_collapses_to_wages(deficits: str, options: dict[str, Any]) -> None:
    """Equilibrium, own derivatives and the formula's scale are those of the general equations."""
    world = small_synthetic(4, 3, 1)
    world = dataclasses.replace(
        world, value_added_share=torch.ones_like(world.value_added_share), psi=torch.zeros_like(world.psi),
        final_share=None,
    )  # fmt: skip
    model = build_model(world, "standard", deficits)
    for mode in ("by_sector", "mfn", "uniform"):
        game = TradeGame(model, build_instruments(model, InstrumentChoice(mode), **options))
        large = game.large
        assert large.collapsed
        found = large.conditions(game.instruments.average(game.fixed) + 0.1)
        assert isinstance(found, WageConditions)
        point = large.point(found)
        assert float(model.residual(point.equilibrium.u, point.equilibrium.wedges).abs().max()) <= 1e-12
        general = large.of(point)
        assert relative(found.own_gradient(), general.own_gradient()) <= 1e-12
        assert relative(found.formula()[1], general.formula()[1]) <= 1e-12
        own = point.gradient().gather(0, game.owner[None])[0]
        assert relative(found.own_gradient(), own) <= 1e-12
        assert torch.equal(large.restore(found.state()).own_gradient(), found.own_gradient())


def test_rough_wages_rank_objectives_as_exact_ones_would() -> None:
    """What is left of the residual moves an objective by its square only: a search near the best is not misled."""
    world = synthetic(5, 3, 1, scale_economies=False, intermediates=False)
    model = build_model(world)
    game = TradeGame(model, build_instruments(model, InstrumentChoice("uniform")))
    a = game.instruments.average(game.fixed)
    exact = game.large.conditions(a + 0.3)
    assert exact is not None
    sizes = []
    for accuracy in (1e-2, 1e-3, 1e-4):
        rough = game.large.conditions(a + 0.3, game.large.conditions(a), accuracy)
        assert rough is not None
        off = float((rough.objectives - exact.objectives).abs().max())
        sizes.append(rough.residual)
        assert off <= 10 * rough.residual**2 + 1e-13
    assert max(sizes) > 1e-7, "some of them are rough"


def test_other_worlds_do_not_collapse() -> None:
    model = build_model(small_synthetic(4, 3, 1))
    assert not TradeGame(model, build_instruments(model, InstrumentChoice("mfn"))).large.collapsed
