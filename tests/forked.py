"""Commands as processes of their own, forked from one that has everything imported: a fraction of a second each."""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["forked_preload"])


@functools.cache
def _have_server() -> None:
    """Start what commands are forked from.

    It looks for what it imports beforehand where its own environment says, not where this process looks (Python 3.11),
    and says nothing where it finds nothing.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def start(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, errors: Path
) -> ForkServerProcess:
    """Run `dlopt WORDS` in `folder`.

    With $FAKE set, a scripted solver stands behind `dlopt solve nash`; with $SIGNAL, a number, the command gets this
    signal as soon as it has written its first checkpoint.
    """
    _have_server()
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
    assert "forked_preload" in sys.modules, "it was not imported before the fork: every command imports it alone"
    import fake_solver
    from dlopt.cli.app import main

    if environment.get("FAKE"):
        fake_solver.install()
    if environment.get("SIGNAL"):
        _signal_at_the_first_checkpoint(int(environment["SIGNAL"]))
    main()
    sys.exit(0)


def _signal_at_the_first_checkpoint(number: int) -> None:
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        done = replace(self, target)
        if Path(target).name in ("checkpoint.pt", "model.pt"):
            Path.replace = replace  # type: ignore[method-assign]
            os.kill(os.getpid(), number)
        return done

    Path.replace = replaced  # type: ignore[method-assign,assignment]
