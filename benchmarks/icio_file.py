"""A made-up table in the layout of an OECD ICIO file of the 2025 edition, of any size. Not data.

python -m benchmarks.icio_file FILE.csv                     81 economies, 50 industries: 4,054 x 4,538
python -m benchmarks.icio_file FILE.csv --economies 12      the first 11 of these and ROW
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

_CODES = """
USA CHN DEU FRA IND JPN MEX CAN GBR ITA BRA AGO ARE ARG AUS AUT BEL BGD BGR BLR BRN CHE CHL CIV CMR COD COL CRI CYP CZE
DNK EGY ESP EST FIN GHA GRC HKG HRV HUN IDN IRL ISL ISR JOR KAZ KHM KOR LAO LTU LUX LVA MAR MLT MMR MYS NGA NLD NOR NZL
PAK PER PHL POL PRT ROU RUS SAU SEN SGP STP SVK SVN SWE THA TUN TUR TWN UKR VNM
"""
_LABELS = """
A01 A02 A03 B05 B06 B07 B08 B09 C10T12 C13T15 C16 C17_18 C19 C20 C21 C22 C23 C24A C24B C25 C26 C27 C28 C29 C301
C302T309 C31T33 D E F G H49 H50 H51 H52 H53 I J58T60 J61 J62_63 K L M N O P Q R S T
"""
ECONOMIES, INDUSTRIES = _CODES.split(), _LABELS.split()
FINAL = ["HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR"]


def write(path: Path, n: int = 81, s: int = 50, seed: int = 0, *, extended: bool = False) -> None:
    """Write a table: rows and columns add up to the digits printed; inventories of both signs, a few odd cells.

    Args:
        path: the file.
        n: economies, ROW included; s: industries.
        seed: of the random numbers.
        extended: give China and Mexico in two parts each, as the extended tables do.
    """
    rng = np.random.default_rng(seed)
    economies, industries = [*ECONOMIES[: n - 1], "ROW"], INDUSTRIES[:s]
    size = rng.lognormal(0, 1.2, n)[:, None] * rng.lognormal(0, 1.0, s)[None, :] * 1e4
    near = np.exp(-3.0 + 1.2 * rng.standard_normal((n, s, n)))
    near[np.arange(n), :, np.arange(n)] += 3.0
    near /= near.sum(axis=0)
    links = rng.lognormal(-1, 1.0, (s, s))
    links = 0.5 * links / links.sum(axis=0)
    use = np.einsum("isn,sk,nk->isnk", near * size[:, :, None] / size.mean(), links, size)
    final = near * (size * rng.uniform(0.3, 0.7, (n, s))).T[None] * rng.uniform(0.8, 1.2, (n, s, n))
    parts = final[..., None] * rng.dirichlet(np.ones(6), (n, s, n))
    parts[..., 4] *= rng.choice([-0.3, 1.0], (n, s, n), p=[0.4, 0.6])
    use, parts = np.round(use, 4), np.round(parts, 4)
    output = use.sum(axis=(2, 3)) + parts.sum(axis=(2, 3))
    inputs = use.sum(axis=(0, 1))
    shrink = np.minimum(1, 0.7 * output / np.maximum(inputs, 1e-9))
    use = np.round(use * shrink, 4)
    output = use.sum(axis=(2, 3)) + parts.sum(axis=(2, 3))
    taxes = np.round(0.02 * use.sum(axis=(0, 1)), 4)
    added = output - use.sum(axis=(0, 1)) - taxes
    split = {"CHN": ("CN1", "CN2"), "MEX": ("MX1", "MX2")} if extended else {}
    _print(path, economies, industries, split, use, parts, (taxes, added, output))


def _print(path, economies, industries, split, use, parts, totals) -> None:  # type: ignore[no-untyped-def]
    n, s = len(economies), len(industries)
    rows = [(k, None) for k in range(n)] + [(economies.index(c), p) for c, names in split.items() for p in names]

    def weight(k: int, part: str | None) -> float:
        return 1.0 if economies[k] not in split else 0.0 if part is None else 0.75 if part.endswith("1") else 0.25

    labels = [f"{part or economies[k]}_{item}" for k, part in rows for item in industries]
    head = [*labels, *(f"{code}_{item}" for code in economies for item in FINAL), "OUT"]
    columns = np.array([weight(k, part) for k, part in rows])
    who = np.array([k for k, _ in rows])
    with path.open("w") as out:
        out.write(",".join(["V1", *head]) + "\n")
        for (k, part), w in zip(rows, columns, strict=True):
            for item in range(s):
                cells = (w * use[k, item, who] * columns[:, None]).reshape(-1)
                line = np.concatenate([cells, w * parts[k, item].reshape(-1), [w * totals[2][k, item]]])
                out.write(f"{part or economies[k]}_{industries[item]}," + ",".join(map(_digits, line)) + "\n")
        for name, table in zip(("TLS", "VA", "OUT"), totals, strict=True):
            line = np.concatenate(
                [(table[who] * columns[:, None]).reshape(-1), np.zeros(n * len(FINAL)), [table.sum()]]
            )
            out.write(name + "," + ",".join(map(_digits, line)) + "\n")


def _digits(value: float) -> str:
    return f"{value:.4g}" if 0 < abs(value) < 0.001 else f"{value:.4f}".rstrip("0").rstrip(".") or "0"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--economies", type=int, default=81)
    parser.add_argument("--industries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--extended", action="store_true")
    given = parser.parse_args()
    write(given.file, given.economies, given.industries, given.seed, extended=given.extended)
