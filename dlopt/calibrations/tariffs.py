"""Bilateral tariffs from files of others, brought to the economies and sectors of a world by ISIC divisions.

Three layouts are recognised by their header: Teti's Global Tariff Database (iso1, iso2, year, sector in ISIC Rev. 3),
exports of WITS/TRAINS (Reporter, Partner, Product, ...; product in ISIC Rev. 3), and a plain table (origin,
destination, sector, rate; a fraction; sector as in the world, or a division of ISIC Rev. 4).
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt.calibrations.accounts import Array
from dlopt.calibrations.groups import GROUPS, REST
from dlopt.calibrations.isic import is_good, of_rev3
from dlopt.calibrations.wits import TariffError, is_wits, nearest, read_wits
from dlopt.store.files import size_of

DEFAULT_COLUMN = "tariff95"
"""Teti's simple mean, winsorised: raw rates go to 99.9 %."""

UNIONS = {"EUN": "EU27", "EU": "EU27", "European Union": "EU27", "918": "EU27"}
BLOCK = 16 * 2**20


@dataclasses.dataclass(frozen=True)
class Rates:
    """Tariffs by pair and sector.

    Attributes:
        rate: a fraction, `[origin, destination, sector]`; zero at home and outside goods.
        notes: how missing pairs were filled, counted.
    """

    rate: Array
    notes: tuple[str, ...]


def read_tariffs(
    path: Path,
    codes: Sequence[str],
    isic: Mapping[str, Sequence[int]],
    year: str | None = None,
    column: str | None = None,
) -> Rates:
    """Read tariffs for a world.

    A sector takes the mean over the source's divisions that it shares. A pair without a rate takes the importer's MFN
    rate for the sector, where the source has one; else the importer's mean rate for the sector; else its mean over
    all goods; else zero. ROW, as importer or exporter, is the mean over the economies that the world does not name.

    Args:
        path: the file.
        codes: ISO codes of the world's economies.
        isic: divisions by sector, all sectors in order.
        year: whose tariffs; the nearest year of the file where it lacks that one, the last where none is given.
        column: which rates; by default Teti's `tariff95`, and `Simple Average` of WITS.

    Raises:
        TariffError: no known layout, text in numbers, no such year or economies.
    """
    header = _header(path)
    low = {name.lower().replace(" ", "").replace("_", ""): name for name in header}
    goods = [label for label, divisions in isic.items() if is_good(divisions)]
    if {"iso1", "iso2", "year", "sector"} <= set(low):
        frame, notes = _teti(path, header, year, column)
    elif is_wits(low):
        frame, notes = read_wits(path, low, year, column)
        frame, said = _by_division(frame, path.name)
        notes += said
    elif {"origin", "destination", "sector", "rate"} <= set(low):
        frame, notes = _plain(path, isic, codes)
    else:
        raise TariffError(
            f"{path.name}: the columns ({', '.join(header[:8])}) are those of no known table of tariffs. Known: Teti's "
            "database (iso1, iso2, year, sector, tariff95), WITS (Reporter, Partner, Product, Simple Average), and "
            "origin, destination, sector, rate."
        )
    return _rates(frame, list(codes), isic, goods, notes, path.name)


def _header(path: Path) -> list[str]:
    try:
        size_of(path)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            line = stream.readline(2**16)
    except (OSError, UnicodeDecodeError) as error:
        raise TariffError(f"{path}: the file cannot be read ({error}). Give a CSV file of tariffs.") from error
    return [name.strip().strip('"') for name in line.rstrip("\r\n").split(",")]


