"""A result in plain sentences, from its tables: what changes, for whom, what is charged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dlopt.trade import interval_words
from dlopt.trade.outcomes import WORLD
from dlopt.trade.provenance import UNSAID
from dlopt.trade.rates import INSTRUMENTS

if TYPE_CHECKING:
    import pandas as pd

Read = Callable[[str], "pd.DataFrame | None"]
"""A table by name; None where there is none."""
_NAMED = 3
_SAME_RATE = 1e-12
_STEPS = ("thousand", "million", "billion", "trillion")


def money(value: float, unit: str) -> str:
    """An amount in words: 1234 of `million USD` is `1.23 billion USD`; empty where the unit says nothing."""
    if unit in UNSAID:
        return ""
    word, _, rest = unit.partition(" ")
    if word not in _STEPS or not rest:
        return f"{value:,.4g} {unit}".strip()
    step = _STEPS.index(word)
    while abs(value) >= 1000 and step + 1 < len(_STEPS):
        value, step = value / 1000, step + 1
    return f"{value:,.3g} {_STEPS[step]} {rest}"


def headlines(read: Read) -> list[str]:
    """What a run comes to, in sentences; none for a run without outcomes."""
    outcomes, policies = read("outcomes"), read("policies")
    if outcomes is None or outcomes.empty:
        return []
    worlds = read("worlds")
    found = [] if worlds is None or worlds.empty else _worlds(worlds)
    found += [_world(outcomes), *_sides(outcomes), *_moves(read("moves")), *_drawn(read("draws_summary"))]
    found += _rates(outcomes)
    if policies is not None and not policies.empty:
        found += _chosen(policies)
    carbon, welfare = read("carbon"), read("welfare")
    if carbon is not None and welfare is not None and not carbon.empty:
        found += _carbon(carbon, welfare)
    intervals, draws = read("intervals"), read("interval_draws")
    if intervals is not None and not intervals.empty:
        found += interval_words.headlines(intervals, 0 if draws is None else draws["draw"].nunique())
    return found


def brief(read: Read) -> str:
    """Real income of who chose alone, else of who changed its policies alone, else of the world."""
    outcomes, policies = read("outcomes"), read("policies")
    if outcomes is None or outcomes.empty:
        return ""
    gains = outcomes.set_index("economy")["real_income_change_pct"]
    who = WORLD
    if policies is not None and not policies.empty:
        chosen = set(policies.loc[policies["lower_bound"].notna(), "economy"])
        moved = set(policies.loc[(policies["rate"] - policies["initial_rate"]).abs() > _SAME_RATE, "economy"])
        alone = chosen or moved
        who = next(iter(alone)) if len(alone) == 1 else WORLD
    if who not in gains:  # a union
        who = WORLD
    return f"{who} {_signed(gains[who])}"


def _worlds(worlds: pd.DataFrame) -> list[str]:
    """What one policy for several possible worlds brings in them."""
    aims = {
        "expected": "best on average",
        "minimax": "best in the worst of them",
        "regret": "least regretted whichever of them is true",
    }
    gain, aim = worlds["gain_pct"], aims[str(worlds["criterion"].iloc[0])]
    mean = float((worlds["probability"] * gain).sum())
    return [
        f"One policy for {len(worlds)} possible worlds, {aim}: real income of who chose changes by {gain.min():+.3f} "
        f"to {gain.max():+.3f} %, by {mean:+.3f} % on average. What follows is the world of the point estimate."
    ]


def planner(
    settings: Mapping[str, Any], outcomes: pd.DataFrame | None, welfare: pd.DataFrame | None = None
) -> list[str]:
    """What a planner maximised and, where it is a mean over economies, how far that rose.

    Args:
        settings: of the run.
        outcomes: its table.
        welfare: its table, where welfare may be more than real income: work that costs, damages of emissions.
    """
    if outcomes is None or "objective" not in settings:
        return []
    if settings["objective"] != "welfare":
        return ["The planner maximises the product of the gains over the baseline."]
    guarded = ", and keeps every economy at least at its baseline" if settings.get("no_losers") else ""
    base, what = outcomes[outcomes["economy"] != WORLD], "real income"
    own = base["real_income_change_pct"].to_numpy()
    reached = float(outcomes.loc[outcomes["economy"] == WORLD, "real_income_change_pct"].iloc[0])
    if welfare is not None and "welfare_change_pct" in welfare:
        cared = welfare["welfare_change_pct"].to_numpy()
        if bool((cared != own).any()):
            income, what, own = base["gdp_initial"].to_numpy(), "welfare", cared
            reached = float((income * own).sum() / income.sum())
    weights = settings.get("weights")
    if weights == "income":
        return [f"The planner maximises mean {what} weighted by income{guarded}: {reached:+.3f} %."]
    if weights == "equal":
        return [f"The planner maximises mean {what}, economies weighing the same{guarded}: {own.mean():+.3f} %."]
    return [f"The planner maximises mean {what} with weights of the user's{guarded}."]


def equilibria(starts: int | None, table: pd.DataFrame | None) -> list[str]:
    """How many certified equilibria of a game were found, and from how many starts; none where none was.

    Args:
        starts: of the whole game; None where that is not known.
        table: `equilibria` of the run.
    """
    if table is None or table.empty:
        return []
    count = table.loc[table["certified"].astype(bool), "equilibrium"].nunique()
    if not count:
        return []
    tried = max(starts or 1, 1)
    origin = "" if starts is None else f", from {tried} start{'s' if tried > 1 else ''} of the whole game"
    if count > 1:
        return [f"{count} different equilibria were found{origin}; this is the first of them."]
    more = " (starts=3 looks for others)" if tried == 1 and starts is not None else ""
    return [f"1 equilibrium was found{origin}{more}."]


def _world(outcomes: pd.DataFrame) -> str:
    row = outcomes[outcomes["economy"] == WORLD].iloc[0]
    pct, amount = float(row["real_income_change_pct"]), float(row["real_income_change"])
    if float(outcomes["real_income_change_pct"].abs().max()) < 1e-9:
        return "No real income changes. Without policy=, shocks= or other keys this is the baseline."
    if abs(pct) < 5e-4:
        return "Real income of the world as a whole does not change."
    verb = "rises" if pct > 0 else "falls"
    amount_in_words = money(abs(amount), str(row["unit"]))
    worth = f", which is worth {amount_in_words}" if amount_in_words else ""
    return f"Real income of the world (weighted by income) {verb} by {_pct(abs(pct))}{worth}."


def _sides(outcomes: pd.DataFrame) -> list[str]:
    own = outcomes[outcomes["economy"] != WORLD].sort_values("real_income_change_pct", ascending=False)
    gain = own[own["real_income_change_pct"] > 5e-4]
    loss = own[own["real_income_change_pct"] < -5e-4].iloc[::-1]
    found = []
    for part, verb, most in ((gain, "gain", "most"), (loss, "lose", "most")):
        if len(part) == 0:
            continue
        top = ", ".join(
            f"{row['economy']} {_signed(row['real_income_change_pct'])}"
            + (f" ({worth})" if (worth := money(row["real_income_change"], row["unit"])) else "")
            for row in part.head(_NAMED).to_dict("records")
        )
        verb = f"{verb}s" if len(part) == 1 else verb
        rest = f"; {most}: {top}" if len(part) > _NAMED else f": {top}"
        who = f"All {len(own)}" if len(part) == len(own) > 1 else f"{len(part)} of {len(own)}"
        found.append(f"{who} economies {verb}{rest}.")
    return found


def _moves(moves: pd.DataFrame | None) -> list[str]:
    """Who moved in turn, and where the last mover stood after each move."""
    if moves is None or moves.empty:
        return []
    last = moves.sort_values("move")["player"].iloc[-1]
    own = moves[moves["economy"] == last].sort_values("move")
    if own.empty:  # a union
        return []
    steps = ", ".join(
        f"{gain:+.2f} % after the move of {player}"
        for player, gain in zip(own["player"], own["real_income_change_pct"], strict=True)
    )
    return [f"Move by move, {last} stands at {steps}."]


def _drawn(summary: pd.DataFrame | None) -> list[str]:
    """How far errors in what was chosen move whom they move most."""
    if summary is None or summary.empty:
        return []
    row = summary.sort_values("std", ascending=False, kind="stable").iloc[0]
    lost = f"{100 * row['share_of_losses']:.0f}"
    return [
        f"With errors in what is chosen, {row['economy']} stands between {row['p5']:+.2f} and {row['p95']:+.2f} % "
        f"in 9 of 10 draws (without errors: {row['at_optimum']:+.2f} %) and loses in {lost} of 100."
    ]


def _rates(outcomes: pd.DataFrame) -> list[str]:
    own = outcomes[outcomes["economy"] != WORLD]
    moved = own[(own["effective_tariff_pct"] - own["effective_tariff_pct_initial"]).abs() >= 0.5]
    if moved.empty:
        return []
    order = (moved["effective_tariff_pct"] - moved["effective_tariff_pct_initial"]).abs().sort_values(ascending=False)
    words = ", ".join(
        f"{row['economy']} {row['effective_tariff_pct_initial']:.1f} → {row['effective_tariff_pct']:.1f} %"
        for row in moved.loc[order.index].head(_NAMED).to_dict("records")
    )
    return [f"Tariff revenue over imports, where it moves most: {words}."]


def _chosen(policies: pd.DataFrame) -> list[str]:
    found = []
    for kind in INSTRUMENTS:
        own = policies[(policies["instrument"] == kind.name) & policies["lower_bound"].notna()]
        if len(own):
            who = own["economy"].nunique()
            whose = own["economy"].iloc[0] if who == 1 else f"{who} economies"
            word = kind.label if len(own) == 1 else kind.plural
            verb = "sets" if who == 1 else "set"
            found.append(
                f"{whose} {verb} {len(own):,} {word}, on average {100 * own['rate'].mean():.1f} % "
                f"(before: {100 * own['initial_rate'].mean():.1f} %)."
            )
    return found


def _carbon(carbon: pd.DataFrame, welfare: pd.DataFrame) -> list[str]:
    """Emissions, who pays how much for them, leakage, and welfare with damages counted."""
    world, own = carbon[carbon["economy"] == WORLD].iloc[0], carbon[carbon["economy"] != WORLD]
    change = float(world["emissions_change_pct"])
    verb = "fall" if change < 0 else "rise"
    moved = f"Emissions of the world {verb} by {_pct(abs(change))}." if abs(change) >= 5e-4 else ""
    found = [moved or "Emissions of the world do not change."]
    payers = own[own["carbon_price"] > 0].sort_values("carbon_price", ascending=False)
    if len(payers):
        top = ", ".join(f"{row['economy']} {row['carbon_price']:.4g}" for row in payers.head(_NAMED).to_dict("records"))
        most = "; highest: " if len(payers) > _NAMED else ": "
        verb = "prices" if len(payers) == 1 else "price"
        found[0] += f" {len(payers)} of {len(own)} economies {verb} carbon, per tonne{most}{top}."
    if world["leakage_pct"] == world["leakage_pct"]:
        leak = float(world["leakage_pct"])
        found.append(
            f"Leakage: of what economies with a price no longer emit, {leak:.0f} % is emitted elsewhere."
            if leak > 0
            else "There is no leakage: economies without a price emit less, too."
        )
    if float(world["marginal_damage"]) > 0:
        up = int((welfare["welfare_change_pct"] > 5e-4).sum())
        way, worth = ("fall" if world["damage_change"] < 0 else "rise"), abs(float(world["damage_change"]))
        worth_in_words = money(worth, str(world["unit"]))
        by = f" by {worth_in_words}" if worth_in_words else ""
        found.append(f"Damages {way}{by}; with them counted, welfare rises in {up} of {len(own)} economies.")
    return found


def _signed(value: float) -> str:
    """With a third decimal where two would show a change as none."""
    return f"{value:+.2f} %" if abs(value) >= 0.02 else f"{value:+.3f} %"


def _pct(value: float) -> str:
    return f"{value:.2f} %" if value >= 0.05 else f"{value:.3f} %"
