"""Structural derivatives against automatic differentiation and finite differences."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import small_synthetic
from torch import Tensor

from dlopt import Bounds, Calibration, InstrumentChoice
from dlopt.trade.api import build_model
from dlopt.trade.curvature import Curvature
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.instruments import build_instruments
from dlopt.trade.model import LogWedges, State, TradeModel
from dlopt.trade.run import random_instruments

ALL = InstrumentChoice("by_sector", "by_sector", "by_sector")


def with_gaps() -> Calibration:
    """A world where one country does not make a good and buys it from one source, and another good is not traded."""
    world = small_synthetic(3, 4, 2, policies="all")
    trade = world.trade.clone()
    trade[0, :, 1] = 0.0
    trade[2, 0, 1] = 0.0
    trade[:, :, 3] *= torch.eye(3, dtype=torch.float64)
    # Nobody in country 1 sells or buys the first good.
    trade[1, :, 0] = 0.0
    trade[:, 1, 0] = 0.0
    inputs = world.input_share.clone()
    inputs[1, 0] = 0.0
    inputs = inputs / inputs.sum(1, keepdim=True)
    assert world.final_share is not None
    final = world.final_share.clone()
    final[1, 0] = 0.0
    return dataclasses.replace(world, trade=trade, input_share=inputs, final_share=final / final.sum(1, keepdim=True))


def models() -> list[object]:
    full = small_synthetic(3, 3, 1, policies="all")
    return [
        pytest.param(build_model(full), id="standard"),
        pytest.param(build_model(full, "paper"), id="paper"),
        pytest.param(build_model(with_gaps()), id="gaps"),
        pytest.param(build_model(with_gaps(), "paper", "constant"), id="gaps-paper-deficits"),
    ]


@pytest.fixture(params=models())
def model(request: pytest.FixtureRequest) -> TradeModel:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def wedges(model: TradeModel) -> LogWedges:
    """The baseline's policies, each moved by up to 10 % where there is trade or production."""
    draw = torch.Generator().manual_seed(3)
    return tuple(  # type: ignore[return-value]
        w + (0.2 * torch.rand(w.shape, generator=draw, dtype=w.dtype) - 0.1) * active
        for w, active in zip(model.wedges0, (model.trade > 0, model.trade > 0, model.sells), strict=True)
    )


@pytest.fixture
def equilibrium(model: TradeModel, wedges: LogWedges) -> Tensor:
    found = find_equilibrium(model, wedges)
    assert found.residual <= 1e-11
    return found.u


def test_gaps_are_gaps() -> None:
    model = build_model(with_gaps())
    assert not bool(model.sells[0, 1])
    assert not bool(model.buys[1, 0])
    assert int((model.trade == 0).sum()) > 12


def test_factors_invert_the_jacobian(model: TradeModel, wedges: LogWedges, equilibrium: Tensor) -> None:
    """At the equilibrium, and away from it (Newton needs it there), against automatic differentiation."""
    generator = torch.Generator().manual_seed(1)
    away = equilibrium + 0.1 * torch.randn(model.size, generator=generator, dtype=torch.float64)
    x = torch.randn(model.size, 4, generator=generator, dtype=torch.float64)
    for u in (equilibrium, away):
        jacobian = torch.func.jacrev(lambda v: model.residual(v, wedges))(u)
        factors = Linearisation(model, u, wedges).factors()
        assert torch.allclose(factors.solve(jacobian @ x), x, rtol=1e-9, atol=1e-9)
        assert torch.allclose(factors.solve_transposed(jacobian.T @ x), x, rtol=1e-9, atol=1e-9)
        assert torch.allclose(factors.solve(jacobian @ x[:, 0]), x[:, 0], rtol=1e-9, atol=1e-9)


def test_wedge_derivatives(model: TradeModel, wedges: LogWedges, equilibrium: Tensor) -> None:
    """Derivatives with respect to every cell's wedges, dense, from the sparse entries."""
    wanted = torch.func.jacrev(lambda w: model.residual(equilibrium, w))(wedges)
    cells = Linearisation(model, equilibrium, wedges).wedge_cells()
    n, j = model.n, model.j
    columns = torch.arange(n * n * j).view(n, n, j)
    for name, want in zip(("tau", "epsilon", "sigma"), wanted, strict=True):
        dense = torch.zeros(model.size, n * n * j, dtype=torch.float64)
        for rows, values in cells[name]:
            dense.index_put_((rows, columns), values, accumulate=True)
        table = dense.view(-1, n, n, j)
        actual = table.sum(2) if name == "sigma" else table
        assert torch.allclose(actual, want, rtol=1e-11, atol=1e-12), name