@contextlib.contextmanager
def _arrow(path: Path) -> Iterator[None]:
    """Errors of pyarrow as ours."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise TariffError(f"{path.name}: {str(error).splitlines()[0][:200]}. Correct the file.") from error


def _batches(path: Path, columns: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    from pyarrow import csv

    options = csv.ConvertOptions(include_columns=list(columns), column_types=dict(columns), strings_can_be_null=True)
    with _arrow(path):
        for batch in csv.open_csv(path, csv.ReadOptions(block_size=BLOCK), convert_options=options):
            yield batch.to_pandas()


def _teti(path: Path, header: list[str], year: str | None, column: str | None) -> tuple[pd.DataFrame, list[str]]:
    import pyarrow as pa

    column = column or DEFAULT_COLUMN
    if column not in header:
        raise TariffError(f"{path.name}: there is no column {column!r}. It has {', '.join(header[:14])}.")
    mfn = column.replace("tariff", "mfn")
    numbers = [column, *([mfn] if mfn in header and mfn != column else [])]
    types = {"iso1": pa.string(), "iso2": pa.string(), "year": pa.int64(), "sector": pa.string(),
             **{name: pa.float64() for name in numbers}}  # fmt: skip
    wanted = int(year) if year and year.isdigit() else None
    years: set[int] = set()
    kept: dict[int, list[pd.DataFrame]] = {}
    for batch in _batches(path, types):
        years.update(batch["year"].dropna().astype(int).unique().tolist())
        chosen = nearest(years, wanted)
        kept = {y: parts for y, parts in kept.items() if y == chosen}
        kept.setdefault(chosen, []).append(batch[batch["year"] == chosen])
    if not kept:
        raise TariffError(f"{path.name}: the file has no rows. Download it again.")
    chosen = nearest(years, wanted)
    frames = kept[chosen]
    if wanted != chosen and len(years) > 1:  # the year may have been passed over while another one was nearer
        frames = [batch[batch["year"] == chosen] for batch in _batches(path, types)]
    data = pd.concat(frames, ignore_index=True)
    frame = pd.DataFrame({"importer": data["iso1"], "exporter": data["iso2"], "product": data["sector"],
                          "rate": data[column] / 100, "mfn": data[mfn] / 100 if mfn in data else np.nan})  # fmt: skip
    note = f"Tariffs: {path.name}, column {column}, year {chosen}"
    frame, said = _by_division(frame, path.name)
    return frame, [note + ("." if wanted == chosen else f" (asked for: {year or 'the last'})."), *said]


def _by_division(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[str]]:
    """Products as divisions of ISIC Rev. 3; rates by pair and division; what was left out."""
    products = frame["product"].astype(str)
    digits = products.str.extract(r"^\D*(\d+)", expand=False)
    sound = digits.notna() & (digits.str.len() <= 2)
    frame = frame[sound].assign(division=digits[sound].astype(int))
    if frame.empty:
        some = ", ".join(repr(product) for product in products.unique()[:3])
        raise TariffError(
            f"{file}: the products ({some}) are not divisions of ISIC Rev. 3 (two digits): export them so."
        )
    lost = products[~sound]
    said = [f"Tariffs of products that are no division: {len(lost)} rows left out, such as {p!r}." for p in lost[:1]]
    return frame.drop(columns="product"), said


def _plain(path: Path, isic: Mapping[str, Sequence[int]], codes: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    try:
        data = pd.read_csv(path, dtype={"origin": str, "destination": str, "sector": str}, encoding="utf-8-sig")
        rate = pd.to_numeric(data["rate"])
    except (ValueError, OSError, KeyError) as error:
        raise TariffError(f"{path.name}: {str(error).splitlines()[0][:200]}. Correct the file.") from error
    if not (np.isfinite(rate) & (rate > -1)).all():
        k = int(np.flatnonzero(~(np.isfinite(rate) & (rate > -1)))[0])
        raise TariffError(
            f"{path.name} line {k + 2}, column rate: {rate[k]}: a tariff is a fraction above -1; correct it."
        )
    unknown = [s for s in data["sector"].unique() if s not in isic and not str(s).isdigit()]
    if unknown:
        raise TariffError(
            f"{path.name}, column sector: {unknown[0]!r} is no sector of this world ({', '.join(list(isic)[:8])}, ...) "
            "and no division of ISIC Rev. 4. Correct it."
        )
    frame = pd.DataFrame({"importer": data["destination"], "exporter": data["origin"], "sector": data["sector"],
                          "rate": rate, "mfn": np.nan})  # fmt: skip
    named = set(frame["importer"].dropna()) | set(frame["exporter"].dropna())
    strange = sorted(named - {member for code in codes for member in (code, *GROUPS.get(code, ()))})
    if strange and "ROW" not in codes:
        close = difflib.get_close_matches(strange[0], codes, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise TariffError(
            f"{path.name}: there is no economy {strange[0]!r} in this world, which has {', '.join(codes)}.{hint}"
        )
    said = [f"Economies of the tariffs that the world does not name count in ROW: {', '.join(strange)}."]
    return frame, [f"Tariffs: {path.name}.", *(said if strange else [])]


def _rates(
    frame: pd.DataFrame, codes: list[str], isic: Mapping[str, Sequence[int]], goods: list[str], notes: list[str],
    file: str,
) -> Rates:  # fmt: skip
    sectors = list(isic)
    importers = [name for name in frame["importer"].unique() if name]
    frame = _known(frame, codes)
    if not set(frame["importer"]) - {REST}:
        raise TariffError(
            f"{file}: no importer of the file ({', '.join(map(str, importers[:5]))}) is one of "
            f"{', '.join(codes[:10])}. Give ISO codes."
        )
    if "division" in frame:
        hubs = {d: set(of_rev3([d])) for d in frame["division"].unique()}
        links = [(d, s) for d, hub in hubs.items() for s in goods if hub & set(isic[s])]
        frame = frame.merge(pd.DataFrame(links, columns=["division", "sector"]), on="division")
    else:
        links = [(s, s) for s in sectors]
        links += [(str(d), s) for s in sectors for d in isic[s] if str(d) not in isic]
        frame = frame.rename(columns={"sector": "given"})
        frame = frame.merge(pd.DataFrame(links, columns=["given", "sector"]), on="given")
    n, j = len(codes), len(sectors)
    rate = np.full((n, n, j), np.nan)
    mfn = np.full((n, j), np.nan)
    place = {code: k for k, code in enumerate(codes)}
    column = {sector: k for k, sector in enumerate(sectors)}
    pairs = frame[frame["exporter"] != ""].groupby(["exporter", "importer", "sector"])["rate"].mean().dropna()
    for exporter, importer, sector, value in pairs.reset_index().itertuples(index=False, name=None):
        rate[place[exporter], place[importer], column[sector]] = value
    general = frame.groupby(["importer", "sector"])["mfn"].mean().dropna()
    for importer, sector, value in general.reset_index().itertuples(index=False, name=None):
        mfn[place[importer], column[sector]] = value
    tradable = np.array([s in goods for s in sectors])
    plain = "division" not in frame
    open_ = ~np.eye(n, dtype=bool)[:, :, None] & (np.ones(j, dtype=bool) if plain else tradable)
    rate[~np.broadcast_to(open_, rate.shape)] = 0.0
    return Rates(*_filled(rate, mfn, open_, notes, zero=plain))


def _known(frame: pd.DataFrame, codes: list[str]) -> pd.DataFrame:
    """Rows among the world's economies; unions as their members, others as ROW where the world has one."""
    for side in ("importer", "exporter"):
        unions = frame[side].isin(UNIONS)
        if unions.any():
            members = pd.DataFrame(
                [(name, code) for name, group in UNIONS.items() for code in GROUPS[group]], columns=[side, "member"]
            )
            spread = frame[unions].merge(members, on=side).drop(columns=side).rename(columns={"member": side})
            frame = pd.concat([frame[~unions], spread], ignore_index=True)
    other = REST if REST in codes else None
    for side in ("importer", "exporter"):
        known = frame[side].isin([*codes, ""])
        frame = frame.assign(**{side: frame[side].where(known, other)}).dropna(subset=[side])
    return frame[frame["importer"] != frame["exporter"]]


