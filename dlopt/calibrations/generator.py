"""Economies made, not measured: `synthetic` worlds of any size, and the embedded `stylized2017`.

`python -m dlopt.calibrations.generator FOLDER` writes `stylized2017` as a bundle.
"""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dlopt.calibrations import facts, labels
from dlopt.calibrations.construction import Array, Outline, balanced_world, with_home_shares
from dlopt.calibrations.schema import EMISSIONS_FILE
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

SOURCE = (
    "Stylised: made by dlopt.calibrations.generator from rounded public facts (World Bank, WTO, OECD) "
    "and the elasticities of the paper's Table A.1; not data."
)


def synthetic(
    n_economies: int,
    n_sectors: int,
    seed: int = 0,
    *,
    scale_economies: bool = True,
    intermediates: bool = True,
    policies: Literal["none", "tariffs", "all"] = "tariffs",
    n_tradable: int | None = None,
) -> Calibration:
    """A random world whose trade balances and whose markets clear; the same for the same arguments.

    Args:
        n_economies: at least 1.
        n_sectors: at least 1.
        seed: of the random numbers.
        scale_economies: draw psi with theta*psi below 0.7; else psi = 0.
        intermediates: draw value-added shares in (0.35, 0.75); else 1.
        policies: initial policies: `none`, `tariffs` (0 to 15 %), or `all` (export taxes and subsidies too, -5 to 5 %;
            trade then balances under the `standard` accounting).
        n_tradable: the first so many sectors are tradable; all by default.

    Raises:
        ValueError: fewer than one economy or sector.
    """
    if n_economies < 1 or n_sectors < 1:
        raise ValueError(f"A world needs an economy and a sector; got {n_economies} and {n_sectors}.")
    n, j = n_economies, n_sectors
    draw = np.random.default_rng(seed)
    size = np.exp(draw.normal(0, 0.7, n))
    sales = size[:, None] * np.exp(draw.normal(0, 0.6, (n, j))) / j
    place = draw.uniform(0, 1, (n, 2))
    distance = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    openness = np.exp(draw.normal(0, 0.5, j))
    affinity = np.exp(-1.5 * distance)[:, :, None] * size[None, :, None] * openness
    affinity *= np.exp(draw.normal(0, 0.3, (n, n, j)))
    affinity[np.arange(n), np.arange(n)] = 1.0
    beta = draw.uniform(0.35, 0.75, (n, j)) if intermediates else np.ones((n, j))
    imports = _possible(draw.uniform(0.1, 0.4, n) * sales.sum(axis=1))[:, None]
    theta = draw.uniform(2.0, 8.0, j)
    psi = draw.uniform(0.05, 0.7, j) / theta
    abroad = (~np.eye(n, dtype=bool)[:, :, None]).astype(float)
    tariff = draw.uniform(0, 0.15, (n, n, j)) * abroad
    export_tax = draw.uniform(-0.05, 0.05, (n, n, j)) * abroad
    subsidy = draw.uniform(-0.05, 0.05, (n, j))
    taxed, all_taxes = policies != "none", policies == "all"
    outline = Outline(
        sales=sales,
        group=np.zeros(j, dtype=np.int64),
        imports=imports,
        net_exports=np.zeros((n, 1)),
        affinity=affinity,
        tariff=tariff * taxed,
        export_tax=export_tax * all_taxes,
        subsidy=subsidy * all_taxes,
        value_added_share=beta,
        final_pattern=draw.uniform(0.3, 0.8, j),
        input_pattern=np.exp(draw.normal(0, 0.7, (j, j))) + 3 * np.eye(j),
    )
    tradable = np.arange(j) < (j if n_tradable is None else n_tradable)
    names = tuple(f"Sector {k + 1}" for k in range(j))
    return _calibration(
        outline,
        name=f"synthetic-{n}x{j}-{seed}",
        economies=tuple(f"E{k + 1}" for k in range(n)),
        sectors=tuple(str(k + 1) for k in range(j)),
        sector_names=names,
        tradable=tradable,
        theta=theta,
        psi=psi if scale_economies else np.zeros(j),
        unit="model units",
        source=f"Made up by dlopt.calibrations.synthetic, seed {seed}; not data.",
        year="none",
    )


