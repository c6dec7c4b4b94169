"""The text files of Caliendo and Parro (2015) as their authors publish them, as the tables that the importer reads.

They are in the authors' `Data_and_Codes_CP.zip` and, copied, in the public GitHub repository
`powell001/Caliendo_Parro_2015_Python`, folder `data/original_data`: numbers without labels, separated by tabs.

    xbilat1993.txt    620 x 31   imports before tariffs, thousand USD: a row for each good and importer, importers
                                 within goods, a column for each exporter
    tariffs1993.txt   620 x 31   tariffs in per cent, in the same places
    tariffs2005.txt   620 x 31
    GO.txt             40 x 31   gross output, USD: sectors by economies
    B.txt              40 x 31   value added over gross output
    IO.txt          1,240 x 40   shares of inputs in materials: a row for each economy and input, inputs within
                                 economies, a column for each buying sector
    T.txt              20 x 1    trade elasticities of goods

The order of economies and sectors is that of the authors' programs. Services are not traded; their elasticity is
8.22, the mean, as in the authors' programs, where it is never used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlopt.calibrations.schema import Faults
from dlopt.calibrations.tables import Array, RawTable

ECONOMIES = (
    "ARG", "AUS", "AUT", "BRA", "CAN", "CHL", "CHN", "DNK", "FIN", "FRA", "DEU", "GRC", "HUN", "IND", "IDN", "IRL",
    "ITA", "JPN", "KOR", "MEX", "NLD", "NZL", "NOR", "PRT", "ZAF", "ESP", "SWE", "TUR", "GBR", "USA", "ROW",
)  # fmt: skip
GOODS = (
    "Agriculture", "Mining", "Food", "Textile", "Wood", "Paper", "Petroleum", "Chemicals", "Plastic", "Minerals",
    "Basic metals", "Metal products", "Machinery n.e.c", "Office", "Electrical", "Communication", "Medical", "Auto",
    "Other Transport", "Other",
)  # fmt: skip
SERVICES = (
    "Electricity", "Construction", "Retail", "Hotels", "Land Transport", "Water Transport", "Air Transport",
    "Aux Transport", "Post", "Finance", "Real Estate", "Renting Mach", "Computer", "R&D", "Other Business", "Public",
    "Education", "Health", "Other services", "Private",
)  # fmt: skip
SERVICES_THETA = 8.22
_N, _G, _J = len(ECONOMIES), len(GOODS), len(GOODS) + len(SERVICES)
_SECTORS = [str(k + 1) for k in range(_J)]
_MAX_BYTES = 2**24

Sound = Callable[[float], bool]
_SHAPES: dict[str, tuple[int, int, str, Sound]] = {
    "xbilat1993.txt": (_G * _N, _N, "imports are numbers >= 0", lambda x: x >= 0),
    "tariffs1993.txt": (_G * _N, _N, "a tariff is in per cent, above -100", lambda x: x > -100),
    "tariffs2005.txt": (_G * _N, _N, "a tariff is in per cent, above -100", lambda x: x > -100),
    "GO.txt": (_J, _N, "output is a number >= 0", lambda x: x >= 0),
    "B.txt": (_J, _N, "a value-added share is above 0 and at most 1", lambda x: 0 < x <= 1),
    "IO.txt": (_N * _J, _J, "an input share is from -0.01 to 1", lambda x: -0.01 <= x <= 1),
    "T.txt": (_G, 1, "an elasticity is a number > 0", lambda x: x > 0),
}
"""File -> rows, columns, and what its numbers are."""

Tables = tuple[RawTable, RawTable, RawTable, RawTable]


def originals_in(folder: Path) -> Path | None:
    """Where the originals are: in the folder, or in data/original_data of a copy of the repository; None if nowhere."""
    places = (folder, folder / "data" / "original_data", folder / "original_data")
    return next((place for place in places if any((place / name).is_file() for name in _SHAPES)), None)


def read_originals(folder: Path, faults: Faults) -> Tables | None:
    """The tables of flows and tariffs, of production, of input shares and of sectors; None where there is a fault.

    Imports of an economy from itself, zero in the originals, are left out; they are a fault where they are not zero.
    """
    found = {name: _matrix(folder / name, faults) for name in _SHAPES}
    flows = found["xbilat1993.txt"]
    if flows is not None:
        own = np.arange(_N)
        for good, economy in np.argwhere(flows.reshape(_G, _N, _N)[:, own, own] != 0):
            row, said = int(good * _N + economy) + 1, f"{ECONOMIES[economy]}, {GOODS[good]}"
            rule = "an economy imports nothing from itself"
            faults.add("xbilat1993.txt", rule, "write 0", row, f"{economy + 1}", said)
    if faults:
        return None
    cells = {name: matrix for name, matrix in found.items() if matrix is not None}
    return (_flows(cells), _production(cells), _inputs(cells["IO.txt"]), _sectors(cells["T.txt"]))


def _matrix(path: Path, faults: Faults) -> Array | None:
    """The numbers of one file, with every fault at its line and column."""
    rows, columns, rule, sound = _SHAPES[path.name]
    if not path.is_file():
        faults.add(path.name, "there is no such file", "add it: all of " + ", ".join(_SHAPES) + " are needed")
        return None
    try:
        if path.stat().st_size > _MAX_BYTES:
            faults.add(path.name, "the file is larger than 16 MiB", "give the authors' own")
            return None
        lines = path.read_text("ascii").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.add(path.name, f"the file cannot be read ({error})", "give the authors' own")
        return None
    if len(lines) != rows:
        faults.add(path.name, f"{rows} lines are needed", "give the authors' own, whole", value=f"{len(lines)} lines")
        return None
    matrix = np.zeros((rows, columns))
    before = faults.total
    for k, line in enumerate(lines):
        words = line.split()
        if len(words) != columns:
            faults.add(
                path.name, f"{columns} numbers are needed", "correct the line", k + 1, value=f"{len(words)} words"
            )
            continue
        for c, word in enumerate(words):
            try:
                matrix[k, c] = float(word)
            except ValueError:
                faults.add(path.name, "this is not a number", "correct it", k + 1, str(c + 1), word)
                continue
            if not np.isfinite(matrix[k, c]) or not sound(matrix[k, c]):
                faults.add(path.name, rule, "correct it", k + 1, str(c + 1), word)
    return matrix if faults.total == before else None


def _flows(cells: dict[str, Array]) -> RawTable:
    good, importer, exporter = (axis.ravel() for axis in np.indices((_G, _N, _N)))
    away = importer != exporter
    texts = {
        "origin": [ECONOMIES[k] for k in exporter[away]],
        "destination": [ECONOMIES[k] for k in importer[away]],
        "sector": [_SECTORS[k] for k in good[away]],
    }
    numbers = {
        "imports_1993_kusd": cells["xbilat1993.txt"].ravel()[away],
        "tariff_1993_pct": cells["tariffs1993.txt"].ravel()[away],
        "tariff_2005_pct": cells["tariffs2005.txt"].ravel()[away],
    }
    return RawTable("xbilat1993.txt", [int(k) + 1 for k in np.flatnonzero(away) // _N], texts, numbers)


def _production(cells: dict[str, Array]) -> RawTable:
    economy, sector = (axis.ravel() for axis in np.indices((_N, _J)))
    texts = {"country": [ECONOMIES[k] for k in economy], "sector": [_SECTORS[k] for k in sector]}
    numbers = {"gross_output_1993_usd": cells["GO.txt"].T.ravel(), "share": cells["B.txt"].T.ravel()}
    return RawTable("B.txt", [int(k) + 1 for k in sector], texts, numbers)


def _inputs(shares: Array) -> RawTable:
    economy, bought, buyer = (axis.ravel() for axis in np.indices((_N, _J, _J)))
    texts = {
        "country": [ECONOMIES[k] for k in economy],
        "input_sector": [_SECTORS[k] for k in bought],
        "output_sector": [_SECTORS[k] for k in buyer],
    }
    rows = [int(k) + 1 for k in economy * _J + bought]
    return RawTable("IO.txt", rows, texts, {"share": shares.ravel()})


def _sectors(theta: Array) -> RawTable:
    texts = {
        "sector": _SECTORS,
        "name": [*GOODS, *SERVICES],
        "type": ["goods"] * len(GOODS) + ["services"] * len(SERVICES),
    }
    numbers = {"theta": np.concatenate([theta.ravel(), np.full(len(SERVICES), SERVICES_THETA)])}
    return RawTable("T.txt", list(range(1, _J + 1)), texts, numbers)
