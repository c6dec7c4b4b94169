"""Derivatives of a model: automatic, by hand where it offers them, and the comparison of both.

At an equilibrium `F(u, a) = 0` the implicit function theorem needs `F_u`, `F_a`, `W_u`, `W_a` and the second derivative
of a Lagrangian `w'W - m'F` in some directions; nothing else of a model is ever differentiated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.models.model import EquilibriumModel, FunctionError, ModelError, first_line

Jacobians = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From `u, a` to the derivatives of a vector with respect to both: `[row, unknown]` and `[row, instrument]`."""
Curvature = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From `u, a`, `w [player]`, `m [unknown]` and directions `du [unknown, k]`, `da [instrument, k]` to the second
derivative of `w'W - m'F` times the directions: `[unknown, k]` and `[instrument, k]`."""

AGREEMENT = 1e-8
"""Largest difference between derivatives by hand and automatic ones, relative to the largest in the same row."""
_DIFFERENCES = 1e-5
"""The same against finite differences, which are only so exact."""


class DerivativeError(ModelError):
    """A derivative that torch cannot take, or one that disagrees with what it is the derivative of."""


class DisagreementError(DerivativeError):
    """Values nearby say otherwise than the derivative."""


@dataclasses.dataclass(frozen=True)
class Derivatives:
    """Derivatives written by hand: all optional, for models in which they are much cheaper than automatic ones.

    Attributes:
        residual: `F_u, F_a` at any point.
        objectives: `W_u, W_a` at any point.
        curvature: of `w'W - m'F`, at an equilibrium and along it: only its second derivative in directions in which
            `F_u du + F_a da = 0` counts, so that terms in F itself, or in products of its gradients, may be left out.
    """

    residual: Jacobians | None = None
    objectives: Jacobians | None = None
    curvature: Curvature | None = None


@dataclasses.dataclass(frozen=True)
class DerivativeCheck:
    """What `verify_derivatives` found: the largest relative difference of each derivative; None where none was made.

    Attributes:
        automatic: automatic derivatives against finite differences.
        by_hand: derivatives by hand against automatic ones, of those that the model offers.
    """

    automatic: dict[str, float | None]
    by_hand: dict[str, float]


def jacobians(model: EquilibriumModel, function: str, u: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of `residual` or `objectives`, by hand if offered: `[row, unknown]` and `[row, instrument]`."""
    by_hand = getattr(model.derivatives, function, None)
    if by_hand is None:
        return automatic_jacobians(model, function, u, a)
    found: tuple[Tensor, Tensor] = _by_hand(model, function, by_hand, u, a)
    return found


def curvature(
    model: EquilibriumModel, u: Tensor, a: Tensor, weight: Tensor, multiplier: Tensor, du: Tensor, da: Tensor
) -> tuple[Tensor, Tensor]:
    """Second derivative of `weight'W - multiplier'F` times directions, by hand if offered (see `Curvature`)."""
    by_hand = None if model.derivatives is None else model.derivatives.curvature
    if by_hand is None:
        return automatic_curvature(model, u, a, weight, multiplier, du, da)
    found: tuple[Tensor, Tensor] = _by_hand(model, "curvature", by_hand, u, a, weight, multiplier, du, da)
    return found


