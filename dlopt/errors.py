"""The base of every exception dlopt raises on purpose."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DloptError(Exception):
    """Something the user can put right: the message names the cause, the offending value and the remedy."""


class UnknownNameError(DloptError):
    """A name that is not among the valid ones."""

    def __init__(self, kind: str, name: object, valid: Iterable[object]) -> None:
        self.kind, self.name = kind, name
        self.valid = [str(v) for v in valid]
        close = difflib.get_close_matches(str(name), self.valid, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
        super().__init__(f"Unknown {kind} {str(name)!r}. {hint}Valid: {', '.join(self.valid)}.")
