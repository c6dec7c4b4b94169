"""Anderson mixing: the step that the last iterates of a fixed-point iteration suggest together.

Source: Walker and Ni (2011), Anderson acceleration for fixed-point iterations (type II).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor


def mixed(points: list[Tensor], steps: list[Tensor]) -> Tensor:
    """Anderson's step from the last point, `[problem, unknown]`.

    Args:
        points: the last iterates of each problem, oldest first, `[problem, unknown]` each.
        steps: the plain step the iteration would take from each of them.
    """
    if len(points) == 1:
        return steps[0]
    dx = torch.stack([b - a for a, b in pairwise(points)], dim=2)
    ds = torch.stack([b - a for a, b in pairwise(steps)], dim=2)
    scale = ds.norm(dim=1, keepdim=True).clamp(min=1e-300)
    unit = ds / scale
    # The ridge stands for the rounding of nearly parallel steps.
    gram = unit.mT @ unit + 1e-13 * torch.eye(unit.shape[2], dtype=unit.dtype, device=unit.device)
    weight = torch.linalg.solve(gram, unit.mT @ steps[-1][:, :, None])
    return steps[-1] - (((dx + ds) / scale) @ weight)[:, :, 0]
