"""The page on which runs are explored, in a real browser: every number as in the files, no label that is markup."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import cut, faint, opened
from economies import small_synthetic

import dlopt
from dlopt.trade.outcomes import WORLD
from dlopt.views.explore import explore_page
from dlopt.views.explore.page import MEASURES

NAMES = ("USA", "EU", "ROW")
EVIL = '</script><img src=x onerror="document.title=1">'
ALL_ECONOMIES = """
const out = [], economy = document.getElementById("economy");
for (const name of [...economy.options].map(o => o.value)) {
  economy.value = name; economy.dispatchEvent(new Event("change"));
  for (const select of document.querySelectorAll("select[data-chart]"))
    for (const measure of [...select.options].map(o => o.value)) {
      select.value = measure; select.dispatchEvent(new Event("change"));
      for (const cell of document.querySelectorAll("td.num[data-run]")) {
        const place = cell.closest("section").id, chart = cell.closest("table").dataset.chart ?? "";
        const d = cell.dataset;
        out.push([name, place, chart, d.row, d.run, d.column, d.sector ?? "", d.value, cell.textContent]);
      }
    }
}
return [...new Set(out.map(JSON.stringify))].map(JSON.parse);
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    world = dataclasses.replace(small_synthetic(), economies=NAMES)
    root = tmp_path_factory.mktemp("explored")
    war = dlopt.solve_nash(world, instruments={"tariff": "by_sector"})
    both = dlopt.solve_nash(world, instruments={"tariff": "by_sector", "subsidy": "by_sector"})
    for name, result in (("war", war), ("both", both)):
        result.to_parquet(root / name)
    return [root / "war", root / "both"]


@pytest.fixture(scope="module")
def page(folders: list[Path]) -> Path:
    made = folders[0].parent / "explore.html"
    made.write_text(explore_page(folders), encoding="utf-8")
    return made


