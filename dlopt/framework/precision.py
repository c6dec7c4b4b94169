"""The one place where torch's default type is changed: around what makes tensors without saying theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Tensors made of numbers are float64 while the block runs."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
