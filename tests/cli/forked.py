"""Commands as processes of their own, forked from one that has everything imported: a fraction of a second each."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["forked_preload"])


def start(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, errors: Path
) -> ForkServerProcess:
    """Run `dlopt WORDS` in `folder`; with $FAKE set, a scripted solver stands behind `dlopt solve nash`."""
    process = _context.Process(target=_run, args=(list(words), folder, dict(environment), output, errors))
    process.start()
    return process


def _run(words: list[str], folder: Path, environment: dict[str, str], output: Path, errors: Path) -> None:
    for path, number in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["dlopt", *words]
    import fake_solver
    from dlopt.cli.app import main

    if environment.get("FAKE"):
        fake_solver.install()
    main()
    sys.exit(0)
