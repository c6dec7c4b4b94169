"""Ossa (2014): optimal tariffs of seven regions, each alone and all at once, on the author's data.

Bounds of tariffs are the author's, -50 % to 500 %. His Nash tolerance is 1e-2; ours is the certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from dlopt.papers.beside import Beside, Load, Say
from dlopt.trade.api import solve_nash, solve_unilateral
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.results import SolveResult

REGIONS = ("BRA", "CHN", "EU", "IND", "JPN", "ROW", "USA")
OWN = dict(zip(REGIONS, (1.1, 1.8, 1.9, 1.7, 4.0, 2.9, 2.3), strict=True))
"""Own welfare gain from optimal tariffs, per cent, as printed."""
NASH = dict(zip(REGIONS, (-1.9, -2.2, -2.6, -2.2, -0.8, -5.0, -2.2), strict=True))
"""Welfare change in the Nash equilibrium, per cent, as printed."""
MEDIANS = {"optimal": 58.9, "Nash": 58.1}
"""Median tariff, per cent, as printed."""

_TARIFFS, _BOUNDS = InstrumentChoice(tariff="by_sector"), Bounds(tariff=(-0.5, 5.0))


def tables(load: Load, say: Say, economies: Sequence[str] = ()) -> Iterator[Beside]:
    """Own gains of all or some `economies`, Nash, and the medians of tariffs."""
    world = load("ossa2014")
    away = ~torch.eye(world.n_economies, dtype=torch.bool)
    rows, chosen, certified = [], [], []
    for region in economies or world.economies:
        say(f"optimal tariffs of {region}")
        result = solve_unilateral(world, region, instruments=_TARIFFS, bounds=_BOUNDS)
        at = world.economy_index(region)
        rows.append((region, OWN[region], float(result.real_income_change_pct[at]), result.status == "converged"))
        chosen.append(result.policy.tariff[away[:, at], at].reshape(-1))
        certified.append(result.status == "converged")
    note = "Per cent of real income. Median over all partners and industries, and in the first over all regions."
    yield Beside("own_gains", "Ossa (2014): own gains from optimal tariffs", note, _frame(rows))
    say("the Nash equilibrium")
    nash = solve_nash(world, instruments=_TARIFFS, bounds=_BOUNDS)
    sure = nash.status == "converged"
    changes = [(r, NASH[r], float(nash.real_income_change_pct[world.economy_index(r)]), sure) for r in world.economies]
    yield Beside("nash", "Ossa (2014): the trade war", f"Per cent of real income. {nash.message}", _frame(changes))
    medians = [
        ("optimal", MEDIANS["optimal"], 100 * float(torch.cat(chosen).median()), all(certified)),
        ("Nash", MEDIANS["Nash"], 100 * _median(nash, away), sure),
    ]
    yield Beside("medians", "Ossa (2014): median tariffs", "Per cent.", _frame(medians))


def _median(result: SolveResult, away: torch.Tensor) -> float:
    return float(result.policy.tariff[away].median())


def _frame(rows: list[tuple[str, float, float, bool]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["what", "published", "computed", "certified"])
