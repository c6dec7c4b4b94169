"""Importers by name: what `dlopt data import NAME` reads. A new one is a file here with `read`, and an entry below.

`read(source, **options)` takes the path given and the options of its entry, and returns an `Imported`: the
calibration, its policies, what was done to the data, and the ISIC divisions of its sectors. It raises a `DloptError`
that names file, place, rule and remedy. Nothing is loaded before an importer is used.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlopt.calibrations.importing import Imported


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of an importer; `default` has the type of its values, or is None for text that may be left out."""

    name: str
    help: str
    default: str | float | bool | None = None
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Importer:
    """What the command line needs to know.

    Attributes:
        name: of the command, and of the file here with `_` for `-`.
        source: what the argument is, as shown in help.
        help: one sentence on what is read.
        options: its own options.
        default_name: of the calibration; None where it must be given.
        own_elasticities: the source has elasticities of its own: another set is taken only if asked for.
    """

    name: str
    source: str
    help: str
    options: tuple[Option, ...] = ()
    default_name: str | None = None
    own_elasticities: bool = True

    def read(self, source: Path, options: Mapping[str, Any]) -> Imported:
        """Import `source`."""
        module = importlib.import_module(f"{__name__}.{self.name.replace('-', '_')}")
        read: Callable[..., Imported] = module.read
        return read(source, **options)


TARIFFS = (
    Option("tariffs", "A file of tariffs: Teti's database, WITS/TRAINS, or origin,destination,sector,rate."),
    Option("tariff_year", "Whose tariffs; the year of the flows by default."),
    Option("tariff_column", "Which rates; by default tariff95 (winsorised), Simple Average of WITS."),
)
ELASTICITIES = (
    Option("elasticities", "Set of trade elasticities (dlopt data elasticities).", "fontagne2022"),
    Option("scale_elasticities", "Set of scale elasticities, or none: psi is 0.", "none"),
    Option("default_theta", "Trade elasticity of sectors that the set does not cover.", 5.0),
)
ECONOMIES = Option(
    "economies", "Codes, groups (EU27, EU28, NAFTA, ASEAN, G20) or files (group,economy), comma-separated; rest: ROW."
)
ADJUSTMENTS = (
    Option("inventories", "leontief: withdrawals are made in the year; final: final use; drop.", "leontief",
           ("leontief", "final", "drop")),
    Option("own_trade", "Where nothing is bought at home: keep, or floor: a millionth.", "keep", ("keep", "floor")),
    Option("taxes", "Taxes less subsidies on products: value_added (income), or drop.", "value_added",
           ("value_added", "drop")),
    Option("tolerance", "How much of world output the table may be off what it states.", 0.02),
)  # fmt: skip
YEAR = Option("year", "Which table of a zip; the year, where the file does not say it.")
_TABLE = (ECONOMIES, YEAR, *TARIFFS, *ELASTICITIES, *ADJUSTMENTS)

_TRADE_ONLY = (
    ECONOMIES,
    Option("isic", "A CSV file (sector,division): ISIC Rev. 4 divisions of the sectors."),
    Option("inputs", "A calibration whose value-added and input shares are taken; without it there are no inputs."),
    Option("year", "Year of the data."),
    Option("own_trade", "Where nothing is bought at home: keep, or floor: a millionth.", "keep", ("keep", "floor")),
    Option("default_theta", "Trade elasticity where the source has none.", 5.0),
)

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        Importer("bundle", "DIR", "A bundle: the tables and meta.yaml described in docs/calibrations.md."),
        Importer(
            "icio", "FILE", "OECD Inter-Country Input-Output tables, 2016 to 2025 editions: a .csv or the .zip of it.",
            _TABLE, own_elasticities=False,
        ),
        Importer(
            "wiod", "FILE", "World Input-Output Database: release 2016 (.xlsb, .RData) or 2013 (.xlsx).", _TABLE,
            own_elasticities=False,
        ),
        Importer(
            "pymrio", "DIR", "Any table that pymrio knows (EXIOBASE, Eora26, FIGARO, ...): a folder it saved.",
            (*_TABLE, Option("isic", "A CSV file (sector,division): ISIC Rev. 4 divisions of the industries.")),
            own_elasticities=False,
        ),
        Importer(
            "har", "DIR", "A GTAP data base: basedata.har and default.prm.",
            (
                Option("parameters", "The file of parameters; default.prm beside the data."),
                Option("year", "Year of the data base."),
                Option("isic", "A CSV file (sector,division): ISIC Rev. 4 divisions of the commodities."),
                Option("default_theta", "Trade elasticity where there are no parameters.", 5.0),
            ),
        ),
        Importer(
            "itpd", "FILE", "International Trade and Production Database: the CSV file; trade only.",
            (
                Option("industries", "The file's industries, or its broad sectors.", "industry", ("industry", "broad")),
                *TARIFFS,
                *_TRADE_ONLY,
            ),
        ),
        Importer(
            "flows", "FILE", "One sector: a CSV file exporter,importer,value, home sales from a stated openness.",
            (
                Option("openness", "Imports over spending, where the file has no home sales.", 0.25),
                ECONOMIES,
                Option("year", "Year of the data."),
                Option("unit", "Unit of the flows; by default what the column says."),
                Option("default_theta", "The trade elasticity.", 4.0),
            ),
        ),
        Importer(
            "cubes", "FILE", "Cubes of trade and tariffs with names: a .npz or .mat file.",
            (
                Option("axes", "Order: o(rigin), d(estination), s(ector); auto: exporter first, sectors by length.",
                       "auto", ("auto", "ods", "osd", "dos", "dso", "sod", "sdo")),
                Option("basis", "Whether flows include tariffs.", "tariff_inclusive",
                       ("tariff_inclusive", "tariff_exclusive")),
                Option("rates", "Unit of tariffs; factor is one plus the rate; auto: as their size says.", "auto",
                       ("auto", "fraction", "percent", "factor")),
                Option("variables", "Which is what, where names do not say so: trade=A,tariff=B,economies=C,..."),
                Option("set", "Which set of elasticities, where the file has several."),
                Option("missing", "Cells that are no number: refuse, or zero.", "refuse", ("refuse", "zero")),
                Option("negative", "Flows below zero: refuse, or zero.", "refuse", ("refuse", "zero")),
                Option("tradable", "Where policies may be chosen; auto: goods, if all labels are of ISIC.", "auto",
                       ("auto", "goods", "all")),
                Option("unit", "Unit of the flows.", "not stated"),
                *_TRADE_ONLY,
            ),
        ),
        Importer(
            "econ7115", "DIR",
            "7 economies, 44 sectors, 2017: the folder assignments/W05/data of github.com/WangZi-HKBU/econ7115.",
            default_name="icio2017",
        ),
        Importer(
            "caliendo-parro", "DIR",
            "31 economies, 40 sectors, 1993: the authors' text files (xbilat1993.txt, GO.txt, ...), or tables of them.",
            default_name="cp2015",
        ),
        Importer(
            "ossa2014", "DIR", "7 regions, 33 industries, 2007: trade_tariffs.csv and sigma.csv.",
            default_name="ossa2014",
        ),
        Importer(
            "ll2023", "DIR", "44 economies, 16 industries: elasticities.csv, restricted_entry and free_entry.parquet.",
            (Option("market", "Market structure.", "restricted", ("restricted", "free")),),
        ),
    )
}  # fmt: skip
"""Importers by name. A new one is one entry."""
