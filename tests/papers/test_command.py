"""`dlopt reproduce` on the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from dlopt.cli.app import app
from dlopt.cli.commands.reproduce import ArgumentError, _variants
from typer.testing import CliRunner

from dlopt.errors import UnknownNameError
from dlopt.papers.engine.study import StoppedError
from dlopt.papers.wang2024.scenarios import VARIANTS, Variant
from dlopt.runs import read_run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without imported data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLOPT_DATA", raising=False)


def test_without_imported_data_it_runs_on_the_embedded_economy_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlopt.cli.commands.reproduce._PREFERRED", "elsewhere2017")
    done = CliRunner().invoke(app, ["reproduce", "tableA1", "--docs", "page.md"])
    assert done.exit_code == 0, done.output
    assert "elsewhere2017 is not imported: computed on the embedded, stylised economy." in done.output
    (report,) = tmp_path.glob("outputs/reproduce/*/*/report.html")
    assert "stylised" in report.read_text()
    table = pd.read_parquet(report.with_name("tableA1.parquet"))
    assert list(table.columns) == ["row", "column", "variant", "published", "computed", "difference", "status"]
    assert float(table["difference"].abs().max()) == 0
    assert "# Published and computed" in (tmp_path / "page.md").read_text()
    run = read_run(report.parent)
    assert (run.status, run.kind, run.verb, run.scenario) == ("converged", "papers", "reproduce", "tableA1")
    assert run.command == "dlopt reproduce tableA1"
    assert "converged" in (report.parent / "dlopt.log").read_text()


def test_a_reproduction_that_is_stopped_or_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise StoppedError

    monkeypatch.setattr("dlopt.papers.engine.parallel.solve", stop)
    assert CliRunner().invoke(app, ["reproduce", "tableA1"]).exit_code == 2
    monkeypatch.setattr("dlopt.papers.engine.parallel.solve", lambda *_: 1 / 0)
    assert CliRunner().invoke(app, ["reproduce", "tableA1"]).exit_code == 1
    ended = sorted((read_run(path.parent).started, read_run(path.parent)) for path in tmp_path.rglob("run.json"))
    assert [run.status for _, run in ended] == ["interrupted", "failed"]
    assert ended[1][1].message == "division by zero"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["tabel1"], UnknownNameError),
        (["table1", "acounting=paper"], UnknownNameError),
        (["table1", "accounting=own"], UnknownNameError),
        (["table1", "instruments.sectors=1"], UnknownNameError),
        (["table1", "calibration=nowhere"], UnknownNameError),
        (["accounting=paper"], ArgumentError),
    ],
)
def test_bad_words_are_refused_before_anything_is_made(
    tmp_path: Path, words: list[str], error: type[Exception]
) -> None:
    assert isinstance(CliRunner().invoke(app, ["reproduce", *words]).exception, error)
    assert not list(tmp_path.iterdir())


def test_keys_narrow_the_variants() -> None:
    assert _variants({}) == list(VARIANTS)
    assert _variants({"accounting": "paper"}) == list(VARIANTS[:2])
    assert _variants({"instruments.sectors": "tradable"}) == [
        Variant("paper", "tradable"),
        Variant("standard", "tradable"),
    ]
    assert _variants({"accounting": "standard", "instruments.sectors": "all"}) == [Variant("standard", "all")]
