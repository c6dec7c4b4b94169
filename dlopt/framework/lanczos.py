"""Largest eigenvalues of all players' own Hessians at once, from products alone.

The own Hessians are the blocks of one block-diagonal operator. One Lanczos process, with coefficients for each block,
serves all players: a product costs the same for one as for all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """What a Lanczos process found about symmetric blocks.

    Attributes:
        largest: largest Ritz value of each block, a lower bound of its largest eigenvalue, `[player]`.
        smallest: smallest Ritz value, `[player]`.
        residual: of the largest Ritz pair; some eigenvalue is this near to it, `[player]`.
        missed: bound of the probability, over the random start, that any block has an eigenvalue of zero or above
            although all `largest` are below.
        steps: products taken.
    """

    largest: Tensor
    smallest: Tensor
    residual: Tensor
    missed: float
    steps: int


def largest_eigenvalues(
    times: Callable[[Tensor], Tensor], owner: Tensor, players: int, free: Tensor, accuracy: float = 1e-3,
    missed: float = 1e-6, max_steps: int = 80, seed: int = 0,
) -> Spectrum:  # fmt: skip
    """Spectrum of every player's block by Lanczos with full orthogonalisation, from a random start.

    Args:
        times: of the block-diagonal symmetric operator, `[instrument] -> [instrument]`.
        owner: block of each instrument, `[instrument]`.
        players: number of blocks.
        free: instruments that count, bool `[instrument]`; the others are left out of the blocks.
        accuracy: residual of the largest Ritz pairs at which the process may end, as a fraction of the spread.
        missed: it goes on until the probability bound is this small, too.
        max_steps: products allowed; eigenvalues are looked at after every step and, later on, after a fortieth more.
        seed: of the start.

    Source: for a random start, Kuczynski and Wozniakowski (1992), theorem 4.1: after k steps the probability that the
    largest eigenvalue of n exceeds the Ritz value by more than a fraction e of the spread of all eigenvalues is at most
    `1.648 sqrt(n) exp(-(2k - 1) sqrt(e))`. The spread is taken from the Ritz values.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return a.new_zeros(players).index_add_(0, owner, a * b)

    size = torch.bincount(owner[free], minlength=players)
    v = torch.randn(len(owner), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * free
    basis = [v / dot(v, v).sqrt().clamp(min=1e-300)[owner]]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for step in range(1, max_steps + 1):
        image = free * times(basis[-1])
        diagonal.append(dot(basis[-1], image))
        for _ in range(2):  # Gram-Schmidt, twice is enough
            for vector in basis:
                image = image - dot(vector, image)[owner] * vector
        length = dot(image, image).sqrt()
        exhausted = step >= size
        beside.append(torch.where(exhausted, 0.0, length))
        basis.append(image / length.clamp(min=1e-300)[owner] * ~exhausted[owner])
        if step % max(1, step // 40) and step < max_steps and not bool(exhausted.all()):
            continue
        matrix = torch.diag_embed(torch.stack(diagonal, dim=1))
        for k, link in enumerate(beside[:-1]):
            matrix[:, k, k + 1] = matrix[:, k + 1, k] = link
        values, vectors = torch.linalg.eigh(matrix)
        counted = torch.where(exhausted, size, step).clamp(min=1)
        # A block smaller than the number of steps is diagonal zeros beyond its size: its own part comes first.
        largest, smallest, residual = _extremes(matrix, values, vectors, counted, beside[-1])
        spread = (largest.clamp(min=0) - smallest).clamp(min=1e-300)
        chance = _missed(largest, spread, size, counted)
        found = bool(((largest >= 0) & (size > 0)).any())
        settled = bool((residual <= accuracy * spread).all()) and (chance <= missed or found)
        if settled or bool(exhausted.all()):
            break
    return Spectrum(largest, smallest, residual, chance, step)


def _extremes(
    matrix: Tensor, values: Tensor, vectors: Tensor, counted: Tensor, last: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Largest and smallest Ritz values and the residual of the largest, `[player]` each."""
    largest, smallest, residual = values[:, -1].clone(), values[:, 0].clone(), last * vectors[:, -1, -1].abs()
    for player in (counted < matrix.shape[1]).nonzero().flatten().tolist():
        part = torch.linalg.eigvalsh(matrix[player, : int(counted[player]), : int(counted[player])])
        largest[player], smallest[player], residual[player] = part[-1], part[0], 0.0
    return largest, smallest, residual


def _missed(largest: Tensor, spread: Tensor, size: Tensor, counted: Tensor) -> float:
    """The bound, all players together: a block that is exhausted misses nothing."""
    total = 0.0
    for top, width, n, k in zip(largest.tolist(), spread.tolist(), size.tolist(), counted.tolist(), strict=True):
        if n > k and top < 0:
            total += 1.648 * math.sqrt(n) * math.exp(-(2 * k - 1) * math.sqrt(min(1.0, -top / width)))
        elif n > k:
            total += 1.0
    return min(total, 1.0)
