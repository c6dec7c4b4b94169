"""Shocks as analysts say them: sentences such as `USA-CHN: +10% trade costs on motor vehicles`, or tables."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from dlopt.policies.words import listed
from dlopt.trade.calibration import Calibration
from dlopt.trade.places import economies_of, sectors_of
from dlopt.trade.rules import PolicyWordsError
from dlopt.trade.shocks import Shock

FORM = "WHO: CHANGE% WHAT on SECTORS, such as 'USA-CHN: +10% trade costs on motor vehicles; CHN: +5% productivity'"
COLUMNS = ("what", "origin", "destination", "sector", "factor")
"""Of a table of shocks."""
WHAT = ("trade_cost", "productivity", "labour")
"""What may change, as tables call it."""

_SENTENCE = re.compile(
    r"(?:(?P<sign>[+-])\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>%)?\s*"
    r"(?:on\s+|in\s+|of\s+)?(?P<what>trade\s+costs?|productivity|labou?r)|(?P<autarky>autarky|no\s+trade))"
    r"(?:\s+(?:on|in)\s+(?P<sectors>.+))?",
    re.IGNORECASE,
)
_PAIR = re.compile(r"\s*(->|>|-|\bto\b|\bwith\b)\s*")


@dataclasses.dataclass(frozen=True, eq=False)
class AppliedShock:
    """A shock made from words or a table.

    Attributes:
        shock: factors for every cell of the world.
        notes: what a reader should know about how words were taken, one sentence each.
    """

    shock: Shock
    notes: tuple[str, ...]


class _Factors:
    """Factors of one, which sentences and rows multiply."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self.cost = torch.ones_like(calibration.trade)
        self.productivity = torch.ones_like(calibration.subsidy)
        self.labour = torch.ones(calibration.n_economies, dtype=calibration.trade.dtype)

    def costs(self, origins: list[int], destinations: list[int], sectors: list[int], factor: float) -> None:
        """Multiply trade costs; those within an economy never change."""
        for i in origins:
            for n in destinations:
                if i != n:
                    self.cost[i, n, sectors] *= factor

    def change(self, what: str, economies: list[int], sectors: list[int], factor: float) -> None:
        """Multiply productivity in sectors, or labour."""
        for i in economies:
            if what == "labour":
                self.labour[i] *= factor
            else:
                self.productivity[i, sectors] *= factor

    def shock(self, notes: list[str]) -> AppliedShock:
        """What has come of it; factors that are all one are left out."""

        def some(factor: Tensor) -> Tensor | None:
            return factor if bool((factor != 1).any()) else None

        return AppliedShock(
            Shock(some(self.cost), some(self.productivity), some(self.labour)), tuple(dict.fromkeys(notes))
        )


