"""Read, validate and write calibration bundles."""

from __future__ import annotations

import contextlib
import difflib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dlopt.calibrations.catalog import find_calibration
from dlopt.calibrations.isic import isic_of
from dlopt.calibrations.meta import Meta, read_meta
from dlopt.calibrations.policies import policy_files, policy_frame, policy_of
from dlopt.calibrations.schema import (
    EMISSIONS_FILE,
    ISIC_FILE,
    META_FILE,
    POLICY_FOLDER,
    SCHEMA_VERSION,
    TABLE_LIKE_SUFFIXES,
    TABLE_SUFFIXES,
    TABLES,
    BundleError,
    BundleExistsError,
    BundleLabelError,
    Fault,
    Faults,
    Table,
    axis_of,
)
from dlopt.calibrations.tables import Array, RawTable, read_table
from dlopt.calibrations.world import World, assemble, check_markets
from dlopt.store.files import FileWriteError, write_table, write_text
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

if TYPE_CHECKING:
    import pandas as pd


def load_calibration(name_or_folder: str | Path) -> Calibration:
    """Load a calibration by name or from a folder.

    Raises:
        UnknownNameError: there is no such calibration or folder.
        BundleError: the folder is not a sound bundle; the message lists every fault.
    """
    return read_bundle(find_calibration(name_or_folder))


def read_bundle(folder: str | Path) -> Calibration:
    """Read and validate the bundle in `folder`.

    Raises:
        BundleError: holds every fault found.
    """
    calibration, faults = _read(Path(folder))
    if calibration is None:
        raise BundleError(folder, faults.listed())
    return calibration


def validate_bundle(folder: str | Path) -> list[Fault]:
    """Everything wrong with the bundle in `folder`; empty when it is sound."""
    return _read(Path(folder))[1].listed()


def calibration_warnings(calibration: Calibration) -> list[str]:
    """What is allowed but deserves a look: scale economies so strong that equilibria need not be unique."""
    product = calibration.theta * calibration.psi
    return [
        f"Sector {calibration.sectors[k]} ({calibration.sector_names[k]}): theta*psi = {float(product[k]):.3g}, "
        "1 or more: equilibria may be many, or in corners."
        for k in (product >= 1).nonzero().flatten().tolist()
    ]


