"""Whether `torchrun` started this process, and as which of how many: only `dlopt solve bsde` can share its work."""

from __future__ import annotations

import os

from dlopt.errors import DloptError


class ProcessesError(DloptError):
    """A command that several processes were started for, and that only one can do."""


def count() -> int:
    """How many were started, on all machines."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Number of this one among them."""
    return _number("RANK", 0)


def local_count() -> int:
    """How many were started on this machine."""
    return _number("LOCAL_WORLD_SIZE", count())


def local_rank() -> int:
    """Number of this one among those on its machine."""
    return _number("LOCAL_RANK", rank())


def refuse_several(command: str) -> None:
    """Stop a command that cannot be shared.

    Raises:
        ProcessesError: several processes were started.
    """
    if count() > 1:
        raise ProcessesError(
            f"{count()} processes were started (WORLD_SIZE), and {command} is the work of one: start it without "
            "torchrun. Only the training of `dlopt solve bsde` can be shared."
        )


def _number(variable: str, otherwise: int) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else otherwise