def automatic_jacobians(model: EquilibriumModel, function: str, u: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of `residual` or `objectives` by reverse differentiation."""
    with _torch(model, function):
        at = _variable(u, a)
        value = model.call(function, *at)
        return _products(value, at, torch.eye(len(value), dtype=value.dtype))


def automatic_curvature(
    model: EquilibriumModel, u: Tensor, a: Tensor, weight: Tensor, multiplier: Tensor, du: Tensor, da: Tensor
) -> tuple[Tensor, Tensor]:
    """Second derivative of the Lagrangian, symmetric, by differentiating its gradient along each direction."""
    with _torch(model, "residual or objectives"):
        at = _variable(u, a)
        lagrangian = weight @ model.call("objectives", *at) - multiplier @ model.call("residual", *at)
        if not lagrangian.requires_grad:
            return torch.zeros_like(du), torch.zeros_like(da)
        gradient = torch.autograd.grad(lagrangian, at, create_graph=True, materialize_grads=True)
        h_u, h_a = _products(torch.cat(gradient), at, torch.cat((du, da)).T)
    return h_u.T, h_a.T


def _variable(u: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    return u.detach().clone().requires_grad_(), a.detach().clone().requires_grad_()


def _products(value: Tensor, at: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    """`rows` times the Jacobian of `value` by both variables, `[row, unknown]` and `[row, instrument]`."""
    if not value.requires_grad:
        return rows.new_zeros((len(rows), len(at[0]))), rows.new_zeros((len(rows), len(at[1])))
    try:
        batch = torch.autograd.grad(value, at, rows, retain_graph=True, is_grads_batched=True, allow_unused=True)
    except RuntimeError:  # an operation that torch cannot batch: one row after the other
        each = [torch.autograd.grad(value, at, row, retain_graph=True, materialize_grads=True) for row in rows]
        return torch.stack([by_u for by_u, _ in each]), torch.stack([by_a for _, by_a in each])
    by_u, by_a = (
        rows.new_zeros((len(rows), len(x))) if part is None else part for part, x in zip(batch, at, strict=True)
    )
    return by_u, by_a


def verify_derivatives(
    model: EquilibriumModel, u: Tensor | None = None, a: Tensor | None = None, seed: int = 0
) -> DerivativeCheck:
    """Compare every derivative of a model with what it is the derivative of.

    Automatic derivatives are held against finite differences along a random direction, first and second ones; those by
    hand against automatic ones, entry by entry, the curvature with random weights and multipliers.

    Args:
        model: the model.
        u: unknowns where to compare, `[unknown]`; default the model's equilibrium at `a`, since a curvature by hand
            may hold only there.
        a: instruments, `[instrument]`; default their start.
        seed: of the random directions.

    Raises:
        DerivativeError: with the derivative, its entry, and both values.
    """
    from dlopt.models.game import equilibrium

    a = model.a0 if a is None else a
    if u is None:
        u = equilibrium(model, a)
    automatic = compare_with_differences(model, u, a, seed)
    return DerivativeCheck(automatic, compare_by_hand(model, u, a, seed))


def compare_with_differences(model: EquilibriumModel, u: Tensor, a: Tensor, seed: int = 0) -> dict[str, float | None]:
    """Largest relative difference of automatic derivatives from finite ones, by name; None where those do not exist.

    Raises:
        DerivativeError: a difference too large to be rounding.
    """
    draw = torch.Generator().manual_seed(seed)
    x = torch.cat((u, a))
    direction = torch.randn(len(x), generator=draw, dtype=x.dtype) * (1 + x.abs())
    columns = _variables(model)
    found: dict[str, float | None] = {}
    for function, rows in (("residual", _equations(model)), ("objectives", _objectives(model))):
        jacobian = torch.cat(automatic_jacobians(model, function, u, a), dim=1)
        _finite(model, f"the derivative of {function}", jacobian, rows, columns)

        def value(x: Tensor, function: str = function) -> Tensor:
            return model.call(function, x[: len(u)], x[len(u) :]).detach()

        found[function] = _against(model, value, x, direction, jacobian.__matmul__, rows, columns)
    weight = torch.randn(len(model.players), generator=draw, dtype=x.dtype)
    multiplier = torch.randn(len(u), generator=draw, dtype=x.dtype)

    def slope(x: Tensor) -> Tensor:
        at = x[: len(u)], x[len(u) :]
        w = torch.cat(automatic_jacobians(model, "objectives", *at), dim=1)
        return weight @ w - multiplier @ torch.cat(automatic_jacobians(model, "residual", *at), dim=1)

    def second(directions: Tensor) -> Tensor:
        along = directions.reshape(len(x), -1)
        found = automatic_curvature(model, u, a, weight, multiplier, along[: len(u)], along[len(u) :])
        return torch.cat(found).reshape(directions.shape)

    rows = [f"the first derivative by {name}" for name in columns]
    found["curvature"] = _against(model, slope, x, direction, second, rows, columns)
    return found


def compare_by_hand(model: EquilibriumModel, u: Tensor, a: Tensor, seed: int = 0) -> dict[str, float]:
    """Largest relative difference of each derivative by hand from the automatic one.

    Raises:
        DerivativeError: a difference larger than `AGREEMENT`.
    """
    columns = _variables(model)
    found: dict[str, float] = {}
    if model.derivatives is None:
        return found
    for function, rows in (("residual", _equations(model)), ("objectives", _objectives(model))):
        if getattr(model.derivatives, function) is not None:
            mine = torch.cat(jacobians(model, function, u, a), dim=1)
            theirs = torch.cat(automatic_jacobians(model, function, u, a), dim=1)
            found[function] = _agree(model, f"derivatives.{function}", mine, theirs, rows, columns)
    if model.derivatives.curvature is not None:
        draw = torch.Generator().manual_seed(seed)
        weight = torch.randn(len(model.players), generator=draw, dtype=u.dtype)
        multiplier = torch.randn(len(u), generator=draw, dtype=u.dtype)
        stays = torch.eye(len(a), dtype=u.dtype)
        f_u, f_a = automatic_jacobians(model, "residual", u, a)
        along = torch.cat((-torch.linalg.solve(f_u, f_a), stays))
        mine, theirs = (
            along.T @ torch.cat(product(model, u, a, weight, multiplier, along[: len(u)], stays))
            for product in (curvature, automatic_curvature)
        )
        names = list(model.instrument_names)
        found["curvature"] = _agree(model, "derivatives.curvature, along the equilibrium,", mine, theirs, names, names)
    return found


def _against(
    model: EquilibriumModel, value: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor,
    product: Callable[[Tensor], Tensor], rows: list[str], columns: list[str],
) -> float | None:  # fmt: skip
    """Largest relative difference between `product` with `direction` and differences of `value` along it."""
    change = product(direction)
    _finite(model, "a derivative", change[:, None], rows, ["a random direction"])
    difference, doubt = _difference(value, x, direction)
    if not bool(difference.isfinite().all()):
        return None
    size = change.abs() + difference.abs()
    size = size.clamp(min=1e-8 * float(size.max()) + 1e-300)
    gap = (change - difference).abs()
    wrong = gap > _DIFFERENCES * size + 10 * doubt
    if bool(wrong.any()):
        row = int((gap / size).masked_fill(~wrong, 0.0).argmax())
        step = torch.diag(1 + x.abs())
        by_torch = torch.stack([product(e)[row] for e in step]) / step.diagonal()
        nearby = torch.stack([_difference(value, x, e)[0][row] for e in step]) / step.diagonal()
        at = int((by_torch - nearby).abs().nan_to_num(nan=0.0).argmax())
        raise DisagreementError(
            f"Model {model.name!r}: torch says that {rows[row]} changes by {float(by_torch[at]):.6g} per unit of "
            f"{columns[at]}, and its values nearby say {float(nearby[at]):.6g}. Part of it is cut off from "
            "differentiation (detach, item, numpy, torch.tensor of computed values), or has a kink there."
        )
    return float((gap / size).max())


def _difference(value: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Central difference along a direction and how far two step lengths disagree."""
    both = [(value(x + h * direction) - value(x - h * direction)) / (2 * h) for h in (2e-5, 1e-5)]
    return both[1], (both[1] - both[0]).abs()


def _agree(
    model: EquilibriumModel, what: str, mine: Tensor, theirs: Tensor, rows: list[str], columns: list[str]
) -> float:
    if mine.shape != theirs.shape:
        raise DerivativeError(
            f"Model {model.name!r}: {what} has shape {list(mine.shape)} (both parts together), and it must be "
            f"{list(theirs.shape)}."
        )
    _finite(model, what, mine, rows, columns)
    size = theirs.abs().amax(1, keepdim=True).clamp(min=1e-8 * float(theirs.abs().max()) + 1e-300)
    gap = (mine - theirs).abs() / size
    worst = float(gap.max())
    if worst > AGREEMENT:
        row, column = divmod(int(gap.argmax()), gap.shape[1])
        raise DerivativeError(
            f"Model {model.name!r}: {what} is wrong at ({rows[row]}, {columns[column]}): "
            f"{float(mine[row, column]):.9g} by hand, {float(theirs[row, column]):.9g} by automatic differentiation."
        )
    return worst


def _finite(model: EquilibriumModel, what: str, values: Tensor, rows: list[str], columns: list[str]) -> None:
    if not bool(values.isfinite().all()):
        row, column = (~values.isfinite()).nonzero()[0].tolist()
        raise DerivativeError(
            f"Model {model.name!r}: {what} is {float(values[row, column])} at ({rows[row]}, {columns[column]}). Start "
            "where it is smooth (a root or a log of zero is not), or write the equation otherwise."
        )


def _variables(model: EquilibriumModel) -> list[str]:
    return [f"unknown {name!r}" for name in model.unknowns] + [
        f"instrument {name!r}" for name in model.instrument_names
    ]


def _equations(model: EquilibriumModel) -> list[str]:
    return [f"residual[{row}]" for row in range(len(model.unknowns))]


def _objectives(model: EquilibriumModel) -> list[str]:
    return [f"the objective of {name!r}" for name in model.players]


def _by_hand(
    model: EquilibriumModel, what: str, function: Callable[..., tuple[Tensor, Tensor]], *arguments: Tensor
) -> tuple[Tensor, Tensor]:
    try:
        found = tuple(function(*arguments))
        if len(found) != 2 or not all(isinstance(part, Tensor) for part in found):
            raise TypeError("it must return two tensors")
    except Exception as error:
        raise DerivativeError(
            f"Model {model.name!r}: derivatives.{what} failed: {type(error).__name__}: {first_line(error)}"
        ) from error
    return found[0], found[1]


class _torch:
    """Turns what torch says about a function that it cannot differentiate into a `DerivativeError`."""

    def __init__(self, model: EquilibriumModel, what: str) -> None:
        self._model, self._what = model, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        cause = error.__cause__ if isinstance(error, FunctionError) else error
        if isinstance(error, FunctionError | RuntimeError | NotImplementedError):
            raise DerivativeError(
                f"Model {self._model.name!r}: torch cannot differentiate {self._what}: {first_line(cause or error)} "
                "Use torch operations on u and a all the way, none in place, no .item() and no .numpy()."
            ) from error
