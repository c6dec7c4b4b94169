"""The bundle format: which tables a calibration folder holds, their columns, and the rule of every number.

Free of pandas and torch, so that listing calibrations and printing help stay fast.
"""

from __future__ import annotations

from pathlib import Path

from dlopt.errors import DloptError
from dlopt.store.columns import Rule, Table
from dlopt.store.faults import Fault as Fault
from dlopt.store.faults import Faults as Faults
from dlopt.store.faults import FaultsError
from dlopt.trade import rates

MAX_CELLS = 50_000_000
MAX_META_BYTES = 64 * 2**10
SHARE_TOLERANCE = 1e-6
SCHEMA_VERSION = "1"

TABLE_SUFFIXES = (".csv", ".parquet")
TABLE_LIKE_SUFFIXES = (*TABLE_SUFFIXES, ".tsv", ".xlsx", ".xls", ".feather", ".dta", ".gz", ".zip")
META_FILE = "meta.yaml"
META_KEYS = ("name", "year", "unit", "source", "price_basis")
ADJUSTMENTS = "adjustments"
"""Optional key of meta.yaml: what an importer did to the data, one plain sentence each."""

MAX_ADJUSTMENTS = 200
ISIC_FILE = "isic"
EMISSIONS_FILE = "emissions"
"""Emissions by economy and sector: read where a solve asks for carbon, no part of a calibration."""
PRICE_BASES = ("tariff_inclusive", "tariff_exclusive")
POLICY_FOLDER = "policies"
INSTRUMENTS = rates.KINDS


TAX = Rule(
    "a tax rate is a fraction above -1",
    "give 0.05 for 5 %; -1 or less would be a subsidy of the whole price",
    low=-1,
    low_open=True,
)
SUBSIDY = Rule(
    "a subsidy rate is a fraction below 1", "give 0.1 for 10 %; a tax on output is negative", high=1, high_open=True
)
# A share computed as a quotient can be one and a last digit.
SHARE = Rule("a share lies in [0, 1]", "give a fraction, not per cent", low=0, high=1 + 1e-12)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "trade",
            ("origin", "destination", "sector"),
            {"value": Rule("a flow is a finite number >= 0", "correct the flow, or leave the row out for zero", low=0)},
        ),
        Table("tariff", ("origin", "destination", "sector"), {"rate": TAX}, may_be_empty=True),
        Table("export_tax", ("origin", "destination", "sector"), {"rate": TAX}, required=False, may_be_empty=True),
        Table("subsidy", ("origin", "sector"), {"rate": SUBSIDY}, required=False, may_be_empty=True),
        Table(
            "value_added_share",
            ("country", "sector"),
            {
                "share": Rule(
                    "a value-added share lies in (0, 1]",
                    "give value added over output, a fraction above 0",
                    low=0,
                    high=1,
                    low_open=True,
                )
            },
            complete=True,
        ),
        Table(
            "input_share",
            ("country", "input_sector", "output_sector"),
            {"share": SHARE},
            required=False,
            may_be_empty=True,
        ),
        Table("final_share", ("country", "sector"), {"share": SHARE}, required=False),
        Table(
            "elasticity",
            ("sector",),
            {
                "theta": Rule("theta is a number > 0", "give the trade elasticity of the sector", low=0, low_open=True),
                "psi": Rule("psi is a number >= 0", "give the scale elasticity; 0 is constant returns", low=0),
                "tradable": Rule("tradable is 0 or 1", "1 where tariffs and subsidies may be chosen", low=0, high=1),
            },
            texts=("name",),
        ),
    )
}

POLICY_TABLE = Table(
    "policy",
    ("origin", "destination", "sector"),
    {"rate": Rule("a rate is a number", "give 0.05 for 5 %")},
    texts=("instrument",),
    may_be_empty=True,
    optional=("destination",),
)
ISIC_TABLE = Table(ISIC_FILE, ("sector", "division"), {}, required=False)
"""Optional: the ISIC Rev. 4 divisions of every sector, one row a pair (see `isic`)."""

POLICY_COLUMNS = ("instrument", *POLICY_TABLE.keys, "rate")
POLICY_RATES = {kind.name: TAX if kind.tax else SUBSIDY for kind in rates.INSTRUMENTS}


def axis_of(column: str) -> str:
    """`economy` or `sector`: what the labels of a key column name."""
    return "sector" if "sector" in column else "economy"


class BundleError(FaultsError):
    """A calibration or policy file is not as it must be; `faults` holds every fault found."""


class BundleLabelError(DloptError):
    """A label that could not be shown on a screen as it is."""


class BundleExistsError(DloptError):
    """A calibration would overwrite another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} exists. Choose another name, or replace it with --force.")
