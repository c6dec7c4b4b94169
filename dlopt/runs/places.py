"""Where runs have been written on this machine, so that a run can be called by name from any folder."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path

from dlopt.errors import DloptError
from dlopt.store.files import write_text

VARIABLE = "DLOPT_STATE"
OUTPUTS = "outputs"
_MOST = 20
"""Places kept, the latest."""


def _file() -> Path:
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser() / "places.txt"
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "dlopt" / "places.txt"


def remember(folder: Path) -> None:
    """Keep the place of a run: its folder `outputs`, or what it lies in. A place that cannot be kept is let go."""
    folder = folder.absolute()
    place = next((parent for parent in folder.parents if parent.name == OUTPUTS), folder.parent)
    with contextlib.suppress(DloptError, OSError, RuntimeError, ValueError):
        kept = _read()
        if kept and kept[-1] == place:
            return
        kept = [*(known for known in kept if known != place), place][-_MOST:]
        write_text(_file(), "".join(f"{known}\n" for known in kept))


def places() -> list[Path]:
    """Folders to look for runs in: `outputs` here or above, then where runs were written before, the latest first.

    Folders above are looked at up to the first that everybody may write to (as /tmp): a run found there may be a
    stranger's.
    """
    here = Path.cwd()
    above = itertools.takewhile(lambda folder: not folder.stat().st_mode & stat.S_IWOTH, here.parents)
    near = [folder / OUTPUTS for folder in (here, *above)]
    known: list[Path] = []
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        known = _read()[::-1]
    return list(dict.fromkeys(place for place in (*near[:1], *known, *near[1:]) if place.is_dir()))


def _read() -> list[Path]:
    try:
        return [Path(line) for line in _file().read_text(encoding="utf-8").splitlines() if line]
    except FileNotFoundError:
        return []
