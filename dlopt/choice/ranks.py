"""Processes that train together: all hold the same weights, each evaluates its share of every batch.

All draw the same random numbers, for the whole batch. Its rows are cut into pieces; each piece is evaluated by itself,
and what is found in all of them is put together, in their order, before it is used. So weights, states and random
numbers are the same in all processes, and those of one process: to the last bit where it has as many pieces
(`method.pieces`), else to rounding.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from dlopt.errors import DloptError

PATIENCE = datetime.timedelta(minutes=30)
"""How long a process may let the others wait (the first one computes the exact solution before they train)."""

T = TypeVar("T")


class RanksError(DloptError):
    """Processes that cannot train together, or do not any more."""


class Ranks:
    """One process alone: its share is everything.

    Attributes:
        rank: its number; the first, 0, decides, and is the only one that writes.
        size: how many train together.
        least: pieces of every batch, where there are not more processes.
    """

    rank, size, least = 0, 1, 1

    def cut(self, pieces: int) -> Self:
        """The same with another number of pieces."""
        other = copy.copy(self)
        other.least = pieces
        return other

    @property
    def _many(self) -> int:
        """Pieces of all processes together."""
        return max(self.least, self.size)

    def pieces(self, n: int) -> list[slice]:
        """Which of n rows are those of this process, in the pieces that are evaluated one by one."""
        many = self._many
        cuts = [n * k // many for k in range(many + 1)]
        own = slice(many * self.rank // self.size, many * (self.rank + 1) // self.size)
        return [slice(*ends) for ends in itertools.pairwise(cuts)][own]

    def whole(self, parts: Sequence[Tensor], n: int) -> Tensor:
        """All n rows, of which each process gives its pieces."""
        return torch.cat(list(parts))

    def total(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum over the pieces of all, of which each process gives what it found in its own."""
        return self.whole([part[None] for part in parts], self._many).sum(0)

    def told(self, value: T) -> T:
        """The value of the first process."""
        return value

    def anybody(self, asked: bool) -> bool:
        """Whether it is true in some process."""
        return asked


class Together(Ranks):
    """One of several processes: every method is called by all of them, in the same order.

    A process that has ended ends the others with a `RanksError`, at once where the system tells, else after `PATIENCE`.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def whole(self, parts: Sequence[Tensor], n: int) -> Tensor:
        full = parts[0].new_zeros(n, *parts[0].shape[1:])
        for rows, part in zip(self.pieces(n), parts, strict=True):
            full[rows] = part
        with _answered():
            dist.all_reduce(full)
        return full

    def told(self, value: T) -> T:
        said = [value]
        with _answered():
            dist.broadcast_object_list(said, device=torch.device("cpu"))
        return said[0]

    def anybody(self, asked: bool) -> bool:
        count = torch.tensor([float(asked)])
        with _answered():
            dist.all_reduce(count)
        return bool(count > 0)


@contextlib.contextmanager
def joined(device: torch.device, local_rank: int, local_size: int) -> Iterator[Ranks]:
    """This process as one of those that `torchrun` started (torch's `env://`), while the block runs.

    On GPUs each process of a machine takes its own, by NCCL; on the CPU they talk by Gloo.

    Args:
        device: on which all of them train.
        local_rank, local_size: number of this process among those of its machine, and how many those are.

    Raises:
        RanksError: not a GPU for each, or they do not find each other.
    """
    if device.type == "cuda":
        if device.index is not None or local_size > torch.cuda.device_count():
            raise RanksError(
                f"{local_size} processes on this machine need a GPU each: {torch.cuda.device_count()} here, asked for "
                f"{str(device)!r}. Start as many processes as there are GPUs with device=cuda, or give device=cpu."
            )
        torch.cuda.set_device(local_rank)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RanksError(
            f"The processes did not find each other: {_reason(error)}. Start them with "
            "`torchrun --nproc-per-node=N -m dlopt ...`; for one process alone, unset WORLD_SIZE."
        ) from error
    yield Together()
    dist.destroy_process_group()


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise RanksError(
            f"Another process of this training has ended or does not answer ({_reason(error)}). Its own message "
            "says why; go on with resume=RUN, with any number of processes."
        ) from error


def _reason(error: Exception) -> str:
    """The first sentence of torch's message, without the place in its sources."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[\S+\] ", "", line).partition(". ")[0].rstrip(".")
