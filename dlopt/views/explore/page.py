"""The page itself: a table that stands without JavaScript, and the numbers and the script that make it more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dlopt.errors import DloptError
from dlopt.runs.labels import labels_of
from dlopt.runs.tables import read_table
from dlopt.trade.outcomes import WORLD
from dlopt.trade.rates import INSTRUMENTS
from dlopt.views.explore.content import MOST, collect
from dlopt.views.report.charts import signed, sortable
from dlopt.views.report.html import document, section
from dlopt.views.report.trade import GAIN, gains
from dlopt.views.report.worldmap import REST, world_map

AT_ONCE = 5
"""Runs that one chart shows: it has five colours."""
MEASURES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "welfare": (
        (GAIN, "real income, %", "+.3f"),
        ("real_income_change", "real income, money", "+,.0f"),
        ("real_wage_change_pct", "real wage, %", "+.2f"),
        ("consumer_price_change_pct", "consumer prices, %", "+.2f"),
        ("nominal_income_change_pct", "income in the numeraire, %", "+.2f"),
        ("wage_change_pct", "wage in the numeraire, %", "+.2f"),
        ("gdp", "GDP, money", ",.0f"),
        ("tariff_revenue", "tariff revenue, money", ",.0f"),
        ("tariff_revenue_gdp_pct", "tariff revenue, % of GDP", ".2f"),
        ("public_revenue", "tariffs and export taxes less subsidies, money", "+,.0f"),
        ("exports_gdp_pct", "exports, % of GDP", ".1f"),
        ("imports_gdp_pct", "imports, % of GDP", ".1f"),
        ("effective_tariff_pct", "tariff revenue over imports, %", ".2f"),
    ),
    "partners": (
        ("exports_change_pct", "exports, change, %", "+.1f"),
        ("exports", "exports, money", ",.0f"),
        ("imports_change_pct", "imports, change, %", "+.1f"),
        ("imports", "imports, money", ",.0f"),
        ("tariff_pct", "tariff revenue over the partner's goods, %", ".1f"),
    ),
    "flows": (
        ("exports", "exports at buyers' prices, money", ",.0f"),
        ("imports", "imports at buyers' prices, money", ",.0f"),
    ),
    "jobs": (
        ("employment_change_pct", "employment, change, %", "+.2f"),
        ("employment_share", "share of all jobs of the economy", ".4f"),
        ("output_change_pct", "volume of output, change, %", "+.2f"),
        ("output", "producers' revenue, money", ",.0f"),
        ("price_change_pct", "consumer price, change, %", "+.2f"),
    ),
}
"""By chart: column of the tables, in words, and the form of its numbers; a column with `_initial` is its baseline."""
_RATES = ".1f"
_PARTS = "+.3f"


def explore_page(folders: Sequence[Path], *, left_out: Sequence[str] = (), most: int = MOST) -> str:
    """Runs of the trade model on one page of HTML that needs no network: choose runs, an economy, an instrument.

    Args:
        folders: of the runs.
        left_out: sentences on runs that were asked for and are not among them.
        most: letters of numbers that the page may have; what does not fit is left out, and the page says what.

    Raises:
        DloptError: there is no run, one is of another kind, or one has no result.
        RunReadError: a folder is no run, or a damaged one.
    """
    if not folders:
        raise DloptError("There is no run to explore. `dlopt solve nash scenario=trade_war` makes one.")
    names = labels_of(folders)
    held = collect(folders, names, most)
    if not held.runs:
        raise DloptError(f"No run fits on a page of {most:,} letters. Use dlopt.open_run and its tables.")
    kinds = {kind.name: {"label": kind.label, "plural": kind.plural, "pairs": kind.pairs, "buyer": _buyer(kind)}
             for kind in INSTRUMENTS}  # fmt: skip
    data = {
        "runs": held.runs,
        "measures": MEASURES,
        "instruments": kinds,
        "forms": {"rates": _RATES, "parts": _PARTS},
        "world": WORLD,
        "rest": REST,
        "at_once": AT_ONCE,
    }
    shown = [folder for folder, name in zip(folders, names, strict=True) if name in {run["name"] for run in held.runs}]
    body = "\n".join((
        "<h1>Explore runs</h1>",
        _flags(held.runs),
        "<noscript><p class='note'>Without JavaScript this page shows real income only; "
        "<code>dlopt report</code> makes a page that needs none.</p></noscript>",
        f'<div id="plain">{_plain(shown, [run["name"] for run in held.runs])}</div>',
        f'<div id="app" hidden>{_skeleton(_map(shown[0]))}</div>',
        _left_out([*left_out, *held.left_out]),
        f'<script type="application/json" id="data">{_json(data)}</script>',
    ))  # fmt: skip
    here = Path(__file__)
    style, script = (here.with_name(name).read_text(encoding="utf-8") for name in ("explore.css", "explore.js"))
    return document("dlopt: explore runs", f"<style>{style}</style>{body}", script)


def _buyer(kind: Any) -> bool:
    return bool(kind.setter == "destination")


def _json(data: Any) -> str:
    """JSON that no label can end the script with."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _flags(runs: Sequence[dict[str, Any]]) -> str:
    worlds = {run["world"]: run["note"] for run in runs if run["note"]}
    flags = [f'<p class="flag">The world {escape(world)} is {escape(note)}.</p>' for world, note in worlds.items()]
    open_runs = [run["name"] for run in runs if not run["certified"]]
    if open_runs:
        words = f"Not certified: {', '.join(open_runs)}. The end of this page has what each run says."
        flags.append(f'<p class="flag">{escape(words)}</p>')
    return "".join(flags)


