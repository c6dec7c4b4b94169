"""Results that hold their tables."""

from __future__ import annotations

import pandas as pd

from dlopt.errors import UnknownNameError
from dlopt.shown import Shown


class Tabled(Shown):
    """A result whose tables, by name, are its `frames`."""

    frames: dict[str, pd.DataFrame]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables by name, see `frames`."""
        return dict(self.frames)

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(self.frames)

    def table(self, name: str) -> pd.DataFrame:
        """One table.

        Raises:
            UnknownNameError: it has none of this name.
        """
        if name not in self.frames:
            raise UnknownNameError("table", name, self.frames)
        return self.frames[name]
