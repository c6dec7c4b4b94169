"""What is shown of a solve of the trade model: while it runs, when it has ended, and beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlopt.errors import DloptError
from dlopt.framework.steps import step_in_words
from dlopt.kind import Cell, Ended, Sheet
from dlopt.runs.tables import average_policies
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE, FIRST_ORDER_TOLERANCE, GAIN_TOLERANCE_PCT
from dlopt.trade.outcomes import WORLD
from dlopt.trade.rates import INSTRUMENTS

if TYPE_CHECKING:
    import pandas as pd

_INSTRUMENT = {kind.name: kind.label for kind in INSTRUMENTS}
_LONGEST, _ENDS = 40, 10
"""Of more economies than that, so many that gain most and lose most are shown, and those who set policies if few."""


def describe(info: Any) -> str:
    """An iteration in words: `step 12, best answer of CHN: off by 3.1e-07, done at 1e-08 · IND -0.52 %, CHN +1.80 %`;
    real incomes of who loses and gains most come last."""
    parts = [step_in_words(info.iteration, info.phase, info.player, info.first_order_residual)]
    if info.welfare and len(set(info.welfare.values())) > 1:
        low, high = min(info.welfare, key=info.welfare.get), max(info.welfare, key=info.welfare.get)
        parts.append(f"{low} {info.welfare[low]:+.2f} %, {high} {info.welfare[high]:+.2f} %")
    return " · ".join(parts)


def sheets(ended: Ended) -> list[Sheet]:
    """Everything, for 80 columns."""
    found = []
    welfare, draws, summary = ended.table("welfare"), ended.table("draws"), ended.table("draws_summary")
    if welfare is not None:
        found.append(welfare_sheet(welfare, ended.table("policies"), ended.table("outcomes")))
    carbon = ended.table("carbon")
    if carbon is not None:
        found.append(carbon_sheet(carbon, welfare))
    moves = ended.table("moves")
    if moves is not None:
        found.append(moves_sheet(moves))
    if draws is not None and summary is not None:
        found.append(draws_sheet(summary, draws["draw"].nunique()))
    households = ended.table("households")
    if households is not None:
        found.append(households_sheet(households))
    formulas = ended.table("formulas")
    if formulas is not None:
        found.append(formulas_sheet(formulas))
    worlds = ended.table("worlds")
    if worlds is not None:
        found.append(worlds_sheet(worlds))
    intervals, evidence = ended.table("intervals"), ended.table("evidence")
    if intervals is not None:
        found.append(interval_sheet(intervals))
    averages = ended.table("interval_averages")
    if averages is not None and len(averages):
        found.append(average_sheet(averages))
    if evidence is not None and len(evidence):
        found.append(evidence_sheet(evidence))
    if ended.certificate:
        found.append(certificate_sheet(ended.certificate))
    return found


def compare(runs: Sequence[Ended]) -> list[Sheet]:
    """Real income changes and average rates in per cent, runs across (named by position, from 1)."""
    import pandas as pd

    welfare, rates = {}, {}
    for k, run in enumerate(runs, start=1):
        table, policies = run.table("welfare"), run.table("policies")
        if table is None or policies is None:
            raise DloptError(f"Run {k} ({run.status}) has no tables; only runs that reached a result can be compared.")
        welfare[str(k)] = _with_world(table, run.table("outcomes"))
        rates[str(k)] = average_policies(policies).set_index(["instrument", "economy"])["rate_pct"]
    return [
        _side_by_side("Real income change, %", _with_difference(pd.concat(welfare, axis=1, sort=False)), "+.3f"),
        _side_by_side("Simple average rates, %", _in_order(pd.concat(rates, axis=1, sort=False), welfare), ".2f"),
    ]


def welfare_sheet(welfare: pd.DataFrame, policies: pd.DataFrame | None, outcomes: pd.DataFrame | None = None) -> Sheet:
    """Changes by economy, and simple averages of the rates it chose or changed: before and after.

    The last row is the world where `outcomes` tells of it: every economy counts with its income.
    """
    averages = None if policies is None or policies.empty else average_policies(policies)
    kinds = [] if averages is None else [kind for kind in _INSTRUMENT if kind in set(averages["instrument"])]
    shown, title = welfare, "Changes and average rates, %"
    if len(welfare) > _LONGEST:
        shown = _that_matter(welfare, [] if averages is None else list(averages["economy"]))
        title += f": {len(shown)} of {len(welfare)} economies, those that matter most (outcomes.parquet has all)"
    rows: list[Sequence[str | Cell]] = []
    for row in shown.to_dict("records"):
        economy = str(row["economy"])
        cells: list[str | Cell] = [economy, _gain(float(row["real_income_change_pct"]))]
        for column in ("nominal_income_change_pct", "price_index_change_pct", "wage_change_pct"):
            cells.append(f"{row[column]:+.2f}")
        if averages is not None:
            cells += [_moved(averages, economy, kind) for kind in kinds]
        rows.append(cells)
    world = None if outcomes is None else outcomes.loc[outcomes["economy"] == WORLD, "real_income_change_pct"]
    if world is not None and len(world):
        rows.append([WORLD, _gain(float(world.iloc[0])), *[""] * (3 + len(kinds))])
    heads = ("real\nincome", "nominal\nincome", "consumer\nprices", "nominal\nwage")
    return Sheet(title, ("\neconomy", *heads, *(f"\n{_INSTRUMENT[kind]}" for kind in kinds)), rows)


def _that_matter(welfare: pd.DataFrame, active: Sequence[str]) -> pd.DataFrame:
    """Rows of those who gain and lose most, and of those who set policies where they are few, as ordered before."""
    gains = welfare["real_income_change_pct"]
    kept = {*gains.nlargest(_ENDS).index, *gains.nsmallest(_ENDS).index}
    if len(set(active)) <= _ENDS:
        kept |= {*welfare.index[welfare["economy"].isin(active)]}
    return welfare.loc[sorted(kept)]


def _gain(value: float) -> Cell:
    return Cell(f"{value:+.3f}", "good" if value >= 0 else "bad")


def carbon_sheet(carbon: pd.DataFrame, welfare: pd.DataFrame | None) -> Sheet:
    """Emissions, what is paid for them, what they cost, and welfare with damages counted."""
    gains = {} if welfare is None else dict(zip(welfare["economy"], welfare["welfare_change_pct"], strict=True))
    rows = []
    for row in carbon.to_dict("records"):
        economy, gain = str(row["economy"]), gains.get(row["economy"])
        price, change = row["carbon_price"], row["emissions_change_pct"]
        cells: list[str | Cell] = [
            economy, f"{row['emissions_initial']:,.4g}", "" if change != change else f"{change:+.2f}",
            f"{price:.4g}" if price > 0 else "", f"{row['marginal_damage']:.4g}",
        ]  # fmt: skip
        cells.append("" if gain is None else Cell(f"{gain:+.3f}", "good" if gain >= 0 else "bad"))
        rows.append(cells)
    columns = ("economy", "emissions before", "change, %", "price per tonne", "marginal damage", "welfare, %")
    return Sheet("Carbon", columns, rows)


def moves_sheet(moves: pd.DataFrame) -> Sheet:
    """Everybody's real income after each move, in the order of the moves."""
    wide = moves.pivot(index="economy", columns="move", values="real_income_change_pct")
    movers = moves.drop_duplicates("move").set_index("move")["player"]
    rows = [(str(name), *(f"{value:+.3f}" for value in wide.loc[name])) for name in moves["economy"].unique()]
    return Sheet("Real income after each move, %", ("economy", *(f"{k}: {movers[k]}" for k in wide.columns)), rows)


