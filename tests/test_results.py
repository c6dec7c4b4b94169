"""Results speak: summary, one table, pictures, comparison, a page in a notebook; and runs open again."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from economies import small_synthetic

import dlopt
from dlopt.calibrations import write_bundle
from dlopt.choice import solve_exact
from dlopt.errors import UnknownNameError
from dlopt.kind import Cell, Sheet
from dlopt.runs import RunReadError
from dlopt.views import sheets
from dlopt.views.results import CompareError

TARIFFS = {"tariff": "uniform"}


@pytest.fixture(scope="module")
def war() -> dlopt.SolveResult:
    return dlopt.solve_nash(small_synthetic(), instruments=TARIFFS)


@pytest.fixture(scope="module")
def exact() -> dlopt.BsdeResult:
    tiny = dlopt.AnalysisOptions(
        certificate_paths=4, certificate_years=1, out_of_sample=8, paths=4, years=1, validation=8, response_years=1,
        response_paths=4,
    )  # fmt: skip
    return solve_exact(dlopt.load_model("blocks").subset([0, 1]), analysis=tiny)


def test_a_summary_says_the_answer_first(war: dlopt.SolveResult) -> None:
    lines = war.summary().splitlines()
    assert " ".join(lines[: lines.index("")]) == f"Converged. {war.message}"
    assert str(war) == war.summary()
    assert max(map(len, lines)) <= 80
    assert lines.index("Changes and average rates, %") < lines.index("Certificate")
    for economy, gain in zip(war.calibration.economies, war.real_income_change_pct.tolist(), strict=True):
        assert any(line.startswith(economy) and f"{gain:+.3f}" in line for line in lines)


def test_a_result_that_is_not_certified_says_so_first(war: dlopt.SolveResult) -> None:
    failed = dataclasses.replace(war, status="not_converged", message="A player gains.")
    assert failed.summary().splitlines()[0] == "Not converged. A player gains."


def test_one_table_is_computed_alone(war: dlopt.SolveResult, monkeypatch: pytest.MonkeyPatch) -> None:
    every = war.tables()
    assert tuple(every) == war.table_names
    for name, frame in every.items():
        assert war.table(name).equals(frame), name
    monkeypatch.setattr("dlopt.trade.tables.decompose", lambda result: pytest.fail("another table was computed"))
    assert war.table("welfare").equals(every["welfare"])
    with pytest.raises(UnknownNameError, match=r"Unknown table 'welfar'.*welfare"):
        war.table("welfar")


def test_results_are_compared_side_by_side(war: dlopt.SolveResult, exact: dlopt.BsdeResult) -> None:
    before = dlopt.solve_equilibrium(small_synthetic())
    text = repr(war.compare(before))
    gain = float(war.table("welfare").set_index("economy").loc["E1", "real_income_change_pct"])
    assert any(line.split()[0] == "E1" and f"{gain:.3f}" in line for line in text.splitlines() if line)
    assert "<table>" in war.compare(before)._repr_html_()
    assert "Errors" in repr(exact.compare(exact)) or "V" in repr(exact.compare(exact))
    with pytest.raises(CompareError, match="different kinds"):
        war.compare(exact)
    with pytest.raises(CompareError, match="nothing to compare"):
        war.compare()


def test_a_notebook_shows_tables(war: dlopt.SolveResult, exact: dlopt.BsdeResult) -> None:
    for result in (war, exact):
        page = result._repr_html_()
        assert page.startswith("<p>Converged. ")
        assert page.count("<table>") == page.count("</table>")
    assert war._repr_html_().count("<table>") == 2


def test_a_result_is_drawn(war: dlopt.SolveResult) -> None:
    pytest.importorskip("matplotlib")
    bars = war.plot().axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx(war.real_income_change_pct.tolist())
    assert war.plot("tariff").axes
    assert war.plot("iterations").axes
    with pytest.raises(UnknownNameError, match="Valid: welfare, map, tariff, iterations"):
        war.plot("subsidy")


def test_a_choice_result_has_the_same_manners(exact: dlopt.BsdeResult) -> None:
    assert exact.summary().startswith("Converged. ")
    assert "Errors against the exact solution" in exact.summary() or exact.certificate is None
    assert exact.table("marginal_values").equals(exact.tables()["marginal_values"])
    with pytest.raises(UnknownNameError, match="table"):
        exact.table("welfare")


def test_cells_of_a_sheet_are_escaped_and_aligned() -> None:
    sheet = Sheet("<T>", ("a", "b"), [("x&y", Cell("1.0", "bad"))])
    assert "&lt;T&gt;" in sheets.html([sheet])
    assert '<td class="bad" style="text-align:right;white-space:nowrap">1.0</td>' in sheets.html([sheet])
    once = ["<T>", "a      b", "x&y  1.0"]
    assert sheets.text([sheet, sheet]).splitlines() == [*once, "", *once]


def test_a_run_opens_again(tmp_path: Path) -> None:
    world = small_synthetic()
    write_bundle(world, tmp_path / "world")
    run = tmp_path / "run"
    command = ["solve", "unilateral", "scenario=trade_war", "player=E1", "instruments.tariff=uniform"]
    command += [f"calibration={tmp_path / 'world'}", f"hydra.run.dir={run}"]
    ended = subprocess.run([sys.executable, "-m", "dlopt", *command], capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    opened = dlopt.open_run(run)
    straight = dlopt.solve_unilateral(world, "E1", instruments=TARIFFS)
    assert opened.status == "converged"
    assert torch.allclose(opened.real_income_change_pct, straight.real_income_change_pct, atol=1e-9)
    assert opened.certificate.first_order_residual == straight.certificate.first_order_residual
    assert opened.summary().splitlines()[0] == straight.summary().splitlines()[0]
    with pytest.raises(RunReadError):
        dlopt.open_run(tmp_path)
