"""The tables of a result, with the columns that run folders have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from dlopt.trade.accounting import importer_share
from dlopt.trade.calibration import Calibration
from dlopt.trade.carbon_tables import border_table, carbon_table, emissions_table
from dlopt.trade.decomposition import DecompositionError, decompose
from dlopt.trade.distance import distance_table
from dlopt.trade.outcomes import outcomes_table, partner_table
from dlopt.trade.policy import Policy
from dlopt.trade.rates import INSTRUMENTS, InstrumentKind
from dlopt.trade.results import SolveResult


def tables(result: SolveResult) -> dict[str, pd.DataFrame]:
    """Every table of a result by name; moves, draws and distances where there are any."""
    return {name: make() for name, make in makers(result).items()}


def makers(result: SolveResult) -> dict[str, Callable[[], pd.DataFrame]]:
    """How each table of a result is computed, by name."""
    made: dict[str, Callable[[SolveResult], pd.DataFrame]] = {
        "welfare": welfare_table,
        "decomposition": decomposition_table,
        "policies": policy_table,
        "sectors": sector_table,
        "trade": trade_table,
        "iterations": iteration_table,
        "equilibria": equilibria_table,
        "outcomes": outcomes_table,
        "partners": partner_table,
    }
    if result.moves:
        made["moves"] = move_table
    if result.reference is not None:
        made["distance"] = distance_table
    if result.model.carbon is not None:
        made |= {"carbon": carbon_table, "emissions": emissions_table}
        if result.priced is not None and border_table(result).shape[0]:
            made["border"] = border_table
    out = {name: partial(make, result) for name, make in made.items()}
    if result.draws is not None:
        out |= {"draws": result.draws.table, "draws_summary": result.draws.summary}  # type: ignore[dict-item]
    if result.households is not None:
        out["households"] = partial(result.households.table, result)
    if result.formulas is not None:
        out |= {"formulas": result.formulas.table, "formula_policies": result.formulas.policies}  # type: ignore[dict-item]
    if result.robust is not None:
        out["worlds"] = result.robust.table  # type: ignore[assignment]
    if result.uncertainty is not None:
        found = result.uncertainty
        out |= {"intervals": found.table, "interval_policies": found.policies, "evidence": found.evidence}  # type: ignore[dict-item]
        if result.instruments is not None:
            out["interval_averages"] = found.averages  # type: ignore[assignment]
        if found.draws is not None:
            out["interval_draws"] = found.drawn  # type: ignore[assignment]
        if found.sobol is not None:
            out["sobol"] = found.sobol.table  # type: ignore[assignment]
    return out  # type: ignore[return-value]


def welfare_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy."""
    model, state = result.model, result.state
    prices = (model.alpha * state.price).sum(1)
    tariffs = (model.flows(state, result.wedges) * importer_share(model.accounting, *result.wedges)).sum((0, 2))
    income = model.income * state.income.exp()
    return pd.DataFrame({
        "economy": list(result.calibration.economies),
        "real_income_change_pct": result.real_income_change_pct.numpy(),
        "nominal_income_change_pct": (100 * state.income.expm1()).numpy(),
        "price_index_change_pct": (100 * prices.expm1()).numpy(),
        "wage_change_pct": (100 * state.wage.expm1()).numpy(),
        "tariff_revenue_share_pct": (100 * tariffs / income).numpy(),
        "welfare_change_pct": result.welfare_change_pct.numpy(),
    })  # fmt: skip


def decomposition_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy and part of its change of real income; none where the result cannot be decomposed."""
    try:
        return decompose(result).table(result.calibration.economies)
    except DecompositionError:
        kinds = {"economy": "str", "component": "str", "contribution_pct": "float", "contribution_log": "float"}
        return pd.DataFrame(columns=list(kinds)).astype(kinds)


def policy_table(result: SolveResult) -> pd.DataFrame:
    """One row per rate that somebody chose, or that differs from the baseline where nobody chose."""
    c = result.calibration
    before, after = Policy.of(c), result.policy
    frames = []
    for number, kind in enumerate(INSTRUMENTS):
        old, new = getattr(before, kind.name), getattr(after, kind.name)
        changed = (old - new).abs() > 1e-12  # rates come from logs: rounding is no change
        if result.instruments is None:
            index = torch.full(old.shape, -1)
            cells = changed.nonzero()
        else:
            index = result.instruments.maps()[number]
            cells = ((index >= 0) | changed).nonzero()
        position = tuple(cells.T)
        chosen = index[position]
        low, high = (_bound(result, side, chosen, kind) for side in ("lower", "upper"))
        origin, sector = cells[:, 0], cells[:, -1]
        destination = cells[:, 1] if kind.pairs else None
        owner = destination if kind.setter == "destination" else origin
        assert owner is not None
        frames.append(
            pd.DataFrame(
                {
                    "economy": _names(c.economies, owner),
                    "instrument": kind.name,
                    "origin": _names(c.economies, origin),
                    "destination": None if destination is None else _names(c.economies, destination),
                    "sector": _sector_labels(c, sector),
                    "sector_name": _names(c.sector_names, sector),
                    "initial_rate": old[position].numpy(),
                    "rate": new[position].numpy(),
                    "lower_bound": low.numpy(),
                    "upper_bound": high.numpy(),
                    "at_bound": _at_bound(result, chosen).numpy(),
                }
            ).astype({"destination": "object"})
        )
    frames = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(frames, ignore_index=True)


def sector_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy and sector; output is producer revenue, its change that of the volume."""
    c, model, state = result.calibration, result.model, result.state
    revenue = model.payroll * (state.wage[:, None] + state.labour).exp() / model.beta
    revenue = torch.where(model.sells, revenue, 0.0)
    volume = torch.where(model.sells, state.wage[:, None] + state.labour - model.unit_cost(state), 0.0)
    workers0 = model.payroll / model.payroll.sum(1, keepdim=True)
    workers = torch.where(model.sells, workers0 * state.labour.exp(), 0.0)
    cells = torch.cartesian_prod(torch.arange(model.n), torch.arange(model.j))
    ended = (model.revenue > 0) & ~model.sells  # by a shock
    change = {"employment_change_pct": torch.where(ended, -torch.inf, state.labour), "price_change_pct": state.price}
    return pd.DataFrame({
        "economy": _names(c.economies, cells[:, 0]),
        "sector": _sector_labels(c, cells[:, 1]),
        "sector_name": _names(c.sector_names, cells[:, 1]),
        **{name: (100 * values.expm1()).flatten().numpy() for name, values in change.items()},
        "output_share_initial": (model.revenue / model.revenue.sum(1, keepdim=True)).flatten().numpy(),
        "output_share": (revenue / revenue.sum(1, keepdim=True)).flatten().numpy(),
        "output_initial": model.revenue.flatten().numpy(),
        "output": revenue.flatten().numpy(),
        "output_change_pct": (100 * torch.where(ended, -torch.inf, volume).expm1()).flatten().numpy(),
        "employment_share_initial": workers0.flatten().numpy(),
        "employment_share": (workers / workers.sum(1, keepdim=True)).flatten().numpy(),
    })  # fmt: skip


