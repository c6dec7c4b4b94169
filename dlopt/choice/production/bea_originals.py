"""The US accounts of 37 sectors as they are published, as the shares and volatilities of a network economy.

The public GitHub repository `MatiasCovarrubias/Multi-Sector-Macro-Solver` has two MATLAB files of BEA accounts:

    calibration_data.mat   IOmat47bea [37 suppliers, 37 buyers, year], Cons47bea and GO47bea [year, 37]: purchases of
                           inputs, consumption, gross output
    beadat_37sec.mat       TFP_GO [year, 37]: levels of total factor productivity in gross output

From these

    alpha    a buyer's purchases over its gross output, mean over years
    beta     a sector's part of consumption, mean over years
    tfp_ar1  of the logarithm of productivity without its linear trend, by least squares, by sector
    sigma    the first two principal components of the covariance of these regressions' residuals: eigenvectors times
             the roots of their eigenvalues, with signs that make each component's sum positive
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.store.faults import Faults

NAMES = (
    "Mining, oil and gas", "Utilities", "Construction", "Wood", "Nonmetallic minerals", "Primary metals",
    "Fabricated metals", "Machinery", "Computers", "Electrical", "Vehicles", "Other transport equipment", "Furniture",
    "Misc manufacturing", "Food manufacturing", "Textile", "Apparel", "Paper", "Printing", "Petroleum", "Chemical",
    "Plastics", "Wholesale", "Retail", "Transport and warehousing", "Information", "Finance", "Real estate",
    "Professional and technical services", "Management", "Administration", "Education", "Health", "Arts",
    "Accommodation", "Food services", "Other services",
)  # fmt: skip
ACCOUNTS, PRODUCTIVITY = "calibration_data.mat", "beadat_37sec.mat"
_N = len(NAMES)
_LEAST_YEARS = 10
_MAX_BYTES = 2**28

Array = np.ndarray[Any, np.dtype[np.float64]]


def is_originals(folder: Path) -> bool:
    """Whether one of the two MATLAB files is in the folder."""
    return any((folder / name).is_file() for name in (ACCOUNTS, PRODUCTIVITY))


def read_originals(folder: Path, faults: Faults) -> tuple[list[str], list[str], dict[str, Array], Array]:
    """Labels, names, the columns `beta, sigma_1, sigma_2, tfp_ar1`, and alpha `[buyer, supplier]`.

    All are empty where a fault was noted.
    """
    before = faults.total
    accounts = _variables(folder / ACCOUNTS, ("IOmat47bea", "Cons47bea", "GO47bea"), faults)
    levels = _variables(folder / PRODUCTIVITY, ("TFP_GO",), faults)
    if faults.total == before:
        _check(accounts, levels["TFP_GO"], faults)
    if faults.total > before:
        return [], [], {}, np.zeros((0, 0))
    alpha = (accounts["IOmat47bea"] / accounts["GO47bea"].T[None]).mean(axis=2).T
    consumed = accounts["Cons47bea"]
    beta = (consumed / consumed.sum(axis=1, keepdims=True)).mean(axis=0)
    for k in np.flatnonzero(beta < 0):
        faults.add(ACCOUNTS, "a mean share of consumption is a number >= 0", "correct it", column="Cons47bea",
                   value=f"{NAMES[k]}: {beta[k]:.4g}")  # fmt: skip
    for buyer, supplier in np.argwhere(alpha < 0):
        faults.add(ACCOUNTS, "a mean input share is a number >= 0", "correct it", column="IOmat47bea",
                   value=f"{NAMES[buyer]} from {NAMES[supplier]}: {alpha[buyer, supplier]:.4g}")  # fmt: skip
    for k in np.flatnonzero(alpha.sum(1) >= 1):
        faults.add(ACCOUNTS, "a buyer's inputs must be worth less than its gross output",
                   "suppliers are the first axis, buyers the second", column="IOmat47bea",
                   value=f"{NAMES[k]}: {alpha[k].sum():.4g}")  # fmt: skip
    if faults.total > before:
        return [], [], {}, np.zeros((0, 0))
    sigma, persistence = volatilities(levels["TFP_GO"])
    columns = {"beta": beta, "sigma_1": sigma[:, 0], "sigma_2": sigma[:, 1], "tfp_ar1": persistence}
    return [str(k + 1) for k in range(_N)], list(NAMES), columns, alpha


def volatilities(levels: Array) -> tuple[Array, Array]:
    """Loadings of productivity on two shocks, and its persistence.

    Args:
        levels: total factor productivity, `[year, sector]`.

    Returns:
        Annual volatilities `[sector, 2]`, and the coefficient of last year's deviation from trend, `[sector]`.
    """
    years = np.arange(len(levels), dtype=float)
    trend = np.stack([np.ones_like(years), years], axis=1)
    logs = np.log(levels)
    gap = logs - trend @ np.linalg.lstsq(trend, logs, rcond=None)[0]
    last, now = gap[:-1], gap[1:]
    persistence = (last * now).sum(axis=0) / (last**2).sum(axis=0)
    values, vectors = np.linalg.eigh(np.cov(now - persistence * last, rowvar=False))
    sigma = vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0.0))
    return sigma * np.where(sigma.sum(axis=0) < 0, -1.0, 1.0), persistence


def _variables(path: Path, names: tuple[str, ...], faults: Faults) -> dict[str, Array]:
    """Arrays of numbers by name; a fault for each that cannot be had."""
    if not path.is_file():
        faults.add(path.name, "there is no such file", f"{ACCOUNTS} and {PRODUCTIVITY} are needed together")
        return {}
    if path.stat().st_size > _MAX_BYTES:
        faults.add(path.name, "the file is larger than 256 MiB", "give the published one")
        return {}
    try:
        content = _loaded(path, names)
    except ImportError:
        faults.add(path.name, "MATLAB files of version 7.3 need h5py", "install it: pip install 'dlopt[data]'")
        return {}
    except Exception as error:  # the parsers raise whatever a damaged file makes them raise
        faults.add(path.name, f"this is no MATLAB file that can be read ({error})", "download it again")
        return {}
    found = {}
    for name in names:
        if name not in content:
            faults.add(path.name, f"there is no variable {name}", "give the published file")
            continue
        try:
            found[name] = np.asarray(content[name], dtype=float)
        except (TypeError, ValueError):
            faults.add(path.name, "this must be an array of numbers", "give the published file", column=name)
    return found


def _loaded(path: Path, names: tuple[str, ...]) -> Mapping[str, Any]:
    import scipy.io

    try:
        content: Mapping[str, Any] = scipy.io.loadmat(path, variable_names=names)
    except NotImplementedError:  # version 7.3 is HDF5, with the axes the other way round
        import h5py

        with h5py.File(path, "r") as file:
            return {name: file[name][()].T for name in names if name in file}
    return content


def _check(accounts: Mapping[str, Array], levels: Array, faults: Faults) -> None:
    years = accounts["GO47bea"].shape[0] if accounts["GO47bea"].ndim == 2 else 0
    shapes = (
        (ACCOUNTS, "GO47bea", accounts["GO47bea"], (years, _N), "[year, 37]"),
        (ACCOUNTS, "Cons47bea", accounts["Cons47bea"], (years, _N), "[year, 37]"),
        (ACCOUNTS, "IOmat47bea", accounts["IOmat47bea"], (_N, _N, years), "[37, 37, year]"),
        (PRODUCTIVITY, "TFP_GO", levels, (len(levels), _N), "[year, 37]"),
    )
    for file, name, array, shape, said in shapes:
        if array.shape != shape or 0 in shape:
            faults.add(
                file, f"the shape must be {said}", "give the published file", column=name, value=str(array.shape)
            )
            continue
        positive = name in ("GO47bea", "TFP_GO")
        wrong = ~np.isfinite(array) | (array <= 0 if positive else False)
        if wrong.any():
            place = ", ".join(str(int(k) + 1) for k in np.argwhere(wrong)[0])
            rule = f"all numbers must be {'above 0' if positive else 'finite'}"
            faults.add(file, rule, "correct them", column=name, value=f"{int(wrong.sum())} cells, the first at {place}")
    if levels.ndim == 2 and len(levels) < _LEAST_YEARS:
        faults.add(PRODUCTIVITY, f"at least {_LEAST_YEARS} years are needed", "give the published file",
                   column="TFP_GO", value=f"{len(levels)} years")  # fmt: skip
    consumed = accounts["Cons47bea"]
    if not faults and (consumed.sum(axis=1) <= 0).any():
        faults.add(ACCOUNTS, "consumption of every year must be above 0", "correct it", column="Cons47bea")
