"""What can be reproduced: tables and figures with their captions, the problems behind them, and functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from dlopt.calibrations.catalog import DEFAULT
from dlopt.papers.engine.published import SOURCE
from dlopt.papers.engine.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def of_calibration(study: Study) -> str:
    """The calibration that a study is of, in words."""
    name = study.calibration.name
    return f"Calibration: {name}{' (embedded, stylised: not data)' if name == DEFAULT else ''}."


@dataclasses.dataclass(frozen=True)
class Target:
    """What tables and figures have in common.

    Attributes:
        title: caption.
        needs: names of everything it needs solved: scenarios, paths of the published algorithm, trainings.
        note: printed below it.
        about: what it was computed on, in words.
        source: where the published numbers are from.
    """

    title: str
    needs: tuple[str, ...]
    note: str = ""
    about: Callable[[Study], str] = of_calibration
    source: str = SOURCE

    def caption(self, study: Study) -> str:
        """The title, and what it was computed on."""
        return f"{self.title}. {self.about(study)}"


@dataclasses.dataclass(frozen=True)
class Table(Target):
    """A table.

    Attributes:
        build: its cells.
        form: of its numbers, as in `format`.
        rms: whether a root mean square over rows means something.
    """

    build: Callable[[Study], pd.DataFrame] = dataclasses.field(kw_only=True)
    form: str = ".2f"
    rms: bool = False


@dataclasses.dataclass(frozen=True)
class Picture(Target):
    """A figure.

    Attributes:
        data: what it shows; None where the calibration cannot show it.
        draw: from that table alone.
    """

    data: Callable[[Study], pd.DataFrame | None] = dataclasses.field(kw_only=True)
    draw: Callable[[pd.DataFrame], Figure] = dataclasses.field(kw_only=True)
