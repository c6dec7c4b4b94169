"""Lashkaripour and Lugovskyy (2023), Table 4: gains from policy of 43 economies, each alone, on the authors' data.

First best: import and export taxes and industrial subsidies; second best: trade taxes; third best: import taxes.
Restricted entry has constant markups, free entry scale economies. Beside the published number stand the equilibrium or
the certified optimum here, `computed`, and what the authors' own steps end at when they are taken here, `theirs`:

- Restricted entry: policies by their formulas, as their files have them (`their_formulas`). `computed` is the optimum.
- Free entry, first best (`free_first`): no optimisation but given policies. All tariffs of the world are zero, those of
  the others too; the economy's export taxes are 1 / theta, its subsidies mu / (1 + mu). Cyprus and Slovenia are taken
  against an aggregate of all others. `computed` is the equilibrium, `theirs` where their method ends
  (`given_policies`). `free_optimum` has the certified first best beside the same numbers: the others keep tariffs.
- Free entry, second and third best: the optimum in a world of two, the economy and an aggregate of all others whose
  tariffs are simple means. Flows are put together as they are in the data (`raw_flows`) and balanced then. `computed`
  is the optimum within the authors' bounds of taxes, `theirs` a search with their other bounds, too (`boxed`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from dlopt.papers.beside import Beside, Load, Say
from dlopt.papers.ll2023.boxed import their_optimum
from dlopt.papers.ll2023.given_policies import their_first_best
from dlopt.papers.ll2023.raw_flows import raw_flows
from dlopt.papers.ll2023.their_formulas import led
from dlopt.trade.api import build_model, solve_equilibrium, solve_unilateral
from dlopt.trade.balance import balanced
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds, InstrumentChoice, build_instruments
from dlopt.trade.policy import Policy
from dlopt.trade.statistics import FormulaError, policies_by_formulas

COLUMNS = tuple(f"{market}_{best}" for market in ("restricted", "free") for best in ("first", "second", "third"))
_PRINTED = """
AUS 0.904 0.210 0.141 2.299 0.575 0.347
AUT 1.312 0.657 0.446 2.122 1.110 0.578
BEL 1.309 0.685 0.502 1.657 0.896 0.546
BGR 2.014 0.626 0.525 5.475 1.878 0.833
BRA 1.869 0.226 0.169 4.310 0.639 0.360
CAN 1.716 0.574 0.447 3.415 1.189 0.462
CHE 1.044 0.562 0.464 1.275 0.764 0.528
CHN 1.760 0.265 0.239 3.700 0.390 0.278
CYP 1.747 0.682 0.614 5.832 1.563 1.426
CZE 1.680 0.881 0.544 2.863 1.601 0.725
DEU 1.712 0.780 0.490 2.599 1.339 0.647
DNK 1.221 0.580 0.477 1.942 0.909 0.489
ESP 1.535 0.521 0.386 2.513 1.027 0.492
EST 1.183 0.617 0.449 2.695 1.422 0.556
FIN 1.400 0.538 0.251 2.000 0.826 0.470
FRA 1.204 0.450 0.338 2.525 1.103 0.505
GBR 1.092 0.475 0.416 2.103 1.033 0.582
GRC 1.820 0.590 0.528 2.748 1.079 0.683
HRV 1.033 0.554 0.449 1.789 0.731 0.519
HUN 2.249 1.063 0.732 4.083 2.280 0.957
IDN 1.996 0.358 0.265 4.814 1.452 0.495
IND 1.808 0.350 0.311 4.196 1.099 0.375
IRL 0.858 0.681 0.529 1.487 0.893 0.398
ITA 1.501 0.459 0.260 2.755 0.950 0.478
JPN 1.482 0.320 0.221 2.972 0.750 0.423
KOR 2.122 0.654 0.493 4.375 1.616 0.725
LTU 2.501 0.932 0.762 3.538 1.261 0.852
LUX 0.932 0.811 0.784 1.515 1.146 1.011
LVA 0.913 0.539 0.442 1.575 0.796 0.464
MEX 2.236 0.599 0.438 4.963 1.358 0.757
MLT 1.351 0.920 0.823 2.083 1.388 1.060
NLD 1.355 0.662 0.540 1.949 0.979 0.589
NOR 1.189 0.403 0.266 2.020 0.806 0.409
POL 2.189 0.759 0.652 4.025 1.620 0.812
PRT 2.039 0.740 0.651 3.922 1.719 0.803
ROU 2.046 0.770 0.675 3.920 1.717 0.981
RUS 2.394 0.321 0.274 5.251 1.389 0.366
SVK 2.009 1.059 0.788 3.503 2.092 1.080
SVN 1.423 0.872 0.669 1.346 1.195 0.899
SWE 1.207 0.617 0.453 1.543 0.773 0.491
TUR 1.433 0.461 0.322 3.521 1.338 0.609
TWN 2.182 0.690 0.560 4.924 1.846 0.793
USA 1.528 0.316 0.268 3.041 0.802 0.303
"""
PUBLISHED = {line.split()[0]: tuple(map(float, line.split()[1:])) for line in _PRINTED.strip().splitlines()}
"""Gains of each economy, per cent of real income, in the order of `COLUMNS`; Table 4 to three decimals."""

TABLES = (*COLUMNS[:4], "free_optimum", *COLUMNS[4:])
"""What is computed; `free_optimum` stands beside the numbers of `free_first`."""
AGAINST_AGGREGATE = ("CYP", "SVN")
"""Economies whose first best with free entry the authors computed in a world of two."""

_POLICIES = {
    "first": (
        InstrumentChoice(tariff="by_sector", export_tax="by_sector", subsidy="by_sector"),
        Bounds(tariff=(-0.5, 2.0), export_tax=(-0.5, 20.0), subsidy=(-2.0, 0.8)),
    ),
    "second": (
        InstrumentChoice(tariff="by_sector", export_tax="by_sector"),
        Bounds(tariff=(-0.5, 2.0), export_tax=(-0.5, 20.0)),
    ),
    "third": (InstrumentChoice(tariff="by_sector"), Bounds(tariff=(-0.5, 5.0))),
}
_TOGETHER = {
    "second": (_POLICIES["second"][0], Bounds(tariff=(-0.25, 1.0), export_tax=(-0.25, 3.0))),
    "third": (_POLICIES["third"][0], Bounds(tariff=(-0.25, 1.0))),
}
"""In a world of two, with the authors' bounds of taxes."""
_ADDED = 1.0
"""Million dollars that the authors add to every flow, after they put flows together and before they balance them."""
_TITLES = {
    "free_first": "free entry, first best by their formulas, no tariffs anywhere",
    "free_optimum": "free entry, first best, the others' tariffs kept",
    "free_second": "free entry, second best against an aggregate of all others",
    "free_third": "free entry, third best against an aggregate of all others",
}


