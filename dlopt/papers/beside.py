"""Papers whose tables are computed economy by economy on the authors' own data: `dlopt reproduce ossa2014` and others.

A paper here is a folder with `tables`, which takes a function that loads calibrations by name and one that is told what
is being solved, and gives frames with columns `published`, `computed` and `certified`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from dlopt.errors import UnknownNameError
from dlopt.store.exports import without_formulas
from dlopt.store.files import write_text
from dlopt.trade.calibration import Calibration

PAPERS = {
    "ossa2014": "Ossa (2014), Trade wars and trade talks with data",
    "ll2023": "Lashkaripour and Lugovskyy (2023), Profits, scale economies, and the gains from policy",
    "caliendo_parro": "Caliendo and Parro (2015), Estimates of the trade and welfare effects of NAFTA",
}
"""Papers by name, the name of a folder beside this file."""

Load = Callable[[str], Calibration]
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Beside:
    """One table: a row for each number, published beside computed.

    Attributes:
        name: of its file; title and note: printed with it.
        frame: columns of labels, then `published`, `computed`, `certified`.
    """

    name: str
    title: str
    note: str
    frame: pd.DataFrame

    @property
    def certified(self) -> bool:
        """Whether every number is."""
        return bool(self.frame["certified"].all())


def tables(paper: str, load: Load, say: Say, economies: Sequence[str] = ()) -> Iterator[Beside]:
    """The tables of a paper, as they are solved; for some `economies`, where they are named.

    Raises:
        UnknownNameError: there is no such paper, or a calibration it needs is not imported.
    """
    if paper not in PAPERS:
        raise UnknownNameError("paper", paper, list(PAPERS))
    found: Iterator[Beside] = importlib.import_module(f"dlopt.papers.{paper}.tables").tables(load, say, economies)
    return found


def write(table: Beside, folder: Path) -> Path:
    """Write a table as CSV; its difference is computed less published."""
    frame = table.frame.assign(difference=table.frame["computed"] - table.frame["published"])
    path = folder / f"{table.name}.csv"
    write_text(path, without_formulas(frame).to_csv(index=False, lineterminator="\n"))
    return path
