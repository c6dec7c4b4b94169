"""Aggregation: accounts of the merged world are sums of accounts; every way to say what is merged; bad concordances."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dlopt.calibrations import synthetic, write_bundle
from dlopt.calibrations.aggregate import (
    AggregationError,
    accounts_of,
    aggregated,
    by_number,
    from_file,
    from_lists,
)
from dlopt.calibrations.importing import Imported, import_bundle
from dlopt.calibrations.short_labels import short_label, short_name
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy


@pytest.fixture(scope="module")
def world() -> Calibration:
    """Five economies, six sectors, with tariffs, export taxes and subsidies that differ everywhere."""
    made = synthetic(5, 6, 3)
    random = torch.Generator().manual_seed(0)
    away = ~torch.eye(5, dtype=torch.bool)[:, :, None]

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float64)

    return dataclasses.replace(
        made, tariff=0.3 * draw(5, 5, 6) * away, export_tax=0.2 * draw(5, 5, 6) * away, subsidy=0.2 * draw(5, 6) - 0.1
    )


def test_aggregate_then_account_is_account_then_aggregate(world: Calibration) -> None:
    """Sectors: every account, to 1e-12."""
    groups = from_lists("a=1+3,b=2+5+6,4", world.sectors)
    small = aggregated(Imported(world, {}), sectors=groups).calibration
    s = torch.zeros(6, 3, dtype=torch.float64)
    for k, parts in enumerate(groups.values()):
        for part in parts:
            s[world.sectors.index(part), k] = 1
    old, new = accounts_of(world), accounts_of(small)
    close = {"rtol": 1e-12, "atol": 1e-12 * float(world.trade.max())}
    torch.testing.assert_close(small.trade, world.trade @ s, **close)
    torch.testing.assert_close(new.border, old.border @ s, **close)
    torch.testing.assert_close(new.factory, old.factory @ s, **close)
    torch.testing.assert_close(new.revenue.sum(1), old.revenue.sum(1) @ s, **close)
    torch.testing.assert_close(new.inputs, s.T @ old.inputs @ s, **close)
    torch.testing.assert_close(new.final, old.final @ s, **close)
    added = world.value_added_share * old.revenue.sum(1)
    torch.testing.assert_close(small.value_added_share * new.revenue.sum(1), added @ s, **close)


def test_economies_keep_revenue_and_lose_taxes_among_themselves(world: Calibration) -> None:
    first, second, *others = world.economies
    small = aggregated(
        Imported(world, {}), economies={"U": (first, second), **{label: (label,) for label in others}}
    ).calibration
    old, new = accounts_of(world), accounts_of(small)
    both = old.revenue.sum(1)
    torch.testing.assert_close(new.revenue.sum(1)[0], both[0] + both[1], rtol=1e-12, atol=1e-9)
    torch.testing.assert_close(new.revenue.sum(1)[1:], both[2:], rtol=1e-12, atol=1e-9)
    # Abroad, the tariff is revenue over imports.
    duty = (world.trade - old.border)[2, :2].sum(0) / old.border[2, :2].sum(0)
    torch.testing.assert_close(small.tariff[1, 0], duty, rtol=1e-12, atol=1e-12)
    inside = old.factory[:2, :2].sum((0, 1))
    torch.testing.assert_close(small.trade[0, 0], inside, rtol=1e-12, atol=1e-9)
    assert float(small.tariff[0, 0].abs().max()) == 0


def test_nothing_merged_is_nothing_changed(world: Calibration, tmp_path: Path) -> None:
    same = aggregated(Imported(world, {"p": Policy(world.tariff, world.export_tax, world.subsidy)}))
    for field in ("trade", "tariff", "export_tax", "subsidy", "value_added_share", "input_share", "theta", "psi"):
        torch.testing.assert_close(getattr(same.calibration, field), getattr(world, field), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(same.policies["p"].tariff, world.tariff, rtol=1e-12, atol=1e-13)
    write_bundle(same.calibration, tmp_path / "same", adjustments=same.adjustments)


def test_by_number(world: Calibration) -> None:
    for method in ("smallest", "alike"):
        for which, count in (("sectors", 3), ("economies", 3)):
            groups = by_number(world, which, count, method)
            assert len(groups) == count
            labels = world.sectors if which == "sectors" else world.economies
            assert sorted(label for parts in groups.values() for label in parts) == sorted(labels)
    spending = world.trade.sum((0, 2))
    largest = [world.economies[k] for k in spending.argsort(descending=True)[:2].tolist()]
    assert set(largest) <= set(by_number(world, "economies", 3))
    with pytest.raises(AggregationError, match=r"from 1 to 6"):
        by_number(world, "sectors", 7)


def test_what_is_merged_is_short_to_call_and_listed_in_the_bundle(world: Calibration, tmp_path: Path) -> None:
    """Labels and names are those of the largest member; meta.yaml says who is in it; nothing of it moves a number."""
    assert short_label(["D", "E"]) == "D+E"
    assert short_label(["C10T12", "C13T15", "C16"], [1.0, 5.0, 2.0]) == "C13T15+2"
    assert short_name(["Coal", "Fishing"], [1.0, 2.0]) == "Fishing and Coal"
    assert short_name(["Coal", "Fishing", "Wood"], [1.0, 2.0, 3.0]) == "Wood and 2 more"
    long = ["C10T12", "C13T15", "C16", "C17_18", "C19", "C20"]
    names = ("Food", "Clothes", "Wood", "Paper", "Fuels", "Chemicals")
    called = dataclasses.replace(world, sectors=tuple(long), sector_names=names)
    groups = by_number(called, "sectors", 2)
    small = aggregated(Imported(called, {}), by_number(called, "economies", 3), groups)
    assert all(len(label) <= 12 for label in small.calibration.sectors)
    size = called.trade.sum((0, 1))
    for label, name, parts in zip(groups, small.calibration.sector_names, groups.values(), strict=True):
        largest = max(parts, key=lambda part: float(size[long.index(part)]))
        assert name.startswith(names[long.index(largest)])
        assert label == largest or len(parts) == 2 or label == f"{largest}+{len(parts) - 1}"
    write_bundle(small.calibration, tmp_path / "small", adjustments=small.adjustments, isic=small.isic)
    lines = " ".join((tmp_path / "small" / "meta.yaml").read_text().split())
    for label, parts in groups.items():
        assert f"{label} is {', '.join(parts)}" in lines or parts == (label,)
    assert "Economies put together: ROW is" in lines
    again = import_bundle(tmp_path / "small")
    assert again.calibration.sectors == tuple(groups)
    plain = aggregated(Imported(called, {}), None, {str(k): parts for k, parts in enumerate(groups.values())})
    assert bool((plain.calibration.trade == aggregated(Imported(called, {}), None, groups).calibration.trade).all())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,to\n1,a\n2,a\n", r"\.csv: 3, 4, 5, 6 would be lost\. Give each a row"),
        ("from,to\n1,a\n1,b\n", r"line 3: 1 is there twice \(first in line 2\)"),
        ("from,to\n9,a\n", r"line 2: there is no '9'"),
        ("from,to\n1,\n", r"line 2: a row gives an old and a new label"),
        ("old,new\n1,a\n", r"line 1: a concordance has the columns from and to"),
    ],
)
def test_a_concordance_at_fault(world: Calibration, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(AggregationError, match=message):
        aggregated(Imported(world, {}), sectors=from_file(path, world.sectors))
