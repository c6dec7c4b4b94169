"""Tables 1 and 2 and Figures 1 and 2 of Huang and Yu (2024): their losses, and the errors that losses do not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dlopt.papers.engine import cells
from dlopt.papers.engine.published import published
from dlopt.papers.engine.study import Entry, Study
from dlopt.papers.huang2024.trainings import TRAININGS, model_of

OURS, THEIRS = "default method", "paper's method"
_STATISTICS = {"average": "average", "std": "standard deviation", "p85": "85th percentile", "p90": "90th percentile",
               "p95": "95th percentile"}  # fmt: skip
_LOSSES = {"analytic_loss": "Loss_A / V^2, states not trained on",
           "probabilistic_loss": "Loss_P / V^2, states not trained on"}  # fmt: skip


def export_losses(study: Study) -> pd.DataFrame:
    """Table 1, and errors of V and of decisions against the exact solution of the same model."""
    pairs = {OURS: study.get("export"), THEIRS: study.get("export_paper")}
    rows = _losses("bsde_table1_export_losses", pairs)
    return cells.frame([*rows, *_certificates(pairs), *_errors(pairs, "Errors against the exact solution")])


def network_losses(study: Study) -> pd.DataFrame:
    """Table 2, the certificate of the same runs, and errors where the economy is small enough to be solved exactly."""
    pairs = {OURS: study.get("network"), THEIRS: study.get("network_paper")}
    small = {OURS: study.get("network3"), THEIRS: study.get("network3_paper")}
    rows = _losses("bsde_table2_network_losses", pairs)
    exact = _errors(small, "The same methods on 3 sectors: errors against the exact solution")
    return cells.frame([*rows, *_certificates(pairs), *exact])


def marginal_values(study: Study) -> pd.DataFrame | None:
    """Figure 1: a row per destination, see `dlopt.choice.analysis.long_run`."""
    table = study.get("gravity").tables.get("marginal_values")
    return None if table is None else table.assign(status=study.get("gravity").status)


def link_values(study: Study) -> pd.DataFrame | None:
    """Figure 2: a row per link, see `dlopt.choice.production.analysis.link_values`."""
    table = study.get("network").tables.get("marginal_values")
    return None if table is None else table.assign(status=study.get("network").status)


def model_name(training: str) -> str:
    """What a caption says about the model."""
    given = TRAININGS[training]
    name = model_of(given).name
    if name != given.models[0]:
        return f"Economy: {name} (embedded, invented; {given.models[0]} is not imported)."
    return f"Economy: {name}." if given.kind == "network" else f"Model: {name} (parameters are ours, not published)."


def _losses(name: str, pairs: Mapping[str, Entry]) -> list[dict[str, Any]]:
    printed = published(name).set_index("statistic")
    rows = []
    for column, words in _LOSSES.items():
        for method, entry in pairs.items():
            table = entry.tables.get("out_of_sample")
            ours: dict[Any, float] = {} if table is None else table.set_index("statistic")[column].to_dict()
            rows += [
                cells.cell(label, words, method, float(printed[column][statistic]), ours.get(statistic), entry.status)
                for statistic, label in _STATISTICS.items()
            ]
    return rows


def _certificates(pairs: Mapping[str, Entry]) -> list[dict[str, Any]]:
    words = {
        "hjb_residual_rel": ("mean residual of the Bellman equation, % of rho V", 100.0),
        "value_gap_pct": ("value of the policy less V, % of V", 1.0),
        "value_gap_se_pct": ("its standard error", 1.0),
    }
    rows = []
    for method, entry in pairs.items():
        known = entry.solved.certificate if entry.solved else {}
        for field, (label, factor) in words.items():
            value = factor * known[field] if field in known else None
            rows.append(cells.cell(label, "Certificate, no exact solution needed", method, None, value, entry.status))
    return rows


def _errors(pairs: Mapping[str, Entry], column: str) -> list[dict[str, Any]]:
    words = {
        "relative_error": "mean error of V, %", "max_relative_error": "largest error of V, %",
        "decision_accuracy": "right decisions, %",
    }  # fmt: skip
    rows = []
    for method, entry in pairs.items():
        table = entry.tables.get("validation")
        known: dict[Any, float] = {} if table is None else table.set_index("states").T["long_run"].to_dict()
        for field, label in words.items():
            value = 100 * known[field] if field in known else None
            rows.append(cells.cell(label, column, method, None, value, entry.status))
    return rows