def draws_sheet(summary: pd.DataFrame, count: int) -> Sheet:
    """Quantiles of everybody's welfare over random draws of subsidies, beside welfare at the optimum."""
    rows = []
    for row in summary.to_dict("records"):
        figures = [f"{row[name]:+.3f}" for name in ("at_optimum", "mean")]
        figures += [f"{row['std']:.3f}", *(f"{row[name]:+.3f}" for name in ("p5", "p50", "p95"))]
        rows.append((str(row["economy"]), *figures, f"{100 * row['share_of_losses']:.1f}"))
    columns = ("economy", "optimum", "mean", "std", "p5", "p50", "p95", "losses, %")
    return Sheet(f"Real income over {count} draws of subsidies, %", columns, rows)


def households_sheet(households: pd.DataFrame) -> Sheet:
    """Prices and real consumption by group of households."""
    names = ("consumer_price_change_pct", "real_consumption_change_pct", "difference_pct")
    rows = [
        (str(row["economy"]), str(row["group"]), *(f"{row[name]:+.3f}" for name in names))
        for row in households.to_dict("records")
    ]
    heads = ("economy", "group", "their prices", "real consumption", "less average")
    return Sheet("Households, %", heads, rows, left=2)


def formulas_sheet(formulas: pd.DataFrame) -> Sheet:
    """Real income at the optimum, and where the player follows the formulas instead."""
    names = ("optimum_pct", "formula_pct", "difference_pct")
    rows = [(str(row["economy"]), *(f"{row[name]:+.4f}" for name in names)) for row in formulas.to_dict("records")]
    return Sheet("Real income, %: sufficient statistics", ("economy", "optimum", "formulas", "difference"), rows)


