"""Political weights that tariffs reveal: those with which they would be best for the government that set them.

Ossa (2014, section III) takes tariffs that a government sets where it need not cooperate, one for each sector, and asks
with which weights of sectors (`dlopt.trade.politics`, on average one) they would be its best, up to their level: it
chooses the spread of tariffs over sectors with J - 1 weights, their mean follows. His program moves weights until the
best tariffs fit; here the first-order conditions are solved, which are linear in the weights:

    sum_j lambda_j d(X_j / P) / d log(1 + t_k) = 0 for every sector k,

at tariffs `t_k + s`, with the shift s at which they have a solution.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.trade.api import build_model
from dlopt.trade.calibration import Calibration
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import Bounds, InstrumentChoice, build_instruments

_STEP, _REACH, _HALVINGS = 0.05, 3.0, 60


class RevealedError(DloptError):
    """No weights make these tariffs the best ones."""


@dataclasses.dataclass(frozen=True, eq=False)
class Revealed:
    """What tariffs say about weights.

    Attributes:
        weights: lambda, on average one, `[sector]`.
        tariffs: those that satisfy the first-order conditions, `[sector]`: the given ones, shifted.
        shift: by how much.
        curved: whether they are a local maximum along the tariffs.
    """

    weights: Tensor
    tariffs: Tensor
    shift: float
    curved: bool


def revealed_weights(calibration: Calibration, player: str, tariffs: Tensor, held: Tensor | None = None) -> Revealed:
    """Weights of an economy's sectors with which its tariffs, one for each sector, would be the best for it.

    Args:
        calibration: all other policies are those of the baseline.
        player: the economy.
        tariffs: fractions, `[sector]`; all sectors are taken to be chosen.
        held: sectors whose tariffs are not shifted with the others, bool `[sector]`; none by default.

    Raises:
        RevealedError: no shift has weights of 0 or more, or not all sectors are traded.
    """
    home = calibration.economy_index(player)
    dummy = torch.ones_like(calibration.subsidy)
    dummy[home] = 2.0  # any weights but ones, so that sector incomes are followed
    model = build_model(calibration, political_weights=dummy)
    chosen = build_instruments(
        model, InstrumentChoice(tariff="mfn", sectors="all"), Bounds(tariff=(-0.9, 50.0)), players=(player,)
    )
    if chosen.count != model.j:
        raise RevealedError(f"{player} does not import in every sector: weights cannot be told from its tariffs.")
    game = TradeGame(model, chosen)
    sector = torch.stack([chosen.tau[..., k].max() for k in range(model.j)])
    moves = torch.ones_like(tariffs) if held is None else (~held).to(tariffs.dtype)

    def slopes(shift: float) -> Tensor | None:
        """`[instrument, sector of income]` at shifted tariffs; None where there is no equilibrium."""
        a = torch.zeros(model.j, dtype=model.theta.dtype)
        a[sector] = (tariffs + shift * moves).clamp(min=-0.85).log1p()
        point = game.point(a)
        if point is None:
            return None
        forms = point.forms.clone().requires_grad_()
        _, income, index = forms[: 3 * model.n].split(model.n)
        assert model.politics is not None
        bills = forms[3 * model.n :].view(model.n, model.j)
        real = model.politics.incomes(income, bills)[home] * (-index[home]).exp()
        rows = torch.stack([torch.autograd.grad(value, forms, retain_graph=True)[0] for value in real])
        by_form = rows @ game.form_rows @ point.sensitivity
        return by_form[:, sector].T

    def sign(shift: float) -> float:
        found = slopes(shift)
        if found is None:
            return float("nan")
        return float(torch.linalg.slogdet(found / found.norm(dim=1, keepdim=True)).sign)

    found: list[Revealed] = []
    if not bool((moves > 0).any()):
        raise RevealedError(f"No weights make these tariffs of {player} its best unless their level is free.")
    lowest = -0.8 - float(tariffs[moves > 0].min())
    grid = [k * _STEP for k in range(round(-_REACH / _STEP), round(_REACH / _STEP) + 1) if k * _STEP > lowest]
    signs = [sign(shift) for shift in grid]
    for k in range(1, len(grid)):
        if not signs[k - 1] * signs[k] < 0:
            continue
        low, high = grid[k - 1], grid[k]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if sign(middle) == signs[k - 1] else (low, middle)
        at = slopes(low)
        if at is None:
            continue
        weights = torch.linalg.svd(at / at.norm(dim=1, keepdim=True)).Vh[-1]
        weights = weights / weights.mean()
        if bool((weights >= 0).all()):
            shifted = tariffs + low * moves
            found.append(Revealed(weights, shifted, low, _curved(calibration, home, player, weights, shifted)))
    if not found:
        raise RevealedError(f"No weights of 0 or more make these tariffs of {player} its best, at any level.")
    return min(found, key=lambda one: (not one.curved, float(one.weights.std())))


def _curved(calibration: Calibration, home: int, player: str, weights: Tensor, tariffs: Tensor) -> bool:
    """Whether the tariffs are a local maximum for a government with these weights."""
    table = torch.ones_like(calibration.subsidy)
    table[home] = weights
    model = build_model(calibration, political_weights=table)
    bounds = Bounds(tariff=(-0.9, 50.0))
    chosen = build_instruments(model, InstrumentChoice(tariff="mfn", sectors="all"), bounds, players=(player,))
    a = torch.zeros(model.j, dtype=model.theta.dtype)
    a[torch.stack([chosen.tau[..., k].max() for k in range(model.j)])] = tariffs.log1p()
    point = TradeGame(model, chosen).point(a)
    return point is not None and bool((torch.linalg.eigvalsh(point.hessian(0)) < 0).all())
