"""The kind `export`: an exporter who chooses among destinations that depend on one another."""

from __future__ import annotations

from typing import Any

from dlopt.choice.kind import BSDE, ChoiceKind


def _size(model: Any) -> str:
    return f"{model.destinations} destinations"


EXPORT = ChoiceKind(
    "export",
    "When an exporter enters each of many markets, which depend on each other, under random costs.",
    load="dlopt.choice.exporter.folder:load_model",
    read="dlopt.choice.exporter.folder:read_folder",
    write="dlopt.choice.exporter.folder:write_folder",
    size=_size,
    units="values and costs in the model's unit of money, rates per year",
    model="gravity",
    words=("gravity", "gravity_strong", "separable", "blocks", "lumped"),
    models="a preset (gravity, gravity_strong, lumped, separable, blocks, with another number of destinations, too: "
    "blocks20; network: synthetic, synthetic3), an imported economy (bea37), or a model folder",
    states="a table of states: state, y_1.., nu_1.. (network: state, z, eps_1.., y_BUYER_SUPPLIER..)",
    verb=BSDE,
    effort=True,
    panels=True,
)
