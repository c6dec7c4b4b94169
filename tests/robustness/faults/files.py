"""Files of a run or a calibration, damaged at random: refused in words, or read as what they were."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from dlopt.cli.solve.check import check

from dlopt.calibrations import load_calibration
from dlopt.choice import preset, read_folder, write_folder
from dlopt.errors import DloptError
from dlopt.runs import RunReadError, find_runs, read_run
from dlopt.runs.checkpoint import read_checkpoint
from dlopt.runs.sweep import collect, jobs_of_sweep, read_sweep
from dlopt.runs.tables import config_of, read_table

from .command import Tally
from .guard import answer

ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
)
"""YAML that would be 10^9 words."""


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Cut, flip, insert, repeat or blank bytes somewhere."""
    if not content:
        return b"\0"
    start = generator.randrange(len(content))
    length = min(len(content) - start, 1 + int(generator.expovariate(1 / 20)))
    kind = generator.randrange(6)
    if kind == 0:
        return content[:start]
    if kind == 1:
        flipped = bytes([content[start] ^ (1 << generator.randrange(8))])
        return content[:start] + flipped + content[start + 1 :]
    if kind == 2:
        return content[:start] + generator.randbytes(length) + content[start:]
    if kind == 3:
        return content[: start + length] + content[start:]
    if kind == 4:
        return content[:start] + bytes(length) + content[start + length :]
    return content[:start] + content[start + length :]


def readers(folder: Path) -> dict[str, Callable[[], Any]]:
    """What reads each file of a run."""
    return {
        "run.json": lambda: (read_run(folder), find_runs(folder.parent)),
        "welfare.parquet": lambda: read_table(folder, "welfare"),
        "policies.parquet": lambda: _policies(folder),
        "checkpoint.pt": lambda: read_checkpoint(folder / "checkpoint.pt"),
        "model.pt": lambda: _trained(folder / "model.pt"),
        "sweep.json": lambda: (read_sweep(folder), jobs_of_sweep(folder)),
        ".hydra/config.yaml": lambda: config_of(folder),
    }


def of_run(folder: Path, name: str, count: int, seed: int) -> Tally:
    """Damage one file of a run `count` times, and read it as the commands do.

    A checkpoint must be refused, or be read as what was written: going on from anything else would be a wrong result.
    """
    tally, path = Tally(f"`{name}` damaged"), folder / name
    good, generator, read = path.read_bytes(), random.Random(seed), readers(folder)[name]
    torch.set_printoptions(profile="full", precision=17)  # every digit of what is compared below
    before = answer(read)
    for _ in range(count):
        path.write_bytes(damaged(good, generator))
        how, said = answer(read)
        if how == "accepted" and name.endswith(".pt") and repr(said) != repr(before[1]):
            how, said = "wrong", "read as something else than what was written"
        tally.add(how, said if how == "wrong" else "")
    path.write_bytes(good)
    torch.set_printoptions(profile="default")
    return tally


def of_calibration(source: Path, count: int, seed: int) -> Tally:
    """Damage files of a bundle: every fault in words, or still a calibration."""
    tally, generator = Tally("files of a calibration damaged"), random.Random(seed)
    folder = source.with_name("damaged")
    files = sorted(path.name for path in source.iterdir())
    for _ in range(count):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        path = folder / generator.choice(files)
        path.write_bytes(damaged(path.read_bytes(), generator))
        how, said = answer(lambda: load_calibration(str(folder)))
        tally.add(how, f"{path.name}: {said}" if how == "wrong" else "")
    shutil.rmtree(folder, ignore_errors=True)
    return tally


