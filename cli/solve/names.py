"""Names in the words of a command: `name=` for the run that is made, names of runs for `resume=`, `init=`, `value=`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from dlopt.errors import DloptError
from dlopt.runs.naming import LAST, find_run

from .composing import CommandError
from .scenarios import NAME

_RUNS = ("resume", "init", "value")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def with_names(verb: str, words: Sequence[str]) -> list[str]:
    """The words with `name=` as a folder, and with runs called by name as their folders.

    Raises:
        CommandError: a name no folder should have, or a name and a folder.
    """
    out = []
    for word in words:
        key, equals, value = word.partition("=")
        if key == NAME and equals:
            _check(value, words)
            place = f"outputs/{verb}/{datetime.datetime.now():%Y-%m-%d/%H-%M-%S-%f}-{value}"
            out += [f"hydra.run.dir={place}", f"hydra.sweep.dir={place}"]
        elif key in _RUNS and re.fullmatch(r"[\w./:~-]+", value):
            out.append(f"{key}={_folder(value)}")
        else:
            out.append(word)
    return out


def _check(value: str, words: Sequence[str]) -> None:
    if not _PLAIN.fullmatch(value) or value == LAST:
        raise CommandError(f"name={value} is not possible: it must be letters, digits, '-', '_' and '.', not 'last'.")
    if any(word.startswith(("hydra.run.dir=", "hydra.sweep.dir=")) for word in words):
        raise CommandError("Give the run a name (name=...) or a folder (hydra.run.dir=...), not both.")


def _folder(value: str) -> str:
    """The folder of a run called by name; what calls none stays, for the key itself to refuse."""
    try:
        found = str(find_run(value))
    except (DloptError, OSError):  # OSError: too long for a name
        return value
    return found if re.fullmatch(r"[\w./~-]+", found) else value
