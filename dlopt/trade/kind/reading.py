"""What the values of keys stand for in a world: economies, instruments, bounds, policies, each checked by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import KeyValueError, is_number, loaded
from dlopt.runs import read_run
from dlopt.trade.calibration import Calibration
from dlopt.trade.draws import DrawOptions
from dlopt.trade.households import Households
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.kind import TRADE
from dlopt.trade.policy import Policy
from dlopt.trade.rates import CHOICE_NAMES, CHOICES
from dlopt.trade.shocks import Shock


@functools.lru_cache(maxsize=8)
def calibration_named(
    name: str, elasticities: str | None = None, scale: str | None = None, theta_scale: float = 1.0
) -> tuple[Calibration, tuple[str, ...]]:
    """A calibration, with other sets of elasticities where they are named, and what those sets do not cover; read once
    per process."""
    from dlopt.calibrations.elasticities import load_and_say

    world, notes = load_and_say(name, elasticities, scale)
    return (world if theta_scale == 1 else world.with_elasticities(theta=theta_scale * world.theta)), notes


def solver_of(name: str, options: Mapping[str, Any]) -> Any:
    """A solver with its options; lists become tuples, as frozen options have them."""
    for key, value in options.items():
        if isinstance(value, int | float) and not (is_number(+value) and value >= 0):
            raise KeyValueError(f"solver.{key}", value, "a finite number, 0 or more")
    made = next(key.choices for key in TRADE.keys if key.name == "solver")
    assert made is not None
    return loaded(made[name])(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def player_of(player: str | None, calibration: Calibration, scenario: str, verbs: Sequence[str]) -> str:
    if player is None:
        together = f" All players at once: `dlopt solve nash scenario={scenario}`." if "nash" in verbs else ""
        raise DloptError(
            f"Which economy optimises? Scenario {scenario!r} names none: add player=NAME, one of "
            f"{', '.join(calibration.economies)}.{together}"
        )
    calibration.economy_index(player)
    return player


def players_of(players: Any, calibration: Calibration) -> str | tuple[str, ...]:
    if players == "all":
        return "all"
    if isinstance(players, str):
        players = [players]
    if not isinstance(players, list) or len(players) == 0:
        raise KeyValueError("players", players, "all, or a list of economies such as [USA,CHN]")
    names = tuple(str(name) for name in players)
    for name in names:
        calibration.economy_index(name)
    if len(set(names)) < len(names):
        raise KeyValueError("players", f"[{','.join(names)}]", "a list that names each economy once")
    return names


def moves_of(moves: Any, calibration: Calibration) -> tuple[str, ...]:
    names = _names(moves, "moves", "a list of economies such as [USA,CHN]")
    for name in names:
        calibration.economy_index(name)
    return names


def unions_of(unions: Any, calibration: Calibration) -> tuple[tuple[str, ...], ...]:
    rule = "a list of lists of economies such as [[USA,EU],[JPN,IND]], each economy in one of them"
    if not isinstance(unions, list):
        raise KeyValueError("unions", unions, rule)
    groups = tuple(_names(union, "unions", rule) for union in unions)
    everyone = [name for group in groups for name in group]
    for name in everyone:
        calibration.economy_index(name)
    if len(set(everyone)) < len(everyone):
        raise KeyValueError("unions", [list(group) for group in groups], rule)
    return groups


def _names(value: Any, key: str, rule: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) == 0:
        raise KeyValueError(key, value, rule)
    return tuple(str(name) for name in value)


def by_player(config: Mapping[str, Any], section: str, calibration: Calibration) -> Any:
    """The instruments or bounds of all, or by economy where some have their own."""
    own = config.get("by_player") or {}
    if not isinstance(own, Mapping) or not all(isinstance(node, Mapping) for node in own.values()):
        raise KeyValueError("by_player", own, "a mapping such as {USA:{instruments:{tariff:by_sector}}}")
    sections = {"instruments": (*CHOICE_NAMES, "sectors"), "bounds": CHOICE_NAMES}
    for name, node in own.items():
        calibration.economy_index(str(name))
        for part, values in node.items():
            if part not in sections or not isinstance(values, Mapping):
                raise UnknownNameError(f"section of by_player.{name}", str(part), tuple(sections))
            for key in values:
                if key not in sections[part]:
                    raise UnknownNameError(f"key of {part}.{name}", str(key), sections[part])
    base: Mapping[str, Any] = config[section]
    if section == "bounds":
        if not any("bounds" in node for node in own.values()):
            return bounds_of(base)
        return {label: bounds_of({**base, **own.get(label, {}).get("bounds", {})}) for label in calibration.economies}
    if not any("instruments" in node for node in own.values()):
        return _instruments(base, calibration)
    chosen = {}
    for label in calibration.economies:
        node = {**base, **own.get(label, {}).get("instruments", {})}
        if any(str(node[name]).lower() != "false" for name in CHOICE_NAMES):
            chosen[label] = _instruments(node, calibration)
    return chosen


def _instruments(node: Mapping[str, Any], calibration: Calibration) -> InstrumentChoice:
    chosen: dict[str, Any] = {name: str(node[name]).lower() for name in CHOICE_NAMES}
    if set(chosen.values()) == {"false"}:
        keys = ", ".join(f"instruments.{name}" for name in CHOICE_NAMES)
        raise DloptError(f"No instrument is chosen: set one of {keys} to by_sector.")
    sectors = node["sectors"]
    if sectors in ("tradable", "all"):
        return InstrumentChoice(**chosen, sectors=sectors)
    if isinstance(sectors, str) and not _known_sector(sectors, calibration):
        raise UnknownNameError("value of instruments.sectors", sectors, ("tradable", "all", *calibration.sectors))
    if isinstance(sectors, str | int):
        sectors = [sectors]
    if not isinstance(sectors, list) or len(sectors) == 0:
        raise KeyValueError("instruments.sectors", sectors, "tradable, all, or a list of sectors such as [6,7]")
    labels = tuple(calibration.sectors[calibration.sector_index(label)] for label in sectors)
    if len(set(labels)) < len(labels):
        raise KeyValueError("instruments.sectors", f"[{','.join(labels)}]", "a list that names each sector once")
    return InstrumentChoice(**chosen, sectors=labels)


def draws_of(
    node: Mapping[str, Any], own: Mapping[str, Any], calibration: Calibration
) -> tuple[str, DrawOptions] | None:
    """Whose subsidies are drawn; it must be a player that chooses them."""
    if node["player"] is None:
        return None
    options = DrawOptions(node["count"], node["low"], node["high"])
    players = own["players"]
    chosen = own["instruments"]
    chosen = chosen.get(node["player"], InstrumentChoice()) if isinstance(chosen, Mapping) else chosen
    if chosen.subsidy == "false":
        raise DloptError(f"draws.player={node['player']}: nobody chooses subsidies here; set instruments.subsidy.")
    names = calibration.economies if players == "all" else players
    if node["player"] not in names:
        raise UnknownNameError("player (draws.player)", node["player"], names)
    return str(node["player"]), options


def _known_sector(label: str, calibration: Calibration) -> bool:
    return label in calibration.sectors or label in calibration.sector_names


def bounds_of(node: Mapping[str, Any]) -> Bounds:
    values = {}
    for kind in CHOICES:
        pair = list(node[kind.name])
        key, shown = f"bounds.{kind.name}", f"[{','.join(str(v) for v in pair)}]"
        if len(pair) != 2 or not all(is_number(v) for v in pair):
            raise KeyValueError(key, shown, "two finite numbers, the lowest and the highest rate")
        if pair[0] > pair[1]:
            raise KeyValueError(key, shown, f"[lowest,highest], that is [{pair[1]:g},{pair[0]:g}]")
        if not all(map(kind.possible, pair)):
            raise KeyValueError(key, shown, kind.limit)
        values[kind.name] = (float(pair[0]), float(pair[1]))
    return Bounds(**values)


def weights_of(weights: Any, calibration: Calibration) -> str | dict[str, float]:
    if weights in ("income", "equal"):
        return str(weights)
    if not isinstance(weights, dict) or len(weights) == 0:
        raise KeyValueError("weights", weights, "income, equal, or a mapping such as {USA:1,CHN:2}")
    chosen: dict[str, float] = {}
    for name, value in weights.items():
        calibration.economy_index(str(name))
        if not (is_number(value) and value >= 0):
            raise KeyValueError(f"weights.{name}", value, "a finite number, 0 or more")
        chosen[str(name)] = float(value)
    if not any(chosen.values()):
        raise KeyValueError("weights", chosen, "positive for some economy")
    return chosen


def policy_of(name: str | None, where: str, calibration: Calibration, notes: list[str]) -> Policy | None:
    """Levels by name or file; else a sentence, a schedule by name, or a schedule in a file, with notes on it."""
    if name is None:
        return None
    from dlopt.calibrations import find_calibration, named_policies, read_policy
    from dlopt.policies import is_schedule, policy_from, schedules
    from dlopt.policies.reading import JOINT
    from dlopt.policies.words import is_policy_text

    named = named_policies(find_calibration(where))
    path = named.get(name, Path(name).expanduser())
    known = [schedule.name for schedule in schedules()]
    if (
        "%" in name
        or JOINT in name
        or is_policy_text(name)
        or (name in known and name not in named)
        or is_schedule(path)
    ):
        applied = policy_from(name, calibration)
        notes += applied.notes
        return applied.policy
    if not path.is_file():
        raise UnknownNameError(f"policy of calibration {calibration.name!r}, schedule or file", name, [*named, *known])
    return read_policy(path, calibration)


def shock_of(text: str, calibration: Calibration, notes: list[str]) -> Shock:
    from dlopt.policies import shock_from

    applied = shock_from(text, calibration)
    notes += applied.notes
    return applied.shock


def households_of(path: str, calibration: Calibration) -> Households:
    from dlopt.policies import households_from

    return households_from(path, calibration)


def political_weights_of(text: str, calibration: Calibration, notes: list[str]) -> Tensor:
    from dlopt.policies import weights_from

    weights, said = weights_from(text, calibration)
    notes += said
    return weights


def partners_of(partners: Any, calibration: Calibration) -> Any:
    if partners in ("all", "players"):
        return partners
    names = _names(
        [partners] if isinstance(partners, str) else partners, "partners", "all, players, or a list like [USA]"
    )
    for name in names:
        calibration.economy_index(name)
    return names


def retaliators_of(config: Mapping[str, Any], calibration: Calibration) -> tuple[str, ...]:
    given = config["retaliators"]
    if given == "all":
        return ()
    names = _names([given] if isinstance(given, str) else given, "retaliators", "all, or a list such as [EU,CHN]")
    for name in names:
        calibration.economy_index(name)
    return names


def check_answer(answer: tuple[Any, tuple[str, ...]], policy: Policy | None, calibration: Calibration) -> None:
    """There is something to answer, and somebody else to do it."""
    from dlopt.policies import sides

    if policy is None:
        raise DloptError(f"retaliation={answer[0]} answers a policy: give one, such as policy='USA: 25% on steel'.")
    sides(policy, calibration, answer[1])


def start_of(init: str, calibration: Calibration) -> str | Policy:
    if init in ("baseline", "random"):
        return init
    folder = Path(init).expanduser()
    if not folder.is_dir():
        raise UnknownNameError("starting point init (or run folder)", init, ("baseline", "random"))
    return policy_of_run(folder, calibration)


def policy_of_run(folder: Path, calibration: Calibration) -> Policy:
    """The policies a run ended with.

    Raises:
        DloptError: not a run, no policies in it, or not those of these economies and sectors.
    """
    from dlopt.calibrations import read_policy
    from dlopt.runs.tables import read_table

    status = read_run(folder).status
    path = folder / "policies.parquet"
    if not path.is_file():
        raise DloptError(f"{folder} ({status}) has no policies to start from. Give another run, or init=baseline.")
    if read_table(folder, "policies").empty:
        return Policy.of(calibration)
    return read_policy(path, calibration)
