"""The section `carbon` from the shell: words and tables, runs that are read again, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import dlopt as front
from dlopt import DloptError
from dlopt.policies import border_prices_from, carbon_prices_from, damages_from, emissions_from

NO_OTHERS = ["instruments.tariff=false", "instruments.export_tax=false", "instruments.subsidy=false"]


def table(folder: Any, economies: tuple[str, ...], sectors: tuple[str, ...]) -> str:
    """Emissions that depend on the cell alone."""
    rows = [(e, s, 0.01 * (1 + i + 2 * j)) for i, e in enumerate(economies) for j, s in enumerate(sectors)]
    path = folder / "tonnes.csv"
    pd.DataFrame(rows, columns=["economy", "sector", "emissions"]).to_csv(path, index=False)
    return str(path)


def test_prices_are_chosen_and_found_again(dlopt: Any) -> None:
    world = front.load_calibration(str(dlopt.world))
    tonnes = table(dlopt.folder, world.economies, world.sectors)
    words = ["scenario=dual", f"calibration={dlopt.world}", f"carbon.emissions={tonnes}", "psi_scale=0", *NO_OTHERS]
    words += ["instruments.carbon_tax=uniform", "instruments.border_tax=uniform", "players=[E1]", "carbon.damages=2"]
    done = dlopt("solve", "nash", *words, "hydra.run.dir=run")
    assert "Emissions of the world" in done.stdout
    assert "price per tonne" in done.stdout
    run = dlopt.folder / "run"
    welfare, carbon, border = (pd.read_parquet(run / f"{name}.parquet") for name in ("welfare", "carbon", "border"))
    assert (welfare["welfare_change_pct"] != welfare["real_income_change_pct"]).all()
    assert set(border["importer"]) == {"E1"}
    assert border["chosen"].all()
    again = front.open_run(run)
    assert again.welfare_change_pct.numpy() == pytest.approx(welfare["welfare_change_pct"].to_numpy(), abs=1e-8)
    assert again.table("carbon")["carbon_price"].dropna().to_numpy() == pytest.approx(
        carbon["carbon_price"].dropna().to_numpy(), rel=1e-9
    )
    assert (
        again.table("emissions")["at_bound"].tolist() == pd.read_parquet(run / "emissions.parquet")["at_bound"].tolist()
    )
    assert "only for rates" in dlopt("landscape", "run", "--no-picture", code=1).stderr
    dlopt("report", "run", "--output", "page.html")
    assert "price per tonne" in (dlopt.folder / "page.html").read_text()


def test_given_prices_and_the_bundles_own_emissions(dlopt: Any) -> None:
    words = [
        "solve",
        "equilibrium",
        "calibration=stylized2017",
        "carbon.tax=EU: 80",
        "carbon.border_tax=EU: 80 from CHN",
    ]
    dlopt(*words, "hydra.run.dir=run")
    carbon = pd.read_parquet(dlopt.folder / "run" / "carbon.parquet").set_index("economy")
    assert carbon.loc["EU", "carbon_price"] == pytest.approx(80)
    assert carbon.loc["EU", "carbon_revenue"] == pytest.approx(80 * carbon.loc["EU", "emissions"])
    assert carbon.loc["World", "emissions"] == pytest.approx(carbon["emissions"].iloc[:-1].sum())
    assert carbon.loc["EU", "emissions_change_pct"] < 0 < carbon.loc["World", "leakage_pct"]
    border = pd.read_parquet(dlopt.folder / "run" / "border.parquet")
    assert set(zip(border["importer"], border["origin"], strict=True)) == {("EU", "CHN")}
    assert (border["border_revenue"] > 0).all()
    # A price of zero, and damages of zero, are today's numbers.
    dlopt("solve", "equilibrium", "carbon.tax=0", "carbon.damages=0", "hydra.run.dir=none")
    dlopt("solve", "equilibrium", "hydra.run.dir=plain")
    one, other = (pd.read_parquet(dlopt.folder / name / "welfare.parquet") for name in ("none", "plain"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_words_and_tables(tmp_path: Any) -> None:
    c = front.load_calibration("stylized2017")
    notes: list[str] = []
    eu, chn, usa, steel = c.economy_index("EU"), c.economy_index("CHN"), c.economy_index("USA"), c.sector_index("15")
    tax = carbon_prices_from("EU: 80; USA: 50 on steel", c, notes)
    assert (tax[eu] == 80).all()
    assert tax[usa].nonzero().flatten().tolist() == [steel]
    assert torch.equal(carbon_prices_from("30", c, notes), torch.full_like(tax, 30))
    border = border_prices_from("EU: 80 on steel from CHN,EU", c, notes)
    assert border.nonzero().tolist() == [[chn, eu, steel]]
    path = tmp_path / "prices.csv"
    path.write_text("importer,origin,sector,price\nEU,CHN,15,80\n")
    assert torch.equal(border_prices_from(str(path), c, notes), border)
    path.write_text("economy,sector,price\nEU,all,80\nUSA,15,50\n")
    assert torch.equal(carbon_prices_from(str(path), c, notes), tax)
    harm = damages_from("100", c)
    assert float(harm.sum()) == pytest.approx(100)
    assert damages_from("USA: 20; CHN: 30", c)[[usa, chn]].tolist() == [20, 30]
    path.write_text("economy,damage\nUSA,20\nCHN,30\n")
    assert torch.equal(damages_from(str(path), c), damages_from("USA: 20; CHN: 30", c))
    path.write_text("economy,sector,emissions\nEU,15,1\nEU,Basic metals,2\n")
    tonnes = emissions_from(path, c)
    assert tonnes.nonzero().tolist() == [[eu, steel]]
    assert float(tonnes.sum()) == 3
    assert np.isfinite(tonnes.numpy()).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["carbon.tax=EU: lots"], "how much per tonne"),
        (["carbon.tax=-5"], "0 or more"),
        (["carbon.tax=EU: 80 from CHN"], "border_tax"),
        (["carbon.tax=Atlantis: 80"], "Atlantis"),
        (["carbon.emissions=nowhere.csv"], "nowhere.csv"),
        (["carbon.damages=EU: 5 on steel"], "by economy"),
        (["carbon.tax=5", "accounting=paper"], "accounting=standard"),
    ],
)
def test_what_makes_no_sense(checked: Any, words: list[str], said: str) -> None:
    with pytest.raises(DloptError, match=said):
        checked("equilibrium", *words, world=False)


def test_emissions_are_asked_for(checked: Any) -> None:
    with pytest.raises(DloptError, match="no emissions"):
        checked("nash", "scenario=dual", "instruments.carbon_tax=uniform")


def test_formulas_beside_an_optimum(dlopt: Any) -> None:
    words = ["scenario=trade_war", f"calibration={dlopt.world}", "player=E1", "psi_scale=0", "formulas=true"]
    done = dlopt("solve", "unilateral", *words, "hydra.run.dir=run")
    assert "sufficient statistics" in done.stdout
    formulas = pd.read_parquet(dlopt.folder / "run" / "formulas.parquet").set_index("economy")
    assert formulas.loc["E1", "difference_pct"] <= 1e-9
    rates = pd.read_parquet(dlopt.folder / "run" / "formula_policies.parquet")
    assert (rates["formula_rate"] > 0).all()
    assert len(rates) == len(pd.read_parquet(dlopt.folder / "run" / "policies.parquet"))


def test_formulas_want_rates_by_sector(checked: Any) -> None:
    with pytest.raises(DloptError, match="by_sector"):
        checked("unilateral", "scenario=trade_war", "player=E1", "formulas=true", "instruments.tariff=uniform")


def test_households_from_the_shell(dlopt: Any) -> None:
    path = dlopt.folder / "shares.csv"
    path.write_text("economy,group,sector,share\nall,poor,6,0.6\nall,poor,37,0.4\nUSA,rich,20,1\n")
    dlopt("solve", "equilibrium", "policy=USA: 25% on food", f"households={path}", "hydra.run.dir=run")
    table = pd.read_parquet(dlopt.folder / "run" / "households.parquet").set_index(["economy", "group"])
    assert len(table) == 8
    assert table.loc[("USA", "poor"), "difference_pct"] < 0
    again = front.open_run(dlopt.folder / "run").table("households")
    assert again["real_consumption_change_pct"].to_numpy() == pytest.approx(
        table["real_consumption_change_pct"].to_numpy(), abs=1e-8
    )
