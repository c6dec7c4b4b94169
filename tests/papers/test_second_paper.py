"""Tables and figures of the second paper, and the published algorithm's path, with small budgets."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from dlopt import Calibration
from dlopt.choice import PAPER, AnalysisOptions, Budget, MethodOptions, preset, write_folder, write_network
from dlopt.choice.production.presets import synthetic
from dlopt.framework.best_response import BestResponse
from dlopt.papers.docs import document
from dlopt.papers.engine import published
from dlopt.papers.engine.cache import Cache
from dlopt.papers.engine.run import reproduce
from dlopt.papers.engine.study import StoppedError, Study
from dlopt.papers.huang2024 import tables as second_paper
from dlopt.papers.huang2024 import trainings
from dlopt.papers.huang2024.trainings import EXPORT, NETWORK, TRAININGS, Training
from dlopt.papers.targets import PROBLEMS, TARGETS, chosen, needed
from dlopt.papers.wang2024 import figure_data, paths
from dlopt.papers.wang2024.scenarios import Variant

VARIANT = Variant("standard", "tradable")
LEAST = AnalysisOptions(
    certificate_paths=4, certificate_years=2, out_of_sample=50, paths=8, years=4, validation=32, response_years=1,
    response_paths=2,
)  # fmt: skip
OURS = MethodOptions(hidden=4, layers=2, conditional=0, batch=8, pool=8)
THEIRS = dataclasses.replace(PAPER, hidden=4, layers=1, subnet=4, batch=4, pool=4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every training at three steps, of five markets, four sectors, and two to solve exactly. Where `bea37` is."""
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path / "data"))
    folder, exact = tmp_path / "data" / "bsde" / "bea37", tmp_path / "data" / "bsde" / "two"
    markets = tmp_path / "markets"
    write_folder(preset("separable", destinations=5), markets)
    write_network(synthetic(4), folder)
    write_network(synthetic(2, own_share=0.05), exact)
    for name, training in list(TRAININGS.items()):
        method = THEIRS if training.measured else OURS
        models = (str(markets),) if training.kind == EXPORT else ("bea37", "two") if "3" not in name else ("two",)
        smaller = dataclasses.replace(
            training, models=models, method=method, budget=Budget(steps=3, evaluations=1), analysis=LEAST
        )
        monkeypatch.setitem(TRAININGS, name, smaller)
    return folder


def study_in(folder: Path, world: Calibration) -> Study:
    return Study(PROBLEMS, Cache(folder, world), [VARIANT])


def test_losses_stand_beside_true_errors(small: Path, world: Calibration, shared: Path) -> None:
    found = second_paper.network_losses(study_in(shared, world))
    losses = found[found["column"].str.startswith("Loss_A")].set_index(["variant", "row"])
    assert losses["published"]["default method", "average"] == 7.4e-6
    assert not found["computed"].isna().any()
    measured = found[found["variant"] == second_paper.THEIRS]
    assert set(measured["status"]) == {"measured"}
    errors = found[found["row"] == "mean error of V, %"]
    assert bool((errors["computed"] > 0).all())
    assert errors["published"].isna().all()


def test_a_change_of_the_model_changes_only_what_is_computed(small: Path, world: Calibration, shared: Path) -> None:
    before = second_paper.network_losses(study_in(shared, world))
    process = small / "process.yaml"
    process.write_text(process.read_text().replace("gamma: 2.0", "gamma: 2.5"))
    after = second_paper.network_losses(study_in(shared, world))
    assert list(before["published"].dropna()) == list(after["published"].dropna())
    own = before["column"].str.startswith(("Loss", "Certificate"))
    assert bool((before["computed"] != after["computed"])[own].all())
    assert list(before["computed"][~own]) == list(after["computed"][~own])  # those are of the other economy


