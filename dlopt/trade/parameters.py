"""The data of a calibration as parameters that can be moved one by one: elasticities, shares, flows, tariffs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.trade.calibration import Calibration


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number of a calibration.

    Attributes:
        kind: which table, a key of `TABLES`.
        label: how it is named in tables, such as `theta[15]`.
        where: its position in the table.
        value: at the calibration.
        step: a small change, in the units of derivatives.
    """

    kind: str
    label: str
    where: tuple[int, ...]
    value: float
    step: float


@dataclasses.dataclass(frozen=True)
class ParameterKind:
    """One table of a calibration.

    Attributes:
        field: of `Calibration`.
        unit: of one unit of change, in words.
        move: the table after a cell was changed by some units.
        step: of a cell with some value.
    """

    field: str
    unit: str
    move: Callable[[Tensor, tuple[int, ...], float], Tensor]
    step: Callable[[float], float]


def _add(table: Tensor, where: tuple[int, ...], amount: float) -> Tensor:
    moved = table.clone()
    moved[where] += amount
    return moved


def _scale(table: Tensor, where: tuple[int, ...], amount: float) -> Tensor:
    moved = table.clone()
    moved[where] *= float(torch.tensor(amount, dtype=table.dtype).exp())
    return moved


def _share(axis: int) -> Callable[[Tensor, tuple[int, ...], float], Tensor]:
    """A share among shares that add up to one: the others shrink in proportion."""

    def move(table: Tensor, where: tuple[int, ...], amount: float) -> Tensor:
        moved = table.clone()
        column = tuple(slice(None) if k == axis else at for k, at in enumerate(where))
        shares = moved[column].clone()
        own = float(shares[where[axis]])
        shares *= (1 - own - amount) / (1 - own)
        shares[where[axis]] = own + amount
        moved[column] = shares
        return moved

    return move


_SHARE = "one unit of the share, the others shrinking"

TABLES = {
    "theta": ParameterKind("theta", "one unit of the trade elasticity", _add, lambda v: 1e-4 * max(abs(v), 1e-2)),
    "psi": ParameterKind("psi", "one unit of the scale elasticity", _add, lambda v: 1e-5),
    "value_added_share": ParameterKind("value_added_share", "one unit of the share", _add, lambda v: 1e-5),
    "input_share": ParameterKind("input_share", _SHARE, _share(1), lambda v: 1e-5),
    "final_share": ParameterKind("final_share", _SHARE, _share(1), lambda v: 1e-5),
    "trade": ParameterKind("trade", "a factor of e in the flow", _scale, lambda v: 1e-4),
    "tariff": ParameterKind("tariff", "one unit of the baseline rate", _add, lambda v: 1e-5),
}
"""Kind -> table."""


def parameters_of(calibration: Calibration, kinds: Sequence[str] = ("theta", "psi")) -> list[Parameter]:
    """Every cell of some tables that can be moved both ways: shares and flows of zero cannot.

    Raises:
        UnknownNameError: an unknown kind.
    """
    found = []
    for name in kinds:
        if name not in TABLES:
            raise UnknownNameError("kind of parameter", name, TABLES)
        table = getattr(calibration, TABLES[name].field)
        if table is None:
            continue
        for where in (
            torch.cartesian_prod(*(torch.arange(size) for size in table.shape)).reshape(-1, table.dim()).tolist()
        ):
            value, place = float(table[tuple(where)]), tuple(where)
            step = TABLES[name].step(value)
            if _movable(name, value, step, place):
                found.append(Parameter(name, f"{name}[{_named(calibration, name, place)}]", place, value, step))
    return found


def moved(calibration: Calibration, parameter: Parameter, amount: float) -> Calibration:
    """The calibration with one number changed by some units."""
    kind = TABLES[parameter.kind]
    changed: dict[str, Any] = {kind.field: kind.move(getattr(calibration, kind.field), parameter.where, amount)}
    return dataclasses.replace(calibration, **changed)


def _movable(name: str, value: float, step: float, where: tuple[int, ...]) -> bool:
    if name == "tariff":
        return where[0] != where[1]
    if name == "trade":
        return value > 0
    if name in ("input_share", "final_share", "value_added_share"):
        return step < value < 1 - step
    return value > step or (name == "psi" and value >= step)


def _named(calibration: Calibration, name: str, where: tuple[int, ...]) -> str:
    economies, sectors = calibration.economies, calibration.sectors
    axes = {1: (sectors,), 2: (economies, sectors), 3: (economies, economies, sectors)}[len(where)]
    if name == "input_share":
        axes = (economies, sectors, sectors)
    return ",".join(labels[at] for labels, at in zip(axes, where, strict=True))
