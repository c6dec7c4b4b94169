"""Does anybody gain by deviating? Every player re-optimises alone from other starting points."""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework.answer import best_response
from dlopt.framework.ascent import AscentOptions
from dlopt.framework.game import Game, Monitor, Point
from dlopt.framework.joint import JointNewton


def verify(
    game: Game, point: Point, options: JointNewton, starts: list[Tensor], monitor: Monitor
) -> tuple[Point, float | None]:
    """Let every player re-optimise alone from each start; the point with the best response that gains most.

    Returns:
        The point, unchanged if nobody gains, and the largest relative gain (None without starts).
    """
    gain, best = None, point
    for player in verified_players(game, options):
        promise = options.gain_tolerance / 10 * abs(float(point.objectives[player]))
        search = AscentOptions(tolerance=options.tolerance / 10, max_iterations=60, promise=promise)
        for other in starts:
            a = torch.where(game.owner == player, other.clamp(game.lower, game.upper), point.a)
            answer = best_response(game, player, a, point, search, monitor, "verification")
            if answer is None:
                continue
            response = answer.point
            held = float(point.objectives[player])
            relative = (float(response.objectives[player]) - held) / (abs(held) or 1.0)
            if gain is None or relative > gain:
                gain = relative
                best = response if relative > options.gain_tolerance else point
    return best, None if gain is None else max(gain, 0.0)


def verified_players(game: Game, options: JointNewton) -> list[int]:
    """Who re-optimises: everybody, or the sample that `options.verify_players` asks for."""
    if options.verify_players is None or options.verify_players >= game.players:
        return list(range(game.players))
    drawn = torch.randperm(game.players, generator=torch.Generator().manual_seed(0))
    return sorted(drawn[: options.verify_players].tolist())
