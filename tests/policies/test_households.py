"""Groups of households: their own prices, their own real consumption."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torch
from economies import small_synthetic

from dlopt import DloptError, Policy, solve_equilibrium
from dlopt.policies import households_from
from dlopt.trade.households import Households


def test_incidence_by_what_groups_buy(tmp_path: Path) -> None:
    c = small_synthetic(2, 3, 1)
    result = solve_equilibrium(c, Policy(c.tariff * 2, c.export_tax, c.subsidy))
    average = result.calibration.final_share
    assert average is not None
    rows = [("E1", "average", s, float(average[0, k])) for k, s in enumerate(c.sectors)]
    rows += [("E1", "first", "1", 1.0), ("all", "half", "1", 0.5), ("all", "half", "3", 0.5)]
    path = tmp_path / "shares.csv"
    pd.DataFrame(rows, columns=["economy", "group", "sector", "share"]).to_csv(path, index=False)
    result = dataclasses.replace(result, households=households_from(path, c))
    table = result.table("households").set_index(["economy", "group"])
    assert len(table) == 4
    assert table.loc[("E1", "average"), "real_consumption_change_pct"] == pytest.approx(
        float(result.real_income_change_pct[0]), abs=1e-10
    )
    assert table.loc[("E1", "average"), "difference_pct"] == pytest.approx(0, abs=1e-10)
    state = result.state
    for k, economy in enumerate(c.economies):  # by hand, in levels
        price = (state.price[k, [0, 2]].exp()).prod() ** 0.5
        real = float(state.income[k].exp() / price)
        assert table.loc[(economy, "half"), "real_consumption_change_pct"] == pytest.approx(100 * (real - 1), abs=1e-10)
    assert table.loc[("E1", "first"), "consumer_price_change_pct"] == pytest.approx(
        100 * float(state.price[0, 0].expm1()), abs=1e-10
    )


def test_shares_that_make_no_sense(tmp_path: Path) -> None:
    c, path = small_synthetic(2, 3, 1), tmp_path / "shares.csv"
    for rows, said in (
        ("E1,poor,1,0.5\n", "add up to 0.5"),
        ("E1,poor,1,-1\n", "0 or more"),
        ("E9,poor,1,1\n", "E9"),
        ("E1,poor,9,1\n", "9"),
    ):
        path.write_text("economy,group,sector,share\n" + rows)
        with pytest.raises(DloptError, match=said):
            households_from(path, c)
    with pytest.raises(DloptError, match="0 or more"):
        Households.of(c, [0], ["poor"], torch.tensor([[1.0, 0.0]]))
