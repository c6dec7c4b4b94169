"""`kill -9` at seeded random moments of a solve, a training, an import, a report; and what is left."""

from __future__ import annotations

import random
import resource
from pathlib import Path

from .command import Done, Tally, difference, dlopt, killed, status


def _timed(words: list[str], folder: Path) -> tuple[Done, float]:
    """Run a command to its end; also its processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = dlopt(words, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _unfinished(whole: Done, folder: Path) -> str:
    """What is wrong with a run left alone, in `whole`; empty where it ended as it should."""
    if whole.complaint or status(folder / "whole") not in ("converged", "not_converged"):
        return f"undisturbed: {whole.code} {whole.complaint or whole.stderr[-300:]}"
    return ""


def of_solve(folder: Path, words: list[str], moments: int, seed: int, seconds: float = 1.0) -> Tally:
    """Kill a solve of policies at random moments, go on with it, and compare with one that was left alone."""
    tally = Tally(f"kill -9 during `dlopt {' '.join(words)}`")
    solve = [*words, f"checkpoint_seconds={seconds}"]
    whole, total = _timed([*solve, "hydra.run.dir=whole"], folder)
    if wrong := _unfinished(whole, folder):
        tally.wrong.append(wrong)
        return tally
    generator = random.Random(seed)
    for k in range(moments):
        name, moment = f"cut{k}", total * generator.uniform(0.05, 0.98)
        if not killed([*solve, f"hydra.run.dir={name}"], folder, moment):
            tally.add("ended before")
            continue
        left = status(folder / name)
        if left == "none":
            tally.add("killed before it began")
            continue
        if left != "running":
            tally.add("killed after it had ended", difference(folder / "whole", folder / name))
            continue
        listed = dlopt(["runs", "list", name], folder)
        steps = "from its checkpoint" if (folder / name / "checkpoint.pt").exists() else "from the start"
        done = dlopt(["solve", words[1], f"resume={name}", f"hydra.run.dir={name}-resumed"], folder)
        tally.add(
            f"resumed {steps}, same to the last bit",
            "" if "killed" in listed.stdout else f"listed as {listed.stdout[-200:]}",
            done.complaint,
            "" if done.code == whole.code else f"exit {done.code} after resume at {moment:.1f} s: {done.stderr[-300:]}",
            difference(folder / "whole", folder / f"{name}-resumed"),
        )
    return tally


def of_training(folder: Path, words: list[str], moments: int, seed: int) -> Tally:
    """Kill a training, go on with it, and compare with one that was left alone."""
    tally = Tally(f"kill -9 during `dlopt {' '.join(words)}`")
    train = [*words, "budget.checkpoint_seconds=1"]
    whole, total = _timed([*train, "hydra.run.dir=whole"], folder)
    if wrong := _unfinished(whole, folder):
        tally.wrong.append(wrong)
        return tally
    generator = random.Random(seed)
    for k in range(moments):
        name = f"cut{k}"
        if not killed([*train, f"hydra.run.dir={name}"], folder, total * generator.uniform(0.3, 0.98)):
            tally.add("ended before")
            continue
        left = status(folder / name)
        if left == "running" and (folder / name / "model.pt").exists():
            done = dlopt(["solve", "bsde", f"resume={name}", f"hydra.run.dir={name}-resumed"], folder)
            tally.add(
                "resumed from its checkpoint, same to the last bit",
                done.complaint,
                "" if done.code == whole.code else f"exit {done.code}: {done.stderr[-300:]}",
                difference(folder / "whole", folder / f"{name}-resumed"),
            )
        elif left in ("running", "none"):
            tally.add("killed before its first checkpoint")
        else:
            tally.add("killed after it had ended", difference(folder / "whole", folder / name))
    return tally


def of_import(folder: Path, source: Path, moments: int, seed: int) -> Tally:
    """Kill an import: the calibration is there and valid, or not there."""
    tally = Tally("kill -9 during `dlopt data import bundle`")
    words = ["data", "import", "bundle", str(source), "--name"]
    whole, total = _timed([*words, "whole"], folder)
    if whole.code:
        tally.wrong.append(whole.stderr[-300:])
        return tally
    generator = random.Random(seed)
    for k in range(moments):
        name = f"world{k}"
        if not killed([*words, name], folder, total * generator.uniform(0.4, 1.0)):
            tally.add("ended before")
        elif not (folder / "data" / name).exists():
            again = dlopt([*words, name], folder)
            tally.add("nothing there; imported again", again.complaint, again.stderr[-300:] if again.code else "")
        else:
            valid = dlopt(["data", "validate", f"data/{name}"], folder)
            tally.add("there, and valid", valid.stderr[-300:] if valid.code else "")
    return tally


def of_report(folder: Path, words: list[str], moments: int, seed: int) -> Tally:
    """Kill a reproduction: the next one goes on from what was solved, and ends as one left alone."""
    tally = Tally(f"kill -9 during `dlopt {' '.join(words)}`")
    (folder / "whole").mkdir()
    whole, total = _timed(words, folder / "whole")
    if whole.complaint or whole.code == 1:
        tally.wrong.append(f"undisturbed: {whole.code} {whole.stderr[-300:]}")
        return tally
    generator = random.Random(seed)
    for k in range(moments):
        place = folder / f"cut{k}"
        place.mkdir()
        if not killed(words, place, total * generator.uniform(0.2, 0.98)):
            tally.add("ended before")
            continue
        done = dlopt(words, place)
        ends = [sorted((p / "outputs" / "reproduce").glob("2*/*"))[-1] for p in (folder / "whole", place)]
        unlike = difference(*ends)
        tally.add(
            "run again, same tables", done.complaint, unlike,
            "" if done.code == whole.code else f"exit {done.code}: {done.stderr[-300:]}",
        )  # fmt: skip
    return tally
