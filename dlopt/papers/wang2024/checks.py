"""Tests of the paper's findings in words: whether each holds in computed results, and the figure that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from dlopt.framework.outcome import Outcome
from dlopt.papers.wang2024 import frames, regressions
from dlopt.papers.wang2024.figure_data import PLAYER
from dlopt.papers.wang2024.tables import average_tariff
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.policy import Policy
from dlopt.trade.results import SolveResult

_SIGNIFICANT = 1.96
Test = Callable[..., tuple[bool, str]]


def significant(estimate: Callable[[SolveResult], regressions.Fit], regressor: str, sign: int) -> Test:
    """A regression: sign 1 or -1: the slope has it and is significant at 5 %; 0: it is not significant."""

    def test(result: SolveResult) -> tuple[bool, str]:
        found = estimate(result)
        t = found.t(regressor)
        holds = abs(t) < _SIGNIFICANT if sign == 0 else sign * t > _SIGNIFICANT
        return holds, f"slope {found.slopes[regressor]:.3f}, standard error {found.errors[regressor]:.3f}"

    return test


def war_rises_more(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Slopes on log psi."""
    slopes = [regressions.tariffs_on_elasticities(result).slopes["log_psi"] for result in (war, dual)]
    return slopes[0] > slopes[1], f"slopes on log psi {slopes[0]:.3f} and {slopes[1]:.3f}"


