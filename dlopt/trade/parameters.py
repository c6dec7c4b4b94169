"""What a solved world depends on, as parameters that can be moved one by one: data, shocks, weights, bounds."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.trade.calibration import Calibration
from dlopt.trade.model import TradeModel
from dlopt.trade.politics import Politics
from dlopt.trade.rates import INSTRUMENTS

if TYPE_CHECKING:
    from dlopt.trade.results import SolveResult


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number that a result depends on.

    Attributes:
        kind: a key of `KINDS_OF_PARAMETERS`.
        label: how it is named in tables, such as `theta[15]`.
        where: its position in the table; of a bound, the kind of instrument and the side (0 lowest, 1 highest).
        value: where the result has it; of shocks, logs of factors, 0.
        step: a small change, in the units of derivatives.
    """

    kind: str
    label: str
    where: tuple[int, ...]
    value: float
    step: float

    def named(self, calibration: Calibration) -> str:
        """In words: `theta of Basic metals (15)`, `cost of Food (6) from USA to CHN`."""
        if self.kind == "bound":
            return f"{('lowest', 'highest')[self.where[1]]} {INSTRUMENTS[self.where[0]].label}"
        words, axes = _WORDS[self.kind]
        places = {}
        for axis, position in zip(axes, self.where, strict=True):
            name = calibration.economies[position] if axis in "in" else calibration.sector_names[position]
            if axis in "sj":
                code = calibration.sectors[position]
                if name == code:
                    name = f"sector {code}"
                elif name.split()[-1] != code:  # "Sector 3" says it all
                    name = f"{name} ({code})"
            places[axis] = name
        return words.format(**places)

    @property
    def unit(self) -> str:
        """Of one unit of change, in words."""
        return KINDS_OF_PARAMETERS[self.kind]

    @property
    def in_logs(self) -> bool:
        """Whether its unit is a factor of e: flows and shocks."""
        return self.kind in ("trade", *SHOCKS)

    def possible(self, amount: float) -> bool:
        """Whether a world can have it moved by some units."""
        moved = self.value + amount
        if self.in_logs:
            return True
        if self.kind == "political_weight":
            return moved >= 0
        if self.kind.endswith("_share"):
            return 0 <= moved <= 1
        if self.kind == "subsidy":
            return moved < 1
        return moved > -1 if self.kind in (*RATES, "bound") else moved > 0 or (moved == 0 and self.kind != "theta")

    @property
    def one_percent(self) -> float:
        """One per cent more, in units: of flows and shocks a factor of 1.01, of rates one percentage point."""
        if self.in_logs:
            return 0.01
        return 0.01 if self.kind in (*RATES, "bound") else 0.01 * self.value


@dataclasses.dataclass(frozen=True)
class ParameterKind:
    """One table of a calibration.

    Attributes:
        unit: of one unit of change, in words.
        move: the table after a cell was changed by some units.
        step: of a cell with some value.
    """

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


def _within(share: float) -> float:
    """A step of a share that leaves it between 0 and 1: long beside rounding, short beside the share."""
    return min(1e-4, max(1e-5, min(share, 1 - share) / 4))


_SHARE = "one unit of the share, the others shrinking"
_RATE = "one unit of the baseline rate"