def worlds_sheet(worlds: pd.DataFrame) -> Sheet:
    """Real income of who chose over all worlds: its policy, the best at the point estimate, and with foresight."""
    rows = []
    for name, words in (
        ("gain_pct", "this policy"), ("point_gain_pct", "best at the point estimate"), ("best_pct", "knowing the world")
    ):  # fmt: skip
        gains, weight = worlds[name], worlds["probability"]
        regret = (worlds["best_pct"] - gains).max()
        rows.append((words, f"{(gains * weight).sum():+.4f}", f"{gains.min():+.4f}", f"{regret:.4f}"))
    title = f"Real income over {len(worlds)} worlds, % (chosen by: {worlds['criterion'].iloc[0]})"
    return Sheet(title, ("", "mean", "worst", "largest regret"), rows)


def interval_sheet(intervals: pd.DataFrame) -> Sheet:
    """Real incomes with what uncertain parameters make of them."""
    rows = []
    for row in intervals.to_dict("records"):
        answer, low, high = (f"{row[name]:+.3f}" for name in ("real_income_change_pct", "low", "high"))
        rows.append((str(row["economy"]), str(row["method"]), answer, f"{row['standard_error']:.3f}", low, high))
    columns = ("economy", "method", "real income", "standard error", "low", "high")
    return Sheet("Real income with uncertain parameters, %", columns, rows, left=2)


def average_sheet(averages: pd.DataFrame) -> Sheet:
    """Average rates of every player with what uncertain parameters make of them."""
    rows = [
        (
            str(row["player"]),
            _INSTRUMENT.get(row["kind"], str(row["kind"])),
            str(row["method"]),
            *(f"{row[name]:.2f}" for name in ("rate", "standard_error", "low", "high")),
        )
        for row in averages.to_dict("records")
    ]
    columns = ("player", "chosen", "method", "average rate", "standard error", "low", "high")
    return Sheet("Chosen rates with uncertain parameters, %", columns, rows, left=3)


def evidence_sheet(evidence: pd.DataFrame, count: int = 5) -> Sheet:
    """The parameters which it would help most to know, and the economy that each helps most."""
    rows = []
    for name in evidence["parameter"].drop_duplicates().head(count):
        own = evidence[evidence["parameter"] == name]
        best = own.loc[own["narrower_pct"].idxmax()]
        average, most = f"{best['average_pct']:.1f}", f"{best['narrower_pct']:.1f}"
        rows.append((str(best.get("name", name)), average, str(best["economy"]), most))
    columns = ("if known exactly", "average", "most for", "there")
    return Sheet("Which evidence would matter: by how much intervals narrow, %", columns, rows)


