"""What a run shows of itself on screen and on its page; folders written from Python are runs, too."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pandas as pd
import pytest
import torch
from dlopt.cli.commands.reproduce import _check_installed
from dlopt.cli.terminal.sheets import screen
from economies import small_synthetic
from rich.console import Console

import dlopt
from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import Cell, Ended, Status
from dlopt.runs import RunReadError, read_run
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.tables import config_differences
from dlopt.store.exports import SuffixError, check_suffix, write_any
from dlopt.store.files import table_metadata
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds
from dlopt.trade.kind import TRADE
from dlopt.trade.kind.sheets import welfare_sheet
from dlopt.trade.results import Move
from dlopt.trade.unusual import unusual_bounds, unusual_rates
from dlopt.trade.words import equilibria, headlines, money, planner
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.report import other, report_page
from dlopt.views.report.asked import question


@pytest.fixture(scope="module")
def moved() -> dlopt.SolveResult:
    """A result with moves and draws in it."""
    war = dlopt.solve_nash(small_synthetic(), instruments={"tariff": "uniform", "subsidy": "uniform"})
    draws = dlopt.draw_subsidies(war, "E1", dlopt.DrawOptions(count=5))
    moves = (Move("E2", "converged", torch.tensor([0.125, 1.5, -0.25], dtype=torch.float64)),)
    return dataclasses.replace(war, draws=draws, moves=moves)


@pytest.fixture(scope="module")
def folder(moved: dlopt.SolveResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "run"
    moved.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".xlsx", ".tex"])
def test_a_table_is_written_as_its_suffix_says(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"economy": ["A&B", "C"], "gain_pct": [0.1, -2.0]})
    path = tmp_path / f"table{suffix}"
    write_any(frame, path, {"source": "here"})
    if suffix == ".tex":
        text = path.read_text()
        assert r"A\&B" in text
        assert r"\toprule" in text
        assert "-2" in text
        return
    read = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".xlsx": lambda path: pd.read_excel(path, engine="openpyxl"),
    }[suffix]
    pd.testing.assert_frame_equal(read(path), frame)  # type: ignore[operator]
    if suffix == ".parquet":
        assert table_metadata(path)["source"] == "here"


@pytest.mark.parametrize("name", ["table.docx", "table"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SuffixError, match=r"\.csv"):
        check_suffix(tmp_path / name)


def test_the_screen_has_moves_and_draws(moved: dlopt.SolveResult) -> None:
    found = TRADE.sheets(Ended("nash", Status.CONVERGED, {}, moved.tables().get))
    titles = [sheet.title for sheet in found]
    assert any("each move" in title for title in titles)
    assert any("5 draws of subsidies" in title for title in titles)
    moves = next(sheet for sheet in found if "each move" in sheet.title)
    assert moves.columns == ("economy", "1: E2")
    assert ("E2", "+1.500") in moves.rows


def test_the_page_has_moves_and_draws_and_no_empty_picture(folder: Path, tmp_path: Path) -> None:
    text = report_page(folder)
    assert "After each move" in text
    assert "Draws of subsidies" in text
    assert '<meta name="viewport"' in text
    dlopt.solve_equilibrium(small_synthetic()).to_parquet(tmp_path / "given")
    assert "steps of the solver" not in report_page(tmp_path / "given").lower()


def test_a_folder_written_from_python_is_a_run(folder: Path, moved: dlopt.SolveResult) -> None:
    record = read_run(folder)
    assert (record.kind, record.status) == ("trade", moved.status)
    assert record.calibration["sha256"] == moved.metadata["calibration_sha256"]
    assert config_differences([folder, folder]) == {}
    moved.to_parquet(folder)  # again: replaced
    with pytest.raises(RunReadError, match="written from Python"):
        dlopt.open_run(folder)


def test_a_folder_of_the_command_line_is_not_written_over(
    folder: Path, moved: dlopt.SolveResult, tmp_path: Path
) -> None:
    solved = tmp_path / "run"
    solved.mkdir()
    dataclasses.replace(read_run(folder), command="dlopt solve nash").write(solved)
    with pytest.raises(FolderInUseError):
        moved.to_parquet(solved)


def with_tariff(world: Calibration, rate: float) -> Calibration:
    tariff = world.tariff.clone()
    tariff[0, 1, 0] = rate
    return dataclasses.replace(world, tariff=tariff)


def test_rates_that_look_like_per_cent_are_pointed_out() -> None:
    world = small_synthetic()
    assert unusual_rates(world) == []
    assert unusual_rates(with_tariff(world, 2.0)) == []
    (note,) = unusual_rates(with_tariff(world, 25.0))
    assert "2,500 %" in note
    assert "E2 on E1" in note
    assert "25 % is 0.25" in note
    charged = dlopt.Policy.of(with_tariff(world, -0.6))
    assert "-60 %" in unusual_rates(world, charged)[0]
    odd = with_tariff(world, 25.0)
    assert unusual_rates(odd, dlopt.Policy.of(odd)) == [], "the baseline's own rates are no news about the policy"
    assert unusual_bounds(Bounds()) == []
    assert unusual_bounds(Bounds(tariff=(0.0, 1.0))) == []
    assert "2,500 %" in unusual_bounds(Bounds(tariff=(0.0, 25.0)))[0]
    assert "-60 %" in unusual_bounds(Bounds(tariff=(-0.6, 1.0)))[0]


def test_pictures_are_refused_before_anything_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else found(name))
    with pytest.raises(MissingPlotError):
        _check_installed(["figure5"])
    _check_installed(["table3"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DloptError, match="statsmodels"):
        _check_installed(["table2"])


def test_a_long_list_of_names_is_not_poured_out() -> None:
    names = [f"name{k}" for k in range(40)]
    assert len(str(UnknownNameError("key", "zzz", names))) < 320
    hinted = str(UnknownNameError("key", "name7x", names))
    assert "'name7'" in hinted
    assert "name30" not in hinted
    assert "Valid: a, b." in str(UnknownNameError("key", "c", ["a", "b"]))


def screen_of(folder: Path, proof: bool = False) -> str:
    record = read_run(folder)
    console = Console(width=80, color_system=None)
    with console.capture() as shown:
        console.print(screen(TRADE, record, folder, proof=proof))
    return shown.get()


def test_the_screen_says_the_answer_first_and_the_proof_when_asked(folder: Path) -> None:
    text = screen_of(folder)
    world = pd.read_parquet(folder / "outcomes.parquet").set_index("economy").loc["World", "real_income_change_pct"]
    assert text.split("\n\n")[0] == "The world synthetic-3x4-1 is stylised, not data."
    assert text.split("\n\n")[1].startswith(
        f"Real income of the world (weighted by income) {'rises' if world > 0 else 'falls'} by {abs(world):.2f} %"
    )
    assert "first-order residual" not in text
    assert text.index("Changes and average rates") < text.index("Certified") < text.index("Next:")
    assert f"dlopt report {folder}" in text.replace("\n", "")
    assert "first-order residual" in screen_of(folder, proof=True)


def test_the_screen_marks_a_world_that_is_made_up(tmp_path: Path) -> None:
    dlopt.solve_equilibrium(dlopt.load_calibration("stylized2017")).to_parquet(tmp_path / "run")
    assert "stylized2017 is stylised, not data" in screen_of(tmp_path / "run")
    assert "No real income changes" in screen_of(tmp_path / "run")
    assert "is stylised, not data" in report_page(tmp_path / "run")


def test_the_sentences_tell_of_moves_and_draws(moved: dlopt.SolveResult) -> None:
    said = " ".join(headlines(moved.tables().get))
    assert "Move by move, E2 stands at +1.50 % after the move of E2." in said
    summary = moved.table("draws_summary").set_index("economy")
    widest = summary["std"].idxmax()
    assert f"{widest} stands between {summary.loc[widest, 'p5']:+.2f} and {summary.loc[widest, 'p95']:+.2f} %" in said


def test_an_amount_without_a_unit_is_left_out(moved: dlopt.SolveResult) -> None:
    assert money(1234.0, "million USD") == "1.23 billion USD"
    assert money(1234.0, "not stated") == ""
    tables = moved.tables()
    tables["outcomes"] = tables["outcomes"].assign(unit="not stated")
    said = " ".join(headlines(tables.get))
    assert "not stated" not in said
    assert "worth" not in said
    assert "()" not in said


@pytest.mark.parametrize(
    ("retaliators", "words"),
    [
        ("all", "Each of those whose goods are charged more answers as is best for itself."),
        (["EU"], "EU answers as is best for itself."),
        (["EU", "CHN"], "EU and CHN each answer as is best for themselves."),
    ],
)
def test_the_page_says_what_was_asked(folder: Path, retaliators: object, words: str) -> None:
    settings = {"policy": "USA: 10% on all", "retaliation": "optimal", "retaliators": retaliators}
    record = dataclasses.replace(read_run(folder), verb="equilibrium", scenario="given_policy", settings=settings)
    assert question(record) == words
    assert question(dataclasses.replace(record, settings={})) == ""


def test_what_a_planner_reached_is_said(moved: dlopt.SolveResult) -> None:
    outcomes = moved.table("outcomes")
    own = outcomes[outcomes["economy"] != "World"]["real_income_change_pct"]
    (equal,) = planner({"objective": "welfare", "weights": "equal"}, outcomes)
    assert f"{own.mean():+.3f} %" in equal
    (income,) = planner({"objective": "welfare", "weights": "income", "no_losers": True}, outcomes)
    world = outcomes.set_index("economy").loc["World", "real_income_change_pct"]
    assert f"{world:+.3f} %" in income
    assert "at least at its baseline" in income
    assert "product of the gains" in planner({"objective": "bargain"}, outcomes)[0]


@pytest.mark.parametrize(
    ("starts", "numbers", "said"),
    [
        (1, [(0, True)], "1 equilibrium was found, from 1 start of the whole game (starts=3 looks for others)."),
        (3, [(0, True)], "1 equilibrium was found, from 3 starts of the whole game."),
        (3, [(0, True), (1, True)], "2 different equilibria were found, from 3 starts of the whole game; this is the "
         "first of them."),
        (None, [(0, True)], "1 equilibrium was found."),
        (3, [(0, True), (1, False)], "1 equilibrium was found, from 3 starts of the whole game."),
        (3, [(0, False)], ""),
    ],
)  # fmt: skip
def test_the_number_of_equilibria_is_said(starts: int | None, numbers: list[tuple[int, bool]], said: str) -> None:
    table = pd.DataFrame(numbers, columns=["equilibrium", "certified"])
    assert "".join(equilibria(starts, table)) == said
    assert equilibria(starts, table.iloc[:0]) == equilibria(starts, None) == []


def test_the_last_row_of_the_table_is_the_world() -> None:
    world = small_synthetic()
    tariff = world.tariff.clone()
    tariff[1:, 0] += 0.3
    result = dlopt.solve_equilibrium(world, dataclasses.replace(dlopt.Policy.of(world), tariff=tariff))
    outcomes = result.table("outcomes")
    sheet = welfare_sheet(result.table("welfare"), result.table("policies"), outcomes)
    own = outcomes[outcomes["economy"] != "World"]
    weighted = (own["real_income_change_pct"] * own["gdp_initial"]).sum() / own["gdp_initial"].sum()
    label, gain, *rest = sheet.rows[-1]
    assert label == "World"
    assert isinstance(gain, Cell)
    assert abs(weighted) > 1e-3
    assert gain.text == f"{weighted:+.3f}"
    assert set(rest) == {""}
    assert len(sheet.rows) == len(own) + 1


def test_statistics_are_said_in_words(tmp_path: Path) -> None:
    rows = {"statistic": ["mean", "std", "p95", "second_half_minus_first_se"], "value": [1.0, 2.0, 3.0, 4.0]}
    page = other._frame(pd.DataFrame(rows))
    for words in ("mean", "standard deviation", "95 % lie below", "standard error of this difference"):
        assert f"<td>{words}</td>" in page


@pytest.mark.parametrize(("active", "rows"), [(["E150"], 21), ([f"E{k}" for k in range(200)], 20)])
def test_of_very_many_economies_the_screen_shows_those_that_matter(active: list[str], rows: int) -> None:
    """Who gains most, who loses most and who sets policies, in the order of the table; the world comes last."""
    gains = {f"E{k}": 0.01 * ((7 * k) % 200) - 1 for k in range(200)}
    columns = ("real_income_change_pct", "nominal_income_change_pct", "price_index_change_pct", "wage_change_pct")
    welfare = pd.DataFrame({"economy": [*gains], **{column: [*gains.values()] for column in columns}})
    rates = {"rate": 0.1, "initial_rate": 0.0, "lower_bound": 0.0, "at_bound": False}
    policies = pd.DataFrame({"instrument": "tariff", "economy": active, **rates})
    outcomes = pd.DataFrame({"economy": ["World"], "real_income_change_pct": [0.5]})
    sheet = welfare_sheet(welfare, policies, outcomes)
    *shown, last = [row[0] for row in sheet.rows]
    ordered = sorted(gains, key=lambda name: gains[name])
    expected = {*ordered[:10], *ordered[-10:], *(active if len(active) == 1 else [])}
    assert shown == [name for name in gains if name in expected]
    assert len(shown) == rows
    assert f"{rows} of 200 economies" in sheet.title
    assert last == "World"
