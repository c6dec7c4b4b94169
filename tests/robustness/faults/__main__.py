"""The whole fault table: `python -m tests.robustness.faults` tries everything and writes it to docs/reliability.md.

Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from economies import small_synthetic

from dlopt import InstrumentChoice, solve_nash
from dlopt.calibrations import list_calibrations, write_bundle
from dlopt.choice import preset, write_folder, write_network
from dlopt.choice.production.presets import synthetic
from dlopt.framework import Tape
from dlopt.runs.checkpoint import write_checkpoint

from . import clock, disks, files, fuzz, kills, texts, words
from .command import Tally, dlopt

DOCS = Path(__file__).parents[3] / "docs" / "reliability.md"
SECTION_SECONDS = 4 * 3600
"""After which a section counts as hanging, on a machine that is shared."""
MARK = "<!-- made by python -m tests.robustness.faults -->"
STEPS = "checkpoint.pt"
SLOW = ["solver=best_response", "solver.rounds=10", "solver.steps=10"]
SMALL = [
    "analysis.out_of_sample=50", "analysis.certificate_years=5", "analysis.paths=32", "analysis.validation=64",
    "analysis.response_years=2", "analysis.certificate_paths=16", "analysis.response_paths=16", "analysis.years=4",
]  # fmt: skip
TRAINING = ["solve", "bsde", "budget.steps=50", *SMALL]
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


def run_with_every_file(at: Path, given: list[str], five: Path) -> Path:
    """The first run of a sweep, with a checkpoint, a training and a sweep.json besides; the sweep is its parent."""
    sweep = at / "sweep"
    dlopt(["solve", "nash", "-m", "scenario=trade_war,subsidy", *given, f"hydra.sweep.dir={sweep}"], at)
    run = sweep / "0-trade_war"
    tape = Tape()
    solve_nash(small_synthetic(), instruments=InstrumentChoice(tariff="uniform"), tape=tape)
    write_checkpoint(run / "checkpoint.pt", tape.entries)
    dlopt(["solve", "bsde", f"model={five}", "budget.steps=2", *SMALL, "hydra.run.dir=trained"], at)
    shutil.copy(at / "trained" / "model.pt", run)
    shutil.copy(sweep / "sweep.json", run)
    return run


def samples_of(at: Path, given: list[str], world: Path, five: Path) -> dict[str, Path]:
    """For every reader, a folder of good files."""
    run = run_with_every_file(at, given, five)
    samples = {name: at / name for name in ("run.json", "sweep.json", "checkpoint.pt", "model.pt")}
    for name, folder in samples.items():
        folder.mkdir()
        shutil.copy(run / name, folder)
    (at / "config" / ".hydra").mkdir(parents=True)
    shutil.copy(run / ".hydra" / "config.yaml", at / "config" / ".hydra")
    folders = {"calibration": world, "exporter folder": five, "network folder": five.with_name("two")}
    return {**samples, "config.yaml": at / "config", **folders}


def sections(folder: Path, few: bool) -> dict[str, Callable[[], list[Tally]]]:
    """Every section of the table by name; each works in a folder of its own."""
    world, labelled, five, two = (folder / name for name in ("world", "labelled", "five", "two"))
    write_folder(preset("gravity_strong", 5), five)
    write_network(synthetic(2), two)
    write_bundle(small_synthetic(), world)
    made = small_synthetic(3, 5)
    countries = dataclasses.replace(made, economies=("USA", "CHN", "IND"), sectors=("6", "7", "8", "9", "23"))
    write_bundle(countries, labelled)
    given = [f"calibration={world}"]
    dual = ["solve", "nash", "scenario=dual", *given]
    planner = ["solve", "cooperative", "scenario=cooperation", "starts=2", *given]
    uncertain = [
        "solve", "nash", "scenario=trade_war", f"calibration={labelled}", "shocks=USA-CHN: +10% trade costs on 6",
        "intervals=true", "prior.draws=3", "prior.processes=1",
    ]  # fmt: skip
    report = ["reproduce", "table3", f"calibration={labelled}", "accounting=standard", "instruments.sectors=tradable"]

    def new(name: str) -> Path:
        return place(folder, name)

    def n(count: int) -> int:
        return max(2, count // 10) if few else count

    def run_files() -> list[Tally]:
        run = run_with_every_file(new("files"), given, five)
        names = ("run.json", "welfare.parquet", "policies.parquet", "checkpoint.pt", "model.pt", "sweep.json",
                 ".hydra/config.yaml")  # fmt: skip
        tallies = [files.of_run(run, name, n(200), seed) for seed, name in enumerate(names)]
        return [*tallies, files.of_sweep(run.parent, n(100), 9)]

    def overrides(seed: int) -> list[Tally]:
        here, at = Path.cwd(), new("overrides")
        os.chdir(at)
        try:
            return [words.of_overrides(world, n(250), seed)]
        finally:
            os.chdir(here)

    def fuzzed() -> list[Tally]:
        runs = {name: n(count) for name, count in FUZZED.items()}
        return fuzz.of_readers(samples_of(new("fuzz"), given, world, five), runs, 1)

    return {
        **{f"overrides{seed}": partial(overrides, seed) for seed in range(1, 5)},
        "numbers": lambda: [words.of_numbers(world)],
        "files": run_files,
        "calibrations": lambda: [
            files.of_calibration(world, n(200), 2), files.of_hostile_input(world), files.of_numbers(world),
            files.of_hostile_yaml(new("hostile_yaml")),
        ],
        "texts": lambda: [
            texts.of_words(countries, n(2000), 8), texts.of_files(new("texts"), countries, n(100), 9),
            texts.of_numbers(new("numbers"), countries),
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
            kills.of_solve(
                new(f"training-{model.name}"), [*TRAINING, f"scenario={scenario}", f"model={model}"], n(count), 3,
                "budget.checkpoint_seconds=0.2", "model.pt",
            )
            for scenario, model, count in (("export", five, 5), ("network", two, 3))
        ],
        "later": lambda: [
            kills.of_solve(new("intervals"), uncertain, n(4), 8, "checkpoint_seconds=0", STEPS),
            kills.of_solve(
                new("search"), [*TRAINING, "scenario=export", f"model={five}", "search.cost=4"], n(3), 9,
                "budget.checkpoint_seconds=0.2", "model.pt",
            ),
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


def merged(tallies: Iterable[Tally]) -> list[Tally]:
    """One tally for each fault, in the order they first come in."""
    of: dict[str, Tally] = {}
    for tally in tallies:
        one = of.setdefault(tally.fault, Tally(tally.fault))
        one.tried += tally.tried
        one.wrong += tally.wrong
        for how, count in tally.outcomes.items():
            one.outcomes[how] = one.outcomes.get(how, 0) + count
    return list(of.values())


def table(tallies: list[Tally]) -> str:
    """Markdown, and below it what went wrong."""
    lines = ["| fault | tried | how it ended | wrong |", "|---|---:|---|---:|"]
    for tally in tallies:
        ends = "; ".join(f"{count} {how}" for how, count in tally.outcomes.items())
        lines.append(f"| {tally.fault} | {tally.tried} | {ends} | {len(tally.wrong)} |")
    lines.append(f"| all | {sum(t.tried for t in tallies)} | | {sum(len(t.wrong) for t in tallies)} |")
    wrong = [f"- {tally.fault}: {' '.join(word.split())}" for tally in tallies for word in tally.wrong]
    return "\n".join([*lines, *(["", "Wrong:", "", *wrong] if wrong else [])])


def apart(name: str, words: list[str]) -> list[Tally]:
    """A section in a process of its own: one that breaks off or hangs is wrong, and the others go on."""
    with tempfile.TemporaryDirectory(prefix="section") as folder:
        kept = Path(folder) / "tallies.json"
        command = [sys.executable, "-m", "tests.robustness.faults", "--only", name, "--results", str(kept), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECTION_SECONDS)
            print(f"{name}\n{done.stdout}{done.stderr}", flush=True)
            return [Tally(**tally) for tally in json.loads(kept.read_text())]
        except subprocess.TimeoutExpired:
            return [Tally(f"section {name}", wrong=[f"hangs: more than {SECTION_SECONDS} s"])]
        except OSError:
            return [Tally(f"section {name}", wrong=[f"broke off: {done.stderr[-500:]}"])]


def main() -> int:
    """Try everything that was asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="a tenth of it")
    parser.add_argument("--only", metavar="NAME", help="one section; its table is shown and not written")
    parser.add_argument("--at-once", type=int, default=1, help="sections at the same time")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the table goes, after the mark in it")
    parser.add_argument("--results", type=Path, help="JSON for the tallies of --only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        parts = sections(Path(folder), asked.few)
        if asked.only:
            tallies = parts[asked.only]()
        else:
            words = ["--few"] if asked.few else []
            with ThreadPoolExecutor(asked.at_once) as pool:
                tallies = merged(tally for found in pool.map(lambda name: apart(name, words), parts) for tally in found)
    print(table(tallies), flush=True)
    if asked.results:
        asked.results.write_text(json.dumps([vars(tally) for tally in tallies]))
    if not asked.only:
        made = f"{datetime.date.today()}, Python {platform.python_version()} on {platform.system()}"
        text = asked.docs.read_text().partition(MARK)[0] if asked.docs.exists() else ""
        asked.docs.write_text(f"{text.rstrip()}\n\n{MARK}\n{table(tallies)}\n\n{made}.\n")
    return 1 if any(tally.wrong for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
