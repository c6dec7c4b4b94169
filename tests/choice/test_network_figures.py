"""Pictures of the network economy: whole files, every sector named, harmful links marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from dlopt.choice.production.presets import synthetic
from dlopt.views.figures.network import draw, link_map, transition_paths


@pytest.fixture
def tables():
    model, rng = synthetic(6), np.random.default_rng(0)
    names = dict(zip(model.sectors, model.names, strict=True))
    links = pd.DataFrame(
        [(a, b, names[a], names[b], rng.normal()) for a in model.sectors for b in model.sectors if a != b],
        columns=["buyer", "supplier", "buyer_name", "supplier_name", "delta_v_pct"],
    )
    links["harmful"] = links["delta_v_pct"] < -1
    years = np.arange(0, 10, 0.5)
    parts = [
        pd.DataFrame({"shock": name, "year": years, "links": 3 + 0 * years, "links_without": 3.5 + 0 * years,
                      "log_gdp_pct": -np.exp(-years), "consumption_equivalent_pct": -0.1 * np.exp(-years)})
        for name in ("aggregate", "sectoral: Sector 1")
    ]  # fmt: skip
    return {"marginal_values": links, "transition": pd.concat(parts)}


def test_files_are_written(tables, tmp_path):
    written = draw(tables, tmp_path)
    assert {p.name for p in written} == {f"{s}.{e}" for s in ("link_map", "transition") for e in ("png", "pdf")}
    assert all(p.stat().st_size > 5000 for p in written)


def test_every_sector_is_named_and_every_harmful_link_marked(tables):
    axis = link_map(tables["marginal_values"]).axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == list(synthetic(6).names)
    assert len(axis.lines[0].get_xdata()) == int(tables["marginal_values"]["harmful"].sum())


def test_each_shock_has_a_line(tables):
    for axis in transition_paths(tables["transition"]).axes:
        assert len(axis.lines) == 3
