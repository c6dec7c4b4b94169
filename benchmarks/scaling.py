"""Cost against size on synthetic economies: `python -m benchmarks.scaling`.

Every task in a fresh process on one thread, limited in processor seconds; writes `benchmarks/scaling.json` and the
tables of `docs/scaling.md`. Seconds are processor seconds of the task alone, memory is the peak of its process.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = ("7x44", "14x44", "30x30", "44x16", "77x45")
TASKS = ("equilibrium", "gradient", "unilateral", "nash", "partner")
CHOICES = ("chosen", "other")
"""The way of solving that the size decides on, and the other one."""
WAYS = ("dense", "matrix-free")
BOTH = ("7x44", "14x44", "44x16", "30x30", "44x30", "50x35", "77x45")
"""Sizes at which the two ways of solving are compared."""
RISE = 1.3
"""The large tariff change: every factor 1+t between countries times this."""
Record = dict[str, Any]


def child(size: str, task: str, choice: str) -> Record:
    """One task, in this process."""
    import torch

    from dlopt.calibrations import synthetic
    from dlopt.framework.joint import JointNewton
    from dlopt.framework.tape import Tape
    from dlopt.trade.api import build_model
    from dlopt.trade.equilibrium import find_equilibrium
    from dlopt.trade.game import TradeGame, own_welfare
    from dlopt.trade.instruments import InstrumentChoice, build_instruments
    from dlopt.trade.run import Run

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    n, j = map(int, size.split("x"))
    model = build_model(synthetic(n, j))
    dense = (model.size <= model.dense_up_to) == (choice == "chosen")
    model.dense_up_to = model.size if dense else 0
    tau, epsilon, sigma = model.wedges0
    abroad = ~torch.eye(n, dtype=torch.bool)[:, :, None]
    found: Record = {"unknowns": model.size, "instruments": 0, "status": "converged", "way": WAYS[not dense]}
    parts: collections.Counter[str] = collections.Counter()
    alone = InstrumentChoice(tariff="mfn", subsidy="by_sector")
    tariffs = InstrumentChoice(tariff="by_sector" if task == "partner" else "mfn")
    _time_parts(parts)

    def equilibrium() -> None:
        result = find_equilibrium(model, (tau + math.log(RISE) * abroad, epsilon, sigma))
        found.update(status=str(result.outcome), residual=result.residual)

    def gradient() -> None:
        point.gradient()

    def hessian() -> None:
        point.hessian(0)

    def optimum() -> None:
        run = Run(model, instruments, 1, 0, "baseline", None, None, Tape())
        result = run.solve(own_welfare(model, instruments.members), JointNewton())
        found.update(status=result.status, iterations=len(result.iterations), message=result.message)
        found["first_order_residual"] = result.certificate.first_order_residual

    if task != "equilibrium":
        everyone = task in ("gradient", "nash", "partner")
        instruments = build_instruments(model, tariffs if everyone else alone, players="all" if everyone else ("E1",))
        found["instruments"] = instruments.count
        game = TradeGame(model, instruments)
        point = game.point(instruments.average(model.wedges0))
    work = {"equilibrium": equilibrium, "gradient": gradient, "hessian": hessian}.get(task, optimum)
    parts.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    found["seconds"], found["wall_seconds"] = time.process_time() - cpu, time.perf_counter() - wall
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parts["other"] = found["seconds"] - parts.total()
    return {**found, "parts": dict(parts)}


def _time_parts(parts: collections.Counter[str]) -> None:
    """Add the processor time of what a solve is made of to `parts`; none of these calls another."""
    from dlopt.trade import conditions, curvature, derivatives, factors, krylov, model, sectors, side_by_side

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                parts[name] += time.process_time() - began

        return call

    for owner, method, name in (
        (derivatives.Linearisation, "__init__", "weights"),
        (derivatives.Linearisation, "factors", "factors"),
        (factors.EquilibriumFactors, "solve", "solves"),
        (factors.EquilibriumFactors, "solve_transposed", "solves"),
        (krylov.KrylovFactors, "solve", "solves"),
        (krylov.KrylovFactors, "solve_transposed", "solves"),
        (curvature.Curvature, "along", "curvature"),
        (curvature.Curvature, "mixed", "curvature"),
        (curvature.Curvature, "direct", "curvature"),
        (sectors.SectorPoint, "__init__", "weights"),
        (krylov.Preconditioner, "__init__", "factors"),
        (conditions, "gmres_together", "solves"),
        (side_by_side, "gmres_apart", "solves"),
    ):
        setattr(owner, method, timed(name, getattr(owner, method)))
    equations = model.TradeModel.equations

    def timed_equations(self: model.TradeModel, wedges: model.LogWedges) -> Callable[..., Any]:
        return timed("residuals", equations(self, wedges))

    model.TradeModel.equations = timed("residuals", timed_equations)


def run(size: str, task: str, choice: str, limit: int) -> Record:
    """One task in a process of its own, stopped after `limit` processor seconds."""
    words = [sys.executable, "-m", "benchmarks.scaling", "--child", size, task, choice]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Start-up and setting up are not the task's.
    capped = functools.partial(resource.setrlimit, resource.RLIMIT_CPU, (limit + 30, limit + 60))
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=capped)
    if done.returncode == 0:
        return {"size": size, "task": task, "choice": choice, **json.loads(done.stdout.strip().splitlines()[-1])}
    lines = done.stderr.strip().splitlines()
    reason = f"not finished in {limit} s" if done.returncode < 0 else lines[-1] if lines else "failed"
    return {"size": size, "task": task, "choice": choice, "status": reason}


def exponent(records: list[Record], quantity: str) -> float | None:
    """Slope of log `quantity` on log unknowns, least squares; None with fewer than three points."""
    points = [(math.log(r["unknowns"]), math.log(r[quantity])) for r in records if quantity in r]
    if len(points) < 3:
        return None
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def tables(records: list[Record]) -> str:
    """Markdown: cost by size and task, exponents, both ways of solving, what the time goes into."""

    def cell(size: str, task: str, key: str = "choice", value: str = "chosen") -> str:
        r = next((r for r in records if (r["size"], r["task"], r.get(key)) == (size, task, value)), None)
        if r is None:
            return "not run"
        return f"{_seconds(r['seconds'])} s, {r['peak_mb']:.0f} MB" if "seconds" in r else r["status"]

    def slope(task: str, way: str, quantity: str) -> str:
        value = exponent([r for r in records if (r["task"], r.get("way")) == (task, way)], quantity)
        return "" if value is None else f"{value:.1f}"

    out = ["| N x J | unknowns | equilibrium | gradient | unilateral | Nash, MFN | by sector and partner |"]
    out.append("|---|---:|---:|---:|---:|---:|---:|")
    for size in SIZES:
        out.append(f"| {size} | {unknowns(size):,} | {' | '.join(cell(size, task) for task in TASKS)} |")
    slopes = (slope(task, "dense", "seconds") for task in TASKS)
    out.append(f"| exponent of time, up to 4,000 unknowns | | {' | '.join(slopes)} |")
    out += ["", "| N x J | unknowns | equilibrium, dense | matrix-free | Hessian, dense | matrix-free |"]
    out.append("|---|---:|---:|---:|---:|---:|")
    columns = [(task, way) for task in ("equilibrium", "hessian") for way in WAYS]
    for size in sorted(BOTH, key=unknowns):
        cells = (cell(size, task, "way", way) for task, way in columns)
        out.append(f"| {size} | {unknowns(size):,} | {' | '.join(cells)} |")
    for name, quantity in (("time", "seconds"), ("memory", "peak_mb")):
        slopes = (slope(task, way, quantity) for task, way in columns)
        out.append(f"| exponent of {name} | | {' | '.join(slopes)} |")
    names = ("solves", "factors", "weights", "residuals", "curvature", "other")
    out += ["", f"| share of time, % | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for r in records:
        if r["choice"] == "chosen" and "parts" in r and r["task"] in ("equilibrium", "unilateral", "nash", "partner"):
            shares = (f"{100 * r['parts'].get(name, 0.0) / r['seconds']:.0f}" for name in names)
            out.append(f"| {r['task']}, {r['size']} | {' | '.join(shares)} |")
    return "\n".join(out)


def unknowns(size: str) -> int:
    """2N + 3NJ."""
    n, j = map(int, size.split("x"))
    return 2 * n + 3 * n * j


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def main() -> None:
    """Run what is asked for, keep the rest of the results, write and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--child", nargs=3, metavar=("SIZE", "TASK", "CHOICE"), help=argparse.SUPPRESS)
    parser.add_argument("--sizes", nargs="*", default=list(dict.fromkeys((*SIZES, *BOTH))))
    parser.add_argument("--tasks", nargs="*", choices=(*TASKS, "hessian"), default=[*TASKS, "hessian"])
    parser.add_argument("--limit", type=int, default=600, help="processor seconds for one task")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "scaling.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "scaling.md")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(*arguments.child)))
        return
    kept: list[Record] = json.loads(arguments.results.read_text()) if arguments.results.is_file() else []
    for size in sorted(arguments.sizes, key=unknowns):
        for task in arguments.tasks:
            compared = size in BOTH and task in ("equilibrium", "hessian")
            for choice in CHOICES if compared else CHOICES[:1] if size in SIZES else ():
                record = run(size, task, choice, arguments.limit)
                print(record, flush=True)
                kept = [r for r in kept if (r["size"], r["task"], r["choice"]) != (size, task, choice)] + [record]
                kept.sort(key=lambda r: (r["task"], unknowns(r["size"]), r["choice"]))
                arguments.results.write_text(json.dumps(kept, indent=1) + "\n")
    begin, end = "<!-- measured -->", "<!-- end -->"
    before, _, rest = arguments.page.read_text().partition(begin)
    arguments.page.write_text(f"{before}{begin}\n{tables(kept)}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
