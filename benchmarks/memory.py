"""Memory and time of the trade war against the number of flows: `python -m benchmarks.memory [NxJ ...]`.

Each world (`dlopt.calibrations.synthetic`, seed 0) is solved in a fresh process, all countries with a tariff on every
flow: played, its own curvature proven, and one player drawn at random looks for deviations. Peak memory is that of the
whole process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

SIZES = ("14x44", "30x30", "44x30", "60x40", "77x45")


def child(size: str) -> dict[str, float | str]:
    """Solve in this process."""
    import torch

    from dlopt import InstrumentChoice, JointNewton, solve_nash
    from dlopt.calibrations import synthetic

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    economies, sectors = map(int, size.split("x"))
    world = synthetic(economies, sectors)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = solve_nash(world, instruments=InstrumentChoice(tariff="by_sector"), solver=JointNewton(verify_players=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "size": size, "flows": economies**2 * sectors, "status": found.status, "seconds": time.process_time() - began,
        "mb_before": before / 1024, "mb": peak / 1024,
    }  # fmt: skip


def main(sizes: list[str]) -> None:
    """Measure, print a table."""
    rows = []
    for size in sizes or SIZES:
        words = [sys.executable, "-m", "benchmarks.memory", "--child", size]
        done = subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        done.check_returncode()
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    print("| N x J | N^2 J | peak, MB | before solving, MB | bytes per flow above that | status | seconds |")
    print("|---|---:|---:|---:|---:|---|---:|")
    for row in rows:
        more = 2**20 * (row["mb"] - row["mb_before"]) / row["flows"]
        print(
            f"| {row['size']} | {row['flows']:,} | {row['mb']:.0f} | {row['mb_before']:.0f} | {more:,.0f} "
            f"| {row['status']} | {row['seconds']:.0f} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2])))
    else:
        main(sys.argv[1:])
