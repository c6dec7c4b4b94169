"""A table of the paper as Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from dlopt.papers.engine import cells

_COUNTS = ("observations", "dropped, log undefined", "players")
_ESCAPES = str.maketrans({
    **{character: f"\\{character}" for character in "&%_#${}"}, "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}",
    "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
})  # fmt: skip


def number(value: float, form: str) -> str:
    """As printed, `form` as in `format`; empty where there is none."""
    text = "" if pd.isna(value) else f"{value:{form}}"
    return text.removeprefix("-") if text.strip("-0.") == "" else text


def lines(table: pd.DataFrame, form: str, rms: bool) -> Iterator[tuple[str, list[str]]]:
    """Every row as `(column of the paper, [row, published, variants...])`, and with `rms` the differences below."""
    read = cells.wide(table)
    variants = [name for name in read.columns if name not in ("column", "row", "published")]
    gap = cells.gaps(table) if rms else pd.DataFrame()
    for column, part in read.groupby("column", sort=False):
        for row in part.to_dict("records"):
            shape = ".0f" if row["row"] in _COUNTS else form
            yield str(column), [str(row["row"]), *(number(row[name], shape) for name in ("published", *variants))]
        if column in gap.index:
            values = [number(gap[name].loc[column], form) for name in variants]
            yield str(column), ["rms difference", "", *values]


def header(table: pd.DataFrame) -> list[str]:
    """Heads of the columns of `lines`."""
    return ["", "published", *dict.fromkeys(table["variant"])]


def markdown(table: pd.DataFrame, form: str, rms: bool) -> str:
    """A Markdown table, each column of the paper below the other."""
    heads = header(table)
    out = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    last = None
    for column, row in lines(table, form, rms):
        if column != last:
            out.append(_row([f"**{column}**", *[""] * (len(heads) - 1)]))
            last = column
        out.append(_row(row))
    return "\n".join(out) + "\n"


def latex(table: pd.DataFrame, form: str, rms: bool, caption: str, note: str) -> str:
    """A LaTeX longtable with booktabs rules."""
    heads = header(table)
    out = [
        r"% \usepackage{booktabs,longtable}",
        rf"\begin{{longtable}}{{l{'r' * (len(heads) - 1)}}}",
        rf"\caption{{{_escaped(caption)}}}\\",
        r"\toprule",
        f"{' & '.join(map(_escaped, heads))} " + r"\\",
        r"\midrule\endhead",
        r"\bottomrule\endfoot",
    ]
    last = None
    for column, row in lines(table, form, rms):
        if column != last:
            space = r"\addlinespace " if last else ""
            out.append(rf"{space}\multicolumn{{{len(heads)}}}{{l}}{{\emph{{{_escaped(column)}}}}} \\")
            last = column
        out.append(f"{' & '.join(map(_escaped, row))} " + r"\\")
    out += [
        rf"\multicolumn{{{len(heads)}}}{{p{{0.9\linewidth}}}}{{\footnotesize {_escaped(note)}}} \\",
        r"\end{longtable}",
    ]
    return "\n".join(out) + "\n"


def _row(values: list[str]) -> str:
    shown = (" ".join(value.splitlines()).replace("|", r"\|") for value in values)
    return f"| {' | '.join(shown)} |"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
