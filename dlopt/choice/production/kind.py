"""The kind `network`: a planner who forms the input-output links of an economy."""

from __future__ import annotations

from typing import Any

from dlopt.choice.kind import BSDE, ChoiceKind
from dlopt.kind import Key

HERE = "dlopt.choice.production.delegates.options"
DELEGATES = (
    Key(
        "delegates",
        "who decides about links: none (a planner does), forward (each sector's delegate, looking ahead) or bargain "
        "(buyer and supplier, with transfers; with method=exact)",
        "none",
        choices={"none": None, "forward": f"{HERE}:Forward", "bargain": f"{HERE}:Bargain"},
    ),
    Key("delegates.own", "how much a delegate cares for the price of its own good; 0: it wants what the planner wants"),
    Key("delegates.power", "the buyer's share of what a link is worth to buyer and supplier (bargain)"),
)


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
    more=DELEGATES,
    further="dlopt.choice.production.delegates.sheets:sheets",
    decided="dlopt.choice.production.delegates.options:decided",
)
