"""What a solver has done, on record: a run cut off goes on where it was, with the same numbers.

A solver takes its steps through a `Tape`. A step that is on record is not computed again: the solver runs through its
own control flow in no time and finds itself where the record ends. Nothing of its state has to be saved besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Entry = dict[str, Any]
"""A step on record: `label`, `seconds` since the run began, and its result in tensors, numbers and strings.

`carry` is what only the step after it needs, which may be large: it is dropped once that step is taken.
"""


class TapeMismatchError(Exception):
    """The record is of other steps than the solver takes."""


class Tape:
    """Steps in the order they are taken.

    Args:
        entries: of an earlier run that was cut off.
        stop: asked between the parts of a long step whether to stop.

    Attributes:
        entries: all steps on record, those of the earlier run first.
    """

    def __init__(self, entries: Iterable[Entry] = (), stop: Callable[[], bool] = lambda: False) -> None:
        self.entries = list(entries)
        self.stop = stop
        self._position = 0
        self._before = float(self.entries[-1]["seconds"]) if self.entries else 0.0
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time the run has taken, that of the earlier run included; while steps are read, when each was taken."""
        if 0 < self._position < len(self.entries):
            return float(self.entries[self._position - 1]["seconds"])
        return self._before + time.perf_counter() - self._began

    def take(self, label: str, compute: Callable[[], Mapping[str, Any]]) -> Entry:
        """The next step: from the record, or computed and recorded.

        Raises:
            TapeMismatchError: the record has another step here.
        """
        if self._position < len(self.entries):
            entry = self.entries[self._position]
            if entry["label"] != label:
                raise TapeMismatchError(f"step {self._position + 1} on record is {entry['label']!r}, not {label!r}")
        else:
            result = compute()
            if self.entries and "carry" in self.entries[-1]:
                self.entries[-1]["carry"] = None
            entry = {"label": label, "seconds": self.seconds, **result}
            self.entries.append(entry)
        self._position += 1
        return entry
