"""The kind `network`: a planner who forms the input-output links of an economy."""

from __future__ import annotations

from typing import Any

from dlopt.choice.kind import BSDE, ChoiceKind
from dlopt.kind import Ended, Key, Sheet

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

SHOWN = 8  # sectors
WORDS = {
    "best_reply": "best reply",
    "sectors": "by cost now",
    "all": "all links",
    "none": "no links",
    "refuse": "no deals",
}
"""Deviation -> head of its column."""
DECIDES = {"planner": "a planner", "delegates": "delegates who look ahead", "sectors": "sectors, by their cost now"}


def _size(model: Any) -> str:
    return f"{model.size} sectors"


def sheets(ended: Ended) -> list[Sheet]:
    """Tables of a run with delegates; none of a planner's."""
    deviations, society = ended.table("deviations"), ended.table("decentralised")
    if deviations is None or society is None:
        return []
    gains = deviations.pivot(index="sector", columns="deviation", values="gain_pct")
    errors = deviations.pivot(index="sector", columns="deviation", values="gain_se_pct")
    kinds = [kind for kind in WORDS if kind in gains]
    order = gains.max(axis=1).sort_values(ascending=False).index[:SHOWN]
    rows: list[tuple[Any, ...]] = [
        (str(sector), *(_figure(gains.loc[sector, kind], errors.loc[sector, kind]) for kind in kinds))
        for sector in order
    ]
    more = f", the {SHOWN} largest of {len(gains)}" if len(gains) > SHOWN else ""
    errored = " (standard error)" if errors.to_numpy().any() else ""
    title = f"What a delegate gains by deviating, % of its V{errored}{more}"
    columns = ("decides", "consumption equivalent, %", "links", "log GDP, %")
    who = [
        (
            DECIDES[str(row["decides"])],
            f"{row['consumption_equivalent_pct']:+.4f}",
            f"{row['links']:.1f}",
            f"{row['log_gdp_pct']:.2f}",
        )
        for row in society.to_dict("records")
        if row["decides"] in DECIDES
    ]
    return [
        Sheet("Society, by who decides about links", columns, who),
        Sheet(title, ("sector", *(WORDS[kind] for kind in kinds)), rows),
    ]


def _figure(gain: float, error: float) -> str:
    return f"{gain:+.1e}" if error == 0 else f"{gain:+.1e} ({error:.0e})"


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
    further=sheets,
    decided="dlopt.choice.production.delegates.options:decided",
)
