"""Bilateral trade alone, one sector: a CSV file of flows, and home sales from a stated openness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dlopt.calibrations.importers.trade_only import TradeError, trade_world
from dlopt.calibrations.importing import Imported

NAMES = {
    "exporter": ("exporter", "origin", "i"),
    "importer": ("importer", "destination", "j"),
    "value": ("value", "value_thousand_usd", "value_usd", "trade", "v"),
}
"""What a column may be called."""


def read(
    source: Path, openness: float = 0.25, economies: str | None = None, year: str | None = None,
    unit: str | None = None, default_theta: float = 4.0,
) -> Imported:  # fmt: skip
    """A world of one sector without inputs.

    Args:
        source: a CSV file with columns `exporter`, `importer` and `value` (before tariffs), such as CEPII's BACI summed
            over products. Flows of an economy to itself, where there are any, are its home sales.
        openness: imports over spending where the file has no home sales: an economy that imports M spends M / openness,
            the rest at home.
        economies, year, unit: see `trade_only`.
        default_theta: the trade elasticity.

    Raises:
        TradeError: a file of another form, or an openness that is none.
    """
    if not 0 < openness < 1:
        raise TradeError(f"openness is {openness:g}: imports over spending lie between 0 and 1, such as 0.25.")
    try:
        frame = pd.read_csv(source, keep_default_na=False, na_values={column: [""] for column in NAMES["value"]})
    except (OSError, ValueError) as error:
        raise TradeError(f"{source} cannot be read as a table ({error}). Give a CSV file of flows.") from error
    found = {}
    for what, names in NAMES.items():
        column = next((name for name in names if name in frame), None)
        if column is None:
            raise TradeError(f"{source.name} has no column {what!r} (or {', '.join(names[1:])}).")
        found[what] = column
    if not pd.api.types.is_numeric_dtype(frame[found["value"]]) or frame[found["value"]].isna().any():
        k = int(pd.to_numeric(frame[found["value"]], errors="coerce").isna().to_numpy().argmax())
        cell = str(frame[found["value"]].iloc[k])[:40]
        raise TradeError(
            f"{source.name} line {k + 2}, column {found['value']}: {cell!r} is not a number. Correct it; decimals take "
            "a point."
        )
    ends = frame[[found["exporter"], found["importer"]]].astype(str)
    again = ends.duplicated()
    if again.any():
        k = int(again.to_numpy().argmax())
        raise TradeError(
            f"{source.name} line {k + 2}: {' to '.join(ends.iloc[k])} is there again ({int(again.sum())} such rows). "
            "Give one row for each pair, products added up."
        )
    codes = sorted(set(ends.to_numpy().ravel()))
    at = {code: k for k, code in enumerate(codes)}
    flows = np.zeros((len(codes), len(codes)))
    np.add.at(flows, tuple(ends[end].map(at).to_numpy() for end in ends), frame[found["value"]].to_numpy(float))
    home = np.diag(flows).copy()
    imports = flows.sum(axis=0) - home
    missing = home <= 0
    cut = [code for code, lost in zip(codes, missing & (imports <= 0), strict=True) if lost]
    if cut:
        raise TradeError(f"{source.name}: nothing is known of spending in {', '.join(cut[:10])}, which import nothing.")
    home[missing] = imports[missing] * (1 - openness) / openness
    flows[np.arange(len(codes)), np.arange(len(codes))] = home
    notes = [f"Home sales of {int(missing.sum())} economies: imports are {100 * openness:g} % of spending (openness)."]
    stated = found["value"].removeprefix("value_").replace("_", " ").replace("usd", "USD")
    return trade_world(
        source, flows[:, :, None], None, codes, ["goods"], None, None, basis="tariff_exclusive", economies=economies,
        year=year or "not stated", unit=unit or ("not stated" if stated in ("value", "trade", "v") else stated),
        default_theta=default_theta, notes=notes,
    )  # fmt: skip
