"""Exports of WITS/TRAINS: tariffs by reporter, partner and product, whose headers and codes vary by query.

Columns are found by name, whatever their case, spaces and underscores: Reporter or Reporter Name, Partner or Partner
Name, Product (two digits of ISIC Rev. 3), Tariff Year or Year, Simple Average or Weighted Average, DutyType. Economies
are ISO codes, United Nations numbers (840, or 842 as in Comtrade), or names as WITS spells them. Of several types of
duty, AHS (effectively applied) are the rates, MFN those for pairs without one; the others are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dlopt.errors import DloptError

WORLD = ("WLD", "World", "000", "0", "All", "WLD000")

_CODES = """
024 AGO Angola|784 ARE United Arab Emirates|032 ARG Argentina|036 AUS Australia|040 AUT Austria|056 BEL Belgium
050 BGD Bangladesh|100 BGR Bulgaria|112 BLR Belarus|076 BRA Brazil|096 BRN Brunei|124 CAN Canada|756 CHE Switzerland
152 CHL Chile|156 CHN China|384 CIV Cote d'Ivoire|120 CMR Cameroon|180 COD Congo, Dem. Rep.|170 COL Colombia
188 CRI Costa Rica|196 CYP Cyprus|203 CZE Czech Republic|276 DEU Germany|208 DNK Denmark|818 EGY Egypt, Arab Rep.
724 ESP Spain|233 EST Estonia|246 FIN Finland|250 FRA France|826 GBR United Kingdom|300 GRC Greece
344 HKG Hong Kong, China|191 HRV Croatia|348 HUN Hungary|360 IDN Indonesia|356 IND India|372 IRL Ireland|352 ISL Iceland
376 ISR Israel|380 ITA Italy|400 JOR Jordan|392 JPN Japan|398 KAZ Kazakhstan|116 KHM Cambodia|410 KOR Korea, Rep.
418 LAO Lao PDR|440 LTU Lithuania|442 LUX Luxembourg|428 LVA Latvia|504 MAR Morocco|484 MEX Mexico|470 MLT Malta
104 MMR Myanmar|458 MYS Malaysia|566 NGA Nigeria|528 NLD Netherlands|578 NOR Norway|554 NZL New Zealand|586 PAK Pakistan
604 PER Peru|608 PHL Philippines|616 POL Poland|620 PRT Portugal|642 ROU Romania|643 RUS Russian Federation
682 SAU Saudi Arabia|686 SEN Senegal|702 SGP Singapore|678 STP Sao Tome and Principe|703 SVK Slovak Republic
705 SVN Slovenia|752 SWE Sweden|764 THA Thailand|788 TUN Tunisia|792 TUR Turkey|158 TWN Taiwan, China|804 UKR Ukraine
840 USA United States|704 VNM Vietnam|710 ZAF South Africa|918 EUN European Union
"""
_ALSO = {
    "842": "USA", "251": "FRA", "381": "ITA", "579": "NOR", "757": "CHE", "699": "IND", "490": "TWN", "ROM": "ROU",
    "ZAR": "COD", "OAS": "TWN", "Turkiye": "TUR", "Czechia": "CZE", "Viet Nam": "VNM", "Russia": "RUS",
}  # fmt: skip
_LISTED = [entry.split(" ", 2) for line in _CODES.strip().splitlines() for entry in line.split("|")]
CODES: dict[str, str] = {
    **{number: code for number, code, _ in _LISTED},
    **{number.lstrip("0"): code for number, code, _ in _LISTED},
    **{name: code for _, code, name in _LISTED},
    **_ALSO,
}
"""United Nations number or name -> ISO code, for the economies of the OECD's tables and the European Union."""


class TariffError(DloptError):
    """A file that is no table of tariffs."""


def nearest(years: set[int], wanted: int | None) -> int:
    """The year wanted, or the nearest there is; the last where none is wanted."""
    return max(years) if wanted is None else min(years, key=lambda y: (abs(y - wanted), y))


def is_wits(low: Mapping[str, str]) -> bool:
    """Whether a header, names without case, spaces and underscores, is one of WITS."""
    return all(any(name in low for name in names) for names in (_REPORTER, _PARTNER, _PRODUCT))


