"""Does anybody gain by deviating? Every player looks for better instruments of its own, far from the point too.

Many deviations are screened by their objective alone; the most promising of each kind start a best response. What is
found refutes a point; what is not found proves nothing beyond the deviations tried, which are counted.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import torch

from dlopt.framework.answer import best_response
from dlopt.framework.ascent import AscentOptions, AscentResult
from dlopt.framework.deviations import Deviation, Search, deviations, starts_of
from dlopt.framework.game import Game, Monitor, Point
from dlopt.framework.joint import JointNewton
from dlopt.framework.outcome import Outcome

_NEARER = 12
"""How often a deviation without an equilibrium is drawn half the way back before it is given up."""

_FAR_FIRST = ("low-discrepancy", "corner", "family at a bound", "one instrument")


@dataclasses.dataclass(frozen=True)
class Found:
    """A deviation by which a player gains.

    Attributes:
        player: who.
        kind: of the deviation from which its best response started.
        gain: relative, by the best response.
    """

    player: int
    kind: str
    gain: float


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a search for deviations came to.

    Attributes:
        gain: largest relative gain of a best response; None where none was tried.
        untested: players for whom no best response was completed: nothing is known about them.
        screened: deviations evaluated, by kind.
        followed: best responses completed, by the kind of deviation they started from.
        agree: of those, how many ended at the objective that the player has already.
        found: deviations that gained, of this search and of those before which sent play on.
    """

    gain: float | None = None
    untested: tuple[int, ...] = ()
    screened: tuple[tuple[str, int], ...] = ()
    followed: tuple[tuple[str, int], ...] = ()
    agree: int = 0
    found: tuple[Found, ...] = ()

    def after(self, earlier: Verification | None) -> Verification:
        """This search, remembering what the searches before it found."""
        return self if earlier is None else dataclasses.replace(self, found=earlier.found + self.found)


def verify(
    game: Game, point: Point, options: JointNewton, starts: Sequence[torch.Tensor], monitor: Monitor,
    search: Search = Search(),
) -> tuple[Point, Verification]:  # fmt: skip
    """Let every player look for better instruments; the search ends with the first player who finds some.

    Args:
        point: to be verified.
        options: tolerances.
        starts: instruments `[instrument]` each, from whose own entries every player re-optimises alone.
        search: further deviations, screened first.

    Returns:
        The point with the best response that gains most (unchanged if nobody gains), and what was tried.
    """
    screened: collections.Counter[str] = collections.Counter()
    followed: collections.Counter[str] = collections.Counter()
    untested: list[int] = []
    agree, best_gain = 0, None
    for player in verified_players(game, options):
        if not bool((game.upper > game.lower)[game.owner == player].any()):
            best_gain = max(best_gain or 0.0, 0.0)  # it has no choice
            continue
        held = float(point.objectives[player])
        size = abs(held) or 1.0
        promise = options.gain_tolerance / 10 * abs(held)
        ascent = AscentOptions(tolerance=options.tolerance / 10, max_iterations=60, promise=promise)
        candidates = _screen(game, player, point, deviations(game, player, point, search), monitor)
        screened.update(kind for kind, _ in candidates)
        chosen = _promising(player, point, candidates, search.followed)
        started: list[tuple[str, torch.Tensor, Point]] = [(kind, there.a, there) for kind, there in chosen]
        started += [(other.kind, other.a, point) for other in starts_of(game, player, point, starts)]
        best, found, completed = point, None, 0
        for kind, a, near in started:
            response = _answer(game, player, a, near, point, ascent, monitor)
            if response is None:
                continue
            gain = (float(response.point.objectives[player]) - held) / size
            done = response.outcome is Outcome.CONVERGED
            completed += done
            followed[kind] += done
            agree += done and abs(gain) <= options.gain_tolerance
            if done or gain > options.gain_tolerance:
                if gain > options.gain_tolerance and (found is None or gain > found.gain):
                    best, found = response.point, Found(player, kind, gain)
                best_gain = gain if best_gain is None else max(best_gain, gain)
        if found is not None:
            return best, Verification(
                best_gain, (), tuple(screened.items()), tuple(followed.items()), agree, (found,)
            )  # fmt: skip
        if not completed:
            untested.append(player)
    largest = None if best_gain is None else max(best_gain, 0.0)
    return point, Verification(largest, tuple(untested), tuple(screened.items()), tuple(followed.items()), agree)


def _answer(
    game: Game, player: int, a: torch.Tensor, near: Point, point: Point, options: AscentOptions, monitor: Monitor
) -> AscentResult | None:
    """The best response from `a`, or from the first place half, a quarter, ... of the way to it that has one."""
    share = 1.0
    for _ in range(_NEARER):
        found = best_response(game, player, point.a + share * (a - point.a), near, options, monitor, "verification")
        if found is not None:
            return found
        share /= 2
    return None


def verified_players(game: Game, options: JointNewton) -> list[int]:
    """Who re-optimises: everybody, or the sample that `options.verify_players` asks for."""
    if options.verify_players is None or options.verify_players >= game.players:
        return list(range(game.players))
    drawn = torch.randperm(game.players, generator=torch.Generator().manual_seed(0))
    return sorted(drawn[: options.verify_players].tolist())


def _screen(
    game: Game, player: int, point: Point, tried: Sequence[Deviation], monitor: Monitor
) -> list[tuple[str, Point]]:
    """Kind and equilibrium of every deviation that has one near by, or half the way."""
    found = []
    for deviation in tried:
        monitor.breathe(point)
        for share in (1.0, 0.5, 0.25):
            there = game.point(point.a + share * (deviation.a - point.a), near=point)
            if there is not None:
                found.append((deviation.kind, there))
                break
    return found


def _promising(
    player: int, point: Point, candidates: Sequence[tuple[str, Point]], count: int
) -> list[tuple[str, Point]]:
    """`count` to follow: what beats the point already, then the best of each kind in turn, kinds that go far first."""
    ranked = sorted(candidates, key=lambda one: -float(one[1].objectives[player]))
    better = [one for one in ranked if float(one[1].objectives[player]) > float(point.objectives[player])]
    chosen = better[: max(1, count // 2)]
    kinds = [[one for one in ranked if one[0] == kind and one not in chosen] for kind in _FAR_FIRST]
    while len(chosen) < count and any(kinds):
        for left in kinds:
            if left and len(chosen) < count:
                chosen.append(left.pop(0))
    return chosen