def _plain(folders: Sequence[Path], names: Sequence[str]) -> str:
    """Real income of every economy in every run."""
    wide = gains(folders)
    rows: list[tuple[str, list[tuple[str, object]]]] = [
        (str(label), [("", "") if pd.isna(v) else (f"{v:+.3f}", float(v)) for v in values])
        for label, *values in wide.itertuples()
    ]
    return section("Change of real income, %", sortable([(GAIN, name) for name in names], rows, "welfare", (WORLD,)))


def _map(folder: Path) -> str:
    own = read_table(folder, "welfare").set_index("economy")[GAIN].to_dict()
    values = {str(k): float(v) for k, v in own.items()}
    form = signed(max(map(abs, values.values()), default=0.0), 2)
    return world_map(values, form, "%", "World map of the first run shown")


def _skeleton(drawn: str) -> str:
    """Where the script puts what it makes."""
    world = f'<div id="map">{drawn}</div>' if drawn else ""
    return f"""<form id="controls" aria-label="What is shown">
<fieldset><legend>Runs, up to {AT_ONCE} at once</legend><div id="runs"></div></fieldset>
<label>Economy <select id="economy"></select></label>
<label>Instrument <select id="instrument"></select></label>
</form>
<p id="said" class="note" aria-live="polite"></p>
<section id="welfare"><h2>Who gains, who loses</h2>{_select("welfare")}{world}<div class="place"></div>
<p class="note">Money is in the unit of the data, changes of real income at baseline prices. The world's change of real
income in per cent is that of all economies together: each counts with its income.</p></section>
<section id="economy-table"><h2></h2><div class="place"></div></section>
<section id="rates"><h2></h2><div class="place"></div></section>
<section id="flows"><h2></h2><h3>By partner, at the border</h3>{_select("partners")}<div class="place"></div>
<h3>By sector</h3>{_select("flows")}<div class="place"></div></section>
<section id="decomposition"><h2></h2><div class="place"></div>
<p class="note">The parts add up to the change of real income; docs/welfare.md says what each means. Parts that are zero
in all runs are not shown.</p></section>
<section id="jobs"><h2></h2>{_select("jobs")}<div class="place"></div></section>
<section id="about"><h2>The runs</h2><div class="place"></div></section>
<div id="tip" aria-hidden="true" hidden></div>"""


def _select(chart: str) -> str:
    """The choice of what a chart measures."""
    options = "".join(f'<option value="{name}">{escape(words)}</option>' for name, words, _ in MEASURES[chart])
    return f'<p class="measure"><label>Show <select data-chart="{chart}">{options}</select></label></p>'


def _left_out(sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return section("What is not on this page", f'<ul id="left-out">{items}</ul>')
