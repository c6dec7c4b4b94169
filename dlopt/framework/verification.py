"""Does anybody gain by deviating? Every player looks for better instruments of its own, far from the point too.

Many deviations are screened by their objective alone; what beats the point, and of each kind what is farthest from all
that is known, starts a best response, those of many players side by side where the game allows it. What is found
refutes a point; what is not found proves nothing beyond the deviations tried, which are counted.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from dlopt.framework.answer import best_response, best_responses, structured
from dlopt.framework.ascent import AscentOptions, AscentResult
from dlopt.framework.conditions import Asked, Beginning, LargeGame, large_of
from dlopt.framework.deviations import KINDS, Deviation, Search, deviations, starts_of
from dlopt.framework.forked import forked
from dlopt.framework.game import Game, Monitor, Point, Step
from dlopt.framework.joint import JointNewton
from dlopt.framework.outcome import Outcome
from dlopt.framework.own_blocks import blocks_at

_NEARER = 12
"""How often a deviation without an equilibrium is drawn half the way back before it is given up."""

_ROUNDS = 8
"""As many searches as go on side by side, times this, belong to one group: who ends makes room for the next of it."""

_EACH = 4  # players for each of several processes before the results are put on record

_SHARES = (1.0, 0.5, 0.25)  # of the way to a deviation that is screened
_SCREENING = 1e-5  # accuracy of what is known there: objectives are second order in it

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
    """Let every player look for better instruments; the search ends with the first players who find some.

    Args:
        point: to be verified.
        options: tolerances.
        starts: instruments `[instrument]` each, from whose own entries every player re-optimises alone.
        search: further deviations, screened first.

    Returns:
        The point with the best response that gains most (unchanged if nobody gains), and what was tried.
    """
    untested: list[int] = []
    screened: collections.Counter[str] = collections.Counter()
    followed: collections.Counter[str] = collections.Counter()
    agree, best_gain = 0, None
    for players in _groups(game, options, len(starts) + search.followed):
        begun = _starts(game, players, point, starts, search, monitor, screened)
        answers = _Answers(game, point, begun, options, monitor)
        best, found, completed = point, None, set()
        for start, response in zip(begun, answers, strict=True):
            if response is None:
                continue
            held = float(point.objectives[start.player])
            gain = (_objective(response, start.player) - held) / (abs(held) or 1.0)
            done = response.outcome is Outcome.CONVERGED
            if done:
                completed.add(start.player)
            followed[start.kind] += done
            agree += done and abs(gain) <= options.gain_tolerance
            if done or gain > options.gain_tolerance:
                if gain > options.gain_tolerance and (found is None or gain > found.gain):
                    best, found = response.point, Found(start.player, start.kind, gain)
                best_gain = gain if best_gain is None else max(best_gain, gain)
        counts = tuple(screened.items()), tuple(followed.items()), agree
        if found is not None:
            best = game.point(best.a, near=best) or best  # what searches know on their way is rough
            return best, Verification(best_gain, (), *counts, (found,))
        for player in players:
            if not _chooses(game, player):
                best_gain = max(best_gain or 0.0, 0.0)
            elif player not in completed:
                untested.append(player)
    largest = None if best_gain is None else max(best_gain, 0.0)
    return point, Verification(largest, tuple(untested), tuple(screened.items()), tuple(followed.items()), agree)


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where a player's search begins: instruments `[instrument]`, and what is known there or near there."""

    player: int
    kind: str
    a: torch.Tensor
    near: Point
    conditions: Beginning | None


def _chooses(game: Game, player: int) -> bool:
    return bool((game.upper > game.lower)[game.owner == player].any())