def stylized2017() -> Calibration:
    """The embedded world: 7 economies, 44 sectors, rounded facts of 2017; million USD. No randomness."""
    n, j, goods = len(labels.ECONOMIES), len(labels.SECTORS), labels.N_GOODS
    is_goods = np.arange(j) < goods
    beta, value_added = _production(is_goods)
    sales = value_added / beta
    tariff = _tariffs()
    nearness, openness = np.array(facts.NEARNESS), np.array(facts.OPENNESS)
    size = np.array(facts.GDP_TRILLION_USD)
    affinity = nearness[:, :, None] * (size / size.sum())[None, :, None] * openness
    affinity[np.arange(n), np.arange(n)] = 1.0
    balance = np.array(facts.SERVICES_BALANCE_TRILLION_USD) * 1e6
    home = np.stack([np.array(facts.GOODS_HOME_SHARE), np.array(facts.SERVICES_HOME_SHARE)], axis=1)
    outline = Outline(
        sales=sales,
        group=np.where(is_goods, 0, 1),
        imports=np.zeros((n, 2)),
        net_exports=np.stack([-balance, balance], axis=1),
        affinity=affinity,
        tariff=tariff,
        export_tax=np.zeros((n, n, j)),
        subsidy=np.zeros((n, j)),
        value_added_share=beta,
        final_pattern=np.array(facts.FINAL_USE),
        input_pattern=_input_pattern(is_goods),
    )
    return _calibration(
        with_home_shares(outline, _with_services_trade(outline, home)),
        name="stylized2017",
        economies=labels.ECONOMIES,
        sectors=labels.SECTORS,
        sector_names=labels.SECTOR_NAMES,
        tradable=is_goods,
        theta=np.array(labels.THETA),
        psi=np.array(labels.PSI),
        unit="million USD",
        source=SOURCE,
        year="2017",
    )


def stylized_policies(calibration: Calibration) -> dict[str, Policy]:
    """The tariffs of 2018-19 in stylised form: the United States on China, and both on each other."""
    china, america = calibration.economy_index("CHN"), calibration.economy_index("USA")
    us = np.array(facts.US_2018_PATTERN)
    chinese = np.array(facts.CHINA_2018_PATTERN)
    goods = len(us)
    one_sided = calibration.tariff.clone()
    one_sided[china, america, :goods] += torch.from_numpy(us * (facts.US_2018_MEAN_RISE / us.mean()))
    both = one_sided.clone()
    both[america, china, :goods] += torch.from_numpy(chinese * (facts.CHINA_2018_MEAN_RISE / chinese.mean()))
    rest = (calibration.export_tax, calibration.subsidy)
    return {"us_tariffs_2018": Policy(one_sided, *rest), "us_china_2018": Policy(both, *rest)}


def stylized_emissions(calibration: Calibration) -> pd.DataFrame:
    """Made-up emissions of `stylized2017`: `economy`, `sector`, `emissions` in million tonnes, three digits."""
    output = (calibration.trade / (1 + calibration.tariff)).sum(1).numpy()
    goods = calibration.tradable.tolist()
    by_sector = [
        facts.EMISSIONS_KG_PER_USD.get(name, facts.OTHER_GOODS_KG_PER_USD if good else facts.SERVICES_KG_PER_USD)
        for name, good in zip(calibration.sector_names, goods, strict=True)
    ]
    tonnes = 1e-3 * output * np.array(by_sector) * np.array(facts.EMISSIONS_RELATIVE)[:, None]
    return pd.DataFrame({
        "economy": np.repeat(calibration.economies, len(calibration.sectors)),
        "sector": list(calibration.sectors) * len(calibration.economies),
        "emissions": [float(f"{value:.3g}") for value in tonnes.ravel()],
    })  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write `stylized2017` into the folder named on the command line, replacing what is there."""
    from dlopt.calibrations.bundle import write_bundle

    if len(arguments) != 1:
        print("usage: python -m dlopt.calibrations.generator FOLDER", file=sys.stderr)
        return 1
    calibration = stylized2017()
    folder = write_bundle(calibration, arguments[0], stylized_policies(calibration), force=True)
    stylized_emissions(calibration).to_csv(folder / f"{EMISSIONS_FILE}.csv", index=False, lineterminator="\n")
    print(folder)
    return 0


def _production(is_goods: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Value-added shares and value added (million USD), both `[country, sector]`, that hit the facts by group."""
    n, j = len(labels.ECONOMIES), len(labels.SECTORS)
    weight = np.tile(np.array(facts.SIZE), (n, 1))
    for names, strengths in facts.STRENGTH.items():
        for name in names:
            weight[:, labels.SECTOR_NAMES.index(name)] *= strengths
    beta, value_added = np.zeros((n, j)), np.zeros((n, j))
    share = np.array(facts.GOODS_IN_VALUE_ADDED)
    for group, part, mean in (
        (is_goods, share, facts.GOODS_VALUE_ADDED_SHARE),
        (~is_goods, 1 - share, facts.SERVICES_VALUE_ADDED_SHARE),
    ):
        inside = weight[:, group] / weight[:, group].sum(axis=1, keepdims=True)
        value_added[:, group] = inside * (part * np.array(facts.GDP_TRILLION_USD) * 1e6)[:, None]
        raw = np.array(facts.VALUE_ADDED_SHARE)[group]
        beta[:, group] = raw * ((inside / raw).sum(axis=1) * np.array(mean))[:, None]
    return beta, value_added


