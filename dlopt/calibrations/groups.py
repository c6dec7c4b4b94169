"""Which economies of a source become which economies of a calibration: codes, known groups, files; the rest is ROW."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlopt.errors import DloptError
from dlopt.store.files import size_of

REST = "ROW"

_MEMBERS = """
EU27 AUT BEL BGR CYP CZE DEU DNK ESP EST FIN FRA GRC HRV HUN IRL ITA LTU LUX LVA MLT NLD POL PRT ROU SVK SVN SWE
NAFTA CAN MEX USA
ASEAN BRN IDN KHM LAO MMR MYS PHL SGP THA VNM
G20 ARG AUS BRA CAN CHN FRA DEU IND IDN ITA JPN KOR MEX RUS SAU ZAF TUR GBR USA
"""
_LISTS = {line.split()[0]: tuple(line.split()[1:]) for line in _MEMBERS.strip().splitlines()}
_EU27 = _LISTS["EU27"]
GROUPS: dict[str, tuple[str, ...]] = {
    **_LISTS,
    "EU28": (*_EU27, "GBR"),
    "G20": (*_LISTS["G20"], *(code for code in _EU27 if code not in _LISTS["G20"])),
}
"""Groups by name: ISO codes of their members. G20 has the members of the European Union, itself a member."""


class EconomyError(DloptError):
    """A choice of economies that cannot be made."""


def grouping(
    codes: Sequence[str], chosen: str | None, groups: Mapping[str, Sequence[str]] = GROUPS
) -> tuple[dict[str, str], list[str]]:
    """The economy that each code of a source belongs to.

    Args:
        codes: the codes of the source.
        chosen: codes, names of groups and files (columns `group`, `economy`), comma-separated; everything by default.
        groups: known groups.

    Returns:
        Economy by code, all codes in it; and notes on members that the source does not have.

    Raises:
        EconomyError: an unknown code or file, or a code in two places.
    """
    if chosen is None:
        return {code: code for code in codes}, []
    wanted: dict[str, tuple[str, ...]] = {}
    for word in (part.strip() for part in chosen.split(",")):
        if not word or word == REST:
            continue
        if word in groups:
            wanted[word] = tuple(groups[word])
        elif word in codes:
            wanted[word] = (word,)
        elif Path(word).suffix or "/" in word:
            wanted.update(_from_file(Path(word)))
        else:
            close = difflib.get_close_matches(word.upper(), [*codes, *groups], n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}? " if close else ""
            raise EconomyError(
                f"There is no economy or group {word!r} in this source: {hint}It has {', '.join(sorted(codes))}; "
                f"groups are {', '.join(groups)}."
            )
    found: dict[str, str] = {}
    notes = []
    for economy, members in wanted.items():
        absent = [code for code in members if code not in codes]
        if absent:
            notes.append(f"{economy}: the source has no {', '.join(absent)}, which stay in its rest of the world.")
        if len(absent) == len(members):
            raise EconomyError(f"{economy} has no member in this source, which has {', '.join(sorted(codes))}.")
        for code in members:
            if code in found:
                raise EconomyError(
                    f"{code} is asked for twice, in {found[code]} and in {economy}: leave it out of one of them "
                    "(a group of your own is a CSV file with columns group,economy)."
                )
            if code in codes:
                found[code] = economy
    if not found:
        raise EconomyError("No economy is asked for: name some codes or groups, such as USA,CHN,EU27,ROW.")
    return {code: found.get(code, REST) for code in codes}, notes


def _from_file(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        size_of(path)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EconomyError(
            f"{path}: a file of groups cannot be read ({error}). Give a CSV file: group,economy."
        ) from error
    found: dict[str, list[str]] = {}
    for line, row in enumerate(rows, start=2):
        group, economy = (str(row.get(key) or "").strip() for key in ("group", "economy"))
        if not group or not economy:
            raise EconomyError(f"{path} line {line}: every row gives a group and an economy (columns group,economy).")
        found.setdefault(group, []).append(economy)
    if not found:
        raise EconomyError(f"{path}: the file names no groups. Give a CSV file with columns group,economy.")
    return {group: tuple(members) for group, members in found.items()}
