"""What is solved for the tables and figures: scenarios as data, in every variant of the model that is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from dlopt.errors import DloptError
from dlopt.framework.best_response import BestResponse
from dlopt.framework.joint import JointNewton
from dlopt.trade.api import OnIteration, build_model, solve_cooperative, solve_nash, solve_unilateral
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import InstrumentChoice, Instruments, build_instruments
from dlopt.trade.model import TradeModel
from dlopt.trade.results import SolveResult

MANUFACTURING = tuple(str(label) for label in range(6, 23))
"""Labels of the sectors that share one rate in the uniform subsidy game."""


class UnavailableError(DloptError):
    """The calibration lacks an economy or a sector that a scenario names."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One reading of the model.

    Attributes:
        accounting: `paper` or `standard`.
        sectors: `all` or `tradable`, where instruments may be chosen.
    """

    accounting: str
    sectors: str

    @property
    def name(self) -> str:
        """As the columns of the tables say it."""
        return f"{self.accounting}/{self.sectors}"


VARIANTS = (Variant("paper", "all"), Variant("paper", "tradable"), Variant("standard", "tradable"))


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One game or planner.

    Attributes:
        name: how targets call it.
        title: what it is, in words.
        kind: `nash`, `unilateral` (the first player alone) or `cooperative`.
        tariff, export_tax, subsidy: as in `InstrumentChoice`.
        players: labels; empty for all economies.
        partners: `all` or `players`.
        psi_scale: multiplies the scale elasticities.
        sectors: labels; empty for those of the variant.
    """

    name: str
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


_TWO = {"players": ("USA", "CHN"), "partners": "players"}
_DUAL = {"tariff": "by_sector", "subsidy": "by_sector"}
_GAMES = (
    Scenario("trade_war", "global trade war", tariff="by_sector"),
    Scenario("dual", "global dual competition", **_DUAL),  # type: ignore[arg-type]
    Scenario("subsidy", "global subsidy competition", subsidy="by_sector"),
    Scenario("us_china_trade_war", "trade war of China and the US", tariff="by_sector", **_TWO),  # type: ignore[arg-type]
    Scenario("us_china_dual", "dual competition of China and the US", **_DUAL, **_TWO),  # type: ignore[arg-type]
    Scenario("us_china_subsidy", "subsidy competition of China and the US", subsidy="by_sector", **_TWO),  # type: ignore[arg-type]
    Scenario("china_dual", "China's optimal tariffs and subsidies", "unilateral", players=("CHN",), **_DUAL),  # type: ignore[arg-type]
)
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        *_GAMES,
        *(
            dataclasses.replace(s, name=f"{s.name}_no_scale", title=f"{s.title}, no scale economies", psi_scale=0.0)
            for s in _GAMES
        ),
        Scenario("uniform_subsidy", "subsidy competition, one rate", subsidy="uniform", sectors=MANUFACTURING),
        Scenario("cooperation_tariff", "cooperative tariffs", "cooperative", tariff="by_sector"),
        Scenario("cooperation", "cooperative tariffs and subsidies", "cooperative", **_DUAL),  # type: ignore[arg-type]
        Scenario("china_subsidy", "China's optimal subsidies", "unilateral", subsidy="by_sector", players=("CHN",)),
        Scenario(
            "china_unilateral", "China's optimal tariffs, export taxes and subsidies", "unilateral",
            export_tax="by_sector", players=("CHN",), **_DUAL,  # type: ignore[arg-type]
        ),
    )
}  # fmt: skip


def definition(scenario: Scenario, variant: Variant, calibration: Calibration) -> dict[str, Any]:
    """Everything besides the calibration that the solution depends on; equal definitions have equal solutions."""
    untaxed = not bool(calibration.export_tax.any()) and not bool(calibration.subsidy.any())
    same = scenario.tariffs_only and untaxed
    fields = dataclasses.asdict(scenario)
    del fields["name"], fields["title"]
    return fields | {
        "accounting": "standard" if same else variant.accounting,
        "sectors": list(scenario.sectors) or variant.sectors,
    }


def check(scenario: Scenario, calibration: Calibration) -> None:
    """Raises: UnavailableError: the calibration lacks what the scenario names."""
    missing = [p for p in scenario.players if p not in calibration.economies]
    lost = [s for s in scenario.sectors if s not in calibration.sectors]
    if missing or lost:
        what = f"economy {', '.join(missing)}" if missing else f"sector {', '.join(lost)}"
        raise UnavailableError(f"{calibration.name} has no {what}, so there is no {scenario.title}.")


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
