"""`dlopt data` from the shell's side: what is printed, where files land, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import csv_bundle, put
from dlopt.cli.data import app
from economies import one_sector_two_countries, small_synthetic
from typer.testing import CliRunner

from dlopt.calibrations import BundleError, BundleExistsError, read_bundle, write_bundle
from dlopt.trade.policy import Policy


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """$DLOPT_DATA."""
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own"


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_list_names_the_default(own: Path) -> None:
    lines = run("list").splitlines()
    assert lines[0].split() == ["name", "year", "unit", "found", "in", "folder"]
    assert any(line.startswith("stylized2017 (default)  2017  million USD") for line in lines)


def test_list_survives_a_damaged_calibration(own: Path) -> None:
    (own / "broken").mkdir(parents=True)
    (own / "broken" / "meta.yaml").write_text("[")
    assert "damaged" in run("list")


def test_show_in_a_pipe_is_plain_and_unbroken(own: Path) -> None:
    text = run("show", "stylized2017")
    assert "\x1b" not in text
    assert "stylized2017, 2017: 7 economies, 44 sectors" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["USA", "19,500,000", "0.00", "91.65", "2.00"] in rows
    assert ["19", "Machinery", "7.750", "0.120", "0.930", "2.3", "22.1", "yes"] in rows
    assert "theta*psi is at most 0.930 (sector 19, Machinery)" in text
    assert "us_china_2018, us_tariffs_2018" in text
    digest, *following = text.split("sha256")[1].split()
    assert len(digest) == 64
    assert " ".join(following) == "Next: dlopt solve nash scenario=trade_war calibration=stylized2017"


def test_labels_are_not_taken_for_markup(own: Path, tmp_path: Path) -> None:
    folder = csv_bundle(small_synthetic(), tmp_path / "csv")
    put(folder, "elasticity", 2, "name", "[red]Steel[/red]")
    assert "[red]Steel[/red]" in run("show", folder)


def test_validate_lists_every_fault_and_exits_with_1(tmp_path: Path) -> None:
    folder = csv_bundle(small_synthetic(), tmp_path / "csv")
    assert "is sound: 3 economies, 4 sectors" in run("validate", folder)
    put(folder, "trade", 2, "value", "-1")
    put(folder, "tariff", 3, "rate", "x")
    text = run("validate", folder, code=1)
    assert "trade.csv line 2, column value: -1" in text
    assert "tariff.csv line 3, column rate: x" in text
    assert "2 faults" in text


def test_validate_takes_a_name(own: Path) -> None:
    assert "4 economies, 3 sectors" in run("generate", "--name", "mine", "--economies", "4", "--sectors", "3")
    assert "is sound: 4 economies, 3 sectors" in run("validate", "mine")
    assert "there is no such folder" in run("validate", "yours", code=1)


def test_validate_shows_warnings_and_exits_with_0(tmp_path: Path) -> None:
    folder = csv_bundle(one_sector_two_countries(theta=5.0, psi=0.3), tmp_path / "csv")
    text = run("validate", folder)
    assert "Warning: Sector 1 (Sector 1): theta*psi = 1.5" in text


def test_import_bundle_takes_its_policies_along(own: Path, tmp_path: Path) -> None:
    world = small_synthetic()
    policy = Policy(world.tariff * 2, world.export_tax, world.subsidy)
    write_bundle(world, tmp_path / "source", {"double": policy})
    assert "With the policies double." in run("import", "bundle", tmp_path / "source", "--name", "mine")
    assert read_bundle(own / "mine").sha256 == world.sha256
    assert read_bundle(own / "mine").name == "mine"
    assert "mine" in run("list")
    with pytest.raises(BundleExistsError):
        run("import", "bundle", tmp_path / "source", "--name", "mine")
    run("import", "bundle", own / "mine", "--name", "mine", "--force")
    assert read_bundle(own / "mine").sha256 == world.sha256


def test_a_faulty_bundle_is_not_imported(own: Path, tmp_path: Path) -> None:
    folder = csv_bundle(small_synthetic(), tmp_path / "csv")
    put(folder, "trade", 2, "value", "-1")
    with pytest.raises(BundleError):
        run("import", "bundle", folder, "--name", "mine")
    assert not own.exists()


@pytest.mark.parametrize(
    ("layout", "data", "name", "policies"),
    [
        ("econ7115", "icio2017_7x44", "icio2017", "us_tariffs_2018, us_china_2018"),
        ("caliendo-parro", "cp2015", "cp2015", "nafta2005, world2005"),
    ],
)
def test_import_of_real_data(
    own: Path, real_data: Callable[[str], Path], layout: str, data: str, name: str, policies: str
) -> None:
    text = run("import", layout, real_data(data), "--name", name)
    assert policies in text
    assert name in run("list")
    assert f"sha256    {read_bundle(own / name).sha256}" in run("show", name)


def test_generate_makes_the_same_sound_world_again(own: Path) -> None:
    words = ("generate", "--name", "made_up", "--economies", "4", "--sectors", "3", "--seed", "5")
    assert "made_up: 4 economies, 3 sectors" in run(*words)
    first = read_bundle(own / "made_up")
    with pytest.raises(BundleExistsError):
        run(*words)
    run(*words, "--force")
    assert read_bundle(own / "made_up").sha256 == first.sha256
    assert "4 economies, 3 sectors" in run("validate", own / "made_up")
    run("generate", "--name", "alone", "--economies", "1", code=2)
