"""Draws answers.svg, the picture of the README, from solves on `icio2017`: `python docs/answers.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

import dlopt
from dlopt.policies import policy_from, retaliate

NAMES = {"BRA": "Brazil", "CHN": "China", "EU": "EU", "IND": "India", "JPN": "Japan",
         "ROW": "Rest of world", "USA": "USA"}  # fmt: skip
ANSWERS = {"none": "nobody answers", "reciprocal": "EU answers in kind", "optimal": "EU's best answer",
           "nash": "EU and US choose again"}  # fmt: skip
GAMES = {"tariffs: trade war": {"tariff": "by_sector"}, "subsidies": {"subsidy": "by_sector"},
         "tariffs and subsidies": {"tariff": "by_sector", "subsidy": "by_sector"}}  # fmt: skip
COLOURS = ("#8c8c8c", "#56b4e9", "#0072b2", "#d55e00")  # told apart by readers who are colour-blind, too


def gains(result: dlopt.SolveResult) -> dict[str, float]:
    """Real income, % against the baseline, of a certified result."""
    assert result.status == "converged", result.message
    return dict(result.table("welfare").set_index("economy")["real_income_change_pct"])


def bars(axes: plt.Axes, cases: dict[str, dict[str, float]], economies: list[str], title: str) -> None:
    """Horizontal bars, a group for each economy."""
    height = 0.8 / len(cases)
    for k, (label, values) in enumerate(cases.items()):
        places = [n + k * height for n in range(len(economies))]
        axes.barh(places, [values[e] for e in economies], height * 0.9, label=label, color=COLOURS[k])
    axes.set_yticks([n + 0.4 - height / 2 for n in range(len(economies))], [NAMES[e] for e in economies])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel("real income, % against the baseline")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def main() -> None:
    """Solve and draw."""
    world = dlopt.load_calibration("icio2017")
    steel = policy_from("USA: 25% on steel,motor vehicles from all", world).policy
    answers = {label: gains(retaliate(world, steel, how, ["EU"])) for how, label in ANSWERS.items()}
    games = {label: gains(dlopt.solve_nash(world, instruments=chosen)) for label, chosen in GAMES.items()}
    plt.rcParams.update({"svg.hashsalt": "dlopt", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    bars(left, answers, ["USA", "EU", "JPN", "CHN"], "25 % on steel and motor vehicles by the US")
    bars(right, games, list(NAMES), "All seven choose, until nobody gains by changing")
    figure.savefig(Path(__file__).with_name("answers.svg"), metadata={"Date": None, "Creator": "docs/answers.py"})


if __name__ == "__main__":
    main()
