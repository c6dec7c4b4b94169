"""The wheel and the editable install are the same package, from any folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the files, so that nothing of the working folder is touched."""
    source = tmp_path_factory.mktemp("source") / "dlopt"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "outputs", "build", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, ignore=ignored)
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (built,) = target.glob("*.whl")
    return built


def test_wheel_holds_one_package_with_configs_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"dlopt"}
    for needed in (
        "conf/config.yaml",
        "conf/scenario/dual.yaml",
        "conf/hydra/launcher/slurm.yaml",
        "cli/app.py",
        "py.typed",
        "papers/published/table3_welfare_nash.csv",
        "papers/wang2024/notes.md",
        "views/explore/explore.js",
    ):
        assert f"dlopt/{needed}" in names
    assert any(name.startswith("dlopt/data/stylized2017/") for name in names)
    assert not any("icio2017" in name or name.endswith(".pyc") for name in names)
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "dlopt").rglob("*.py")}
    assert sources <= set(names), sorted(sources - set(names))


def test_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(
        subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True).strip()
    )
    zipfile.ZipFile(wheel).extractall(site)
    # The dependencies of the tests' own environment, as a plain folder: an editable dlopt there stays out.
    import torch

    environment = {"PYTHONPATH": str(Path(torch.__file__).parents[1]), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    program = "from dlopt.cli.app import main; main()"
    words = ["solve", "equilibrium", "scenario=us_china_2018", "hydra.run.dir=run"]
    done = subprocess.run(
        [python, "-c", program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "welfare.parquet").exists()
    where = subprocess.check_output(
        [python, "-c", "import dlopt.conf; print(dlopt.conf.__file__)"], cwd=tmp_path, env=environment, text=True
    )
    assert str(site) in where
