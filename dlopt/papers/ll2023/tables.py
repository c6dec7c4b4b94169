"""Lashkaripour and Lugovskyy (2023), Table 4: gains from policy of 43 economies, each alone, on the authors' data.

First best: import and export taxes and industrial subsidies; second best: trade taxes; third best: import taxes.
Restricted entry has constant markups, free entry scale economies. The authors computed second and third best with free
entry against an aggregate of all other economies, and third best with restricted entry by a formula that they state to
be right to 0.03 per cent; here every economy plays against all others as they are, and the optimum is certified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from dlopt.papers.beside import Beside, Load, Say
from dlopt.trade.api import solve_unilateral
from dlopt.trade.instruments import Bounds, InstrumentChoice

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

_POLICIES = {
    "first": (
        InstrumentChoice(tariff="by_sector", export_tax="by_sector", subsidy="by_sector"),
        Bounds(tariff=(-0.9, 5.0), export_tax=(-0.9, 20.0), subsidy=(-3.0, 0.9)),
    ),
    "second": (
        InstrumentChoice(tariff="by_sector", export_tax="by_sector"),
        Bounds(tariff=(-0.9, 5.0), export_tax=(-0.9, 20.0)),
    ),
    "third": (InstrumentChoice(tariff="by_sector"), Bounds(tariff=(-0.25, 1.0))),
}  # fmt: skip


def tables(load: Load, say: Say, economies: Sequence[str] = (), columns: Sequence[str] = COLUMNS) -> Iterator[Beside]:
    """Gains by economy, one table a column of theirs.

    Args:
        load, say: see `beside`.
        economies: which; all 43 by default, which takes hours.
        columns: which columns of Table 4.
    """
    for column in columns:
        market, best = column.split("_")
        world = load(f"ll2023_{market}")
        instruments, bounds = _POLICIES[best]
        rows = []
        for economy in economies or tuple(PUBLISHED):
            say(f"{economy}, {market} entry, {best} best")
            result = solve_unilateral(world, economy, instruments=instruments, bounds=bounds)
            gain = float(result.real_income_change_pct[world.economy_index(economy)])
            rows.append((economy, PUBLISHED[economy][COLUMNS.index(column)], gain, result.status == "converged"))
        frame = pd.DataFrame(rows, columns=["what", "published", "computed", "certified"])
        title = f"Lashkaripour and Lugovskyy (2023), Table 4: {market} entry, {best} best"
        yield Beside(column, title, "Per cent of real income.", frame)