def _tariffs() -> Array:
    """`[origin, destination, sector]`, simple means over exporters and goods as in the facts."""
    n, j, goods = len(labels.ECONOMIES), len(labels.SECTORS), labels.N_GOODS
    pattern = np.array(facts.PREFERENCE).T[:, :, None] * np.array(facts.TARIFF_PATTERN)
    pattern[np.arange(n), np.arange(n)] = 0.0
    mean = pattern.sum(axis=(0, 2)) / ((n - 1) * goods)
    tariff = np.zeros((n, n, j))
    tariff[:, :, :goods] = pattern * (np.array(facts.MEAN_GOODS_TARIFF) / mean)[None, :, None]
    return tariff


def _input_pattern(is_goods: NDArray[np.bool_]) -> Array:
    """`[input sector, output sector]`: own goods first, goods in goods, services in services, and known links."""
    supplier, user = is_goods[:, None], is_goods[None, :]
    pattern = np.where(supplier & ~user, facts.GOODS_IN_SERVICES, facts.WITHIN_LINK)
    pattern = np.where(~supplier & user, facts.SERVICES_IN_GOODS, pattern)
    for (user_name, supplier_name), strength in facts.LINKS.items():
        pattern[labels.SECTOR_NAMES.index(supplier_name), labels.SECTOR_NAMES.index(user_name)] *= strength
    pattern[np.diag_indices(len(pattern))] *= facts.OWN_LINK
    return pattern


def _with_services_trade(outline: Outline, home_share: Array) -> Array:
    """`home_share` with imports of services scaled by one factor, to be their share of cross-border flows."""
    by_group = np.stack([outline.sales[:, outline.group == g].sum(axis=1) for g in (0, 1)], axis=1)
    imports = ((1 - home_share) * (by_group - outline.net_exports)).sum(axis=0)
    wanted = facts.SERVICES_IN_CROSS_BORDER_FLOWS / (1 - facts.SERVICES_IN_CROSS_BORDER_FLOWS)
    factor = wanted * imports[0] / imports[1]
    return 1 - (1 - home_share) * np.array([1.0, factor])


def _possible(imports: Array) -> Array:
    """`imports`, `[country]`, lowered until nobody trades more than all others together can, with some room."""
    if len(imports) <= 2:
        return np.full(len(imports), imports.min() if len(imports) == 2 else 0.0)
    for _ in range(200):
        imports = np.minimum(imports, 0.8 * (imports.sum() - imports))
    return imports


def _calibration(
    outline: Outline,
    *,
    name: str,
    economies: tuple[str, ...],
    sectors: tuple[str, ...],
    sector_names: tuple[str, ...],
    tradable: NDArray[np.bool_],
    theta: Array,
    psi: Array,
    unit: str,
    source: str,
    year: str,
) -> Calibration:
    world = balanced_world(outline)
    tensor = torch.from_numpy
    return Calibration(
        name=name,
        economies=economies,
        sectors=sectors,
        sector_names=sector_names,
        tradable=tensor(np.asarray(tradable, dtype=bool)),
        trade=tensor(world.trade),
        tariff=tensor(outline.tariff),
        export_tax=tensor(outline.export_tax),
        subsidy=tensor(outline.subsidy),
        value_added_share=tensor(outline.value_added_share),
        input_share=tensor(world.input_share),
        final_share=tensor(world.final_share),
        theta=tensor(theta),
        psi=tensor(psi),
        year=year,
        unit=unit,
        source=source,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
