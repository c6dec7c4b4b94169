"""`dlopt.views.report`: a run as one page that needs nothing else."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from economies import small_synthetic

import dlopt
from dlopt.runs import RunFolder, RunReadError
from dlopt.views.figures import results
from dlopt.views.report import charts, other, pictures, report_page


class _Page(HTMLParser):
    """Counts pictures, keeps the text, refuses anything that is not closed or not inside the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures = 0
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.pictures += 1
            assert (values["src"] or "").startswith("data:image/png;base64,")
        if tag not in ("img", "meta"):
            self.open.append(tag)
        assert "href" not in values or (values["href"] or "").startswith("#")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_page_holds_welfare_policies_and_the_certificate(tmp_path: Path) -> None:
    world = small_synthetic()
    result = dlopt.solve_nash(world, instruments=dlopt.InstrumentChoice(tariff="by_sector"))
    run = RunFolder.start(
        tmp_path / "run", kind="trade", verb="nash", command="dlopt solve nash scenario=<b>war</b>", scenario="war",
        calibration={"name": world.name, "sha256": world.sha256}, accounting="standard", seed=0, threads=1,
    )  # fmt: skip
    run.write_tables(result.tables(), result.metadata)
    run.finish("converged", message=result.message, certificate={"equilibrium_residual": 1e-14})
    page = _Page(report_page(run.path))
    text = " ".join(page.words)
    assert page.open == []
    assert page.pictures == 2  # tariffs by sector, the steps of the solver
    gain = float(result.tables()["welfare"]["real_income_change_pct"].iloc[0])
    for expected in (f"{gain:.3f}", "scenario=<b>war</b>", "converged", "terms of trade", *world.economies):
        assert expected in text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunReadError, match="not a run folder"):
        report_page(tmp_path)


@pytest.mark.parametrize("first", ["dlopt.views.results", "dlopt.views.report", "dlopt.views.figures.results",
                                   "dlopt.views.explore", "dlopt.views.comparison"])  # fmt: skip
def test_any_room_of_views_may_be_the_first_that_is_imported(first: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {first}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_charts_of_very_many_economies_show_the_ends_and_say_so() -> None:
    values = {f"E{k}": float(k - 20) for k in range(100)}
    drawn = charts.bars(values, "+.1f", "%", "gains", "gain")
    assert drawn.count('class="bar ') == 30
    assert "70 others lie between" in drawn
    assert all(f">E{k}<" in drawn for k in (0, 14, 85, 99))
    assert ">E50<" not in drawn
    pairs = {name: (0.0, value) for name, value in values.items()}
    moved = charts.dots(pairs, charts.BEFORE_AFTER, ".1f", "%", "rates")
    assert moved.count("<tr>") == 30
    assert ">E99<" in moved
    assert ">E20<" not in moved
    assert "the other 70" in moved
    few = dict(list(values.items())[: charts.LONGEST])
    assert charts.bars(few, "+.1f", "%", "gains", "gain").count('class="bar ') == charts.LONGEST


def test_pictures_of_very_many_economies_show_those_that_move_most() -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    names = [f"E{k}" for k in range(100)]
    welfare = pd.DataFrame({"economy": names, "real_income_change_pct": [float(k - 20) for k in range(100)]})
    (axes,) = results.changes(welfare).axes
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == names[:-16:-1] + names[14::-1]
    assert axes.get_xlabel().endswith("15 highest and 15 lowest of 100")
    policies = pd.DataFrame({"economy": names, "instrument": "tariff", "sector": 1, "sector_name": "goods",
                             "initial_rate": 0.0, "rate": [k / 100 for k in range(100)]})  # fmt: skip
    (axes,) = pictures.policies_by_sector(policies, "tariff").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == names[:-31:-1]
    assert "30 of 100" in axes.get_xlabel()


@pytest.mark.parametrize(
    ("largest", "decimals", "shown"),
    [(3.314, 2, "+3.31"), (0.13, 2, "+0.130"), (0.0102, 3, "+0.0102"), (0.0, 3, "+0.000"), (3e-12, 3, "+0.0000000")],
)
def test_small_changes_have_the_decimals_that_tell_them_apart(largest: float, decimals: int, shown: str) -> None:
    assert format(largest, charts.signed(largest, decimals)) == shown


def test_pages_of_shocks_and_schedules_say_what_was_asked(tmp_path: Path) -> None:
    world = small_synthetic()
    result = dlopt.solve_equilibrium(world)
    pages = {}
    for name, settings in (
        ("shock", {"shocks": "E1: +5% productivity"}),
        ("april", {"policy": "us_2025_04_02", "retaliation": "reciprocal", "retaliators": "all"}),
        ("alone", {"policy": "E1: 25% on all", "retaliation": "none", "players": ["E1", "E2"], "elasticities": None}),
    ):
        run = RunFolder.start(
            tmp_path / name, kind="trade", verb="equilibrium", command="dlopt solve equilibrium",
            scenario="given_policy", calibration={"name": world.name, "sha256": world.sha256},
            accounting="standard", seed=0, threads=1, settings=settings,
        )  # fmt: skip
        run.write_tables(result.tables(), result.metadata)
        run.finish("converged", message=result.message)
        pages[name] = " ".join(_Page(report_page(run.path)).words)
    assert "shock: E1: +5% productivity" in pages["shock"]
    assert "The schedule announced on 2 April 2025" in pages["april"]
    assert "answer in kind" in pages["april"]
    assert "All others keep their policies." in pages["alone"]
    assert "[E1, E2]" in pages["alone"]
    assert "not set" in pages["alone"]


def test_what_options_are_worth_is_drawn_as_bars() -> None:
    links = pd.DataFrame({
        "buyer": ["a", "b"], "buyer_name": ["Food", "Cars"], "supplier_name": ["Cars", "Food"],
        "delta_v_pct": [0.5, -0.25],
    })  # fmt: skip
    (drawn,) = other._worth(links)
    assert "Food from Cars" in drawn
    assert "+0.50 %" in drawn
    assert "-0.25 %" in drawn
    assert other._worth(pd.DataFrame({"switch": ["x"], "delta_v": [2.0]}))
    assert other._worth(pd.DataFrame({"something": ["x"]})) == []
