"""Problems solved in several processes at once, each on one core; what they find is left in the cache."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from dlopt.papers.engine.study import StoppedError, Study, Task

FIRST = ("dual", "path_0.0001", "path_0.0005", "path_0.001", "export_paper", "cooperation", "cooperation_tariff")
"""The longest, which begin first, and the game that the paths are measured against."""


def solve(
    tasks: Sequence[Task], study: Study, processes: int, show: Callable[[str, int], None], stop: Callable[[], bool]
) -> None:
    """Solve what the cache does not have yet; whatever fails or is left over is for `study` to meet again.

    Args:
        tasks: the problems.
        study: for whom; told which solutions are new.
        processes: at most so many at once.
        show: told what is being solved, and how many problems are done.
        stop: asked often; True ends everything after the iterations under way.

    Raises:
        StoppedError: `stop` said so.
    """
    missing = {key: task for task in tasks if study.available(task) and not study.cache.has(key := study.key(task))}
    if min(processes, len(missing)) < 2:
        return
    ordered = sorted(missing.values(), key=lambda task: FIRST.index(task.name) if task.name in FIRST else len(FIRST))
    context = multiprocessing.get_context("spawn")
    taken, reports, ended = context.Value("i", 0), context.Queue(), context.Event()
    problems = dict(study.problems)
    given = pickle.dumps((problems, study.cache, study.variants, ordered))
    workers = [
        context.Process(target=_work, args=(given, taken, reports, ended, number), daemon=True)
        for number in range(min(processes, len(missing)))
    ]
    for worker in workers:
        worker.start()
    try:
        current: dict[int, str] = {}
        done = len(tasks) - len(missing)
        while any(worker.is_alive() for worker in workers):
            if stop():
                ended.set()
            try:
                number, text = reports.get(timeout=0.2)
            except queue.Empty:
                continue
            if text is None:
                current.pop(number, None)
                done += 1
            else:
                current[number] = text
            show(" | ".join(current[each] for each in sorted(current)), done)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
            worker.join()
    study.fresh |= {key for key in missing if study.cache.has(key)}
    if ended.is_set():
        raise StoppedError


def _work(given: bytes, taken: Any, reports: Any, ended: Any, number: int) -> None:
    """A process: takes problems until there are none. Stops if told so, or if nobody is there to tell any more."""
    import torch

    for name in ("SIGINT", "SIGUSR2"):  # Ctrl-C goes to all processes; the first one tells the others
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(1)
    parent = os.getppid()

    def over() -> bool:
        return bool(ended.is_set()) or os.getppid() != parent

    problems, cache, variants, tasks = pickle.loads(given)
    title = ""

    told = 0.0

    def on_iteration(info: Any) -> bool:
        nonlocal told
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            reports.put((number, f"{title} · {info.phase} {info.iteration}".rstrip()))
        return over()

    study = Study(problems, cache, variants, on_iteration)
    while not over():
        with taken.get_lock():
            mine = taken.value
            taken.value += 1
        if mine >= len(tasks):
            return
        task = tasks[mine]
        title = study.about(task)
        reports.put((number, title))
        try:
            study.get(task.name, task.variant)
        except StoppedError:
            return
        except Exception:  # the first process meets it again and says so
            pass
        reports.put((number, None))