def of_hostile_input(source: Path) -> Tally:
    """YAML that would run code or explode, tables of absurd size: refused without being read."""
    tally, folder = Tally("hostile YAML, bombs in CSV and Parquet"), source.with_name("hostile")
    bombs: dict[str, tuple[str, bytes]] = {
        "an alias bomb": ("meta.yaml", ALIASES.encode()),
        "a Python object": ("meta.yaml", b"name: !!python/object/apply:os.system ['touch /tmp/owned']\n"),
        "deep nesting": ("meta.yaml", b"name: " + b"[" * 100_000),
        "an endless key": ("meta.yaml", b"name: " + b"x" * 10_000_000),
        "a number of 10,000 digits": ("meta.yaml", b"year: " + b"9" * 10_000),
        "an endless line": ("elasticity.csv", b"sector,theta,psi,tradable,name\n1," + b"9" * 5_000_000),
        "an endless quoted cell": ("elasticity.csv", b'sector,theta,psi,tradable,name\n"' + b"x\n" * 3_000_000),
        "five million rows": ("elasticity.csv", b"sector,theta,psi,tradable,name\n" + b"1,4,0,1,a\n" * 5_000_000),
        "NUL bytes": ("elasticity.csv", b"sector,theta,psi,tradable,name\n" + bytes(1_000_000)),
    }
    for what, (name, content) in bombs.items():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        (folder / Path(name).with_suffix(".parquet").name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
        how, said = answer(lambda: load_calibration(str(folder)))
        tally.add(how, "" if how == "refused" else f"{what}: {how} {str(said)[:200]}")
    shutil.rmtree(folder)
    shutil.copytree(source, folder)
    rows = 100_000_000
    bomb = pd.DataFrame({"sector": pd.Categorical.from_codes([0] * (rows // 20), ["1"])})
    (folder / "elasticity.csv").unlink(missing_ok=True)
    bomb.to_parquet(folder / "elasticity.parquet", row_group_size=rows)
    how, said = answer(lambda: load_calibration(str(folder)))
    tally.add(how, "" if how == "refused" else f"a Parquet bomb: {how} {str(said)[:200]}")
    shutil.rmtree(folder)
    return tally


def of_hostile_yaml(folder: Path) -> Tally:
    """The same YAML in a model folder, in `--config-dir`, and in the config of a run."""
    tally = Tally("hostile YAML in a model folder, --config-dir, the config of a run")
    hostile = {
        "an alias bomb": ALIASES.encode(),
        "a Python object": b"rho: !!python/object/apply:os.system ['touch /tmp/owned']\n",
        "deep nesting": b"rho: " + b"[" * 100_000,
        "nesting": b"rho: " + b"[" * 900,
        "an endless key": b"rho: " + b"x" * 10_000_000,
        "a number of 10,000 digits": b"rho: " + b"9" * 10_000,
        "no date": b"rho: 2001-99-99\n",
        "no UTF-8": b"rho: \xff\xfe\n",
    }
    model, config, run = folder / "model", folder / "config", folder / "run"
    write_folder(preset("blocks"), model)
    (config / "scenario").mkdir(parents=True)
    (run / ".hydra").mkdir(parents=True)
    calls: dict[Path, Callable[[], Any]] = {
        model / "process.yaml": lambda: read_folder(model),
        config / "scenario" / "mine.yaml": lambda: check("nash", ["scenario=mine", "--config-dir", str(config)]),
        run / ".hydra" / "config.yaml": lambda: config_of(run),
    }
    for path, call in calls.items():
        for what, content in hostile.items():
            path.write_bytes(content)
            how, said = answer(call)
            # A run's config is only shown: a word of 10,000 digits there is a value like any other.
            fine = how == "refused" or (how == "accepted" and path.name == "config.yaml" and "digits" in what)
            tally.add(how, "" if fine else f"{what} in {path.name}: {how} {str(said)[:200]}")
    return tally


def of_numbers(source: Path) -> Tally:
    """NaN and infinities in every numeric column of every table of a bundle."""
    tally, folder = Tally("NaN, Inf in every numeric column of a calibration"), source.with_name("numbers")
    for path in sorted(source.glob("*.parquet")):
        for column in pd.read_parquet(path).select_dtypes("number").columns:
            for value in (float("nan"), float("inf"), float("-inf")):
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(source, folder)
                frame = pd.read_parquet(path).astype({column: "float64"})
                frame.loc[len(frame) // 2, column] = value
                frame.to_parquet(folder / path.name, index=False)
                how, said = answer(lambda: load_calibration(str(folder)))
                tally.add(how, "" if how == "refused" else f"{path.name} {column}={value}: {how} {str(said)[:200]}")
    shutil.rmtree(folder, ignore_errors=True)
    return tally


def of_sweep(folder: Path, count: int, seed: int) -> Tally:
    """Damage files anywhere in a sweep: the jobs are still listed, and what is whole is collected."""
    tally, generator = Tally("any file of a sweep damaged, then collected"), random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    for _ in range(count):
        path = generator.choice(files)
        good = path.read_bytes()
        path.write_bytes(damaged(good, generator))
        how, said = answer(lambda: collect(jobs_of_sweep(folder), "welfare"))
        path.write_bytes(good)
        tally.add(how, f"{path.name}: {said}" if how == "wrong" else "")
    return tally


def _policies(folder: Path) -> Any:
    from dlopt.runs.tables import average_policies

    try:
        return average_policies(read_table(folder, "policies"))
    except KeyError as error:
        raise DloptError(f"column {error}") from error


def _trained(path: Path) -> Any:
    from dlopt.choice import load_checkpoint

    content = load_checkpoint(path)
    if content is None:
        raise RunReadError("none")
    return content