TABLES = {
    "theta": ParameterKind("one unit of the trade elasticity", _add, lambda v: 1e-4 * max(abs(v), 1e-2)),
    "psi": ParameterKind("one unit of the scale elasticity", _add, lambda v: 5e-5),
    "value_added_share": ParameterKind("one unit of the share", _add, _within),
    "input_share": ParameterKind(_SHARE, _share(1), _within),
    "final_share": ParameterKind(_SHARE, _share(1), _within),
    "trade": ParameterKind("a factor of e in the flow", _scale, lambda v: 1e-4),
    "tariff": ParameterKind(_RATE, _add, lambda v: 1e-4),
    "export_tax": ParameterKind(_RATE, _add, lambda v: 1e-4),
    "subsidy": ParameterKind(_RATE, _add, lambda v: 1e-4),
}
"""Kind, a field of `Calibration` -> how its cells move."""
RATES = ("tariff", "export_tax", "subsidy")
SHOCKS = {
    "cost": "a factor of e in the iceberg cost of the flow",
    "productivity": "a factor of e in output from the same inputs",
}
"""Kinds that change nothing in the baseline: the world after it."""
_WORDS = {
    "theta": ("theta of {j}", "j"),
    "psi": ("psi of {j}", "j"),
    "value_added_share": ("value-added share of {j} in {i}", "ij"),
    "input_share": ("share of {s} in inputs of {j} in {i}", "isj"),
    "final_share": ("share of {j} in final spending of {i}", "ij"),
    "trade": ("flow of {j} from {i} to {n}", "inj"),
    "tariff": ("baseline tariff of {n} on {j} from {i}", "inj"),
    "export_tax": ("baseline export tax of {i} on {j} to {n}", "inj"),
    "subsidy": ("baseline subsidy of {i} on {j}", "ij"),
    "cost": ("cost of {j} from {i} to {n}", "inj"),
    "productivity": ("productivity of {j} in {i}", "ij"),
    "political_weight": ("political weight of {j} in {i}", "ij"),
    "weight": ("weight of {i}", "i"),
}
"""Every kind but bounds, in words, and the axes of its position: economies i and n, sectors s and j."""
KINDS_OF_PARAMETERS = {
    **{name: kind.unit for name, kind in TABLES.items()},
    **SHOCKS,
    "political_weight": "one unit of the weight of a sector's income, where welfare is one",
    "weight": "one unit of the planner's weight, weights summing to one before",
    "bound": "one unit of the rate",
}
"""Every kind -> its unit."""


def parameters_of(calibration: Calibration, kinds: Sequence[str] = ("theta", "psi")) -> list[Parameter]:
    """Every cell of some tables that can be moved both ways (shares and flows of zero cannot), and shocks to it.

    Raises:
        UnknownNameError: an unknown kind, or one that belongs to a result (`parameters_of_result`).
    """
    found = []
    for name in kinds:
        if name in SHOCKS:
            found += _shocks(calibration, name)
            continue
        if name not in TABLES:
            raise UnknownNameError("kind of parameter", name, (*TABLES, *SHOCKS))
        table = getattr(calibration, name)
        if table is None:
            continue
        for place in _cells(table.shape):
            value = float(table[place])
            step = TABLES[name].step(value)
            if _movable(name, value, step, place):
                found.append(Parameter(name, f"{name}[{_named(calibration, name, place)}]", place, value, step))
    return found


def parameters_of_result(result: SolveResult, kinds: Sequence[str] = ("theta", "psi")) -> list[Parameter]:
    """`parameters_of` its calibration as it was given, and besides weights, political weights and bounds of rates.

    Raises:
        UnknownNameError: an unknown kind.
    """
    found: list[Parameter] = []
    for name in kinds:
        if name not in KINDS_OF_PARAMETERS:
            raise UnknownNameError("kind of parameter", name, KINDS_OF_PARAMETERS)
        if name == "weight":
            weight = result.goal.weight(result.model)
            economies = result.model.calibration.economies
            pairs = () if weight is None else zip(economies, weight.tolist(), strict=True)
            found += [
                Parameter("weight", f"weight[{label}]", (k,), value, 1e-5)
                for k, (label, value) in enumerate(pairs)
                if value > 1e-5
            ]
        elif name == "bound":
            found += _bounds(result)
        elif name == "political_weight":
            found += _political(result)
        else:
            found += parameters_of(result.model.given, (name,))
    return found


