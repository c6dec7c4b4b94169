"""The kind `network`: a planner who forms the input-output links of an economy."""

from __future__ import annotations

from typing import Any

from dlopt.choice.kind import BSDE, ChoiceKind


def _size(model: Any) -> str:
    return f"{model.size} sectors"


NETWORK = ChoiceKind(
    "network",
    "Which sectors should buy from which: a planner forms the links of an economy, under random productivity.",
    load="dlopt.choice.production.folder:load_network",
    read="dlopt.choice.production.folder:read_network",
    write="dlopt.choice.production.folder:write_network",
    size=_size,
    units="values in utility times years, log GDP in percent, rates per year",
    model="synthetic",
    words=("synthetic", "synthetic3", "bea37"),
    models="a preset (synthetic, synthetic3), an imported economy (bea37), or a model folder",
    states="a table of states: state, z, eps_1.., y_BUYER_SUPPLIER..",
    method="network",
    analysis="dlopt.choice.production.traits:NETWORK.analysis",
    draw="dlopt.views.figures.network:draw",
    verb=BSDE,
    effort=True,
)
