"""What to call runs that stand side by side: the name given at solve, or in a sweep the values that were varied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dlopt.runs.naming import name_of
from dlopt.runs.sweep import FILE, SUITE, SweepError, overrides_of, read_sweep


def labels_of(folders: Sequence[Path], longest: int | None = None) -> list[str]:
    """A short label for each run, no two the same: with its number in front where that is needed.

    Args:
        folders: of the runs.
        longest: letters at most; None: as many as it takes.
    """
    names = [label_of(folder) for folder in folders]
    if longest is not None and len(names) > 1 and max(map(len, names)) > longest:
        names = _without_common_words(names)
    short = [name[:longest] for name in names]
    return [name if short.count(name) == 1 else f"{k}: {name}"[:longest] for k, name in enumerate(short, 1)]


def _without_common_words(names: Sequence[str]) -> list[str]:
    """Without the words that all of them begin with; every name keeps one."""
    words = [re.findall(r"[^-_ ]+[-_ ]*", name) for name in names]
    common = 0
    while all(len(own) > common + 1 for own in words) and len({own[common] for own in words}) == 1:
        common += 1
    return ["".join(own[common:]) for own in words]


def label_of(folder: Path) -> str:
    """`reciprocal`, `theta_scale=0.8` or `0.8, 0.5` for a run of a sweep, the scenario's name for one of a suite; else
    its name without the time."""
    name = name_of(folder)
    number, _, rest = folder.name.partition("-")
    if (folder.parent / SUITE).is_file() and number.isdecimal():
        return rest
    if not (folder.parent / FILE).is_file() or not number.isdecimal():
        return name
    try:
        jobs = [overrides_of(job) for job in read_sweep(folder.parent).jobs]
    except SweepError:
        return name
    if int(number) >= len(jobs):
        return name
    own = jobs[int(number)]
    varied = [key for key in own if len({job.get(key) for job in jobs}) > 1]
    if len(varied) == 1:
        value = own[varied[0]]
        return value if value[:1].isalpha() else f"{varied[0].split('.')[-1]}={value}"
    return ", ".join(own[key] for key in varied) or name
