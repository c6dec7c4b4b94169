"""Groups of economies by their ISO 3166 codes."""

from __future__ import annotations

EU27 = (
    "AUT", "BEL", "BGR", "CYP", "CZE", "DEU", "DNK", "ESP", "EST", "FIN", "FRA", "GRC", "HRV", "HUN", "IRL", "ITA",
    "LTU", "LUX", "LVA", "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN", "SWE",
)  # fmt: skip
GROUPS = {
    "EU": EU27,
    "EU27": EU27,
    "EU28": (*EU27, "GBR"),
    "NAFTA": ("CAN", "MEX", "USA"),
    "ASEAN": ("BRN", "IDN", "KHM", "LAO", "MMR", "MYS", "PHL", "SGP", "THA", "VNM"),
}


def members_of(label: str) -> tuple[str, ...]:
    """Codes of the members of a group; none for a label that is no group."""
    return GROUPS.get(label, ())
