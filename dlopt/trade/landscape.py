"""Welfare of a player along its own instruments around a solution, everybody else's policies fixed.

Wang, Xu, Yang, Zhu (2024), Figure 4. Cuts go along single instruments, the most important first: those with the
largest curvature of the player's welfare; pairs span planes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.outcome import Outcome
from dlopt.trade.batch import find_equilibria
from dlopt.trade.equilibrium import Equilibrium
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.rates import INSTRUMENTS, InstrumentKind

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult

NARROWEST = 0.1
"""Half the width of a cut in rates, where the rate at the solution is smaller than this; else that rate."""

_LOWEST, _HIGHEST_SUBSIDY = -0.9, 0.9


class LandscapeError(DloptError):
    """A landscape that cannot be drawn."""


@dataclasses.dataclass(frozen=True)
class LandscapeOptions:
    """Options of `landscape`.

    Attributes:
        instruments: number of one-dimensional cuts.
        points: points of a cut, odd, so that the solution is one of them; a plane has half as many a side.
        pairs: planes, each two names of instruments (`name_of`); none: the two most important of each kind.
    """

    instruments: int = 6
    points: int = 41
    pairs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.instruments < 0:
            raise LandscapeError(f"instruments is {self.instruments}; it must be 0 or more.")
        if self.points < 5 or self.points % 2 == 0:
            raise LandscapeError(f"points is {self.points}; it must be an odd number from 5, the solution its middle.")


@dataclasses.dataclass(frozen=True)
class Cut:
    """Welfare along one instrument, or over a plane of two.

    Attributes:
        names: of the instruments, one or two.
        titles: the same in words.
        rates: grid of each, fractions, `[point]`.
        solution: rate of each at the solution.
        bounds: lowest and highest rate of each that the player could choose.
        welfare: real-income change of every economy, per cent, `[point, country]` or `[point, point, country]`.
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    rates: tuple[Tensor, ...]
    solution: tuple[float, ...]
    bounds: tuple[tuple[float, float], ...]
    welfare: Tensor


@dataclasses.dataclass(frozen=True)
class Landscape:
    """All cuts of one player.

    Attributes:
        player: whose instruments move.
        economies: labels of the economies.
        cuts: lines first, then planes.
        failed: points without an equilibrium (NaN).
    """

    player: str
    economies: tuple[str, ...]
    cuts: tuple[Cut, ...]
    failed: int

    def table(self) -> pd.DataFrame:
        """One row per cut, point and economy; `y` and `y_rate` are empty in lines."""
        import pandas as pd

        frames = []
        for number, cut in enumerate(self.cuts):
            grid = torch.cartesian_prod(*cut.rates).view(-1, len(cut.names))
            rows = pd.DataFrame({
                "cut": number, "player": self.player, "x": cut.names[0], "x_rate": grid[:, 0].numpy(),
                "y": cut.names[1] if len(cut.names) == 2 else None,
                "y_rate": grid[:, 1].numpy() if len(cut.names) == 2 else float("nan"),
            })  # fmt: skip
            rows = rows.astype({"y": "object"}).loc[rows.index.repeat(len(self.economies))]
            rows["economy"] = list(self.economies) * len(grid)
            rows["real_income_change_pct"] = cut.welfare.reshape(-1).numpy()
            frames.append(rows)
        return pd.concat(frames, ignore_index=True)


def landscape(result: SolveResult, player: str, options: LandscapeOptions = LandscapeOptions()) -> Landscape:
    """Cut through the welfare of `player` around a solution.

    Raises:
        UnknownNameError: an unknown player or instrument.
        LandscapeError: nobody chose anything in this result.
    """
    instruments = result.instruments
    if instruments is None:
        raise LandscapeError("Nobody chooses policies in this run: it has no landscape.")
    result.without_prices("landscapes are drawn")
    if player not in instruments.players:
        raise UnknownNameError("player", player, instruments.players)
    own, curvature = _own_curvature(result, instruments.players.index(player))
    names = {name_of(result, int(k)): int(k) for k in own}
    ranked = own[curvature.abs().argsort(descending=True, stable=True)].tolist()
    kinds = instruments.kind
    lines = [(k,) for k in ranked[: options.instruments]]
    planes: list[tuple[int, ...]] = []
    for pair in options.pairs:
        for name in pair:
            if name not in names:
                raise UnknownNameError(f"instrument of {player}", name, names)
        planes.append(tuple(names[name] for name in pair))
    if not options.pairs:
        by_kind = ([k for k in ranked if kinds[k] == kind][:2] for kind in range(len(INSTRUMENTS)))
        planes = [tuple(pair) for pair in by_kind if len(pair) == 2]
    return _solve(result, player, [*lines, *planes], options.points)


