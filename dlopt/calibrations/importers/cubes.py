"""Import cubes: arrays of trade and tariffs, `[origin, destination, sector]`, with names, from NumPy or MATLAB.

A .npz file, or a .mat file (version 7.3, which is HDF5, through h5py; older ones through scipy). Arrays are found by
name, at the top or inside one structure:

    trade      trade, X, Xjik_3D, flows         spending by default, tariffs included
    tariff     tariff, tariffs, t, tjik_3D      fractions; absent: none
    economies  economies, countries, iso
    sectors    sectors, industries
    theta      theta, epsilon, epsilon_S; or sigma, sigma_S, sigma_k3D: then theta is sigma - 1
    psi        psi, mu

Several sets of elasticities may be kept under `sigma`: one structure or group for each, holding `sigma_S`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.calibrations.importers.trade_only import trade_world
from dlopt.calibrations.importing import Imported
from dlopt.errors import DloptError

NAMES: dict[str, tuple[str, ...]] = {
    "trade": ("trade", "Xjik_3D", "X", "flows", "Xjik"),
    "tariff": ("tariff", "tariffs", "tjik_3D", "t", "tjik"),
    "economies": ("economies", "countries", "country", "iso", "iso3"),
    "sectors": ("sectors", "industries", "sector_names", "industry"),
    "theta": ("theta", "epsilon_S", "epsilon"),
    "sigma": ("sigma_S", "sigma_k3D", "sigma"),
    "psi": ("psi", "mu", "mu_k3D"),
}
MAX_BYTES = 2**30


class CubesError(DloptError):
    """A file without cubes, or with cubes that do not fit together."""

    def __init__(self, file: str, rule: str, remedy: str) -> None:
        super().__init__(f"{file}: {rule}; {remedy}.")


def read(
    source: Path,
    axes: str = "ods",
    basis: str = "tariff_inclusive",
    set: str | None = None,
    isic: str | None = None,
    inputs: str | None = None,
    year: str | None = None,
    unit: str = "not stated",
    economies: str | None = None,
    own_trade: str = "keep",
    default_theta: float = 5.0,
) -> Imported:
    """Read one file of cubes.

    Args:
        source: a .npz or .mat file.
        axes: order of the axes of the cubes: o, d, s for origin, destination, sector.
        basis: `tariff_inclusive`, or `tariff_exclusive` for flows before tariffs.
        set: which of several sets of elasticities in the file.
        isic: a CSV file (sector,division) with the ISIC Rev. 4 divisions of the sectors.
        inputs: name of a calibration whose input shares are taken, matched by ISIC divisions; none by default.
        year, unit: provenance.
        economies: codes, groups and files of groups; the rest becomes ROW.
        own_trade: `keep`, or `floor`.
        default_theta: where the file has no elasticities.

    Raises:
        CubesError: no cubes, or cubes that do not fit together.
    """
    if sorted(axes) != ["d", "o", "s"]:
        raise CubesError(source.name, f"axes {axes!r} are not an order of o, d and s", "give ods, dos or sod, say")
    content = _content(source)
    order = [axes.index(letter) for letter in "ods"]
    trade = _cube(content, "trade", source.name, order)
    if trade is None:
        have = ", ".join(list(content)[:12]) or "nothing"
        raise CubesError(source.name, f"no cube of trade among {have}", f"call it {' or '.join(NAMES['trade'][:3])}")
    tariff = _cube(content, "tariff", source.name, order)
    n, j = trade.shape[0], trade.shape[2]
    if trade.shape != (n, n, j):
        raise CubesError(source.name, f"the cube of trade has shape {trade.shape}", "say the order of axes with --axes")
    if tariff is not None and tariff.shape != trade.shape:
        raise CubesError(
            source.name, f"tariffs have shape {tariff.shape}, trade {trade.shape}", "give one for each flow"
        )
    labels = _labels(content, "economies", n, source.name) or [f"C{k + 1}" for k in range(n)]
    sectors = _labels(content, "sectors", j, source.name) or [str(k + 1) for k in range(j)]
    theta, said = _theta(content, j, set, source.name)
    psi = _vector(_first(content, "psi"), j)
    return trade_world(
        source, trade, tariff, labels, sectors, theta, psi, basis=basis, isic=isic, inputs=inputs,
        year=year or _year(source), unit=unit, economies=economies, own_trade=own_trade, default_theta=default_theta,
        notes=said,
    )  # fmt: skip


def _year(source: Path) -> str:
    import re

    found = re.findall(r"(?:19|20)\d\d", source.name)
    return found[-1] if found else "not stated"


def _content(source: Path) -> dict[str, Any]:
    """Names and arrays; structures are mappings."""
    if not source.is_file():
        raise CubesError(str(source), "there is no such file", "give a .npz or .mat file")
    if source.stat().st_size > MAX_BYTES:
        raise CubesError(source.name, "the file is larger than 1 GiB", "keep fewer arrays in it")
    try:
        if source.suffix == ".npz":
            with zipfile.ZipFile(source) as archive:
                if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
                    raise CubesError(source.name, "the arrays take more than 1 GiB", "keep fewer of them")
            with np.load(source, allow_pickle=False) as file:
                return _flat({name: file[name] for name in file.files})
        if source.suffix == ".mat":
            if source.read_bytes()[:128].find(b"MATLAB 7.3") >= 0 or source.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n":
                return _flat(_hdf5(source))
            import scipy.io

            return _flat(scipy.io.loadmat(source, simplify_cells=True))
    except (OSError, ValueError, zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise CubesError(source.name, f"the file cannot be read ({error})", "save it again") from error
    raise CubesError(source.name, "this is neither .npz nor .mat", "save the arrays as one of these")


def _hdf5(source: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        rule = "MATLAB files of version 7.3 need h5py"
        raise CubesError(source.name, rule, "install it: pip install 'dlopt[data]'") from error

    def value(node: Any, file: Any, depth: int = 0) -> Any:
        if isinstance(node, h5py.Group):
            return {k: value(v, file, depth + 1) for k, v in node.items() if not k.startswith("#")} if depth < 5 else {}
        array = node[()]
        if not isinstance(array, np.ndarray):
            return array
        if array.dtype == h5py.ref_dtype:  # a cell array: of texts, most likely
            return [value(file[reference], file, depth + 1) for reference in array.T.reshape(-1)]
        if node.attrs.get("MATLAB_class") == b"char" or array.dtype == np.uint16:
            return "".join(chr(int(c)) for c in array.T.reshape(-1))
        return array.T  # MATLAB stores the first axis fastest

    with h5py.File(source, "r") as file:
        return {name: value(node, file) for name, node in file.items() if not name.startswith("#")}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """A single structure, such as `data`, opened."""
    own = {name: value for name, value in content.items() if not name.startswith("__")}
    known = {name for names in NAMES.values() for name in names}
    for value in list(own.values()):
        if isinstance(value, Mapping) and not known & own.keys():
            return dict(value)
    return own


def _first(content: Mapping[str, Any], what: str) -> Any:
    return next((content[name] for name in NAMES[what] if name in content), None)


def _cube(content: Mapping[str, Any], what: str, file: str, order: list[int]) -> Any:
    value = _first(content, what)
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise CubesError(file, f"the cube of {what} does not hold numbers", "store it as float64") from error
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise CubesError(file, f"the cube of {what} has {array.ndim} axes", "give origin, destination and sector")
    wrong = ~np.isfinite(array)
    if wrong.any():
        place = tuple(int(k) + 1 for k in np.argwhere(wrong)[0])
        raise CubesError(file, f"{what} has {int(wrong.sum())} cells that are not finite, the first at {place}",
                         "correct them")  # fmt: skip
    return array.transpose(order)


def _labels(content: Mapping[str, Any], what: str, count: int, file: str) -> list[str] | None:
    value = _first(content, what)
    if value is None:
        return None
    texts = [str(v).strip() for v in np.asarray(value, dtype=object).reshape(-1)]
    if len(texts) != count:
        raise CubesError(file, f"{what} has {len(texts)} labels, the cube {count}", "give one for each")
    if len(dict.fromkeys(texts)) < count or not all(texts):
        twice = next((text for text in texts if texts.count(text) > 1), "")
        raise CubesError(file, f"{what}: {twice!r} is there twice or empty", "labels are distinct")
    return texts


def _theta(content: Mapping[str, Any], j: int, chosen: str | None, file: str) -> tuple[Any, list[str]]:
    sets = {
        name: value
        for name, value in (_first(content, "sigma") or {}).items()
    } if isinstance(_first(content, "sigma"), Mapping) else {}  # fmt: skip
    if sets:
        if chosen is None and len(sets) > 1:
            return None, [f"The file has the sets of elasticities {', '.join(sets)}: choose one with --set."]
        name = chosen or next(iter(sets))
        if name not in sets:
            raise CubesError(file, f"there is no set of elasticities {name!r}", f"it has {', '.join(sets)}")
        content = sets[name] if isinstance(sets[name], Mapping) else {"sigma": sets[name]}
    sigma = _vector(_first(content, "sigma"), j)
    if sigma is not None:
        return sigma - 1, [f"Trade elasticities are sigma - 1 of the file{f', set {chosen}' if chosen else ''}."]
    theta = _vector(_first(content, "theta"), j)
    return theta, [] if theta is None else ["Trade elasticities are those of the file."]


def _vector(value: Any, j: int) -> Any:
    """One number a sector, from a vector or from a cube that repeats it."""
    if value is None or isinstance(value, Mapping):
        return None
    array = np.asarray(value, dtype=float)
    if array.ndim == 3:
        array = array[0, 0]
    array = array.reshape(-1)
    return array if len(array) == j else None