class Files:
    """What the page should show of the runs."""

    def __init__(self, folders: list[Path]) -> None:
        self.tables = {
            folder.name: {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")} for folder in folders
        }
        self.first = folders[0].name

    def value(self, economy: str, place: str, chart: str, row: str, run: str, column: str, sector: str) -> float:
        """The number of a cell."""
        tables = self.tables[self.first if run == "before" else run]
        if place in ("welfare", "economy-table"):
            outcomes = tables["outcomes"].set_index("economy")
            return float((outcomes if column in outcomes else tables["welfare"].set_index("economy"))[column][row])
        if chart == "partners":
            return float(tables["partners"].set_index(["economy", "partner"])[column][economy, row])
        if chart == "flows":
            trade = tables["trade"].merge(tables["sectors"][["sector", "sector_name"]].drop_duplicates())
            side, other = ("origin", "destination") if column.startswith("exports") else ("destination", "origin")
            rows = trade[(trade[side] == economy) & (trade[other] != economy) & (trade["sector_name"] == row)]
            return float(rows["value_initial" if column.endswith("_initial") else "value"].sum())
        if chart == "jobs":
            return float(tables["sectors"].set_index(["economy", "sector_name"])[column][economy, row])
        if chart == "decomposition":
            parts = tables["decomposition"].set_index(["economy", "component"])["contribution_pct"]
            return float(parts[economy, row.replace(" ", "_")])
        rates = tables["policies"][tables["policies"]["instrument"] == "tariff"]
        which = "initial_rate" if run == "before" else "rate"
        if column == "cell":
            keys = (rates["economy"] == economy) & (rates["origin"] == row) & (rates["sector_name"] == sector)
        elif chart == "rates-partner":
            keys = (rates["economy"] == economy) & (rates["origin"] == row)
        elif chart == "rates-others":
            keys = (rates["economy"] == row) & (rates["origin"] == economy)
        else:
            assert chart == "rates-sector"
            keys = (rates["economy"] == economy) & (rates["sector_name"] == row)
        return float(100 * rates[keys][which].mean())


FORMS = {name: form for chart in ("welfare", "partners", "flows", "jobs") for name, _, form in MEASURES[chart]}


def _form(chart: str, column: str) -> str:
    if chart == "flows":
        return ",.0f"
    if chart.startswith("rates") or column == "cell":
        return ".1f"
    return "+.3f" if chart == "decomposition" else FORMS[column.removesuffix("_initial")]


def test_every_number_is_that_of_the_files(folders: list[Path], page: Path) -> None:
    files = Files(folders)
    with opened(page) as window:
        cells = window.execute_script(ALL_ECONOMIES)
    seen = {(place, chart) for _, place, chart, *_ in cells}
    charts = ("partners", "flows", "jobs", "decomposition", "welfare", "rates-partner", "rates-sector", "rates-others")
    assert {chart for _, chart in seen} == {*charts, ""}
    assert {column for *_, column, _, _, _ in cells} >= {*FORMS, "cell"}
    assert {economy for economy, *_ in cells} == set(NAMES)
    for economy, place, chart, row, run, column, sector, value, text in cells:
        if not value:
            assert text == ""
            continue
        number = files.value(economy, place, chart, row, run, column, sector)
        where = (economy, place, chart, row, run, column, sector)
        assert float(value) == pytest.approx(number, rel=1e-12, abs=1e-12), where
        form = _form(chart, column)
        if "," in form:  # money: as many decimals as its size asks for
            decimals = len(text.partition(".")[2])
            assert decimals in (0, 2, 4)
            form = form.replace(".0f", f".{decimals}f")
        assert text == f"{float(value) + 0.0:{form}}"


def test_numbers_by_economy_are_exact(folders: list[Path], page: Path) -> None:
    held = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    column = held["runs"][0]["outcomes"]["columns"]["real_income_change_pct"]
    values = np.frombuffer(base64.b64decode(column[1:]), "<f8")
    assert values.tolist() == pd.read_parquet(folders[0] / "outcomes.parquet")["real_income_change_pct"].tolist()


def test_choose_sort_and_hover(page: Path) -> None:
    with opened(page) as window:
        labels = (
            "return [...document.querySelectorAll('table[data-chart=welfare] tbody th')].map(h => h.textContent.trim())"
        )
        war = "[...document.querySelectorAll('table[data-chart=welfare] td[data-run=war]')]"
        values = f"return {war}.map(cell => +cell.dataset.value)"
        first = window.execute_script(values)[:-1]
        assert first == sorted(first, reverse=True), "who gains most stands first"
        window.execute_script(
            "document.querySelector('table[data-chart=welfare] th[data-column=\"1\"] button').click()"
        )
        assert window.execute_script(values)[:-1] == sorted(first)
        assert window.execute_script(labels)[-1] == WORLD
        assert (
            window.execute_script("return document.activeElement.closest('th').getAttribute('aria-sort')")
            == "ascending"
        )
        window.execute_script(
            "[...document.querySelectorAll('table[data-chart=welfare] tbody button')]"
            ".find(button => button.textContent === 'EU').click()"
        )
        assert "economy=EU" in window.current_url
        assert window.execute_script("return document.querySelector('#jobs h2').textContent").endswith("EU")
        window.execute_script("document.querySelector('#runs input').click()")
        heads = "return [...document.querySelectorAll('table[data-chart=jobs] thead th')].map(h => h.textContent)"
        assert window.execute_script(heads) == ["sector", "both"]
        window.execute_script(
            "const s = document.getElementById('instrument'); s.value = 'subsidy'; s.dispatchEvent(new Event('change'))"
        )
        assert window.execute_script("return document.querySelector('#rates h2').textContent") == "Subsidies: EU"
        tip = window.execute_script(
            "const line = document.querySelector('table[data-chart=welfare] tbody tr');"
            "line.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 200, clientY: 200}));"
            "const tip = document.getElementById('tip'); return [tip.hidden, tip.textContent]"
        )
        assert tip[0] is False
        assert "both: " in tip[1]
        window.refresh()
        assert window.execute_script("return document.getElementById('economy').value") == "EU", "kept in the address"


@pytest.mark.parametrize("width", [1400, 390])
def test_it_is_read_on_a_screen_and_on_a_phone(page: Path, width: int) -> None:
    with opened(page, width, media={"prefers-color-scheme": "dark"}) as window:
        assert window.execute_script("return document.documentElement.scrollWidth") <= width
        assert cut(window) == []
        assert faint(window) == []
        ground = "return getComputedStyle(document.documentElement).backgroundColor"
        assert window.execute_script(ground) == "rgb(255, 255, 255)"
        unnamed = window.execute_script(
            "return [...document.querySelectorAll('select, input')].filter(x => !x.labels.length).length"
            " + [...document.querySelectorAll('#app table')].filter(t => !t.getAttribute('aria-labelledby')).length"
        )
        assert unnamed == 0


def test_it_prints(page: Path) -> None:
    with opened(page, media={"media": "print"}) as window:
        assert (
            window.execute_script("return getComputedStyle(document.getElementById('controls')).position") == "static"
        )
        printed = window.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        assert len(printed["data"]) > 50_000


def test_without_javascript_a_table_stands(folders: list[Path], page: Path) -> None:
    with opened(page, script=False) as window:
        assert not window.find_element("id", "app").is_displayed()
        words = window.find_element("id", "plain").text
        outcomes = pd.read_parquet(folders[0] / "outcomes.parquet")
        for row in outcomes.to_dict("records"):
            assert row["economy"] in words
            assert f"{row['real_income_change_pct']:+.3f}" in words


def test_labels_are_no_markup(tmp_path: Path) -> None:
    world = small_synthetic()
    names = (EVIL, "<b>bold</b>", "a & b")
    world = dataclasses.replace(world, economies=names, sector_names=(EVIL, *world.sector_names[1:]))
    dlopt.solve_nash(world, instruments={"tariff": "by_sector"}).to_parquet(tmp_path / "evil")
    page = tmp_path / "explore.html"
    page.write_text(explore_page([tmp_path / "evil"]), encoding="utf-8")
    with opened(page) as window:
        assert window.title == "dlopt: explore runs"
        assert window.execute_script("return document.querySelectorAll('img, b').length") == 0
        shown = (
            "return [...document.querySelectorAll('table[data-chart=welfare] tbody th')].map(h => h.textContent.trim())"
        )
        assert set(window.execute_script(shown)) == {*names, WORLD}
        assert EVIL in window.execute_script("return document.querySelector('table[data-chart=jobs]').textContent")


def test_a_page_that_would_be_too_large_says_what_it_leaves_out(folders: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "small.html"

    def left(most: int) -> list[str]:
        page.write_text(explore_page(folders, left_out=["one more"], most=most), encoding="utf-8")
        with opened(page) as window:
            found: Any = window.execute_script(
                "return [...document.querySelectorAll('#left-out li')].map(x => x.textContent)"
            )
            assert found[0] == "one more"
            rows = window.execute_script(
                "return document.querySelectorAll('table[data-chart=welfare] tbody tr').length"
            )
            assert rows == len(NAMES) + 1
            return list(found[1:])

    assert left(10**6) == []
    assert [text.split(".")[0] for text in left(10_000)] == [
        "war: rates by partner and sector together",
        "both: rates by partner and sector together",
    ]
    assert [text.split(".")[0] for text in left(8000)] == ["both: everything by pair of economies and by sector"]
    assert left(2000)[-1].startswith("both: the whole run")
    with pytest.raises(dlopt.DloptError, match="No run fits"):
        explore_page(folders, most=10)
