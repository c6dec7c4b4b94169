"""The NAFTA exercise of Caliendo and Parro (2015) against the numbers they print.

31 economies, 40 sectors, the
tariffs of 1993 replaced by those of 2005 among Mexico, Canada and the United States. Their "welfare" is a first-order
sum of terms-of-trade and volume-of-trade effects with changes in levels (hat - 1) at baseline weights; it is computed
here from the result, next to the exact change of real income.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from dlopt import Calibration, Policy, SolveResult, solve_equilibrium
from dlopt.calibrations import import_caliendo_parro, load_calibration, write_bundle

NAFTA = ("MEX", "CAN", "USA")
PRINTED = 0.005 + 1e-9
"""Half a unit of the last digit printed, two decimals of a per cent."""


@dataclasses.dataclass(frozen=True)
class Effects:
    """Per cent, for Mexico, Canada and the United States."""

    real_wage: list[float]
    real_income: list[float]
    terms_of_trade: list[float]
    volume_of_trade: list[float]
    import_growth: list[float]


def effects(result: SolveResult) -> Effects:
    """What the paper tabulates, from flows and prices. Imports are before tariffs."""
    model, state = result.model, result.state
    before = model.trade / (1 + model.calibration.tariff)
    after = model.flows(state, result.wedges) / (1 + result.policy.tariff)
    foreign = (~torch.eye(model.n, dtype=torch.bool))[:, :, None]
    cost = model.unit_cost(state).expm1()[:, None, :]
    gain = before * cost * foreign
    terms = (gain.sum((1, 2)) - gain.sum((0, 2))) / model.income
    growth = torch.where(before > 0, after / before - 1, 0.0)
    volume = (model.calibration.tariff * before * (growth - cost) * foreign).sum((0, 2)) / model.income
    wage = (state.wage - (model.alpha * state.price).sum(1)).expm1()
    members = [model.calibration.economy_index(label) for label in NAFTA]

    def percent(values: Tensor) -> list[float]:
        return (100 * values[members]).tolist()

    partners = {n: [k for k in members if k != n] for n in members}
    imports = [100 * float(after[k, n].sum() / before[k, n].sum() - 1) for n, k in partners.items()]
    income = result.real_income_change_pct[members].tolist()
    return Effects(percent(wage), income, percent(terms), percent(volume), imports)


def closed(calibration: Calibration) -> Calibration:
    """Final shares from market clearing, negative ones set to zero, as in the authors' code."""
    revenue = (calibration.trade / (1 + calibration.tariff)).sum(1)
    materials = (1 - calibration.value_added_share) * revenue
    use = torch.einsum("isj,ij->is", calibration.input_share, materials)
    final = (calibration.trade.sum(0) - use).clamp(min=0)
    return dataclasses.replace(calibration, final_share=final / final.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def source(real_data: Callable[[str], Path]) -> Path:
    return real_data("cp2015")


@pytest.fixture(scope="module")
def solved(source: Path) -> Callable[[str], Effects]:
    """Effects by case, each solved once."""
    imported = import_caliendo_parro(source)
    world, nafta = imported.calibration, imported.policies["nafta2005"]
    n, j = world.n_economies, world.n_sectors

    @cache
    def case(name: str) -> Effects:
        varied, deficits = world, "none"
        if name == "constant_nominal_deficit":
            deficits = "constant"
        elif name.startswith("no_io"):
            own = torch.diagonal(world.input_share, dim1=1, dim2=2)
            eye = torch.eye(j, dtype=torch.float64).expand(n, j, j)
            varied = closed(dataclasses.replace(world, value_added_share=1 - own, input_share=eye))
        elif name.startswith("no_materials"):
            ones, none = torch.ones(n, j, dtype=torch.float64), torch.zeros(n, j, j, dtype=torch.float64)
            varied = closed(dataclasses.replace(world, value_added_share=ones, input_share=none))
        result = solve_equilibrium(varied, Policy(nafta.tariff, nafta.export_tax, nafta.subsidy), deficits=deficits)
        assert result.status == "converged"
        assert result.certificate.walras_residual < 1e-8
        return effects(result)

    return case


def test_headline_numbers(solved: Callable[[str], Effects]) -> None:
    """Table 2 and the text: real wages, import growth, first-order welfare."""
    found = solved("zero_deficit")
    assert found.real_wage == pytest.approx([1.72, 0.32, 0.11], abs=PRINTED)
    assert found.import_growth == pytest.approx([118.28, 11.11, 40.52], abs=PRINTED)
    welfare = [a + b for a, b in zip(found.terms_of_trade, found.volume_of_trade, strict=True)]
    assert welfare == pytest.approx([1.31, -0.06, 0.08], abs=PRINTED)


@pytest.mark.parametrize("case", ["zero_deficit", "constant_nominal_deficit"])
def test_published_table(case: str, solved: Callable[[str], Effects], source: Path) -> None:
    """Every cell of the published table and of the constant-deficit companion."""
    table = pd.read_csv(source / "expected_cp2015.csv").query("case == @case").set_index("country").loc[list(NAFTA)]
    found = solved(case)
    assert found.terms_of_trade == pytest.approx(table["tot_pct"].tolist(), abs=PRINTED)
    assert found.volume_of_trade == pytest.approx(table["vot_pct"].tolist(), abs=PRINTED)
    assert found.real_wage == pytest.approx(table["real_wage_pct"].tolist(), abs=PRINTED)
    welfare = [a + b for a, b in zip(found.terms_of_trade, found.volume_of_trade, strict=True)]
    assert welfare == pytest.approx(table["welfare_pct"].tolist(), abs=PRINTED)


@pytest.mark.parametrize("variant", ["benchmark", "no_io(beta=1-diagG;IO=I)", "no_materials(beta=1)"])
def test_variants(variant: str, solved: Callable[[str], Effects], source: Path) -> None:
    """Without input-output links and without materials; computed columns have four decimals."""
    table = pd.read_csv(source / "expected_variants.csv").query("variant == @variant").set_index("country")
    table = table.loc[list(NAFTA)]
    found = solved("zero_deficit" if variant == "benchmark" else variant)
    welfare = [a + b for a, b in zip(found.terms_of_trade, found.volume_of_trade, strict=True)]
    four = 0.00005 + 1e-9
    assert welfare == pytest.approx(table["welfare_tot_plus_vot_pct_calc"].tolist(), abs=four)
    assert welfare == pytest.approx(table["welfare_pct_published"].tolist(), abs=PRINTED)
    assert found.real_income == pytest.approx(table["exact_real_income_pct_calc"].tolist(), abs=four)
    assert found.real_wage == pytest.approx(table["real_wage_pct_calc"].tolist(), abs=four)
    growth = table["nafta_import_growth_pct_published_and_calc"].tolist()
    assert found.import_growth == pytest.approx(growth, abs=PRINTED)


def test_the_import_survives_a_round_trip_through_files(source: Path, tmp_path: Path) -> None:
    imported = import_caliendo_parro(source)
    again = load_calibration(write_bundle(imported.calibration, tmp_path / "cp2015", imported.policies))
    for field in ("trade", "tariff", "value_added_share", "input_share", "final_share", "theta", "psi"):
        assert torch.equal(getattr(again, field), getattr(imported.calibration, field)), field
