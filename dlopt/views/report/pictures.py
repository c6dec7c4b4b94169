"""Pictures of a trade run: welfare, policies by sector, the steps of the solver."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pandas as pd

from dlopt.framework.steps import phase_in_words
from dlopt.trade.rates import INSTRUMENTS
from dlopt.views.figures.canvas import panels
from dlopt.views.report.charts import ENDS, LONGEST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {kind.name: kind.plural.capitalize() for kind in INSTRUMENTS}


def png(figure: Figure) -> bytes:
    """As a file would hold it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def policies_by_sector(policies: pd.DataFrame, kind: str) -> Figure:
    """Simple averages over partners, `[economy, sector]`, as a heat map in per cent; of one sector, as bars.

    Of very many economies those are drawn whose rates move most.

    Args:
        policies: as in `policies.parquet`.
        kind: `tariff`, `export_tax` or `subsidy`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    of_kind = policies[policies["instrument"] == kind]
    names = of_kind.drop_duplicates("sector").set_index("sector")["sector_name"].sort_index()
    count = of_kind["economy"].nunique()
    if count > LONGEST:
        moved = (of_kind["rate"] - of_kind["initial_rate"]).abs().groupby(of_kind["economy"]).mean()
        most = moved.nlargest(2 * ENDS).index
        of_kind = of_kind[of_kind["economy"].isin(most)]
    rates = 100 * of_kind.pivot_table(index="economy", columns="sector", values="rate")[names.index]
    if len(names) == 1:
        return _bars(rates.iloc[:, 0], kind, count)
    labels = [name if name == str(sector) else f"{name} ({sector})" for sector, name in names.items()]
    figure, (axes,) = panels(1, 1, 1.0 + 0.22 * len(rates) + 0.05 * max(map(len, labels)))
    limit = float(rates.abs().max().max()) or 1.0
    lowest = -limit if float(rates.min().min()) < 0 else 0.0
    image = axes.pcolormesh(rates.to_numpy(), cmap="PuOr" if lowest else "YlOrBr", vmin=lowest, vmax=limit)
    axes.invert_yaxis()
    axes.set_yticks([k + 0.5 for k in range(len(rates))], rates.index, fontsize=8)
    axes.set_xticks([k + 0.5 for k in range(len(names))], labels, rotation=90, fontsize=6)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, pad=0.01)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(f"{KINDS[kind].lower()}, per cent", fontsize=8)
    return figure


def _bars(rates: pd.Series, kind: str, count: int) -> Figure:
    rates = rates.sort_values(ascending=False)
    figure, (axes,) = panels(1, 1, 1.0 + 0.25 * len(rates))
    bars = axes.barh(rates.index, rates, color="#1f5f99")
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    which = f": the {len(rates)} of {count} economies that move most" if len(rates) < count else ""
    axes.set_xlabel(f"{KINDS[kind].lower()}, simple average, per cent{which}", fontsize=8)
    return figure


def way_of_the_solver(iterations: pd.DataFrame) -> Figure:
    """First-order residuals by iteration, one colour per phase.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    figure, (axes,) = panels(1, 1, 2.4)
    for phase, part in iterations.groupby("phase", sort=False):
        residual = part["first_order_residual"].clip(lower=1e-16)
        axes.semilogy(part["iteration"], residual, ".", markersize=4, label=phase_in_words(str(phase)))
    axes.set_xlabel("step", fontsize=8)
    axes.set_ylabel("first-order residual: distance\nfrom the optimum", fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    return figure
