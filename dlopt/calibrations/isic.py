"""ISIC Rev. 4 divisions, the common language of sectors: every sector is a list of two-digit divisions, 1 to 99.

A bundle may hold `isic.csv` (or .parquet) with columns `sector` and `division`, one row a pair. Where it does not,
divisions are read from labels such as `C10T12`, `D35`, `J62_63` or `47`, and from sections such as `D` or `K`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlopt.calibrations.schema import ISIC_FILE, ISIC_TABLE, TABLE_SUFFIXES, BundleError, Faults

SECTIONS: dict[str, tuple[int, int]] = {
    "A": (1, 3), "B": (5, 9), "C": (10, 33), "D": (35, 35), "E": (36, 39), "F": (41, 43), "G": (45, 47),
    "H": (49, 53), "I": (55, 56), "J": (58, 63), "K": (64, 66), "L": (68, 68), "M": (69, 75), "N": (77, 82),
    "O": (84, 84), "P": (85, 85), "Q": (86, 88), "R": (90, 93), "S": (94, 96), "T": (97, 98), "U": (99, 99),
}  # fmt: skip
"""Sections of ISIC Rev. 4 and their first and last divisions."""

DIVISIONS = tuple(d for low, high in SECTIONS.values() for d in range(low, high + 1))
"""All divisions of ISIC Rev. 4 (4, 34, 40 and some others are not used)."""

LAST_GOOD = 33
"""Divisions up to this one are goods: agriculture, mining, manufacturing."""

_REV3: dict[int, tuple[int, ...]] = {
    1: (1,), 2: (2,), 5: (3,), 10: (5,), 11: (6, 9), 12: (7,), 13: (7,), 14: (8,), 15: (10, 11), 16: (12,), 17: (13,),
    18: (14,), 19: (15,), 20: (16,), 21: (17,), 22: (18, 58), 23: (19,), 24: (20, 21), 25: (22,), 26: (23,), 27: (24,),
    28: (25,), 29: (28,), 30: (26,), 31: (27,), 32: (26,), 33: (26, 32), 34: (29,), 35: (30,), 36: (31, 32), 37: (38,),
    40: (35,), 41: (36,), 45: (41, 42, 43), 50: (45,), 51: (46,), 52: (47,), 55: (55, 56), 60: (49,), 61: (50,),
    62: (51,), 63: (52, 79), 64: (53, 61), 65: (64,), 66: (65,), 67: (66,), 70: (68,), 71: (77,), 72: (62, 63),
    73: (72,), 74: (69, 70, 71, 73, 74, 78, 80, 81, 82), 75: (84,), 80: (85,), 85: (86, 87, 88), 90: (37, 38, 39),
    91: (94,), 92: (59, 60, 90, 91, 92, 93), 93: (95, 96), 95: (97, 98), 99: (99,),
}  # fmt: skip
"""Divisions of ISIC Rev. 3 and the divisions of Rev. 4 that hold most of them (United Nations correspondence)."""


def of_label(label: str, revision: int = 4) -> tuple[int, ...]:
    """Divisions of ISIC Rev. 4 that a label such as `C10T12`, `C17_18`, `01T03`, `A01_02`, `C24A`, `K` names.

    Args:
        label: the label of an industry.
        revision: of the ISIC the label is written in, 3 or 4.

    Returns:
        The divisions in order; empty where the label names none.
    """
    text = label.strip()
    if revision == 4 and text in SECTIONS:
        low, high = SECTIONS[text]
        return tuple(range(low, high + 1))
    match = re.match(r"([A-U])?(\d+)", text)
    if match is None:
        return ()
    found: set[int] = set()
    known = DIVISIONS if revision == 4 else tuple(_REV3)
    for span in re.findall(r"\d+(?:[T-][A-U]?\d+)?", text.split(" ")[0]):
        ends = [_division(number) for number in re.findall(r"\d+", span)]
        found.update(d for d in range(ends[0], ends[-1] + 1) if d in known)
    return tuple(sorted(found)) if revision == 4 else of_rev3(found)


def of_rev3(divisions: Sequence[int] | set[int]) -> tuple[int, ...]:
    """Divisions of ISIC Rev. 4 that hold most of these divisions of Rev. 3."""
    return tuple(sorted({new for old in divisions for new in _REV3.get(old, ())}))


def _division(number: str) -> int:
    """`241`, `2431` and `301` are groups and classes of a division: their first two digits."""
    return int(number[:2]) if len(number) > 2 else int(number)


def read_isic(folder: str | Path, sectors: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The divisions of every sector of a bundle, from its isic table, else from the labels; empty if not known.

    Raises:
        BundleError: the table is not as it must be.
    """
    faults = Faults()
    found = isic_of(Path(folder), sectors, faults)
    if faults:
        raise BundleError(folder, faults.listed())
    return found


