"""What a certificate may claim: nobody passes untested, and the search finds what a doubter would."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from games import direct_game, vector
from torch import Tensor

from dlopt.framework.ascent import maximise
from dlopt.framework.deviations import Search, deviations
from dlopt.framework.game import Game, Monitor, Point
from dlopt.framework.joint import JointNewton
from dlopt.framework.nash import solve_nash
from dlopt.framework.outcome import Outcome
from dlopt.framework.verification import verify


@dataclasses.dataclass
class Holes:
    """A game without equilibria where `hole` says so."""

    inner: Game
    hole: Callable[[Tensor], bool]

    def __post_init__(self) -> None:
        self.owner, self.lower, self.upper = self.inner.owner, self.inner.lower, self.inner.upper
        self.players = self.inner.players

    def point(self, a: Tensor, near: Point | None = None) -> Point | None:
        """As the inner game's, outside the hole."""
        return None if self.hole(a) else self.inner.point(a, near)

    def restore(self, state: dict[str, Any]) -> Point:
        """As the inner game's."""
        return self.inner.restore(state)


def hill(lower: float = -2.0, upper: float = 2.0) -> Game:
    """One player, one top at 0.5."""
    return direct_game(lambda a: (1 - (a[0] - 0.5) ** 2)[None], [0], [lower], [upper])


def test_a_start_without_equilibrium_is_drawn_nearer() -> None:
    game = Holes(hill(), lambda a: bool(a[0] > 1.0))
    start = game.point(vector(0.0))
    assert start is not None
    result = solve_nash(game, start, other_starts=[vector(2.0)])
    assert result.outcome is Outcome.CONVERGED
    assert result.optimality is not None
    assert result.optimality.search.followed == (("random", 1),)


def test_a_player_nobody_could_test_is_named_and_not_certified() -> None:
    """Everything but the top itself is a hole: no deviation can be completed."""
    whole = hill()
    top = whole.point(vector(0.5))
    assert top is not None
    game = Holes(whole, lambda a: bool((a[0] - 0.5).abs() > 1e-9))
    point, tried = verify(game, top, JointNewton(), [vector(2.0)], Monitor(), Search(8, 2))
    assert point is top
    assert tried.untested == (0,)
    assert tried.gain is None
    result = solve_nash(game, top, other_starts=[vector(2.0)])
    assert result.outcome is not Outcome.CONVERGED
    assert result.optimality is not None
    assert not result.optimality.proven(1e-8, 1e-8)


def test_one_tested_player_does_not_vouch_for_another() -> None:
    game = direct_game(lambda a: torch.stack([1 - a[0] ** 2, 1 - a[1] ** 2]), [0, 1], [-1.0, -1.0], [1.0, 1.0])
    top = game.point(vector(0.0, 0.0))
    assert top is not None
    _, tried = verify(Holes(game, lambda a: bool(a[1].abs() > 1e-9)), top, JointNewton(), [vector(0.5, 0.5)], Monitor())
    assert tried.untested == (1,)
    assert tried.gain is not None


@pytest.mark.parametrize("kind", ["corner", "low-discrepancy", "family at a bound", "one instrument"])
def test_a_far_top_is_found(kind: str) -> None:
    """Two choices; a top of height 1.3 hides in one corner of the box, far from the one of height 1 at the origin."""
    corner = vector(1.8, 0.0) if kind in ("family at a bound", "one instrument") else vector(1.8, 1.8)

    def tops(a: Tensor) -> Tensor:
        near, far = torch.exp(-(a**2).sum()), 1.3 * torch.exp(-((a - corner) ** 2).sum())
        return (near + far)[None]

    game = direct_game(tops, [0, 0], [-2.0, -2.0], [2.0, 2.0])
    start = game.point(vector(0.0, 0.0))
    assert start is not None
    local = solve_nash(game, start, other_starts=[vector(0.1, -0.1)])
    assert local.outcome is Outcome.CONVERGED
    assert float(local.point.objectives) < 1.1
    search = Search(16, 4, families=(torch.tensor([True, False]),))
    found = solve_nash(game, start, other_starts=[vector(0.1, -0.1)], search=search)
    assert found.outcome is Outcome.CONVERGED
    assert float(found.point.objectives) > 1.25
    assert found.optimality is not None
    (better,) = found.optimality.search.found
    assert better.gain > 0.2
    assert found.optimality.search.agree >= 1


def test_all_kinds_are_tried_and_stay_inside() -> None:
    game = direct_game(lambda a: torch.stack([-(a**2).sum(), a.sum()]), [0, 0, 1], [-1.0] * 3, [1.0] * 3)
    point = game.point(vector(0.1, 0.2, 0.3))
    assert point is not None
    tried = deviations(game, 0, point, Search(20, families=(torch.tensor([True, False, True]),)))
    assert len(tried) == 20
    assert {one.kind for one in tried} == {"corner", "family at a bound", "low-discrepancy", "one instrument"}
    for one in tried:
        assert float(one.a[2]) == pytest.approx(0.3)
        assert bool((one.a >= game.lower).all() & (one.a <= game.upper).all())


def test_starts_that_lead_back_do_not_vouch() -> None:
    """The best of each kind of deviation lies on the slope of the top that is known; far ones lead to a higher top."""

    def tops(a: Tensor) -> Tensor:
        near, far = torch.exp(-((a - 0.2) ** 2).sum() / 2), 1.2 * torch.exp(-3 * ((a + 1.6) ** 2).sum())
        return (near + far)[None]

    game = direct_game(tops, [0, 0], [-2.0, -2.0], [2.0, 2.0])
    start = game.point(vector(0.2, 0.2))
    assert start is not None
    local = solve_nash(game, start, other_starts=[vector(0.1, -0.1)])
    assert local.outcome is Outcome.CONVERGED
    assert float(local.point.objectives) < 1.1
    tried = deviations(game, 0, local.point, Search(16))
    for kind in ("corner", "low-discrepancy"):
        ends = [game.point(one.a) for one in tried if one.kind == kind]
        best = max((point for point in ends if point is not None), key=lambda point: float(point.objectives))
        assert float(maximise(game, 0, best).point.objectives) < 1.1
    _, found = verify(game, local.point, JointNewton(), [], Monitor(), Search(16, 2))
    assert found.gain is not None
    assert found.gain > 0.15
