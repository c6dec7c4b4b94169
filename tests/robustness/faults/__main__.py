"""The whole fault table: `python -m tests.robustness.faults` tries everything and writes it to docs/reliability.md.

`--few` tries a tenth of it; `--only NAME` one section; `--docs FILE` writes elsewhere. Exit code 1 if any is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from economies import small_synthetic

from dlopt import InstrumentChoice, solve_nash
from dlopt.calibrations import write_bundle
from dlopt.framework import Tape
from dlopt.runs.checkpoint import write_checkpoint

from . import disks, files, kills, words
from .command import Tally, dlopt

DOCS = Path(__file__).parents[3] / "docs" / "reliability.md"
MARK = "<!-- made by python -m tests.robustness.faults -->"
SLOW = ["solver=best_response", "solver.rounds=40", "solver.steps=10"]
TRAINING = ["solve", "bsde", "model=blocks", "budget.steps=150", "analysis.paths=64", "analysis.years=2"]


def sections(folder: Path, few: bool) -> dict[str, Callable[[], list[Tally]]]:
    """Every section of the table by name; each works in a folder of its own."""
    world = folder / "world"
    write_bundle(small_synthetic(), world)
    given = [f"calibration={world}"]
    dual = ["solve", "nash", "scenario=dual", *given]
    planner = ["solve", "cooperative", "scenario=cooperation", "starts=3", *given]
    report = ["reproduce", "table3", "calibration=stylized2017"]

    def place(name: str) -> Path:
        made = folder / name
        made.mkdir()
        return made

    def n(count: int) -> int:
        return max(2, count // 10) if few else count

    def run_files() -> list[Tally]:
        at = place("files")
        sweep = at / "sweep"
        dlopt(["solve", "nash", "-m", "scenario=trade_war,subsidy", *given, f"hydra.sweep.dir={sweep}"], at)
        run = sweep / "0-trade_war"
        tape = Tape()
        solve_nash(small_synthetic(), instruments=InstrumentChoice(tariff="uniform"), tape=tape)
        write_checkpoint(run / "checkpoint.pt", tape.entries)
        (run / "sweep.json").write_bytes((sweep / "sweep.json").read_bytes())
        names = ("run.json", "welfare.parquet", "policies.parquet", "checkpoint.pt", "sweep.json", ".hydra/config.yaml")
        tallies = [files.of_run(run, name, n(200), seed) for seed, name in enumerate(names)]
        return [*tallies, files.of_sweep(sweep, n(100), 9)]

    def overrides() -> list[Tally]:
        here, at = Path.cwd(), place("words")
        os.chdir(at)
        try:
            return [words.of_overrides(world, n(1000), 1), words.of_numbers(world)]
        finally:
            os.chdir(here)

    return {
        "words": overrides,
        "files": run_files,
        "calibrations": lambda: [
            files.of_calibration(world, n(200), 2), files.of_hostile_input(world), files.of_numbers(world),
        ],
        "disks": lambda: [disks.of_full_disks(place("disks"), dual), disks.of_read_only(place("fixed"), dual)],
        "places": lambda: [disks.of_one_folder(place("one"), dual), disks.of_odd_paths(place("odd"), dual, world)],
        "solve": lambda: [
            kills.of_solve(place("nash"), [*dual, *SLOW], n(18), 1, 0.2),
            kills.of_solve(place("planner"), planner, n(8), 2, 0),
        ],
        "training": lambda: [kills.of_training(place("training"), TRAINING, n(8), 3)],
        "import": lambda: [kills.of_import(place("import"), world, n(10), 4)],
        "report": lambda: [kills.of_report(place("report"), report, n(6), 5)],
    }  # fmt: skip


def table(tallies: list[Tally]) -> str:
    """Markdown, and below it what went wrong."""
    lines = ["| fault | tried | how it ended | wrong |", "|---|---:|---|---:|"]
    for tally in tallies:
        ends = "; ".join(f"{count} {how}" for how, count in tally.outcomes.items())
        lines.append(f"| {tally.fault} | {tally.tried} | {ends} | {len(tally.wrong)} |")
    lines.append(f"| all | {sum(t.tried for t in tallies)} | | {sum(len(t.wrong) for t in tallies)} |")
    wrong = [f"- {tally.fault}: {' '.join(word.split())}" for tally in tallies for word in tally.wrong]
    return "\n".join([*lines, *(["", "Wrong:", "", *wrong] if wrong else [])])


def main() -> int:
    """Try everything that was asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--table", action="store_true", help="try nothing: write the table of --results")
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--results", type=Path, help="JSON that sections are added to, and read from")
    asked = parser.parse_args()
    done: dict[str, list[dict[str, object]]] = {}
    if asked.results and asked.results.exists():
        done = json.loads(asked.results.read_text())
    with tempfile.TemporaryDirectory(prefix="faults") as name:
        parts = sections(Path(name), asked.few)
        for part in [] if asked.table else asked.only or parts:
            tallies = parts[part]()
            print(table(tallies), flush=True)
            done[part] = [vars(tally) for tally in tallies]
            if asked.results:
                asked.results.write_text(json.dumps(done, indent=1))
    tallies = [Tally(**kept) for part in parts if part in done for kept in done[part]]  # type: ignore[arg-type]
    made = f"Python {platform.python_version()} on {platform.system()}"
    text = asked.docs.read_text().partition(MARK)[0] if asked.docs.exists() else ""
    asked.docs.write_text(f"{text.rstrip()}\n\n{MARK}\n{table(tallies)}\n\n{made}.\n")
    return 1 if any(tally.wrong for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
