"""The parts of a welfare change: they add up, they are what the literature calls them, and labels do not matter."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import closed_economy, one_sector_two_countries, small_synthetic, without_intermediates
from torch import Tensor

from dlopt import (
    Bounds,
    Calibration,
    InstrumentChoice,
    Policy,
    SolveResult,
    solve_cooperative,
    solve_equilibrium,
    solve_nash,
)
from dlopt.trade.decomposition import COMPONENTS, DecompositionError, decompose, rates

PART = {name: k for k, name in enumerate(COMPONENTS)}
SETTINGS = [(a, d) for a in ("standard", "paper") for d in ("none", "constant")]


def unbalanced(seed: int = 3) -> Calibration:
    """A world whose trade does not balance, with every policy in force."""
    world = small_synthetic(3, 4, seed, policies="all")
    generator = torch.Generator().manual_seed(seed)
    factor = 0.7 + 0.6 * torch.rand((3, 3, 1), generator=generator, dtype=torch.float64)
    return dataclasses.replace(world, trade=world.trade * factor)


def large_change(world: Calibration, size: float = 1.0) -> Policy:
    """Tariffs, export taxes and subsidies far from the baseline's, some of them negative."""
    generator = torch.Generator().manual_seed(1)

    def draw(shape: torch.Size, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    abroad = ~torch.eye(world.n_economies, dtype=torch.bool)[:, :, None]
    before = Policy.of(world)
    return Policy(
        before.tariff + size * abroad * draw(world.trade.shape, -0.1, 0.8),
        before.export_tax + size * abroad * draw(world.trade.shape, -0.1, 0.3),
        before.subsidy + size * draw(world.subsidy.shape, -0.2, 0.2),
    )


def adds_up(result: SolveResult) -> None:
    parts = decompose(result)
    assert (parts.contribution_log.sum(1) - result.model.log_welfare(result.u)).abs().max() <= 1e-10
    assert (parts.contribution_pct.sum(1) - result.real_income_change_pct).abs().max() <= 1e-8
    table = result.tables()["decomposition"]
    assert list(table.columns) == ["economy", "component", "contribution_pct", "contribution_log"]
    totals = table.groupby("economy", sort=False)["contribution_pct"].sum()
    assert totals.to_numpy() == pytest.approx(result.real_income_change_pct.numpy(), abs=1e-8)


@pytest.mark.parametrize(("accounting", "deficits"), SETTINGS)
def test_parts_add_up(accounting: str, deficits: str) -> None:
    world = unbalanced()
    result = solve_equilibrium(world, large_change(world), accounting=accounting, deficits=deficits)
    adds_up(result)
    transfer = decompose(result).contribution_log[:, PART["transfer"]]
    assert bool((transfer != 0).all()) == (deficits == "constant")


@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_parts_of_a_game_add_up(accounting: str) -> None:
    choice = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
    bounds = Bounds(subsidy=(-0.5, 0.6))
    adds_up(solve_nash(small_synthetic(3, 3, 1), instruments=choice, bounds=bounds, accounting=accounting))


@pytest.mark.parametrize(("accounting", "deficits"), SETTINGS)
def test_exact_at_every_point(accounting: str, deficits: str) -> None:
    """Parts of the derivative add up to the derivative, at an equilibrium far from the baseline."""
    world = unbalanced()
    result = solve_equilibrium(world, large_change(world), accounting=accounting, deficits=deficits)
    model, wedges = result.model, result.wedges
    change = tuple(b - a for a, b in zip(model.wedges0, wedges, strict=True))

    def at(h: float) -> Tensor:
        policy = [w + h * d for w, d in zip(wedges, change, strict=True)]
        rate = Policy(policy[0].expm1(), policy[1].expm1(), -(-policy[2]).expm1())
        return solve_equilibrium(world, rate, accounting=accounting, deficits=deficits, tolerance=1e-13).u

    slope = (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
    parts = rates(model, result.u, wedges, slope, change)
    assert torch.allclose(parts.sum(1), model.log_welfare(slope), rtol=0, atol=1e-9)


def test_more_nodes_change_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    world = unbalanced()
    result = solve_equilibrium(world, large_change(world))
    parts = decompose(result)
    monkeypatch.setattr("dlopt.trade.decomposition._NODES", (2 * parts.nodes,))
    assert torch.allclose(decompose(result).contribution_log, parts.contribution_log, rtol=0, atol=1e-10)


def test_a_path_integrated_piece_by_piece_gives_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    world = unbalanced()
    result = solve_equilibrium(world, large_change(world))
    whole = decompose(result)
    monkeypatch.setattr("dlopt.trade.decomposition._NODES", (5,))
    pieces = decompose(result)
    assert pieces.nodes > 5  # five nodes were too few, so that the path was halved
    assert torch.allclose(pieces.contribution_log, whole.contribution_log, rtol=0, atol=1e-10)


def test_a_planner_with_strong_economies_of_scale() -> None:
    """Production moves between countries on the way: no single quadrature follows that."""
    world = small_synthetic(3, 4, 1)
    strong = dataclasses.replace(world, psi=0.93 / world.theta)
    result = solve_cooperative(strong, instruments=InstrumentChoice(tariff="by_sector", subsidy="by_sector"))
    parts = decompose(result)
    assert torch.allclose(parts.contribution_log.sum(1), parts.total_log, rtol=0, atol=1e-10)


def test_small_changes_agree_with_caliendo_and_parro() -> None:
    """Their terms and volume of trade (2015), computed from the flows before and after."""
    world = small_synthetic(4, 3, 2, scale_economies=False)
    step = 1e-5
    shift = step * torch.rand(world.trade.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = shift * ~torch.eye(4, dtype=torch.bool)[:, :, None]

    def solved(sign: float) -> SolveResult:
        policy = Policy(world.tariff + sign * shift, world.export_tax, world.subsidy)
        return solve_equilibrium(world, policy, tolerance=1e-13)

    up, down = solved(1.0), solved(-1.0)
    model = up.model
    imports0 = model.trade / (1 + world.tariff) * ~torch.eye(4, dtype=torch.bool)[:, :, None]
    dcost = (model.unit_cost(up.state) - model.unit_cost(down.state)) / 2
    border = [r.model.flows(r.state, r.wedges).log() - r.policy.tariff.log1p() for r in (up, down)]
    dimports = (border[0] - border[1]) / 2
    terms = (imports0 * dcost[:, None]).sum((1, 2)) - (imports0 * dcost[:, None]).sum((0, 2))
    volume = (world.tariff * imports0 * (dimports - dcost[:, None])).sum((0, 2))
    ours = (decompose(up).contribution_log - decompose(down).contribution_log) / 2
    assert torch.allclose(ours[:, PART["terms_of_trade"]], terms / model.income, rtol=1e-5, atol=1e-12)
    assert torch.allclose(ours[:, PART["tariff_volume"]], volume / model.income, rtol=1e-5, atol=1e-12)
    assert ours[:, [PART[k] for k in ("export_tax_volume", "subsidy_volume", "scale", "transfer")]].abs().max() == 0


def test_relabelling_permutes() -> None:
    world = small_synthetic(3, 4, 5)
    policy = large_change(world)
    economies, sectors = [2, 0, 1], [3, 1, 0, 2]
    moved = Policy(
        policy.tariff[economies][:, economies][:, :, sectors],
        policy.export_tax[economies][:, economies][:, :, sectors],
        policy.subsidy[economies][:, sectors],
    )
    here = decompose(solve_equilibrium(world, policy)).contribution_log
    there = decompose(solve_equilibrium(world.relabelled(economies, sectors), moved)).contribution_log
    assert torch.allclose(here[economies], there, rtol=0, atol=1e-9)


def test_symmetric_countries_have_the_same_parts() -> None:
    border = torch.tensor([[0.7, 0.15, 0.15], [0.15, 0.7, 0.15], [0.15, 0.15, 0.7]], dtype=torch.float64)
    flows = torch.stack((border, 2 * border), dim=2)
    world = without_intermediates(flows, torch.zeros_like(flows), theta=[3.0, 5.0], psi=[0.2, 0.1])
    tariff = torch.where(torch.eye(3, dtype=torch.bool), 0.0, 0.4)[:, :, None].expand(3, 3, 2).double()
    subsidy = torch.tensor([0.2, 0.0], dtype=torch.float64).expand(3, 2)
    parts = decompose(solve_equilibrium(world, Policy(tariff, world.export_tax, subsidy))).contribution_log
    assert torch.allclose(parts, parts[:1].expand(3, -1), rtol=0, atol=1e-10)
    assert parts[:, PART["terms_of_trade"]].abs().max() <= 1e-10
    assert bool((parts[:, PART["tariff_volume"]] < 0).all())
    assert bool((parts[:, PART["scale"]] > 0).all())


def test_a_closed_economy_has_no_trade_in_its_parts() -> None:
    world = closed_economy()
    subsidy = torch.tensor([[0.2, 0.1, 0.0]], dtype=torch.float64)
    result = solve_equilibrium(world, Policy(world.tariff, world.export_tax, subsidy))
    adds_up(result)
    parts = decompose(result).contribution_log[0]
    assert (
        parts[[PART[k] for k in ("terms_of_trade", "tariff_volume", "export_tax_volume", "transfer")]].abs().max() == 0
    )
    assert parts[PART["scale"]] > 0 > parts[PART["subsidy_volume"]]


def test_a_single_sector_has_no_scale_effect() -> None:
    world = one_sector_two_countries(psi=0.1)
    policy = Policy(
        torch.tensor([[[0.0], [0.0]], [[0.3], [0.0]]], dtype=torch.float64), world.export_tax, world.subsidy
    )
    parts = decompose(solve_equilibrium(world, policy)).contribution_log
    assert parts[:, PART["scale"]].abs().max() <= 1e-12
    assert parts[0, PART["terms_of_trade"]] > 0 > parts[1, PART["terms_of_trade"]]


def test_no_change_has_no_parts() -> None:
    assert decompose(solve_equilibrium(small_synthetic())).contribution_pct.abs().max() <= 1e-9


def test_what_is_no_equilibrium_is_refused() -> None:
    world = small_synthetic()
    result = solve_equilibrium(world, large_change(world))
    broken = dataclasses.replace(result, certificate=dataclasses.replace(result.certificate, equilibrium_residual=1.0))
    with pytest.raises(DecompositionError, match="Only an equilibrium"):
        decompose(broken)
    assert len(broken.tables()["decomposition"]) == 0
