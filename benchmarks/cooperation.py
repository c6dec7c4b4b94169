"""Dual cooperation of Wang, Xu, Yang and Zhu (2024), Table 5: which reading of it comes near the published column.

    python -m benchmarks.cooperation [--calibration icio2017] [--readings NAME ...] [--sectors tradable] [--out FILE]

Every reading is a planner with another set of instruments, other bounds, weights or accounting, or a point on the
published algorithm's own path: Adam on equation (20) from the baseline or from the Nash equilibrium, where the point
nearest to the published column is shown. Prints a line per reading and, at the end, the table of docs/reproduction.md
(`--out`: keeps the results as JSON, and makes only those that are not there).
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import dlopt
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import build_instruments
from dlopt.trade.planner import planner_weights, weighted_welfare

BOTH = {"tariff": "by_sector", "subsidy": "by_sector"}
RATES = (1e-4, 5e-4, 1e-3)
"""Of Adam, as in the paper's Table 1."""
STEPS = 1000
"""20 rounds of 50."""
READINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "published": ("income weights, tariffs and subsidies from 0 up", {}),
    "standard": ("`standard` accounting", {"accounting": "standard"}),
    "negative": ("tariffs and subsidies may be negative", {"bounds": dlopt.Bounds((-0.9, 4), (-0.9, 4), (-4, 0.8))}),
    "constant": ("trade deficits stay as they are", {"deficits": "constant"}),
    "share": ("trade deficits are shares of world income", {"deficits": "share"}),
    "subsidies": ("subsidies alone", {"instruments": {"subsidy": "by_sector"}}),
    "export_taxes": ("tariffs, export taxes and subsidies", {"instruments": {**BOTH, "export_tax": "by_sector"}}),
    "mfn": ("one tariff for all partners, subsidies", {"instruments": {**BOTH, "tariff": "mfn"}}),
    "uniform": ("tariffs, one subsidy for all sectors", {"instruments": {**BOTH, "subsidy": "uniform"}}),
    "equal": ("equal weights", {"weights": "equal"}),
    "equal_log": ("equal weights, log welfare", {"weights": "equal", "objective": "log"}),
    "log": ("income weights, log welfare", {"objective": "log"}),
    "value_added": ("weights by value added", {"weights": "value_added"}),
    "spending": ("weights by spending, inputs included", {"weights": "spending"}),
    "spending_log": ("weights by spending, inputs included, log welfare", {"weights": "spending", "objective": "log"}),
    "exports": ("weights by exports", {"weights": "exports"}),
    "no_losers": ("nobody below the baseline", {"no_losers": True}),
    "bargain": ("Nash bargain, income weights", {"objective": "bargain"}),
    "from_nash": ("income weights, begun at the Nash equilibrium", {"init": "nash"}),
    "no_scale": ("no economies of scale", {"psi_scale": 0.0}),
    **{f"adam_{rate:g}": (f"Adam at rate {rate:g} from the baseline", {"adam": rate}) for rate in RATES},
    **{f"adam_nash_{rate:g}": (f"Adam at rate {rate:g} from Nash", {"adam": rate, "init": "nash"}) for rate in RATES},
}  # fmt: skip


def published(economies: tuple[str, ...]) -> Tensor:
    """Changes of real income in the paper's dual column, per cent, `[country]`."""
    text = files("dlopt.papers.published").joinpath("table5_welfare_cooperative.csv").read_text(encoding="utf-8")
    of = {
        r["economy"]: float(r["welfare_change_pct"])
        for r in csv.DictReader(text.splitlines())
        if r["instruments"] == "dual"
    }
    return torch.tensor([of[name] for name in economies])


def weights_by(calibration: dlopt.Calibration, what: str) -> dict[str, float]:
    """Sizes of economies in the data."""
    trade = calibration.trade
    abroad = trade * (1 - torch.eye(len(trade)))[:, :, None]
    kept = trade / ((1 + calibration.tariff) * (1 + calibration.export_tax) * (1 - calibration.subsidy[:, None]))
    sizes = {
        "value_added": (calibration.value_added_share * kept.sum(1)).sum(1), "spending": trade.sum((0, 2)),
        "exports": abroad.sum((1, 2)),
    }[what]  # fmt: skip
    return dict(zip(calibration.economies, sizes.tolist(), strict=True))


