"""Which rates a government may choose: instruments, their owners and bounds, and the map to log wedges.

An instrument is one log rate: `log(1+t)`, `log(1+e)` or `-log(1-s)`; or one price of carbon, in units of
`Instruments.unit` (`dlopt.trade.carbon`). It may move one cell (`by_sector`), the same
sector for all partners (`mfn`) or all chosen sectors and partners together (`uniform`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.equality import same_record
from dlopt.trade.accounting import Accounting
from dlopt.trade.calibration import Calibration, few
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.rates import CHOICE_NAMES, CHOICES, INSTRUMENTS, InstrumentKind

TariffMode = Literal["false", "by_sector", "uniform", "mfn", False]
Mode = Literal["false", "by_sector", "uniform", False]
Partners = Literal["all", "players"] | Sequence[str]


class InstrumentError(DloptError):
    """Instruments or bounds that make no sense."""


@dataclasses.dataclass(frozen=True)
class InstrumentChoice:
    """Which instruments players have.

    Attributes:
        tariff: `false` (or False), `by_sector` (each partner and sector), `uniform` (one rate) or `mfn` (one rate per
            sector).
        export_tax: `false`, `by_sector` or `uniform`.
        subsidy: `false`, `by_sector` or `uniform`.
        carbon_tax: `false`, `by_sector` (a price of carbon for each sector) or `uniform` (one price for the economy).
        border_tax: price of the carbon in imports, with the modes of tariffs.
        sectors: `tradable`, `all`, or the labels or names of sectors. A carbon tax is on all sectors that emit, unless
            sectors are named.
    """

    tariff: TariffMode = "false"
    export_tax: Mode = "false"
    subsidy: Mode = "false"
    carbon_tax: Mode = "false"
    border_tax: TariffMode = "false"
    sectors: str | tuple[str, ...] = "tradable"

    def __post_init__(self) -> None:
        for kind in CHOICE_NAMES:
            if getattr(self, kind) is False:
                object.__setattr__(self, kind, "false")
        if not isinstance(self.sectors, str):
            object.__setattr__(self, "sectors", tuple(str(label) for label in self.sectors))

    @classmethod
    def of(cls, given: InstrumentChoice | Mapping[str, Any]) -> InstrumentChoice:
        """The choice itself, or one from a mapping such as `{"tariff": "by_sector"}`.

        Raises:
            UnknownNameError: a key that is neither an instrument nor `sectors`.
        """
        if isinstance(given, InstrumentChoice):
            return given
        if not isinstance(given, Mapping):
            raise InstrumentError(
                f"instruments is {given!r}: give InstrumentChoice(tariff='by_sector'), a mapping such as "
                "{'tariff': 'by_sector'}, or what build_instruments made."
            )
        for key in given:
            if key not in (*CHOICE_NAMES, "sectors"):
                raise UnknownNameError("instrument", key, (*CHOICE_NAMES, "sectors"))
        return cls(**given)


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Lowest and highest rate of each instrument, as fractions; prices of carbon in money per tonne.

    A rate at a bound is reported as such. No price of carbon is above `DEAREST` times the value of output that emits a
    tonne on average.
    """

    tariff: tuple[float, float] = (0.0, 4.0)
    export_tax: tuple[float, float] = (0.0, 4.0)
    subsidy: tuple[float, float] = (0.0, 0.8)
    carbon_tax: tuple[float, float] = (0.0, 1e9)
    border_tax: tuple[float, float] = (0.0, 1e9)


