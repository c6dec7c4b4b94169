"""A result as it is looked at from Python: summary, page in a notebook, pictures, comparison."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import Ended, Sheet, Status
from dlopt.runs import RunFolder, read_run
from dlopt.runs.record import FILE, WRITTEN
from dlopt.trade.provenance import STYLISED, stylised
from dlopt.views.figures import results as pictures
from dlopt.views.sheets import WIDTH
from dlopt.views.sheets import html as as_html
from dlopt.views.sheets import text as as_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dlopt.shown import Shown


class CompareError(DloptError):
    """Results that cannot stand side by side."""


def summary(result: Shown) -> str:
    """The answer first, then what proves it."""
    parts = [textwrap.fill(_how_it_ended(result), WIDTH), as_text(_sheets(result))]
    return "\n\n".join(part for part in parts if part)


def html(result: Shown) -> str:
    """The same as HTML."""
    return f"<p>{escape(_how_it_ended(result))}</p>{as_html(_sheets(result))}"


def compare(results: Sequence[Any]) -> tuple[Sheet, ...]:
    """Results of one kind side by side.

    Raises:
        CompareError: they are of different kinds, or there is one only.
    """
    if len(results) < 2:
        raise CompareError("There is nothing to compare with: give another result of the same kind.")
    kinds = [getattr(result, "kind_name", type(result).__name__) for result in results]
    if len(set(kinds)) > 1:
        raise CompareError(f"Results of different kinds cannot be compared: {', '.join(kinds)}.")
    return tuple(results[0].shown_by.compare([_ended(result) for result in results]))


def save(result: Any, folder: Path) -> None:
    """Write tables and `run.json` into a folder.

    Raises:
        FolderInUseError: it holds a run that was not written by this function.
    """
    again = None
    if (folder / FILE).is_file() and read_run(folder).command == WRITTEN:
        again = folder
    metadata = dict(getattr(result, "metadata", {}))
    name = metadata.get("calibration") or getattr(getattr(result, "model", None), "name", "")
    note = STYLISED if stylised(metadata.get("source", "")) else ""
    run = RunFolder.start(
        folder,
        kind=result.kind_name,
        verb="",
        command=WRITTEN,
        scenario=str(name),
        calibration={"name": str(name), "sha256": metadata.get("calibration_sha256", ""), "note": note},
        accounting=metadata.get("accounting", ""),
        seed=0,
        threads=1,
        resumed=again,
    )
    run.write_tables(result.tables(), metadata)
    converged = Status(result.status) is Status.CONVERGED
    answer = result.shown_by.brief(_ended(result)) if converged else ""
    run.finish(str(result.status), message=result.message, certificate=_certificate(result) or None, answer=answer)


def plot(result: Any, what: str = "") -> Figure:
    """One picture of a result.

    Raises:
        MissingPlotError: matplotlib is not installed.
        UnknownNameError: there is none of this name.
    """
    found = pictures.of_run(result.table_names, result.table)
    if what and what not in found:
        raise UnknownNameError("picture", what, found)
    if not found:
        raise UnknownNameError("picture", what or "of this result", ())
    return found[what or next(iter(found))]()


def _how_it_ended(result: Any) -> str:
    return f"{str(result.status).replace('_', ' ').capitalize()}. {result.message}".strip()


def _sheets(result: Any) -> list[Sheet]:
    found: list[Sheet] = result.shown_by.sheets(_ended(result))
    return found


def _ended(result: Any) -> Ended:
    def table(name: str) -> pd.DataFrame | None:
        return result.table(name) if name in result.table_names else None

    return Ended("", Status(result.status), _certificate(result), table)


def _certificate(result: Any) -> dict[str, Any]:
    return {} if result.certificate is None else dataclasses.asdict(result.certificate)
