"""The base of every exception dlopt raises on purpose."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DloptError(Exception):
    """Something the user can put right: the message names the cause, the offending value and the remedy."""


_MOST_LISTED = 24
"""Names a message lists: more is a wall of text in which nobody finds one."""


class UnknownNameError(DloptError):
    """A name that is not among the valid ones."""

    def __init__(self, kind: str, name: object, valid: Iterable[object]) -> None:
        self.kind, self.name = kind, name
        self.valid = [str(v) for v in valid]
        close = difflib.get_close_matches(str(name), self.valid, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        super().__init__(f"Unknown {kind} {str(name)!r}.{hint}{self._listed(bool(close))}")

    def _listed(self, hinted: bool) -> str:
        """All valid names where they are few; where they are many, the first, unless there is a better hint."""
        count = len(self.valid)
        if count <= _MOST_LISTED:
            return f" Valid: {', '.join(self.valid)}."
        return "" if hinted else f" Valid: {', '.join(self.valid[:_MOST_LISTED])} and {count - _MOST_LISTED} more."