def write_bundle(
    calibration: Calibration,
    folder: str | Path,
    policies: Mapping[str, Policy] | None = None,
    *,
    force: bool = False,
    adjustments: Sequence[str] = (),
    isic: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """Write `calibration` as a bundle of Parquet tables, complete or not at all.

    Args:
        calibration: what to write; its name is the name in meta.yaml.
        folder: the folder to create.
        policies: policies by name, written to `policies/`; rates that differ from the baseline only.
        force: replace a bundle that is already there.
        adjustments: what was done to the data, with its size, one sentence each; kept in meta.yaml.
        isic: ISIC Rev. 4 divisions by sector; kept in isic.csv.

    Returns:
        The folder.

    Raises:
        BundleError: what was to be written is not a sound calibration.
        BundleLabelError: a label holds control characters.
        BundleExistsError: the folder exists and `force` is off, or it is not a bundle.
        FileWriteError: no permission or no space.
    """
    for label in (*calibration.economies, *calibration.sectors, *calibration.sector_names, calibration.name):
        if not label.isprintable():
            raise BundleLabelError(f"The label {label!r} holds control characters: give one without.")
    folder = Path(folder)
    if folder.exists() and not (force and (folder / META_FILE).is_file()):
        raise BundleExistsError(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        new = scratch / "new"
        _write_files(calibration, new, policies or {}, adjustments)
        if isic:
            lines = [f"{sector},{d}\n" for sector, divisions in isic.items() for d in divisions]
            write_text(new / f"{ISIC_FILE}.csv", "".join(["sector,division\n", *lines]))
        faults = validate_bundle(new)
        if faults:
            raise BundleError(folder, faults)
        if force and folder.exists():
            folder.rename(scratch / "old")
        new.rename(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        if (scratch / "old").exists() and not folder.exists():
            with contextlib.suppress(OSError):
                (scratch / "old").rename(folder)
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def calibration_of(world: World, meta: Meta) -> Calibration:
    """A checked world and its description as the type that models take."""

    def tensor(array: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))

    return Calibration(
        name=meta.name,
        economies=world.economies,
        sectors=world.sectors,
        sector_names=world.names,
        tradable=torch.from_numpy(world.tradable == 1),
        trade=tensor(world.trade),
        tariff=tensor(world.tariff),
        export_tax=tensor(world.export_tax),
        subsidy=tensor(world.subsidy),
        value_added_share=tensor(world.value_added_share),
        input_share=tensor(world.input_share),
        final_share=None if world.final_share is None else tensor(world.final_share),
        theta=tensor(world.theta),
        psi=tensor(world.psi),
        year=meta.year,
        unit=meta.unit,
        source=meta.source,
    )


def _cannot_write(folder: Path, error: OSError) -> FileWriteError:
    reason = error.strerror or str(error)
    return FileWriteError(f"Cannot write {folder}: {reason}. Free some space or choose another folder.")


def _read(folder: Path) -> tuple[Calibration | None, Faults]:
    faults = Faults()
    if not folder.is_dir():
        state = "this is a file" if folder.exists() else "there is no such folder"
        faults.add(str(folder), f"a bundle is a folder, and {state}", "give the folder that holds the tables")
        return None, faults
    try:
        raw = _read_tables(folder, faults)
    except OSError as error:
        faults.add(str(folder), f"the folder cannot be read ({error.strerror})", "check its permissions")
        return None, faults
    meta = read_meta(folder, faults)
    world = assemble(raw, faults)
    if world is None or meta is None:
        return None, faults
    if meta.price_basis == "tariff_exclusive":
        world.trade = world.trade * (1 + world.tariff)
    if not faults:
        check_markets(world, faults)
    calibration = calibration_of(world, meta)
    isic_of(folder, calibration.sectors, faults)
    for path in policy_files(folder):
        policy_of(path, calibration, faults, label=f"{POLICY_FOLDER}/{path.name}")
    return (None if faults else calibration), faults


def _read_tables(folder: Path, faults: Faults) -> dict[str, RawTable | None]:
    _no_stray_files(folder, faults)
    _no_stray_policies(folder / POLICY_FOLDER, faults)
    raw: dict[str, RawTable | None] = {}
    for name, table in TABLES.items():
        paths = [path for suffix in TABLE_SUFFIXES if (path := folder / f"{name}{suffix}").exists()]
        if len(paths) > 1:
            faults.add(name, "a table is given once", f"delete {paths[0].name} or {paths[1].name}")
        elif paths:
            raw[name] = read_table(paths[0], table, faults)
        elif table.required:
            remedy = f"add {name}.csv or {name}.parquet with columns {', '.join(table.columns)}"
            faults.add(name, "this table is required", remedy)
    return raw


def _no_stray_files(folder: Path, faults: Faults) -> None:
    """A misspelt optional table must not be passed over in silence."""
    names = (*TABLES, ISIC_FILE, EMISSIONS_FILE)
    valid = [name + suffix for name in names for suffix in TABLE_SUFFIXES]
    remedy = f"tables are {', '.join(names)}, as .csv or .parquet"
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or path.name in valid or path.name == POLICY_FOLDER:
            continue
        if path.is_dir():
            rule = "a bundle has no folder of this name"
            faults.add(path.name, rule, f"remove it; policies are in {POLICY_FOLDER}/")
        elif path.suffix.lower() in TABLE_LIKE_SUFFIXES:
            close = difflib.get_close_matches(path.name.lower(), valid, n=1, cutoff=0.6)
            hint = f"did you mean {close[0]}? " if close else ""
            faults.add(path.name, "a bundle has no table of this name", hint + remedy)


def _no_stray_policies(folder: Path, faults: Faults) -> None:
    if folder.exists() and not folder.is_dir():
        faults.add(POLICY_FOLDER, "this must be a folder of policy tables", "remove the file or rename it")
        return
    names: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith("."):
            continue
        file = f"{POLICY_FOLDER}/{path.name}"
        if path.suffix in TABLE_SUFFIXES:
            if path.stem in names:
                faults.add(file, "a policy is given once", f"delete it or {names[path.stem]}")
            names[path.stem] = path.name
        elif path.suffix.lower() in TABLE_LIKE_SUFFIXES:
            faults.add(file, "a policy is a .csv or .parquet file", "save it as one of these")


def _write_files(
    calibration: Calibration, folder: Path, policies: Mapping[str, Policy], adjustments: Sequence[str]
) -> None:
    metadata = {
        "dlopt_schema_version": SCHEMA_VERSION,
        "unit": calibration.unit,
        "source": calibration.source,
        "year": calibration.year,
    }
    for name, table in TABLES.items():
        frame = _frame(calibration, table)
        if len(frame) or table.required:
            write_table(frame, folder / f"{name}.parquet", metadata)
    for name, policy in policies.items():
        text = policy_frame(policy, calibration).to_csv(index=False, lineterminator="\n")
        write_text(folder / POLICY_FOLDER / f"{name}.csv", text)
    unknown = "not stated"
    year, unit, source = (getattr(calibration, field) or unknown for field in ("year", "unit", "source"))
    meta = Meta(calibration.name, year, unit, source, adjustments=tuple(adjustments))
    write_text(folder / META_FILE, meta.to_yaml())


def _frame(calibration: Calibration, table: Table) -> pd.DataFrame:
    """The tidy table of one field, without zero cells."""
    import pandas as pd

    if table.name == "elasticity":
        return pd.DataFrame(
            {
                "sector": calibration.sectors,
                "theta": calibration.theta.numpy(),
                "psi": calibration.psi.numpy(),
                "tradable": calibration.tradable.to(torch.int8).numpy(),
                "name": calibration.sector_names,
            }
        )
    (column,) = table.numbers
    tensor: Tensor | None = getattr(calibration, table.name)
    if tensor is None:
        return pd.DataFrame({c: [] for c in table.columns})
    values = tensor.numpy()
    places = np.nonzero(values)
    axes = {"economy": np.array(calibration.economies), "sector": np.array(calibration.sectors)}
    labels = {key: axes[axis_of(key)][place] for key, place in zip(table.keys, places, strict=True)}
    return pd.DataFrame({**labels, column: values[places]})
