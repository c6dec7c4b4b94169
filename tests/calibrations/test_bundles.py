"""Bundles: what is written is what is read, in either format, whole or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from bundles import csv_bundle, edit, put
from economies import closed_economy, one_sector_two_countries, small_synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlopt.calibrations import (
    BundleError,
    BundleExistsError,
    calibration_warnings,
    load_calibration,
    read_bundle,
    validate_bundle,
    write_bundle,
)
from dlopt.store.files import FileWriteError, table_metadata
from dlopt.trade.calibration import DIGESTED, Calibration

COMMON = dict(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_same(one: Calibration, other: Calibration) -> None:
    assert one.economies == other.economies
    assert one.sectors == other.sectors
    assert one.sector_names == other.sector_names
    for field in DIGESTED:
        a, b = getattr(one, field), getattr(other, field)
        assert (a is None and b is None) or torch.equal(a, b), field


@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(0, 99), st.booleans(), st.sampled_from(["none", "tariffs", "all"])
)
@settings(**COMMON)  # type: ignore[arg-type]
def test_writing_and_reading_changes_no_bit(
    tmp_path: Path, n: int, j: int, seed: int, intermediates: bool, policies: str
) -> None:
    world = small_synthetic(n, j, seed, intermediates=intermediates, policies=policies)
    folder = write_bundle(world, tmp_path / "world", force=True)
    assert validate_bundle(folder) == []
    found = read_bundle(folder)
    assert_same(found, world)
    assert found.sha256 == world.sha256
    assert found == world
    assert (found.name, found.year, found.unit, found.source) == (world.name, world.year, world.unit, world.source)


def test_csv_and_parquet_are_the_same_calibration(tmp_path: Path) -> None:
    world = small_synthetic(policies="all")
    parquet = read_bundle(write_bundle(world, tmp_path / "parquet"))
    text = read_bundle(csv_bundle(world, tmp_path / "csv"))
    assert_same(parquet, text)
    assert parquet.sha256 == text.sha256
    assert text.sectors == ("1", "2", "3", "4")


def test_the_digest_sees_every_number_and_label() -> None:
    world = small_synthetic(policies="all")
    seen = {world.sha256}
    for field in DIGESTED:
        tensor = getattr(world, field).clone()
        tensor.view(-1)[-1] = ~tensor.view(-1)[-1] if tensor.dtype is torch.bool else tensor.view(-1)[-1] + 1e-12
        seen.add(dataclasses.replace(world, **{field: tensor}).sha256)
    seen.add(dataclasses.replace(world, economies=("a", "b", "c")).sha256)
    seen.add(dataclasses.replace(world, final_share=None).sha256)
    assert len(seen) == len(DIGESTED) + 3


def test_row_order_does_not_matter_but_label_order_is_that_of_first_appearance(tmp_path: Path) -> None:
    world = small_synthetic()
    folder = csv_bundle(world, tmp_path / "csv")

    def reverse(rows: list[list[str]]) -> None:
        rows[1:] = rows[:0:-1]

    edit(folder, "trade", reverse)
    assert_same(read_bundle(folder), world)
    edit(folder, "elasticity", reverse)
    edit(folder, "value_added_share", reverse)
    assert_same(read_bundle(folder), world.relabelled([2, 1, 0], [3, 2, 1, 0]))


def test_tariff_exclusive_flows_are_raised_by_the_tariff(tmp_path: Path) -> None:
    world = small_synthetic()
    before = dataclasses.replace(world, trade=world.trade / (1 + world.tariff))
    folder = csv_bundle(before, tmp_path / "csv")
    meta = folder / "meta.yaml"
    meta.write_text(meta.read_text().replace("tariff_inclusive", "tariff_exclusive"))
    torch.testing.assert_close(read_bundle(folder).trade, world.trade, rtol=1e-14, atol=0)


def test_without_intermediates_the_input_table_may_be_absent_or_only_a_header(tmp_path: Path) -> None:
    folder = csv_bundle(closed_economy(), tmp_path / "csv")
    assert not (folder / "input_share.csv").exists()
    assert_same(read_bundle(folder), closed_economy())
    (folder / "input_share.csv").write_text("country,input_sector,output_sector,share\n")
    assert_same(read_bundle(folder), closed_economy())


def test_final_shares_may_be_left_to_market_clearing(tmp_path: Path) -> None:
    folder = csv_bundle(small_synthetic(), tmp_path / "csv")
    (folder / "final_share.csv").unlink()
    assert read_bundle(folder).final_share is None


def test_shares_within_the_tolerance_are_made_to_sum_to_one(tmp_path: Path) -> None:
    folder = csv_bundle(small_synthetic(), tmp_path / "csv")
    for table in ("input_share", "final_share"):

        def shave(rows: list[list[str]]) -> None:
            for row in rows[1:]:
                row[-1] = repr(float(row[-1]) * (1 - 5e-7))

        edit(folder, table, shave)
    found = read_bundle(folder)
    assert found.final_share is not None
    assert (found.final_share.sum(1) - 1).abs().max() < 1e-15 * 4
    assert (found.input_share.sum(1) - 1).abs().max() < 1e-15 * 4


def test_a_byte_order_mark_blank_lines_spaces_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    world = small_synthetic()
    folder = csv_bundle(world, tmp_path / "csv")
    for path in folder.glob("*.csv"):
        text = path.read_text().replace(",", " , ").replace("\n", "\r\n") + "\r\n\r\n"
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert_same(read_bundle(folder), world)


def test_strong_scale_economies_are_a_warning_not_a_fault(tmp_path: Path) -> None:
    folder = csv_bundle(one_sector_two_countries(theta=4.0, psi=0.3), tmp_path / "csv")
    assert validate_bundle(folder) == []
    (warning,) = calibration_warnings(read_bundle(folder))
    assert "theta*psi = 1.2" in warning
    assert calibration_warnings(small_synthetic()) == []


def test_tables_carry_unit_source_and_schema_version(tmp_path: Path) -> None:
    world = dataclasses.replace(small_synthetic(), unit="million USD", source="a test")
    folder = write_bundle(world, tmp_path / "world")
    metadata = table_metadata(folder / "trade.parquet")
    assert metadata["unit"] == "million USD"
    assert metadata["source"] == "a test"
    assert metadata["dlopt_schema_version"] == "1"


def test_an_existing_calibration_is_replaced_only_by_force(tmp_path: Path) -> None:
    old, new = small_synthetic(seed=1), small_synthetic(seed=2)
    folder = write_bundle(old, tmp_path / "world")
    with pytest.raises(BundleExistsError, match="--force"):
        write_bundle(new, folder)
    assert_same(read_bundle(folder), old)
    write_bundle(new, folder, force=True)
    assert_same(read_bundle(folder), new)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_force_never_deletes_a_folder_that_is_not_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(BundleExistsError):
        write_bundle(small_synthetic(), tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "precious"


def test_an_unsound_calibration_is_not_written(tmp_path: Path) -> None:
    world = small_synthetic()
    with pytest.raises(BundleError, match="flow is a finite number >= 0"):
        write_bundle(dataclasses.replace(world, trade=-world.trade), tmp_path / "world")
    with pytest.raises(BundleError, match="a name has letters"):
        write_bundle(dataclasses.replace(world, name="../up"), tmp_path / "world")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_writing_leaves_the_old_bundle_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = small_synthetic(seed=1)
    folder = write_bundle(old, tmp_path / "world")

    def full_disk(*_: object) -> None:
        raise FileWriteError("no space left")

    monkeypatch.setattr("dlopt.calibrations.bundle.write_text", full_disk)
    for target in (folder, tmp_path / "fresh"):
        with pytest.raises(FileWriteError):
            write_bundle(small_synthetic(seed=2), target, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    assert_same(read_bundle(folder), old)


def test_a_file_where_the_parent_folder_should_be_is_a_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError, match="Cannot write"):
        write_bundle(small_synthetic(), tmp_path / "file" / "world")


def test_loading_by_path(tmp_path: Path) -> None:
    world = small_synthetic()
    folder = csv_bundle(world, tmp_path / "csv")
    assert_same(load_calibration(folder), world)
    assert_same(load_calibration(str(folder)), world)
    put(folder, "elasticity", 2, "name", "")
    assert load_calibration(folder).sector_names[0] == "1"
