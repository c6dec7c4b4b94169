"""Published and computed numbers have nothing to do with each other, and solutions are found again as they were."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from dlopt import Calibration
from dlopt.calibrations.catalog import DEFAULT
from dlopt.errors import UnknownNameError
from dlopt.papers.docs import document
from dlopt.papers.engine import cells, formats, published
from dlopt.papers.engine.cache import Cache
from dlopt.papers.engine.page import page
from dlopt.papers.engine.run import reproduce
from dlopt.papers.engine.study import StoppedError, Study
from dlopt.papers.engine.targets import Table
from dlopt.papers.huang2024.trainings import TRAININGS
from dlopt.papers.targets import PROBLEMS, TARGETS, chosen
from dlopt.papers.wang2024 import regressions, tables
from dlopt.papers.wang2024.paths import PATHS
from dlopt.papers.wang2024.scenarios import SCENARIOS, Variant, definition

StudyOf = Callable[..., Study]
VARIANT = Variant("standard", "tradable")


def table3(study: Study) -> pd.DataFrame:
    return tables.welfare(study, "table3_welfare_nash", {("USA+CHN", "tariff"): "us_china_trade_war"})


def test_cells_are_certified_and_add_up(world: Calibration, study_of: StudyOf) -> None:
    found = table3(study_of(world))
    assert set(found["status"]) == {"certified"}
    assert list(found["row"]) == ["USA", "CHN", "IND"]
    assert list(found["published"]) == [-0.07, -0.33, 0.01]
    pd.testing.assert_series_equal(found["computed"] - found["published"], found["difference"], check_names=False)


def test_a_change_of_the_calibration_changes_only_what_is_computed(world: Calibration, study_of: StudyOf) -> None:
    before = table3(study_of(world))
    psi = world.psi.clone()
    psi[0] *= 1.01
    after = table3(study_of(dataclasses.replace(world, psi=psi)))
    pd.testing.assert_series_equal(before["published"], after["published"])
    assert bool((before["computed"] != after["computed"]).all())


def test_a_change_of_the_published_file_changes_only_what_is_published(
    world: Calibration, study_of: StudyOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = table3(study_of(world))
    folder = tmp_path / "published"
    shutil.copytree(published.FOLDER, folder)
    file = folder / "table3_welfare_nash.csv"
    file.write_text(file.read_text().replace("USA,USA+CHN,tariff,-0.07", "USA,USA+CHN,tariff,9.5"))
    monkeypatch.setattr(published, "FOLDER", folder)
    after = table3(study_of(world))
    assert list(after["published"]) == [9.5, -0.33, 0.01]
    pd.testing.assert_series_equal(before["computed"], after["computed"])


def test_a_cached_solution_is_the_same(world: Calibration, tmp_path: Path) -> None:
    cache = Cache(tmp_path, world)
    scenario = SCENARIOS["us_china_dual"]
    first, again = scenario.solve(cache, VARIANT), scenario.solve(cache, VARIANT)
    assert (first.cached, again.cached) == (False, True)
    assert first.seconds == again.seconds
    assert torch.equal(first.result.u, again.result.u)
    assert first.result.certificate == again.result.certificate
    for name, table in first.result.tables().items():
        if name not in ("iterations", "equilibria"):
            pd.testing.assert_frame_equal(table, again.result.tables()[name])


def test_a_damaged_cache_file_is_solved_anew(world: Calibration, tmp_path: Path) -> None:
    cache = Cache(tmp_path, world)
    scenario = SCENARIOS["us_china_trade_war"]
    first = scenario.solve(cache, VARIANT)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    again = scenario.solve(cache, VARIANT)
    assert not again.cached
    assert torch.equal(first.result.u, again.result.u)


def test_an_interrupted_solve_is_not_kept(world: Calibration, tmp_path: Path) -> None:
    study = Study(PROBLEMS, Cache(tmp_path, world), [VARIANT], on_iteration=lambda _: True)
    with pytest.raises(StoppedError):
        table3(study)
    assert not list(tmp_path.glob("*.npz"))


def test_tariffs_alone_are_solved_once_for_both_accountings(world: Calibration) -> None:
    paper, standard = Variant("paper", "tradable"), VARIANT
    war, dual = SCENARIOS["trade_war"], SCENARIOS["dual"]
    assert definition(war, paper, world) == definition(war, standard, world)
    assert definition(dual, paper, world) != definition(dual, standard, world)
    subsidised = dataclasses.replace(world, subsidy=world.subsidy + 0.01)
    assert definition(war, paper, subsidised) != definition(war, standard, subsidised)


def test_what_the_calibration_lacks_is_marked(world: Calibration, study_of: StudyOf) -> None:
    other = dataclasses.replace(world, economies=("USA", "FRA", "IND"))
    found = table3(study_of(other))
    assert set(found["status"]) == {"unavailable"}
    assert found["computed"].isna().all()


def test_regression_finds_the_slopes_of_made_up_data() -> None:
    frame = pd.DataFrame(
        [(a, b, x) for a in "pqr" for b in "uv" for x in (0.1, 0.5, 0.7, 0.2)], columns=["a", "b", "x"]
    )
    frame["z"] = frame["x"] ** 2
    effect = frame["a"].map({"p": 1.0, "q": 2.0, "r": 5.0}) + frame["b"].map({"u": 0.0, "v": 3.0})
    frame["y"] = 2 * frame["x"] - 3 * frame["z"] + effect
    found = regressions.fit(frame, "y", ["x", "z"], ["a", "b"], 0)
    assert found.slopes == pytest.approx({"x": 2.0, "z": -3.0})
    assert found.observations == 24
    assert found.r_squared == pytest.approx(1.0)
    doubled = regressions.fit(frame.assign(c=frame["a"]), "y", ["x", "z"], ["a", "b", "c"], 0)
    assert doubled.slopes == pytest.approx(found.slopes)


def test_rates_without_a_log_are_dropped_and_counted(world: Calibration, study_of: StudyOf) -> None:
    result = study_of(world).get("us_china_dual", VARIANT).result
    assert result is not None
    found = regressions.tariffs_on_elasticities(result)
    assert result.instruments is not None
    chosen_tariffs = int((result.instruments.tau >= 0).sum())
    positive = int((result.policy.tariff[result.instruments.tau >= 0] > 0).sum())
    assert found.observations == positive
    assert found.dropped == chosen_tariffs - positive


def test_files_page_and_document(world: Calibration, study_of: StudyOf, tmp_path: Path) -> None:
    """A table, a figure and the page with both; everything inside one file."""
    done = reproduce(chosen(["tableA1", "figureB1"]), study_of(world), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"tableA1.parquet", "tableA1.md", "tableA1.tex", "runs.parquet"} <= names
    assert {"figureB1.parquet", "figureB1.pdf", "figureB1.png"} <= names
    assert not done.certified  # sectors 1 to 5 are not in this world
    html = page(done, "a <world>")
    assert "a &lt;world&gt;" in html
    assert html.count("data:image/png;base64,") == 1
    assert "http" not in html
    assert all(world.name in made.title for made in done.made)
    assert "Table A.1" in document(done, world, [VARIANT])


def test_captions_say_that_the_embedded_economy_is_not_data(world: Calibration, study_of: StudyOf) -> None:
    embedded = study_of(dataclasses.replace(world, name=DEFAULT))
    first = [target for target in TARGETS.values() if not target.source.startswith("Huang")]
    assert all("stylised: not data" in target.caption(embedded) for target in first)
    assert not any("stylised" in target.caption(study_of(world)) for target in first)


def test_layout_of_a_table() -> None:
    rows = [cells.cell("USA", "dual_x", v, 1.0, value, "certified") for v, value in (("a", 1.5), ("b", -0.001))]
    table = cells.frame(rows)
    assert formats.markdown(table, ".2f", True).splitlines()[2:] == [
        "| **dual_x** |  |  |  |", "| USA | 1.00 | 1.50 | 0.00 |", "| rms difference |  | 0.50 | 1.00 |",
    ]  # fmt: skip
    assert r"dual\_x" in formats.latex(table, ".2f", True, "T & U", "")
    odd = cells.frame([cells.cell("V^2 < |V|", "x", "a", 1.89e-7, 2.5e-7, "certified")])
    assert r"V\^{}2 \textless{} \textbar{}V\textbar{} & 1.89e-07 & 2.5e-07" in formats.latex(odd, ".3g", False, "", "")
    assert r"| V^2 < \|V\| | 1.89e-07 |" in formats.markdown(odd, ".3g", False)


def test_targets() -> None:
    assert list(chosen(["claims", "table3", "table3"])) == ["table3", "claims"]
    assert list(chosen(["all"])) == list(TARGETS)
    with pytest.raises(UnknownNameError, match="table3"):
        chosen(["tabel3"])
    known = {*SCENARIOS, *PATHS, *TRAININGS}
    assert all(name in known for target in TARGETS.values() for name in target.needs)
    assert any(isinstance(target, Table) for target in TARGETS.values())
