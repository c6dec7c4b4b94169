"""Derivative of the equilibrium equations with respect to instruments: four entries for every cell that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.trade.instruments import Instruments

if TYPE_CHECKING:
    from dlopt.trade.derivatives import Linearisation


class WedgeJacobian:
    """F_a, `[unknown, instrument]`, without its zeros.

    Args:
        linearisation: weights at the point.
        instruments: who chooses which cells.
    """

    def __init__(self, linearisation: Linearisation, instruments: Instruments) -> None:
        self._size, self._count = linearisation.model.size, instruments.count
        rows, columns, values = [], [], []
        for index, cells in zip(instruments.cells(), linearisation.wedge_cells().values(), strict=True):
            here = index >= 0
            if not bool(here.any()):
                continue
            for row, value in cells:
                rows.append(row[here])
                columns.append(index[here])
                values.append(value[here])
        self._rows, self._columns, self._values = torch.cat(rows), torch.cat(columns), torch.cat(values)

    def times(self, change: Tensor) -> Tensor:
        """`F_a change`, `[instrument] -> [unknown]`."""
        return change.new_zeros(self._size).index_add_(0, self._rows, self._values * change[self._columns])

    def transposed_times(self, rows: Tensor) -> Tensor:
        """`F_a' rows`, `[unknown, column] -> [instrument, column]`."""
        out = rows.new_zeros((self._count, rows.shape[1]))
        return out.index_add_(0, self._columns, self._values[:, None] * rows[self._rows])

    def columns(self, chosen: Tensor) -> Tensor:
        """Columns of F_a for some instruments, `[unknown, chosen]`."""
        position = torch.full((self._count,), -1)
        position[chosen] = torch.arange(len(chosen))
        to = position[self._columns]
        here = to >= 0
        out = self._values.new_zeros((self._size, len(chosen)))
        return out.index_put_((self._rows[here], to[here]), self._values[here], accumulate=True)
