"""Tables about carbon: by economy with the world below, by economy and sector, and by import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.trade.carbon import emissions
from dlopt.trade.carbon_wedges import Charges, ChargesAt
from dlopt.trade.outcomes import WORLD
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd


def carbon_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy, and one for the world.

    `carbon_price` is revenue over emissions, `marginal_damage` what one more tonne costs at the prices reached (of the
    world: the sum), both in money of the numeraire per tonne; `damage_change` is in money at the baseline's prices.
    `leakage_pct`, in the world's row, is how much more economies without a price of carbon emit over how much less
    those with one do.
    """
    import pandas as pd

    model, terms = result.model, result.model.carbon
    assert terms is not None
    before, after = terms.initial.sum(1), emissions(model, result.state).sum(1)
    index = (model.alpha * result.state.price).sum(1).exp()
    more = after.sum() - before.sum()
    revenue, at_border = _revenue(result)
    columns = {
        "emissions_initial": before,
        "emissions": after,
        "carbon_revenue": revenue.sum(1),
        "border_revenue": at_border.sum((0, 2)),
        "marginal_damage": terms.damages * index,
        "damage_change": torch.where(terms.damages > 0, terms.damages * more, 0.0),
    }
    frame = pd.DataFrame(
        {"economy": [*result.calibration.economies, WORLD]}
        | {name: [*values.tolist(), float(values.sum())] for name, values in columns.items()}
    )
    change = 100 * (frame["emissions"] / frame["emissions_initial"].where(frame["emissions_initial"] > 0) - 1)
    frame.insert(3, "emissions_change_pct", change)
    price = frame["carbon_revenue"] / frame["emissions"].where(frame["emissions"] > 0)
    frame.insert(4, "carbon_price", price)
    acts = revenue.sum(1) > 0
    fell, rose = float((before - after)[acts].sum()), float((after - before)[~acts].sum())
    leak = 100 * rose / fell if fell > 0 and not bool(acts.all()) else float("nan")
    frame["leakage_pct"] = [*[float("nan")] * model.n, leak]
    frame["unit"] = model.given.unit
    return frame


def emissions_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy and sector: tonnes, the price producers pay, and what it comes to ad valorem."""
    import pandas as pd

    c, model, terms = result.calibration, result.model, result.model.carbon
    assert terms is not None
    after = emissions(model, result.state)
    tax = terms.tax if result.priced is None else result.priced.tax
    cells = torch.cartesian_prod(torch.arange(model.n), torch.arange(model.j)).T
    ad_valorem = torch.zeros_like(tax)
    if result.priced is not None:
        paid = _at(result).paid[:, 0]
        ad_valorem = paid / (1 - paid)
    index = None if result.instruments is None else result.instruments.carbon
    return pd.DataFrame({
        "economy": [c.economies[i] for i in cells[0].tolist()],
        "sector": [c.sectors[j] for j in cells[1].tolist()],
        "sector_name": [c.sector_names[j] for j in cells[1].tolist()],
        "emissions_initial": terms.initial.flatten().numpy(),
        "emissions": after.flatten().numpy(),
        "carbon_tax": tax.flatten().numpy(),
        "ad_valorem_pct": (100 * ad_valorem).flatten().numpy(),
        "carbon_revenue": _revenue(result)[0].flatten().numpy(),
        **_chosen(result, index, tuple(cells)),
    })  # fmt: skip


def border_table(result: SolveResult) -> pd.DataFrame:
    """One row per import that is charged for its carbon, or could have been."""
    import pandas as pd

    c, model, priced = result.calibration, result.model, result.priced
    assert model.carbon is not None
    assert priced is not None
    index = None if result.instruments is None else result.instruments.border
    there = priced.border_tax > 0 if index is None else (priced.border_tax > 0) | (index >= 0)
    cells = (there & (model.trade > 0)).nonzero().T
    i, n, j = cells
    charged = _at(result).charged
    return pd.DataFrame({
        "importer": [c.economies[k] for k in n.tolist()],
        "origin": [c.economies[k] for k in i.tolist()],
        "sector": [c.sectors[k] for k in j.tolist()],
        "sector_name": [c.sector_names[k] for k in j.tolist()],
        "border_tax": priced.border_tax[i, n, j].numpy(),
        "ad_valorem_pct": (100 * charged / (1 - charged))[i, n, j].numpy(),
        "border_revenue": _revenue(result)[1][i, n, j].numpy(),
        **_chosen(result, index, (i, n, j)),
    })  # fmt: skip


def _at(result: SolveResult) -> ChargesAt:
    model, priced = result.model, result.priced
    assert model.carbon is not None
    assert priced is not None
    charges = Charges.of(model.carbon.with_prices(priced.tax, priced.border_tax), priced.wedges)
    return ChargesAt(charges, model, result.u)


def _revenue(result: SolveResult) -> tuple[Tensor, Tensor]:
    """Of carbon taxes `[country, sector]`, and of border carbon taxes `[origin, destination, sector]`."""
    model, priced = result.model, result.priced
    if priced is None:
        return torch.zeros_like(model.revenue), torch.zeros_like(model.trade)
    flows = model.flows(result.state, result.wedges)
    kept = (-result.wedges[0]).exp()  # of what buyers pay b (1 + t) + tau e: b
    charged = flows * (1 - kept - priced.wedges[0].expm1() * kept)
    return priced.tax * emissions(model, result.state), torch.where(priced.border_tax > 0, charged, 0.0)


def _chosen(result: SolveResult, index: Tensor | None, cells: tuple[Tensor, ...]) -> dict[str, object]:
    """Whether somebody chose the price, its bounds, and whether it is at one."""
    count, given = len(cells[0]), result.instruments
    low, high = (torch.full((count,), float("nan"), dtype=result.u.dtype) for _ in range(2))
    chosen, held = (torch.zeros(count, dtype=torch.bool) for _ in range(2))
    if index is not None and given is not None and given.unit is not None:
        to = index[cells]
        chosen = to >= 0
        mine = to[chosen]
        low[chosen], high[chosen] = given.lower[mine] * given.unit[mine], given.upper[mine] * given.unit[mine]
        a = result.chosen[mine]
        held[chosen] = (a <= given.lower[mine]) | (a >= given.upper[mine])
    return {
        "chosen": chosen.numpy(), "lowest_price": low.numpy(), "highest_price": high.numpy(), "at_bound": held.numpy(),
    }  # fmt: skip
