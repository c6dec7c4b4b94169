"""`docs/benchmarks.md` from the results."""

from __future__ import annotations

from typing import Any

from benchmarks.problems import CASES

NAMES = {
    "ours": "dlopt, verification included",
    "lbfgsb": "SciPy L-BFGS-B on dlopt's equilibria and gradients",
    "slsqp": "SciPy SLSQP on dlopt's equilibria and gradients",
    "lbfgsb_differences": "SciPy L-BFGS-B, finite differences",
    "ipopt": "CasADi and IPOPT, everything at once, exact derivatives",
    "adam": "the published algorithm, 20 rounds of 50 steps, rate 1e-3",
    "contraction": "plain iteration",
    "anderson": "Anderson mixing of 8",
}
_HEAD = """# Benchmarks

Made by `python -m benchmarks --calibration {calibration}` (peers: `pip install '.[peers]'`) on {cores} cores
({machine}, Python {python}), every entry in a process of its own with {threads} thread(s) and {limit:.0f} s to do it.
Set-up is loading the data and, for IPOPT, building the program; imports are left out. Times are of one machine: compare
within a table. The residual is the largest projected own derivative, the same exact one for everybody (of equilibria:
the largest equation); the objective is the first player's real income relative to the baseline, or the planner's.

"""


def page(results: dict[str, Any]) -> str:
    """The page, one table per case."""
    parts = [_HEAD.format(**results)]
    for case, methods in results["cases"].items():
        ours = methods["ours"].get("solve_seconds")
        rows = [
            "| method | set-up s | solve s | times ours | residual | objective | status |",
            "|---|--:|--:|--:|--:|--:|---|",
        ]
        for method, found in methods.items():
            seconds = found.get("solve_seconds")
            residual = found.get("first_order_residual", found.get("residual"))
            objectives = found.get("objectives")
            cells = [
                NAMES[method],
                _seconds(found.get("setup_seconds")),
                _seconds(seconds),
                f"{seconds / ours:.1f}"
                if seconds and ours
                else f"> {found['wall_seconds'] / ours:.0f}"
                if ours
                else "",
                "" if residual is None else f"{residual:.0e}",
                "" if not objectives else f"{objectives[0]:.8f}",
                found["status"],
            ]
            rows.append(f"| {' | '.join(cells)} |")
        parts.append(
            f"## {CASES[case].title.capitalize() if CASES[case].title[0].islower() else CASES[case].title}\n\n"
        )
        parts.append("\n".join(rows) + "\n\n")
    return "".join(parts).rstrip() + "\n"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"