class Worlds:
    """The authors' data.

    Args:
        load: gives calibrations by name.
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    @functools.cached_property
    def free(self) -> Calibration:
        """Balanced with free entry."""
        return self._load("ll2023_free")

    @functools.cached_property
    def restricted(self) -> Calibration:
        """Balanced with restricted entry."""
        return self._load("ll2023_restricted")

    @functools.cached_property
    def raw(self) -> Calibration:
        """With free entry, before it was balanced."""
        return dataclasses.replace(self.free, trade=raw_flows(self.free, self.restricted))

    def two(self, economy: str) -> Calibration:
        """All others and the economy, as the authors put them together, not balanced."""
        return two(self.raw, economy)


@dataclasses.dataclass(frozen=True)
class Gain:
    """What an economy gains, per cent of real income.

    Attributes:
        computed: here.
        certified: whether the solver's certificate holds.
        theirs: what the authors' steps end at; None where they have none.
    """

    computed: float
    certified: bool
    theirs: float | None = None


def tables(load: Load, say: Say, economies: Sequence[str] = (), columns: Sequence[str] = TABLES) -> Iterator[Beside]:
    """Gains by economy, one table a column of theirs.

    Args:
        load, say: see `beside`.
        economies: which; all 43 by default, which takes hours.
        columns: which of `TABLES`.
    """
    worlds = Worlds(load)
    for column in columns:
        market, best = column.split("_")
        what = _TITLES.get(column, f"{market} entry, {best} best")
        rows = []
        for economy in economies or tuple(PUBLISHED):
            say(f"{economy}: {what}")
            found = gain(worlds, column, economy)
            printed = PUBLISHED[economy][COLUMNS.index("free_first" if best == "optimum" else column)]
            rows.append((economy, printed, found.computed, found.certified, found.theirs))
        frame = pd.DataFrame(rows, columns=["what", "published", "computed", "certified", "theirs"])
        if best == "optimum":
            del frame["theirs"]
        title = f"Lashkaripour and Lugovskyy (2023), Table 4: {what}"
        own = " theirs: what the authors' own steps end at." if "theirs" in frame else ""
        yield Beside(column, title, f"Per cent of real income.{own}", frame)


def gain(worlds: Worlds, column: str, economy: str) -> Gain:
    """One cell of the table.

    Args:
        worlds: the authors' data.
        column: one of `TABLES`.
        economy: who chooses.
    """
    if column == "free_first":
        return _given(worlds, economy)
    best = column.split("_")[1]
    if column in ("free_second", "free_third"):
        pair = worlds.two(economy)
        instruments, bounds = _TOGETHER[best]
        result = solve_unilateral(pair, economy, instruments=instruments, bounds=bounds)
        theirs = their_optimum(balanced(pair)[0], best)
        return Gain(float(result.real_income_change_pct[1]), result.status == "converged", theirs.gain_pct)
    world = worlds.free if best == "optimum" else worlds.restricted
    instruments, bounds = _POLICIES["first" if best == "optimum" else best]
    model = build_model(world)
    chosen = build_instruments(model, instruments, bounds, (economy,))
    try:
        start: Policy | None = policies_by_formulas(model, chosen)
    except FormulaError:
        start = None
    by_formulas = None if best == "optimum" else led(model, economy, best).gain_pct
    result = solve_unilateral(world, economy, instruments=instruments, bounds=bounds, init=start or "baseline")
    at = world.economy_index(economy)
    return Gain(float(result.real_income_change_pct[at]), result.status == "converged", by_formulas)


def two(world: Calibration, economy: str) -> Calibration:
    """A world of all others in one and the economy, tariffs being simple means, as the authors put them together."""
    n, at = world.n_economies, world.economy_index(economy)
    member = torch.zeros(2, n, dtype=world.trade.dtype)
    member[0], member[0, at], member[1, at] = 1.0, 0.0, 1.0
    count = member.sum(1)
    flows = (world.trade - _ADDED).clamp(min=0)
    trade = torch.einsum("ai,inj,bn->abj", member, flows, member) + _ADDED
    tariff = torch.einsum("ai,inj,bn->abj", member, world.tariff, member) / (count[:, None] * count)[:, :, None]
    tariff[[0, 1], [0, 1]] = 0.0
    bought = trade.sum(0)
    j = world.n_sectors
    return dataclasses.replace(
        world, economies=("REST", economy), trade=trade, tariff=tariff, export_tax=torch.zeros_like(trade),
        subsidy=trade.new_zeros(2, j), value_added_share=trade.new_ones(2, j), input_share=trade.new_zeros(2, j, j),
        final_share=bought / bought.sum(1, keepdim=True),
    )  # fmt: skip


def _given(worlds: Worlds, economy: str) -> Gain:
    """The authors' policies with free entry: no tariffs anywhere, export taxes 1 / theta, subsidies mu / (1 + mu)."""
    apart = economy in AGAINST_AGGREGATE
    world = balanced(worlds.two(economy))[0] if apart else worlds.free
    at = world.economy_index(economy)
    now = Policy.of(world)
    export, subsidy = now.export_tax.clone(), now.subsidy.clone()
    export[at] = 1 / world.theta
    export[at, at] = 0.0
    subsidy[at] = world.psi / (1 + world.psi)
    result = solve_equilibrium(world, Policy(torch.zeros_like(now.tariff), export, subsidy))
    begun = led(build_model(worlds.restricted), economy, "first")
    wage, income = (begun.wage[:2], begun.wage[2:4]) if apart else (begun.wage, begun.income)
    theirs = their_first_best(world, economy, wage, income)
    return Gain(float(result.real_income_change_pct[at]), result.status == "converged", theirs.gain_pct)
