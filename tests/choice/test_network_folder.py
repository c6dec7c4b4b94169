"""Model folders of the network economy, and importing one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dlopt.choice.exporter.folder import ModelFolderError
from dlopt.choice.production.folder import load_network, read_network, write_network
from dlopt.choice.production.importing import ModelExistsError, import_bea37
from dlopt.choice.production.model import NetworkEconomy
from dlopt.choice.production.presets import synthetic
from dlopt.errors import UnknownNameError


@pytest.fixture
def folder(tmp_path):
    write_network(synthetic(3), tmp_path / "three")
    return tmp_path / "three"


def same(a: NetworkEconomy, b: NetworkEconomy) -> bool:
    return a.digest() == b.digest()


def test_a_written_folder_is_read_back_exactly(tmp_path):
    model = dataclasses.replace(synthetic(4), names=('a "b", c', "d", "é", "f g"))
    write_network(model, tmp_path / "m")
    assert same(read_network(tmp_path / "m"), model)


def test_long_run_productivity_is_drawn_from_its_seed(folder):
    rows = [line.rpartition(",")[0] for line in (folder / "sectors.csv").read_text().splitlines()]
    (folder / "sectors.csv").write_text("\n".join(rows))
    with pytest.raises(ModelFolderError, match="eps_bar_sd: this key is missing"):
        read_network(folder)
    process = folder / "process.yaml"
    process.write_text(process.read_text() + "eps_bar_sd: 0.1\neps_bar_seed: 7\n")
    expected = 0.1 * np.random.default_rng(7).normal(size=3)
    np.testing.assert_array_equal(read_network(folder).eps_bar, expected)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("sectors.csv", "s02,", "s01,", "each sector has one row"),
        ("sectors.csv", "sigma_1", "sigma", "column sigma_1: this column is missing"),
        ("input_shares.csv", "s01,s02,", "s01,s09,", "s09: this sector is not in sectors.csv"),
        ("input_shares.csv", "s01,s02,0.", "s01,s02,-0.", "a share is a number >= 0"),
        ("input_shares.csv", "s01,s02,0.", "s01,s02,1.", "must sum to less than 1"),
        ("input_shares.csv", "s01,s02,0.", "s01,s02,x", "this must be a finite number"),
        ("process.yaml", "gamma: 2.0", "gamma: 0", "must be positive"),
        ("process.yaml", "gamma: 2.0", "gamma: true", "this must be a finite number"),
        ("process.yaml", "lambda:", "lamda:", "lamda: this key is unknown"),
        ("process.yaml", "rho:", "eps_bar_sd: 1\nrho:", "eps_bar is in sectors.csv"),
    ],
)
def test_faults_are_named(folder, file, old, new, words):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ModelFolderError, match=words):
        read_network(folder)


def test_unknown_files_and_names_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path))
    (folder / "notes.txt").write_text("x")
    with pytest.raises(ModelFolderError, match=r"notes\.txt"):
        load_network(str(folder))
    with pytest.raises(UnknownNameError, match="data import bea37"):
        load_network("bea37")


def test_import_keeps_the_tables_under_a_name(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path / "data"))
    rows = (folder / "sectors.csv").read_text().replace("eps_bar", "tfp_ar1")
    (folder / "sectors.csv").write_text(rows)
    model, target = import_bea37(folder)
    assert same(load_network("bea37"), model)
    assert target == tmp_path / "data" / "bsde" / "bea37"
    np.testing.assert_array_equal(model.alpha, synthetic(3).alpha)
    with pytest.raises(ModelExistsError, match="--force"):
        import_bea37(folder)
    import_bea37(folder, force=True)