def _groups(game: Game, options: JointNewton, each: int) -> list[list[int]]:
    """The players who re-optimise, in groups; `each` has so many searches, of which some go on side by side."""
    players, large = verified_players(game, options), large_of(game)
    together = 1 if large is None else large.together
    if together == 1:
        size = 1 if options.processes < 2 else _EACH * options.processes
    else:
        size = max(1, _ROUNDS * together // max(each, 1))
    return [players[first : first + size] for first in range(0, len(players), size)]


def _starts(
    game: Game, players: Sequence[int], point: Point, starts: Sequence[torch.Tensor], search: Search,
    monitor: Monitor, screened: collections.Counter[str],
) -> list[_Start]:  # fmt: skip
    """Where the players' searches begin: screened deviations, which are counted, and the given starts."""
    players = [player for player in players if _chooses(game, player)]
    large = large_of(game)
    tried = [(player, one) for player in players for one in deviations(game, player, point, search)]
    together = large is not None and all(structured(large, player) for player in players)
    if together and large is not None:
        candidates = _screen_together(large, point, tried, monitor)
        here = large.of(point) if players else None
    else:
        candidates, here = _screen(game, point, tried, monitor), None
    screened.update(one.kind for one, _ in candidates)
    begun = []
    for player in players:
        own = [(one, objective) for one, objective in candidates if one.player == player]
        begun += _chosen(game, point, player, own, search.followed)
        begun += [_Start(player, one.kind, one.a, point, here) for one in starts_of(game, player, point, starts)]
    return begun


class _Answers:
    """Best responses from all starts, in order: side by side by formula, and one by one where that does not get there.

    Iterating takes them from the monitor's tape where they are on record.
    """

    def __init__(
        self, game: Game, point: Point, starts: Sequence[_Start], options: JointNewton, monitor: Monitor
    ) -> None:
        self._game, self._point, self._starts, self._monitor = game, point, starts, monitor
        self._processes, self._gain = options.processes, options.gain_tolerance
        tolerance, gain = options.tolerance / 10, options.gain_tolerance / 10
        self._options = [
            AscentOptions(tolerance=tolerance, max_iterations=60, promise=gain * abs(float(point.objectives[s.player])))
            for s in starts
        ]

    @functools.cached_property
    def _by_formula(self) -> dict[int, Step]:
        """The last step of the search from each start that has conditions."""
        large = large_of(self._game)
        chosen = {k: s for k, s in enumerate(self._starts) if s.conditions is not None}
        if large is None or not chosen:
            return {}
        asked = [Asked(s.a, s.conditions, 0.0, s.player) for s in chosen.values() if s.conditions is not None]
        options = [self._options[k] for k in chosen]
        if self._processes > 1 and large.together == 1:
            found = self._in_processes(large, asked, options)
        else:
            found = best_responses(large, self._point, asked, options, self._monitor)
        numbers = list(chosen)
        return {numbers[k]: self._brief(asked[k].player, step) for k, step in found}

    def _brief(self, player: int, step: Step) -> Step:
        """Without the instruments of a search that gained nothing: with many players they would fill the record."""
        held = float(self._point.objectives[player])
        gained = step.objective is not None and step.objective - held > self._gain * abs(held)
        return step if gained else dataclasses.replace(step, point=self._point)

    def _in_processes(
        self, large: LargeGame, asked: Sequence[Asked], options: Sequence[AscentOptions]
    ) -> Iterator[tuple[int, Step]]:
        point, monitor, game = self._point, self._monitor, self._game
        if not bool(large.has_formula.all()):
            blocks_at(large, point)  # all processes need them

        def search(k: int) -> tuple[Step, dict[str, Any]]:
            ((_, step),) = best_responses(large, point, asked[k : k + 1], options[k : k + 1], monitor)
            step = self._brief(asked[k].player, step)
            return dataclasses.replace(step, point=None), step.point.state()  # type: ignore[arg-type]

        found = forked(search, len(asked), self._processes, lambda: monitor.breathe(point))
        return ((k, dataclasses.replace(step, point=game.restore(state))) for k, (step, state) in enumerate(found))

    def __iter__(self) -> Iterator[AscentResult | None]:
        monitor = self._monitor
        for k, start in enumerate(self._starts):
            if start.conditions is not None:
                label = f"verification of {start.player}, by formula"
                found = monitor.step(self._game, label, lambda k=k: self._by_formula[k])  # type: ignore[misc]
                monitor.report("verification", start.player, found.residual, found.point)
                if found.outcome is Outcome.CONVERGED:
                    yield AscentResult(Outcome.CONVERGED, found.point, found.residual, 1, found.objective)
                    continue
            yield self._alone(start, self._options[k])

    def _alone(self, start: _Start, options: AscentOptions) -> AscentResult | None:
        """The best response from the start, or from the first place half, a quarter, ... of the way that has one."""
        share, here = 1.0, self._point.a
        for _ in range(_NEARER):
            a = here + share * (start.a - here)
            found = best_response(self._game, start.player, a, start.near, options, self._monitor, "verification")
            if found is not None:
                return found
            share /= 2
        return None


def _objective(response: AscentResult, player: int) -> float:
    """What a player's best response came to."""
    return float(response.point.objectives[player]) if response.objective is None else response.objective


def verified_players(game: Game, options: JointNewton) -> list[int]:
    """Who re-optimises: everybody, or the sample that `options.verify_players` asks for."""
    if options.verify_players is None or options.verify_players >= game.players:
        return list(range(game.players))
    drawn = torch.randperm(game.players, generator=torch.Generator().manual_seed(0))
    return sorted(drawn[: options.verify_players].tolist())


def _screen(
    game: Game, point: Point, tried: Sequence[tuple[int, Deviation]], monitor: Monitor
) -> list[tuple[_Start, float]]:
    """Every deviation that has an equilibrium near by, or half or a quarter of the way, and the objective there."""
    found = []
    for player, deviation in tried:
        monitor.breathe(point)
        for share in _SHARES:
            there = game.point(point.a + share * (deviation.a - point.a), near=point)
            if there is not None:
                found.append((_Start(player, deviation.kind, there.a, there, None), float(there.objectives[player])))
                break
    return found


def _screen_together(
    large: LargeGame, point: Point, tried: Sequence[tuple[int, Deviation]], monitor: Monitor
) -> list[tuple[_Start, float]]:
    """The same, all deviations side by side."""
    found: dict[int, tuple[_Start, float]] = {}
    here = large.of(point)
    for share in _SHARES:
        left = [k for k in range(len(tried)) if k not in found]
        left.sort(key=lambda k: KINDS.index(tried[k][1].kind))  # those alike take as long
        for first in range(0, len(left), large.together):
            monitor.breathe(point)
            some = left[first : first + large.together]
            to = (point.a + share * (tried[k][1].a - point.a) for k in some)
            asked = [Asked(a, here, _SCREENING, tried[k][0]) for a, k in zip(to, some, strict=True)]
            for k, there in zip(some, large.several(asked), strict=True):
                if there is not None:
                    player, deviation = tried[k]
                    objective = float(there.objectives[player])
                    found[k] = _Start(player, deviation.kind, there.a, point, there.beginning()), objective
    return [found[k] for k in sorted(found)]


def _chosen(
    game: Game, point: Point, player: int, candidates: Sequence[tuple[_Start, float]], count: int
) -> list[_Start]:
    """`count` to follow: what beats the point already, then of each kind in turn what is farthest from all known.

    The best of a kind by its objective is most often the one nearest to the point, and leads back to it: two certified
    results that an attacker had beaten (docs/reliability.md) had been verified from such starts alone.
    """
    own = game.owner == player
    box = (game.upper - game.lower)[own].clamp(min=1e-300)
    held = float(point.objectives[player])
    better = sorted((one for one in candidates if one[1] > held), key=lambda one: -one[1])
    chosen = [start for start, _ in better[: max(1, count // 2)]]
    taken = {id(start) for start in chosen}
    left = [[one for one, _ in candidates if one.kind == kind and id(one) not in taken] for kind in _FAR_FIRST]
    known = [point.a, *(start.a for start in chosen)]
    while len(chosen) < count and any(left):
        for starts in left:
            if starts and len(chosen) < count:
                far = [min(float(((start.a - a)[own] / box).square().sum()) for a in known) for start in starts]
                chosen.append(starts.pop(far.index(max(far))))
                known.append(chosen[-1].a)
    return chosen
