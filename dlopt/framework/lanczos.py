"""Largest eigenvalues of all players' own Hessians at once, from products alone.

The own Hessians are the blocks of one block-diagonal operator. One Lanczos process, with coefficients for each block,
serves all players: a product costs the same for one as for all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_NEAR = 1e-5
"""Share of the spread below which a Ritz value may turn out to be zero, where flat directions are looked for."""


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """What a Lanczos process found about symmetric blocks.

    Attributes:
        largest: largest Ritz value of each block beside its flat directions, a lower bound of its largest eigenvalue
            there, `[player]`.
        smallest: smallest Ritz value, `[player]`.
        residual: of the largest Ritz pair; some eigenvalue is this near to it, `[player]`.
        missed: bound of the probability, over the random start, that any block has an eigenvalue of zero or above
            although all `largest` are below.
        steps: products taken.
        flat: directions along which the objective does not curve, of all blocks, as far as they were looked for.
    """

    largest: Tensor
    smallest: Tensor
    residual: Tensor
    missed: float
    steps: int
    flat: int = 0


def largest_eigenvalues(
    times: Callable[[Tensor], Tensor], owner: Tensor, players: int, free: Tensor, accuracy: float = 1e-3,
    missed: float = 1e-6, max_steps: int = 160, flat: float = 0.0, most: int = 8,
) -> Spectrum:  # fmt: skip
    """Spectrum of every player's block by Lanczos with full orthogonalisation, from a random start.

    Some changes of all instruments at once change nothing real (a tariff on all imports does what a tax on all exports
    does, by Lerner's symmetry): an exact zero among the eigenvalues, next to which no process can exclude a positive
    one. A Ritz pair counts as flat where both its value and its residual are below `flat` of the spread; the process is
    then begun again in the directions orthogonal to it, from another start: all that the first one held of several
    flat directions has been set aside with it.

    Args:
        times: of the block-diagonal symmetric operator, `[instrument] -> [instrument]`; exact beyond `flat`.
        owner: block of each instrument, `[instrument]`.
        players: number of blocks.
        free: instruments that count, bool `[instrument]`; the others are left out of the blocks.
        accuracy: residual of the largest Ritz pairs at which the process may end, as a fraction of the spread.
        missed: it goes on until the probability bound is this small, too.
        max_steps: products allowed to one process; eigenvalues are looked at after every step and, later on, after a
            fortieth more.
        flat: share of the spread below which an eigenvalue is not told from zero; 0 looks for no flat directions.
        most: flat directions of a block that are looked for.

    Source: for a random start, Kuczynski and Wozniakowski (1992), theorem 4.1: after k steps the probability that the
    largest eigenvalue of n exceeds the Ritz value by more than a fraction e of the spread of all eigenvalues is at most
    `1.648 sqrt(n) exp(-(2k - 1) sqrt(e))`. The spread is taken from the Ritz values.
    """
    aside: list[Tensor] = []
    count = steps = 0
    while True:
        found, vectors = _process(times, owner, players, free, accuracy, missed, max_steps, flat, aside)
        steps += found.steps
        spread = (found.largest.clamp(min=0) - found.smallest).clamp(min=1e-300)
        zero = (found.largest.abs() <= flat * spread) & (found.residual <= flat * spread) & (found.smallest < 0)
        if not flat or not bool(zero.any()) or len(aside) == most:
            return dataclasses.replace(found, steps=steps, flat=count)
        aside.append(vectors * zero[owner])
        count += int(zero.sum())


def _process(
    times: Callable[[Tensor], Tensor], owner: Tensor, players: int, free: Tensor, accuracy: float, missed: float,
    max_steps: int, flat: float, aside: Sequence[Tensor],
) -> tuple[Spectrum, Tensor]:  # fmt: skip
    """One process, orthogonal to the directions set aside; and each block's largest Ritz vector, `[instrument]`.

    With `flat`, a Ritz value near zero is followed until its residual is below this share of the spread.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return a.new_zeros(players).index_add_(0, owner, a * b)

    def beside(v: Tensor) -> Tensor:
        for vector in aside:
            v = v - dot(vector, v)[owner] * vector
        return v

    size = torch.bincount(owner[free], minlength=players)
    size = size - sum((dot(vector, vector).round().long() for vector in aside), torch.zeros_like(size))
    v = beside(torch.randn(len(owner), generator=torch.Generator().manual_seed(len(aside)), dtype=torch.float64) * free)
    basis = [v / dot(v, v).sqrt().clamp(min=1e-300)[owner]]
    diagonal: list[Tensor] = []
    off: list[Tensor] = []
    for step in range(1, max_steps + 1):
        image = free * times(basis[-1])
        diagonal.append(dot(basis[-1], image))
        for _ in range(2):  # Gram-Schmidt, twice is enough
            for vector in basis:
                image = image - dot(vector, image)[owner] * vector
            image = beside(image)
        length = dot(image, image).sqrt()
        exhausted = step >= size
        off.append(torch.where(exhausted, 0.0, length))
        basis.append(image / length.clamp(min=1e-300)[owner] * ~exhausted[owner])
        if step % max(1, step // 40) and step < max_steps and not bool(exhausted.all()):
            continue
        matrix = torch.diag_embed(torch.stack(diagonal, dim=1))
        for k, link in enumerate(off[:-1]):
            matrix[:, k, k + 1] = matrix[:, k + 1, k] = link
        values, vectors = torch.linalg.eigh(matrix)
        counted = torch.where(exhausted, size, step).clamp(min=1)
        # A block smaller than the number of steps is diagonal zeros beyond its size: its own part comes first.
        largest, smallest, residual, along = _extremes(matrix, values, vectors, counted, off[-1])
        spread = (largest.clamp(min=0) - smallest).clamp(min=1e-300)
        chance = _missed(largest, spread, size, counted)
        near = (largest.abs() <= (_NEAR if flat else 0.0) * spread) & (size > 0)
        positive = bool(((largest >= 0) & ~near & (size > 0)).any())
        open_chance = float(chance[~near].sum())
        settled = bool((residual <= torch.where(near, flat, accuracy) * spread).all())
        if (settled and (open_chance <= missed or positive)) or bool(exhausted.all()):
            break
    ritz = sum(
        (part[owner] * vector for part, vector in zip(along.unbind(1), basis, strict=False)), torch.zeros_like(basis[0])
    )
    return Spectrum(largest, smallest, residual, min(1.0, float(chance.sum())), step), ritz


def _extremes(
    matrix: Tensor, values: Tensor, vectors: Tensor, counted: Tensor, last: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Largest and smallest Ritz values, the residual of the largest, `[player]` each, its vector `[player, step]`."""
    largest, smallest, along = values[:, -1].clone(), values[:, 0].clone(), vectors[:, :, -1].clone()
    residual = last * along[:, -1].abs()
    for player in (counted < matrix.shape[1]).nonzero().flatten().tolist():
        n = int(counted[player])
        part, of_part = torch.linalg.eigh(matrix[player, :n, :n])
        largest[player], smallest[player], residual[player] = part[-1], part[0], 0.0
        along[player] = 0.0
        along[player, :n] = of_part[:, -1]
    return largest, smallest, residual, along


def _missed(largest: Tensor, spread: Tensor, size: Tensor, counted: Tensor) -> Tensor:
    """The bound, `[player]`: a block that is exhausted misses nothing."""
    bounds = torch.zeros_like(largest)
    for player in (size > counted).nonzero().flatten().tolist():
        top, width, n, k = (float(x[player]) for x in (largest, spread, size, counted))
        decay = math.exp(-(2 * k - 1) * math.sqrt(min(1.0, -top / width))) if top < 0 else 1.0
        bounds[player] = min(1.0, 1.648 * math.sqrt(n) * decay)
    return bounds
