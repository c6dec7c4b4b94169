"""Muon for the square matrices between hidden layers, Adam for everything else.

Muon (Jordan et al., 2024) moves a matrix along its momentum with all singular values set to about 1, by five
Newton-Schulz steps. In float32 throughout: matrices are small, and runs must repeat exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum.

    Args:
        params: matrices.
        lr: spectral norm of a step, about.
        momentum: memory of the gradient.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                momentum = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalised(p.grad.lerp(momentum, group["momentum"]))
                p.add_(update, alpha=-group["lr"])


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix with the singular vectors of `matrix` and singular values between about 0.7 and 1.2."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (matrix.norm() + 1e-12)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
