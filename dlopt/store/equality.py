"""Equality of records that hold tensors or arrays, where `==` of a plain dataclass raises."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal: tensors and arrays of one type, shape and content, records field by field."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.device == other.device and torch.equal(one, other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, torch.Tensor | np.ndarray) or isinstance(other, torch.Tensor | np.ndarray):
        return False
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def same_record(one: Any, other: Any) -> bool:
    """Whether two dataclasses are of one type and equal in every field that takes part in comparisons."""
    return type(one) is type(other) and all(
        same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one) if field.compare
    )