@pytest.mark.parametrize("choice", [ALL, InstrumentChoice("mfn", "uniform", "uniform")])
def test_curvature(model: TradeModel, wedges: LogWedges, choice: InstrumentChoice) -> None:
    """Second derivatives of a random combination of equations in unknowns and instruments, block by block.

    The equations are `sum of exponentials - 1`, the exponential of the residual less one (where nothing is traded, the
    residual itself). Along solutions their logs have the same second derivatives; the Hessian test below shows it.
    The structure assumes an equilibrium: its residual of 1e-11 enters with weights of order theta^2.
    """
    instruments = build_instruments(model, choice, Bounds((-0.4, 1.0), (-0.4, 1.0), (-0.4, 0.5)))
    a = instruments.average(wedges)
    applied = instruments.apply(a, model.wedges0)
    u = find_equilibrium(model, applied).u
    multiplier = torch.randn(model.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    always = torch.ones(model.n, dtype=torch.bool)
    active = State(always, always, model.sells, model.buys, model.buys).stacked()

    def combination(u: Tensor, a: Tensor) -> Tensor:
        residual = model.residual(u, instruments.apply(a, model.wedges0))
        return multiplier @ torch.where(active, residual.expm1(), residual)

    (uu, ua), (_, aa) = torch.func.hessian(combination, argnums=(0, 1))(u, a)
    curvature = Curvature(Linearisation(model, u, applied), multiplier)
    some = torch.arange(instruments.count)[::2]
    assert torch.allclose(curvature.along(torch.eye(model.size, dtype=torch.float64)), uu, rtol=1e-8, atol=1e-8)
    assert torch.allclose(curvature.mixed(instruments, some), ua[:, some], rtol=1e-8, atol=1e-8)
    directions = torch.randn(model.size, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.allclose(curvature.mixed_along(instruments, directions), ua.T @ directions, rtol=1e-8, atol=1e-7)
    assert torch.allclose(curvature.direct(instruments, some), aa[some], rtol=1e-8, atol=1e-8)


def game_on(model: TradeModel, choice: InstrumentChoice = ALL, planner: bool = False) -> TradeGame:
    chosen = build_instruments(model, choice, Bounds((-0.3, 1.0), (-0.3, 1.0), (-0.3, 0.5)))
    if not planner:
        return TradeGame(model, chosen)
    one = dataclasses.replace(chosen, owner=torch.zeros_like(chosen.owner))
    weight = model.income / model.income.sum()
    return TradeGame(model, one, lambda log_welfare: (weight * log_welfare.exp()).sum()[None])


def start(game: TradeGame) -> TradePoint:
    """A quarter of the way from the baseline to a random point."""
    base = game.instruments.average(game.model.wedges0)
    point = game.point(base + 0.25 * (random_instruments(game.instruments, torch.Generator().manual_seed(5)) - base))
    assert point is not None
    return point


def differences(game: TradeGame, point: TradePoint, columns: list[int], value: str, player: int = 0) -> Tensor:
    """Fourth-order central differences of objectives or of a player's gradient, `[..., column]`.

    With a step of 1e-3 truncation is about 1e-12 theta^5/30 relative to the value, rounding 1e-11/1e-3.
    """

    def at(a: Tensor) -> Tensor:
        moved = game.point(a, near=point)
        assert moved is not None
        return moved.objectives if value == "objectives" else moved.gradient()[player]

    step, out = 1e-3, []
    for k in columns:
        e = torch.zeros_like(point.a)
        e[k] = step
        one, two = (at(point.a + m * e) - at(point.a - m * e) for m in (1, 2))
        out.append((8 * one - two) / (12 * step))
    return torch.stack(out, -1)


@pytest.mark.parametrize("planner", [False, True])
def test_gradient(model: TradeModel, planner: bool) -> None:
    game = game_on(model, planner=planner)
    point = start(game)
    columns = list(range(0, game.instruments.count, 5))
    wanted = differences(game, point, columns, "objectives")
    assert point.gradient().shape == (game.players, game.instruments.count)
    assert torch.allclose(point.gradient()[:, columns], wanted, rtol=1e-6, atol=2e-8)


@pytest.mark.parametrize("planner", [False, True])
def test_hessian(model: TradeModel, planner: bool) -> None:
    """Rows of a player, columns of everybody; the own block is symmetric and the same without the rest."""
    game = game_on(model, planner=planner)
    point = start(game)
    columns = list(range(0, game.instruments.count, 7))
    for player in range(game.players):
        own = (game.owner == player).nonzero().squeeze(1)
        alone = start(game).hessian(player)
        joint = point.hessian(player, joint=True)
        wanted = differences(game, point, columns, "gradient", player)[own]
        assert torch.allclose(joint[:, columns], wanted, rtol=1e-6, atol=2e-8)
        assert torch.allclose(joint[:, own], joint[:, own].T, rtol=0, atol=1e-10)
        assert torch.allclose(alone, joint[:, own], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["mfn", "uniform"])
def test_derivatives_of_a_group_are_sums_over_its_cells(model: TradeModel, mode: str) -> None:
    """One rate for many cells: the chain rule, for gradients and Hessians."""
    cells = game_on(model, InstrumentChoice(tariff="by_sector"))
    group = game_on(model, InstrumentChoice(tariff=mode))
    middle = torch.full((group.instruments.count,), 0.07, dtype=torch.float64)
    coarse = group.point(middle)
    fine = cells.point(torch.full((cells.instruments.count,), 0.07, dtype=torch.float64))
    assert coarse is not None
    assert fine is not None
    member = torch.zeros(cells.instruments.count, group.instruments.count, dtype=torch.float64)
    chosen = cells.instruments.tau >= 0
    member[cells.instruments.tau[chosen], group.instruments.tau[chosen]] = 1.0
    assert torch.allclose(coarse.gradient(), fine.gradient() @ member, rtol=0, atol=1e-11)
    for player in range(group.players):
        mine = group.owner == player
        rows = torch.zeros(cells.instruments.count, cells.instruments.count, dtype=torch.float64)
        rows[cells.owner == player] = fine.hessian(player, joint=True)
        assert torch.allclose(coarse.hessian(player, joint=True), (member.T @ rows @ member)[mine], rtol=0, atol=1e-9)


def test_tangent_is_second_order_accurate(model: TradeModel) -> None:
    """The error of the first-order prediction falls by four when the step is halved."""
    game = game_on(model)
    point = start(game)
    step = torch.rand(len(point.a), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    errors = []
    for size in (1e-2, 5e-3):
        a = point.a + size * step
        there = game.point(a, near=point)
        assert there is not None
        errors.append(float((point.tangent(a) - there.equilibrium.u).norm()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)
