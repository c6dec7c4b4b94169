"""What a solved choice says, in sentences: how much is on in the long run, and what is worth most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlopt.kind import Ended

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 3


def headlines(ended: Ended) -> list[str]:
    """The answer in sentences, from `simulation` and `marginal_values`; none for a run without them."""
    simulation, worth = ended.table("simulation"), ended.table("marginal_values")
    found = []
    if simulation is not None and "statistic" in simulation:
        found += _long_run(simulation, None if worth is None else len(worth))
    if worth is not None and len(worth):
        found += _links(worth) if "buyer" in worth else _switches(worth)
    return found


def brief(ended: Ended) -> str:
    """How much is on in the long run, how many links a planner wants, or the value; empty where no table says any."""
    simulation, worth = ended.table("simulation"), ended.table("marginal_values")
    if worth is not None and "planner_accepts" in worth:
        return f"{int((worth['planner_accepts'] > 0.5).sum())} of {len(worth)} links"
    if simulation is None or "statistic" not in simulation:
        return ""
    rows = simulation.set_index("statistic").to_dict()
    on = next((name for name in ("markets", "on") if name in rows), None)
    of = "" if worth is None else f" of {len(worth)}"
    return "" if on is None else f"{rows[on]['mean']:.3g}{of} on"


def _long_run(simulation: pd.DataFrame, count: int | None) -> list[str]:
    rows = simulation.set_index("statistic").to_dict()
    on = next((name for name in ("markets", "on") if name in rows), None)
    if on is None:
        return []
    of = "" if count is None else f" of {count}"
    what, flow = ("markets are served", "profit") if on == "markets" else ("switches are on", "flow")
    money = "Profit" if flow == "profit" else "Flow utility"
    much = rows[on]
    return [
        f"In the long run {much['mean']:.3g}{of} {what} on average; 9 times in 10 it is {much['p5']:.3g} to "
        f"{much['p95']:.3g}.",
        f"{money} is {rows[flow]['mean']:.3g} a year on average, and the value V {rows['value']['mean']:.4g}.",
    ]


def _switches(worth: pd.DataFrame) -> list[str]:
    name, share = ("destination", "open_share") if "destination" in worth else ("switch", "on_share")
    if name not in worth:
        return []
    top = worth.sort_values("delta_v", ascending=False).head(_NAMED)
    words = ", ".join(
        f"{label} ({gain:+.3g}; on {100 * on:.0f} % of the time)"
        for label, gain, on in zip(top[name], top["delta_v"], top[share], strict=True)
    )
    what = "Markets" if name == "destination" else "Switches"
    return [f"{what} that are worth most, V with them less V without: {words}."]


def _links(worth: pd.DataFrame) -> list[str]:
    wanted = int((worth["planner_accepts"] > 0.5).sum())
    top = worth.sort_values("delta_v_pct", ascending=False).head(_NAMED)
    words = ", ".join(
        f"{buyer} buying from {supplier} ({gain:+.2g} %)"
        for buyer, supplier, gain in zip(top["buyer_name"], top["supplier_name"], top["delta_v_pct"], strict=True)
    )
    harmful = int(worth["harmful"].sum())
    return [
        f"The planner wants {wanted} of {len(worth)} possible links more often than not.",
        f"Links that are worth most, in per cent of the value V: {words}.",
        f"{harmful or 'No'} link{'s' if harmful != 1 else ''} would pay the buyer and harm society.",
    ]
