"""What `dlopt solve bsde` solves: for each scenario, how its models are found, read and written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlopt.choice import load_model, load_network, read_folder, read_network, write_folder, write_network
from dlopt.views.figures.network import draw


@dataclasses.dataclass(frozen=True)
class Problem:
    """The functions of one kind of model.

    Attributes:
        load: a model by name or folder.
        read, write: a model folder.
        size: how large a model is, in words.
        units: of the tables.
        draw: makes pictures of the tables in a folder, where there are any.
    """

    load: Callable[[str], Any]
    read: Callable[[Path], Any]
    write: Callable[[Any, Path], None]
    size: Callable[[Any], str]
    units: str
    draw: Callable[[dict[str, Any], Path], Any] | None = None


PROBLEMS = {
    "export": Problem(
        load_model, read_folder, write_folder, lambda m: f"{m.destinations} destinations",
        "values and costs in the model's unit of money, rates per year",
    ),
    "network": Problem(
        load_network, read_network, write_network, lambda m: f"{m.size} sectors",
        "values in utility times years, log GDP in percent, rates per year", draw,
    ),
}  # fmt: skip
"""Scenario -> problem."""
