"""A made-up table in the layout of a WIOD workbook of release 2016, of any size. Not data.

python -m benchmarks.wiod_file WIOT2014_Nov16_ROW.xlsb                    44 economies, 56 industries
python -m benchmarks.wiod_file WIOT2014_Nov16_ROW.xlsb --economies 12     the first 11 of these and ROW
"""

from __future__ import annotations

import argparse
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

_CODES = """
USA CHN DEU FRA IND JPN MEX CAN GBR ITA BRA AUS AUT BEL BGR CHE CYP CZE DNK ESP EST FIN GRC HRV HUN IDN IRL KOR LTU LUX
LVA MLT NLD NOR POL PRT ROU RUS SVK SVN SWE TUR TWN
"""
_LABELS = """
A01 A02 A03 B C10-C12 C13-C15 C16 C17 C18 C19 C20 C21 C22 C23 C24 C25 C26 C27 C28 C29 C30 C31_C32 C33 D35 E36 E37-E39 F
G45 G46 G47 H49 H50 H51 H52 H53 I J58 J59_J60 J61 J62_J63 K64 K65 K66 L68 M69_M70 M71 M72 M73 M74_M75 N O84 P85 Q R_S T
U
"""
ECONOMIES, INDUSTRIES = _CODES.split(), _LABELS.split()
FINAL = ("CONS_h", "CONS_np", "CONS_g", "GFCF", "INVEN")
WORDS = ("Households", "NPISH", "Government", "Gross fixed capital formation", "Changes in inventories and valuables")
BELOW = ("Total intermediate consumption", "taxes less subsidies on products", "Value added at basic prices",
         "Output at basic prices")  # fmt: skip
_CELL = np.dtype([("kind", "u1"), ("size", "u1"), ("column", "<u4"), ("style", "<u4"), ("value", "<f8")])


def write(path: Path, n: int = 44, s: int = 56, seed: int = 0) -> None:
    """Write a table whose rows and columns add up, inventories of both signs."""
    rng = np.random.default_rng(seed)
    economies, industries = [*ECONOMIES[: n - 1], "ROW"], INDUSTRIES[:s]
    size = (rng.lognormal(0, 1.2, n)[:, None] * rng.lognormal(0, 1.0, s)).reshape(-1) * 1e3
    near = np.exp(-3 + rng.standard_normal((n, n))) + 5 * np.eye(n)
    use = size[:, None] * np.repeat(np.repeat(near, s, 0), s, 1) * rng.lognormal(0, 1, (n * s, n * s))
    final = size[:, None] * np.repeat(np.repeat(near, s, 0), 5, 1) * rng.lognormal(0, 1, (n * s, 5 * n))
    final[:, 4::5] *= 0.02 * rng.choice([-1, 1], (n * s, n))
    output = 3 * (final.sum(1) + size)
    use *= ((output - final.sum(1)) / use.sum(1))[:, None]
    used = use.sum(0)
    use *= np.minimum(1, 0.8 * output / used)[None]
    final[:, 0::5] += (output - use.sum(1) - final.sum(1))[:, None] / n
    below = np.stack([use.sum(0), 0.01 * output, 0.99 * output - use.sum(0), output])
    below = np.pad(below, ((0, 0), (0, 5 * n)))
    total = output[:, None]
    body = np.block([[use, final, total], [below, np.zeros((len(BELOW), 1))]])
    heads = [(code, "industry", place) for place in economies for code in industries]
    heads += [(code, word, place) for place in economies for code, word in zip(FINAL, WORDS, strict=True)]
    heads.append(("GO", "Total output", "TOT"))
    rows: list[tuple[list[str], Any]] = [(["WIOT"], None), (["of made-up numbers"], None)]
    rows += [(["", "", "", "", *(head[k] for head in heads)], None) for k in range(3)] + [(["", "(million)"], None)]
    labels = [[code, "industry", place, "r"] for place in economies for code in industries]
    labels += [["x", word, "TOT", "r"] for word in BELOW]
    rows += list(zip(labels, body, strict=True))
    cells = b"".join(_row(k, texts, values) for k, (texts, values) in enumerate(rows))
    extent = record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, body.shape[1] + 3))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "xl/_rels/workbook.bin.rels": (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="rId1" '
            'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
            'Target="worksheets/sheet1.bin"/></Relationships>'
        ),
        "xl/workbook.bin": record(131) + record(143)
        + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("2014")) + record(144) + record(132),
        "xl/worksheets/sheet1.bin": record(129) + extent + record(145) + cells + record(146) + record(130),
    }  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _row(place: int, texts: list[str], values: Any) -> bytes:
    found = record(0, struct.pack("<IIHHBI", place, 0, 300, 0, 0, 0))
    for c, text in enumerate(texts):
        if text:
            found += record(6, struct.pack("<II", c, 0) + wide(text))
    if values is not None:
        cells = np.zeros(len(values), _CELL)
        cells["kind"], cells["size"] = 5, 16
        cells["column"], cells["value"] = 4 + np.arange(len(values)), values
        found += cells.tobytes()
    return found


def record(kind: int, data: bytes = b"") -> bytes:
    """A record of MS-XLSB: type and length in groups of seven bits, then the data."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(data)
    while size > 127:
        head += bytes([size & 0x7F | 0x80])
        size >>= 7
    return head + bytes([size]) + data


def wide(text: str) -> bytes:
    """A text of MS-XLSB: its length, then two bytes a letter."""
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--economies", type=int, default=44)
    parser.add_argument("--industries", type=int, default=56)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write(given.file, given.economies, given.industries, given.seed)
