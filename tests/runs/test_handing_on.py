"""Runs handed on: compared in files and figures, drawn, exported with a codebook; every number as in the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from dlopt.cli.commands.compare import compare
from economies import small_synthetic

import dlopt
from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.exports import SuffixError
from dlopt.trade.outcomes import WORLD
from dlopt.trade.results import SolveResult
from dlopt.views.codebook import describe
from dlopt.views.comparison import names_of
from dlopt.views.export import export
from dlopt.views.figures.sizes import write_figure

GAIN = "real_income_change_pct"


@pytest.fixture(scope="module")
def results() -> dict[str, SolveResult]:
    world = dataclasses.replace(small_synthetic(), economies=("USA", "CHN", "ROW"))
    policy = dlopt.Policy.of(world)
    tariff = policy.tariff.clone()
    tariff[1, 0] += 0.2
    return {
        "war": dlopt.solve_nash(world, instruments={"tariff": "uniform"}),
        "given": dlopt.solve_equilibrium(world, dataclasses.replace(policy, tariff=tariff)),
    }


@pytest.fixture(scope="module")
def folders(results: dict[str, SolveResult], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    for name, result in results.items():
        result.to_parquet(root / name)
    return [root / name for name in results]


def test_a_comparison_has_named_columns_the_world_and_differences(
    folders: list[Path], results: dict[str, SolveResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(folders, to=str(tmp_path / "c.csv"), figure=tmp_path / "c.svg")
    frame = pd.read_csv(tmp_path / "c.csv")
    own = frame[frame["measure"] == "real income change, %"].set_index("economy")
    gains = {name: result.table("outcomes").set_index("economy")[GAIN] for name, result in results.items()}
    assert list(own.index) == ["USA", "CHN", "ROW", WORLD]
    for name, gain in gains.items():
        assert own[name].tolist() == pytest.approx(gain.tolist(), rel=1e-12)
    assert own["given less war"].tolist() == pytest.approx((gains["given"] - gains["war"]).tolist(), abs=1e-12)
    assert "average tariff, %" in set(frame["measure"])
    assert (tmp_path / "c.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith(WORLD)]
    assert line.split()[1:] == [f"{gain[WORLD]:+.3f}" for gain in gains.values()] + [
        f"{gains['given'][WORLD] - gains['war'][WORLD]:+.3f}"
    ]


@pytest.mark.parametrize("form", ["md", "html", "tex", "xlsx"])
def test_a_comparison_in_every_format(folders: list[Path], tmp_path: Path, form: str) -> None:
    path = tmp_path / f"c.{form}"
    compare(folders, to=str(path))
    if form == "xlsx":
        assert "given less war" in pd.read_excel(path, engine="openpyxl")
    else:
        text = path.read_text(encoding="utf-8")
        assert "given less war" in text
        assert WORLD in text


def test_what_cannot_be_compared_is_refused_before_anything_is_read(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SuffixError):
        compare(folders, to=str(tmp_path / "c.docx"))
    with pytest.raises(SuffixError):
        compare(folders, figure=tmp_path / "c.docx")
    with pytest.raises(DloptError, match="two runs or more"):
        compare(folders[:1])
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_stands_for_its_runs(folders: list[Path], results: dict[str, SolveResult], tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for number, result in enumerate(results.values()):
        result.to_parquet(sweep / f"{number}-x")
    (sweep / "sweep.json").write_text(
        '{"schema_version": 1, "verb": "nash", "arguments": [], "cwd": ".", "jobs": [[], []]}'
    )
    compare([sweep], to=str(tmp_path / "c.csv"))
    assert {"0-x", "1-x", "1-x less 0-x"} <= set(pd.read_csv(tmp_path / "c.csv").columns)


def test_names_are_short_and_differ() -> None:
    same = [Path("a/10-00-00-000001-dual"), Path("b/11-00-00-000001-dual"), Path("c/war")]
    assert names_of(same) == ["1: dual", "2: dual", "war"]


@pytest.mark.parametrize("form", ["csv", "dta"])
def test_every_table_is_exported_with_its_numbers(folders: list[Path], tmp_path: Path, form: str) -> None:
    written = {path.stem: path for path in export(folders[0], form, tmp_path / "out")}
    assert set(written) == {path.stem for path in folders[0].glob("*.parquet")} | {"codebook"}
    read = pd.read_csv if form == "csv" else pd.read_stata
    before, after = pd.read_parquet(folders[0] / "outcomes.parquet"), read(written["outcomes"])
    for column in before.columns:
        own = after[str(column)[:32] if form == "dta" else column]
        if pd.api.types.is_numeric_dtype(before[column]):
            assert own.tolist() == pytest.approx(before[column].tolist(), rel=1e-15, nan_ok=True)
        else:
            assert own.tolist() == before[column].tolist()
    if form == "dta":
        with pd.read_stata(written["welfare"], iterator=True) as reader:
            labels = reader.variable_labels()
        assert labels[GAIN].startswith("change of real income")


def test_excel_has_a_sheet_for_every_table(folders: list[Path], tmp_path: Path) -> None:
    (path,) = export(folders[0], "xlsx", tmp_path / "run.xlsx")
    sheets = pd.read_excel(path, sheet_name=None, engine="openpyxl")
    assert next(iter(sheets)) == "codebook"
    gains = pd.read_parquet(folders[0] / "welfare.parquet")[GAIN]
    assert sheets["welfare"][GAIN].tolist() == pytest.approx(gains.tolist(), rel=1e-14)  # Excel keeps 16 digits
    book = sheets["codebook"]
    assert set(book["table"]) == set(sheets) - {"codebook"}
    unit = book.set_index(["table", "column"]).loc[("outcomes", "gdp_initial"), "unit"]
    assert unit == small_synthetic().unit


def test_latex_escapes_and_other_formats_are_refused(folders: list[Path], tmp_path: Path) -> None:
    written = {path.stem: path for path in export(folders[0], "tex", tmp_path / "tex")}
    assert r"real\_income\_change\_pct" in written["welfare"].read_text()
    with pytest.raises(UnknownNameError, match="dta"):
        export(folders[0], "docx", tmp_path / "x")
    assert describe("gdp_initial") == ("income from labour and taxes, in the baseline", "unit")


def test_marks_of_a_slide_are_as_large_in_its_legend(results: dict[str, SolveResult], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    drawn = results["war"].plot("iterations")
    write_figure(drawn, tmp_path / "slide.png", "slide")
    (axes,) = drawn.axes
    legend = axes.get_legend()
    assert legend is not None
    sizes = [line.get_markersize() for line in axes.lines]
    assert len(sizes) >= 2
    assert [handle.get_markersize() for handle in legend.legend_handles] == sizes


def test_pictures_for_paper_and_slide(results: dict[str, SolveResult], tmp_path: Path) -> None:
    from matplotlib.image import imread

    for size, shape in (("paper", None), ("slide", (1500, 2666))):
        write_figure(results["war"].plot("map"), tmp_path / f"{size}.png", size)
        drawn = imread(tmp_path / f"{size}.png")
        assert drawn[..., :3].std() > 0.01, "something is drawn"
        assert shape is None or drawn.shape[:2] == shape
    with pytest.raises(UnknownNameError, match="slide"):
        write_figure(results["war"].plot("welfare"), tmp_path / "x.pdf", "poster")
    with pytest.raises(DloptError, match="no countries"):
        dlopt.solve_equilibrium(small_synthetic()).plot("map")
