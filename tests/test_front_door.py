"""The Python front door: typed, quick to import, and open to instruments, objectives and solvers of one's own."""

from __future__ import annotations

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from economies import small_synthetic

import dlopt
from dlopt.errors import UnknownNameError
from dlopt.trade.api import ObjectiveError
from dlopt.trade.instruments import InstrumentError
from dlopt.trade.krylov import KrylovFactors

USER = """
import dlopt

world = dlopt.load_calibration("stylized2017").with_elasticities(theta=4.0)
war = dlopt.solve_nash(
    world, instruments=dlopt.InstrumentChoice(tariff="by_sector", subsidy=False), accounting="paper"
)
planner = dlopt.solve_cooperative(world, instruments={"tariff": "uniform"}, weights={"USA": 1.0}, no_losers=True)
welfare: float = float(war.real_income_change_pct[0])
choice = dlopt.solve_bsde(dlopt.load_model("blocks"), budget=dlopt.Budget(steps=10))
status: str = choice.status
reveal_type(dlopt.solve_nash)
reveal_type(dlopt.solve_bsde)
reveal_type(war)
"""
WRONG = {
    'dlopt.InstrumentChoice(tariff="by_sectors")': "arg-type",
    'dlopt.solve_equilibrium(dlopt.load_calibration("x"), accounting="papers")': "arg-type",
    "dlopt.solve_nush": "attr-defined",
}
TARIFFS = dlopt.InstrumentChoice(tariff="uniform")


def test_the_three_lists_of_public_names_agree() -> None:
    tree = ast.parse(Path(dlopt.__file__).read_text())
    checking = next(
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    typed = {
        alias.name: node.module for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == dlopt._EXPORTS
    assert dlopt.__all__ == sorted([*typed, "__version__"])
    for name in dlopt.__all__:
        assert getattr(dlopt, name) is not None
    assert dir(dlopt) == dlopt.__all__
    with pytest.raises(AttributeError, match="solve_nush"):
        dlopt.solve_nush  # noqa: B018


def test_importing_dlopt_needs_no_torch() -> None:
    command = (
        "import sys, dlopt; dlopt.__version__; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_user_s_file_passes_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is a development tool")
    (tmp_path / "good.py").write_text(USER)
    bad = "\n".join(["import dlopt", "", *WRONG, ""])
    (tmp_path / "bad.py").write_text(bad)
    root = Path(__file__).parents[1]
    cache, environment = root / ".mypy_cache" / "front_door", {**os.environ, "MYPYPATH": str(root)}
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), "--follow-imports", "silent"]
    told = subprocess.run(
        [*command, "good.py", "bad.py"], cwd=tmp_path, capture_output=True, text=True, env=environment
    ).stdout
    lines = told.splitlines()
    assert [line for line in lines if line.startswith("good.py") and "error" in line] == []
    types = [line.split('"')[1] for line in lines if "Revealed type" in line]
    assert types[0].startswith("def (calibration: dlopt.trade.calibration.Calibration, *, instruments: ")
    assert types[1].startswith("def (model: ")
    assert types[2] == "dlopt.trade.results.SolveResult"
    for number, code in enumerate(WRONG.values(), start=3):
        assert any(line.startswith(f"bad.py:{number}:") and f"[{code}]" in line for line in lines), told


def test_instruments_are_given_as_a_choice_a_mapping_or_a_map_of_cells() -> None:
    world = small_synthetic()
    by_choice = dlopt.solve_unilateral(world, "E1", instruments=TARIFFS)
    by_mapping = dlopt.solve_unilateral(world, "E1", instruments={"tariff": "uniform", "subsidy": False})
    model = dlopt.build_model(world)
    chosen = dlopt.build_instruments(model, TARIFFS, players=["E1"])
    by_cells = dlopt.solve_nash(world, instruments=chosen)
    assert torch.equal(by_choice.u, by_mapping.u)
    assert torch.equal(by_choice.u, by_cells.u)
    held = dataclasses.replace(chosen, upper=chosen.upper.clamp(max=0.05))
    assert float(dlopt.solve_nash(world, instruments=held).policy.tariff.max()) == pytest.approx(
        max(float(torch.tensor(0.05).double().expm1()), float(world.tariff.max()))
    )
    with pytest.raises(InstrumentError, match="bounds of their own"):
        dlopt.solve_nash(world, instruments=chosen, players=("E1",))
    with pytest.raises(InstrumentError, match="of a world with"):
        dlopt.solve_nash(small_synthetic(4), instruments=chosen)
    with pytest.raises(UnknownNameError, match="tarif"):
        dlopt.solve_nash(world, instruments={"tarif": "uniform"})
    with pytest.raises(InstrumentError, match="instruments is 'uniform'"):
        dlopt.solve_nash(world, instruments="uniform")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="True"):
        dlopt.solve_nash(world, instruments={"tariff": True})


def test_an_objective_of_one_s_own_is_maximised() -> None:
    world = small_synthetic()
    weight = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    alone = dlopt.solve_unilateral(world, "E1", instruments=TARIFFS)
    same = dlopt.solve_nash(
        world, players=("E1",), instruments=TARIFFS, objective=lambda w: (weight * w.exp()).sum()[None]
    )
    assert same.status == "converged"
    assert torch.allclose(same.real_income_change_pct, alone.real_income_change_pct, atol=1e-7)
    # A government that also cares for its neighbour sets a lower tariff.
    kind = dlopt.solve_nash(
        world, players=("E1",), instruments=TARIFFS,
        objective=lambda w: (w[0].exp() + 0.5 * w[1].exp())[None],
    )  # fmt: skip
    assert kind.status == "converged"
    assert float(kind.policy.tariff[1, 0].max()) < float(alone.policy.tariff[1, 0].max())
    planner = dlopt.solve_cooperative(world, instruments=TARIFFS, weights="equal")
    own = dlopt.solve_cooperative(world, instruments=TARIFFS, objective=lambda w: w.exp().mean()[None])
    assert torch.allclose(own.real_income_change_pct, planner.real_income_change_pct, atol=1e-6)


@pytest.mark.parametrize(
    ("objective", "told"),
    [
        (lambda w: w, r"float64 \[3\] at the baseline; it must give float64 \[1\]"),
        (lambda w: 1.0, "gives float at the baseline"),
        (lambda w: torch.zeros(1, dtype=torch.float64), "not differentiable"),
        (lambda w: w[:1].log(), "must be finite"),
    ],
)
def test_an_objective_that_cannot_be_maximised_is_refused(objective: object, told: str) -> None:
    with pytest.raises(ObjectiveError, match=told):
        dlopt.solve_nash(small_synthetic(), players=("E1",), instruments=TARIFFS, objective=objective)  # type: ignore[arg-type]


def test_a_linear_solver_of_one_s_own_gives_the_same_answer() -> None:
    world = small_synthetic()
    made = []

    def mine(at):  # type: ignore[no-untyped-def]
        made.append(at)
        return KrylovFactors(at)

    own = dlopt.solve_unilateral(world, "E1", instruments=TARIFFS, linear_solver=mine)
    assert made
    assert own.status == "converged"
    other = dlopt.solve_unilateral(world, "E1", instruments=TARIFFS)
    assert torch.allclose(own.real_income_change_pct, other.real_income_change_pct, atol=1e-8)
