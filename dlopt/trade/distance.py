"""How far an algorithm's path stays from the certified equilibrium of the same game."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.trade.instruments import KINDS, Instruments
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd

PHASE = "gradient"
"""The phase of best-response dynamics whose player turns are measured."""

_PLURAL = {"tariff": "tariffs", "export_tax": "export taxes", "subsidy": "subsidies"}


def compared(result: SolveResult, reference: SolveResult) -> SolveResult:
    """The result with the equilibrium it is measured against, and a message that says how far it is from it."""
    if reference.status == "interrupted":
        return dataclasses.replace(result, message=f"{result.message} It was not compared: the run was asked to stop.")
    measured = dataclasses.replace(result, reference=reference)
    table = distance_table(measured)
    quality = "the certified equilibrium" if reference.status == "converged" else "an equilibrium not certified"
    message = f"{result.message} "
    if len(table):
        last = table.iloc[-1]
        kinds = [kind for kind in KINDS if f"{kind}_max" in table]
        rates = ", ".join(
            f"{_PLURAL[kind]} up to {100 * last[f'{kind}_max']:.1f} and on average {100 * last[f'{kind}_mean']:.2f}"
            for kind in kinds
        )
        message += (
            f"Percentage points from {quality} after round {last['round']}: {rates}, "
            f"real income up to {last['welfare_max']:.2f}."
        )
    return dataclasses.replace(measured, message=message)


def distance_table(result: SolveResult) -> pd.DataFrame:
    """One row per player turn: distances of rates (fractions) by kind, and of welfare (percentage points) by economy.

    `welfare_ECONOMY` is the run's real-income change less that of the reference; `welfare_max` the largest of them in
    absolute value.
    """
    import pandas as pd

    reference, instruments = result.reference, result.instruments
    assert reference is not None
    assert instruments is not None
    turns = [step for step in result.iterations if step.phase == PHASE and step.instruments is not None]
    truth = _rates(instruments, instruments.average(reference.wedges))
    welfare = dict(zip(result.calibration.economies, reference.real_income_change_pct.tolist(), strict=True))
    present = [(k, kind) for k, kind in enumerate(KINDS) if bool((instruments.kind == k).any())]
    rows: list[dict[str, Any]] = []
    for turn, step in enumerate(turns):
        assert step.instruments is not None
        gap = (_rates(instruments, step.instruments) - truth).abs()
        row: dict[str, Any] = {
            "iteration": step.iteration, "round": turn // len(instruments.members) + 1, "player": step.player,
        }  # fmt: skip
        for k, kind in present:
            of_kind = gap[instruments.kind == k]
            row |= {f"{kind}_max": float(of_kind.max()), f"{kind}_mean": float(of_kind.mean())}
        differences = {economy: step.welfare[economy] - welfare[economy] for economy in welfare}
        row["welfare_max"] = max(map(abs, differences.values()))
        rows.append(row | {f"welfare_{economy}": value for economy, value in differences.items()})
    return pd.DataFrame(rows)


def _rates(instruments: Instruments, log_rates: Tensor) -> Tensor:
    """Rates as fractions, `[instrument]`."""
    subsidy = instruments.kind == KINDS.index("subsidy")
    return torch.where(subsidy, -(-log_rates).expm1(), log_rates.expm1())
