"""meta.yaml: what a bundle says about itself."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path

from dlopt.calibrations.schema import (
    ADJUSTMENTS,
    MAX_ADJUSTMENTS,
    MAX_META_BYTES,
    META_FILE,
    META_KEYS,
    PRICE_BASES,
    Faults,
)
from dlopt.store.files import YamlError, read_yaml

MAX_META_BRACKETS = 100
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FLAT = "write five plain lines: name, year, unit, source, price_basis"


@dataclasses.dataclass(frozen=True)
class Meta:
    """The content of meta.yaml.

    Attributes:
        name: how users call the calibration; letters, digits, `.`, `_` and `-`.
        year, unit, source: provenance, free text.
        price_basis: `tariff_inclusive`, or `tariff_exclusive` for flows before the importer's tariff.
        adjustments: what was done to the data on the way here, with its size, one sentence each.
    """

    name: str
    year: str
    unit: str
    source: str
    price_basis: str = PRICE_BASES[0]
    adjustments: tuple[str, ...] = ()

    def to_yaml(self) -> str:
        """As it stands in the file."""
        import yaml

        content = {**dataclasses.asdict(self), ADJUSTMENTS: list(self.adjustments)}
        if not self.adjustments:
            del content[ADJUSTMENTS]
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def read_meta(folder: Path, faults: Faults) -> Meta | None:
    """Read and check meta.yaml; None, and at least one fault more, when it does not serve."""
    path = folder / META_FILE
    if not path.is_file():
        faults.add(META_FILE, "every bundle has this file", _FLAT)
        return None
    try:
        content = read_yaml(path, MAX_META_BYTES, MAX_META_BRACKETS)
    except YamlError as error:
        faults.add(META_FILE, error.rule, _FLAT, row=error.line)
        return None
    if not isinstance(content, dict):
        faults.add(META_FILE, "the file holds keys and values", _FLAT)
        return None
    return _checked(content, faults)


def _checked(content: dict[object, object], faults: Faults) -> Meta | None:
    before = faults.total
    for key in content:
        if key not in (*META_KEYS, ADJUSTMENTS):
            valid = ", ".join((*META_KEYS, ADJUSTMENTS))
            faults.add(META_FILE, "this key is unknown", f"valid keys: {valid}", value=key)
    values = {key: _text(key, content, faults) for key in META_KEYS}
    name, basis = values["name"], values["price_basis"]
    if name and not NAME_PATTERN.fullmatch(name):
        faults.add(
            META_FILE,
            "a name has letters, digits, '.', '_' and '-', at most 100, and starts with a letter or digit",
            "rename it",
            column="name",
            value=name,
        )
    if basis and basis not in PRICE_BASES:
        faults.add(
            META_FILE,
            "this price basis is unknown",
            f"use {' or '.join(PRICE_BASES)}",
            column="price_basis",
            value=basis,
        )
    adjustments = _adjustments(content, faults)
    return Meta(**values, adjustments=adjustments) if faults.total == before else None


def _adjustments(content: dict[object, object], faults: Faults) -> tuple[str, ...]:
    given = content.get(ADJUSTMENTS)
    lines = [] if given is None else given
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        faults.add(META_FILE, "adjustments are a list of sentences", "write one a line, each after a dash",
                   column=ADJUSTMENTS)  # fmt: skip
        return ()
    if len(lines) > MAX_ADJUSTMENTS:
        faults.add(META_FILE, f"at most {MAX_ADJUSTMENTS} adjustments are listed", "shorten the list",
                   column=ADJUSTMENTS)  # fmt: skip
        return ()
    return tuple(" ".join(line.split()) for line in lines)


def _text(key: str, content: dict[object, object], faults: Faults) -> str:
    value = content.get(key)
    if value is None or value == "":
        faults.add(META_FILE, "this key is missing or empty", "add it", column=key)
    elif isinstance(value, bool) or not isinstance(value, str | int | float | datetime.date):
        faults.add(META_FILE, "this value must be plain text", "write it on one line", column=key, value=value)
    elif isinstance(value, int) and abs(value) > 10**9:
        faults.add(META_FILE, "this number is too long", "write it on one line", column=key)
    else:
        return str(value).strip()
    return ""
