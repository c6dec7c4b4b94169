"""A label is a label in every file that shows it: no tag, no command, no formula, no second column."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from dlopt.kind import Sheet
from dlopt.papers.engine import cells, formats
from dlopt.store.exports import latex, write_any
from dlopt.views.sheets import html

LABELS = [
    "<script>alert(1)</script>", "a & b | c", r"50 % of $x_1$ \\input{/etc/passwd} #1 {", '=HYPERLINK("http://x","y")',
    "+1+1", "-2+3", "@SUM(A1)", "steel",
]  # fmt: skip
FRAME = pd.DataFrame({"sector": LABELS, "rate": [-1.5] * len(LABELS)})


class Tags(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html() -> None:
    found = Tags(html([Sheet("of <i>all</i>", ("sector", "rate"), [(label, "1") for label in LABELS])]))
    assert not found.tags & {"script", "i"}
    assert set(LABELS) <= set(found.texts)


@pytest.mark.parametrize("label", LABELS)
def test_latex(label: str) -> None:
    table = cells.frame([cells.cell(label, "x", "a", 1.0, 2.0, "certified")])
    for text in (latex(FRAME[FRAME["sector"] == label]), formats.latex(table, ".2f", False, "T", "")):
        line = next(line for line in text.splitlines() if line.endswith(r"\\") and ("2.00" in line or "-1.5" in line))
        for special in "&%$#_{}":
            free = line.replace(r"\textbackslash{}", "").replace(r"\textbackslash ", "").replace("\\" + special, "")
            free = free.replace(r"\textbar{}", "").replace(r"\textless{}", "").replace(r"\textgreater{}", "")
            assert special not in free or special == "&", (special, line)
        assert r"\input" not in line


@pytest.mark.parametrize("label", LABELS)
def test_markdown(label: str) -> None:
    table = cells.frame([cells.cell(f"{label}\nnext", "x", "a", 1.0, 2.0, "certified")])
    *_, last = formats.markdown(table, ".2f", False).splitlines()
    assert last.startswith("| ")
    assert last.replace(r"\|", "").count("|") == 4


def test_spreadsheets_compute_nothing(tmp_path: Path) -> None:
    write_any(FRAME, tmp_path / "table.csv", {})
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert not [row for row in rows if row[0][0] in "=+-@"]
    assert [row[0].removeprefix("'") for row in rows] == LABELS
    assert {row[1] for row in rows} == {"-1.5"}
    write_any(FRAME, tmp_path / "table.xlsx", {})
    sheet = openpyxl.load_workbook(tmp_path / "table.xlsx").active
    assert [cell.value for cell in sheet["A"]][1:] == LABELS
    assert {cell.data_type for cell in sheet["A"]} == {"s"}
    assert {cell.value for cell in sheet["B"]} == {"rate", -1.5}
