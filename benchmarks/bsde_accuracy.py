"""Accuracy of the exporter's solver against exact solutions, and by its certificate where there is none.

    python benchmarks/bsde_accuracy.py [--cases blocks lumped separable gravity_strong] [--seeds 0 1 2] [--out FILE]

Each case trains for a number of steps that one core does in about the time allowed for it. Times are reported as wall
time and as processor time, because the machine may be shared. Prints JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from dlopt.bsde import AnalysisOptions, Budget, MethodOptions, preset, solve_bsde

STEPS = {"blocks": 2000, "lumped": 5000, "separable": 1000, "gravity_strong": 2000}
SMALL = AnalysisOptions(out_of_sample=500, paths=64, years=8.0, response_paths=16, response_years=2.0)


def measure(case: str, seed: int, steps: int) -> dict[str, Any]:
    """Train one model with the default method and report every figure that matters."""
    wall, cpu = time.perf_counter(), time.process_time()
    trained: dict[str, float] = {}

    def watch(progress: Any) -> bool:
        trained.update(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
        return False

    result = solve_bsde(preset(case), MethodOptions(), Budget(steps=steps), seed, "cpu", watch, analysis=SMALL)
    row: dict[str, Any] = {"case": case, "seed": seed, "steps": result.steps, "status": result.status}
    row |= {f"{key}_seconds_to_trained": round(value, 1) for key, value in trained.items()}
    row |= {"train_seconds": round(result.train_seconds, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    row |= dataclasses.asdict(result.certificate) if result.certificate else {}
    validation = result.tables().get("validation")
    for states in [] if validation is None else validation.to_dict("records"):
        keys = ("relative_error", "max_relative_error", "decision_accuracy")
        row[str(states["states"])] = {key: float(states[key]) for key in keys}
    row["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return row


def main() -> None:
    """Run the cases one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for case in options.cases:
        for seed in options.seeds:
            rows.append(measure(case, seed, options.steps or STEPS[case]))
            print(json.dumps(rows[-1]), flush=True)
    medians = {}
    for case in options.cases:
        mine = [row for row in rows if row["case"] == case]
        medians[case] = {
            f"{states}.{key}": statistics.median(row[states][key] for row in mine)
            for states in ("long_run", "drawn", "off_manifold")
            if states in mine[0]
            for key in mine[0][states]
        } | {key: statistics.median(row[key] for row in mine) for key in ("hjb_residual_rel", "value_gap_pct")}
    print(json.dumps({"medians": medians}, indent=2))
    if options.out:
        options.out.write_text(json.dumps({"runs": rows, "medians": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
