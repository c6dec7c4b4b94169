"""Time and memory of the trade commands: whole processes, as a user runs them.

    python benchmarks/trade_speed.py --calibration icio2017 [--repeat 3] [--only dual]

Prints a table, and writes JSON with `--json FILE`. Times are of this machine as it is; compare within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = {
    "given tariffs": "equilibrium scenario=us_china_2018",
    "China's subsidies": "unilateral scenario=subsidy player=CHN",
    "China, all instruments": "unilateral scenario=china_unilateral",
    "US-China dual": "nash scenario=us_china_dual",
    "trade war": "nash scenario=trade_war",
    "subsidies": "nash scenario=subsidy",
    "dual": "nash scenario=dual",
    "dual, all sectors": "nash scenario=dual instruments.sectors=all",
    "cooperative tariffs": "cooperative scenario=cooperation_tariff",
    "cooperative dual": "cooperative scenario=cooperation",
}


def run(case: str, calibration: str, folder: Path) -> dict[str, object]:
    """One run in a fresh process: wall and processor seconds, peak memory in MB, and what it proved."""
    target = folder / case.replace(" ", "_").replace(",", "").replace("'", "")
    words = ["dlopt", "solve", *CASES[case].split(), f"calibration={calibration}", f"hydra.run.dir={target}"]
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    record = json.loads((target / "run.json").read_text())
    return {
        "wall_seconds": wall, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024,
        "exit_code": os.waitstatus_to_exitcode(status), "status": record["status"],
        "first_order_residual": record["certificate"].get("first_order_residual"),
    }  # fmt: skip


def main() -> None:
    """Run the cases and show medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calibration", default="stylized2017")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {}
    print(f"| case ({arguments.calibration}) | wall s | CPU s | peak MB | status | first-order residual |")
    print("|---|---:|---:|---:|---|---:|")
    for case in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            runs = [run(case, arguments.calibration, Path(folder) / str(k)) for k in range(arguments.repeat)]
        middle = {k: statistics.median(r[k] for r in runs) for k in ("wall_seconds", "cpu_seconds", "peak_mb")}
        results[case] = {"runs": runs, "median": middle, "command": f"dlopt solve {CASES[case]}"}
        residual = runs[0]["first_order_residual"]
        shown = "" if residual is None else f"{residual:.0e}"
        times = " | ".join(f"{middle[k]:.1f}" for k in ("wall_seconds", "cpu_seconds"))
        print(f"| {case} | {times} | {middle['peak_mb']:.0f} | {runs[0]['status']} | {shown} |", flush=True)
    if arguments.json:
        report = {
            "calibration": arguments.calibration,
            "cores": os.cpu_count(),
            "python": sys.version,
            "cases": results,
        }
        arguments.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
