"""Sets of published elasticities, and how a calibration takes one: sector by sector, by ISIC Rev. 4 divisions.

A set is a CSV file `elasticities/NAME.csv` in `$DLOPT_DATA`, in `./data` or in the package, the first that has it:

    sector,isic,theta,standard_error,psi,source
    Food,10 11 12,2.62,0.61,,"Where it is printed"

`isic` lists divisions of ISIC Rev. 4; instead of `theta`, the trade elasticity, a set may have `sigma`, the elasticity
of substitution: then theta is sigma - 1. Empty cells of `standard_error` and `psi` say that the source prints none.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlopt.calibrations.catalog import places
from dlopt.calibrations.isic import DIVISIONS
from dlopt.calibrations.meta import NAME_PATTERN
from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.files import size_of, write_text
from dlopt.trade.calibration import Calibration

FOLDER = "elasticities"
COLUMNS = ("sector", "isic", "theta", "standard_error", "psi", "source")
DEFAULT_THETA = 5.0
"""Where a set has no source for a sector: about the median of published trade elasticities."""
MAX_BYTES = 2**20


class ElasticityError(DloptError):
    """A set that cannot be read or used."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One printed row.

    Attributes:
        sector: as the source calls it.
        isic: divisions of ISIC Rev. 4; none where the source's sector is not one of goods or services.
        theta: trade elasticity.
        standard_error: of theta, None where not printed.
        psi: scale elasticity, None where not printed.
        source: where it is printed.
    """

    sector: str
    isic: tuple[int, ...]
    theta: float
    standard_error: float | None
    psi: float | None
    source: str


@dataclasses.dataclass(frozen=True)
class ElasticitySet:
    """A set by name.

    Attributes:
        definition: `theta` or `sigma`: what the source prints.
        place: where it was found, as for calibrations.
    """

    name: str
    definition: str
    place: str
    rows: tuple[Estimate, ...]

    @property
    def has_scale(self) -> bool:
        """Whether it has scale elasticities."""
        return any(row.psi is not None for row in self.rows)


@dataclasses.dataclass(frozen=True)
class Taken:
    """Values by sector, and the sectors that no row of the set covers."""

    values: tuple[float, ...]
    without: tuple[str, ...]


def elasticity_sets() -> list[ElasticitySet]:
    """All sets that can be called by name."""
    return [read_set(path, place) for path, place in _files().values()]


def elasticity_set(name: str) -> ElasticitySet:
    """A set by its name.

    Raises:
        UnknownNameError: there is none; ElasticityError: its file is at fault.
    """
    files = _files()
    if name not in files:
        raise UnknownNameError("set of elasticities", name, sorted(files))
    return read_set(*files[name])


def add_set(path: Path, name: str | None = None, *, force: bool = False) -> Path:
    """Check the set in `path` and put it where it can be called by name (its file's name by default).

    Raises:
        ElasticityError: the file or the name is at fault, or there is a set of that name and `force` is off.
    """
    name = name or path.stem
    check_name(name)
    found = read_set(path, "")
    target = places()[0][1] / FOLDER / f"{name}.csv"
    if target.exists() and not force:
        raise ElasticityError(f"{target} exists. Choose another name with --name, or replace it with --force.")
    write_set(found.rows, target)
    return target


def check_name(name: str) -> None:
    """Raise an ElasticityError where `name` cannot be the name of a set."""
    if not NAME_PATTERN.fullmatch(name):
        raise ElasticityError(f"{name!r} cannot name a set. Use letters, digits, '.', '_' and '-'.")


def write_set(rows: Sequence[Estimate], target: Path) -> None:
    """Write a set as a file."""
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        number = ["" if v is None else repr(v) for v in (row.theta, row.standard_error, row.psi)]
        writer.writerow([row.sector, " ".join(map(str, row.isic)), *number, row.source])
    write_text(target, text.getvalue())


def read_set(path: Path, place: str) -> ElasticitySet:
    """Read one file.

    Raises:
        ElasticityError: names the line, the column and the rule.
    """

    def fault(what: str, line: int | None = None) -> ElasticityError:
        where = path.name if line is None else f"{path.name} line {line}"
        return ElasticityError(f"{where}: {what}. A set has the columns {','.join(COLUMNS)} (or sigma for theta).")

    try:
        if size_of(path) > MAX_BYTES:
            raise fault("the file is larger than a set of elasticities")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = list(reader)
            header = tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise fault(f"the file cannot be read ({error})") from error
    definition = next((column for column in ("theta", "sigma") if column in header), None)
    unknown = [column for column in header if column not in (*COLUMNS, "sigma")]
    if definition is None or unknown or "isic" not in header or len(set(header)) < len(header):
        raise fault(f"the header is {','.join(header)[:100]}", 1)
    found = []
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise fault("a row has as many fields as the header", line)
        numbers = {}
        for column in (definition, "standard_error", "psi"):
            text = (row.get(column) or "").strip()
            try:
                numbers[column] = float(text) if text else None
            except ValueError:
                raise fault(f"column {column}: {text[:40]!r} is not a number", line) from None
            if numbers[column] is not None and not math.isfinite(numbers[column] or 0.0):
                raise fault(f"column {column}: {text[:40]!r} is not a finite number", line)
        value = numbers[definition]
        theta = None if value is None else value - 1 if definition == "sigma" else value
        if theta is None or theta <= 0:
            raise fault(f"column {definition}: theta must be above 0 (sigma above 1)", line)
        if (numbers["psi"] or 0) < 0 or (numbers["standard_error"] or 0) < 0:
            raise fault("psi and standard errors are 0 or more", line)
        words = (row.get("isic") or "").replace(";", " ").split()
        if not all(word.isdigit() and int(word) in DIVISIONS for word in words):
            raise fault(f"column isic: {' '.join(words)[:40]!r} are not divisions of ISIC Rev. 4", line)
        divisions = tuple(sorted(map(int, words)))
        found.append(
            Estimate(
                (row.get("sector") or "").strip(),
                divisions,
                theta,
                numbers["standard_error"],
                numbers["psi"],
                (row.get("source") or "").strip(),
            )
        )
    if not found:
        raise fault("the set has no rows")
    return ElasticitySet(path.stem, definition, place, tuple(found))


def take(
    chosen: ElasticitySet, isic: Mapping[str, Sequence[int]], sectors: Sequence[str], which: str, default: float
) -> Taken:
    """Values of a set by sector: the mean over its rows, weighted by the divisions in common.

    Args:
        chosen: the set.
        isic: divisions by sector.
        sectors: the sectors, in order.
        which: `theta` or `psi`.
        default: for sectors that no row covers.
    """
    values, without = [], []
    for sector in sectors:
        own = set(isic.get(sector, ()))
        pairs = [(len(own & set(row.isic)), getattr(row, which)) for row in chosen.rows]
        pairs = [(weight, value) for weight, value in pairs if weight and value is not None]
        total = sum(weight for weight, _ in pairs)
        if total:
            values.append(sum(weight * value for weight, value in pairs) / total)
        else:
            values.append(default)
            without.append(sector)
    return Taken(tuple(values), tuple(without))


def with_elasticities(
    calibration: Calibration,
    isic: Mapping[str, Sequence[int]],
    trade: str | None = None,
    scale: str | None = None,
    default: float = DEFAULT_THETA,
) -> tuple[Calibration, list[str]]:
    """The calibration with another set of trade elasticities, of scale elasticities, or both.

    Args:
        calibration: what to change.
        isic: divisions of its sectors.
        trade: name of the set for theta; None keeps what is there.
        scale: name of the set for psi; None keeps what is there, `none` is constant returns.
        default: theta of sectors that the set does not cover; their psi is 0.

    Returns:
        The calibration, and a sentence for each set with the sectors that it does not cover.

    Raises:
        UnknownNameError, ElasticityError: no such set; or the sectors have no known divisions.
    """
    import torch

    notes = []
    changes = {}
    for which, name, rest in (("theta", trade, default), ("psi", scale, 0.0)):
        if name is None:
            continue
        if which == "psi" and name == "none":
            changes[which] = torch.zeros_like(calibration.psi)
            notes.append("Scale elasticities: none, psi is 0 everywhere.")
            continue
        chosen = elasticity_set(name)
        if which == "psi" and not chosen.has_scale:
            having = [found.name for found in elasticity_sets() if found.has_scale]
            raise ElasticityError(f"{name} has no scale elasticities. Sets that have: {', '.join(having)}, or none.")
        if not isic:
            raise ElasticityError(
                f"The sectors of {calibration.name} have no ISIC divisions, so that no set can be matched to them. "
                "Give them: a CSV file sector,division (ISIC Rev. 4), as --isic at import, or isic.csv in its folder."
            )
        taken = take(chosen, isic, calibration.sectors, which, rest)
        changes[which] = torch.tensor(taken.values, dtype=torch.float64)
        kind = "Trade" if which == "theta" else "Scale"
        missing = f"; no source for {', '.join(taken.without)}: {which} {rest:g}" if taken.without else ""
        notes.append(f"{kind} elasticities: {name} (as {chosen.definition if which == 'theta' else 'psi'}){missing}.")
    return calibration.with_elasticities(**changes), notes


def load_with(name: str | Path, trade: str | None = None, scale: str | None = None) -> Calibration:
    """A calibration by name or folder, with other sets of elasticities where they are named.

    Raises:
        UnknownNameError, BundleError, ElasticityError: no such calibration or set, or they do not fit together.
    """
    return load_and_say(name, trade, scale)[0]


def load_and_say(
    name: str | Path, trade: str | None = None, scale: str | None = None
) -> tuple[Calibration, tuple[str, ...]]:
    """As `load_with`, and a sentence for each set with the sectors that it does not cover."""
    from dlopt.calibrations.bundle import load_calibration
    from dlopt.calibrations.catalog import find_calibration
    from dlopt.calibrations.isic import read_isic

    world = load_calibration(name)
    if trade is None and scale is None:
        return world, ()
    world, notes = with_elasticities(world, read_isic(find_calibration(name), world.sectors), trade, scale)
    return world, tuple(notes)


def _files() -> dict[str, tuple[Path, str]]:
    found: dict[str, tuple[Path, str]] = {}
    for place, root in places():
        folder = root / FOLDER
        if folder.is_dir():
            for path in sorted(folder.glob("*.csv")):
                found.setdefault(path.stem, (path, place))
    return dict(sorted(found.items()))
