"""What must hold in any equilibrium, whatever the numbers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlopt import Calibration, Policy, SolveResult, UnknownNameError, solve_equilibrium
from dlopt.trade.accounting import Accounting, exporter_share, importer_share
from dlopt.trade.api import build_model
from dlopt.trade.balance import BalanceError, balanced, implied_deficit
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.model import InconsistentBaselineError, TradeModel
from dlopt.trade.policy import PolicyError

ACCOUNTINGS = ["standard", "paper"]


def random_policy(calibration: Calibration, seed: int, size: float = 0.3) -> Policy:
    """Tariffs and export taxes abroad and subsidies, uniform in [-size/4, size]."""
    draw = torch.Generator().manual_seed(seed)
    abroad = (~torch.eye(calibration.n_economies, dtype=torch.bool))[:, :, None]

    def rates(like: Tensor) -> Tensor:
        return 1.25 * size * torch.rand(like.shape, generator=draw, dtype=like.dtype) - size / 4

    return Policy(
        rates(calibration.tariff) * abroad, rates(calibration.export_tax) * abroad, rates(calibration.subsidy)
    )


def unbalanced(seed: int = 3) -> Calibration:
    """Flows off by up to 20 % each: neither trade nor markets balance."""
    world = small_synthetic(3, 3, seed)
    noise = 0.8 + 0.4 * torch.rand(world.trade.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return dataclasses.replace(world, trade=world.trade * noise)


def assert_adds_up(result: SolveResult) -> None:
    """Every market of the model in levels, from flows alone: expenditure is revenue and taxes, country by country.

    Residuals are 1e-11 in logs, so that sums over the world agree to 1e-10.
    """
    model, (tau, epsilon, sigma) = result.model, result.wedges
    flows = model.flows(result.state, result.wedges)
    revenue = (flows * (sigma[:, None] - tau - epsilon).exp()).sum(1)
    tariffs = (flows * importer_share(model.accounting, *result.wedges)).sum((0, 2))
    exports = (flows * exporter_share(model.accounting, *result.wedges)).sum((1, 2))
    world = flows.sum()
    assert float((revenue.sum() + (tariffs + exports).sum() - world).abs() / world) < 1e-13
    spent = flows.sum((0, 2))
    received = revenue.sum(1) + tariffs + exports + model.transfer
    assert float(((spent - received) / spent).abs().max()) < 1e-10
    paid = (model.beta * revenue).sum(1)
    assert torch.allclose(paid, model.value_added * result.state.wage.exp(), rtol=1e-10, atol=0)
    final = model.alpha * (model.income * result.state.income.exp())[:, None]
    inputs = torch.einsum("isj,ij->is", model.materials, revenue)
    assert torch.allclose(final + inputs, flows.sum(0), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("accounting", ACCOUNTINGS)
@pytest.mark.parametrize("deficits", ["none", "constant"])
@pytest.mark.parametrize("seed", [1, 2])
def test_equilibria_add_up_and_obey_walras(accounting: str, deficits: str, seed: int) -> None:
    world = unbalanced()
    result = solve_equilibrium(world, random_policy(world, seed), accounting=accounting, deficits=deficits)
    assert result.status == "converged"
    assert result.certificate.equilibrium_residual <= 1e-11
    # Walras: the dropped labour market clears up to the others' residuals over its weight in the world.
    assert result.certificate.walras_residual < 1e-9
    assert_adds_up(result)


def test_unchanged_policies_change_nothing() -> None:
    world = small_synthetic(policies="all")
    result = solve_equilibrium(world)
    assert result.certificate.equilibrium_residual <= 1e-11
    assert float(result.real_income_change_pct.abs().max()) < 1e-9
    assert len(result.tables()["policies"]) == 0


@pytest.mark.parametrize("deficits", ["none", "constant"])
def test_numeraire_is_only_a_unit(deficits: str) -> None:
    """Whichever labour market is dropped, and whatever unit values are in, nothing changes."""
    world = unbalanced()
    policy = random_policy(world, 4)
    model = build_model(world, deficits=deficits)
    reference = find_equilibrium(model, policy.log_wedges()).u
    for country in range(3):
        model.reference = torch.tensor([country])
        again = find_equilibrium(model, policy.log_wedges()).u
        # Residuals of 1e-11 times the condition of the system, about 10.
        assert torch.allclose(again, reference, rtol=0, atol=1e-9)
    scaled = build_model(dataclasses.replace(world, trade=1e6 * world.trade), deficits=deficits)
    assert torch.allclose(find_equilibrium(scaled, policy.log_wedges()).u, reference, rtol=0, atol=1e-9)


def test_world_value_added_is_the_numeraire() -> None:
    world = small_synthetic()
    result = solve_equilibrium(world, random_policy(world, 5))
    model = result.model
    after = (model.value_added * result.state.wage.exp()).sum()
    assert float(after / model.value_added.sum()) == pytest.approx(1.0, abs=1e-10)


def test_labels_do_not_matter() -> None:
    """The order of economies and sectors permutes the result and nothing else."""
    world = small_synthetic(4, 3, 2, policies="all")
    economies, sectors = [2, 0, 3, 1], [1, 2, 0]
    other = world.relabelled(economies, sectors)
    policy = random_policy(world, 6)
    e, s = torch.tensor(economies), torch.tensor(sectors)
    moved = Policy(policy.tariff[e][:, e][:, :, s], policy.export_tax[e][:, e][:, :, s], policy.subsidy[e][:, s])
    a, b = solve_equilibrium(world, policy), solve_equilibrium(other, moved)
    assert torch.allclose(a.real_income_change_pct[e], b.real_income_change_pct, rtol=0, atol=1e-7)
    assert torch.allclose(a.state.labour[e][:, s], b.state.labour, rtol=0, atol=1e-9)
    assert torch.allclose(a.state.price[e][:, s], b.state.price, rtol=0, atol=1e-9)


class TestAccounting:
    """Two ways of collecting the same taxes."""

    def test_agree_without_subsidies_and_export_taxes(self) -> None:
        world = small_synthetic(3, 3, 1)
        tariffs = Policy(random_policy(world, 7).tariff, world.export_tax, world.subsidy)
        a, b = (solve_equilibrium(world, tariffs, accounting=accounting) for accounting in ACCOUNTINGS)
        assert torch.allclose(a.u, b.u, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("kind", ["subsidy", "export_tax"])
    def test_differ_with_either(self, kind: str) -> None:
        """Export taxes differ only where a tariff is levied on top of them."""
        world = small_synthetic(3, 3, 1)
        policy = dataclasses.replace(Policy.of(world), **{kind: getattr(random_policy(world, 7), kind)})
        a, b = (solve_equilibrium(world, policy, accounting=accounting) for accounting in ACCOUNTINGS)
        assert float((a.real_income_change_pct - b.real_income_change_pct).abs().max()) > 1e-3

    @pytest.mark.parametrize("accounting", ACCOUNTINGS)
    def test_shares_are_the_documented_rates(self, accounting: str) -> None:
        """The formulas of `Accounting`, written with rates instead of logs, for one flow of 1."""
        t, e, s = 0.3, 0.2, 0.15
        kappa = (1 + t) * (1 + e) * (1 - s)
        tariff, export, outlay = {
            "paper": (t / kappa, e / (1 + e) / (1 - s), s / (1 - s)),
            "standard": (t / (1 + t), e / ((1 + e) * (1 + t)), s / kappa),
        }[accounting]
        cell = torch.ones(1, 1, 1, dtype=torch.float64)
        logs = (cell * t).log1p(), (cell * e).log1p(), -(-cell[0] * s).log1p()
        kind = Accounting(accounting)
        assert float(importer_share(kind, *logs)) == pytest.approx(tariff, rel=1e-14)
        assert float(exporter_share(kind, *logs)) == pytest.approx(export - outlay, rel=1e-13)
        # Producer revenue and all taxes add up to the flow.
        assert tariff + export - outlay + 1 / kappa == pytest.approx(1, abs=1e-14)


class TestBalancing:
    """From data to a baseline."""

    @pytest.mark.parametrize("accounting", ACCOUNTINGS)
    def test_is_idempotent(self, accounting: str) -> None:
        once, _ = balanced(unbalanced(), accounting)
        twice, _ = balanced(once, accounting)
        # A residual of 1e-11 in logs, amplified by theta.
        assert torch.allclose(once.trade, twice.trade, rtol=1e-9, atol=0)

    def test_leaves_a_balanced_world_alone(self) -> None:
        world = small_synthetic(3, 4, 1, policies="all")
        after, transfer = balanced(world)
        assert torch.allclose(after.trade, world.trade, rtol=1e-9, atol=0)
        assert transfer.tolist() == [0.0] * 3

    @pytest.mark.parametrize("accounting", ACCOUNTINGS)
    def test_removes_deficits(self, accounting: str) -> None:
        world = unbalanced()
        size = world.trade.sum((0, 2))
        assert float((implied_deficit(world, accounting) / size).abs().max()) > 1e-3
        after, _ = balanced(world, accounting)
        assert float((implied_deficit(after, accounting) / size).abs().max()) < 1e-10

    def test_keeps_constant_deficits(self) -> None:
        """In the numeraire, before and after a change of policy; balancing does not move them."""
        world = unbalanced()
        wanted = implied_deficit(world)
        after, transfer = balanced(world, deficits="constant")
        size = world.trade.sum((0, 2))
        assert torch.equal(transfer, wanted)
        assert float(wanted.sum().abs() / size.sum()) < 1e-14
        # The numeraire is the data's world value added.
        assert float(((implied_deficit(after) - wanted) / size).abs().max()) < 1e-10
        result = solve_equilibrium(world, random_policy(world, 8), deficits="constant")
        model = result.model
        flows = model.flows(result.state, result.wedges)
        tau, epsilon, sigma = result.wedges
        changed = dataclasses.replace(
            result.calibration, trade=flows, tariff=tau.expm1(), export_tax=epsilon.expm1(), subsidy=-(-sigma).expm1()
        )
        assert float(((implied_deficit(changed) - wanted) / size).abs().max()) < 1e-10

    def test_does_not_use_economies_of_scale(self) -> None:
        """The baseline is the same whatever psi is."""
        world = unbalanced()
        flat = dataclasses.replace(world, psi=torch.zeros_like(world.psi))
        assert torch.equal(balanced(world)[0].trade, balanced(flat)[0].trade)

    def test_implies_final_shares_where_none_are_given(self) -> None:
        """From market clearing of the flows; a balanced world without them is the same world."""
        world = small_synthetic(3, 3, 2)
        after, _ = balanced(dataclasses.replace(world, final_share=None))
        assert world.final_share is not None
        assert after.final_share is not None
        assert torch.allclose(after.final_share, world.final_share, rtol=0, atol=1e-11)

    def test_refuses_negative_final_shares(self) -> None:
        world = small_synthetic(3, 3, 2)
        trade = world.trade.clone()
        trade[:, 1, 2] *= 0.2
        with pytest.raises(BalanceError, match=r"E2 in sector 3 .* below zero"):
            balanced(dataclasses.replace(world, trade=trade, final_share=None))

    @pytest.mark.parametrize("field", ["final_share", "input_share"])
    def test_shares_in_single_precision_are_made_whole(self, field: str) -> None:
        """Thirds in float32 sum to 1 + 3e-8: enough, where the world is thin, to move real income by 3e-5 %."""
        world = small_synthetic(3, 3, 3)
        whole = torch.full_like(getattr(world, field), 1 / 3)
        rounded = torch.full(whole.shape, 1 / 3, dtype=torch.float32).double()
        given, kept = (dataclasses.replace(world, **{field: shares}) for shares in (rounded, whole))
        assert float((balanced(given)[0].trade - balanced(kept)[0].trade).abs().max()) < 1e-10
        policy = random_policy(world, 1)
        incomes = [solve_equilibrium(c, policy).real_income_change_pct for c in (given, kept)]
        assert torch.allclose(*incomes, rtol=0, atol=1e-8)

    @pytest.mark.parametrize(("field", "what"), [("final_share", "final"), ("input_share", "input")])
    def test_refuses_shares_that_do_not_sum_to_one(self, field: str, what: str) -> None:
        world = small_synthetic(3, 3, 3)
        for factor in (1.0001, 0.5, float("nan")):
            with pytest.raises(BalanceError, match=f"The {what} shares of E1, .*not to 1. Correct {field}"):
                balanced(dataclasses.replace(world, **{field: factor * getattr(world, field)}))

    def test_an_unbalanced_world_is_no_baseline(self) -> None:
        with pytest.raises(InconsistentBaselineError, match=r"synthetic-3x3-3.*do not clear.*Balance"):
            TradeModel(unbalanced())
        with pytest.raises(InconsistentBaselineError, match="no final shares"):
            TradeModel(dataclasses.replace(unbalanced(), final_share=None))


class TestScaleEconomies:
    """psi and its multiplier."""

    def test_scale_multiplies_psi(self) -> None:
        world = small_synthetic(3, 3, 1)
        policy = random_policy(world, 9)
        half = dataclasses.replace(world, psi=world.psi / 2)
        a, b = solve_equilibrium(world, policy, psi_scale=0.5), solve_equilibrium(half, policy)
        assert torch.equal(a.u, b.u)

    def test_zero_is_none(self) -> None:
        world = small_synthetic(3, 3, 1)
        none = dataclasses.replace(world, psi=torch.zeros_like(world.psi))
        policy = random_policy(world, 9)
        a, b = solve_equilibrium(world, policy, psi_scale=0.0), solve_equilibrium(none, policy)
        assert torch.equal(a.u, b.u)
        with_scale = solve_equilibrium(world, policy)
        assert float((a.real_income_change_pct - with_scale.real_income_change_pct).abs().max()) > 1e-2


def test_a_sector_that_nobody_makes_abroad_is_no_obstacle() -> None:
    """Cells without trade stay without trade, and their unknowns at zero."""
    world = small_synthetic(3, 3, 2)
    trade = world.trade.clone()
    trade[0, :, 1] = 0.0
    result = solve_equilibrium(dataclasses.replace(world, trade=trade), random_policy(world, 3))
    assert result.status == "converged"
    assert float(result.state.labour[0, 1]) == 0.0
    assert float(result.model.flows(result.state, result.wedges)[0, :, 1].abs().max()) == 0.0
    assert_adds_up(result)


class TestBadInput:
    """One message, with place, value and rule."""

    @pytest.mark.parametrize(
        ("field", "rate", "message"),
        [
            ("tariff", -1.0, r"tariff at position \(0, 1, 0\) is -1; it must be > -1"),
            ("export_tax", float("inf"), r"export tax at position \(0, 1, 0\) is inf"),
            ("subsidy", 1.0, r"subsidy at position \(1, 0\) is 1; it must be < 1"),
            ("subsidy", float("nan"), r"subsidy at position \(1, 0\) is nan"),
        ],
    )
    def test_rates_nobody_could_set(self, field: str, rate: float, message: str) -> None:
        world = one_sector_two_countries()
        rates = getattr(world, field).clone()
        rates[(1, 0) if field == "subsidy" else (0, 1, 0)] = rate
        with pytest.raises(PolicyError, match=message):
            dataclasses.replace(Policy.of(world), **{field: rates})

    def test_unknown_accounting_and_deficits(self) -> None:
        with pytest.raises(UnknownNameError, match=r"accounting 'papr'.*'paper'"):
            solve_equilibrium(one_sector_two_countries(), accounting="papr")
        with pytest.raises(UnknownNameError, match=r"deficits 'constnt'.*'constant'"):
            solve_equilibrium(one_sector_two_countries(), deficits="constnt")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    countries=st.integers(2, 5), sectors=st.integers(1, 4), seed=st.integers(0, 10_000), policy=st.integers(0, 10_000),
    accounting=st.sampled_from(ACCOUNTINGS), scale=st.booleans(), intermediates=st.booleans(),
)  # fmt: skip
def test_random_worlds_under_random_policies(
    countries: int, sectors: int, seed: int, policy: int, accounting: str, scale: bool, intermediates: bool
) -> None:
    """Tariffs and export taxes to 40 %, subsidies to 40 %: an equilibrium is found, and it is one."""
    world = small_synthetic(countries, sectors, seed, scale_economies=scale, intermediates=intermediates)
    result = solve_equilibrium(world, random_policy(world, policy, 0.4), accounting=accounting)
    assert result.status == "converged", result.message
    assert result.certificate.walras_residual < 1e-9
    assert_adds_up(result)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), policy=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3))
def test_the_unit_of_value_does_not_matter(seed: int, policy: int, factor: float) -> None:
    """Homogeneity: all values times any factor, the same changes."""
    world = small_synthetic(3, 2, seed)
    rates = random_policy(world, policy)
    a = solve_equilibrium(world, rates)
    b = solve_equilibrium(dataclasses.replace(world, trade=factor * world.trade), rates)
    assert torch.allclose(a.u, b.u, rtol=0, atol=1e-9)
