"""Names and folders: where calibrations are found, in which order, and what a wrong name is answered."""

from __future__ import annotations

import importlib.resources
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from economies import small_synthetic

from dlopt.calibrations import UnknownNameError, find_calibration, import_destination, list_calibrations, write_bundle
from dlopt.calibrations.catalog import CalibrationNameError


@pytest.fixture
def elsewhere(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no $DLOPT_DATA, and a package as installed: with the embedded economy only."""
    packaged = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(__file__).parents[2] / "data" / "stylized2017", packaged / "stylized2017")
    monkeypatch.setattr("dlopt.calibrations.catalog._packaged", lambda: packaged)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLOPT_DATA", raising=False)
    return tmp_path


def test_the_embedded_economy_is_always_there(elsewhere: Path) -> None:
    assert [(e.name, e.place) for e in list_calibrations()] == [("stylized2017", "package")]
    assert find_calibration("stylized2017").name == "stylized2017"


def test_own_folder_comes_before_working_folder_before_package(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_synthetic()
    write_bundle(world, elsewhere / "data" / "stylized2017")
    assert find_calibration("stylized2017") == Path("data/stylized2017")
    monkeypatch.setenv("DLOPT_DATA", str(elsewhere / "own"))
    assert find_calibration("stylized2017") == Path("data/stylized2017")
    write_bundle(world, elsewhere / "own" / "stylized2017")
    assert find_calibration("stylized2017") == elsewhere / "own" / "stylized2017"
    assert [(e.name, e.place) for e in list_calibrations()] == [("stylized2017", "$DLOPT_DATA")]


def test_only_folders_with_meta_yaml_are_calibrations(elsewhere: Path) -> None:
    (elsewhere / "data" / "notes").mkdir(parents=True)
    (elsewhere / "data" / ".hidden").mkdir()
    (elsewhere / "data" / ".hidden" / "meta.yaml").write_text("")
    assert [e.name for e in list_calibrations()] == ["stylized2017"]


def test_an_existing_folder_is_a_path(elsewhere: Path) -> None:
    (elsewhere / "mine").mkdir()
    assert find_calibration("mine") == Path("mine")
    assert find_calibration("./mine") == Path("mine")
    assert find_calibration(Path("mine")) == Path("mine")


@pytest.mark.parametrize("name", ["stylised2017", "./nowhere", "", "..x/..", "nul\0"])
def test_an_unknown_name_is_answered_with_the_valid_ones(elsewhere: Path, name: str) -> None:
    with pytest.raises(UnknownNameError, match="stylized2017"):
        find_calibration(name)


def test_a_name_cannot_climb_out_of_the_data_folders(elsewhere: Path) -> None:
    (elsewhere / "meta.yaml").write_text("")
    (elsewhere / "data").mkdir()
    assert find_calibration("..") == Path("..")  # the path, not data/..


def test_data_that_are_not_shipped_say_how_to_import_them(elsewhere: Path) -> None:
    with pytest.raises(UnknownNameError, match="dlopt data import econ7115 DIR --name icio2017"):
        find_calibration("icio2017")


def test_imports_go_to_the_own_folder_else_to_the_working_folder(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert import_destination("x") == Path("data/x")
    monkeypatch.setenv("DLOPT_DATA", str(elsewhere / "own"))
    assert import_destination("x") == elsewhere / "own" / "x"


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a b", "x" * 101, "-x"])
def test_names_that_are_no_folder_names_are_refused(name: str) -> None:
    with pytest.raises(CalibrationNameError):
        import_destination(name)


def test_the_package_holds_the_embedded_economy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLOPT_DATA", raising=False)
    assert find_calibration("stylized2017").parent == Path(str(importlib.resources.files("dlopt.data")))


def test_listing_needs_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, dlopt.calibrations as c, dlopt.cli.data; c.list_calibrations();"
        "print([m for m in ('torch', 'pandas', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
