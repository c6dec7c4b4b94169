"""Schedules that come with dlopt: facts of public record, each with its date and source."""

from __future__ import annotations

import csv
import dataclasses
import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING

from dlopt.errors import UnknownNameError
from dlopt.policies.schedule import read_schedule

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(str(importlib.resources.files("dlopt.policies"))) / "shipped"


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What the index says about a schedule.

    Attributes:
        name: how users call it.
        date: since when it, or the last of its rows, was in force, or announced.
        importer: who charges.
        title: what it is.
        source: the orders it was taken from.
        note: what it leaves out.
    """

    name: str
    date: str
    importer: str
    title: str
    source: str
    note: str

    @property
    def path(self) -> Path:
        """Its table."""
        return FOLDER / f"{self.name}.csv"


def schedules() -> list[Schedule]:
    """All schedules that come with dlopt, by date."""
    with (FOLDER / "index.csv").open(encoding="utf-8", newline="") as file:
        found = [Schedule(**row) for row in csv.DictReader(file)]
    return sorted(found, key=lambda schedule: (schedule.date, schedule.name))


def shipped_schedule(name: str) -> tuple[Schedule, pd.DataFrame]:
    """A schedule by name, and its table as from `read_schedule`.

    Raises:
        UnknownNameError: there is none of that name.
    """
    for schedule in schedules():
        if schedule.name == name:
            return schedule, read_schedule(schedule.path)
    raise UnknownNameError("schedule", name, [schedule.name for schedule in schedules()])
