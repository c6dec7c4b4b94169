"""`docs/benchmarks.md` and its picture from the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.notes import AFTER, START_UP
from benchmarks.problems import CASES

NAMES = {
    "ours": "dlopt, verification included",
    "lbfgsb": "SciPy L-BFGS-B on dlopt's equilibria and gradients",
    "slsqp": "SciPy SLSQP on dlopt's equilibria and gradients",
    "lbfgsb_differences": "SciPy L-BFGS-B, finite differences",
    "ipopt": "CasADi and IPOPT, everything at once, exact derivatives",
    "adam": "the published algorithm on dlopt's equilibria and gradients",
    "published": "the published algorithm: (5) inside, automatic differentiation",
    "published_newton": "the same with Newton (6) inside, which its paper sets aside",
    "contraction": "plain iteration",
    "anderson": "Anderson mixing of 8",
    "training": "the second paper's method to the letter, a twelfth of its paths",
}
_HEAD = """# Benchmarks

**In short.** How long dlopt takes, beside general-purpose optimisers and beside the algorithm of the paper, on the
same problems (7 economies, 44 sectors). Finding best policies took dlopt {least} to {most} seconds, the search for
something better included; given the same equilibria and exact gradients, the others took {quick} to {slow} times as
long where they finished, and ended less near to the optimum. Read `residual` as the distance from an optimum (zero
is exact) and `times ours` as how many times longer than dlopt.

Made by `python -m benchmarks --calibration {calibration}` (peers: `pip install '.[peers]'`) on {cores} cores
({machine}, Python {python}), every entry in a process of its own with {threads} thread(s) and some minutes to do it
(a method that did not finish says after how many); medians of three runs where one takes less than a minute. Set-up
is loading the data and, for IPOPT, building the program; imports are left out. Times are of one machine, which had
other work at the same time: compare within a table, and mind the days (`measured`): a row tells nothing of what
dlopt became later. The residual is the largest derivative of a player's welfare in its own policies, those at a
bound left out where the bound holds them; it is computed in the same way for all methods (of equilibria: the
largest error of an equation; of the exporter: the mean residual of the Bellman equation over rho V). The objective
is the first player's real income relative to the baseline, or the planner's. The published algorithm makes 20
rounds of 50 Adam steps per player at rate 1e-3 and has no test of optimality; with automatic differentiation its
whole time is estimated from two steps of every player. IPOPT solves China's subsidies only: its program has one
objective, a game has several, and the program takes minutes to build. The cost of SLSQP grows with the cube of the
number of instruments, so that it is given one country's at the most.

![Seconds to solve]({picture})

"""
_PEERS = ("lbfgsb", "slsqp", "adam")
"""Who is given dlopt's equilibria and gradients."""


def page(results: dict[str, Any]) -> str:
    """The page, one table per case."""
    parts = [_HEAD.format(picture="benchmarks.svg", **_span(results["cases"]), **results)]
    for case, methods in results["cases"].items():
        ours = methods["ours"].get("solve_seconds")
        exporter = CASES[case].exporter is not None
        last = "error of V, decisions" if exporter else "objective"
        rows = [
            f"| method | set-up s | solve s | times ours | residual | {last} | MB | status | measured |",
            "|---|--:|--:|--:|--:|--:|--:|---|---|",
        ]
        for method, found in methods.items():
            residual = found.get("first_order_residual", found.get("residual"))
            cells = [
                NAMES[method],
                _seconds(found.get("setup_seconds")),
                _seconds(found.get("solve_seconds")),
                _ratio(found, ours),
                "" if residual is None else f"{residual:.0e}",
                _quality(found, exporter),
                f"{found['peak_mb']:.0f}" if "peak_mb" in found else "",
                found["status"],
                found["measured"],
            ]
            rows.append(f"| {' | '.join(cells)} |")
        title = CASES[case].title
        parts.append(f"## {title[0].upper()}{title[1:]}\n\n" + "\n".join(rows) + "\n\n")
        parts += [f"{AFTER[case]}\n"] if case in AFTER else []
    return "".join(parts) + _commands(results["commands"]) + f"{START_UP}\n" + _pieces(results["pieces"])


