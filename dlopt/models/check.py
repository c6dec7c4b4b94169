"""What is looked at before a model is solved, so that a mistake in it is named and never becomes a number."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from dlopt.models.derivatives import (
    DerivativeError,
    DisagreementError,
    compare_by_hand,
    compare_with_differences,
    jacobians,
)
from dlopt.models.game import SingularJacobianError, equilibrium
from dlopt.models.model import EquilibriumModel, FunctionError, first_line

_SINGULAR = 1e-13
"""Smallest singular value of a Jacobian, rows and columns scaled, that counts as an inverse, of the largest."""


@functools.lru_cache(maxsize=8)
def check_model(model: EquilibriumModel) -> Tensor:
    """The equilibrium at the starting instruments, `[unknown]`, of a model that can be solved.

    Raises:
        FunctionError: a function fails, or returns something of another size or type, or values that are not finite.
        DerivativeError: torch cannot differentiate it, or a derivative is wrong, by hand or automatic.
        SingularJacobianError: the equations do not determine the unknowns.
        NoEquilibriumError: no equilibrium was found.
    """
    u, a = model.u0, model.a0
    for function, size, what in (("residual", len(u), "unknown"), ("objectives", len(model.players), "player")):
        _values(model, function, model.call(function, u, a), size, what)
    try:
        compare_with_differences(model, u, a)
    except DisagreementError:
        compare_with_differences(model, *_aside(model, u, a))  # the start itself may be a kink, harmlessly
    _regular(model, u, a, "at the start")
    u = equilibrium(model, a)
    _values(model, "objectives", model.call("objectives", u, a), len(model.players), "player")
    _regular(model, u, a, "at the equilibrium")
    compare_by_hand(model, u, a)
    outcome_values(model, u, a)
    return u


def outcome_values(model: EquilibriumModel, u: Tensor, a: Tensor) -> dict[str, Tensor]:
    """The further quantities a model reports, scalars or vectors.

    Raises:
        FunctionError: they fail, or are no finite scalars and vectors.
    """
    if model.outcomes is None:
        return {}
    try:
        given = dict(model.outcomes(u, a))
        values = {str(name): torch.as_tensor(value).detach().to(torch.float64) for name, value in given.items()}
    except Exception as error:
        raise FunctionError(
            f"outcomes of model {model.name!r} failed: {type(error).__name__}: {first_line(error)}"
        ) from error
    for name, value in values.items():
        if value.ndim > 1 or not bool(value.isfinite().all()):
            raise FunctionError(
                f"outcomes of model {model.name!r} gives {name!r} with shape {list(value.shape)} and values "
                f"{value.flatten().tolist()[:3]}: give finite scalars or vectors."
            )
    return values


def _values(model: EquilibriumModel, function: str, value: object, size: int, what: str) -> None:
    where = f"{function} of model {model.name!r}"
    if not isinstance(value, Tensor):
        raise FunctionError(f"{where} returns {type(value).__name__}: return a tensor, such as torch.stack([...]).")
    if value.shape != (size,):
        raise FunctionError(
            f"{where} returns shape {list(value.shape)}: it must be [{size}], one value for each {what}"
            + (f" ({', '.join(model.players)})." if what == "player" else ".")
        )
    if value.dtype != torch.float64:
        raise FunctionError(
            f"{where} returns {value.dtype}: it must be torch.float64. Give its constants dtype=torch.float64."
        )
    if not bool(value.isfinite().all()):
        at = int((~value.isfinite()).nonzero()[0])
        name = f"of player {model.players[at]!r}" if what == "player" else f"at position {at}"
        raise FunctionError(
            f"{where} is {float(value[at])} {name}: it must be finite at the start. Start where the model is defined."
        )
    if value.grad_fn is not None:
        raise FunctionError(f"{where} carries gradients of its own: build its constants without requires_grad.")


def _aside(model: EquilibriumModel, u: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """A point a little way from the start, inside the bounds."""
    draw = torch.Generator().manual_seed(1)
    u = u + 1e-3 * (1 + u.abs()) * torch.randn(len(u), generator=draw, dtype=u.dtype)
    step = 1e-3 * (1 + a.abs()) * (0.5 + torch.rand(len(a), generator=draw, dtype=a.dtype))
    step = torch.where(a + step <= model.upper, step, -step)
    return u, (a + step).clamp(model.lower, model.upper)


def _regular(model: EquilibriumModel, u: Tensor, a: Tensor, where: str) -> None:
    """That `F_u` has an inverse, whatever the units of equations and unknowns."""
    matrix = jacobians(model, "residual", u, a)[0]
    for row, values in enumerate(matrix):
        if not bool(values.any()):
            raise DerivativeError(
                f"Model {model.name!r}: residual[{row}] does not depend on any unknown {where}, or is cut off from "
                "differentiation (detach, item, numpy, torch.tensor of computed values)."
            )
    for name, values in zip(model.unknowns, matrix.T, strict=True):
        if not bool(values.any()):
            raise SingularJacobianError(
                f"Model {model.name!r}: no equation depends on unknown {name!r} {where}: drop it, or start elsewhere."
            )
    for _ in range(3):
        matrix = matrix / matrix.abs().amax(1, keepdim=True)
        matrix = matrix / matrix.abs().amax(0)
    left, values, right = torch.linalg.svd(matrix)
    if float(values[-1]) <= _SINGULAR * float(values[0]):
        equation, unknown = int(left[:, -1].abs().argmax()), int(right[-1].abs().argmax())
        raise SingularJacobianError(
            f"Model {model.name!r}: its equations do not determine its unknowns {where} (the Jacobian is singular). "
            f"residual[{equation}] follows from others, and unknown {model.unknowns[unknown]!r} can move freely: "
            "replace an equation that repeats others (by Walras's law, one market) by what is missing (a numeraire)."
        )