def certificate_sheet(certificate: Mapping[str, Any]) -> Sheet:
    """Each figure of the certificate, what is asked of it, and whether it holds."""
    scale = certificate.get("curvature_scale") or 0.0
    asked: tuple[tuple[str, str, float | None], ...] = (
        ("equilibrium_residual", "equilibrium residual", EQUILIBRIUM_TOLERANCE),
        ("first_order_residual", "first-order residual", FIRST_ORDER_TOLERANCE),
        ("max_own_curvature", "largest own curvature", 1e-9 * scale),
        ("best_response_gain_pct", "gain from deviating, %", GAIN_TOLERANCE_PCT),
        ("walras_residual", "Walras residual", None),
        ("at_bound", "instruments at a bound", None),
        ("flat_directions", "flat directions", None),
    )
    rows: list[Sequence[str | Cell]] = []
    for key, label, limit in asked:
        value = certificate.get(key)
        if not isinstance(value, int | float):
            if key == "best_response_gain_pct" and certificate.get("first_order_residual") is not None:
                rows.append((label, "not tried", f"≤ {limit:.0e}", Cell("fail", "bad")))
            continue
        figure = f"{value}" if isinstance(value, int) else f"{value:.1e}"
        if key == "at_bound" and certificate.get("instruments"):
            label = f"at a bound, of {certificate['instruments']}"
        rows.append((label, figure, "" if limit is None else f"≤ {limit:.0e}", _verdict(value, limit)))
    return Sheet("Certificate", ("", "value", "asked", ""), rows, proof=True)


def _moved(averages: pd.DataFrame, economy: str, kind: str) -> str:
    own = averages[(averages["economy"] == economy) & (averages["instrument"] == kind)]
    if own.empty:
        return ""
    before, after = float(own["initial_pct"].iloc[0]), float(own["rate_pct"].iloc[0])
    return f"{before:.1f} → {after:.1f}" if abs(after - before) >= 0.05 else f"{after:.1f}"


def _verdict(value: float, limit: float | None) -> str | Cell:
    if limit is None:
        return ""
    return Cell("pass", "good") if value <= limit else Cell("fail", "bad")


def _with_world(welfare: pd.DataFrame, outcomes: pd.DataFrame | None) -> pd.Series:
    """Real income by economy, and below it of the world where the run tells."""
    import pandas as pd

    gains = welfare.set_index("economy")["real_income_change_pct"]
    if outcomes is None:
        return gains
    return pd.concat([gains, outcomes.set_index("economy").loc[[WORLD], "real_income_change_pct"]])


def _with_difference(frame: pd.DataFrame) -> pd.DataFrame:
    """With the difference of two runs beside them; of more runs every reader wants another one."""
    return frame.assign(**{"2 less 1": frame["2"] - frame["1"]}) if len(frame.columns) == 2 else frame


def _in_order(rates: pd.DataFrame, welfare: Mapping[str, pd.Series]) -> pd.DataFrame:
    """By instrument, then in the order of the economies."""
    kinds = list(_INSTRUMENT)
    economies = list(dict.fromkeys(label for gains in welfare.values() for label in gains.index))
    return rates.loc[sorted(rates.index, key=lambda key: (kinds.index(key[0]), economies.index(key[1])))]


def _side_by_side(title: str, frame: pd.DataFrame, form: str) -> Sheet:
    keys = [str(name) for name in frame.index.names]
    rows = []
    for index, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        labels = index if isinstance(index, tuple) else (index,)
        rows.append((*map(str, labels), *("" if v != v else f"{v:{form}}" for v in values)))
    return Sheet(title, (*keys, *map(str, frame.columns)), rows, left=len(keys))