def isic_of(folder: Path, sectors: Sequence[str], faults: Faults) -> dict[str, tuple[int, ...]]:
    """As `read_isic`, noting faults instead of raising."""
    from dlopt.calibrations.tables import cell_index, read_table

    for suffix in TABLE_SUFFIXES:
        path = folder / f"{ISIC_FILE}{suffix}"
        if path.exists():
            raw = read_table(path, ISIC_TABLE, faults)
            if raw is None:
                return {}
            cell_index(raw, ("sector", "division"), {"sector": sectors, "economy": sorted(set(raw.texts["division"]))},
                       faults)  # fmt: skip
            found: dict[str, list[int]] = {sector: [] for sector in sectors}
            for row, sector, division in zip(raw.rows, raw.texts["sector"], raw.texts["division"], strict=True):
                if not division.isdigit() or int(division) not in DIVISIONS:
                    rule = "a division of ISIC Rev. 4 is a number from 1 to 99"
                    faults.add(path.name, rule, "give two digits, such as 10", row, "division", division)
                elif sector in found:
                    found[sector].append(int(division))
            return {sector: tuple(sorted(set(divisions))) for sector, divisions in found.items()}
    return of_labels(sectors)


def of_labels(sectors: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Divisions by label, where the labels are those of ISIC; empty where one names none (or is a bare position)."""
    from dlopt.calibrations.labels import ISIC

    if tuple(sectors) == tuple(ISIC):  # the 44 industries of the embedded economy
        return dict(ISIC)
    if all(label.isdigit() for label in sectors):  # 1, 2, 3, ... are positions
        return {}
    found = {label: of_label(label) for label in sectors}
    return found if all(found.values()) else {}


def is_good(divisions: Sequence[int]) -> bool:
    """Whether most of these divisions are goods."""
    return 2 * sum(division <= LAST_GOOD for division in divisions) > len(divisions)


def overlap(sectors: Mapping[str, tuple[int, ...]], divisions: Sequence[int]) -> list[str]:
    """The sectors that hold one of these divisions."""
    wanted = set(divisions)
    return [sector for sector, own in sectors.items() if wanted & set(own)]


_NAMES = {
    "1": "Crops and animals", "2": "Forestry", "3": "Fishing", "1 2": "Agriculture and forestry",
    "1 2 3": "Agriculture, forestry, fishing", "5": "Coal", "6": "Oil and gas", "5 6": "Coal, oil and gas",
    "7": "Metal ores", "8": "Other mining", "7 8": "Mining, non-energy", "9": "Mining support",
    "5 6 7 8 9": "Mining", "10 11 12": "Food, beverages, tobacco", "13 14 15": "Textiles, clothing, leather",
    "16": "Wood", "17 18": "Paper and printing", "19": "Coke and petroleum", "20": "Chemicals", "21": "Pharmaceuticals",
    "20 21": "Chemicals and pharmaceuticals", "22": "Rubber and plastics", "23": "Non-metallic minerals",
    "24": "Basic metals", "25": "Fabricated metals", "26": "Computers and electronics", "27": "Electrical equipment",
    "28": "Machinery", "29": "Motor vehicles", "30": "Other transport equipment", "31 32 33": "Other manufacturing",
    "35": "Electricity and gas", "36 37 38 39": "Water and waste", "41 42 43": "Construction",
    "45 46 47": "Wholesale and retail", "49": "Land transport", "50": "Water transport", "51": "Air transport",
    "52": "Warehousing", "53": "Post and couriers", "55 56": "Hotels and restaurants",
    "58 59 60": "Publishing and broadcasting", "61": "Telecommunications", "62 63": "Information technology",
    "64 65 66": "Finance and insurance", "68": "Real estate", "69 70 71 72 73 74 75": "Professional services",
    "77 78 79 80 81 82": "Administrative services", "84": "Public administration", "85": "Education",
    "86 87 88": "Health and social work", "90 91 92 93": "Arts and recreation", "94 95 96": "Other services",
    "97 98": "Households as employers",
}  # fmt: skip


def names_of(isic: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Readable names of sectors by their divisions; the label where there is none, or where two would share it."""
    found = [_NAMES.get(" ".join(map(str, divisions)), label) for label, divisions in isic.items()]
    labels = list(isic)
    return tuple(
        name if found.count(name) == 1 and name not in labels else label
        for name, label in zip(found, labels, strict=True)
    )
