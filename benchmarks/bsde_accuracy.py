"""Accuracy of the exporter's solver against exact solutions, and by its certificate where there is none.

    python benchmarks/bsde_accuracy.py [--cases blocks lumped separable gravity_strong] [--seeds 0 1 2] [--out FILE]

Each case is solved as `dlopt solve bsde model=CASE` does it: default method, steps and analyses, one thread. Times are
processor time, because the machine may be shared. Prints JSON: a line per run, then medians over seeds.
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

from dlopt.choice import Budget, Watch, preset, solve_bsde

CASES = ("blocks", "lumped", "separable", "gravity_strong")


class PhaseClock(Watch):
    """Processor time of each part of a solve."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last, self._name = time.process_time(), "start"

    def phase(self, name: str) -> None:
        now = time.process_time()
        self.seconds[self._name] = round(now - self._last, 1)
        self._last, self._name = now, name


def measure(case: str, seed: int, steps: int | None) -> dict[str, Any]:
    """Solve one model and report every figure that matters."""
    clock = PhaseClock()
    result = solve_bsde(preset(case), None, Budget(steps=steps), seed, "cpu", clock)
    clock.phase("end")
    row: dict[str, Any] = {"case": case, "seed": seed, "steps": result.steps, "status": result.status}
    row |= {"training_cpu_seconds": clock.seconds["training"], "cpu_seconds": clock.seconds}
    row |= {"total_cpu_seconds": round(sum(clock.seconds.values()), 1)}
    row |= dataclasses.asdict(result.certificate) if result.certificate else {}
    validation = result.tables().get("validation")
    for states in [] if validation is None else validation.to_dict("records"):
        for key in ("relative_error", "max_relative_error", "decision_accuracy"):
            row[f"{states['states']}.{key}"] = float(states[key])
    row["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return row


def main() -> None:
    """Run the cases one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, medians = [], {}
    for case in options.cases:
        mine = []
        for seed in options.seeds:
            mine.append(measure(case, seed, options.steps))
            print(json.dumps(mine[-1]), flush=True)
        numbers = [key for key, value in mine[0].items() if isinstance(value, int | float) and key != "seed"]
        medians[case] = {key: statistics.median(row[key] for row in mine) for key in numbers}
        rows += mine
    print(json.dumps({"medians": medians}, indent=2))
    if options.out:
        options.out.write_text(json.dumps({"runs": rows, "medians": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
