"""Curves of solutions as a parameter moves: pseudo-arclength continuation, folds, bifurcations, branches.

`F(x, p) = 0` is followed along its curve rather than along p, so that it can turn round. On the way the tangent's
p-component changes sign at a fold; the determinant of the bordered Jacobian changes sign where another branch crosses,
and that branch is then followed, too. Two curves that touch without either sign changing are not seen.

Source: Keller (1977), Numerical solution of bifurcation and nonlinear eigenvalue problems; Govaerts (2000), chapter 3.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

_SAME = 1e-6  # distance within which two solutions are one
_VANISHED = 0.05  # of the bordered determinant on either side: no more is left of it at a bifurcation


class Equations(Protocol):
    """`F(x, p) = 0`, as many equations as unknowns."""

    def residual(self, x: Tensor, p: float) -> Tensor:
        """F, `[unknown]`; not finite where it is not defined."""

    def jacobian(self, x: Tensor, p: float) -> Tensor:
        """F_x, `[unknown, unknown]`."""


@dataclasses.dataclass(frozen=True)
class ContinuationOptions:
    """Options of `trace`.

    Attributes:
        step, longest, shortest: of arclength, where the unknowns count by their root mean square.
        points: largest number on a branch, in each direction.
        far: largest absolute unknown (of logs: a factor of 3,000); a branch that goes further ends as `far`.
        tolerance: largest absolute residual.
    """

    step: float = 0.02
    longest: float = 0.1
    shortest: float = 1e-7
    points: int = 300
    far: float = 8.0
    tolerance: float = 1e-11


@dataclasses.dataclass(frozen=True, eq=False)
class Special:
    """A `fold`, where the branch turns round in p, or a `bifurcation`, where another branch crosses it."""

    kind: Literal["fold", "bifurcation"]
    x: Tensor
    p: float


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """A curve of solutions.

    Attributes:
        x: solutions in order, `[point, unknown]`.
        p: the parameter at each, `[point]`.
        specials: folds and bifurcations on it.
        ends: why it stops on either side: `range` (p leaves it), `far`, `closed`, `points`, `lost` (no step succeeds).
        origin: `start`, or `bifurcation` of another branch.
    """

    x: Tensor
    p: Tensor
    specials: tuple[Special, ...]
    ends: tuple[str, str]
    origin: str = "start"


@dataclasses.dataclass(frozen=True, eq=False)
class _Node:
    x: Tensor
    p: float
    tangent: Tensor  # [unknown + 1], of unit length
    sign: float  # of the bordered determinant
    size: float  # log of its absolute value


def solve_at(equations: Equations, x: Tensor, p: float, tolerance: float = 1e-11) -> Tensor | None:
    """The solution that damped Newton finds from x at a given p; None where it finds none."""
    r = equations.residual(x, p)
    for _ in range(60):
        norm = float(r.abs().max())
        if not norm < math.inf:
            return None
        if norm <= tolerance:
            return x
        step = _solve(equations.jacobian(x, p), r)
        if step is None:
            return None
        scale = min(1.0, 2.0 / max(float(step.abs().max()), 1e-300))
        while scale > 1e-4:
            trial = equations.residual(x - scale * step, p)
            if float(trial.norm()) <= (1 - scale / 4) * float(r.norm()):
                break
            scale /= 2
        else:
            return x if norm <= 100 * tolerance else None
        x, r = x - scale * step, trial
    return None


def trace(
    equations: Equations, x: Tensor, p: float, low: float, high: float,
    options: ContinuationOptions = ContinuationOptions(),
) -> Branch:  # fmt: skip
    """The branch through a solution, in both directions.

    Args:
        equations: F and its derivative.
        x: a solution at p, `[unknown]`.
        p: the parameter there, between `low` and `high`.
        low, high: the range of p.
        options: see `ContinuationOptions`.
    """
    curve = _Curve(equations, options, low, high)
    toward = torch.zeros(len(x) + 1, dtype=x.dtype)
    toward[-1] = 1.0
    first = curve.node(x, p, toward)
    if first is None:  # at a point where the tangent is not unique
        return Branch(x[None], torch.tensor([p], dtype=x.dtype), (), ("lost", "lost"))
    return curve.both_ways(first, "start")


def trace_all(
    equations: Equations, starts: Sequence[tuple[Tensor, float]], low: float, high: float,
    options: ContinuationOptions = ContinuationOptions(), most: int = 20,
) -> list[Branch]:  # fmt: skip
    """The branches through several solutions, and those that cross them at bifurcations.

    Args:
        starts: solutions with their p; one that lies on a branch already traced is left out.
        most: branches at most.
    """
    branches: list[Branch] = []
    curve = _Curve(equations, options, low, high)
    for x, p in starts:
        if len(branches) < most and not any(curve.passes(branch, x, p) for branch in branches):
            branches.append(trace(equations, x, p, low, high, options))
    tried = 0
    while tried < len(branches) and len(branches) < most:
        for special in branches[tried].specials:
            if special.kind != "bifurcation":
                continue
            for first in curve.switched(special):
                known = any(curve.passes(branch, first.x, first.p) for branch in branches)
                if not known and len(branches) < most:
                    branches.append(curve.both_ways(first, "bifurcation"))
        tried += 1
    return branches


def solutions_at(equations: Equations, branch: Branch, p: float, tolerance: float = 1e-11) -> list[Tensor]:
    """The solutions on a branch at one value of the parameter."""
    found: list[Tensor] = []
    gap = branch.p - p
    for k in range(len(gap) - 1):
        a, b = float(gap[k]), float(gap[k + 1])
        if a * b > 0:
            continue
        share = 0.0 if a == b else a / (a - b)
        near = branch.x[k] + share * (branch.x[k + 1] - branch.x[k])
        x = solve_at(equations, near, p, tolerance)
        reach = 3 * float((branch.x[k + 1] - branch.x[k]).abs().max()) + 1e-6
        if x is None or float((x - near).abs().max()) > reach:
            continue
        if all(float((x - y).abs().max()) > 1e-7 for y in found):
            found.append(x)
    return found


class _Curve:
    def __init__(self, equations: Equations, options: ContinuationOptions, low: float, high: float) -> None:
        self.equations, self.options, self.low, self.high = equations, options, low, high

    def bordered(self, x: Tensor, p: float, row: Tensor) -> Tensor:
        """`[F_x F_p; row]`, in coordinates where the unknowns count by their root mean square."""
        root = math.sqrt(len(x))
        step = 1e-6
        slope = (self.equations.residual(x, p + step) - self.equations.residual(x, p - step)) / (2 * step)
        top = torch.cat((root * self.equations.jacobian(x, p), slope[:, None]), 1)
        return torch.cat((top, row[None]))

    def node(self, x: Tensor, p: float, toward: Tensor) -> _Node | None:
        """A solution with its tangent, pointing like `toward` (scaled coordinates)."""
        matrix = self.bordered(x, p, toward)
        right = torch.zeros(len(x) + 1, dtype=x.dtype)
        right[-1] = 1.0
        tangent = _solve(matrix, right)
        if tangent is None:
            return None
        tangent = tangent / tangent.norm()
        matrix[-1] = tangent
        sign, size = torch.linalg.slogdet(matrix)
        return _Node(x, p, tangent, float(sign), float(size))

    def step(self, at: _Node, length: float) -> _Node | None:
        """The solution some arclength further along the tangent; None where the corrector does not settle."""
        found = self._settled(at, length, 0.5)
        if found is None:
            return None
        node = self.node(*found, at.tangent)
        return None if node is None or float(node.tangent @ at.tangent) < 0.7 else node

    def passes(self, branch: Branch, x: Tensor, p: float) -> bool:
        """Whether a branch runs through a solution: does it cross there the plane across itself that holds it?"""
        root = math.sqrt(len(x))
        here = torch.cat((x / root, x.new_tensor([p])))
        nodes = torch.cat((branch.x / root, branch.p[:, None]), 1)
        if float((nodes - here).norm(dim=1).min()) <= _SAME:
            return True
        ways = nodes[1:] - nodes[:-1]
        lengths = ways.norm(dim=1)
        ways = ways / lengths[:, None].clamp(min=1e-300)
        along = ((here - nodes[:-1]) * ways).sum(1)
        feet = nodes[:-1] + along[:, None] * ways
        apart = (here - feet).norm(dim=1)
        beside = (along > -0.2 * lengths) & (along < 1.2 * lengths) & (apart <= lengths) & (lengths > 0)
        for k in apart.masked_fill(~beside, math.inf).argsort()[: min(3, int(beside.sum()))].tolist():
            found = self._across(feet[k], ways[k], float(lengths[k]), 0.5)
            if (
                found is not None
                and float((torch.cat((found[0] / root, x.new_tensor([found[1]]))) - here).norm()) <= _SAME
            ):
                return True
        return False

    def _settled(self, at: _Node, length: float, shrink: float) -> tuple[Tensor, float] | None:
        """The solution across from the predictor."""
        start = torch.cat((at.x / math.sqrt(len(at.x)), at.x.new_tensor([at.p]))) + length * at.tangent
        return self._across(start, at.tangent, length, shrink)

    def _across(self, start: Tensor, way: Tensor, length: float, shrink: float) -> tuple[Tensor, float] | None:
        """The solution on the plane through `start` across `way`: Newton keeps its matrix while corrections shrink.

        Args:
            start: scaled coordinates, `[unknown + 1]`.
            way: of unit length.
            length: of the step that led there: longer corrections are given up.
            shrink: corrections must, to this fraction, for the matrix to be kept.
        """
        root = math.sqrt(len(start) - 1)
        x, p = root * start[:-1], float(start[-1])
        factors, before = None, math.inf
        for _ in range(30):
            r = self.equations.residual(x, p)
            if not bool(r.isfinite().all()):
                return None
            across = way @ (torch.cat((x / root, x.new_tensor([p]))) - start)
            if float(r.abs().max()) <= self.options.tolerance and abs(float(across)) <= 1e-10:
                return x, p
            if factors is None:
                factors = torch.linalg.lu_factor_ex(self.bordered(x, p, way))
                if int(factors.info):
                    return None
            right = torch.cat((r, across[None]))
            move = torch.linalg.lu_solve(factors.LU, factors.pivots, right[:, None])[:, 0]
            size = float(move.abs().max())
            if not size <= 20 * length + 1e-3:
                return None
            if size > shrink * before:
                factors = None
            before = size
            x, p = x - root * move[:-1], p - float(move[-1])
        return None

    def both_ways(self, first: _Node, origin: str) -> Branch:
        back = dataclasses.replace(first, tangent=-first.tangent, sign=-first.sign)
        ahead, of_ahead, end = self._follow(first)
        behind, of_behind, begin = ([], [], "closed") if end == "closed" else self._follow(back)
        nodes = [*reversed(behind), first, *ahead]
        x = torch.stack([node.x for node in nodes])
        p = torch.tensor([node.p for node in nodes], dtype=x.dtype)
        return Branch(x, p, (*reversed(of_behind), *of_ahead), (begin, end), origin)

    def _follow(self, first: _Node) -> tuple[list[_Node], list[Special], str]:
        options = self.options
        nodes: list[_Node] = []
        specials: list[Special] = []
        length, at = options.step, first
        away = False
        while len(nodes) < options.points:
            found = self.step(at, length)
            if found is None:
                length /= 2
                if length < options.shortest:
                    return nodes, specials, "lost"
                continue
            specials += self._between(at, found, length)
            if not self.low <= found.p <= self.high:
                edge = self.low if found.p < self.low else self.high
                share = (edge - at.p) / (found.p - at.p)
                x = solve_at(self.equations, at.x + share * (found.x - at.x), edge, options.tolerance)
                if x is not None:
                    nodes.append(dataclasses.replace(found, x=x, p=edge))
                return nodes, [s for s in specials if self.low <= s.p <= self.high], "range"
            nodes.append(found)
            if float(found.x.abs().max()) > options.far:
                return nodes, specials, "far"
            apart = math.hypot(float((found.x - first.x).norm()) / math.sqrt(len(first.x)), found.p - first.p)
            away = away or apart > 2 * options.longest
            if away and apart < length and float(found.tangent @ first.tangent) > 0.5:
                return nodes, specials, "closed"
            bend = float((found.tangent - at.tangent).norm())
            length = min(options.longest, length * (1.5 if bend < 0.1 else 1.0 if bend < 0.3 else 0.6))
            at = found
        return nodes, specials, "points"

    def _between(self, at: _Node, to: _Node, length: float) -> list[Special]:
        """Folds and bifurcations passed in one step."""
        found: list[Special] = []
        if float(at.tangent[-1]) * float(to.tangent[-1]) < 0:
            there = self._located(at, length, lambda node: float(node.tangent[-1]), at, to)
            found.append(Special("fold", there.x, there.p))
        if at.sign * to.sign < 0:
            size = max(at.size, to.size)

            def value(node: _Node) -> float:
                return node.sign * math.exp(node.size - size)

            there = self._located(at, length, value, at, to)
            if abs(value(there)) <= _VANISHED:  # else it jumps, at a kink of the equations
                found.append(Special("bifurcation", there.x, there.p))
        return found

    def _located(self, at: _Node, length: float, value: Callable[[_Node], float], first: _Node, last: _Node) -> _Node:
        """Where a test function vanishes on the way, by false position (Illinois).

        On a crossing itself the tangent is not unique and the corrector fails: the last two points then lie on either
        side of it, and the place is interpolated.
        """
        a, b, of_a, of_b = 0.0, length, first, last
        fa, fb = value(first), value(last)
        for _ in range(60):
            middle = b - fb * (b - a) / (fb - fa)
            if not min(a, b) < middle < max(a, b):
                middle = (a + b) / 2
            tried = (middle, middle + 1e-4 * (b - a), middle - 1e-4 * (b - a), middle + 1e-2 * (b - a))
            node, middle = next(((n, s) for s in tried if (n := self.step(at, s)) is not None), (None, middle))
            if node is None:
                break
            f, moved = value(node), abs(middle - b)
            if f * fb < 0:
                a, fa, of_a = b, fb, of_b
            else:
                fa /= 2
            b, fb, of_b = middle, f, node
            if f == 0 or moved < 1e-12 or abs(b - a) < 1e-12:
                return of_b
        fa, fb = value(of_a), value(of_b)
        share = fb / (fb - fa) if fa != fb else 0.5
        x, p = of_b.x + share * (of_a.x - of_b.x), of_b.p + share * (of_a.p - of_b.p)
        return dataclasses.replace(of_b if abs(fb) <= abs(fa) else of_a, x=x, p=p)

    def switched(self, special: Special) -> list[_Node]:
        """Solutions on the branch that crosses at a bifurcation, on either side of it."""
        x, p = special.x, special.p
        size = len(x) + 1
        matrix = self.bordered(x, p, torch.zeros(size, dtype=x.dtype))[:-1]
        if not bool(matrix.isfinite().all()):  # the equations are not defined where the crossing was interpolated
            return []
        _, _, rows = torch.linalg.svd(matrix, full_matrices=True)
        plane = rows[-2:]  # the two directions in which solutions go on
        found: list[_Node] = []
        root = math.sqrt(len(x))
        for k in range(8):
            angle = math.pi * k / 8
            way = math.cos(angle) * plane[0] + math.sin(angle) * plane[1]
            for turn in (1.0, -1.0):
                start = _Node(x, p, turn * way, 1.0, 0.0)
                end = self._settled(start, 0.5 * self.options.step, 0.0)  # the direction need not be a tangent
                node = None if end is None else self.node(*end, start.tangent)
                if node is None:
                    continue
                apart = [math.hypot(float((node.x - other.x).norm()) / root, node.p - other.p) for other in found]
                if all(distance > 0.1 * self.options.step for distance in apart):
                    found.append(node)
        return found


def _solve(matrix: Tensor, right: Tensor) -> Tensor | None:
    """None where the matrix is singular or not finite."""
    factors = torch.linalg.lu_factor_ex(matrix)
    if int(factors.info):
        return None
    found = torch.linalg.lu_solve(factors.LU, factors.pivots, right[:, None])[:, 0]
    return found if bool(found.isfinite().all()) else None
