"""`dlopt reproduce ossa2014 ll2023 caliendo_parro`: a paper's table and ours, side by side, on its authors' data."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path


def beside(papers: Sequence[str], folder: Path, **limits: Sequence[str]) -> bool:
    """Solve, print and write the tables of some papers; returns whether every number is certified.

    Args:
        papers: names of `dlopt.papers.beside.PAPERS`.
        folder: below which the tables are written, one CSV file each.
        limits: `economies` to compute, where a paper has many; none for all.
    """
    import torch
    from pandas import isna

    from dlopt.calibrations import load_calibration
    from dlopt.papers.beside import tables, write

    from ..data.lines import add_row, print_table, say, table_of
    from ..terminal.screen import console, shown

    torch.set_num_threads(1)
    place = folder / datetime.datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
    certified = True
    for paper in papers:
        for table in tables(paper, load_calibration, console.print, **limits):
            path = write(table, place / paper)
            frame = table.frame
            more = [name for name in frame.columns if name not in ("what", "published", "computed", "certified")]
            columns = ["published", "computed", "difference", *more, "certified"]
            shown_table = table_of(table.title, ["", *columns], right=columns[:-1])
            for row in frame.to_dict("records"):
                numbers = [
                    row["published"],
                    row["computed"],
                    row["computed"] - row["published"],
                    *(row[m] for m in more),
                ]
                cells = ["" if isna(number) else f"{number:.3f}" for number in numbers]
                add_row(shown_table, str(row["what"]), *cells, "yes" if row["certified"] else "no")
            print_table(shown_table)
            say(
                f"{table.note} Mean: published "
                f"{frame['published'].mean():.3f}, computed {frame['computed'].mean():.3f}."
            )
            say(f"{shown(path.absolute())}\n")
            certified = certified and table.certified
    return certified
