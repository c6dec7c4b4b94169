"""`kill -9` at seeded random moments of a solve, a training, an import, a report; and what is left."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

from dlopt.runs import is_killed, read_run

from .command import Done, Tally, difference, dlopt, killed, status


def moments_of(count: int, seed: int, first: float, last: float, total: float) -> Iterator[float]:
    """One random moment in each of `count` equal parts of the time between two shares of the whole."""
    generator = random.Random(seed)
    for k in range(count):
        yield total * (first + (last - first) * (k + generator.random()) / count)


def unfinished(whole: Done, folder: Path) -> str:
    """What is wrong with a run left alone, in `whole`; empty where it ended as it should."""
    if whole.complaint or status(folder / "whole") not in ("converged", "not_converged"):
        return f"undisturbed: {whole.code} {whole.complaint or whole.stderr[-300:]}"
    return ""


def of_solve(
    folder: Path, words: list[str], moments: int, seed: int, key: str, checkpoint: str, installed: bool = False
) -> Tally:
    """Kill a solve at random moments, go on with it, and compare with one that was left alone.

    Args:
        folder: to work in.
        words: the command.
        moments: how often it is killed.
        seed: of the moments.
        key: `KEY=SECONDS`, how often a checkpoint is written.
        checkpoint: the file it is in.
        installed: run the installed script. A third of the time of a short solve is then start-up.
    """
    tally = Tally(f"kill -9 during `dlopt {' '.join(shown(words))}`")
    solve = [*words, key]
    whole = dlopt([*solve, "hydra.run.dir=whole"], folder, installed=installed)
    if wrong := unfinished(whole, folder):
        tally.wrong.append(wrong)
        return tally
    first = 0.35 if installed else 0.1
    for k, moment in enumerate(moments_of(moments, seed, first, 0.98, whole.seconds)):
        name = f"cut{k}"
        cut = folder / name
        if not killed([*solve, f"hydra.run.dir={name}"], folder, moment, installed=installed):
            tally.add("ended before", difference(folder / "whole", cut))
            continue
        left = status(cut)
        if left == "none":
            tally.add("killed before it began")
            continue
        if left != "running":
            tally.add("killed after it had ended", difference(folder / "whole", cut))
            continue
        listed = "" if is_killed(cut, read_run(cut)) else f"{name} is not listed as killed"
        kept = (cut / checkpoint).exists()
        again = solve if words[1] == "bsde" and not kept else [*words[:2], f"resume={name}"]
        done = dlopt([*again, f"hydra.run.dir={name}-on"], folder, installed=installed)
        tally.add(
            f"{'resumed from its checkpoint' if kept else 'begun again, no checkpoint yet'}, same to the last bit",
            listed,
            done.complaint,
            "" if done.code == whole.code else f"exit {done.code} after {moment:.1f} s: {done.stderr[-300:]}",
            difference(folder / "whole", folder / f"{name}-on"),
        )
    return tally


def of_import(folder: Path, source: Path, moments: int, seed: int) -> Tally:
    """Kill an import: the calibration is there and valid, or not there."""
    tally = Tally("kill -9 during `dlopt data import bundle`")
    os.environ.pop("DLOPT_DATA", None)  # worlds are imported into the section's own folder
    words = ["data", "import", "bundle", str(source), "--name"]
    whole = dlopt([*words, "whole"], folder)
    if whole.code:
        tally.wrong.append(whole.stderr[-300:])
        return tally
    for k, moment in enumerate(moments_of(moments, seed, 0.3, 1.0, whole.seconds)):
        name = f"world{k}"
        ended = not killed([*words, name], folder, moment)
        if (folder / "data" / name).exists():
            valid = dlopt(["data", "validate", f"data/{name}"], folder)
            tally.add("ended before" if ended else "there, and valid", valid.stderr[-300:] if valid.code else "")
        else:
            again = dlopt([*words, name], folder)
            wrong = again.complaint or (again.stderr[-300:] if again.code else "")
            tally.add("nothing there; imported again", wrong, "ended, and nothing there" if ended else "")
    return tally


def of_report(folder: Path, words: list[str], moments: int, seed: int) -> Tally:
    """Kill a reproduction: the next one goes on from what was solved, and ends as one left alone."""
    tally = Tally(f"kill -9 during `dlopt {' '.join(shown(words))}`")
    (folder / "whole").mkdir()
    whole = dlopt(words, folder / "whole")
    if whole.complaint or whole.code == 1:
        tally.wrong.append(f"undisturbed: {whole.code} {whole.stderr[-300:]}")
        return tally
    for k, moment in enumerate(moments_of(moments, seed, 0.1, 0.98, whole.seconds)):
        place = folder / f"cut{k}"
        place.mkdir()
        ended = not killed(words, place, moment)
        done = dlopt(words, place)
        ends = [sorted((p / "outputs" / "reproduce").glob("2*/*"))[-1] for p in (folder / "whole", place)]
        tally.add(
            "ended before" if ended else "run again, same tables",
            done.complaint,
            difference(*ends),
            "" if done.code == whole.code else f"exit {done.code}: {done.stderr[-300:]}",
        )
    return tally


def of_page(folder: Path, words: list[str], moments: int, seed: int) -> Tally:
    """Kill `dlopt report RUN`: the page is not there, or whole."""
    tally = Tally("kill -9 during `dlopt report RUN`")
    dlopt([*words, "hydra.run.dir=run"], folder)
    whole = dlopt(["report", "run"], folder)
    pages = list((folder / "run").glob("*.html"))
    if whole.code or len(pages) != 1:
        tally.wrong.append(f"undisturbed: {whole.code} {whole.stderr[-300:]}")
        return tally
    page = pages[0].read_text()
    for moment in moments_of(moments, seed, 0.2, 1.0, whole.seconds):
        pages[0].unlink(missing_ok=True)
        ended = not killed(["report", "run"], folder, moment)
        there = pages[0].exists()
        wrong = "" if not there or pages[0].read_text() == page else "another page"
        tally.add("ended before" if ended else "there, and whole" if there else "nothing there", wrong)
    return tally


def shown(words: list[str]) -> list[str]:
    """The words of a command without the place of the world it is about, and without the sizes of simulations."""
    return [word for word in words if not word.startswith(("calibration=/", "model=/", "analysis."))]
