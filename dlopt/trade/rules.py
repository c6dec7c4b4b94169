"""One rule of a policy: who charges what on whose goods."""

from __future__ import annotations

import dataclasses
from typing import Literal

from dlopt.errors import DloptError
from dlopt.trade.rates import TARIFF

Change = Literal["set", "add", "reciprocal"]


class PolicyWordsError(DloptError):
    """A sentence or a row of a schedule that cannot be understood, or names nobody here."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What one sentence, or one row of a schedule, asks for. Names are those that were written.

    Attributes:
        actor: the economy (or group, or `all`) that sets the rate: the importer for a tariff.
        change: `set` replaces the rate; `add` changes it by percentage points; `reciprocal` answers in kind: to its
            tariffs on whoever changed tariffs on its goods, the actor adds the same percentage points, sector by
            sector.
        rate: a fraction; of no meaning for `reciprocal`.
        partners: economies or groups whose goods are charged (for an export tax: the buyers); empty means all.
        sectors: labels, names or groups of sectors; empty means all tradable ones.
        instrument: which rate.
        date, authority: when and by what law, as text; nothing is computed from them.
        where: the place in a file or sentence, for messages.
    """

    actor: str
    change: Change
    rate: float = 0.0
    partners: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    instrument: str = TARIFF.name
    date: str = ""
    authority: str = ""
    where: str = ""
