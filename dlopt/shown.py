"""What every result can do to be looked at: a summary, pictures, comparisons, and a page in a notebook.

How a result looks is the business of `dlopt.views`, which lies above the rooms that solve. This base class is the one
place where a result reaches up to it, by name and only when it is asked.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """Results side by side, named by their position from 1; prints as text, and as tables in a notebook.

    Attributes:
        sheets: the tables (`dlopt.kind.Sheet`), their cells as words.
    """

    sheets: tuple[Any, ...]

    def __repr__(self) -> str:
        text: str = _views().as_text(self.sheets)
        return text

    def _repr_html_(self) -> str:
        html: str = _views().as_html(self.sheets)
        return html


class Shown:
    """A result that can be looked at. It has `status`, `message`, `certificate`, `tables()` and `table(name)`."""

    @property
    def kind_name(self) -> str:
        """The kind of problem it answers, a name of `dlopt.registry`."""
        raise NotImplementedError

    @property
    def shown_by(self) -> Any:
        """What lays it out, with `sheets(ended)` and `compare(runs)`: its kind."""
        return importlib.import_module("dlopt.registry").load_kind(self.kind_name)

    def summary(self) -> str:
        """The answer, then what proves it, as plain text for 80 columns."""
        text: str = _views().summary(self)
        return text

    def plot(self, what: str = "") -> Figure:
        """A picture of it, a matplotlib figure (`figure.savefig(...)`); a notebook shows it.

        Args:
            what: which one; the message about an unknown name lists them. By default the answer.

        Raises:
            MissingPlotError: matplotlib is not installed.
            UnknownNameError: it has no picture of this name.
        """
        figure: Figure = _views().plot(self, what)
        return figure

    def to_parquet(self, folder: str | Path) -> None:
        """Write every table as Parquet into a folder, and `run.json`: `dlopt runs`, `report` and `export` take it.

        A folder written before by this method is replaced; it does not open again as a result (`dlopt.open_run`).

        Raises:
            FolderInUseError: the folder holds a run of `dlopt solve`.
            FileWriteError: it cannot be written.
        """
        _views().save(self, Path(folder).expanduser())

    def compare(self, *others: Any) -> Comparison:
        """It and other results of the same kind side by side, as `dlopt runs compare` shows runs.

        Raises:
            CompareError: the results are of different kinds, or there is no other.
        """
        return Comparison(_views().compare((self, *others)))

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        html: str = _views().html(self)
        return html


def _views() -> Any:
    return importlib.import_module("dlopt.views.results")