def moved(calibration: Calibration, parameter: Parameter, amount: float) -> Calibration:
    """The calibration with one number changed by some units; the same where the parameter is none of its own."""
    if parameter.kind not in TABLES:
        return calibration
    kind = TABLES[parameter.kind]
    changed: dict[str, Any] = {parameter.kind: kind.move(getattr(calibration, parameter.kind), parameter.where, amount)}
    return dataclasses.replace(calibration, **changed)


def shaken(model: TradeModel, parameter: Parameter, amount: float) -> TradeModel:
    """The model after a shock of some units, or with another political weight; the same for other kinds.

    Hats stay relative to the world before a shock.
    """
    if parameter.kind == "political_weight":
        weights = torch.ones_like(model.payroll) if model.politics is None else model.politics.weights
        other = copy.copy(model)
        other.politics = Politics.of(model, _add(weights, parameter.where, amount))
        return other
    if parameter.kind not in SHOCKS:
        return model
    weight = torch.ones_like(model.trade)
    if parameter.kind == "cost":
        i, n, j = parameter.where
        weight[i, n, j] = float((-model.theta[j] * amount).exp())
    else:
        i, j = parameter.where
        weight[i, :, j] = float((model.theta[j] * amount).exp())
    after = copy.copy(model)
    after.trade, after.lam = model.trade * weight, model.lam * weight
    return after


def _cells(shape: Sequence[int]) -> list[tuple[int, ...]]:
    cells = torch.cartesian_prod(*(torch.arange(size) for size in shape)).reshape(-1, len(shape))
    return [tuple(where) for where in cells.tolist()]


def _movable(name: str, value: float, step: float, where: tuple[int, ...]) -> bool:
    if name in ("tariff", "export_tax"):
        return where[0] != where[1]
    if name == "trade":
        return value > 0
    if name in ("input_share", "final_share", "value_added_share"):
        return step < value < 1 - step
    return name in ("psi", "subsidy") or value > step


def _shocks(calibration: Calibration, name: str) -> list[Parameter]:
    table = calibration.trade if name == "cost" else calibration.trade.sum(1)
    return [
        Parameter(name, f"{name}[{_named(calibration, name, where)}]", where, 0.0, 1e-4)
        for where in _cells(table.shape)
        if float(table[where]) > 0
    ]


def _political(result: SolveResult) -> list[Parameter]:
    """Of every sector that earns something, of the economies that choose."""
    model = result.model
    if result.instruments is None:
        return []
    choose = {model.calibration.economy_index(label) for group in result.instruments.members for label in group}
    weights = torch.ones_like(model.payroll) if model.politics is None else model.politics.weights
    return [
        Parameter(
            "political_weight", f"political_weight[{_named(model.calibration, 'payroll', where)}]", where,
            float(weights[where]), 1e-4,
        )
        for where in _cells(weights.shape)
        if where[0] in choose and float(model.payroll[where]) > 0
    ]  # fmt: skip


def _bounds(result: SolveResult) -> list[Parameter]:
    """The bounds that hold an instrument, by kind and side."""
    chosen, found = result.instruments, []
    if chosen is None:
        return []
    a = chosen.average(result.wedges)
    for k, kind in enumerate(INSTRUMENTS):
        for side, (limit, word) in enumerate(((chosen.lower, "lowest"), (chosen.upper, "highest"))):
            held = (chosen.kind == k) & ((a <= limit) if side == 0 else (a >= limit))
            if bool(held.any()):
                value = float(kind.rate(limit[held][0]))
                found.append(Parameter("bound", f"bound[{kind.name},{word}]", (k, side), value, 1e-5))
    return found


def _named(calibration: Calibration, name: str, where: tuple[int, ...]) -> str:
    economies, sectors = calibration.economies, calibration.sectors
    axes = {1: (sectors,), 2: (economies, sectors), 3: (economies, economies, sectors)}[len(where)]
    if name == "input_share":
        axes = (economies, sectors, sectors)
    return ",".join(labels[at] for labels, at in zip(axes, where, strict=True))
