"""The whole fault table: `python -m tests.robustness.faults` tries everything and writes it to docs/reliability.md.

`--few` tries a tenth of it; `--only NAME` one section; `--docs FILE` writes elsewhere. Exit code 1 if any is wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from economies import small_synthetic

from dlopt import InstrumentChoice, solve_nash
from dlopt.bsde import load_network, preset, write_folder, write_network
from dlopt.calibrations import list_calibrations, write_bundle
from dlopt.framework import Tape
from dlopt.runs.checkpoint import write_checkpoint

from . import clock, disks, files, fuzz, kills, words
from .command import Tally, dlopt

DOCS = Path(__file__).parents[3] / "docs" / "reliability.md"
MARK = "<!-- made by python -m tests.robustness.faults -->"
STEPS = "checkpoint.pt"
SLOW = ["solver=best_response", "solver.rounds=10", "solver.steps=10"]
TINY = ["model=blocks", "budget.steps=2", "analysis.paths=16", "analysis.years=1"]
TRAINING = ["solve", "bsde", "model=blocks", "budget.steps=40", "analysis.paths=16", "analysis.years=1"]
FUZZED = {
    "run.json": 20_000, "sweep.json": 20_000, "config.yaml": 2_000, "checkpoint.pt": 4_000, "model.pt": 2_000,
    "calibration": 500, "exporter folder": 2_000, "network folder": 2_000,
}  # fmt: skip
"""Reader -> inputs tried."""


def place(folder: Path, name: str) -> Path:
    """A new folder for one section."""
    made = folder / name
    made.mkdir()
    return made


def run_with_every_file(at: Path, given: list[str]) -> Path:
    """The first run of a sweep, with a checkpoint, a training and a sweep.json besides; the sweep is its parent."""
    sweep = at / "sweep"
    dlopt(["solve", "nash", "-m", "scenario=trade_war,subsidy", *given, f"hydra.sweep.dir={sweep}"], at)
    run = sweep / "0-trade_war"
    tape = Tape()
    solve_nash(small_synthetic(), instruments=InstrumentChoice(tariff="uniform"), tape=tape)
    write_checkpoint(run / "checkpoint.pt", tape.entries)
    dlopt(["solve", "bsde", *TINY, "hydra.run.dir=trained"], at)
    shutil.copy(at / "trained" / "model.pt", run)
    shutil.copy(sweep / "sweep.json", run)
    return run


def samples_of(at: Path, given: list[str], world: Path) -> dict[str, Path]:
    """For every reader, a folder of good files."""
    run = run_with_every_file(at, given)
    samples = {name: at / name for name in ("run.json", "sweep.json", "checkpoint.pt", "model.pt")}
    for name, folder in samples.items():
        folder.mkdir()
        shutil.copy(run / name, folder)
    (at / "config" / ".hydra").mkdir(parents=True)
    shutil.copy(run / ".hydra" / "config.yaml", at / "config" / ".hydra")
    write_folder(preset("blocks"), at / "exporter")
    write_network(load_network("synthetic3"), at / "network")
    folders = {"calibration": world, "exporter folder": at / "exporter", "network folder": at / "network"}
    return {**samples, "config.yaml": at / "config", **folders}


def sections(folder: Path, few: bool) -> dict[str, Callable[[], list[Tally]]]:
    """Every section of the table by name; each works in a folder of its own."""
    world, labelled = folder / "world", folder / "labelled"
    write_bundle(small_synthetic(), world)
    made = small_synthetic(3, 5)
    write_bundle(
        dataclasses.replace(made, economies=("USA", "CHN", "IND"), sectors=("6", "7", "8", "9", "23")), labelled
    )
    given = [f"calibration={world}"]
    dual = ["solve", "nash", "scenario=dual", *given]
    planner = ["solve", "cooperative", "scenario=cooperation", "starts=2", *given]
    report = ["reproduce", "table3", f"calibration={labelled}", "accounting=standard", "instruments.sectors=tradable"]

    def new(name: str) -> Path:
        return place(folder, name)

    def n(count: int) -> int:
        return max(2, count // 10) if few else count

    def run_files() -> list[Tally]:
        run = run_with_every_file(new("files"), given)
        names = ("run.json", "welfare.parquet", "policies.parquet", "checkpoint.pt", "model.pt", "sweep.json",
                 ".hydra/config.yaml")  # fmt: skip
        tallies = [files.of_run(run, name, n(200), seed) for seed, name in enumerate(names)]
        return [*tallies, files.of_sweep(run.parent, n(100), 9)]

    def overrides() -> list[Tally]:
        here, at = Path.cwd(), new("words")
        os.chdir(at)
        try:
            return [words.of_overrides(world, n(1000), 1), words.of_numbers(world)]
        finally:
            os.chdir(here)

    def fuzzed() -> list[Tally]:
        runs = {name: n(count) for name, count in FUZZED.items()}
        return fuzz.of_readers(samples_of(new("fuzz"), given, world), runs, 1)

    return {
        "words": overrides,
        "files": run_files,
        "calibrations": lambda: [
            files.of_calibration(world, n(200), 2), files.of_hostile_input(world), files.of_numbers(world),
            files.of_hostile_yaml(new("hostile_yaml")),
        ],
        "fuzz": fuzzed,
        "disks": lambda: [disks.of_full_disks(new("disks"), dual), disks.of_read_only(new("fixed"), dual)],
        "places": lambda: [disks.of_one_folder(new("one"), dual), disks.of_odd_paths(new("odd"), dual, world)],
        "clock": lambda: [clock.of_clock(new("clock"), dual, [*dual, *SLOW])],
        "solve": lambda: [
            kills.of_solve(new("nash"), [*dual, *SLOW], n(16), 1, "checkpoint_seconds=0.2", STEPS),
            kills.of_solve(new("planner"), planner, n(8), 2, "checkpoint_seconds=0", STEPS),
        ],
        "training": lambda: [
            kills.of_solve(new("training"), TRAINING, n(8), 3, "budget.checkpoint_seconds=0.2", "model.pt")
        ],
        "import": lambda: [kills.of_import(new("import"), world, n(10), 4)],
        "report": lambda: [kills.of_report(new("report"), report, n(4), 5), kills.of_page(new("page"), dual, n(4), 6)],
        "dual": lambda: [
            kills.of_solve(
                new("dual"), ["solve", "nash", "scenario=dual", "calibration=icio2017"], 2 if few else 5, 7,
                "checkpoint_seconds=0.5", STEPS, installed=True,
            )
        ] if "icio2017" in [entry.name for entry in list_calibrations()] else [],
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
