"""Policy tables: new levels in place of the baseline, everything else left alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from economies import small_synthetic

from dlopt.calibrations import BundleError, named_policies, read_bundle, read_policy, validate_bundle, write_bundle
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

WORLD = small_synthetic(policies="all")
HEADER = "instrument,origin,destination,sector,rate\n"


def policy_file(folder: Path, rows: str) -> Path:
    path = folder / "policy.csv"
    path.write_text(HEADER + rows)
    return path


def test_rows_replace_rates_and_missing_rows_keep_them(tmp_path: Path) -> None:
    rows = "tariff,E1,E2,3,0.25\nexport_tax,E2,E3,1,-0.1\nsubsidy,E3,,4,0.3\n"
    policy = read_policy(policy_file(tmp_path, rows), WORLD)
    assert float(policy.tariff[0, 1, 2]) == 0.25
    assert float(policy.export_tax[1, 2, 0]) == -0.1
    assert float(policy.subsidy[2, 3]) == 0.3
    for name in ("tariff", "export_tax", "subsidy"):
        assert int((getattr(policy, name) != getattr(WORLD, name)).sum()) == 1


def test_a_table_without_rows_is_the_baseline(tmp_path: Path) -> None:
    policy = read_policy(policy_file(tmp_path, ""), WORLD)
    assert torch.equal(policy.tariff, WORLD.tariff)


def test_policies_of_a_bundle_come_back_bit_by_bit(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    tariff = WORLD.tariff * torch.rand(WORLD.tariff.shape, generator=generator, dtype=torch.float64)
    policy = Policy(tariff, WORLD.export_tax / 3, WORLD.subsidy - 0.1)
    folder = write_bundle(WORLD, tmp_path / "world", {"mine": policy})
    assert validate_bundle(folder) == []
    files = named_policies(folder)
    assert list(files) == ["mine"]
    found = read_policy(files["mine"], read_bundle(folder))
    for name in ("tariff", "export_tax", "subsidy"):
        assert torch.equal(getattr(found, name), getattr(policy, name))


def test_the_policies_of_a_run_can_be_read(tmp_path: Path) -> None:
    """Runs write further columns, and nothing or the economy itself as the destination of a subsidy."""
    frame = pd.DataFrame(
        {
            "economy": ["E2", "E1", "E2"],
            "instrument": ["tariff", "subsidy", "subsidy"],
            "origin": ["E1", "E1", "E2"],
            "destination": ["E2", None, "E2"],
            "sector": ["3", "2", "2"],
            "sector_name": ["Sector 3", "Sector 2", "Sector 2"],
            "initial_rate": [0.0, 0.0, 0.0],
            "rate": [0.5, 0.2, 0.1],
            "at_bound": [False, True, False],
        }
    )
    frame.to_parquet(tmp_path / "policies.parquet")
    policy = read_policy(tmp_path / "policies.parquet", WORLD)
    assert float(policy.tariff[0, 1, 2]) == 0.5
    assert policy.subsidy[:2, 1].tolist() == [0.2, 0.1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("tarif,E1,E2,1,0.1", "this instrument is unknown"),
        ("tariff,E1,XX,1,0.1", "this economy is not in"),
        ("tariff,E1,E2,9,0.1", "this sector is not in"),
        ("tariff,E1,E2,1,-1", "above -1"),
        ("subsidy,E1,,1,1", "below 1"),
        ("subsidy,E1,E2,1,0.1", "a subsidy has no destination"),
        ("tariff,E1,,1,0.1", "a label is missing"),
        ("tariff,E1,E1,1,0.1", "no tariff is paid at home"),
        ("tariff,E1,E2,1,0.1\ntariff,E1,E2,1,0.2", "each cell appears once"),
        ("tariff,E1,E2,1,nan", "must be a finite number"),
        ("tariff,E1,E2,1", "a row has 5 fields"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, rows: str, expected: str) -> None:
    with pytest.raises(BundleError, match=expected) as caught:
        read_policy(policy_file(tmp_path, rows), WORLD)
    assert f"line {2 + rows.count(chr(10))}" in str(caught.value)


def test_a_bundle_with_a_faulty_policy_is_faulty(tmp_path: Path) -> None:
    folder = write_bundle(WORLD, tmp_path / "world", {"mine": Policy.of(WORLD)})
    (folder / "policies" / "mine.csv").write_text(HEADER + "tariff,E1,E2,1,-3\n")
    (folder / "policies" / "other.xlsx").write_text("")
    (folder / "policies" / "mine.parquet").write_text("")
    files = {fault.file for fault in validate_bundle(folder)}
    assert files == {"policies/mine.csv", "policies/mine.parquet", "policies/other.xlsx"}


def test_a_missing_or_foreign_file_is_a_readable_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no such file"):
        read_policy(tmp_path / "none.csv", WORLD)
    with pytest.raises(BundleError, match="json"):
        read_policy(tmp_path / "policy.json", WORLD)


def test_sectors_are_named_by_label_or_by_name(tmp_path: Path, stylized: Calibration) -> None:
    text = "instrument,origin,destination,sector,rate\ntariff,CHN,USA,{},0.3\n"
    by = {}
    for k, word in enumerate((stylized.sectors[2], stylized.sector_names[2])):
        path = tmp_path / f"{k}.csv"
        path.write_text(text.format(f'"{word}"'), encoding="utf-8")
        by[k] = read_policy(path, stylized)
    assert by[0] == by[1]
    assert by[0] != Policy.of(stylized)
