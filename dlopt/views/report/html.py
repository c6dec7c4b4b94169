"""The few pieces of HTML that the pages of dlopt are made of. Everything is inside the page: it needs no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; }
thead th { border-top: 2px solid #222; border-bottom: 1px solid #222; }
tbody tr:last-child td { border-bottom: 2px solid #222; }
tr.group td { font-style: italic; padding-top: .5rem; }
tr.rms td { color: #666; }
figure { margin: 1rem 0; } img { max-width: 100%; } p.note { color: #555; font-size: .9rem; }
code { background: #f4f4f4; padding: .1rem .3rem; overflow-wrap: anywhere; }
.bad { color: #b00020; font-weight: 600; } .good { color: #1b5e20; font-weight: 600; }
@media print { section { break-inside: avoid; } }
"""


def document(title: str, body: str) -> str:
    """A whole page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def section(title: str, body: str, note: str = "") -> str:
    """A heading, what belongs under it, and a note in small print."""
    small = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{body}{small}</section>\n"


def cells(tag: str, values: Iterable[str]) -> str:
    """A row of cells."""
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left."""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def picture(png: bytes, title: str) -> str:
    """A picture, inside the page."""
    image = base64.b64encode(png).decode()
    return f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{image}"></figure>'
