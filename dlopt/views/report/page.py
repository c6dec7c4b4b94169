"""The page about one run or several, made from what their folders hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dlopt.errors import DloptError
from dlopt.kind import Ended, figures
from dlopt.registry import load_kind
from dlopt.runs.labels import label_of, labels_of
from dlopt.runs.record import RunRecord, read_run
from dlopt.runs.tables import as_typed
from dlopt.views.report import other, sure, trade
from dlopt.views.report.asked import question
from dlopt.views.report.charts import dots
from dlopt.views.report.html import SCRIPT, document, picture, scrolling, section, table
from dlopt.views.sheets import html as as_html

_PROOF = (
    "The certificate says how well the equations hold (residuals), whether the choices are optimal to first and "
    "second order, and what a player could gain by any other policy that was tried. docs/solvers.md explains it."
)
_STYLISED = "its numbers show how the model works and say nothing about real economies."


def report_page(folders: Path | Sequence[Path]) -> str:
    """Everything about a run, or several side by side, on one page of HTML that needs no network.

    Some pictures need matplotlib; without it the page has all else and says so.

    Raises:
        RunReadError: a folder is no run, or a damaged one.
    """
    given = [folders] if isinstance(folders, Path) else list(folders)
    records = [read_run(folder) for folder in given]
    if len(given) == 1:
        body = _run(given[0], records[0], 1, alone=True)
        return document(f"dlopt: {records[0].scenario}", body, SCRIPT)
    names = labels_of(given)
    links = "".join(f'<li><a href="#run{k}">{escape(name)}</a></li>' for k, name in enumerate(names, 1))
    parts = [f"<h1>{len(given)} runs compared</h1><nav><ul>{links}</ul></nav>", _side_by_side(given, records, names)]
    parts += [
        f'<article id="run{k}">{_run(folder, record, k, alone=False)}</article>'
        for k, (folder, record) in enumerate(zip(given, records, strict=True), 1)
    ]
    return document(f"dlopt: {', '.join(names)}", "\n".join(parts), SCRIPT)


def _run(folder: Path, record: RunRecord, number: int, *, alone: bool) -> str:
    parts = [_head(folder, record, number, alone=alone)]
    is_trade = (folder / "welfare.parquet").is_file()
    if is_trade:
        lines = load_kind(record.kind).headlines(_ended(folder, record))
        parts += [trade.answer(folder, lines), *trade.details(folder), *sure.chapter(folder, record.message)]
    else:
        parts += other.chapters(folder, record, _ended(folder, record))
    found = [path for path in sorted(folder.rglob("*.png")) if not path.is_symlink()]
    parts += [
        section(path.stem.replace("_", " ").capitalize(), picture(path.read_bytes(), path.stem)) for path in found
    ]
    parts.append(_method(folder, record))
    if is_trade:
        parts += trade.path(folder)
    parts.append(_settings(record))
    return "\n".join(parts)


def _head(folder: Path, record: RunRecord, number: int, *, alone: bool) -> str:
    kind = "good" if record.status == "converged" else "bad"
    solved = "Solved and certified." if record.certificate else "Solved."
    words = {"converged": solved, "not_converged": "Not certified: read the chapter on proof first."}
    title = _title(folder, record)
    head = f"<h1>{escape(title)}</h1>" if alone else f"<h1>{number}. {escape(title)}</h1>"
    world = escape(str(record.calibration.get("name")))
    flag = ""
    if record.calibration.get("note"):
        flag = f'<p class="flag">The world {world} is {escape(str(record.calibration["note"]))}: {_STYLISED}</p>'
    status = words.get(record.status, record.status.replace("_", " ").capitalize() + ".")
    what = "World" if (folder / "welfare.parquet").is_file() else "Model"
    asked = question(record)
    told = f"<p>{escape(asked)}</p>" if asked else ""
    return f'{head}{told}<p>{what}: {world}. <span class="{kind}">{escape(status)}</span></p>{flag}'


def _title(folder: Path, record: RunRecord) -> str:
    name = label_of(folder)
    given = [str(record.settings[key]) for key in ("policy", "shocks") if record.settings.get(key)]
    what = "; ".join(given) or record.scenario.replace("_", " ")
    return what if name in (record.scenario, "") or record.scenario in name else f"{name}: {what}"


def _side_by_side(folders: Sequence[Path], records: Sequence[RunRecord], names: Sequence[str]) -> str:
    """Real income of every economy in all runs that have it; else the tables their kind compares."""
    if all((folder / "welfare.parquet").is_file() for folder in folders):
        wide = trade.gains(folders)
        rows = {str(label): [None if pd.isna(v) else float(v) for v in values] for label, *values in wide.itertuples()}
        chart = dots(rows, names, "+.3f", "%", "Change of real income against the baseline, per cent.")
        return section("Real income in all runs", chart, "Every run against the baseline of its own world.")
    kinds = {record.kind for record in records}
    if len(kinds) > 1:
        return '<p class="note">These runs are of different kinds: they are shown one after the other.</p>'
    kind = load_kind(records[0].kind)
    runs = [_ended(folder, record) for folder, record in zip(folders, records, strict=True)]
    return scrolling(as_html(kind.compare(runs)))


def _ended(folder: Path, record: RunRecord) -> Ended:
    return Ended(
        record.verb, record.status, record.certificate or {}, lambda name: trade.table_of(folder, name), record.settings
    )


def _method(folder: Path, record: RunRecord) -> str:
    """How it was solved, and what proves it."""
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    kind = "good" if record.status == "converged" else "bad"
    certificate: Mapping[str, Any] = record.certificate or {}
    proof = "" if record.status == "converged" else '<p class="bad">There is no certificate: the run ended before.</p>'
    if certificate:
        try:
            sheets = load_kind(record.kind).sheets(_ended(folder, record))
            proof = scrolling(as_html([sheet for sheet in sheets if sheet.title == "Certificate"]))
        except DloptError:  # of a package that is not installed here
            proof = scrolling(as_html([figures(certificate)]))
    asked = f"<p>Asked with <code>{escape(record.command)}</code></p>"
    status = f'<span class="{kind}">{escape(record.status.replace("_", " "))}</span>'
    ended = f"<p>{status}{seconds}. {escape(record.message)}</p>"
    note = _PROOF if (folder / "welfare.parquet").is_file() else ""
    return section("Method and proof", f"{ended}{proof}{asked}", f"{_facts(record)}. {note}".strip())


def _facts(record: RunRecord) -> str:
    digest = record.calibration.get("sha256", "")[:12]
    facts = [
        f"{record.calibration.get('name')} ({digest})",
        *([f"accounting {record.accounting}"] if record.accounting else []),
        f"seed {record.seed}",
        f"started {record.started[:19].replace('T', ' ')}",
        *(f"{name} {version}" for name, version in record.versions.items() if name in ("dlopt", "torch")),
    ]
    return ", ".join(facts)


def _settings(record: RunRecord) -> str:
    rows = [(key, as_typed(value)) for key, value in record.settings.items()]
    return f"<details><summary>Settings</summary>{table(('key', 'value'), rows)}</details>" if rows else ""
