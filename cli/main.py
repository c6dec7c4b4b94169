"""Entry point of `dlopt`, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dlopt.errors import DloptError

from . import DEBUG, processes
from .loading import load


def main() -> None:
    """Entry point of the `dlopt` command."""
    code = _run()
    if "joblib" in sys.modules:  # its processes are told at exit
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without taking apart all that torch has built, which takes longer than some solves


def solve(verb: str, arguments: Sequence[str]) -> int:
    """`dlopt solve VERB ARGUMENTS`: the exit code."""
    words = list(arguments)
    if "--debug" in words:
        words.remove("--debug")
        os.environ[DEBUG] = "1"
    code: int = load("solve.launch").solve(verb, words)
    return code


def _run() -> int:
    """Run the command; an error becomes a message. Returns the exit code."""
    try:
        if _is_a_solve(sys.argv[1:]):
            return solve(sys.argv[2], sys.argv[3:])
        from .app import app

        app()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except DloptError as error:
        if os.environ.get(DEBUG):
            raise
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Stopped before anything was solved.")
        return 1
    return 0


def _is_a_solve(words: Sequence[str]) -> bool:
    """Whether it is `solve VERB KEY=VALUE ...`, whose words Hydra reads: Typer, which reads all else, stays away.

    To load Typer and what it checks arguments with takes a quarter of a second of processor time.
    """
    if len(words) < 2 or words[0] != "solve" or "_DLOPT_COMPLETE" in os.environ:
        return False
    from dlopt.registry import built_in_verbs

    return words[1] in built_in_verbs() and not {"-h", "--help", "--"} & set(words)


def _say(message: str) -> None:
    """Once on each machine: processes that work together fail together."""
    if processes.count() > 1 and processes.local_rank() > 0:
        return
    from rich.text import Text

    from .terminal.screen import console

    console.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
