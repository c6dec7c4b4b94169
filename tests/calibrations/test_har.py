"""HAR files, written here record by record, and a small GTAP data base made of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlopt.calibrations.har_file import HarError, read_har
from dlopt.calibrations.importers.har import read
from dlopt.errors import DloptError

GOODS, REGIONS = ["food", "cars", "services"], ["usa", "chn"]


def record(content: bytes) -> bytes:
    size = struct.pack("<i", len(content))
    return size + content + size


def start(name: str, kind: str, storage: str, dims: list[int]) -> bytes:
    second = b"    " + kind.encode() + storage.encode() + b"a description".ljust(70)
    return record(name.ljust(4).encode()) + record(second + struct.pack(f"<i{len(dims)}i", len(dims), *dims))


def texts(words: list[str]) -> bytes:
    return record(
        b"    " + struct.pack("<iii", 1, len(words), len(words)) + b"".join(w.ljust(12).encode() for w in words)
    )


def real(name: str, values: Any, sets: dict[str, list[str]], axes: list[str], sparse: bool = False) -> bytes:
    values = np.asarray(values, dtype="<f4")
    dims = [*values.shape, *[1] * (7 - values.ndim)]
    out = start(name, "RE", "SPSE" if sparse else "FULL", dims)
    names = b"".join(axis.ljust(12).encode() for axis in axes)
    info = b"    " + struct.pack("<iii", 1, -1, len(axes)) + name.ljust(12).encode() + struct.pack("<i", -1)
    out += record(info + names + b"k" * len(axes) + struct.pack(f"<{len(axes) + 1}i", *[-1] * len(axes), 0))
    for axis in dict.fromkeys(axes):
        out += texts(sets[axis])
    flat = values.flatten(order="F")
    if sparse:
        places = np.flatnonzero(flat)
        out += record(b"    " + struct.pack("<iii", len(places), 4, 4) + b" " * 80)
        body = struct.pack("<iii", 1, len(places), len(places)) + (places + 1).astype("<i4").tobytes()
        return out + record(b"    " + body + flat[places].tobytes())
    out += record(b"    " + struct.pack("<ii7i", 3, 7, *dims))
    out += record(b"    " + struct.pack("<i14i", 2, *[k for d in dims for k in (1, d)]))
    return out + record(b"    " + struct.pack("<i", 1) + flat.tobytes())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    sets = {"COMM": GOODS, "ACTS": GOODS, "REG": REGIONS}
    trade = random.uniform(5, 10, (3, 2, 2)) * (1 - np.eye(2))
    firms = random.uniform(1, 3, (2, 3, 3, 2))
    content = start("SETS", "1C", "FULL", [3, 12]) + texts(GOODS)
    content += real("VCIF", trade, sets, ["COMM", "REG", "REG"], sparse=True)
    content += real("VMSB", trade * 1.1, sets, ["COMM", "REG", "REG"])
    content += real("VDFB", 3 * firms[0], sets, ["COMM", "ACTS", "REG"])
    content += real("VMFB", firms[1] / 4, sets, ["COMM", "ACTS", "REG"])
    for name in ("VDPB", "VDGB", "VDIB"):
        content += real(name, random.uniform(20, 30, (3, 2)), sets, ["COMM", "REG"])
    (tmp_path / "basedata.har").write_bytes(content)
    prm = real("ESBM", [4.0, 5.6, 3.8], sets, ["COMM"])
    (tmp_path / "default.prm").write_bytes(prm)
    return tmp_path


def test_headers_are_read(base: Path) -> None:
    found = read_har(base / "basedata.har")
    assert found["SETS"].values == GOODS
    assert found["VCIF"].sets == ("COMM", "REG", "REG")
    assert found["VCIF"].elements["REG"] == tuple(REGIONS)
    np.testing.assert_allclose(found["VMSB"].values, 1.1 * found["VCIF"].values, rtol=1e-6)
    assert float(found["VCIF"].values[:, 0, 0].sum()) == 0


def test_a_table(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    piece = struct.pack("<7i", 1, 2, 3, 1, 2, 1, 3) + values.flatten(order="F").tobytes()
    (tmp_path / "t.har").write_bytes(start("TABL", "2R", "FULL", [2, 3]) + record(b"    " + piece))
    assert np.array_equal(read_har(tmp_path / "t.har")["TABL"].values, values)


def test_a_data_base_becomes_a_world(base: Path) -> None:
    data = {name: np.asarray(header.values, float) for name, header in read_har(base / "basedata.har").items()
            if name != "SETS"}  # fmt: skip
    world = read(base).calibration
    assert world.economies == tuple(REGIONS)
    np.testing.assert_allclose(world.theta.numpy(), [3.0, 4.6, 2.8], rtol=1e-6)
    np.testing.assert_allclose(world.tariff[0, 1].numpy(), 0.1, rtol=1e-5)
    np.testing.assert_allclose(world.trade[0, 1].numpy(), data["VMSB"][:, 0, 1], rtol=1e-6)
    home = data["VDFB"].sum(1) + data["VDPB"] + data["VDGB"] + data["VDIB"]
    np.testing.assert_allclose(world.trade[1, 1].numpy(), home[:, 1], rtol=1e-6)
    revenue = (world.trade / (1 + world.tariff)).sum(1)
    bought = (data["VDFB"] + data["VMFB"]).sum(0).T
    np.testing.assert_allclose(((1 - world.value_added_share) * revenue).numpy(), bought, rtol=1e-5)


@pytest.mark.parametrize("cut", [3, 10, 60, 200, 400, 700])
def test_a_file_that_is_cut_off(base: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.har"
    path.write_bytes((base / "basedata.har").read_bytes()[:cut])
    with pytest.raises(HarError, match=r"cut.har, .*byte \d+"):
        read_har(path)


def test_a_broken_record_is_named(base: Path, tmp_path: Path) -> None:
    """Lengths that disagree, a header that is there twice, and numbers that are fewer than announced."""
    whole = (base / "basedata.har").read_bytes()
    inside = whole.index(b"VMSB") + 8  # the first byte of the second record of this header
    path = tmp_path / "d.har"
    path.write_bytes(whole[:inside] + struct.pack("<i", 7) + whole[inside + 4 :])
    with pytest.raises(
        HarError, match=rf"d\.har, header VMSB, byte {inside}: a record begins with length 7 and ends with"
    ):
        read_har(path)
    path.write_bytes(whole + start("SETS", "1C", "FULL", [3, 12]) + texts(GOODS))
    with pytest.raises(HarError, match=r"header SETS, byte \d+: the header is there twice"):
        read_har(path)
    path.write_bytes(start("SETS", "1C", "FULL", [4, 12]) + texts(GOODS))
    with pytest.raises(HarError, match=r"header SETS, byte \d+: texts are missing or too many"):
        read_har(path)
    path.write_bytes(start("VDFB", "XX", "FULL", [4, 12]) + texts(GOODS))
    with pytest.raises(HarError, match=r"header VDFB, byte \d+: type 'XX' with 2 dimensions is not read"):
        read_har(path)


def test_random_damage_is_named_or_harmless(base: Path, tmp_path: Path) -> None:
    """No other exception, whichever byte is changed."""
    whole = (base / "basedata.har").read_bytes()
    random = np.random.default_rng(0)
    named = 0
    for place in random.integers(0, len(whole), 150).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "d.har").write_bytes(bytes(damaged))
        try:
            read(tmp_path / "d.har")
        except DloptError as error:
            named += isinstance(error, HarError)
    assert named > 10


def test_missing_headers(base: Path) -> None:
    (base / "x.har").write_bytes(start("SETS", "1C", "FULL", [3, 12]) + texts(GOODS))
    with pytest.raises(HarError, match=r"VDFB, VMFB, VDPB, VDGB, VDIB, VMSB, VCIF are missing"):
        read(base / "x.har")
