"""The section `carbon` of a config: emissions, damages, prices of carbon."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dlopt.errors import DloptError, UnknownNameError
from dlopt.trade.calibration import Calibration
from dlopt.trade.carbon import BASES, Carbon
from dlopt.trade.rates import PRICES

FILES = ("emissions", "damages", "tax", "border_tax")
"""Keys that may name a file."""


@dataclasses.dataclass(frozen=True)
class CarbonKeys:
    """The section `carbon`.

    Attributes:
        emissions: a table (economy, sector, emissions); None: the calibration's own, where it has one.
        damages: of one more tonne, by economy or for the world.
        tax: price of carbon that producers pay where nobody chooses one.
        border_tax: price of the carbon in imports.
        basis: `direct` or `embodied` emissions in imports.
    """

    emissions: str | None = None
    damages: str | None = None
    tax: str | None = None
    border_tax: str | None = None
    basis: Literal["direct", "embodied"] = "direct"


def carbon_of(config: Mapping[str, Any], calibration: Calibration, notes: list[str]) -> Carbon | None:
    """The section as numbers for a calibration; None where it says nothing.

    Raises:
        DloptError: the first value that cannot be.
    """
    node = config["carbon"]
    if node["basis"] not in BASES:
        raise UnknownNameError("value of carbon.basis", str(node["basis"]), BASES)
    players = config.get("by_player")  # what is no mapping is refused where instruments are made
    named = players.values() if isinstance(players, Mapping) else ()
    own = [one.get("instruments") for one in named if isinstance(one, Mapping)]
    sections = [part for part in (config.get("instruments"), *own) if isinstance(part, Mapping)]
    chosen = any(str(part.get(kind.name, "false")).lower() != "false" for part in sections for kind in PRICES)
    if not chosen and not any(node[key] is not None for key in FILES):
        return None
    if config["accounting"] == "paper" and (chosen or node["tax"] is not None or node["border_tax"] is not None):
        raise DloptError("accounting=paper has no prices of carbon: they need accounting=standard.")
    from dlopt.policies.carbon import border_prices_from, carbon_prices_from, damages_from, emissions_from

    table = node["emissions"] or _of_bundle(config["calibration"])
    if table is None:
        raise DloptError(
            f"Calibration {calibration.name!r} has no emissions: give carbon.emissions=FILE, a table with the columns "
            "economy, sector, emissions."
        )
    text = {key: None if node[key] is None else str(node[key]) for key in FILES}
    return Carbon(
        emissions_from(table, calibration),
        None if text["damages"] is None else damages_from(text["damages"], calibration),
        None if text["tax"] is None else carbon_prices_from(text["tax"], calibration, notes),
        None if text["border_tax"] is None else border_prices_from(text["border_tax"], calibration, notes),
        node["basis"],
    )


def _of_bundle(name: str) -> Path | None:
    from dlopt.calibrations import find_calibration
    from dlopt.calibrations.schema import EMISSIONS_FILE, TABLE_SUFFIXES

    folder = find_calibration(name)
    paths = (folder / f"{EMISSIONS_FILE}{suffix}" for suffix in TABLE_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)
