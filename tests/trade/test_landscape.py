"""Cuts through welfare: they pass through the solution, which is their top, and every point is an equilibrium."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, InstrumentChoice, Policy, SolveResult, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.trade.landscape import Landscape, LandscapeError, LandscapeOptions, landscape

OPTIONS = LandscapeOptions(instruments=3, points=9, pairs=(("subsidy:2", "tariff:E1:3"),))


@pytest.fixture(scope="module")
def nash() -> SolveResult:
    choice = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
    return solve_nash(
        small_synthetic(3, 4, 1), instruments=choice, bounds=Bounds(tariff=(-0.5, 4), subsidy=(-0.5, 0.6))
    )


@pytest.fixture(scope="module")
def cuts(nash: SolveResult) -> Landscape:
    return landscape(nash, "E2", OPTIONS)


def test_the_solution_is_the_top_of_every_cut(nash: SolveResult, cuts: Landscape) -> None:
    assert cuts.failed == 0
    assert len(cuts.cuts) == 4
    for cut in cuts.cuts:
        own = cut.welfare[..., 1]
        middle = tuple(size // 2 for size in own.shape)
        assert float(own[middle]) == pytest.approx(float(nash.real_income_change_pct[1]), abs=1e-8)
        assert float(own.max()) == pytest.approx(float(own[middle]), abs=1e-10)


def test_points_are_equilibria(nash: SolveResult, cuts: Landscape) -> None:
    plane = cuts.cuts[-1]
    tariff, subsidy = nash.policy.tariff.clone(), nash.policy.subsidy.clone()
    subsidy[1, 1], tariff[0, 1, 2] = plane.rates[0][1], plane.rates[1][3]
    alone = solve_equilibrium(nash.calibration, Policy(tariff, nash.policy.export_tax, subsidy))
    assert torch.allclose(plane.welfare[1, 3], alone.real_income_change_pct, rtol=0, atol=1e-7)


def test_most_curved_first(cuts: Landscape) -> None:
    """Curvature in log rates, from the cuts themselves."""

    def curvature(k: int) -> float:
        cut, m = cuts.cuts[k], 4
        sign = -1 if cut.names[0].startswith("subsidy") else 1
        x, y = (sign * cut.rates[0]).log1p(), cut.welfare[:, 1]
        left, right = (y[m - 1] - y[m]) / (x[m - 1] - x[m]), (y[m + 1] - y[m]) / (x[m + 1] - x[m])
        return abs(float(2 * (right - left) / (x[m + 1] - x[m - 1])))

    assert curvature(0) > 0.8 * curvature(1) > 0.6 * curvature(2)


def test_planes_of_each_kind_by_default(nash: SolveResult) -> None:
    found = landscape(nash, "E1", LandscapeOptions(instruments=0, points=5))
    assert [[name.partition(":")[0] for name in cut.names] for cut in found.cuts] == [["tariff"] * 2, ["subsidy"] * 2]


def test_table(cuts: Landscape) -> None:
    table = cuts.table()
    assert len(table) == 3 * (3 * 9 + 5 * 5)
    assert list(table.columns) == ["cut", "player", "x", "x_rate", "y", "y_rate", "economy", "real_income_change_pct"]
    assert table["y"].notna().sum() == 3 * 25
    row = table[(table["cut"] == 3) & (table["economy"] == "E3")].iloc[1 * 5 + 3]
    plane = cuts.cuts[3]
    assert row["x_rate"] == pytest.approx(float(plane.rates[0][1]))
    assert row["y_rate"] == pytest.approx(float(plane.rates[1][3]))
    assert row["real_income_change_pct"] == pytest.approx(float(plane.welfare[1, 3, 2]))


def test_names_of_coarse_instruments() -> None:
    choice = InstrumentChoice(tariff="mfn", export_tax="uniform", subsidy="uniform")
    result = solve_nash(small_synthetic(3, 3, 1), instruments=choice, players=("E1",))
    names = {cut.names[0] for cut in landscape(result, "E1", LandscapeOptions(instruments=9, points=5)).cuts}
    assert {"tariff:all:1", "export_tax:all:all", "subsidy:all"} <= names


def test_picture(cuts: Landscape, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from dlopt.views.figures.canvas import save
    from dlopt.views.figures.landscape import figure

    png, pdf = save(figure(cuts), tmp_path / "landscape")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("values", [{"points": 40}, {"points": 3}, {"instruments": -1}])
def test_options_are_checked(values: dict[str, int]) -> None:
    with pytest.raises(LandscapeError):
        LandscapeOptions(**values)  # type: ignore[arg-type]


def test_what_has_no_landscape(nash: SolveResult) -> None:
    with pytest.raises(UnknownNameError):
        landscape(nash, "Atlantis")
    with pytest.raises(UnknownNameError, match="subsidy:2"):
        landscape(nash, "E2", LandscapeOptions(pairs=(("subsidy:2", "subsidy:9"),)))
    with pytest.raises(LandscapeError, match="Nobody chooses"):
        landscape(solve_equilibrium(small_synthetic()), "E1")