def _filled(
    rate: Array, mfn: Array, open_: np.ndarray[Any, Any], notes: list[str], *, zero: bool
) -> tuple[Array, tuple[str, ...]]:
    """Rates without gaps, and how many were filled by which rule."""
    total = int(np.broadcast_to(open_, rate.shape).sum())
    if zero:
        left_out = int(np.isnan(rate).sum())
        note = f"Pairs without a tariff: {left_out} of {total}, zero (the table names what is taxed)."
        return np.nan_to_num(rate), (*notes, note)
    seen = ~np.isnan(rate)
    filled = np.where(seen, rate, 0.0)

    def mean(axis: tuple[int, ...], like: Array) -> Array:
        count = (seen & open_).sum(axis=axis, keepdims=True)
        value = np.where(open_, filled, 0.0).sum(axis=axis, keepdims=True) / np.maximum(count, 1)
        return np.broadcast_to(np.where(count > 0, value, np.nan), like.shape)

    rules = (
        ("the importer's MFN rate", np.broadcast_to(mfn[None], rate.shape)),
        ("the importer's mean for the sector", mean((0,), rate)),
        ("the importer's mean", mean((0, 2), rate)),
        ("zero", np.zeros_like(rate)),
    )
    missing = total - int((seen & open_).sum())
    parts = []
    for name, values in rules:
        gap = np.isnan(rate) & ~np.isnan(values)
        rate = np.where(gap, values, rate)
        parts.append(f"{int(gap.sum())} {name}")
    return rate, (*notes, f"Pairs without a tariff: {missing} of {total}: {', '.join(parts)}.")


def merged(rate: Array, trade: Array, member: np.ndarray[Any, Any], n: int) -> tuple[Array, float]:
    """Rates of groups, weighted by trade before tariffs.

    Args:
        rate, trade: by economy of the source, `[origin, destination, sector]`.
        member: position of the group of each economy.
        n: how many groups.

    Returns:
        `[origin, destination, sector]` of groups, zero at home; and tariff revenue inside groups, which drops out.
    """
    j = rate.shape[2]
    weight = np.maximum(trade, 0)
    revenue, base = np.zeros((2, n, n, j))
    np.add.at(revenue, (member[:, None], member[None, :]), rate * weight)
    np.add.at(base, (member[:, None], member[None, :]), weight)
    simple, count = np.zeros((2, n, n, j))
    np.add.at(simple, (member[:, None], member[None, :]), rate)
    np.add.at(count, (member[:, None], member[None, :]), np.ones_like(rate))
    mean = np.divide(simple, count, out=np.zeros_like(simple), where=count > 0)
    result = np.where(base > 0, np.divide(revenue, base, out=np.zeros_like(base), where=base > 0), mean)
    inside = float(np.einsum("nnj->", revenue))
    result[np.arange(n), np.arange(n)] = 0.0
    return result, inside