_REPORTER = ("reporteriso3", "reporter", "reportercode", "reportername")
_PARTNER = ("partneriso3", "partner", "partnercode", "partnername")
_PRODUCT = ("product", "productcode")
_NOMENCLATURE = ("selectednomen", "nomencode", "nomenclature", "productnomenclature")


def read_wits(
    path: Path, low: Mapping[str, str], year: str | None, column: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """The rates of an export: importer, exporter, product, rate and MFN rate, fractions; and what was done.

    Args:
        path: the file.
        low: its header: names without case, spaces and underscores -> names.
        year: whose tariffs; the nearest there is.
        column: which rates; by default Simple Average, else Weighted Average.

    Raises:
        TariffError: no column of rates, text in numbers, products of another nomenclature.
    """

    def named(*choices: str) -> str | None:
        return next((low[c] for c in choices if c in low), None)

    reporter, partner, product = named(*_REPORTER), named(*_PARTNER), named(*_PRODUCT)
    rate = column or named("simpleaverage", "weightedaverage")
    if rate is None or rate not in low.values():
        raise TariffError(f"{path.name}: no column of rates (Simple Average or Weighted Average). Export it again.")
    try:
        data = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise TariffError(f"{path.name}: {str(error).splitlines()[0][:200]}. Export it again.") from error
    data.columns = [name.strip() for name in data.columns]
    _is_isic(path, data, named(*_NOMENCLATURE))
    note = f"Tariffs: {path.name}, column {rate}"
    when, duty = named("tariffyear", "year"), named("dutytype", "duty", "tarifftype")
    if when:
        years = {int(y) for y in data[when].unique() if y.strip().isdigit()}
        if years:
            chosen = nearest(years, int(year) if year and year.isdigit() else None)
            data = data[data[when].str.strip() == str(chosen)]
            note += f", year {chosen}"
    values = pd.to_numeric(data[rate].str.strip(), errors="coerce")
    bad = values.isna() & (data[rate].str.strip() != "")
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        text = f"{data[rate].iloc[k]!r} is not a number"
        raise TariffError(f"{path.name} line {data.index[k] + 2}, column {rate}: {text}; correct it.")
    frame = pd.DataFrame({"importer": _codes(data[reporter]), "exporter": _codes(data[partner]),
                          "product": data[product].str.strip(), "rate": values / 100,
                          "duty": data[duty].str.strip().str.upper() if duty else "AHS"})  # fmt: skip
    frame = frame.dropna(subset=["rate"])
    applied, general = frame["duty"] == "AHS", frame["duty"] == "MFN"
    if duty:
        note += f"; {int(applied.sum())} rows of effectively applied rates, {int(general.sum())} of MFN rates, "
        note += f"{int((~applied & ~general).sum())} of other duties left out"
    frame = frame[applied | general]
    if frame.empty:
        raise TariffError(
            f"{path.name}: there are no rates of type AHS or MFN. Export effectively applied rates (AHS)."
        )
    world = frame["exporter"].isin(WORLD)
    of_all = frame[world | (frame["duty"] == "MFN")]
    mfn = of_all.groupby(["importer", "product"])["rate"].mean().rename("mfn")
    pairs = frame[~world & (frame["duty"] == "AHS")].join(mfn, on=["importer", "product"])
    alone = mfn.reset_index().assign(exporter="", rate=np.nan)
    return pd.concat([pairs.drop(columns="duty"), alone], ignore_index=True), [f"{note}."]


def _is_isic(path: Path, data: pd.DataFrame, column: str | None) -> None:
    """Two digits of the Harmonised System look like divisions of ISIC and are others."""
    if column is None:
        return
    others = [name for name in data[column].str.strip().unique() if name and not name.upper().startswith(("I", "ISIC"))]
    if others:
        raise TariffError(
            f"{path.name}, column {column}: products are of nomenclature {others[0]!r}; export them by ISIC Rev. 3, "
            "two digits (I3)."
        )


def _codes(names: pd.Series[str]) -> pd.Series[str]:
    """ISO codes where the economy is known, what is written elsewhere."""
    stripped = names.str.strip()
    return stripped.map(CODES).fillna(stripped)
