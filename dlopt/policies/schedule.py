"""Schedules as tables: a row says who charges what on goods of which origin, since when and by what law."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dlopt.policies.groups import members_of
from dlopt.trade.calibration import Calibration
from dlopt.trade.rules import Change, PolicyWordsError, Rule

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("importer", "origin", "sector", "rate", "change")
"""Columns every schedule has; `date` and `authority` may follow."""
CHANGES = ("add", "set")
REST = "ROW"
"""The economy that stands for everybody who is not named."""


def read_schedule(path: str | Path) -> pd.DataFrame:
    """A schedule from a CSV file, checked: columns `importer, origin, sector, rate, change` (`add` or `set`), and
    where known `date, authority`. Rates are fractions; `all` stands for every origin or all tradable sectors.

    Raises:
        PolicyWordsError: names the file, the row and what is wrong with it.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PolicyWordsError(f"{path} cannot be read as a table ({error}). Give a CSV file.") from error
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise PolicyWordsError(f"{path} has no column {missing[0]!r}. A schedule has {', '.join(COLUMNS)}.")
    rates = pd.to_numeric(frame["rate"], errors="coerce")
    for row, (rate, text, change) in enumerate(zip(rates, frame["rate"], frame["change"], strict=True), 2):
        if not math.isfinite(rate):
            raise PolicyWordsError(f"{path}, row {row}: rate={text!r} is not a number. Write a fraction: 0.25 is 25 %.")
        if change not in CHANGES:
            raise PolicyWordsError(f"{path}, row {row}: change={change!r}. Write add or set.")
    for column in ("date", "authority"):
        if column not in frame:
            frame[column] = ""
    frame["rate"] = rates
    return frame


def is_schedule(path: Path) -> bool:
    """Whether a file is a schedule rather than a table of levels (`policies.parquet` and its like)."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return set(COLUMNS) <= {word.strip().strip('"') for word in file.readline().split(",")}


def rules_of(
    schedule: pd.DataFrame, calibration: Calibration, notes: list[str], weights: Mapping[str, float] | None = None
) -> list[Rule]:
    """The rules of a schedule for the economies of a calibration.

    An economy that is a group (EU), or the rest of the world, is charged the mean rate of its members that the
    schedule names, weighted by `weights` where given; `notes` says so.

    Args:
        schedule: as from `read_schedule`.
        calibration: its economies.
        notes: is added to.
        weights: imports by origin, such as `{"DEU": 159.0}`; only their ratios matter.
    """
    rules: list[Rule] = []
    for (importer, sector, change), rows in schedule.groupby(["importer", "sector", "change"], sort=False):
        who = _importer(str(importer), calibration, notes)
        if who is None:
            continue
        general = rows["origin"].str.lower() == "all"
        for row in rows[general].to_dict("records"):
            rules.append(_rule(who, "", str(sector), cast(Change, change), float(row["rate"]), row))
        for economy, part in _by_economy(rows[~general], calibration).items():
            if economy == who:
                continue
            exact = set(part["origin"]) == {economy}
            if general.any() and not exact:
                names = ", ".join(dict.fromkeys(part["origin"]))
                notes.append(f"{names}, within {economy} here, is charged like all others: its own rate is left out.")
                continue
            rate = _rate_of(economy, part, str(change), notes, weights)
            rules.append(_rule(who, economy, str(sector), cast(Change, change), rate, part.iloc[0].to_dict()))
    return rules


def _importer(name: str, calibration: Calibration, notes: list[str]) -> str | None:
    if name in calibration.economies or name.lower() == "all":
        return name
    inside = [label for label in calibration.economies if name in members_of(label)]
    what = f"is part of {inside[0]}" if inside else "is not among the economies"
    notes.append(f"{name} {what} here: what it charges is left out.")
    return None


def _by_economy(rows: pd.DataFrame, calibration: Calibration) -> dict[str, pd.DataFrame]:
    """The rows of a schedule by the economy to which their origins belong; whom nobody holds, the rest of the world."""
    found, left = {}, rows
    for label in calibration.economies:
        inside = (left["origin"] == label) | left["origin"].isin(members_of(label))
        if label != REST and inside.any():
            found[label], left = left[inside], left[~inside]
    if len(left) and REST in calibration.economies:
        found[REST] = left
    return found


def _rate_of(
    economy: str, rows: pd.DataFrame, change: str, notes: list[str], weights: Mapping[str, float] | None
) -> float:
    """One rate for an economy: rows of one origin add up (or replace each other), origins are averaged."""
    import pandas as pd

    by_origin = rows.groupby("origin", sort=False)["rate"]
    rates = by_origin.sum() if change == "add" else by_origin.last()
    if rates.nunique() == 1:
        return float(rates.iloc[0])
    share, how = pd.Series(1.0, index=rates.index), "each counting the same"
    if weights is not None:
        share, how = pd.Series({origin: weights.get(origin, 0.0) for origin in rates.index}), "weighted by trade"
        if not share.sum() > 0:
            raise PolicyWordsError(f"No weight is given for any origin in {economy}. Add them to the table of weights.")
    rate = float((rates * share).sum() / share.sum())
    notes.append(
        f"{economy} is charged {100 * rate:.1f} %, the mean over {len(rates)} origins "
        f"({100 * rates.min():g} to {100 * rates.max():g} %), {how}."
    )
    return rate


def _rule(importer: str, origin: str, sector: str, change: Change, rate: float, row: Mapping[Hashable, object]) -> Rule:
    partners = (origin,) if origin else ()
    date, authority = str(row.get("date", "")), str(row.get("authority", ""))
    where = f"{importer} on {origin or 'all'}"
    return Rule(importer, change, rate, partners, (sector,), date=date, authority=authority, where=where)
