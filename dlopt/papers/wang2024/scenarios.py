"""What is solved for the tables and figures: scenarios of `conf/scenario`, in every variant of the model asked for."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlopt.errors import DloptError
from dlopt.framework.best_response import BestResponse
from dlopt.framework.joint import JointNewton
from dlopt.papers.engine import store
from dlopt.papers.engine.cache import Cache, KeptFailureError, Solved
from dlopt.papers.engine.problem import OnIteration, UnavailableError, Variant
from dlopt.papers.engine.study import Study
from dlopt.store.files import read_yaml
from dlopt.trade.api import build_model, solve_cooperative, solve_nash, solve_unilateral
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import Certificate
from dlopt.trade.draws import DrawOptions, draw_subsidies
from dlopt.trade.instruments import InstrumentChoice, Instruments, build_instruments
from dlopt.trade.model import TradeModel
from dlopt.trade.results import SolveResult

VARIANTS = tuple(
    Variant(accounting, sectors) for accounting in ("paper", "standard") for sectors in ("all", "tradable")
)
_FOLDER = Path(str(importlib.resources.files("dlopt.conf"))) / "scenario"


class ScenarioError(DloptError):
    """A scenario file has a key that the reproduction does not know."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One game or planner.

    Attributes:
        title: what it is, in words.
        kind: `nash`, `unilateral` (the first player alone) or `cooperative`.
        tariff, export_tax, subsidy: as in `InstrumentChoice`.
        players: labels; empty for all economies.
        partners: `all` or `players`.
        psi_scale: multiplies the scale elasticities.
        sectors: labels; empty for those of the variant.
    """

    title: str
    kind: str = "nash"
    tariff: str = "false"
    export_tax: str = "false"
    subsidy: str = "false"
    players: tuple[str, ...] = ()
    partners: str = "all"
    psi_scale: float = 1.0
    sectors: tuple[str, ...] = ()

    @property
    def tariffs_only(self) -> bool:
        """Without export taxes and subsidies both accountings are the same."""
        return self.export_tax == self.subsidy == "false"

    @property
    def measured(self) -> bool:
        """It is expected to be certified."""
        return False

    def readings(self, variants: Sequence[Variant]) -> Sequence[Variant]:
        """It is solved in all of them."""
        return variants

    def check(self, calibration: Calibration) -> None:
        """Raises: UnavailableError: the calibration lacks what the scenario names."""
        missing = [p for p in self.players if p not in calibration.economies]
        lost = [s for s in self.sectors if s not in calibration.sectors]
        if missing or lost:
            what = f"economy {', '.join(missing)}" if missing else f"sector {', '.join(lost)}"
            raise UnavailableError(f"{calibration.name} has no {what}, so there is no {self.title}.")

    def key(self, cache: Cache, variant: Variant | None) -> str:
        """Digest of everything its numbers depend on."""
        return cache.key(definition(self, variant, cache.calibration))

    def solve(self, cache: Cache, variant: Variant | None, on_iteration: OnIteration | None = None) -> Solved:
        """From the cache, or solved and put there unless interrupted.

        Raises:
            UnavailableError: the calibration lacks what the scenario names.
            KeptFailureError: the solvers refused.
        """
        self.check(cache.calibration)
        given = definition(self, variant, cache.calibration)
        key = cache.key(given)
        kept = store.load(cache.path(key))
        if kept is not None:
            return _rebuilt(cache, key, given, kept)
        started = time.process_time()
        try:
            result = solve(given, cache.calibration, on_iteration)
        except DloptError as error:
            store.save(cache.path(key), {"definition": given, "failure": str(error)})
            raise KeptFailureError(str(error)) from error
        seconds = time.process_time() - started
        certificate = dataclasses.asdict(result.certificate)
        if result.status != "interrupted":
            tau, epsilon, sigma = (wedge.numpy() for wedge in result.wedges)
            about = {
                "definition": given, "seconds": seconds, "status": result.status, "message": result.message,
                "certificate": certificate,
            }  # fmt: skip
            store.save(cache.path(key), about, u=result.u.numpy(), tau=tau, epsilon=epsilon, sigma=sigma)
        return Solved(result.status, result.message, certificate, seconds, False, key, result)


@functools.cache
def _file(name: str) -> Mapping[str, Any]:
    content = read_yaml(_FOLDER / f"{name}.yaml")
    unknown = set(content) - {"scenario", "player", "players", "partners", "instruments"}
    if unknown:
        raise ScenarioError(f"Scenario {name} has keys that no table knows: {', '.join(sorted(unknown))}.")
    return dict(content)


def composed(name: str, title: str, verb: str | None = None, **changed: Any) -> Scenario:
    """A scenario of `conf/scenario`, as `dlopt solve VERB scenario=NAME KEY=VALUE ...` composes it.

    Args:
        name: of the file.
        title: what it is here, in words.
        verb: one that the file serves; its first by default.
        changed: keys that differ: `player`, `psi_scale`.

    Raises:
        ScenarioError: the file has a key that this does not know, or does not serve the verb.
    """
    keys = {**_file(name), **changed}
    verbs = keys["scenario"]["verbs"]
    if verb is not None and verb not in verbs:
        raise ScenarioError(f"Scenario {name} is for {', '.join(verbs)}, not for {verb}.")
    kind = verb or verbs[0]
    chosen = dict(keys.get("instruments", {}))
    sectors = tuple(chosen.pop("sectors", ()))
    players = keys.get("players", "all")
    if kind == "unilateral":
        players = [keys["player"]]
    return Scenario(
        title, kind, players=() if players == "all" else tuple(players), partners=keys.get("partners", "all"),
        psi_scale=keys.get("psi_scale", 1.0), sectors=sectors, **chosen,
    )  # fmt: skip


_GAMES: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "trade_war": ("trade_war", "global trade war", None, {}),
    "dual": ("dual", "global dual competition", None, {}),
    "subsidy": ("subsidy", "global subsidy competition", None, {}),
    "us_china_trade_war": ("us_china_trade_war", "trade war of China and the US", None, {}),
    "us_china_dual": ("us_china_dual", "dual competition of China and the US", None, {}),
    "us_china_subsidy": ("us_china_subsidy", "subsidy competition of China and the US", None, {}),
    "china_dual": ("dual", "China's optimal tariffs and subsidies", "unilateral", {"player": "CHN"}),
}
"""Name here -> scenario file, title, verb, changed keys."""
SCENARIOS: dict[str, Scenario] = {
    **{name: composed(file, title, verb, **keys) for name, (file, title, verb, keys) in _GAMES.items()},
    **{
        f"{name}_no_scale": composed(file, f"{title}, no scale economies", verb, psi_scale=0.0, **keys)
        for name, (file, title, verb, keys) in _GAMES.items()
    },
    "uniform_subsidy": composed("uniform_subsidy", "subsidy competition, one rate"),
    "cooperation_tariff": composed("cooperation_tariff", "cooperative tariffs"),
    "cooperation": composed("cooperation", "cooperative tariffs and subsidies"),
    "china_subsidy": composed("subsidy", "China's optimal subsidies", "unilateral", player="CHN"),
    "china_unilateral": composed("china_unilateral", "China's optimal tariffs, export taxes and subsidies"),
}


def drawn(study: Study, name: str, variant: Variant, player: str) -> np.ndarray | None:
    """Real income of `player`, per cent, under random subsidies of its own around a solution, `[draw]`.

    NaN where a draw cannot be solved; None where there is no solution.
    """
    cache, scenario = study.cache, SCENARIOS[name]
    if study.get(name, variant).result is None or player not in study.calibration.economies:
        return None
    options = DrawOptions()
    given = definition(scenario, variant, cache.calibration)
    path = cache.path(cache.key({**given, "draws": [player, dataclasses.asdict(options)]}))
    kept = store.load(path)
    if kept is not None:
        return np.asarray(kept["values"])
    result = scenario.solve(cache, variant).result
    assert result is not None
    found = draw_subsidies(result, player, options).real_income_change_pct
    values = found[:, cache.calibration.economy_index(player)].numpy()
    store.save(path, {"definition": given, "player": player}, values=values)
    return values


def definition(scenario: Scenario, variant: Variant | None, calibration: Calibration) -> dict[str, Any]:
    """Everything besides the calibration that the solution depends on; equal definitions have equal solutions."""
    assert variant is not None
    untaxed = not bool(calibration.export_tax.any()) and not bool(calibration.subsidy.any())
    same = scenario.tariffs_only and untaxed
    fields = dataclasses.asdict(scenario)
    del fields["title"]
    return fields | {
        "accounting": "standard" if same else variant.accounting,
        "sectors": list(scenario.sectors) or variant.sectors,
    }


def solve(
    given: dict[str, Any], calibration: Calibration, on_iteration: OnIteration | None = None,
    solver: JointNewton | BestResponse = JointNewton(),
) -> SolveResult:  # fmt: skip
    """Solve what `definition` defines; `solver` is that of games."""
    common: dict[str, Any] = {
        "instruments": _choice(given), "accounting": given["accounting"], "psi_scale": given["psi_scale"],
        "on_iteration": on_iteration,
    }  # fmt: skip
    if given["kind"] == "cooperative":
        return solve_cooperative(calibration, **common)
    if given["kind"] == "unilateral":
        return solve_unilateral(calibration, given["players"][0], **common)
    return solve_nash(calibration, players=_players(given), partners=given["partners"], solver=solver, **common)


def setting(given: dict[str, Any], calibration: Calibration) -> tuple[TradeModel, Instruments]:
    """The model and who chooses what in it, without solving."""
    model = build_model(calibration, given["accounting"], psi_scale=given["psi_scale"])
    return model, build_instruments(model, _choice(given), players=_players(given), partners=given["partners"])


def _players(given: dict[str, Any]) -> str | tuple[str, ...]:
    return tuple(given["players"]) or "all"


def _choice(given: dict[str, Any]) -> InstrumentChoice:
    sectors = given["sectors"]
    kinds = (given["tariff"], given["export_tax"], given["subsidy"])
    return InstrumentChoice(*kinds, sectors=sectors if isinstance(sectors, str) else tuple(sectors))


def _rebuilt(cache: Cache, key: str, given: dict[str, Any], kept: Mapping[str, Any]) -> Solved:
    if "failure" in kept:
        raise KeptFailureError(kept["failure"])
    model, instruments = setting(given, cache.calibration)
    u, *wedges = (torch.from_numpy(kept[name]) for name in ("u", "tau", "epsilon", "sigma"))
    result = SolveResult(
        kept["status"], kept["message"], Certificate(**kept["certificate"]), model, u,
        (wedges[0], wedges[1], wedges[2]), instruments,
    )  # fmt: skip
    return Solved(kept["status"], kept["message"], kept["certificate"], kept["seconds"], True, key, result)
