"""What a session prints of every public object is short: at most 2000 characters, on the world of 7 x 44 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from economies import small_synthetic

import dlopt

SHORT = 2000
TINY = dlopt.AnalysisOptions(
    certificate_paths=4, certificate_years=1, out_of_sample=8, paths=4, years=1, validation=8, response_years=1,
    response_paths=4,
)  # fmt: skip


def _own() -> dlopt.EquilibriumModel:
    firms = [dlopt.Instrument(f"q{k}", f"firm {k}", 0.0, 1.0, 0.1) for k in range(200)]
    return dlopt.EquilibriumModel(
        lambda u, a: u - (1 - a.sum())[None], lambda u, a: u * a, [f"firm {k}" for k in range(200)], firms, [0.5]
    )


def _duopoly() -> dlopt.EquilibriumModel:
    firms = [dlopt.Instrument("left", "L", 0.0, 1.0, 0.2), dlopt.Instrument("right", "R", 0.0, 1.0, 0.2)]
    return dlopt.EquilibriumModel(lambda u, a: u - (1 - a.sum())[None], lambda u, a: u * a, ["L", "R"], firms, [0.5])


class _Switch:
    """Says how a model of the reader's own looks: any class that fits the protocol."""

    def __repr__(self) -> str:
        return "Switch"


@pytest.fixture(scope="module")
def world() -> dlopt.Calibration:
    return dlopt.load_calibration("stylized2017")


@pytest.fixture(scope="module")
def game() -> dlopt.SolveResult:
    return dlopt.solve_nash(small_synthetic(), instruments={"subsidy": "by_sector"})


@pytest.fixture(scope="module")
def exact() -> dlopt.BsdeResult:
    return dlopt.solve_exact(dlopt.load_model("blocks").subset([0, 1]), analysis=TINY)


def made(world: dlopt.Calibration, game: dlopt.SolveResult, exact: dlopt.BsdeResult, folder: Path) -> dict[str, Any]:
    """For every public name a function that makes what it is, or what it returns."""
    model = dlopt.build_model(world)
    everything = dlopt.InstrumentChoice(tariff="by_sector", export_tax="by_sector", subsidy="by_sector")
    small = small_synthetic(2, 2)
    uniform = {"tariff": "uniform"}
    cases: dict[str, Callable[[], Any]] = {
        "AnalysisOptions": dlopt.AnalysisOptions,
        "BestResponse": dlopt.BestResponse,
        "Bounds": dlopt.Bounds,
        "BsdeResult": lambda: exact,
        "Budget": dlopt.Budget,
        "Calibration": lambda: world,
        "Carbon": lambda: dlopt.Carbon(
            torch.ones_like(world.value_added_share), damages=torch.ones(len(world.economies))
        ),
        "DloptError": lambda: dlopt.DloptError("what is wrong, and what to do"),
        "DrawOptions": dlopt.DrawOptions,
        "EquilibriumKind": lambda: dlopt.EquilibriumKind("own", "A model of one's own.", _duopoly),
        "EquilibriumModel": _own,
        "Exporter": lambda: dlopt.load_model("blocks"),
        "FixedPointProblem": lambda: dlopt.FixedPointProblem(_duopoly().residual, _duopoly().objectives),
        "Instrument": lambda: dlopt.Instrument("carbon_tax", "USA"),
        "InstrumentChoice": lambda: everything,
        "Instruments": lambda: dlopt.build_instruments(model, everything),
        "JointNewton": dlopt.JointNewton,
        "MethodOptions": dlopt.MethodOptions,
        "ModelResult": _solved,
        "NetworkEconomy": lambda: dlopt.load_network("synthetic"),
        "Policy": lambda: dlopt.Policy.of(world),
        "SolveResult": lambda: dlopt.solve_equilibrium(world),
        "SwitchingModel": _Switch,
        "TradeModel": lambda: model,
        "UnknownNameError": lambda: dlopt.UnknownNameError("economy", "USB", world.economies),
        "__version__": lambda: dlopt.__version__,
        "build_instruments": lambda: dlopt.build_instruments(model, everything),
        "build_model": lambda: model,
        "draw_subsidies": lambda: dlopt.draw_subsidies(game, "E1", dlopt.DrawOptions(count=3)),
        "list_calibrations": dlopt.list_calibrations,
        "load_calibration": lambda: world,
        "load_model": lambda: dlopt.load_model("blocks"),
        "load_network": lambda: dlopt.load_network("synthetic"),
        "open_run": lambda: game,  # gives back results of the types here
        "solve_bsde": lambda: dlopt.solve_bsde(
            dlopt.load_model("blocks").subset([0, 1]), budget=dlopt.Budget(steps=1), analysis=TINY
        ),
        "solve_cooperative": lambda: dlopt.solve_cooperative(small, instruments=uniform),
        "solve_equilibrium": lambda: dlopt.solve_equilibrium(world),
        "solve_exact": lambda: exact,
        "solve_moves": lambda: dlopt.solve_moves(small, ["E1", "E2"], instruments=uniform),
        "solve_nash": lambda: game,
        "solve_unilateral": lambda: dlopt.solve_unilateral(small, "E1", instruments=uniform),
        "verify_derivatives": lambda: dlopt.verify_derivatives(_duopoly()),
        "write_bundle": lambda: dlopt.write_bundle(small, folder / "bundle"),
    }
    return cases


def _solved() -> Any:
    from dlopt.models import solve_nash

    return solve_nash(_duopoly())


@pytest.mark.parametrize("name", dlopt.__all__)
def test_what_is_printed_is_short(
    name: str, world: dlopt.Calibration, game: dlopt.SolveResult, exact: dlopt.BsdeResult, tmp_path: Path
) -> None:
    found = made(world, game, exact, tmp_path)[name]()
    assert 0 < len(repr(found)) < SHORT, f"{name}: {len(repr(found))}"
    assert "tensor(" not in repr(found)


@pytest.mark.parametrize("part", ["model", "instruments", "policy", "state", "certificate", "calibration"])
def test_parts_of_a_result_are_short(part: str, world: dlopt.Calibration) -> None:
    result = dlopt.solve_equilibrium(world)
    found = getattr(result, part)
    assert len(repr(found)) < SHORT, f"{part}: {len(repr(found))}"


def test_a_long_world_is_short(world: dlopt.Calibration) -> None:
    long = dataclasses.replace(world, economies=tuple(f"{name} " * 60 for name in world.economies))
    assert len(repr(long)) < SHORT
