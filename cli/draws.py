"""What random draws of subsidies show."""

from __future__ import annotations

import pandas as pd
from rich.table import Table


def draws_table(summary: pd.DataFrame, count: int) -> Table:
    """Quantiles of everybody's welfare over the draws, beside welfare at the optimum."""
    table = Table(
        title=f"Real income over {count} draws of subsidies, %",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("economy")
    for name in ("optimum", "mean", "std", "p5", "p50", "p95", "losses, %"):
        table.add_column(name, justify="right")
    for row in summary.to_dict("records"):
        figures = [f"{row[name]:+.3f}" for name in ("at_optimum", "mean")]
        figures += [f"{row['std']:.3f}", *(f"{row[name]:+.3f}" for name in ("p5", "p50", "p95"))]
        table.add_row(str(row["economy"]), *figures, f"{100 * row['share_of_losses']:.1f}")
    return table