def measure(calibration: dlopt.Calibration, name: str, sectors: str) -> dict[str, Any]:
    """Solve one reading; what it does to every economy, and how far that is from the published column."""
    began = time.process_time()
    label, change = READINGS[name]
    given: dict[str, Any] = {"accounting": "paper", "instruments": BOTH, **change}
    given["instruments"] = dlopt.InstrumentChoice(**{"tariff": "false", **given["instruments"]}, sectors=sectors)
    if given.get("init") == "nash":
        nash = dlopt.solve_nash(calibration, instruments=given["instruments"], accounting=given["accounting"])
        given["init"] = nash.policy
    if given.get("weights") in ("value_added", "spending", "exports"):
        given["weights"] = weights_by(calibration, given["weights"])
    if given.get("objective") == "log":
        weight = planner_weights(build_model(calibration, given["accounting"]), given.pop("weights", "income"))
        given["objective"] = lambda log_welfare: (weight @ log_welfare)[None]
    goal = published(calibration.economies)
    kept: dict[str, Any] = {"name": name, "label": label, "sectors": sectors}
    if "adam" in given:
        step, change_pct = _nearest(calibration, given, goal)
        kept |= {"status": f"nearest of {STEPS} steps: {step}"}
    else:
        try:
            result = dlopt.solve_cooperative(calibration, **given)
        except dlopt.DloptError as error:
            return kept | {"status": "no optimum", "why": str(error), "seconds": round(time.process_time() - began)}
        change_pct, kept["status"] = result.real_income_change_pct, result.status
    kept["change_pct"] = {e: round(float(x), 3) for e, x in zip(calibration.economies, change_pct, strict=True)}
    kept["rms"] = float((change_pct - goal).square().mean().sqrt())
    return kept | {"seconds": round(time.process_time() - began)}


def _nearest(calibration: dlopt.Calibration, given: dict[str, Any], goal: Tensor) -> tuple[int, Tensor]:
    """The step of Adam on the planner's objective at which real incomes are nearest to `goal`, and these, per cent."""
    model = build_model(calibration, given["accounting"])
    chosen = build_instruments(model, given["instruments"], dlopt.Bounds(), "all", "all")
    game = TradeGame(model, chosen, weighted_welfare(planner_weights(model, "income")))
    begin = given.get("init")
    wedges = model.wedges0 if begin is None else begin.log_wedges()
    point = game.point(chosen.average(wedges))
    values = torch.nn.Parameter(point.a.clone())
    adam = torch.optim.Adam([values], lr=given["adam"], maximize=True)
    best: tuple[float, int, Tensor] | None = None
    for step in range(STEPS + 1):
        change_pct = 100 * (point.log_welfare.exp() - 1)
        distance = float((change_pct - goal).square().mean())
        if best is None or distance < best[0]:
            best = (distance, step, change_pct)
        values.grad = point.gradient()[0].clone()
        torch.nn.utils.clip_grad_norm_([values], 10.0)
        adam.step()
        with torch.no_grad():
            values.clamp_(game.lower, game.upper)
        moved = game.point(values.detach().clone(), near=point)
        if moved is None:
            break
        point = moved
    return best[1:]


def table(found: list[dict[str, Any]], economies: tuple[str, ...]) -> str:
    """Markdown, the nearest reading first."""
    goal = published(economies).tolist()
    lines = [
        f"| reading | {' | '.join(economies)} | rms | how it ended |",
        f"| --- |{' ---: |' * (len(economies) + 1)} --- |",
    ]
    lines.append(f"| published | {' | '.join(f'{x:+.2f}' for x in goal)} | | |")
    for one in sorted(found, key=lambda one: one.get("rms", float("inf"))):
        cells = [f"{one['change_pct'][e]:+.2f}" if "rms" in one else "" for e in economies]
        rms = f"{one['rms']:.2f}" if "rms" in one else ""
        lines.append(f"| {one['label']} | {' | '.join(cells)} | {rms} | {one['status'].replace('_', ' ')} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is asked for and not yet known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calibration", default="icio2017")
    parser.add_argument("--sectors", choices=["all", "tradable"], default="tradable")
    parser.add_argument("--readings", nargs="+", choices=list(READINGS), default=list(READINGS))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    calibration = dlopt.load_calibration(asked.calibration)
    found = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out and asked.out.exists() else []
    for name in asked.readings:
        if not any((one["name"], one["sectors"]) == (name, asked.sectors) for one in found):
            found.append(measure(calibration, name, asked.sectors))
            print(json.dumps(found[-1]), flush=True)
            if asked.out:
                asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    mine = [one for one in found if one["name"] in asked.readings and one["sectors"] == asked.sectors]
    print(table(mine, calibration.economies))


if __name__ == "__main__":
    main()
