"""Monte Carlo of the estimator: many panels simulated at known parameters, each estimated, bias and coverage.

    python -m benchmarks.estimation --panels 100 --firms 1000 --switches 20 --out estimation.jsonl

Each panel is a line of the file when it is done; a run that is stopped goes on where it was. The value function is
exact (`--model separable`), or trained once over the box (`--model blocks --steps 3000`).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch

from dlopt.choice import Box, Budget, preset, solve_bsde
from dlopt.choice.analysis import AnalysisOptions
from dlopt.choice.estimation.estimate import estimate, worths_of
from dlopt.choice.estimation.generate import simulate_panel
from dlopt.choice.estimation.options import EstimateOptions
from dlopt.choice.estimation.worth import ExactWorths, Worths

TRUTH = {"lambda0": 0.3, "s_scale": 1.0, "s_noise": 0.3}
BOUNDS = {"lambda0": [0.2, 0.4], "s_scale": [0.5, 1.5], "s_noise": [0.15, 0.6]}
LEAST = {"out_of_sample": 50, "certificate_years": 20, "paths": 32, "validation": 256, "response_years": 2, "box": 3}


def main() -> None:
    """Estimate the panels that the file does not have, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("panels", 100), ("firms", 1000), ("switches", 20), ("steps", 3000), ("first-seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, number in (("years", 10.0), ("every", 0.5)):
        parser.add_argument(f"--{name}", type=float, default=number)
    parser.add_argument("--model", choices=("separable", "blocks"), default="separable")
    parser.add_argument("--events", choices=("states", "dates", "none"), default="states")
    parser.add_argument("--out", type=Path, default=Path("estimation.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    box = Box.of(dataclasses.replace(preset(asked.model, asked.switches), s_noise=TRUTH["s_noise"]), BOUNDS)
    point = np.array([TRUTH[name] for name in box.names])
    worths, truth = _worths(box, asked.model, asked.steps), ExactWorths(box).solution(point)
    done = {row["seed"] for row in _rows(asked.out)}
    options = EstimateOptions(bootstrap=0, simulations=0, step=min(0.5, asked.every))
    for seed in range(asked.first_seed, asked.first_seed + asked.panels):
        if seed in done:
            continue
        panel = simulate_panel(truth, asked.firms, asked.years, asked.every, seed, asked.events)
        began, cpu = time.perf_counter(), time.process_time()
        result = estimate(panel, worths, options, seed=seed)
        row = {"seed": seed, "status": result.status, "estimates": result.estimates}
        table = result.table("estimates")
        row |= {f"se_{name}": list(table[f"se_{name}"]) for name in ("sandwich", "hessian", "opg")}
        row |= {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        with asked.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
    print(table_of(_rows(asked.out)))


def _worths(box: Box, model: str, steps: int) -> Worths:
    """Exact for a separable model, else trained."""
    if model == "separable":
        return ExactWorths(box)
    began = time.process_time()
    result = solve_bsde(box, budget=Budget(steps=steps), analysis=AnalysisOptions(**LEAST))
    print(f"trained in {time.process_time() - began:.0f} s: {result.message}")
    print(result.table("box").to_string())
    return worths_of(result.solution)  # type: ignore[arg-type]


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table_of(rows: list[dict[str, object]]) -> str:
    """Bias, spread and coverage of the converged estimates, in words."""
    good = [row for row in rows if row["status"] == "converged"]
    lines = [f"{len(rows)} panels, {len(good)} converged; CPU seconds per estimation: "
             f"{np.mean([row['cpu_seconds'] for row in rows]):.0f}"]  # fmt: skip
    for k, (name, true) in enumerate(TRUTH.items()):
        found = np.array([row["estimates"][name] for row in good])  # type: ignore[index]
        spread = found.std(ddof=1)
        words = (
            f"{name}: bias {(found.mean() - true) / spread:+.3f} of the s.d. (its own error {len(found) ** -0.5:.2f})"
        )
        for kind in ("sandwich", "hessian", "opg"):
            error = np.array([row[f"se_{kind}"][k] for row in good])  # type: ignore[index]
            covered = np.abs(found - true) <= 1.96 * error
            words += f"; {kind}: covers {100 * covered.mean():.0f} %, s.e. {error.mean() / spread:.2f} of the s.d."
        lines.append(words)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
