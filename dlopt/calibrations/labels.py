"""Labels shared by the embedded economy and the 2017 importer: 7 economies, 44 industries, elasticities.

The industries are those of the OECD Inter-Country Input-Output tables, 2021 edition, without the last one
(households as employers). Elasticities of goods are those of the paper's Table A.1; services have theta 10, psi 0.
"""

from __future__ import annotations

ECONOMIES = ("BRA", "CHN", "EU", "IND", "JPN", "ROW", "USA")

_GOODS = (
    # name, theta, psi
    ("Agriculture", 6.23, 0.14),
    ("Fishing", 6.23, 0.14),
    ("Mining, energy", 5.28, 0.17),
    ("Mining, non-energy", 5.28, 0.17),
    ("Mining support", 5.28, 0.17),
    ("Food", 2.30, 0.35),
    ("Textiles", 3.36, 0.22),
    ("Wood", 3.90, 0.23),
    ("Paper", 2.65, 0.32),
    ("Petroleum", 0.64, 0.35),
    ("Chemicals", 3.97, 0.23),
    ("Pharmaceuticals", 3.97, 0.23),
    ("Rubber and plastics", 5.16, 0.14),
    ("Non-metallic minerals", 5.28, 0.17),
    ("Basic metals", 3.00, 0.21),
    ("Fabricated metals", 3.00, 0.21),
    ("Computers and electronics", 1.24, 0.55),
    ("Electrical equipment", 1.24, 0.55),
    ("Machinery", 7.75, 0.12),
    ("Motor vehicles", 2.81, 0.13),
    ("Other transport equipment", 2.81, 0.13),
    ("Other manufacturing", 6.17, 0.15),
)

_SERVICES = (
    "Electricity and gas",
    "Water and waste",
    "Construction",
    "Wholesale and retail",
    "Land transport",
    "Water transport",
    "Air transport",
    "Warehousing",
    "Post and couriers",
    "Hotels and restaurants",
    "Publishing and broadcasting",
    "Telecommunications",
    "Information technology",
    "Finance and insurance",
    "Real estate",
    "Professional services",
    "Administrative services",
    "Public administration",
    "Education",
    "Health and social work",
    "Arts and recreation",
    "Other services",
)

N_GOODS = len(_GOODS)
SECTOR_NAMES = (*(name for name, _, _ in _GOODS), *_SERVICES)
SECTORS = tuple(str(k + 1) for k in range(len(SECTOR_NAMES)))
THETA = (*(theta for _, theta, _ in _GOODS), *(10.0 for _ in _SERVICES))
PSI = (*(psi for _, _, psi in _GOODS), *(0.0 for _ in _SERVICES))

_DIVISIONS = """
1-2 3 5-6 7-8 9 10-12 13-15 16 17-18 19 20 21 22 23 24 25 26 27 28 29 30 31-33
35 36-39 41-43 45-47 49 50 51 52 53 55-56 58-60 61 62-63 64-66 68 69-75 77-82 84 85 86-88 90-93 94-96
"""


def _isic() -> dict[str, tuple[int, ...]]:
    found = {}
    for sector, span in zip(SECTORS, _DIVISIONS.split(), strict=True):
        low, _, high = span.partition("-")
        found[sector] = tuple(range(int(low), int(high or low) + 1))
    return found


ISIC = _isic()
"""Divisions of ISIC Rev. 4 by sector."""
