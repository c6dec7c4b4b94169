"""The trade model as an `EquilibriumModel`: the same equations for automatic differentiation.

Slow beside `TradeGame`, whose derivatives are written by hand, and with the same answers: each is a check of the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.models.derivatives import Curvature as HessianProduct
from dlopt.models.derivatives import Derivatives
from dlopt.models.model import EquilibriumModel, Instrument
from dlopt.trade.carbon import CarbonError
from dlopt.trade.curvature import Curvature
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import TradeModel
from dlopt.trade.rates import CHOICE_NAMES


def as_model(model: TradeModel, instruments: Instruments, by_hand: bool = False) -> EquilibriumModel:
    """A trade model for the general solvers.

    Args:
        model: the trade model.
        instruments: who may choose what. They are log rates, named by kind and number, and start at the baseline's; all
            other rates stay there.
        by_hand: give it the second derivatives of the trade half, as an accelerator.

    Returns:
        Its players are those of `instruments`; each maximises its real income relative to the baseline.
    """
    if instruments.unit is not None or (model.carbon is not None and model.carbon.priced):
        raise CarbonError("A world in which carbon has a price cannot be taken for a model of one's own.")
    game = TradeGame(model, instruments)
    fields = (
        instruments.kind,
        instruments.owner,
        instruments.lower,
        instruments.upper,
        instruments.average(game.fixed),
    )
    chosen = [
        Instrument(f"{CHOICE_NAMES[kind]}_{number}", instruments.players[owner], low, high, value)
        for number, (kind, owner, low, high, value) in enumerate(
            zip(*(field.tolist() for field in fields), strict=True)
        )
    ]

    def residual(u: Tensor, a: Tensor) -> Tensor:
        return model.residual(u, instruments.apply(a, game.fixed))

    def objectives(u: Tensor, a: Tensor) -> Tensor:
        return game.values(game.forms.of(u))

    derivatives = Derivatives(curvature=_curvature(game)) if by_hand else None
    name = model.calibration.name
    return EquilibriumModel(
        residual, objectives, instruments.players, chosen, model.start, derivatives=derivatives, name=name
    )


def _curvature(game: TradeGame) -> HessianProduct:
    model, instruments, rows = game.model, game.instruments, game.form_rows
    everything = torch.arange(instruments.count)

    def curvature(
        u: Tensor, a: Tensor, weight: Tensor, multiplier: Tensor, du: Tensor, da: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Of `weight' W - multiplier' F` along directions, from the structure of the equations."""
        second = Curvature(Linearisation(model, u, instruments.apply(a, game.fixed)), multiplier)
        at = game.forms.of(u)
        of_welfare = torch.autograd.functional.hessian(lambda forms: weight @ game.values(forms), at)  # type: ignore[no-untyped-call]
        h_u = rows.T @ (of_welfare @ (rows @ du)) - second.along(du) - second.mixed(instruments, everything) @ da
        h_a = -second.mixed_along(instruments, du) - second.direct(instruments, everything) @ da
        return h_u, h_a

    return curvature
