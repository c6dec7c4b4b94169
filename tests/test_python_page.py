"""docs/python.md: its snippets run as they stand, and print what it says. So do those of other pages."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dlopt

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_the_snippets_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="the page draws")
    monkeypatch.chdir(tmp_path)
    command = ["solve", "equilibrium", "scenario=us_china_2018", "hydra.run.dir=run"]
    assert f"# dlopt {' '.join(command)}" in PAGE
    subprocess.run([sys.executable, "-m", "dlopt", *command], check=True, capture_output=True, env={**os.environ})
    space: dict[str, Any] = {}
    printed = io.StringIO()
    assert len(SNIPPETS) > 8
    with contextlib.redirect_stdout(printed):
        for snippet in SNIPPETS:
            exec(compile(snippet, "docs/python.md", "exec"), space)
    shown = re.search(r"^<!-- output -->\n```\n(.*?)^```", PAGE, re.M | re.S)
    assert shown is not None
    assert shown[1] in printed.getvalue()
    assert (tmp_path / "china" / "welfare.parquet").is_file()
    assert (tmp_path / "tariffs.png").stat().st_size > 1000
    assert space["names"][0] == "welfare"
    assert "Simple average rates, %" in str(space["side_by_side"])
    # The answer of the page is what the functions say of themselves.
    assert isinstance(space["run"], dlopt.SolveResult)
    assert space["careful"].sha256 != space["world"].sha256
    assert isinstance(space["trained"], dlopt.BsdeResult)


@pytest.mark.parametrize("page", ["calibrations", "policies", "carbon", "uncertainty"])
def test_the_snippets_of_other_pages_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of docs/own_models.md are in tests/models; docs/own_choice_models.md trains for minutes."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for snippet in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
            exec(compile(snippet, f"docs/{page}.md", "exec"), space)
    assert isinstance(space["world"], dlopt.Calibration)
    solved = [value for value in space.values() if hasattr(value, "status")]
    assert [value.status for value in solved] == ["converged"] * len(solved)
    assert len(solved) == {"calibrations": 0, "policies": 2, "carbon": 1, "uncertainty": 2}[page]


def test_readme_s_example_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## From Python")[1].split("\n## ")[0]
    snippet, shown = re.findall(r"^```(?:python)?\n(.*?)^```$", section, re.M | re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet, "README.md", "exec"), {})
    answer, evidence = shown.split("Certificate\n")
    heads = re.search(r"^ +real .*\neconomy  income ", answer, re.M)
    assert heads, "real income is the first column"
    assert re.search(r"^USA      -1\.528 ", answer, re.M)
    assert max(map(len, shown.splitlines())) <= 80
    # Residuals are rounding, which differs between machines.
    assert answer == printed.getvalue().split("Certificate\n")[0]
    assert evidence.count("pass") == printed.getvalue().count("pass") == 4
