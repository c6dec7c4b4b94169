"""Model folders: read back as written, and refused with every fault named."""

from __future__ import annotations

import numpy as np
import pytest

from dlopt.choice import PRESETS, Exporter, ModelError, ModelFolderError, load_model, preset, read_folder, write_folder
from dlopt.errors import UnknownNameError


@pytest.fixture
def folder(tmp_path):
    write_folder(preset("gravity", 8), tmp_path / "mine")
    return tmp_path / "mine"


def test_round_trip_is_exact(folder):
    model, back = preset("gravity", 8), read_folder(folder)
    assert back.digest() == model.digest()
    assert back.name == "mine"


def test_presets_are_seeded():
    for name in PRESETS:
        assert preset(name, 20).digest() == preset(name, 20).digest()
    assert preset("gravity", 20).digest() != preset("gravity", 20, seed=1).digest()
    assert preset("gravity").c.sum() / 100 == pytest.approx(0.25)
    assert preset("gravity_strong").c == pytest.approx(3 * preset("gravity").c)


def test_every_fault_is_reported_at_once(folder):
    table = (folder / "destinations.csv").read_text().splitlines()
    table[1] = "d001,nan,1,-1,0,0"
    table[3] = table[2]
    table[4] = "d004,abc,1,1,0.1,0.1"
    table[5] = "d005,1,1"
    (folder / "destinations.csv").write_text("\n".join(table) + "\n")
    (folder / "complementarity.csv").write_text(
        "destination,other,c\nd001,d001,1\nd001,d002,1\nd001,d002,2\nd001,mars,1\nd002,d001,inf\n"
    )
    (folder / "process.yaml").write_text("theta: 0\nlambda0: fast\nlambda1: 0.2\nseek: true\n")
    (folder / "notes.txt").write_text("x")
    with pytest.raises(ModelFolderError) as caught:
        read_folder(folder)
    text = str(caught.value)
    for part in (
        "destinations.csv line 2, column zeta: nan: this must be a finite number",
        "line 2, column s: -1: s, the cost of opening, is a number >= 0",
        "line 2, column sigma_0: 0: sigma_0 and sigma_1 are not both 0",
        "line 4, column destination: d002: each destination has one row",
        "line 5, column zeta: abc: this must be a finite number", "line 6: a row has 6 fields, this one has 3",
        "complementarity.csv line 2, column other: d001: a destination is no complement of itself",
        "line 4: d001, d002: each cell appears once; delete one; the other is on line 3",
        "line 5, column other: mars: this destination is not in destinations.csv",
        "line 6, column c: inf: this must be a finite number", "process.yaml, column theta: 0: this must be positive",
        "column lambda0: fast: this must be a finite number", "seek: this key is unknown",
        "column rho: this key is missing", "notes.txt: the files of a model are",
    ):  # fmt: skip
        assert part in text, part


def test_columns_must_be_the_documented_ones(folder):
    text = (folder / "destinations.csv").read_text().replace("zeta", "zita", 1)
    (folder / "destinations.csv").write_text(text)
    with pytest.raises(ModelFolderError, match=r"(?s)zeta: this column is missing.*zita: this column is unknown"):
        read_folder(folder)


def test_missing_files_and_unknown_names(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFolderError, match="3 faults"):
        load_model(str(tmp_path / "empty"))
    with pytest.raises(UnknownNameError, match="gravity"):
        load_model("gravty")


def test_impossible_parameters_are_refused():
    one = np.ones(2)
    with pytest.raises(ModelError, match="theta is -1"):
        Exporter(one, one, one, np.ones((2, 2)), np.eye(2), theta=-1.0, lambda0=0.3, lambda1=0.2, rho=0.05)
    with pytest.raises(ModelError, match="diagonal of c must be 0"):
        Exporter(one, one, one, np.ones((2, 2)), np.eye(2), theta=1.0, lambda0=0.3, lambda1=0.2, rho=0.05)