def lower_average(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Averages of goods tariffs."""
    averages = [average_tariff(result) for result in (war, dual)]
    return averages[1] < averages[0], f"average {averages[0]:.1f} % in the trade war, {averages[1]:.1f} % in dual"


def lower_average_with_subsidies(tariff: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Averages of goods tariffs under cooperation."""
    alone, with_subsidies = average_tariff(tariff), average_tariff(dual)
    return with_subsidies < alone, f"average {alone:.2f} % with tariffs only, {with_subsidies:.2f} % with subsidies"


def all_better(less: SolveResult, more: SolveResult) -> tuple[bool, str]:
    """Every economy."""
    a, b = frames.welfare(less), frames.welfare(more)
    worse = [economy for economy in a if b[economy] <= a[economy]]
    return not worse, f"not for {', '.join(worse)}" if worse else "for every economy"


def all_but_india_better(less: SolveResult, more: SolveResult) -> tuple[bool, str]:
    """Everybody but India, and not India."""
    a, b = frames.welfare(less), frames.welfare(more)
    worse = [economy for economy in a if b[economy] <= a[economy]]
    return worse == ["IND"], f"not for {', '.join(worse) or 'none'}"


def only_india_loses(result: SolveResult) -> tuple[bool, str]:
    """India and nobody else."""
    losers = [economy for economy, change in frames.welfare(result).items() if change < 0]
    return losers == ["IND"], f"losers: {', '.join(losers) or 'none'}"


def all_gain(result: SolveResult) -> tuple[bool, str]:
    """Real income rises everywhere."""
    losers = [economy for economy, change in frames.welfare(result).items() if change <= 0]
    return not losers, f"losers: {', '.join(losers) or 'none'}"


def all_lose(*results: SolveResult) -> tuple[bool, str]:
    """Real income rises nowhere."""
    gain = sorted({e for result in results for e, change in frames.welfare(result).items() if change >= 0})
    return not gain, f"gain somewhere: {', '.join(gain) or 'none'}"


def near_zero(tariff: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Averages below 5 %."""
    averages = [average_tariff(result) for result in (tariff, dual)]
    return max(averages) < 5, f"averages {averages[0]:.2f} % (tariffs only) and {averages[1]:.2f} % (dual)"


def relative_wages(result: SolveResult) -> tuple[bool, str]:
    """Under China's optimum, among the others."""
    others = [w for e, w in frames.relative_wages(result, result.calibration.economies[0]).items() if e != "CHN"]
    spread = max(others) - min(others)
    return spread > 0.01, f"wages of the others spread over {spread:.2f} percentage points"


def nash_is_higher(alone: SolveResult, nash: SolveResult) -> tuple[bool, str]:
    """China's averages."""
    pairs = []
    for observe in (frames.tariffs, frames.subsidies):
        a, b = observe(alone), observe(nash)
        owner = "destination" if "destination" in b else "origin"
        pairs.append((100 * a["rate"].mean(), 100 * b.loc[b[owner] == "CHN", "rate"].mean()))
    words = [
        f"{name} {a:.1f} % alone, {b:.1f} % Nash" for name, (a, b) in zip(("tariffs", "subsidies"), pairs, strict=True)
    ]
    return all(b > a for a, b in pairs), "; ".join(words)


def uniform(result: SolveResult) -> tuple[bool, str]:
    """Within 10 % by importer."""
    by_importer = frames.tariffs(result).groupby("destination")["rate"]
    spread = float((by_importer.std() / by_importer.mean()).max())
    return spread < 0.1, f"largest standard deviation within an importer is {100 * spread:.0f} % of its mean"


def often_lose(draws: np.ndarray) -> tuple[bool, str]:
    """In more than a tenth of the draws."""
    share = float((draws[~np.isnan(draws)] < 0).mean())
    return share > 0.1, f"{100 * share:.0f} % of the draws make China worse off than the baseline"


def nobody_loses(result: SolveResult) -> tuple[bool, str]:
    """Real income falls nowhere."""
    found = frames.welfare(result)
    lowest = min(found, key=lambda economy: found[economy])
    return found[lowest] >= 0, f"the smallest change is {found[lowest]:+.2f} % ({lowest})"


def half_near_zero(result: SolveResult) -> tuple[bool, str]:
    """Half of the tariffs are below 1 %."""
    share = float((frames.tariffs(result)["rate"] < 0.01).mean())
    return share >= 0.5, f"{100 * share:.0f} % of the tariffs are below 1 %"


def more_real_income(less: SolveResult, more: SolveResult) -> tuple[bool, str]:
    """World real income, by income weights (equation 20)."""
    weight = less.model.income / less.model.income.sum()
    a, b = (float(weight @ result.real_income_change_pct) for result in (less, more))
    return b > a, f"{a:+.2f} % in dual competition, {b:+.2f} % in dual cooperation"


def correlate(dual: SolveResult) -> tuple[bool, str]:
    """Figure 7: tariffs on subsidies, importer effects, significant at 5 %."""
    found = regressions.tariffs_on_subsidies(dual)
    slope, error = found.slopes["subsidy"], found.errors["subsidy"]
    return found.t("subsidy") > _SIGNIFICANT, f"slope {slope:.2f}, standard error {error:.2f}"


def elasticities_oppose(result: SolveResult) -> tuple[bool, str]:
    """Table A.1: correlation of log theta and log psi over goods with scale economies."""
    c = result.calibration
    used = c.tradable & (c.psi > 0)
    correlation = float(np.corrcoef(c.theta[used].log().numpy(), c.psi[used].log().numpy())[0, 1])
    return correlation < 0, f"correlation of logs {correlation:.2f} over {int(used.sum())} sectors"


def moves_shares_more(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Figure 6: in most sectors, production shares change by more."""
    before, after = frames.production_shares(war)["change"].abs(), frames.production_shares(dual)["change"].abs()
    share = float((after.to_numpy() > before.to_numpy()).mean())
    sizes = f"mean size {before.mean():.2f} and {after.mean():.2f} points"
    return share > 0.5, f"in {100 * share:.0f} % of economies' sectors; {sizes}"


def shifts_to_scale(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Changes of production shares rise more with psi."""
    slopes = []
    for result in (war, dual):
        changed = frames.production_shares(result)
        psi = dict(zip(result.calibration.sectors, result.calibration.psi.tolist(), strict=True))
        slopes.append(float(np.polyfit(changed["sector"].map(psi), changed["change"], 1)[0]))
    return slopes[1] > slopes[0], f"points of share per unit of psi: {slopes[0]:.3f} and {slopes[1]:.3f}"


def _by_scale(result: SolveResult) -> tuple[pd.DataFrame, pd.Series]:
    observed = frames.tariffs(result)
    return observed, observed["psi"] > observed.drop_duplicates("sector")["psi"].median()


def higher_with_scale(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    """Figure 8: averages above and up to the median of psi."""
    words, gaps = [], []
    for name, result in (("trade war", war), ("dual", dual)):
        observed, high = _by_scale(result)
        above, below = 100 * observed.loc[high, "rate"].mean(), 100 * observed.loc[~high, "rate"].mean()
        gaps.append(above - below)
        words.append(f"{name} {above:.0f} % above the median, {below:.0f} % up to it")
    return bool(gaps[0] > max(gaps[1], 0)), "; ".join(words)


def prohibitive(war: SolveResult) -> tuple[bool, str]:
    """Imports of goods with psi above the median fall by nine tenths."""
    observed, high = _by_scale(war)
    c, chosen = war.calibration, observed[high]
    labels = {"origin": c.economies, "destination": c.economies, "sector": c.sectors}
    i, n, j = (torch.tensor([known.index(label) for label in chosen[name]]) for name, known in labels.items())
    after = war.model.flows(war.state, war.wedges)[i, n, j].sum() / war.model.trade[i, n, j].sum()
    words = f"{100 * float(after):.0f} % of these imports are left; highest tariff {100 * chosen['rate'].max():.0f} %"
    return float(after) < 0.1, words


def steeper_above(dual: SolveResult) -> tuple[bool, str]:
    """Figure 4: China's subsidies half higher cost it more than half lower."""
    at, rates = dual.calibration.economy_index(PLAYER), dual.policy
    change = []
    for scale in (0.5, 1.5):
        subsidy = rates.subsidy.clone()
        subsidy[at] *= scale
        found = find_equilibrium(dual.model, Policy(rates.tariff, rates.export_tax, subsidy).log_wedges(), dual.u)
        if found.outcome is not Outcome.CONVERGED:
            return False, f"no equilibrium was found with {scale:g} times the subsidies"
        gap = dual.model.log_welfare(found.u)[at] - dual.model.log_welfare(dual.u)[at]
        change.append(100 * float(torch.expm1(gap)))
    return change[1] < change[0], f"half lower {change[0]:+.2f} %, half higher {change[1]:+.2f} % of real income"


def rates_agree(*paths: Mapping[str, pd.DataFrame]) -> tuple[bool, str]:
    """Figure 3: ends of the published algorithm's paths, within 0.1 points of real income of each other."""
    ends = [path["distance"].iloc[-1] for path in paths]
    columns = [name for name in ends[0].index if str(name).startswith("welfare_")]
    apart = max(abs(float(a[name]) - float(b[name])) for a in ends for b in ends for name in columns)
    away = ", ".join(f"{max(abs(float(end[name])) for name in columns):.3f}" for end in ends)
    return apart <= 0.1, f"ends differ by up to {apart:.2f} points; from the equilibrium by {away}"


def small(*results: SolveResult) -> tuple[bool, str]:
    """Nobody's real income changes by more than 0.2 per cent."""
    largest = max(float(result.real_income_change_pct.abs().max()) for result in results)
    return largest < 0.2, f"the largest change is {largest:.3f} %"


def only_gain(*winners: str) -> Callable[[SolveResult], tuple[bool, str]]:
    """These gain and all others lose."""

    def test(result: SolveResult) -> tuple[bool, str]:
        gain = [economy for economy, change in frames.welfare(result).items() if change > 0]
        return sorted(gain) == sorted(winners), f"gain: {', '.join(gain) or 'none'}"

    return test