def _span(cases: dict[str, Any]) -> dict[str, str]:
    """Shortest and longest of our times of policies, and of the ratios of who is given our equilibria and gradients."""
    games = [found for name, found in cases.items() if name != "given_tariffs" and not CASES[name].exporter]
    ours = [found["ours"]["solve_seconds"] for found in games]
    ratios = [
        found[peer]["solve_seconds"] / found["ours"]["solve_seconds"]
        for found in games for peer in _PEERS if "solve_seconds" in found.get(peer, {})
    ]  # fmt: skip
    span = {"least": min(ours), "most": max(ours), "slow": max(ratios)}
    return {"quick": f"{min(ratios):.1f}", **{name: f"{value:.0f}" for name, value in span.items()}}


def _commands(found: dict[str, Any]) -> str:
    """Whole processes."""
    lines = ["## Whole commands", "", "From the shell to the prompt: start-up, solving, proof, tables.", ""]
    lines += ["| | command | wall s | processor s | MB | status | residual | measured |"]
    lines += ["|---|---|--:|--:|--:|---|--:|---|"]
    for name, row in found.items():
        residual = row["first_order_residual"]
        times = f"{row['wall_seconds']:.1f} | {row['cpu_seconds']:.1f} | {row['peak_mb']:.0f}"
        shown = "" if residual is None else f"{residual:.0e}"
        lines.append(f"| {name} | `{row['command']}` | {times} | {row['status']} | {shown} | {row['measured']} |")
    return "\n".join(lines) + "\n\n"


def _pieces(found: dict[str, Any]) -> str:
    """What an iteration costs, and where the time of two whole solves goes."""
    lines = ["## One iteration, and where the time goes", ""]
    lines += [f"Dual game, milliseconds, the fastest of a few ({found['measured']}):", ""]
    lines += ["| piece | ms |", "|---|--:|"]
    lines += [f"| {name} | {value:.1f} |" for name, value in found["steps"].items()]
    lines += ["", "Seconds of a whole solve, verification included, by what they were spent on (and calls):", ""]
    lines += ["| | dual | cooperative dual |", "|---|--:|--:|"]
    dual, planner = found["dual"], found["cooperation"]
    for name, spent in dual["parts"].items():
        other = planner["parts"][name]
        cells = [f"{part['seconds']:.2f} ({part['calls']})" for part in (spent, other)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"| all | {dual['seconds']:.1f} | {planner['seconds']:.1f} |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Any], place: Path) -> None:
    """Seconds to solve by case and method, on a log scale; open marks passed their time limit or are estimates."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dlopt"
    from matplotlib import pyplot

    cases = list(results["cases"])
    shown = [m for case in cases for m, found in results["cases"][case].items() if not _broken(found)]
    methods = [m for m in NAMES if m in shown]
    figure, axes = pyplot.subplots(figsize=(9, 0.55 * len(cases) + 2.2), layout="constrained")
    for k, method in enumerate(methods):
        for row, case in enumerate(cases):
            found = results["cases"][case].get(method)
            if found is None or _broken(found):
                continue
            seconds = found.get("solve_seconds") or found["wall_seconds"]
            whole = "solve_seconds" in found and not found["status"].startswith("estimated")
            face = f"C{k}" if whole else "none"
            size = 90 if method == "ours" else 45
            axes.scatter(seconds, row, s=size, facecolors=face, edgecolors=f"C{k}", marker="D" if size > 50 else "o")
        axes.scatter([], [], color=f"C{k}", label=NAMES[method])
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [CASES[case].title for case in cases])
    axes.invert_yaxis()
    axes.set_xlabel("seconds to solve (open: time limit passed, or estimated)")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(place, metadata={"Date": None})


def _broken(found: dict[str, Any]) -> bool:
    """Ended without a result."""
    return found["status"].startswith(("failed", "non_finite", "diverged"))


def _ratio(found: dict[str, Any], ours: float | None) -> str:
    if not ours or _broken(found):
        return ""
    if "solve_seconds" in found:
        ratio = found["solve_seconds"] / ours
        return f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"
    return f"> {found['wall_seconds'] / ours:.0f}"


def _quality(found: dict[str, Any], exporter: bool) -> str:
    if exporter:
        return f"{found['relative_error']:.1e}, {100 * found['decisions']:.2f} %" if "decisions" in found else ""
    objectives = found.get("objectives")
    return f"{objectives[0]:.8f}" if objectives else ""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"