def name_of(result: SolveResult, instrument: int) -> str:
    """Such as `tariff:USA:18` (its partner and sector), `subsidy:18`; `all` where it moves several."""
    kind, partners, sectors, owners = _cells(result, instrument)
    c = result.calibration
    sector = c.sectors[sectors[0]] if len(sectors) == 1 else "all"
    if not kind.pairs:
        alone = len(owners) == 1 and "+" not in _player(result, instrument)
        return f"{kind.name}:{sector}" if alone else f"{kind.name}:{'+'.join(c.economies[o] for o in owners)}:{sector}"
    partner = c.economies[partners[0]] if len(partners) == 1 else "all"
    return f"{kind.name}:{partner}:{sector}"


def title_of(result: SolveResult, instrument: int) -> str:
    """The same in words, such as `Tariff on USA, Motor vehicles`."""
    kind, partners, sectors, owners = _cells(result, instrument)
    c = result.calibration
    sector = c.sector_names[sectors[0]] if len(sectors) == 1 else f"{len(sectors)} sectors"
    if not kind.pairs:
        where = f" in {c.economies[owners[0]]}" if "+" in _player(result, instrument) and len(owners) == 1 else ""
        return f"{kind.label.capitalize()}{where}, {sector}"
    partner = c.economies[partners[0]] if len(partners) == 1 else "all"
    return f"{kind.on} {partner}, {sector}"


def _player(result: SolveResult, instrument: int) -> str:
    assert result.instruments is not None
    return result.instruments.players[int(result.instruments.owner[instrument])]


def _cells(result: SolveResult, instrument: int) -> tuple[InstrumentKind, list[int], list[int], list[int]]:
    """Kind, partners, sectors and owners (countries) of the cells an instrument moves."""
    assert result.instruments is not None
    number = int(result.instruments.kind[instrument])
    kind, cells = INSTRUMENTS[number], (result.instruments.maps()[number] == instrument).nonzero()
    at_destination = kind.setter == "destination"
    owner = cells[:, 1] if at_destination else cells[:, 0]
    partner = cells[:, 0] if at_destination else cells[:, -2]
    return kind, *(column.unique().tolist() for column in (partner, cells[:, -1], owner))


def _own_curvature(result: SolveResult, player: int) -> tuple[Tensor, Tensor]:
    """Instruments of a player and the second derivatives of its own welfare in each, per squared log-unit."""
    instruments, model = result.instruments, result.model
    assert instruments is not None
    game = TradeGame(model, instruments, fixed=result.wedges)
    here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
    point = TradePoint(game, instruments.average(result.wedges), here)
    return (instruments.owner == player).nonzero().flatten(), point.hessian(player).diagonal()


def _solve(result: SolveResult, player: str, groups: Sequence[tuple[int, ...]], points: int) -> Landscape:
    """All points of all cuts in one batch."""
    instruments, model = result.instruments, result.model
    assert instruments is not None
    solution = instruments.average(result.wedges)
    grids: list[tuple[Tensor, ...]] = []
    moves = []
    for group in groups:
        count = points if len(group) == 1 else points // 4 * 2 + 1
        kinds = [INSTRUMENTS[int(instruments.kind[k])] for k in group]
        grids.append(tuple(_grid(_rate(result, k, solution), i, count) for k, i in zip(group, kinds, strict=True)))
        for rates in itertools.product(*grids[-1]):
            a = solution.clone()
            for k, rate, kind in zip(group, rates, kinds, strict=True):
                a[k] = kind.wedge(rate)
            moves.append(a)
    found = find_equilibria(model, instruments.apply(torch.stack(moves), result.wedges), result.u, result.wedges)
    welfare = 100 * model.log_welfare(found.u).expm1()
    pieces = welfare.split([len(torch.cartesian_prod(*grid)) for grid in grids])
    cuts = tuple(
        Cut(
            tuple(name_of(result, k) for k in group),
            tuple(title_of(result, k) for k in group),
            grid,
            tuple(float(axis[len(axis) // 2]) for axis in grid),
            tuple((_rate(result, k, instruments.lower), _rate(result, k, instruments.upper)) for k in group),
            piece.view(*(len(axis) for axis in grid), model.n),
        )
        for group, grid, piece in zip(groups, grids, pieces, strict=True)
    )
    return Landscape(player, model.calibration.economies, cuts, int((~found.solved).sum()))


def _rate(result: SolveResult, instrument: int, log_rates: Tensor) -> float:
    """The rate an instrument has at log rates `[instrument]`."""
    assert result.instruments is not None
    return float(INSTRUMENTS[int(result.instruments.kind[instrument])].rate(log_rates[instrument]))


def _grid(middle: float, kind: InstrumentKind, count: int) -> Tensor:
    """Rates around that of a solution, evenly spaced on either side of it, `[point]`."""
    width = max(abs(middle), NARROWEST)
    low = max(middle - width, (middle + _LOWEST) / 2)
    high = min(middle + width, (middle + _HIGHEST_SUBSIDY) / 2) if not kind.tax else middle + width
    down = torch.linspace(low, middle, count // 2 + 1, dtype=torch.float64)
    up = torch.linspace(middle, high, count // 2 + 1, dtype=torch.float64)
    return torch.cat((down, up[1:]))
