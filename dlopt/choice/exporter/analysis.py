"""What the solved exporter says: what markets are worth, the long run, responses to a shock."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from dlopt.choice import analysis
from dlopt.choice.exporter.model import Exporter, ExporterDynamics
from dlopt.choice.model import State
from dlopt.choice.options import AnalysisOptions
from dlopt.choice.value import Solution


def long_run(
    solution: Solution, model: Exporter, start: State, options: AnalysisOptions, generator: torch.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the optimal policy for long, see `analysis.long_run` (Figure 1 of Huang and Yu).

    Returns:
        `marginal_values`: `destination`, `zeta`, `delta_v` (mean of V with the channel open minus V with it closed),
        `residual` (of a regression of positive delta_v on zeta), `complementarity` (what the channel adds to others,
        sum_j c_ji), `open_share`. And `simulation`: `statistic`, `markets`, `value`, `profit`.
    """
    found = analysis.long_run(solution, start, options, generator, ("markets", "value", "profit"))
    return _marginal_table(model, found.marginal, found.on), found.simulation


def _marginal_table(model: Exporter, delta_v: np.ndarray, share: np.ndarray) -> pd.DataFrame:
    used = delta_v > 0
    if used.sum() < 2:
        used[:] = True
    design = np.stack([np.ones(model.destinations), model.zeta], axis=1)
    fit = np.linalg.lstsq(design[used], delta_v[used], rcond=None)[0]
    return pd.DataFrame(
        {
            "destination": list(model.names),
            "zeta": model.zeta,
            "delta_v": delta_v,
            "residual": delta_v - design @ fit,
            "complementarity": model.c.sum(axis=0),
            "open_share": share,
        }
    )


def impulse_response(
    solution: Solution, dynamics: ExporterDynamics, start: State, options: AnalysisOptions, seed: int
) -> pd.DataFrame:
    """Mean paths after a rise of all costs through the first factor, against the same paths without it.

    Args:
        solution: policy and value.
        dynamics: the exporter on the solution's device.
        start: long-run states.
        options: `shock` in long-run standard deviations of the first factor, `response_years`, `response_paths`.
        seed: of the shocks both paths share.

    Returns:
        `year`, `markets`, `markets_without`, `value`, `value_without`.
    """
    rise = options.shock * dynamics.loading[:, 0]
    return analysis.impulse_response(solution, start, rise, options, seed, "markets")
