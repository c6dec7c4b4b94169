"""Where a player might do better: deviations to try, of the kinds that somebody who doubts a result would try."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dlopt.framework.game import Game, Point
from dlopt.framework.precision import double_precision

KINDS = ("corner", "family at a bound", "one instrument", "low-discrepancy", "random")
"""All instruments of the player at a bound; one family of them; one alone; a Sobol point of its box; a given start."""

_SOBOL_UP_TO = torch.quasirandom.SobolEngine.MAXDIM


@dataclasses.dataclass(frozen=True)
class Search:
    """How hard verification looks for deviations.

    Attributes:
        screened: deviations of each player whose objective is evaluated.
        followed: of those, how many start a best response; the given starts come on top.
        families: masks of instruments that are moved together, `[family, instrument]`, such as those of one kind.
        seed: of the low-discrepancy points.
    """

    screened: int = 0
    followed: int = 0
    families: tuple[Tensor, ...] = ()
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Deviation:
    """Other instruments `a`, `[instrument]`, of one player; the others' stay. `kind` is one of `KINDS`."""

    kind: str
    a: Tensor


def deviations(game: Game, player: int, point: Point, search: Search) -> list[Deviation]:
    """`search.screened` deviations of a player, the kinds in turn until each has no more."""
    own = game.owner == player
    sources = [
        _corners(game, own, point),
        _families(game, own, point, search.families),
        _sobol(game, own, point, search.seed, player),
        _singles(game, own, point, search.seed + player),
    ]
    found: list[Deviation] = []
    while sources and len(found) < search.screened:
        for source in list(sources):
            deviation = next(source, None)
            if deviation is None:
                sources.remove(source)
            elif float((deviation.a - point.a).abs().max()) > 1e-9:
                found.append(deviation)
    return found[: search.screened]


def starts_of(game: Game, player: int, point: Point, starts: Sequence[Tensor]) -> list[Deviation]:
    """The given starts, the others' instruments as they are."""
    own = game.owner == player
    return [Deviation("random", torch.where(own, a.clamp(game.lower, game.upper), point.a)) for a in starts]


def _corners(game: Game, own: Tensor, point: Point) -> Iterator[Deviation]:
    zero = torch.zeros_like(point.a).clamp(game.lower, game.upper)
    for target in (game.upper, game.lower, zero):
        yield Deviation("corner", torch.where(own, target, point.a))


def _families(game: Game, own: Tensor, point: Point, families: Sequence[Tensor]) -> Iterator[Deviation]:
    """One family at a bound, the player's other instruments as they are, or at no intervention."""
    zero = torch.zeros_like(point.a).clamp(game.lower, game.upper)
    for rest in (point.a, zero):
        for family in families:
            for bound in (game.upper, game.lower):
                if bool((family & own).any()):
                    base = torch.where(own, rest, point.a)
                    yield Deviation("family at a bound", torch.where(family & own, bound, base))


def _singles(game: Game, own: Tensor, point: Point, seed: int) -> Iterator[Deviation]:
    """One instrument at a bound or in the middle, in random order of the instruments."""
    mine = own.nonzero().squeeze(1)
    order = torch.randperm(len(mine), generator=torch.Generator().manual_seed(seed))
    for index in mine[order].tolist():
        for value in (game.upper[index], game.lower[index], (game.upper[index] + game.lower[index]) / 2):
            a = point.a.clone()
            a[index] = value
            yield Deviation("one instrument", a)


@functools.lru_cache(maxsize=4)
def _scrambled(count: int, seed: int) -> torch.quasirandom.SobolEngine:
    """Sobol's numbers at their beginning, to be copied: scrambling them takes longer than drawing them."""
    with double_precision():
        return torch.quasirandom.SobolEngine(count, scramble=True, seed=seed)


def _sobol(game: Game, own: Tensor, point: Point, seed: int, player: int) -> Iterator[Deviation]:
    """Over the whole box, endless; pseudo-random where there are more dimensions than Sobol's numbers have.

    Players with equally many instruments share a sequence; each begins at a place of its own.
    """
    count = int(own.sum())
    engine = None
    if 0 < count <= _SOBOL_UP_TO:
        engine = copy.deepcopy(_scrambled(count, seed)).fast_forward(player)
    generator = torch.Generator().manual_seed(seed + player)
    while True:
        draw = (
            torch.rand(count, generator=generator, dtype=point.a.dtype)
            if engine is None
            else engine.draw(1, dtype=point.a.dtype)[0]
        )
        a = point.a.clone()
        a[own] = game.lower[own] + draw * (game.upper[own] - game.lower[own])
        yield Deviation("low-discrepancy", a)
