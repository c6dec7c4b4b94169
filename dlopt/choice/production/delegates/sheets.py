"""What a screen shows of delegates: what they gain by deviating, and who decides how well."""

from __future__ import annotations

from typing import Any

from dlopt.kind import Ended, Sheet

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