def test_a_change_of_the_published_file_changes_only_what_is_published(
    small: Path, world: Calibration, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = second_paper.network_losses(study_in(shared, world))
    folder = tmp_path / "published"
    shutil.copytree(published.FOLDER, folder)
    file = folder / "bsde_table2_network_losses.csv"
    file.write_text(file.read_text().replace("7.4e-06", "0.5"))
    monkeypatch.setattr(published, "FOLDER", folder)
    after = second_paper.network_losses(study_in(shared, world))
    assert 0.5 in set(after["published"])
    assert list(before["computed"]) == list(after["computed"])


def test_captions_say_what_the_second_paper_is_computed_on(small: Path, world: Calibration, tmp_path: Path) -> None:
    study = study_in(tmp_path, world)
    assert "Economy: bea37." in TARGETS["bsde-table2"].caption(study)
    shutil.rmtree(small)
    assert "bea37 is not imported" in TARGETS["bsde-table2"].caption(study)


def test_files_of_the_second_paper(small: Path, world: Calibration, shared: Path, tmp_path: Path) -> None:
    targets = ["bsde-table1", "bsde-claims", "bsde-figure1", "bsde-figure2"]
    done = reproduce(chosen(targets), study_in(shared, world), tmp_path / "made")
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert {"bsde-table1.tex", "bsde-claims.tex", "bsde-figure1.pdf", "bsde-figure2.png"} <= names
    assert set(done.runs["name"]) == {"export", "export_paper", "gravity", "network"}


def test_a_training_is_kept_and_one_that_is_stopped_is_not(small: Path, world: Calibration, tmp_path: Path) -> None:
    stopped = Study(PROBLEMS, Cache(tmp_path, world), [VARIANT], on_iteration=lambda _: True)
    with pytest.raises(StoppedError):
        stopped.get("network3")
    first, again = (study_in(tmp_path, world).get("network3").solved for _ in range(2))
    assert first is not None
    assert again is not None
    assert (first.cached, again.cached) == (False, True)
    assert first.certificate == again.certificate
    assert first.tables.keys() == again.tables.keys()


def test_the_published_algorithm_moves_by_what_its_rate_allows(
    world: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "GAME", "us_china_trade_war")
    monkeypatch.setattr(figure_data, "GAME", "us_china_trade_war")
    for name in list(paths.PATHS):
        rate = paths.PATHS[name].options.learning_rate
        monkeypatch.setitem(paths.PATHS, name, paths.Path(BestResponse(learning_rate=rate, rounds=2, steps=4)))
    study = study_in(tmp_path / "cache", world)
    monkeypatch.setitem(TARGETS, "figure3", dataclasses.replace(TARGETS["figure3"], needs=tuple(paths.PATHS)))
    done = reproduce(chosen(["figure3"]), study, tmp_path / "made")
    assert "| 0.001 | 8 | " in document(done, world, [VARIANT])
    assert done.certified  # what is measured needs no certificate
    found = done.made[0].table
    assert found is not None
    of_usa = found[found["panel"] == "USA"]
    assert list(of_usa[of_usa["learning_rate"] == 1e-3]["x"]) == [0, 2, 4, 6, 8]
    start, end = (found[found["x"] == x].set_index(["panel", "learning_rate"])["y"] for x in (0, 8))
    assert bool((start == 0).all())
    away = [end[figure_data.DISTANCE, rate] for rate in (1e-4, 5e-4, 1e-3)]
    assert away[0] > away[1] > away[2]  # Adam's steps are of the size of its rate: faster gets nearer


def test_needed_are_paths_in_one_variant_and_trainings_in_none() -> None:
    variants = [VARIANT, Variant("paper", "all")]
    tasks = needed(["figure3", "bsde-figure1"], variants)
    assert [(t.name, t.variant) for t in tasks] == [
        *((name, variants[0]) for name in paths.PATHS), ("dual", variants[0]), ("dual", variants[1]), ("gravity", None),
    ]  # fmt: skip


def test_trainings_are_of_models_that_there_are() -> None:
    for training in (*TRAININGS.values(), Training("", NETWORK, ("nowhere", "synthetic3"), Budget())):
        assert trainings.model_of(training).name in training.models
