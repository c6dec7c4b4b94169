"""The tables of a bundle: read strictly, their labels those of its economies and sectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlopt.calibrations.schema import axis_of
from dlopt.store import tables
from dlopt.store.faults import Faults
from dlopt.store.tables import Array as Array
from dlopt.store.tables import Axis, Index, RawTable
from dlopt.store.tables import check_rule as check_rule
from dlopt.store.tables import read_table as read_table

SOURCES = {"economy": "value_added_share", "sector": "elasticity"}
"""Axis -> the table of a bundle that lists its labels."""


def cell_index(
    raw: RawTable, keys: Sequence[str], axes: Mapping[str, Sequence[str]], faults: Faults
) -> tuple[list[Index], Array]:
    """Where each record belongs: `dlopt.store.tables.cell_index` with the axes of a bundle.

    Args:
        raw: the records.
        keys: label columns in axis order.
        axes: the valid labels of `economy` and of `sector`.
        faults: unknown and repeated labels are noted here.

    Returns:
        Positions along each axis, and a boolean mask of the records that are sound.
    """
    named = {column: axis_of(column) for column in keys}
    of = {column: Axis(axes[word], word, SOURCES[word]) for column, word in named.items()}
    return tables.cell_index(raw, keys, of, faults)
