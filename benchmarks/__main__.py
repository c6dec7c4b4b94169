"""Everything against everybody: `python -m benchmarks [--calibration icio2017]`.

Every case by every method that can do it, each in a fresh process on pinned threads with a time limit, several times;
writes medians to `benchmarks/results.json`, tables to `docs/benchmarks.md`, a picture to `docs/benchmarks.svg`. Peers
need `pip install '.[peers]'`, the picture `'.[plot]'`. `--page-only` draws again what was measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.commands import measure
from benchmarks.problems import CASES
from benchmarks.table import draw, page

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "given_tariffs": ("anderson", "contraction"),
    "china_subsidies": ("lbfgsb", "slsqp", "lbfgsb_differences", "ipopt", "adam", "published", "published_newton"),
    "china_both": ("lbfgsb", "slsqp", "adam", "published", "published_newton"),
    "us_china_dual": ("lbfgsb", "adam"),
    "trade_war": ("lbfgsb", "adam", "published", "published_newton"),
    "dual": ("lbfgsb", "adam", "published", "published_newton"),
    "cooperation": ("lbfgsb", "adam", "published", "published_newton"),
    "exporter": ("training",),
}
"""Who is asked to do what: one program cannot hold several optimisers and takes minutes to build; SLSQP is cubic in the
instruments."""
SLOW = ("ipopt", "training")
"""Have twice the time."""
TODAY = datetime.date.today().isoformat()


def run(program: str, words: list[str], calibration: str, threads: int, limit: float) -> dict[str, Any]:
    """One process: what it printed, with its wall seconds."""
    words = [sys.executable, "-m", program, *words, "--calibration", calibration]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*words, "--threads", str(threads)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"status": f"not finished in {limit:.0f} s", "wall_seconds": limit}
    wall = time.perf_counter() - began
    if process.returncode:
        reason = errors.strip().splitlines()[-1] if errors.strip() else f"exit code {process.returncode}"
        return {"status": f"failed: {reason}", "wall_seconds": wall}
    return {**json.loads(out.strip().splitlines()[-1]), "wall_seconds": wall}


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The last run, its times replaced by the medians of all, and the day."""
    timed = [key for key in ("setup_seconds", "solve_seconds", "wall_seconds") if all(key in r for r in runs)]
    return {**runs[-1], **{key: statistics.median(float(r[key]) for r in runs) for key in timed}, "measured": TODAY}


def main() -> None:
    """Run, show, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--calibration", default="stylized2017")
    parser.add_argument(
        "--only", nargs="*", choices=CASES, metavar="CASE", help="these again; the rest as measured before"
    )
    parser.add_argument(
        "--methods", nargs="*", metavar="METHOD", help="of these cases, these methods again; the rest as before"
    )
    parser.add_argument("--repeat", type=int, default=3, help="times each is run; those over a minute, once")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one run; some peers have twice as many")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--page-only", action="store_true", help="no runs: the page from the results there are")
    arguments = parser.parse_args()
    if arguments.page_only:
        _show(json.loads(arguments.results.read_text()), arguments.page)
        return
    given = (arguments.calibration, arguments.threads)
    kept: dict[str, Any] = {}
    if (arguments.only is not None or arguments.methods is not None) and arguments.results.is_file():
        kept = json.loads(arguments.results.read_text())
        if kept["calibration"] != arguments.calibration:
            parser.error(f"{arguments.results} is of {kept['calibration']}: leave out --only")
    commands = kept.get("commands") or measure(*given, arguments.repeat)
    pieces = kept.get("pieces") or {**run("benchmarks.pieces", [], *given, 2 * arguments.limit), "measured": TODAY}
    results: dict[str, dict[str, Any]] = kept.get("cases", {})
    for case in CASES if arguments.only is None else arguments.only:
        methods = [m for m in ("ours", *PEERS[case]) if arguments.methods is None or m in arguments.methods]
        before = results.get(case, {}) if arguments.methods is not None else {}
        results[case] = {m: before[m] for m in ("ours", *PEERS[case]) if m in before}
        for method in methods:
            limit = arguments.limit * (2 if method in SLOW else 1)
            runs = [run("benchmarks.solve", [case, method], *given, limit)]
            while len(runs) < arguments.repeat and float(runs[0]["wall_seconds"]) < 60:
                runs.append(run("benchmarks.solve", [case, method], *given, limit))
            results[case][method] = medians(runs)
            results[case] = {m: results[case][m] for m in ("ours", *PEERS[case]) if m in results[case]}
            print(case, method, json.dumps(results[case][method]), flush=True)
        content = {
            "calibration": arguments.calibration, "threads": arguments.threads, "limit": arguments.limit,
            "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
            "commands": commands, "pieces": pieces,
            "cases": {name: results[name] for name in CASES if name in results},
        }  # fmt: skip
        arguments.results.write_text(json.dumps(content, indent=2) + "\n")
        _show(content, arguments.page)


def _show(content: dict[str, Any], place: Path) -> None:
    place.write_text(page(content))
    draw(content, place.with_suffix(".svg"))


if __name__ == "__main__":
    main()
