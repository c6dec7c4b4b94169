"""The general layer: fixed points, implicit differentiation, bounded maximisation and games. Model-free.

Bring `G(X, a)` and `W(X, a)`:

    problem = FixedPointProblem(equilibrium=G, objectives=W)
    game = FixedPointGame(problem, owner=torch.tensor([0, 0, 1]), start=x0)
    result = solve_nash(game, game.point(a0), other_starts=[a1])
"""

from dlopt.framework.ascent import AscentOptions, AscentResult, maximise
from dlopt.framework.autodiff import FixedPointGame
from dlopt.framework.batch import BatchOptions, solve_batch
from dlopt.framework.best_response import BestResponse, best_response_dynamics
from dlopt.framework.fixed_point import FixedPoint, FixedPointOptions, FixedPointProblem
from dlopt.framework.game import Game, Monitor, Point, Progress
from dlopt.framework.joint import JointNewton
from dlopt.framework.nash import NashResult, Optimality, solve_nash
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions, RootResult, solve_root
from dlopt.framework.tape import Tape, TapeMismatchError

__all__ = [
    "AscentOptions", "AscentResult", "BatchOptions", "BestResponse", "FixedPoint", "FixedPointGame",
    "FixedPointOptions", "FixedPointProblem", "Game", "JointNewton", "Monitor", "NashResult", "Optimality", "Outcome",
    "Point", "Progress", "RootOptions", "RootResult", "Tape", "TapeMismatchError", "best_response_dynamics",
    "maximise", "solve_batch", "solve_nash", "solve_root",
]  # fmt: skip
