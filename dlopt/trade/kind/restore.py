"""A result again, from the folder of a run: the same model, instruments and policies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.runs import RunReadError, RunRecord, read_run
from dlopt.runs.tables import read_table, saved_config
from dlopt.trade.accounting import Accounting
from dlopt.trade.api import Extensions, build_model
from dlopt.trade.carbon_game import equilibrium_with_prices
from dlopt.trade.carbon_wedges import Charges
from dlopt.trade.certificate import Certificate
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.instruments import Bounds, Instruments, build_instruments
from dlopt.trade.kind import TRADE
from dlopt.trade.kind.carbon import FILES
from dlopt.trade.kind.problem import TradeProblem, build
from dlopt.trade.kind.reading import policy_of_run
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.planner import Goal
from dlopt.trade.results import Priced, SolveResult

_SAME_PCT = 1e-6
"""Largest difference of real income, per cent, between the rebuilt equilibrium and the one on file."""


_NEUTRAL: dict[str, Any] = {
    "by_player": {},
    "shocks": None,
    "political_weights": None,
    "labour_supply": 0.0,
    "revenue": "lump_sum",
    "formulas": False,
    "households": None,
    "carbon": {**dict.fromkeys(FILES), "basis": "direct"},
}
"""Keys that configs of earlier versions lack, at values that change nothing."""


class RebuildError(DloptError):
    """A run whose result cannot be had again."""


def restore(folder: Path) -> SolveResult:
    """The result of a run: its model from config and calibration, its policies from `policies.parquet`.

    Nothing is optimised; the equilibrium is solved once. Iterations and further solutions are not restored.

    Raises:
        RunReadError: not a run, or a damaged one.
        RebuildError: it has no result, its calibration has changed, or its equilibrium is not the one on file.
    """
    record = read_run(folder)
    if not (folder / "policies.parquet").is_file():
        raise RebuildError(f"{folder} ({record.status}) has no result. Give a run that reached one.")
    problem = problem_of_run(folder, record)
    arguments = problem.arguments
    model = build_model(problem.calibration, Accounting(record.accounting), **model_options(arguments))
    wedges = policy_of_run(folder, model.calibration).log_wedges()
    instruments = _instruments(model, problem)
    priced = _priced(folder, model, wedges, instruments)
    if priced is None:
        found = find_equilibrium(model, wedges)
    else:
        assert model.carbon is not None
        terms = model.carbon.with_prices(priced.tax, priced.border_tax)
        found = equilibrium_with_prices(model, Charges.of(terms, wedges))
    before = read_table(folder, "welfare").set_index("economy")["real_income_change_pct"]
    now = 100 * model.log_real_income(found.u).expm1()
    gap = max(abs(float(value) - before[name]) for name, value in zip(problem.calibration.economies, now, strict=True))
    if found.outcome is not Outcome.CONVERGED or not gap <= _SAME_PCT:
        raise RebuildError(
            f"The equilibrium of {folder} was not found again (real income differs by {gap:.1e} %). Run it again."
        )
    certificate = Certificate(**(record.certificate or {}))
    goal = goal_of(record.verb, arguments)
    return SolveResult(
        record.status,
        record.message,
        certificate,
        model,
        found.u,
        found.wedges,
        instruments,
        goal=goal,
        priced=priced,
        households=problem.households,
    )


def _priced(folder: Path, model: TradeModel, wedges: LogWedges, instruments: Instruments | None) -> Priced | None:
    """Prices of carbon on file; None where carbon has none."""
    if model.carbon is None:
        return None
    c, tax, border = model.calibration, model.carbon.tax.clone(), model.carbon.border_tax.clone()
    for row in read_table(folder, "emissions").to_dict("records"):
        tax[c.economy_index(row["economy"]), c.sector_index(row["sector"])] = row["carbon_tax"]
    if (folder / "border.parquet").is_file():
        for row in read_table(folder, "border").to_dict("records"):
            cell = (c.economy_index(row["origin"]), c.economy_index(row["importer"]), c.sector_index(row["sector"]))
            border[cell] = row["border_tax"]
    chosen = instruments is not None and instruments.unit is not None
    if not chosen and not model.carbon.priced:
        return None
    a = None if instruments is None else instruments.average(wedges, (tax, border))
    return Priced(wedges, tax, border, a)


def goal_of(verb: str, arguments: Mapping[str, Any]) -> Goal:
    """What the players of a run maximised, from the arguments of its solver."""
    if (
        "moves" in arguments
        or arguments.get("no_losers")
        or arguments.get("objective") in ("expected", "minimax", "regret")
    ):
        return Goal("other")
    return Goal(arguments["objective"], arguments["weights"]) if verb == "cooperative" else Goal()


def model_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Of the arguments of a solve, those that make the model: all but the accounting."""
    return {key: arguments[key] for key in ("deficits", "psi_scale", *Extensions.__annotations__) if key in arguments}


def problem_of_run(folder: Path, record: RunRecord) -> TradeProblem:
    """What a run was asked to solve, checked like a new command; never where it started from.

    Raises:
        RunReadError: its config is missing or damaged.
        RebuildError: its calibration has changed.
    """
    config, origin = saved_config(folder)
    config = {**_NEUTRAL, "prior": None, **config, "intervals": False}
    if not {key.name for key in TRADE.keys if "." not in key.name} <= config.keys():
        raise RunReadError(f"The config of {folder} cannot be read: keys are missing. Run it again.")
    answered = record.verb == "equilibrium" and config["retaliation"] in ("optimal", "nash")
    if not answered:  # nobody chose: the policies on file are the whole answer
        config |= {"policy": None, "retaliation": "none"}
    elif (origin / str(config["policy"])).is_file():
        config["policy"] = str(origin / str(config["policy"]))
    config |= {"init": "baseline", "draws": {**config["draws"], "player": None}}
    if (origin / config["calibration"]).is_dir():
        config["calibration"] = str(origin / config["calibration"])
    for key in ("shocks", "political_weights", "households"):
        if config[key] is not None and (origin / config[key]).is_file():
            config[key] = str(origin / config[key])
    carbon = config["carbon"] = dict(config["carbon"])
    for key in FILES:
        if carbon[key] is not None and (origin / str(carbon[key])).is_file():
            carbon[key] = str(origin / str(carbon[key]))
    problem = build(record.verb, config, record.choices)
    if problem.identity.sha256 != record.calibration["sha256"]:
        raise RebuildError(
            f"Calibration {record.calibration['name']!r} has changed since {folder} was run. Run it again."
        )
    return problem


def _instruments(model: TradeModel, problem: TradeProblem) -> Instruments | None:
    """Who could choose what; under a planner, each economy its own; in a sequence, everybody who moved."""
    given = problem.arguments
    if problem.answer is not None:
        from dlopt.policies.retaliation import TARIFFS, game_of, sides

        how, who = problem.answer
        answering, on = game_of(how, sides(given["policy"], problem.calibration, who))
        return build_instruments(model, TARIFFS, Bounds(), answering, on)
    if "instruments" not in given:
        return None
    if "moves" in given:
        players = tuple(dict.fromkeys(given["moves"]))
    else:
        players = (given["player"],) if "player" in given else given.get("players", "all")
    partners, unions = given.get("partners", "all"), given.get("unions", ())
    return build_instruments(model, given["instruments"], given["bounds"], players, partners, unions)
