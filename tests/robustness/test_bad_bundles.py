"""Bad bundles: every fault is found, all at once, with its file, line, value, rule and remedy; nothing crashes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundles import csv_bundle, edit, put
from economies import closed_economy, small_synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlopt.calibrations import BundleError, Fault, read_bundle, validate_bundle, write_bundle
from dlopt.store.faults import MAX_FAULTS_SHOWN

Change = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return csv_bundle(small_synthetic(policies="all"), tmp_path / "world")


def append(table: str, line: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / f"{table}.csv"
        path.write_text(path.read_text() + line + "\n")

    return change


def cell(table: str, column: str, value: str, line: int = 3) -> Change:
    return lambda folder: put(folder, table, line, column, value)


def header(table: str, change: Callable[[list[str]], list[str]]) -> Change:
    return lambda folder: edit(folder, table, lambda rows: rows.__setitem__(0, change(rows[0])))


def drop(table: str, line: int) -> Change:
    return lambda folder: edit(folder, table, lambda rows: rows.__delitem__(line - 1))


def rename(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        (folder / old).rename(folder / new)

    return change


def write(file: str, content: str | bytes) -> Change:
    data = content.encode() if isinstance(content, str) else content

    def change(folder: Path) -> None:
        (folder / file).write_bytes(data)

    return change


def meta(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "meta.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


CELLS = [
    (cell("trade", "value", "-3"), "trade.csv line 3, column value: -3: a flow is a finite number >= 0"),
    (cell("trade", "value", "nan"), "trade.csv line 3, column value: nan: this must be a finite number"),
    (cell("trade", "value", "inf"), "column value: inf: this must be a finite number"),
    (cell("trade", "value", "1e999"), "column value: 1e999: this must be a finite number"),
    (cell("trade", "value", "12 apples"), "column value: 12 apples: this must be a finite number"),
    (cell("trade", "value", "1_000"), "column value: 1_000: this must be a finite number"),
    (cell("trade", "value", "1,5"), "column value: 1,5: this must be a finite number"),
    (cell("trade", "value", ""), "column value: (empty): this must be a finite number"),
    (cell("trade", "origin", ""), "trade.csv line 3, column origin: a label is missing"),
    (cell("trade", "origin", "E11"), "E11: this economy is not in value_added_share; did you mean E1"),
    (cell("trade", "sector", "1.0"), "1.0: this sector is not in elasticity"),
    (cell("trade", "sector", "9"), "9: this sector is not in elasticity"),
    (cell("tariff", "rate", "-1"), "column rate: -1: a tax rate is a fraction above -1"),
    (append("tariff", "E1,E1,1,0.1"), "column rate: 0.1 (E1): no tariff is paid at home"),
    (append("export_tax", "E2,E2,1,0.1"), "column rate: 0.1 (E2): no export tax is paid at home"),
    (cell("subsidy", "rate", "1"), "column rate: 1: a subsidy rate is a fraction below 1"),
    (cell("value_added_share", "share", "0"), "column share: 0: a value-added share lies in (0, 1]"),
    (cell("value_added_share", "share", "1.2"), "column share: 1.2: a value-added share lies in (0, 1]"),
    (cell("input_share", "share", "-0.1"), "column share: -0.1: a share lies in [0, 1]"),
    (cell("input_share", "share", "0.99"), "E1, output sector 2: sum 1."),
    (cell("final_share", "share", "0.9"), "E1: sum 1."),
    (cell("elasticity", "theta", "0"), "column theta: 0: theta is a number > 0"),
    (cell("elasticity", "psi", "-0.1"), "column psi: -0.1: psi is a number >= 0"),
    (cell("elasticity", "tradable", "0.5"), "column tradable: 0.5: tradable is 0 or 1"),
    (cell("elasticity", "tradable", "2"), "column tradable: 2: tradable is 0 or 1"),
    (cell("elasticity", "name", "Sector 1"), "column name: Sector 1: a sector name is used once"),
    (cell("elasticity", "name", "1"), "column name: 1: a sector name is used once"),
    (cell("elasticity", "sector", "1"), "elasticity.csv line 3: 1: each cell appears once; delete one"),
    (append("trade", "E1,E1,1,5"), "E1, E1, 1: each cell appears once; delete one; the other is on line 2"),
    (drop("value_added_share", 3), "value_added_share.csv: E1, 2: every cell is required"),
    (append("trade", "E1,E1,1"), "a row has 4 fields, this one has 3"),
    (append("trade", "E1,E1,1,1,1"), "a row has 4 fields, this one has 5"),
    (append("trade", 'E1,E1,1,"1'), "this line is not valid CSV"),
    (header("trade", lambda row: [*row[:3], "flow"]), "trade.csv, column value: this column is missing"),
    (header("trade", lambda row: [*row[:3], "flow"]), "trade.csv, column flow: this column is unknown"),
    (header("trade", lambda row: [row[0], row[0], *row[2:]]), "column origin: this column appears more than once"),
    (header("trade", lambda row: ["", *row[1:]]), "column (no name): this column is unknown"),
]  # fmt: skip

FILES = [
    (rename("tariff.csv", "tarif.csv"), "tarif.csv: a bundle has no table of this name; did you mean tariff.csv?"),
    (rename("tariff.csv", "tarif.csv"), "tariff: this table is required; add tariff.csv or tariff.parquet"),
    (rename("final_share.csv", "final-share.csv"), "did you mean final_share.csv?"),
    (rename("trade.csv", "trade.xlsx"), "trade.xlsx: a bundle has no table of this name"),
    (rename("trade.csv", "Trade.csv"), "did you mean trade.csv?"),
    (write("trade.parquet", b"x"), "trade: a table is given once; delete trade.csv or trade.parquet"),
    (write("trade.csv", ""), "trade.csv: the file is empty; write the header origin,destination,sector,value"),
    (write("trade.csv", "origin,destination,sector,value\n"), "trade.csv: the table has a header but no rows"),
    (write("trade.csv", "origin,destination,sector,value\nÉ".encode("latin-1")), "trade.csv: the file must be UTF-8"),
    (write("trade.csv", os.urandom(4096)), "trade.csv"),
    (write("trade.csv", b"PK\x03\x04" + b"\0" * 500), "trade.csv"),
    (lambda f: (f / "subsidy").mkdir(), "subsidy: a bundle has no folder of this name"),
    (lambda f: (f / "export_tax.csv").unlink() or (f / "export_tax.csv").mkdir(), "this must be a regular file"),
    (write("policies", ""), "policies: this must be a folder of policy tables"),
]  # fmt: skip

META = [
    (lambda f: (f / "meta.yaml").unlink(), "meta.yaml: every bundle has this file"),
    (write("meta.yaml", ""), "meta.yaml: the file holds keys and values"),
    (write("meta.yaml", "[" * 5000), "meta.yaml"),
    (write("meta.yaml", "a: b: c"), "meta.yaml line 1: the file is not valid YAML"),
    (write("meta.yaml", b"\xff\xfe\x00"), "meta.yaml: the file must be UTF-8"),
    (write("meta.yaml", "name: x\n" * 20_000), "meta.yaml: at most 64 KiB are read"),
    (write("meta.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nname: [*b,*b]\n"), "anchors and aliases are not accepted"),
    (write("meta.yaml", "!!python/object/apply:os.system ['true']"), "meta.yaml line 1: the file is not valid YAML"),
    (meta("unit:", "units:"), "meta.yaml: units: this key is unknown; valid keys: name, year, unit"),
    (meta("unit:", "units:"), "meta.yaml, column unit: this key is missing or empty"),
    (meta("name: synthetic-3x4-1", "name: ../up"), "../up: a name has letters"),
    (meta("name: synthetic-3x4-1", "name: [a, b]"), "list: this value must be plain text"),
    (meta("tariff_inclusive", "cif"), "cif: this price basis is unknown; use tariff_inclusive or tariff_exclusive"),
    (meta("year: none", f"year: {'9' * 6000}"), "meta.yaml"),
    (meta("year: none", "year: 2017-99-99"), "meta.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [*CELLS, *FILES, *META])
def test_each_fault_is_named(folder: Path, change: Change, expected: str) -> None:
    change(folder)
    told = [str(fault) for fault in validate_bundle(folder)]
    assert any(expected in line for line in told), told
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_all_faults_are_reported_at_once(folder: Path) -> None:
    for change in (
        cell("trade", "value", "-3"),
        cell("tariff", "rate", "x", line=4),
        cell("value_added_share", "share", "2"),
        cell("elasticity", "theta", "-1"),
        meta("tariff_inclusive", "cif"),
        write("tarif.csv", ""),
    ):
        change(folder)
    faults = validate_bundle(folder)
    assert {(f.file, f.row) for f in faults} == {
        ("trade.csv", 3), ("tariff.csv", 4), ("value_added_share.csv", 3), ("elasticity.csv", 3),
        ("meta.yaml", None), ("tarif.csv", None),
    }  # fmt: skip
    assert all(f.rule and f.remedy for f in faults)


def test_a_message_lists_the_first_faults_and_counts_the_rest(folder: Path) -> None:
    def spoil(rows: list[list[str]]) -> None:
        for row in rows[1:]:
            row[-1] = "x"

    edit(folder, "trade", spoil)
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert len(caught.value.faults) == 36
    lines = str(caught.value).splitlines()
    assert len(lines) == MAX_FAULTS_SHOWN + 2
    assert lines[-1] == "  ... and 16 more; correct these first."


def test_lines_are_counted_as_an_editor_does(folder: Path) -> None:
    path = folder / "elasticity.csv"
    rows = path.read_text().splitlines()
    rows[1] = rows[1].replace("Sector 1", '"Sector\n1"')
    rows.insert(2, "")
    rows[4] = rows[4].replace(rows[4].split(",")[1], "-1")
    path.write_text("\n".join(rows))
    (fault,) = validate_bundle(folder)
    assert (fault.row, path.read_text().splitlines()[fault.row - 1 if fault.row else 0].split(",")[1]) == (6, "-1")


def test_a_wrong_label_is_named_once_however_often_it_appears(folder: Path) -> None:
    def change(rows: list[list[str]]) -> None:
        for row in rows[1:]:
            row[0] = row[0].replace("E2", "EE2")

    edit(folder, "trade", change)
    (fault,) = validate_bundle(folder)
    assert "EE2: this economy is not in value_added_share; did you mean E2" in str(fault)
    assert "(12 times)" in str(fault)


def test_a_missing_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, state in ((tmp_path / "none", "there is no such folder"), (tmp_path / "file", "this is a file")):
        (fault,) = validate_bundle(path)
        assert state in str(fault)


def test_an_economy_that_sells_or_buys_nothing(folder: Path) -> None:
    def silence(side: int) -> Callable[[list[list[str]]], None]:
        def change(rows: list[list[str]]) -> None:
            for row in rows[1:]:
                if row[side] == "E2":
                    row[3] = "0"

        return change

    edit(folder, "trade", silence(0))
    assert any("E2: 0: every economy sells something" in str(f) for f in validate_bundle(folder))
    edit(folder, "trade", silence(1))
    assert any("E2: 0: every economy buys something" in str(f) for f in validate_bundle(folder))


def test_a_sector_nobody_sells(folder: Path) -> None:
    edit(folder, "trade", lambda rows: [row.__setitem__(3, "0") for row in rows[1:] if row[2] == "2"] and None)
    assert any("2: 0: every sector is traded" in str(f) for f in validate_bundle(folder))


def test_a_sector_that_is_used_must_be_bought(folder: Path) -> None:
    def change(rows: list[list[str]]) -> None:
        for row in rows[1:]:
            if row[1] == "E2" and row[2] == "3":
                row[3] = "0"

    edit(folder, "trade", change)
    assert any("E2, sector 3: a sector that is consumed" in str(f) for f in validate_bundle(folder))


def test_negative_implied_final_demand_asks_for_final_share(folder: Path) -> None:
    (folder / "final_share.csv").unlink()

    def change(rows: list[list[str]]) -> None:
        for row in rows[1:]:
            if row[1] == "E2" and row[2] == "3":
                row[3] = "1e-6"

    edit(folder, "trade", change)
    (fault,) = validate_bundle(folder)
    assert "E2, sector 3" in str(fault)
    assert "give final_share" in str(fault)


def test_missing_input_shares_where_they_are_needed(folder: Path) -> None:
    (folder / "input_share.csv").unlink()
    faults = validate_bundle(folder)
    assert len(faults) == 12
    assert all("sum 0: input shares sum to 1" in str(fault) for fault in faults)


def test_too_large_a_file_is_refused_unread(folder: Path) -> None:
    with (folder / "trade.csv").open("r+b") as stream:
        stream.truncate(2**40)  # sparse
    assert any("at most 256 MiB" in str(fault) for fault in validate_bundle(folder))


def test_a_world_too_large_to_hold_is_refused(folder: Path) -> None:
    rows = "".join(f"E{k},1,0.5\n" for k in range(8000))
    (folder / "value_added_share.csv").write_text("country,sector,share\n" + rows)
    assert any("8000 x 4: economies x sectors" in str(fault) for fault in validate_bundle(folder))


def test_a_named_pipe_does_not_hang(folder: Path) -> None:
    (folder / "trade.csv").unlink()
    os.mkfifo(folder / "trade.csv")
    assert any("regular file" in str(fault) for fault in validate_bundle(folder))


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("share", ["0.5"] * 3, "this column must hold numbers"),
        ("share", [0.5, None, 0.5], "value_added_share.parquet row 2, column share: nan: this must be a finite"),
        ("share", [0.5, np.nan, 0.5], "row 2, column share"),
        ("sector", [1.0, 2.0, 3.0], "labels are text or whole numbers"),
        ("sector", ["1", None, "3"], "row 2, column sector: a label is missing"),
        ("extra", [1, 2, 3], "column extra: this column is unknown"),
    ],
)
def test_faults_of_parquet_tables(tmp_path: Path, column: str, values: list[object], expected: str) -> None:
    folder = write_bundle(closed_economy(), tmp_path / "world")
    frame = pd.read_parquet(folder / "value_added_share.parquet")
    columns = {name: pa.array(frame[name]) for name in frame}
    columns[column] = pa.array(values, from_pandas=False)
    pq.write_table(pa.table(columns), folder / "value_added_share.parquet")
    told = [str(fault) for fault in validate_bundle(folder)]
    assert any(expected in line for line in told), told


def test_whole_number_and_dictionary_labels_are_accepted(tmp_path: Path) -> None:
    folder = write_bundle(closed_economy(), tmp_path / "world")
    expected = read_bundle(folder).sha256
    frame = pd.read_parquet(folder / "trade.parquet")
    frame["sector"] = frame["sector"].astype(int)
    frame["origin"] = frame["origin"].astype("category")
    frame.to_parquet(folder / "trade.parquet")
    assert read_bundle(folder).sha256 == expected


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    folder = write_bundle(closed_economy(), tmp_path / "world")
    path = folder / "trade.parquet"
    for keep in (0, 3, 100, path.stat().st_size - 5):
        path.write_bytes(path.read_bytes()[:keep])
        assert any(fault.file == "trade.parquet" for fault in validate_bundle(folder))


@given(
    st.sampled_from(["trade.csv", "elasticity.csv", "value_added_share.csv", "meta.yaml", "policies/p.csv"]),
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))),
    st.integers(0, 400),
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_are_put_into_a_file_the_answer_is_a_list_of_faults(
    tmp_path: Path, file: str, noise: bytes, place: int
) -> None:
    folder = tmp_path / "world"
    if not folder.exists():
        csv_bundle(small_synthetic(2, 2), folder)
        (folder / "policies").mkdir()
        (folder / "policies" / "p.csv").write_text("instrument,origin,destination,sector,rate\ntariff,E1,E2,1,0.1\n")
    path = folder / file
    original = path.read_bytes()
    place = min(place, len(original))
    try:
        path.write_bytes(original[:place] + noise + original[place:])
        faults = validate_bundle(folder)
        assert all(isinstance(fault, Fault) and str(fault).isprintable() for fault in faults)
    finally:
        path.write_bytes(original)
    assert validate_bundle(folder) == []


@given(st.binary(max_size=200), st.integers(0, 3000))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_parquet_file_is_a_fault_or_still_a_table(tmp_path: Path, noise: bytes, place: int) -> None:
    folder = tmp_path / "world"
    if not folder.exists():
        write_bundle(small_synthetic(2, 2), folder)
    path = folder / "trade.parquet"
    original = path.read_bytes()
    try:
        path.write_bytes(original[:place] + noise + original[place + len(noise) :])
        assert all(isinstance(fault, Fault) for fault in validate_bundle(folder))
    finally:
        path.write_bytes(original)
