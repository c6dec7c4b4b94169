"""The tidy form of a table: one row per number, the published one beside the computed one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

COLUMNS = ("row", "column", "variant", "published", "computed", "difference", "status")


def cell(
    row: str, column: str, variant: str, published: float | None, computed: float | None, status: str
) -> dict[str, Any]:
    """One number; what is not known is NaN."""
    left, right = (float("nan") if value is None else float(value) for value in (published, computed))
    return dict(zip(COLUMNS, (row, column, variant, left, right, right - left, status), strict=True))


def frame(cells: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Cells as a table."""
    return pd.DataFrame(list(cells), columns=[*COLUMNS, *(k for k in (cells[0] if cells else ()) if k not in COLUMNS)])


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: `column`, `row`, `published`, then a column for each variant, in the order of the table."""
    keys = ["column", "row"]
    computed = table.pivot(index=keys, columns="variant", values="computed")[list(dict.fromkeys(table["variant"]))]
    published = table.drop_duplicates(keys).set_index(keys)["published"]
    joined = computed.loc[published.index]
    joined.insert(0, "published", published)
    joined.columns.name = None
    return joined.reset_index()


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Root mean square difference by column (down) and variant (across), over numbers that have both sides."""
    both = table.dropna(subset=["difference"])
    squares = both.assign(square=both["difference"] ** 2).groupby(["column", "variant"], sort=False)["square"].mean()
    rms = squares.map(math.sqrt).unstack("variant")
    return rms.reindex(columns=[v for v in dict.fromkeys(table["variant"]) if v in rms])
