"""Where calibrations are found by name: `$DLOPT_DATA`, then `./data`, then the package."""

from __future__ import annotations

import dataclasses
import importlib.resources
import os
from pathlib import Path

from dlopt.calibrations.meta import NAME_PATTERN
from dlopt.calibrations.schema import META_FILE
from dlopt.errors import DloptError, UnknownNameError

VARIABLE = "DLOPT_DATA"
DEFAULT = "stylized2017"
IMPORTABLE = {
    "icio2017": "econ7115", "cp2015": "caliendo-parro", "ossa2014": "ossa2014", "ll2023_restricted": "ll2023",
    "ll2023_free": "ll2023",
}  # fmt: skip
"""Names of calibrations that are not shipped, and the importer that makes each."""


class CalibrationNameError(DloptError):
    """A name that cannot be the name of a calibration."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a calibration. Use letters, digits, '.', '_' and '-', at most 100, "
            "starting with a letter or digit."
        )


class UnknownCalibrationError(UnknownNameError):
    """No calibration of that name; says how to import those that are known but not shipped."""

    def __init__(self, name: str) -> None:
        super().__init__("calibration", name, [entry.name for entry in list_calibrations()])
        if name in IMPORTABLE:
            layout = IMPORTABLE[name]
            self.args = (f"{self} This one is imported first: dlopt data import {layout} DIR --name {name}.",)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A calibration that can be called by name.

    Attributes:
        name: its folder's name.
        folder: where it is.
        place: `$DLOPT_DATA`, `./data` or `package`.
    """

    name: str
    folder: Path
    place: str


def _packaged() -> Path:
    return Path(str(importlib.resources.files("dlopt.data")))


def places() -> list[tuple[str, Path]]:
    """Where calibrations and sets of elasticities are looked for, in order: what it is called, its folder."""
    own = os.environ.get(VARIABLE)
    first = [(f"${VARIABLE}", Path(own).expanduser())] if own else []
    return [*first, ("./data", Path("data")), ("package", _packaged())]


def list_calibrations() -> list[Entry]:
    """All calibrations by name; where two share a name, the one found first."""
    found: dict[str, Entry] = {}
    for place, root in places():
        try:
            folders = sorted(root.iterdir())
        except OSError:
            continue
        for folder in folders:
            if NAME_PATTERN.fullmatch(folder.name) and (folder / META_FILE).is_file():
                found.setdefault(folder.name, Entry(folder.name, folder, place))
    return sorted(found.values(), key=lambda entry: entry.name)


def find_calibration(name: str | Path) -> Path:
    """The folder of a calibration given by name, or by the path of its folder.

    Raises:
        UnknownCalibrationError: neither a calibration's name nor an existing folder; lists the nearest names.
    """
    text = str(name)
    if isinstance(name, Path) or os.sep in text or "/" in text:
        folder = Path(name).expanduser()
        if folder.is_dir():
            return folder
    else:
        if NAME_PATTERN.fullmatch(text):
            for _, root in places():
                if (root / text / META_FILE).is_file():
                    return root / text
        if text and Path(text).is_dir():
            return Path(text)
    raise UnknownCalibrationError(text)


def import_destination(name: str) -> Path:
    """The folder a calibration imported as `name` is written to: in `$DLOPT_DATA`, else in `./data`.

    Raises:
        CalibrationNameError: not a usable name.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise CalibrationNameError(name)
    return places()[0][1] / name