def shock_from(text: str, calibration: Calibration) -> AppliedShock:
    """The shock that sentences or a CSV file stand for.

    Sentences end with `;` and multiply. Each is `WHO: CHANGE WHAT [on SECTORS]`. WHAT is `trade costs` (iceberg),
    `productivity` or `labour`, CHANGE a percentage with its sign; or `autarky`, which ends trade exactly. WHO is one or
    several economies, or `all`; of trade costs and autarky also a pair: `USA-CHN` both ways, `CHN>USA` from China to
    the USA only. One economy alone trades with everybody, both ways. Without SECTORS all change, services too.

    A file has the columns `what` (`trade_cost`, `productivity`, `labour`), `origin`, `destination`, `sector` and
    `factor`; 1.1 is 10 % more, `inf` ends a flow. `all` stands for everybody and everything; productivity and labour
    name the economy as `origin` and leave `destination` empty.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    factors, notes = _Factors(calibration), list[str]()
    path = Path(text).expanduser()
    if path.suffix == ".csv" and ":" not in text:
        _table(path, factors)
        return factors.shock(notes)
    sentences = [part.strip() for part in text.split(";") if part.strip()]
    if not sentences:
        raise PolicyWordsError(f"The shock is empty. Write {FORM}, or a CSV file.")
    for sentence in sentences:
        _say(sentence, factors, notes)
    return factors.shock(notes)


def _say(sentence: str, factors: _Factors, notes: list[str]) -> None:
    c = factors.calibration
    who, _, body = sentence.partition(":")
    found = _SENTENCE.fullmatch(body.strip())
    if found is None or not who.strip():
        raise PolicyWordsError(f"{sentence!r} cannot be understood as a shock. Write {FORM}, or a CSV file.")
    what = "trade costs" if found["autarky"] else found["what"].lower()
    factor = math.inf
    if not found["autarky"]:
        if not found["unit"]:
            raise PolicyWordsError(f"{sentence!r}: write the change in per cent, such as {found['sign']}10%.")
        factor = 1 + float(f"{found['sign']}{found['number']}") / 100
        if factor <= 0:
            raise PolicyWordsError(f"{sentence!r}: nothing can fall by 100 % or more. Say autarky to end trade.")
    words = listed(found["sectors"])
    sectors = sectors_of(words, c, notes) if words else list(range(c.n_sectors))
    everybody = list(range(c.n_economies))
    for name in listed(who):
        if what.startswith("trade"):
            pair = _pair(name, c)
            if pair is not None:
                first, both, second = pair
                factors.costs(first, second, sectors, factor)
                if both and first != second:
                    factors.costs(second, first, sectors, factor)
                continue
            economies = economies_of(name, c)
            factors.costs(economies, everybody, sectors, factor)
            factors.costs([i for i in everybody if i not in economies], economies, sectors, factor)
        else:
            if what.startswith("labo") and words:
                raise PolicyWordsError(f"{sentence!r}: labour moves between sectors; leave them out.")
            economies = economies_of(name, c)
            factors.change("labour" if what.startswith("labo") else "productivity", economies, sectors, factor)


def _pair(name: str, calibration: Calibration) -> tuple[list[int], bool, list[int]] | None:
    """The two ends of `USA-CHN` (both ways) or `CHN>USA`; None for one name, which may hold a hyphen itself."""
    if name in calibration.economies:
        return None
    parts = [(found.start(), found.end(), found[1]) for found in _PAIR.finditer(name)]
    for start, end, sign in parts:
        first, second = name[:start].strip(), name[end:].strip()
        if first and second:
            return economies_of(first, calibration), sign in ("-", "with"), economies_of(second, calibration)
    return None


def _table(path: Path, factors: _Factors) -> None:
    c = factors.calibration
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PolicyWordsError(f"{path} cannot be read as a table of shocks ({error}). Give a CSV file.") from error
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise PolicyWordsError(f"{path} has no column {missing[0]!r}. A table of shocks has {', '.join(COLUMNS)}.")
    for number, row in enumerate(frame[list(COLUMNS)].itertuples(index=False), 2):
        what, origin, destination, sector, factor = (str(value).strip() for value in row)
        where = f"{path}, row {number}"
        if what not in WHAT:
            raise PolicyWordsError(f"{where}: what={what!r}. Write {', '.join(WHAT)}.")
        try:
            value = float(factor)
        except ValueError:
            value = math.nan
        if not value > 0 or (what != "trade_cost" and math.isinf(value)):
            raise PolicyWordsError(f"{where}: factor={factor!r}. Write a number above 0: 1.1 is 10 % more.")
        if (what == "trade_cost") != bool(destination):
            rule = "name the destination" if what == "trade_cost" else "leave the destination empty"
            raise PolicyWordsError(f"{where}: {what} of {origin}: {rule}.")
        sectors = list(range(c.n_sectors)) if sector in ("", "all") else sectors_of([sector], c, [])
        if what == "trade_cost":
            factors.costs(economies_of(origin, c), economies_of(destination, c), sectors, value)
        else:
            factors.change(what, economies_of(origin, c), sectors, value)
