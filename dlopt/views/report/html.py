"""The few pieces of HTML that the pages of dlopt are made of. Everything is inside the page: it needs no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; --good: #1f5f99; --bad: #a34700; --ink: #222; --soft: #595959; --line: #d5d5d5; }
* { box-sizing: border-box; }
html { background: #fff; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); }
h1 { line-height: 1.2; overflow-wrap: anywhere; } h2 { margin-top: 2rem; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; }
th, td { padding: .15rem .5rem; text-align: right; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
thead th { border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody tr:last-child > * { border-bottom: 2px solid var(--ink); }
tbody th { font-weight: 400; white-space: nowrap; } tr.total > * { border-top: 1px solid var(--ink); font-weight: 600; }
tr.group td { font-style: italic; padding-top: .5rem; }
tr.rms td { color: var(--soft); }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll:focus-visible, button:focus-visible { outline: 2px solid var(--good); }
figure { margin: 1rem 0; } figcaption, p.note { color: var(--soft); font-size: .9rem; }
img, svg { max-width: 100%; height: auto; display: block; }
code { background: #f4f4f4; padding: .1rem .3rem; overflow-wrap: anywhere; }
ul.heads { font-size: 1.15rem; padding-left: 1.2rem; }
p.flag { border-left: .3rem solid var(--bad); padding: .3rem .8rem; background: #fdf3ec; }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
table.bars { width: 100%; table-layout: fixed; }
table.bars td, table.bars th { border: 0 !important; padding: .1rem .3rem; }
table.bars th { width: 5.5rem; white-space: normal; overflow-wrap: anywhere; text-align: left; }
table.bars td.num { width: 9.5rem; white-space: nowrap; }
table.bars tr:hover { background: #f4f4f4; }
table.dots { width: 100%; }
table.dots td.track { width: 45%; min-width: 8rem; } table.dots td.num { white-space: nowrap; }
table.dots th { white-space: normal; overflow-wrap: break-word; max-width: 9rem; }
thead td { border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink); }
p.caption { font-weight: 600; margin: 1rem 0 0; }
.dot.key { position: static; display: inline-block; margin: 0 .3rem 0 0; vertical-align: middle; }
.track { position: relative; height: 1.3rem; }
.track::before { content: ""; position: absolute; inset: 50% 0 auto 0; border-top: 1px solid var(--line); }
.zero { position: absolute; top: 0; bottom: 0; border-left: 1px solid var(--soft); }
table.bars.long th { width: 40%; } table.bars.long td.num { width: 5.5rem; }
.bar { position: absolute; top: calc(50% - .45rem); height: .9rem; min-width: 1px; }
.bar.pos { background: var(--good); } .bar.neg { background: var(--bad); }
.dot { position: absolute; top: 50%; width: .75rem; height: .75rem; margin: -.375rem; border-radius: 50%; }
.d0 { background: #fff; border: 2px solid var(--soft); } .d1 { background: var(--good); }
.d2 { background: var(--bad); }
.d3 { background: #4d7326; } .d4 { background: #7b4397; } .d5 { background: #222; }
.dot.d2, .dot.d4 { border-radius: 0; }
p.key .dot { position: static; display: inline-block; margin: 0 .3rem 0 1rem; }
thead button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer;
  color: inherit; text-align: inherit; }
thead button::after { content: " \\2195"; color: var(--soft); }
th[aria-sort=ascending] button::after { content: " \\2191"; } th[aria-sort=descending] button::after {
  content: " \\2193"; }
nav ul { columns: 2; padding-left: 1.2rem; }
@media (max-width: 600px) {
  body { margin: 1rem auto; } th, td { padding: .15rem .4rem; } nav ul { columns: 1; }
  table.bars:not(.long) th { width: 4rem; } table.bars:not(.long) td.num { width: 7.5rem; }
  table.bars td.num { font-size: .85rem; }
  .scroll thead th { white-space: normal !important; }
  figure { overflow-x: auto; } figure img { min-width: 42rem; }
  figure:has(img)::before, .scroll:has(thead th:nth-child(5))::before { position: sticky; left: 0; color: var(--soft);
    content: "Wider than this screen: move it sideways."; font-size: .85rem; }
}
@media print {
  section { break-inside: avoid; } nav { display: none; } .scroll { overflow: visible; } body { font-size: 11pt; }
  table.sortable { font-size: 7.5pt; } table.sortable th, table.sortable td { padding: .1rem .2rem; }
  thead button::after { content: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const last = rows.filter(row => row.classList.contains("total"));
      const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const order = (a, b) => {
        const x = key(a), y = key(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const both = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? both : -both;
      };
      table.tBodies[0].append(...rows.filter(row => !last.includes(row)).sort(order), ...last);
    });
  });
}
"""
"""Sorting of tables; without it every picture and number stays."""


def document(title: str, body: str, script: str = "") -> str:
    """A whole page."""
    run = f"<script>{script}</script>" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n<main>\n{body}\n</main>{run}</body></html>\n"
    )


def section(title: str, body: str, note: str = "", anchor: str = "") -> str:
    """A heading, what belongs under it, and a note in small print."""
    small = f'<p class="note">{escape(note)}</p>' if note else ""
    named = f' id="{escape(anchor)}"' if anchor else ""
    return f"<section{named}><h2>{escape(title)}</h2>{body}{small}</section>\n"


def cells(tag: str, values: Iterable[str]) -> str:
    """A row of cells."""
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column to the left; on narrow screens it scrolls in itself."""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    inside = f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    return scrolling(inside)


def scrolling(inside: str) -> str:
    """What may be wider than the page."""
    return f'<div class="scroll" tabindex="0">{inside}</div>'


def folded(inside: str, count: int) -> str:
    """A long table that opens on a click."""
    return f"<details><summary>{count:,} rows: show</summary>{inside}</details>"


def picture(png: bytes, title: str) -> str:
    """A picture, inside the page."""
    image = base64.b64encode(png).decode()
    return f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{image}"></figure>'
