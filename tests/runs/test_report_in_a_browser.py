"""The page about a run in a real browser: no error, no request, nothing cut off, every number as in the files."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from browser import cut, faint, opened
from economies import small_synthetic

import dlopt
from dlopt.trade.outcomes import WORLD
from dlopt.trade.provenance import stylised
from dlopt.trade.words import headlines, money
from dlopt.views.figures.results import of_run
from dlopt.views.figures.sizes import SIZES, write_figure
from dlopt.views.report import report_page, trade
from dlopt.views.report.worldmap import colour, outlines, painted, world_map

NAMES = ("USA", "EU", "ROW")
SMALL_MONEY = 1000.0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    world = dataclasses.replace(small_synthetic(), economies=NAMES)
    root = tmp_path_factory.mktemp("pages")
    war = dlopt.solve_nash(world, instruments={"tariff": "by_sector"})
    subsidy = dlopt.solve_nash(world, instruments={"subsidy": "by_sector"})
    for name, result in (("war", war), ("subsidy", subsidy)):
        result.to_parquet(root / name)
    return [root / "war", root / "subsidy"]


@pytest.fixture(scope="module")
def pages(folders: list[Path]) -> dict[str, Path]:
    made = {"one": folders[0] / "report.html", "both": folders[0].parent / "both.html"}
    made["one"].write_text(report_page(folders[0]), encoding="utf-8")
    made["both"].write_text(report_page(folders), encoding="utf-8")
    return made


def expected(folder: Path) -> dict[tuple[str, str], tuple[float, str]]:
    """Every number that the sortable tables show, and its form, by label and column.

    Money is shown in whole units, or, where no amount of a column comes to a thousand, in four digits.
    """
    found: dict[tuple[str, str], tuple[float, str]] = {}
    outcomes, partners, sectors = (
        pd.read_parquet(folder / f"{n}.parquet") for n in ("outcomes", "partners", "sectors")
    )
    for frame, labels, columns in (
        (outcomes, outcomes["economy"], trade.OUTCOMES),
        (partners, partners["economy"] + " with " + partners["partner"], trade.PARTNERS),
        (sectors, sectors["economy"] + ", " + sectors["sector_name"], trade.SECTORS),
    ):
        for name, _, form in columns:
            if form.endswith(",.0f") and frame[name].abs().max() < SMALL_MONEY:
                form = form.replace(",.0f", ",.4g")
            found |= {(label, name): (value, form) for label, value in zip(labels, frame[name], strict=True)}
    return found


@pytest.mark.parametrize("width", [1400, 390])
def test_every_number_is_that_of_the_files(folders: list[Path], pages: dict[str, Path], width: int) -> None:
    numbers = expected(folders[0])
    with opened(pages["one"], width) as window:
        cells = window.execute_script(
            "return [...document.querySelectorAll('table.sortable:not([data-source=decomposition]) td')]"
            ".map(td => [td.dataset.row, td.dataset.column, td.dataset.value, td.textContent])"
        )
        assert {(row, column) for row, column, _, _ in cells} == set(numbers)
        for row, column, value, text in cells:
            number, form = numbers[row, column]
            if pd.isna(number):
                assert (value, text) == ("", "")
            else:
                assert float(value) == number
                shown = f"{number:{form}}"  # nothing has no sign
                assert text == (shown if set(shown) & set("123456789") else shown.lstrip("+-"))
        wide = window.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, "the page itself must not scroll sideways"


def test_a_click_on_a_head_sorts_and_the_world_stays_below(pages: dict[str, Path]) -> None:
    with opened(pages["one"]) as window:
        script = (
            "const t = document.querySelector('table[data-source=outcomes]');"
            "t.tHead.rows[0].cells[1].querySelector('button').click();"
            "return [...t.tBodies[0].rows].map(r => [r.cells[0].textContent, r.cells[1].dataset.value])"
        )
        for down in (False, True):
            rows = window.execute_script(script)
            values = [float(value) for label, value in rows if label != WORLD]
            assert values == sorted(values, reverse=not down)
            assert rows[-1][0] == WORLD


def test_pictures_have_words_and_colours_that_can_be_read(pages: dict[str, Path]) -> None:
    with opened(pages["both"]) as window:
        without = window.execute_script(
            "return [...document.querySelectorAll('img')].filter(i => !i.alt || !i.naturalWidth).length"
            " + [...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length"
        )
        assert without == 0
        assert window.execute_script("return document.querySelectorAll('svg').length") == 2
        heads = window.execute_script("return [...document.querySelectorAll('h1')].map(h => h.textContent)")
        assert len(heads) == 3


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("which", ["one", "both"])
def test_nothing_is_cut_off_or_faint_by_day_and_night(pages: dict[str, Path], which: str, width: int) -> None:
    with opened(pages[which], width, media={"prefers-color-scheme": "dark"}) as window:
        assert cut(window) == []
        assert faint(window) == []
        assert window.execute_script("return document.documentElement.scrollWidth") <= width
        colour = "return getComputedStyle(document.documentElement).backgroundColor"
        assert window.execute_script(colour) == "rgb(255, 255, 255)"
        empty = (
            "return [...document.querySelectorAll('section')].filter(part => !part.querySelector('img, svg') &&"
            " part.innerText.trim().split('\\n').length < 2).map(part => part.innerText)"
        )
        assert window.execute_script(empty) == [], "a heading without anything under it"


def test_on_paper_everything_is_there(pages: dict[str, Path]) -> None:
    with opened(pages["both"], media={"media": "print"}) as window:
        assert window.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
        shown = "return [...document.querySelectorAll('.scroll')].map(box => getComputedStyle(box).overflowX)"
        assert set(window.execute_script(shown)) == {"visible"}
        assert faint(window) == []
        assert len(window.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]) > 50_000


def test_tables_with_large_numbers_fit_on_a_printed_page(pages: dict[str, Path]) -> None:
    """A4 less its margins is 718 points of the browser wide; money of the world has seven digits and more."""
    script = (
        "const cells = document.querySelectorAll('table[data-source=outcomes] td');"
        "for (const td of cells) if (/income_change$|revenue$/.test(td.dataset.column)) td.textContent = '-1,497,094';"
        "return [...document.querySelectorAll('table[data-source=outcomes]')].map(t => t.getBoundingClientRect().right)"
    )
    with opened(pages["one"], 718, media={"media": "print"}) as window:
        (right,) = window.execute_script(script)
        assert 0 < right <= 718


def test_without_javascript_every_number_and_picture_stays(folders: list[Path], pages: dict[str, Path]) -> None:
    with opened(pages["one"], script=False) as window:
        assert window.find_elements("css selector", "thead button") == []
        assert len(window.find_elements("tag name", "img")) >= 2
        assert len(window.find_elements("tag name", "svg")) == 1
        for folded in window.find_elements("tag name", "summary"):
            folded.click()
        words = window.find_element("tag name", "main").text
    for row in pd.read_parquet(folders[0] / "partners.parquet").to_dict("records"):
        assert f"{row['exports_change_pct']:+.1f}" in words


def test_runs_that_change_nothing_draw_nothing(tmp_path: Path) -> None:
    world = dataclasses.replace(small_synthetic(), economies=NAMES)
    dlopt.solve_equilibrium(world).to_parquet(tmp_path / "still")
    page = report_page(tmp_path / "still")
    assert "<svg" not in page
    assert "Where the change comes from" not in page
    assert "No real income changes" in page


def test_a_map_paints_members_of_groups_and_the_rest() -> None:
    owner = painted(dict.fromkeys(NAMES, 0.0))
    assert (owner["USA"], owner["FRA"], owner["BRA"]) == ("USA", "EU", "ROW")
    assert set(owner) == set(outlines())
    drawn = world_map({"USA": 1.0, "EU": -1.0, "ROW": 0.0}, "+.2f", "%", "a map")
    assert "FRA, part of EU: -1.00 %" in drawn
    assert colour(1.0) in drawn
    assert world_map({"E1": 1.0, "E2": 2.0}, "+.2f", "%", "") == ""


def test_headlines_say_what_the_tables_hold(folders: list[Path]) -> None:
    lines = headlines(lambda name: trade.table_of(folders[0], name))
    outcomes = pd.read_parquet(folders[0] / "outcomes.parquet").set_index("economy")
    assert any(f"{outcomes.loc['USA', 'real_income_change_pct']:+.2f} %" in line for line in lines)
    assert any("3 economies set" in line for line in lines)
    assert money(1234.0, "million USD") == "1.23 billion USD"
    assert money(-12.0, "million USD") == "-12 million USD"
    assert money(5.0, "value units") == "5 value units"
    assert stylised(dlopt.load_calibration("stylized2017").source)


def test_every_picture_that_a_run_is_said_to_have_can_be_drawn(folders: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    for folder in folders:
        found = of_run([path.stem for path in sorted(folder.glob("*.parquet"))], partial(trade.table_of, folder))
        assert {"welfare", "map", "iterations"} <= set(found)
        for name, draw in found.items():
            for size in SIZES:
                write_figure(draw(), tmp_path / f"{folder.name}-{name}-{size}.png", size)


def test_money_is_said_with_its_unit_and_wide_pictures_on_a_phone_say_so(
    folders: list[Path], pages: dict[str, Path]
) -> None:
    unit = pd.read_parquet(folders[0] / "outcomes.parquet")["unit"].iloc[0]
    with opened(pages["one"], 390) as window:
        heads = window.execute_script("return [...document.querySelectorAll('thead th')].map(h => h.textContent)")
        assert {f"real income, {unit}", f"tariff revenue, {unit}", f"exports, {unit}"} <= set(heads)
        hint = "return getComputedStyle(document.querySelector('figure:has(img)'), '::before').content"
        assert "sideways" in window.execute_script(hint)
    with opened(pages["one"]) as window:
        assert window.execute_script(hint) == "none"


def test_one_rate_for_all_sectors_is_said_and_not_drawn(tmp_path: Path) -> None:
    world = dataclasses.replace(small_synthetic(), economies=NAMES)
    dlopt.solve_unilateral(world, "USA", instruments={"tariff": "uniform"}).to_parquet(tmp_path / "uniform")
    page = report_page(tmp_path / "uniform")
    assert "Each economy has one rate for all sectors and partners shown here." in page
    assert "Tariffs by sector" not in page
