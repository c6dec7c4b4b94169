"""How far an algorithm's path stays from the certified equilibrium of the same game."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dlopt.trade.rates import CHOICES, INSTRUMENTS
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd

PHASE = "gradient"
"""The phase of best-response dynamics whose player turns are measured."""


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
        kinds = [(kind.plural, kind.name) for kind in INSTRUMENTS if f"{kind.name}_max" in table]
        rates = ", ".join(
            f"{plural} up to {100 * last[f'{name}_max']:.1f} and on average {100 * last[f'{name}_mean']:.2f}"
            for plural, name in kinds
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
    truth = instruments.rates(reference.chosen)
    welfare = dict(zip(result.calibration.economies, reference.real_income_change_pct.tolist(), strict=True))
    present = [(k, kind.name) for k, kind in enumerate(CHOICES) if bool((instruments.kind == k).any())]
    rows: list[dict[str, Any]] = []
    for turn, step in enumerate(turns):
        assert step.instruments is not None
        gap = (instruments.rates(step.instruments) - truth).abs()
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
