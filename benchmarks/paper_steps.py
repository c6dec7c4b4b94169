"""The method of Huang and Yu (2024) on a model with an exact solution: to the letter, then corrected step by step.

    python -m benchmarks.paper_steps [--destinations 10] [--steps 1250] [--seeds 0 1 2] [--rows 0 1 ...] [--out FILE]

Row k has the first k corrections. The model is `blocks`; every run has one thread. The authors train on 400,000 paths;
a step here takes 32, so that 12,500 steps are theirs and the default, 1,250, is a tenth. Prints a line per run and, at
the end, the table of docs/bsde.md (`--out`: keeps the runs as JSON, and makes only those that are not there).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dlopt.choice import PAPER, AnalysisOptions, Budget, MethodOptions, preset, solve_bsde

PATHS = 400_000  # on which the authors train
CORRECTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("to the letter", {}),
    ("drift of V between jumps with the jump term: `loss_p=corrected`", {"loss_p": "corrected"}),
    ("no division by P_t: `pt_normalisation=false`", {"pt_normalisation": False}),
    ("the network's V in Loss_A: `loss_a=network`", {"loss_a": "network"}),
    ("sigma^V from the gradient of V: `sigma=ito`", {"sigma": "ito"}),
    ("half of each batch on-policy: `pool_share=0.5`", {"pool_share": 0.5}),
    ("the constant in V from simulated paths: `refine=constant`", {"refine": "constant"}),
    ("a control variate: `baseline=meanfield`", {"baseline": "meanfield"}),
)
"""What each row changes in the one before it."""
LAST = "the default method: residual loss, smaller networks, Muon, refined weights"


def _percent(part: float) -> str:
    """Two digits."""
    return f"{100 * part:.0f}%" if part >= 0.1 else f"{100 * part:.2g}%"


COLUMNS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("analytic_loss", lambda loss: f"{loss:.0e}"), ("probabilistic_loss", lambda loss: f"{loss:.0e}"),
    ("hjb_residual_rel", _percent), ("error", _percent),
    ("decisions", lambda part: f"{100 * part:.1f}%"),
)  # fmt: skip
FEW = AnalysisOptions(
    certificate_paths=64, certificate_years=60, out_of_sample=2000, paths=16, years=1, validation=1024,
    response_paths=16, response_years=1,
)  # fmt: skip


def methods() -> list[tuple[str, MethodOptions]]:
    """Every row of the table: what is corrected, and the method with this and all before."""
    rows, method = [], PAPER
    for label, change in CORRECTIONS:
        method = dataclasses.replace(method, **change)
        rows.append((label, method))
    return [*rows, (LAST, MethodOptions())]


def measure(row: int, destinations: int, steps: int, seed: int) -> dict[str, Any]:
    """Train one row's method, and compare with the exact solution on states of the long run."""
    began = time.process_time()
    _, method = methods()[row]
    budget = Budget(steps=steps, evaluations=1)
    result = solve_bsde(preset("blocks", destinations), method, budget, seed, "cpu", analysis=FEW)
    tables = result.tables()
    errors = tables["validation"].set_index("states").loc["long_run"]
    losses = tables["out_of_sample"].set_index("statistic").loc["average"]
    assert result.certificate is not None
    return {
        "row": row, "destinations": destinations, "steps": steps, "seed": seed,
        "analytic_loss": float(losses["analytic_loss"]), "probabilistic_loss": float(losses["probabilistic_loss"]),
        "hjb_residual_rel": result.certificate.hjb_residual_rel, "error": float(errors["relative_error"]),
        "bias": float(errors["value_bias"]), "decisions": float(errors["decision_accuracy"]),
        "train_seconds": round(result.train_seconds, 1), "cpu_seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def table(runs: list[dict[str, Any]]) -> str:
    """Markdown: medians over seeds, in parentheses the smallest and the largest."""
    lines = [
        "| | corrected, beside all before | Loss_A / V^2 | Loss_P / V^2 | residual / rho V | error of V "
        "| right decisions |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, (label, _) in enumerate(methods()):
        mine = [run for run in runs if run["row"] == row]
        if mine:
            words = [_spread(mine, key, form) for key, form in COLUMNS]
            lines.append(f"| {row} | {label} | {' | '.join(words)} |")
    return "\n".join(lines)


def _spread(runs: list[dict[str, Any]], key: str, form: Callable[[float], str]) -> str:
    values = [run[key] for run in runs]
    middle, least, most = (form(of(values)) for of in (statistics.median, min, max))
    return middle if least == most else f"{middle} ({least} to {most})"


def main() -> None:
    """Measure what is asked for and not yet known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--destinations", type=int, default=10)
    parser.add_argument("--steps", type=int, default=PATHS // 32 // 10)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", type=int, default=list(range(len(methods()))))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(options.out.read_text(encoding="utf-8")) if options.out and options.out.exists() else []
    asked = [(row, options.destinations, options.steps, seed) for seed in options.seeds for row in options.rows]
    for case in asked:
        if not any(case == tuple(run[key] for key in ("row", "destinations", "steps", "seed")) for run in known):
            known.append(measure(*case))
            print(json.dumps(known[-1]), flush=True)
            if options.out:
                options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(table([run for run in known if tuple(run[k] for k in ("row", "destinations", "steps", "seed")) in asked]))


if __name__ == "__main__":
    main()
