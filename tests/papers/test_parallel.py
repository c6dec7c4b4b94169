"""Several problems at once give what one at a time gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from dlopt import Calibration
from dlopt.papers.engine import parallel
from dlopt.papers.engine.cache import Cache
from dlopt.papers.engine.study import StoppedError, Study, Task, cost
from dlopt.papers.targets import PROBLEMS
from dlopt.papers.wang2024.scenarios import Variant

PAPER, STANDARD = Variant("paper", "tradable"), Variant("standard", "tradable")
TASKS = [
    Task("us_china_trade_war", PAPER), Task("us_china_trade_war", STANDARD), Task("us_china_dual", STANDARD),
]  # fmt: skip


def test_processes_fill_the_cache_and_shared_solutions_count_once(world: Calibration, tmp_path: Path) -> None:
    study, alone = (Study(PROBLEMS, Cache(tmp_path / name, world), [STANDARD]) for name in ("both", "alone"))
    shown: list[tuple[str, int]] = []
    parallel.solve(TASKS, study, 2, lambda text, done: shown.append((text, done)), lambda: False)
    assert len(list((tmp_path / "both").glob("*.npz"))) == 2  # tariffs alone are the same in both accountings
    assert shown[-1][1] == len(TASKS)
    assert any("trade war of China and the US" in text for text, _ in shown)
    for task in TASKS:
        found, expected = (each.get(task.name, task.variant).result for each in (study, alone))
        assert found is not None
        assert expected is not None
        assert torch.equal(found.u, expected.u)
    runs = study.runs()
    assert not runs["from_cache"].any()
    assert cost(runs)[0] == 2
    assert cost(runs)[1] == pytest.approx(runs.drop_duplicates("key")["seconds"].sum() / 60)


def test_stopping_ends_every_process(world: Calibration, tmp_path: Path) -> None:
    study = Study(PROBLEMS, Cache(tmp_path, world), [STANDARD])
    with pytest.raises(StoppedError):
        parallel.solve(TASKS, study, 2, lambda _text, _done: None, lambda: True)
    assert not torch.multiprocessing.active_children()


def test_what_the_calibration_lacks_starts_no_process(world: Calibration, tmp_path: Path) -> None:
    study = Study(PROBLEMS, Cache(tmp_path, world), [STANDARD])
    study.cache = Cache(tmp_path, dataclasses.replace(world, economies=("AAA", "BBB", "IND")))
    parallel.solve(TASKS, study, 2, lambda _text, _done: pytest.fail("something was solved"), lambda: False)
    assert not list(tmp_path.glob("*.npz"))
