"""The 37-sector US input-output economy: from the tables of a download to a model folder.

The folder imported holds the published `calibration_data.mat` and `beadat_37sec.mat` (`bea_originals`), or tables made
of them: `sectors.csv` (`sector, name, beta, sigma_1, sigma_2`, optional `tfp_ar1`) and `input_shares.csv` (`buyer,
supplier, alpha`). They are BEA accounts 1947-2018: shares are means over years, sigmas the annual volatility of sector
productivity on its first two principal components. Mean reversion 0.138 a year
is estimated from the same productivities, pooled. The rest of the process is our choice, not data: kappa_0 = 0.5,
kappa = 1, gamma = 2, both rates 0.5 a year, rho = 0.04, and long-run productivities drawn N(0, 0.05^2) with seed 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlopt.choice.folder_files import ModelFolderError
from dlopt.choice.production.bea_originals import is_originals, read_originals
from dlopt.choice.production.folder import models_folder, read_sectors, read_shares, write_network
from dlopt.choice.production.model import NetworkEconomy
from dlopt.choice.production.presets import DEFAULTS, EPS_BAR_SD
from dlopt.errors import DloptError
from dlopt.store.faults import Faults


class ModelExistsError(DloptError):
    """There is a model of that name already."""


def import_bea37(folder: Path, name: str = "bea37", force: bool = False) -> tuple[NetworkEconomy, Path]:
    """Read the originals, or tables made of them, and keep them as the model `name`.

    Returns:
        The economy, and the model folder written.

    Raises:
        ModelFolderError: the tables are not sound; names every fault.
        ModelExistsError: there is one of that name and `force` is off.
        FileWriteError: no permission or no space.
    """
    faults = Faults()
    if is_originals(folder):
        labels, names, columns, alpha = read_originals(folder, faults)
    else:
        labels, names, columns = read_sectors(folder, ("tfp_ar1",), faults)
        alpha = read_shares(folder, labels, faults)
    if faults:
        raise ModelFolderError(folder, faults.listed())
    target = models_folder() / name
    if Path(name).name != name or name.startswith("."):
        raise DloptError(f"{name!r} cannot name a model: give one plain word.")
    if target.exists() and not force:
        raise ModelExistsError(f"{target} exists. Give --force to replace it, or --name for another name.")
    eps_bar = EPS_BAR_SD * np.random.default_rng(0).normal(size=len(labels))
    sigma = np.stack([columns["sigma_1"], columns["sigma_2"]], axis=1)
    model = NetworkEconomy(
        columns["beta"], alpha, eps_bar, sigma, **DEFAULTS, sectors=tuple(labels), names=tuple(names), name=name
    )
    write_network(model, target)
    return model, target