def trade_table(result: SolveResult) -> pd.DataFrame:
    """One row per flow, consumer prices."""
    c, n = result.calibration, torch.arange(result.model.n)
    cells = torch.cartesian_prod(n, n, torch.arange(result.model.j))
    return pd.DataFrame({
        "origin": _names(c.economies, cells[:, 0]),
        "destination": _names(c.economies, cells[:, 1]),
        "sector": _sector_labels(c, cells[:, 2]),
        "value_initial": c.trade.flatten().numpy(),
        "value": result.model.flows(result.state, result.wedges).flatten().numpy(),
    })  # fmt: skip


def iteration_table(result: SolveResult) -> pd.DataFrame:
    """One row per solver iteration."""
    columns = ["iteration", "phase", "seconds", "player", "first_order_residual"]
    rows: list[dict[str, Any]] = [
        {**{k: getattr(step, k) for k in columns}, **{f"welfare_{e}": w for e, w in step.welfare.items()}}
        for step in result.iterations
    ]
    frame = pd.DataFrame(rows, columns=[*columns, *(f"welfare_{e}" for e in result.calibration.economies)])
    frame = frame.astype({"player": "object", "phase": "object", "first_order_residual": "float64"})
    if result.reference is None:
        return frame
    distance = distance_table(result).set_index("iteration")
    columns = [name for name in map(str, distance) if name.endswith(("_max", "_mean"))]
    return frame.join(distance[columns].add_prefix("distance_"), on="iteration")


def move_table(result: SolveResult) -> pd.DataFrame:
    """One row per move and economy."""
    frames = [
        pd.DataFrame(
            {
                "move": number,
                "player": move.player,
                "status": move.status,
                "economy": list(result.calibration.economies),
                "real_income_change_pct": move.welfare.numpy(),
            }
        )
        for number, move in enumerate(result.moves, start=1)
    ]
    return pd.concat(frames, ignore_index=True)


def equilibria_table(result: SolveResult) -> pd.DataFrame:
    """One row per economy and distinct equilibrium found."""
    frames = [
        pd.DataFrame(
            {
                "equilibrium": number,
                "economy": list(result.calibration.economies),
                "real_income_change_pct": solution.welfare.numpy(),
                "equilibrium_residual": solution.equilibrium_residual,
                "first_order_residual": solution.first_order_residual,
                "certified": solution.certified,
            }
        )
        for number, solution in enumerate(result.solutions)
    ]
    columns = ["equilibrium", "economy", "real_income_change_pct", "equilibrium_residual", "first_order_residual"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*columns, "certified"])


def _bound(result: SolveResult, side: str, chosen: Tensor, kind: InstrumentKind) -> Tensor:
    values = torch.full(chosen.shape, float("nan"), dtype=result.u.dtype)
    if result.instruments is not None:
        log_rate = getattr(result.instruments, side)[chosen[chosen >= 0]]
        values[chosen >= 0] = kind.rate(log_rate)
    return values


def _at_bound(result: SolveResult, chosen: Tensor) -> Tensor:
    held = torch.zeros(chosen.shape, dtype=torch.bool)
    if result.instruments is not None:
        a = result.chosen
        stuck = (a <= result.instruments.lower) | (a >= result.instruments.upper)
        held[chosen >= 0] = stuck[chosen[chosen >= 0]]
    return held


def _names(labels: tuple[str, ...], index: Tensor) -> list[str]:
    return [labels[i] for i in index.tolist()]


def _sector_labels(calibration: Calibration, index: Tensor) -> list[Any]:
    """Sector labels, as integers where all of them are."""
    whole = all(label.isdecimal() and str(int(label)) == label for label in calibration.sectors)
    return [int(calibration.sectors[i]) if whole else calibration.sectors[i] for i in index.tolist()]