DEAREST = 10.0
"""Highest price of carbon, over the value of output per tonne where it is charged."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Instruments:
    """The map between the vector of instruments and the log wedges.

    Attributes:
        members: economies that make up each player; more than one in a customs union.
        tau: instrument that moves each cell, -1 where fixed, `[origin, destination, sector]`.
        epsilon: the same for export taxes.
        sigma: the same for subsidies, `[country, sector]`.
        owner: player of each instrument, `[instrument]`.
        kind: position in `rates.CHOICES` of each instrument, `[instrument]`.
        lower: lowest log rate, `[instrument]`.
        upper: highest log rate, `[instrument]`.
        carbon: instrument of each carbon tax, -1 where nobody chooses it, `[country, sector]`; None without any.
        border: the same for border carbon taxes, `[origin, destination, sector]`.
        unit: money per tonne that prices of carbon are in, one for all others, `[instrument]`; None without prices.
    """

    members: tuple[tuple[str, ...], ...]
    tau: Tensor
    epsilon: Tensor
    sigma: Tensor
    owner: Tensor
    kind: Tensor
    lower: Tensor
    upper: Tensor
    carbon: Tensor | None = None
    border: Tensor | None = None
    unit: Tensor | None = None

    def __repr__(self) -> str:
        counts = [(kind.label, int((self.kind == k).sum())) for k, kind in enumerate(CHOICES)]
        kinds = ", ".join(f"{count} of {kind}" for kind, count in counts if count)
        return f"Instruments({few(self.players, 'players')}; {self.count} instruments: {kinds})"

    def __eq__(self, other: object) -> bool:
        return same_record(self, other) if isinstance(other, Instruments) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.members, self.count))

    @property
    def players(self) -> tuple[str, ...]:
        """Label of each player: its economy, or its members joined by `+`."""
        return tuple("+".join(group) for group in self.members)

    @property
    def count(self) -> int:
        """Number of instruments."""
        return len(self.owner)

    def maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Instrument of each rate, shapes as the rates, -1 where fixed; without prices of carbon."""
        return self.tau, self.epsilon, self.sigma

    def cells(self) -> tuple[Tensor, Tensor, Tensor]:
        """Instrument of each cell of the three wedges, `[origin, destination, sector]` each, -1 where fixed."""
        shape = self.tau.shape
        whole = (m if k.pairs else m[:, None, :].expand(shape) for k, m in zip(INSTRUMENTS, self.maps(), strict=True))
        return tuple(whole)  # type: ignore[return-value]

    def rates(self, log_rates: Tensor) -> Tensor:
        """Rates as fractions, and prices of carbon in money per tonne, `[instrument]` both."""
        out = log_rates.clone() if self.unit is None else log_rates * self.unit
        for k, kind in enumerate(INSTRUMENTS):
            out = torch.where(self.kind == k, kind.rate(log_rates), out)
        return out

    def apply(self, a: Tensor, fixed: LogWedges) -> LogWedges:
        """Log wedges with the chosen cells at `a`, `[..., instrument]`, and all others as in `fixed`."""
        maps = zip(self.maps(), fixed, strict=True)
        return tuple(torch.where(m >= 0, a[..., m.clamp(min=0)], w) for m, w in maps)  # type: ignore[return-value]

    def total(self, wedges: LogWedges) -> Tensor:
        """Sum over the cells that each instrument moves, `[instrument]`: the transpose of `apply`."""
        out = self.lower.new_zeros(self.count)
        for index, values in zip(self.maps(), wedges, strict=True):
            out = out.index_add(0, index[index >= 0], values[index >= 0])
        return out

    def average(self, wedges: LogWedges, prices: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The instruments that come nearest to `wedges`: the mean over the cells each moves, within bounds.

        Args:
            wedges: log wedges.
            prices: of carbon, in money per tonne, shapes as `carbon` and `border`; zero by default.
        """
        ones: LogWedges = tuple(torch.ones_like(w) for w in wedges)  # type: ignore[assignment]
        total, cells = self.total(wedges), self.total(ones)
        if self.unit is not None:
            for index, price in zip((self.carbon, self.border), prices or (None, None), strict=True):
                assert index is not None
                here = index[index >= 0]
                cells = cells.index_add(0, here, torch.ones_like(here, dtype=cells.dtype))
                if price is not None:
                    total = total.index_add(0, here, price[index >= 0] / self.unit[here])
        return (total / cells).clamp(self.lower, self.upper)


Choices = InstrumentChoice | Mapping[str, InstrumentChoice]
"""The same choice for all players, or one for each by its label; whom it leaves out chooses nothing."""
Limits = Bounds | Mapping[str, Bounds]
"""The same bounds for all players, or by label; whom it leaves out has the default ones."""


def choices_of(given: Choices | Mapping[str, Any]) -> Choices:
    """A choice, a mapping such as `{"tariff": "by_sector"}`, or one of these for each economy by its label.

    Raises:
        UnknownNameError, InstrumentError: something that is none of them.
    """
    if isinstance(given, Mapping) and given and all(isinstance(v, InstrumentChoice | Mapping) for v in given.values()):
        return {str(label): InstrumentChoice.of(choice) for label, choice in given.items()}
    return InstrumentChoice.of(given)  # type: ignore[arg-type]


def build_instruments(
    model: TradeModel, choice: Choices, bounds: Limits = Bounds(),
    players: str | Sequence[str] = "all", partners: Partners = "all", unions: Sequence[Sequence[str]] = (),
) -> Instruments:  # fmt: skip
    """Instruments of the given players. Cells without trade or production are left out: nothing depends on them.

    Members of a customs union are one player: they share their tariffs and export taxes on the rest of the world,
    have none on each other, and choose the subsidies of every member.

    Args:
        model: gives the calibration and where there is trade.
        choice: kinds, modes and sectors; by player where they differ.
        bounds: of the rates; by player where they differ.
        players: `all`, or labels of economies.
        partners: `all`; `players`: tariffs and export taxes only between players; or labels of economies: only those
            with them.
        unions: customs unions, each a list of economies.

    Raises:
        InstrumentError: no instrument is left, a mode is unknown, bounds are crossed, or unions overlap or are cut.
        UnknownNameError: an unknown economy or sector.
    """
    c = model.calibration
    for named in (given for given in (choice, bounds) if isinstance(given, Mapping)):
        for label in named:
            c.economy_index(label)
    if isinstance(choice, Mapping) and players == "all":
        players = tuple(label for label in c.economies if label in choice)
    groups = _players(c, players, unions)
    if isinstance(partners, str) and partners not in ("all", "players"):
        raise UnknownNameError("value of partners", partners, ("all", "players"))
    n, j = model.n, model.j
    maps: dict[str, Any] = {kind.symbol: torch.full((n, n, j) if kind.pairs else (n, j), -1) for kind in CHOICES}
    country = torch.arange(n)
    if isinstance(partners, str):
        partner = torch.isin(country, torch.tensor([i for group in groups for i in group])) | (partners == "all")
    else:
        partner = torch.isin(country, torch.tensor([c.economy_index(label) for label in partners], dtype=torch.long))
    owner: list[int] = []
    kind: list[int] = []
    limits: list[tuple[float, float]] = []
    units: list[Tensor] = []

    def assign(index: Tensor, cells: Tensor, labels: Tensor, player: int, which: int) -> None:
        """One instrument for each distinct label among the cells."""
        found, inverse = torch.unique(labels[cells], return_inverse=True)
        index[cells] = inverse + len(owner)
        owner.extend([player] * len(found))
        kind.extend([which] * len(found))

    origin = country[:, None, None].expand(n, n, j)
    destination = country[None, :, None].expand(n, n, j)
    sector = torch.arange(j).expand(n, n, j)
    for player, group in enumerate(groups):
        member = torch.isin(country, torch.tensor(group))
        labels_of = [c.economies[i] for i in group]
        own, limit = _own(choice, labels_of, InstrumentChoice()), _own(bounds, labels_of, Bounds())
        _check(own, limit)
        sectors = chosen_sectors(c, own.sectors)
        outside = (model.trade > 0) & sectors & ~(member[:, None] & member[None, :])[:, :, None]
        for which, instrument in enumerate(CHOICES):
            mode = getattr(own, instrument.name)
            if mode == "false":
                continue
            value, emitted = charged(model, instrument) if instrument.per_tonne else (model.trade, model.trade)
            if instrument.pairs:
                at_origin = instrument.setter == "origin"
                selling, buying = (member, partner) if at_origin else (partner, member)
                cells = outside & buying[None, :, None] & selling[:, None, None] & (emitted > 0)
                abroad = destination if at_origin else origin
                labels = {"by_sector": abroad * j + sector, "mfn": sector, "uniform": sector * 0}[mode]
            else:
                everything = instrument.per_tonne and own.sectors == "tradable"
                cells = model.sells & (sectors | everything) & member[:, None]
                if instrument.per_tonne:
                    cells = cells & (emitted > 0)
                labels = origin[:, 0] * j + sector[0] if mode == "by_sector" else origin[:, 0]
            before = len(owner)
            assign(maps[instrument.symbol], cells, labels, player, which)
            found, low_high = len(owner) - before, getattr(limit, instrument.name)
            if not instrument.per_tonne:
                low, high = map(instrument.wedge_of, low_high)
                limits += [(low, high)] * found
                units.append(model.theta.new_ones(found))
                continue
            to = maps[instrument.symbol][cells] - before
            sums = (model.theta.new_zeros(found).index_add_(0, to, table[cells]) for table in (value, emitted))
            units.append(next(sums) / next(sums))
            limits += [(low_high[0] / unit, min(low_high[1] / unit, DEAREST)) for unit in units[-1].tolist()]
    if not owner:
        raise InstrumentError(
            "No instrument is left to choose: turn on instruments.tariff, export_tax, subsidy or carbon_tax, "
            "and choose sectors with trade, or emissions."
        )
    members = tuple(tuple(c.economies[i] for i in group) for group in groups)
    lower, upper = torch.tensor(limits, dtype=model.theta.dtype).unbind(1)
    if max(kind) < len(INSTRUMENTS):
        maps |= {"carbon": None, "border": None}
    elif bool((lower > upper).any()):
        raise InstrumentError(
            f"bounds.carbon_tax or border_tax begins above {DEAREST:g} times the value of output per tonne: lower it."
        )
    else:
        maps["unit"] = torch.cat(units)
    return Instruments(members, owner=torch.tensor(owner), kind=torch.tensor(kind), lower=lower, upper=upper, **maps)


def charged(model: TradeModel, kind: InstrumentKind) -> tuple[Tensor, Tensor]:
    """Values and emissions of the baseline that a price of carbon could be charged on, shapes as its rates.

    Raises:
        InstrumentError: emissions are not known.
    """
    if model.carbon is None:
        raise InstrumentError(
            f"A {kind.label} needs emissions by economy and sector: give carbon.emissions=FILE, or carbon=Carbon(...)."
        )
    if model.accounting is Accounting.PAPER:
        raise InstrumentError(f"A {kind.label} needs accounting=standard, in which revenue is its price times tonnes.")
    if not kind.pairs:
        return model.revenue, model.carbon.intensity * model.revenue
    return model.trade, model.carbon.border_intensity[:, None] * model.trade


def free_trade_inside(instruments: Instruments, economies: Sequence[str], wedges: LogWedges) -> LogWedges:
    """`wedges` without tariffs and export taxes between members of the same union."""
    tau, epsilon, sigma = (w.clone() for w in wedges)
    for members in instruments.members:
        at = torch.tensor([economies.index(label) for label in members])
        tau[at[:, None], at] = 0.0
        epsilon[at[:, None], at] = 0.0
    return tau, epsilon, sigma


Option = TypeVar("Option")


def _own(given: Option | Mapping[str, Option], members: Sequence[str], default: Option) -> Option:
    """Of one player: what was given for all, or for its members, who must agree."""
    if not isinstance(given, Mapping):
        return given
    found = [given.get(label, default) for label in members]
    if any(one != found[0] for one in found):
        raise InstrumentError(f"{'+'.join(members)} is one player: give its members the same instruments and bounds.")
    return found[0]


def _players(c: Calibration, players: str | Sequence[str], unions: Sequence[Sequence[str]]) -> list[list[int]]:
    """Positions of the members of each player, in the order of the players."""
    labels = c.economies if players == "all" else tuple(players) if not isinstance(players, str) else (players,)
    if len(set(labels)) != len(labels) or not labels:
        raise InstrumentError(f"players is {list(labels)}: name each economy once, and at least one.")
    positions = [c.economy_index(label) for label in labels]
    joined = [[c.economy_index(label) for label in union] for union in unions]
    everyone = [i for union in joined for i in union]
    if len(set(everyone)) != len(everyone):
        raise InstrumentError(f"unions is {[list(u) for u in unions]}: an economy can be in one union only.")
    if not set(everyone) <= set(positions):
        raise InstrumentError(f"unions is {[list(u) for u in unions]}: all members must be among the players.")
    groups: list[list[int]] = []
    for position in positions:
        group = next((union for union in joined if position in union), [position])
        if group not in groups:
            groups.append(group)
    return groups


def chosen_sectors(calibration: Calibration, sectors: str | tuple[str, ...] | list[str]) -> Tensor:
    """Bool `[sector]` of `tradable`, `all`, or labels or names.

    Raises:
        UnknownNameError: an unknown sector.
    """
    if isinstance(sectors, str) and sectors == "tradable":
        return calibration.tradable.bool()
    if isinstance(sectors, str) and sectors == "all":
        return torch.ones(calibration.n_sectors, dtype=torch.bool)
    chosen = torch.zeros(calibration.n_sectors, dtype=torch.bool)
    for label in (sectors,) if isinstance(sectors, str) else sectors:
        chosen[calibration.sector_index(label)] = True
    return chosen


def _check(choice: InstrumentChoice, bounds: Bounds) -> None:
    for kind in CHOICES:
        mode = getattr(choice, kind.name)
        if mode not in kind.modes:
            raise UnknownNameError(f"value of instruments.{kind.name}", mode, kind.modes)
        low, high = getattr(bounds, kind.name)
        possible = kind.possible(low) and kind.possible(high)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high and possible):
            raise InstrumentError(f"bounds.{kind.name} is [{low:g}, {high:g}]; it must satisfy {kind.bounds_rule}.")
