"""Randomly drawn subsidies: many equilibria at once are the equilibria one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, InstrumentChoice, Policy, SolveResult, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.framework.batch import BatchOptions
from dlopt.trade.batch import find_equilibria
from dlopt.trade.draws import DrawError, DrawOptions, Draws, draw_subsidies

OPTIONS = DrawOptions(count=60)


@pytest.fixture(scope="module")
def nash() -> SolveResult:
    choice = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
    return solve_nash(small_synthetic(3, 4, 1), instruments=choice, bounds=Bounds(subsidy=(0.0, 0.6)))


@pytest.fixture(scope="module")
def draws(nash: SolveResult) -> Draws:
    return draw_subsidies(nash, "E2", OPTIONS, seed=7)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_each_draw_is_its_equilibrium(nash: SolveResult, draws: Draws) -> None:
    for k in (0, 17, 59):
        subsidy = nash.policy.subsidy.clone()
        subsidy[1] = draws.rates[k]
        policy = Policy(nash.policy.tariff, nash.policy.export_tax, subsidy)
        alone = solve_equilibrium(nash.calibration, policy)
        assert torch.allclose(draws.real_income_change_pct[k], alone.real_income_change_pct, rtol=0, atol=1e-7)


def test_rates_lie_around_the_optimum(nash: SolveResult, draws: Draws) -> None:
    ratio = draws.rates[:, nash.policy.subsidy[1] > 0] / nash.policy.subsidy[1][nash.policy.subsidy[1] > 0]
    assert float(ratio.min()) >= 0.1
    assert float(ratio.max()) <= 1.9
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.1)
    assert draws.failed == 0


def test_nobody_gains_by_drawing(draws: Draws) -> None:
    """The others' policies are given: the optimum is at least as good as any draw."""
    assert bool((draws.real_income_change_pct[:, 1] <= draws.at_optimum[1] + 1e-9).all())


def test_same_seed_same_numbers(nash: SolveResult, draws: Draws, two_threads: None) -> None:
    again = draw_subsidies(nash, "E2", OPTIONS, seed=7)
    assert torch.allclose(draws.real_income_change_pct, again.real_income_change_pct, rtol=0, atol=1e-9)
    other = draw_subsidies(nash, "E2", OPTIONS, seed=8)
    assert not torch.allclose(draws.rates, other.rates)


def test_batches_do_not_matter(nash: SolveResult, draws: Draws) -> None:
    sigma = nash.wedges[2].expand(60, -1, -1).clone()
    sigma[:, 1] = -(-draws.rates).log1p()
    wedges = (nash.wedges[0], nash.wedges[1], sigma)
    whole = find_equilibria(nash.model, wedges, nash.u, nash.wedges)
    parts = find_equilibria(nash.model, wedges, nash.u, nash.wedges, batch=7)
    assert torch.allclose(whole.u, parts.u, rtol=0, atol=1e-9)


def test_given_up_ones_are_solved_alone(nash: SolveResult, draws: Draws) -> None:
    sigma = nash.wedges[2].expand(5, -1, -1).clone()
    sigma[:, 1] = -(-draws.rates[:5]).log1p()
    wedges = (nash.wedges[0], nash.wedges[1], sigma)
    found = find_equilibria(nash.model, wedges, nash.u, nash.wedges, BatchOptions(max_iterations=1))
    assert found.alone == 5
    assert bool(found.solved.all())
    welfare = 100 * nash.model.log_welfare(found.u).expm1()
    assert torch.allclose(welfare, draws.real_income_change_pct[:5], rtol=0, atol=1e-7)


def test_what_has_no_equilibrium_is_counted(nash: SolveResult) -> None:
    """A subsidy near 100 per cent costs more than there is."""
    sigma = nash.wedges[2].expand(3, -1, -1).clone()
    sigma[1] = 9.0
    found = find_equilibria(nash.model, (nash.wedges[0], nash.wedges[1], sigma), nash.u, nash.wedges)
    assert found.solved.tolist() == [True, False, True]
    welfare = 100 * nash.model.log_welfare(found.u).expm1()
    drawn = Draws(
        "E2", nash.calibration.economies, welfare, nash.real_income_change_pct, torch.zeros(3, 1), found.alone
    )
    assert drawn.failed == 1
    assert "1 of them has no equilibrium" in drawn.message
    assert drawn.summary()["mean"].to_numpy() == pytest.approx(nash.real_income_change_pct.numpy(), abs=1e-7)
    assert len(drawn.table()) == 9


def test_subsidies_of_all_the_price_have_no_equilibrium(nash: SolveResult) -> None:
    drawn = draw_subsidies(nash, "E2", DrawOptions(count=20, high=1.5 / float(nash.policy.subsidy[1].max())))
    whole = (drawn.rates >= 1).any(1)
    assert 0 < int(whole.sum()) <= drawn.failed
    assert bool(drawn.real_income_change_pct[whole].isnan().all())


def test_tables(nash: SolveResult, draws: Draws) -> None:
    tables = dataclasses.replace(nash, draws=draws).tables()
    assert list(tables["draws"].columns) == ["draw", "economy", "real_income_change_pct"]
    assert len(tables["draws"]) == 60 * 3
    summary = tables["draws_summary"].set_index("economy")
    own = tables["draws"][tables["draws"]["economy"] == "E2"]["real_income_change_pct"]
    assert summary.loc["E2", "mean"] == pytest.approx(own.mean())
    assert summary.loc["E2", "std"] == pytest.approx(own.std(ddof=0))
    for name in ("p5", "p25", "p50", "p75", "p95"):
        assert summary.loc["E2", name] == pytest.approx(own.quantile(float(name[1:]) / 100))
    assert summary.loc["E2", "share_of_losses"] == pytest.approx((own < 0).mean())
    assert summary.loc["E2", "at_optimum"] == pytest.approx(float(nash.real_income_change_pct[1]))
    assert "draws" not in nash.tables()


def test_a_uniform_subsidy_is_one_draw() -> None:
    choice = InstrumentChoice(subsidy="uniform")
    result = solve_nash(small_synthetic(3, 4, 1), instruments=choice, players=("E1",))
    draws = draw_subsidies(result, "E1", DrawOptions(count=4))
    assert draws.rates.shape == (4, 1)


@pytest.mark.parametrize("values", [{"count": 0}, {"low": 2.0}, {"low": -0.1}, {"high": float("inf")}])
def test_options_are_checked(values: dict[str, float]) -> None:
    with pytest.raises(DrawError):
        DrawOptions(**values)  # type: ignore[arg-type]


def test_what_cannot_be_drawn(nash: SolveResult) -> None:
    with pytest.raises(UnknownNameError):
        draw_subsidies(nash, "Atlantis")
    tariffs = solve_nash(small_synthetic(3, 4, 1), instruments=InstrumentChoice(tariff="by_sector"))
    with pytest.raises(DrawError, match="chose no subsidies"):
        draw_subsidies(tariffs, "E2")
