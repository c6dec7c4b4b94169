"""Public objects: short to look at, equal when they hold the same numbers, and honest about where they come from."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import small_synthetic

import dlopt
from dlopt.calibrations import load_calibration
from dlopt.calibrations.generator import synthetic
from dlopt.choice import Budget, load_model, load_network, solve_bsde
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.errors import UnknownNameError
from dlopt.store.equality import same
from dlopt.store.files import table_metadata
from dlopt.trade.api import build_model
from dlopt.trade.calibration import ElasticityError

SHORT = 2000


@pytest.fixture(scope="module")
def world() -> dlopt.Calibration:
    return load_calibration("stylized2017")


@pytest.fixture(scope="module")
def solved() -> dlopt.SolveResult:
    return dlopt.solve_unilateral(small_synthetic(), "E1", instruments=dlopt.InstrumentChoice(tariff="uniform"))


def test_a_changed_world_has_another_digest_and_writes_it(world: dlopt.Calibration, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    small = small_synthetic()
    changed = dataclasses.replace(small, theta=2 * small.theta)
    assert changed.sha256 != small.sha256
    assert dataclasses.replace(changed, theta=small.theta.clone()).sha256 == small.sha256
    folder = tmp_path_factory.mktemp("tables")
    dlopt.solve_equilibrium(changed).to_parquet(folder)
    assert table_metadata(folder / "welfare.parquet")["calibration_sha256"] == changed.sha256


def test_the_digest_follows_a_change_in_place() -> None:
    small = small_synthetic()
    before = small.sha256
    small.theta[0] += 1
    assert small.sha256 != before


def test_the_digest_of_the_embedded_world_stays(world: dlopt.Calibration) -> None:
    """Old runs are resumed and rebuilt by it."""
    assert world.sha256 == "fe7308afc739da629e4bdbaaa689857622e75125a55418e8e8d53310d44b3d0e"


def test_files_name_the_world_that_was_given_not_the_balanced_one(world: dlopt.Calibration) -> None:
    trade = world.trade.clone()
    trade[0, 1, 0] *= 1.1
    data = dataclasses.replace(world, trade=trade, final_share=None)
    result = dlopt.solve_equilibrium(data)
    assert result.calibration.sha256 != data.sha256  # balanced
    assert result.metadata["calibration_sha256"] == data.sha256


def test_calibrations_are_equal_when_all_their_numbers_are(world: dlopt.Calibration) -> None:
    again = load_calibration("stylized2017")
    assert again is not world
    assert again == world
    assert hash(again) == hash(world)
    assert {again: 1}[world] == 1
    for field in dataclasses.fields(world):
        value = getattr(world, field.name)
        if isinstance(value, torch.Tensor):
            other = ~value if value.dtype is torch.bool else value + 1e-9
        else:
            other = value + "x" if isinstance(value, str) else value and tuple(label + "x" for label in value)
        if value is not None:
            assert dataclasses.replace(world, **{field.name: other}) != world, field.name
    assert world != "stylized2017"


def test_policies_and_instruments_are_equal_when_all_their_numbers_are(solved: dlopt.SolveResult) -> None:
    policy = solved.policy
    again = dlopt.Policy(policy.tariff.clone(), policy.export_tax.clone(), policy.subsidy.clone())
    assert again == policy
    assert hash(again) == hash(policy)
    assert dlopt.Policy(2 * policy.tariff, policy.export_tax, policy.subsidy) != policy
    chosen = solved.instruments
    assert chosen is not None
    assert dataclasses.replace(chosen, lower=chosen.lower.clone()) == chosen
    assert dataclasses.replace(chosen, lower=chosen.lower - 1) != chosen


def test_choice_models_are_equal_when_all_their_numbers_are() -> None:
    model, network = load_model("blocks"), load_network("synthetic3")
    assert load_model("blocks") == model
    assert hash(load_model("blocks")) == hash(model)
    assert dataclasses.replace(model, rho=0.9) != model
    assert dataclasses.replace(model, zeta=2 * model.zeta) != model
    assert model != network


def test_tensors_of_another_type_or_shape_are_not_equal() -> None:
    a = torch.zeros(2, dtype=torch.float64)
    assert same((a, None), (a.clone(), None))
    assert not same(a, a.float())
    assert not same(a, a[:1])
    assert not same(a, a.numpy())
    assert not same((a,), (a, a))


def test_public_objects_are_short_to_look_at(world: dlopt.Calibration, solved: dlopt.SolveResult) -> None:
    large = synthetic(77, 45, 1)
    shown = [
        large, world, dlopt.Policy.of(large), build_model(world), solved, solved.instruments, solved.state,
        solved.policy, solved.certificate, solved.iterations[-1], solved.solutions[0], load_model("blocks"),
        load_network("synthetic3"), dlopt.InstrumentChoice(sectors=world.sectors), dlopt.Bounds(), MethodOptions(),
        Budget(), AnalysisOptions(),
    ]  # fmt: skip
    for thing in shown:
        assert len(repr(thing)) < SHORT, type(thing)
        assert "\n" not in repr(thing) or len(repr(thing)) < 500
        assert "tensor(" not in repr(thing) or len(repr(thing)) < 500, type(thing)
    assert repr(world).startswith("Calibration('stylized2017': 7 economies (BRA, CHN, ")
    assert world.sha256[:12] in repr(world)
    assert "77 economies;" in repr(large)
    assert "converged" in repr(solved)
    assert "real income, %: E1 +" in repr(solved)


def test_a_result_of_a_choice_model_is_short_to_look_at() -> None:
    small = load_model("blocks").subset([0, 1])
    tiny = AnalysisOptions(certificate_paths=4, certificate_years=1, out_of_sample=8, paths=4, years=1, validation=8,
                           response_years=1, response_paths=4)  # fmt: skip
    result = solve_bsde(small, budget=Budget(steps=2), analysis=tiny, device="cpu")
    assert repr(result).startswith("BsdeResult(Exporter('blocks': 2 switches, 2 continuous states), ")
    assert f"{result.status} after 2 steps, residual " in repr(result)
    assert len(repr(result)) < SHORT


def test_elasticities_are_given_as_a_number_a_list_or_by_sector(world: dlopt.Calibration) -> None:
    four = world.with_elasticities(theta=4)
    assert torch.equal(four.theta, torch.full_like(world.theta, 4.0))
    assert torch.equal(four.psi, world.psi)
    assert four.sha256 != world.sha256
    assert world.with_elasticities() == world
    assert world.with_elasticities(theta=world.theta.tolist(), psi=world.psi) == world
    first, name = world.sectors[0], world.sector_names[1]
    some = world.with_elasticities(psi={first: 0.0, name: 0.25})
    assert some.psi.tolist() == [0.0, 0.25, *world.psi[2:].tolist()]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"theta": 0}, "theta of sector 1 is 0; it must be a number > 0"),
        ({"psi": -0.1}, "psi of sector 1 is -0.1; it must be a number >= 0"),
        ({"theta": float("nan")}, "it must be a number > 0"),
        ({"theta": [1.0, 2.0]}, r"shape \[2\]; give one number, or one for each of 44 sectors"),
        ({"psi": ["a"]}, "something that is no number"),
        ({"psi": {"1": "a"}}, "psi of sector 1 is 'a'; give a number"),
    ],
)
def test_impossible_elasticities_are_refused(world: dlopt.Calibration, given: dict[str, object], told: str) -> None:
    with pytest.raises(ElasticityError, match=told):
        world.with_elasticities(**given)  # type: ignore[arg-type]


def test_an_unknown_sector_is_refused(world: dlopt.Calibration) -> None:
    with pytest.raises(UnknownNameError, match="sector"):
        world.with_elasticities(theta={"steel_": 3})
