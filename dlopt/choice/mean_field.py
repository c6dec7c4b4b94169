"""A control variate for any model: each switch alone against the average behaviour of the others.

Flow utility is probed at states drawn from the long run of the continuous states and split into

    u(y, x) = r(x) + sum_j y_j f_j(i_j) + 1/2 sum_jm C_jm d_j d_m,    d = y - p,    i_j = w_j' (x - centre) / spread,

by regressions: i_j is the direction of x that switch j's utility moves with, f_j a cubic in it, C the couplings of
pairs, r a quadratic. Each switch then solves its own problem over i_j, whose drift and variance are those x gives it
on average, on a grid; p is the probability of being on that this implies. The value of the pairs is that of acceptance
with constant probabilities. Exact where the split and the averages are; elsewhere it is a first guess, of which
generator and sensitivities are still exact (the model's own drift and volatility): all that the training asks. Where
switches choose, a polynomial then takes out most of what the guess leaves (`correction`): that i_j is not all that
tells where it goes, and that the others are more often on in some states of x than in others.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.linalg import solve_banded
from torch import Tensor

from dlopt.choice.correction import Polynomial, correct
from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import Array, State, SwitchingModel, gather_movable

SAMPLE, LONG = 1500, 25.0  # states probed, and years until they count as long-run ones
POINTS, BEYOND = 301, 1.0  # nodes of an index, and how far they reach beyond the sample, in standard deviations
ROUNDS, TOLERANCE = 60, 1e-6  # of the search for consistent probabilities
FULL = 12  # continuous states up to which r is a full quadratic
NEVER = 1e-8  # relative size below which a utility does not move with x


@dataclasses.dataclass(frozen=True)
class _Split:
    """Utility taken apart; see the module. J switches, K continuous states, N sampled ones."""

    direction: Array  # w, [K, J]
    utility: Array  # coefficients of f_j at p = 1/2, lowest power first, [4, J]
    couplings: Array  # C, [J, J]
    index: Array  # [N, J]
    drift: Array  # coefficients of the index's mean drift, [2, J]
    variance: Array  # of its mean variance, [3, J]
    opening: Array  # mean rates of opportunities and failures, [J]
    closing: Array


class MeanField:
    """The control variate.

    Args:
        model: the problem on a device.
        choose: whether switches choose in their own problems; else each accepts with the probability, the same
            everywhere, that leads to the same probability of being on.
    """

    def __init__(self, model: SwitchingModel, choose: bool = True) -> None:
        self.model = model
        state = _sample(model)
        split = _split(model, state)
        rho, cost = model.rho, model.cost.double().cpu().numpy()
        lowest, highest = split.index.min(0), split.index.max(0)
        nodes = np.linspace(lowest - BEYOND, highest + BEYOND, POINTS)  # [n, J]
        own = _extended(split.utility, nodes, lowest, highest)
        problems = _Problems(split, nodes, lowest, highest, rho, cost)
        p = np.full(model.switches, 0.5)
        worth = own
        for _ in range(ROUNDS):
            worth = problems.choosing(own + split.couplings @ (p - 0.5))
            new = problems.probability(worth > cost)
            settled = np.abs(new - p).max() <= TOLERANCE
            p = new
            if settled:
                break
        q = split.closing * p / np.maximum(split.opening * (1 - p), 1e-12)
        flow = own + split.couplings @ (p - 0.5)
        if choose:
            worth = problems.choosing(flow)
            gain = split.opening * np.maximum(worth - cost, 0.0)
        else:
            q = np.minimum(q, 1.0)
            worth = problems.accepting(flow, q)
            gain = split.opening * q * (worth - cost)
        k = split.opening * np.minimum(q, 1.0) + split.closing
        like: dict[str, Any] = {"device": model.centre.device, "dtype": model.centre.dtype}
        self.p = torch.tensor(p, **like)
        self.cross = torch.tensor(split.couplings / (rho + k[:, None] + k[None, :]), **like)
        self.direction = torch.tensor(split.direction, **like)
        self.first, self.last = torch.tensor(nodes[0], **like), torch.tensor(nodes[-1], **like)
        self.step, self.cells = (self.last - self.first) / (POINTS - 1), POINTS - 1
        tables = np.stack([_cubic(nodes, problems.discounted(gain)), _cubic(nodes, worth)])  # [2, 4, cells, J]
        packed = np.ascontiguousarray(tables.transpose(3, 2, 0, 1)).reshape(-1, 2, 4)
        self.table = torch.tensor(packed, **like)
        self.row = torch.arange(model.switches, device=like["device"]) * self.cells
        rest = _flow(model, state) - _pairs(state, p, split.couplings)
        rest -= (state.y.numpy() * (_extended(split.utility, split.index, lowest, highest)
                                    + split.couplings @ (p - 0.5))).sum(1)  # fmt: skip
        level, slope, curve = _rest(model, state, rest)
        self.level, self.slope, self.curve = level, torch.tensor(slope, **like), torch.tensor(curve, **like)
        self.push, self.tilt = torch.zeros_like(self.p), torch.zeros_like(self.direction)
        if choose:
            correct(model, self.p, split.direction, self.evaluate, self._add)

    def _add(self, polynomial: Polynomial) -> None:
        self.level += polynomial.level
        for name in ("slope", "curve", "push", "tilt"):
            before: Tensor = getattr(self, name)
            setattr(self, name, before + torch.as_tensor(getattr(polynomial, name)).to(before))

    def evaluate(self, state: State) -> Evaluation:
        """Value, differences, generator and sensitivities."""
        model = self.model
        xi = (state.x - model.centre) / model.spread
        drift, sigma = model.drift(state.x) / model.spread, model.volatility(state.x) / model.spread
        worth, slope, bend = self._functions(xi @ self.direction)  # [B, J, 2] each
        y, d = state.y, state.y - self.p
        across = d @ self.cross
        through = slope[..., 0] + y * slope[..., 1]  # [B, J]
        lean = self.push + xi @ self.tilt  # [B, J]
        gradient = through @ self.direction.T + d @ self.tilt.T + self.slope + xi @ self.curve  # per spread, [B, K]
        spread = ((sigma @ self.direction) ** 2).sum(-2)  # variance of each index, [J] or [B, J]
        second = ((bend[..., 0] + y * bend[..., 1]) * spread).sum(1)
        second = second + ((sigma @ self.curve) * sigma).sum((-1, -2))
        value = self.level + xi @ self.slope + 0.5 * ((xi @ self.curve) * xi).sum(1)
        value = value + (worth[..., 0] + y * worth[..., 1] + d * (lean + 0.5 * across)).sum(1)
        index = model.movable(state)
        return Evaluation(
            value=value,
            marginal=gather_movable(worth[..., 1] + across + lean, index),
            generator=(drift * gradient).sum(1) + 0.5 * second,
            sensitivity=(sigma * gradient[:, None]).sum(2),
            clock=None if state.z is None else value[:, None].expand(-1, model.clocks),
        )

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some switches are worth at some states, `[P]`."""
        xi = (state.x - self.model.centre) / self.model.spread
        d = state.y - self.p
        lean = self.push + xi @ self.tilt
        return (self._functions(xi @ self.direction)[0][..., 1] + d @ self.cross + lean)[row, switch]

    def _functions(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value of waiting and worth of each switch at its index, `[B, J, 2]`; slopes; second derivatives."""
        inside = torch.minimum(torch.maximum(index, self.first), self.last)
        t = inside - self.first
        cell = (t / self.step).long().clamp(0, self.cells - 1)
        u = (t - cell.to(t.dtype) * self.step)[..., None]
        c = self.table[(cell + self.row).ravel()].view(*cell.shape, 2, 4)
        value = ((c[..., 0] * u + c[..., 1]) * u + c[..., 2]) * u + c[..., 3]
        slope = (3 * c[..., 0] * u + 2 * c[..., 1]) * u + c[..., 2]
        outside = (index - inside)[..., None]
        bend = torch.where(outside == 0, 6 * c[..., 0] * u + 2 * c[..., 1], 0.0)
        return value + slope * outside, slope, bend


class _Problems:
    """J one-dimensional problems on grids `[n, J]`, each over its own index."""

    def __init__(self, split: _Split, nodes: Array, lowest: Array, highest: Array, rho: float, cost: Array) -> None:
        self.rho, self.cost, self.opening, self.closing = rho, cost, split.opening, split.closing
        h = nodes[1] - nodes[0]
        inside = np.clip(nodes, lowest, highest)
        drift = split.drift[0] + split.drift[1] * nodes
        average = split.variance[0] + split.variance[1] * inside + split.variance[2] * inside**2
        variance = np.maximum(average, 0.05 * np.maximum(split.variance[0], 0.0))
        smooth = variance >= h * np.abs(drift)  # central differences there, upwind ones elsewhere
        up = np.where(smooth, 0.5 * drift / h, np.maximum(drift, 0) / h) + 0.5 * variance / h**2
        down = np.where(smooth, -0.5 * drift / h, np.maximum(-drift, 0) / h) + 0.5 * variance / h**2
        up[-1], down[0] = 0.0, 0.0
        up[0], down[-1] = np.maximum(drift[0], 0) / h, np.maximum(-drift[-1], 0) / h
        self.up, self.down = up, down
        level = np.zeros_like(nodes)
        ratio = np.log(np.maximum(up[:-1], 1e-30)) - np.log(np.maximum(down[1:], 1e-30))
        level[1:] = np.cumsum(ratio, 0)
        weights = np.exp(level - level.max(0))
        self.weights = weights / weights.sum(0)

    def _solve(self, leave: Array, right: Array, forward: bool = False) -> Array:
        """`(leave - L) f = right`, all `[n, J]`; `forward`: with the transpose of L."""
        out = np.empty_like(right)
        up, down = (self.down, self.up) if forward else (self.up, self.down)
        for j in range(right.shape[1]):
            band = np.zeros((3, len(right)))
            band[1] = leave[:, j] + self.up[:, j] + self.down[:, j]
            band[0, 1:] = -(up[1:, j] if forward else up[:-1, j])
            band[2, :-1] = -(down[:-1, j] if forward else down[1:, j])
            out[:, j] = solve_banded((1, 1), band, right[:, j])
        return out

    def choosing(self, flow: Array) -> Array:
        """Worth of being on, an opportunity being taken where that is worth its cost: policy iteration."""
        accept = flow > (self.rho + self.closing) * self.cost
        for _ in range(50):
            rate = self.opening * accept
            worth = self._solve(self.rho + self.closing + rate, flow + rate * self.cost)
            new = worth > self.cost
            if (new == accept).all():
                break
            accept = new
        return worth

    def accepting(self, flow: Array, q: Array) -> Array:
        """Worth of being on, opportunities being taken with probability q."""
        rate = np.broadcast_to(self.opening * q, flow.shape)
        return self._solve(self.rho + self.closing + rate, flow + rate * self.cost)

    def discounted(self, flow: Array) -> Array:
        """Discounted value of a flow."""
        return self._solve(np.full_like(flow, self.rho), flow)

    def probability(self, accept: Array) -> Array:
        """Long-run probability of being on under a policy, `[J]`."""
        rate = self.opening * accept
        leave = np.maximum(self.closing + rate, 1e-12)
        return np.clip(self._solve(leave, rate * self.weights, forward=True).sum(0), 0.0, 1.0)


def _sample(model: SwitchingModel) -> State:
    """Long-run continuous states with switches on at probability one half, in float64 on the CPU."""
    generator = torch.Generator(device=model.centre.device).manual_seed(0)
    state = model.draw(max(SAMPLE, 4 * (model.switches + model.factors)), generator)
    x, steps = state.x, max(1, int(np.ceil(LONG / min(model.longest_step, 0.5))))
    for _ in range(steps):
        noise = torch.randn(len(x), model.shocks, generator=generator, device=x.device, dtype=x.dtype)
        x = model.diffuse(x, LONG / steps, noise)
    y = (torch.rand(state.y.shape, generator=generator, device=x.device, dtype=x.dtype) < 0.5).to(x.dtype)
    return State(y.cpu().double(), x.cpu().double(), None if state.z is None else state.z.cpu())


def _flow(model: SwitchingModel, state: State) -> Array:
    """Utility at states in float64, `[N]`."""
    like = model.centre
    z = None if state.z is None else state.z.to(like.device)
    return model.flow(State(state.y.to(like), state.x.to(like), z)).double().cpu().numpy()


def _split(model: SwitchingModel, state: State) -> _Split:
    like = model.centre
    centre, spread = like.double().cpu().numpy(), model.spread.double().cpu().numpy()
    n, j = state.y.shape
    marginal = np.empty((n, j))
    for k in range(j):
        y = state.y.clone()
        y[:, k] = 1.0
        on = _flow(model, State(y, state.x, state.z))
        y[:, k] = 0.0
        marginal[:, k] = on - _flow(model, State(y, state.x, state.z))
    xi, d = (state.x.numpy() - centre) / spread, state.y.numpy() - 0.5
    fit = np.linalg.lstsq(np.hstack([np.ones((n, 1)), xi, d]), marginal, rcond=1e-9)[0]
    slopes, couplings = fit[1 : 1 + xi.shape[1]], fit[1 + xi.shape[1] :]
    couplings = 0.5 * (couplings + couplings.T)
    np.fill_diagonal(couplings, 0.0)
    couplings[np.abs(couplings) < NEVER * np.abs(marginal).max()] = 0.0
    index = xi @ slopes
    size = index.std(0)
    moves = size > 10 * NEVER * np.abs(marginal).max()
    direction = np.where(moves, slopes / np.where(moves, size, 1.0), 0.0)
    index = xi @ direction
    own = marginal - d @ couplings
    x = state.x.to(like)
    drift = (model.drift(x).double().cpu().numpy() / spread) @ direction
    sigma = model.volatility(x).double().cpu().numpy() / spread
    variance = np.broadcast_to(((sigma @ direction) ** 2).sum(-2), (n, j))
    at = State(state.y.to(like), x, None if state.z is None else state.z.to(like.device))
    movable = model.movable(at)
    opening, closing = (_mean_rate(rate, movable, n, j) for rate in model.rates(at))
    return _Split(
        direction, _fitted(index, own, 3), couplings, index, _fitted(index, drift, 1), _fitted(index, variance, 2),
        opening, closing,
    )  # fmt: skip


def _mean_rate(rate: Tensor, movable: Tensor | None, n: int, j: int) -> Array:
    """Mean over states of a rate, 0 where a switch cannot move, `[J]`."""
    if movable is None:
        return rate.double().expand(n, j).mean(0).cpu().numpy()
    full = torch.zeros(n, j, dtype=torch.float64, device=rate.device)
    return full.scatter(1, movable, rate.double().expand(movable.shape)).mean(0).cpu().numpy()


def _fitted(index: Array, values: Array, degree: int) -> Array:
    """Least squares of each column of `values` on powers of the same column of `index`, `[degree + 1, J]`."""
    out = np.zeros((degree + 1, index.shape[1]))
    for j in range(index.shape[1]):
        moves = index[:, j].std() > 0
        design = index[:, j, None] ** np.arange(degree + 1 if moves else 1)
        found = np.linalg.lstsq(design, values[:, j], rcond=None)[0]
        out[: len(found), j] = found
    return out


def _extended(coefficients: Array, at: Array, lowest: Array, highest: Array) -> Array:
    """Polynomials within the sample, straight lines beyond it."""
    inside = np.clip(at, lowest, highest)
    powers = np.arange(len(coefficients))[:, None, None]
    value = (coefficients[:, None] * inside**powers).sum(0)
    slope = (powers[1:] * coefficients[1:, None] * inside ** (powers[1:] - 1)).sum(0)
    return value + slope * (at - inside)


def _cubic(nodes: Array, values: Array) -> Array:
    """Coefficients of cubic splines through the columns, `[4, n - 1, J]`."""
    return np.stack([CubicSpline(nodes[:, j], values[:, j]).c for j in range(nodes.shape[1])], axis=2)


def _pairs(state: State, p: Array, couplings: Array) -> Array:
    d = state.y.numpy() - p
    return 0.5 * ((d @ couplings) * d).sum(1)


def _rest(model: SwitchingModel, state: State, flow: Array) -> tuple[float, Array, Array]:
    """The discounted value of a flow that depends on x alone, as a quadratic in (x - centre) / spread.

    Returns:
        Level, slope `[K]` and curvature `[K, K]`: the quadratic whose equation holds best over the sample.
    """
    like, k = model.centre, len(model.centre)
    centre, spread = like.double().cpu().numpy(), model.spread.double().cpu().numpy()
    x = state.x.to(like)
    xi = (state.x.numpy() - centre) / spread
    drift = model.drift(x).double().cpu().numpy() / spread
    sigma = np.broadcast_to(model.volatility(x).double().cpu().numpy() / spread, (len(xi), model.shocks, k))
    a, b = np.triu_indices(k) if k <= FULL else (np.arange(k), np.arange(k))
    covariance = np.einsum("nma,nma->na", sigma[:, :, a], sigma[:, :, b])
    second = drift[:, a] * xi[:, b] + drift[:, b] * xi[:, a] + covariance
    quadratic = model.rho * xi[:, a] * xi[:, b] - second
    design = np.hstack([np.full((len(xi), 1), model.rho), model.rho * xi - drift, quadratic])
    fit = np.linalg.lstsq(design, flow, rcond=1e-9)[0]
    curve = np.zeros((k, k))
    curve[a, b] += fit[1 + k :]
    return float(fit[0]), fit[1 : 1 + k], curve + curve.T
