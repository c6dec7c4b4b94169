"""From a composed config to one call of the solver, with every value checked on the way."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import dlopt
from dlopt import Bounds, Calibration, InstrumentChoice, Policy, SolveResult
from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.tape import Tape
from dlopt.runs import read_run
from dlopt.trade.draws import DrawOptions, DrawsInterrupted, draw_subsidies
from dlopt.trade.rates import INSTRUMENTS, KINDS

from .config import SOLVERS
from .resume import check_resumable, settings_of
from .verbs import VERBS

_CHOICES = {
    "accounting": ("standard", "paper"),
    "deficits": ("none", "constant"),
    "partners": ("all", "players"),
    "objective": ("welfare", "bargain"),
    **{f"instruments.{kind.name}": kind.modes for kind in INSTRUMENTS},
}
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "psi_scale": (lambda v: v >= 0, "a finite number, 0 or more"),
    "tolerance": (lambda v: v > 0, "a finite number above 0, or null"),
    "starts": (lambda v: v >= 0, "a whole number, 0 or more"),
    "checkpoint_seconds": (lambda v: v >= 0, "a finite number, 0 or more"),
    "seed": (lambda v: 0 <= v < 2**63, "a whole number from 0 to 2^63-1"),
    "threads": (lambda v: 0 <= v <= 4096, "a whole number from 0 (all cores) to 4096"),
}


class ConfigValueError(DloptError):
    """A config value outside its range."""

    def __init__(self, key: str, value: object, rule: str) -> None:
        super().__init__(f"{key}={value} is not possible: it must be {rule}.")


@dataclasses.dataclass(frozen=True)
class Job:
    """One solve, ready to run.

    Attributes:
        verb: `dlopt.solve_<verb>` does the work.
        arguments: what it is given besides the calibration.
        settings: what the result depends on besides calibration and version, as `section.key: value`.
        draws: whose subsidies are drawn afterwards, and how; None for nobody's.
        resume: the run to go on with.
    """

    verb: str
    calibration: Calibration
    accounting: str
    seed: int
    threads: int
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    draws: tuple[str, DrawOptions] | None = None
    resume: Path | None = None

    @property
    def resumable(self) -> bool:
        """Whether its steps can be recorded."""
        return "init" in self.arguments

    def solve(self, on_iteration: Callable[[Any], bool | None], tape: Tape) -> SolveResult:
        """Run the solver; `on_iteration` returns True to stop it. Its steps go on the tape."""
        name = "moves" if "moves" in self.arguments else self.verb
        recorded = {"tape": tape} if self.resumable else {}
        result: SolveResult = getattr(dlopt, f"solve_{name}")(
            self.calibration, on_iteration=on_iteration, **recorded, **self.arguments
        )
        if self.draws is None or result.status == "interrupted":
            return result
        player, options = self.draws
        try:
            draws = draw_subsidies(result, player, options, self.seed, tape)
        except DrawsInterrupted:
            return dataclasses.replace(result, status="interrupted", message="Stopped before all draws were solved.")
        return dataclasses.replace(result, draws=draws, message=f"{result.message} {draws.message}")


def build_job(cfg: DictConfig, choices: Mapping[str, str]) -> Job:
    """Check a composed config against the schema and the calibration.

    Args:
        cfg: the composed config, without Hydra's own part.
        choices: what was chosen in each config group.

    Raises:
        DloptError: the first value that cannot be.
    """
    verb = VERBS[cfg.verb]
    _check_scenario(verb.name, choices["scenario"], list(cfg.scenario.verbs))
    _check_values(cfg)
    calibration = calibration_named(cfg.calibration)
    common = {"accounting": cfg.accounting, "deficits": cfg.deficits, "psi_scale": cfg.psi_scale}
    if cfg.tolerance is not None:
        common["tolerance"] = cfg.tolerance
    build: dict[str, Callable[[], Any]] = {
        "policy": lambda: _policy(cfg.policy, cfg.calibration, calibration),
        "player": lambda: _player(cfg.player, calibration, choices["scenario"], list(cfg.scenario.verbs)),
        "players": lambda: _players(cfg.players, calibration),
        "partners": lambda: cfg.partners,
        "unions": lambda: _unions(cfg.unions, calibration),
        "moves": lambda: _moves(cfg.moves, calibration),
        "instruments": lambda: _instruments(cfg.instruments, calibration),
        "bounds": lambda: _bounds(cfg.bounds),
        "weights": lambda: _weights(cfg.weights, calibration),
        "objective": lambda: cfg.objective,
        "no_losers": lambda: cfg.no_losers,
        "starts": lambda: cfg.starts,
        "init": lambda: _init(cfg, calibration),
        "solver": lambda: SOLVERS[choices["solver"]](**_options(cfg.solver)),
    }
    # A sequence of moves says itself who moves.
    given = "player" if "moves" in verb.own_keys and cfg.moves != [] else "moves"
    own = {key: build[key]() for key in verb.own_keys if key in build and key != given}
    if "init" in own:
        own["seed"] = cfg.seed
    draws = _draws(cfg.draws, own, calibration) if "draws" in verb.own_keys else None
    settings, resume = settings_of(cfg, own.get("init")), None
    if cfg.resume is not None:
        resume = Path(cfg.resume).expanduser()
        identity = {"name": calibration.name, "sha256": calibration.sha256}
        check_resumable(resume, settings, choices["scenario"], identity)
    arguments = {**common, **own}
    return Job(verb.name, calibration, cfg.accounting, cfg.seed, cfg.threads, arguments, settings, draws, resume)


@functools.lru_cache(maxsize=8)
def calibration_named(name: str) -> Calibration:
    """A calibration, read once per process."""
    return dlopt.load_calibration(name)


def _check_scenario(verb: str, scenario: str, served_by: Sequence[str]) -> None:
    if verb not in served_by:
        how = " or ".join(f"`dlopt solve {name} scenario={scenario}`" for name in served_by)
        raise DloptError(f"`dlopt solve {verb}` cannot serve scenario {scenario!r}; {how} does.")


def _check_values(cfg: DictConfig) -> None:
    for key, names in _CHOICES.items():
        value = str(OmegaConf.select(cfg, key)).lower()
        if value not in names:
            raise UnknownNameError(f"value of {key}", value, names)
    for key, (possible, rule) in _RANGES.items():
        value = cfg[key]
        if value is not None and not (_is_number(value) and possible(value)):
            raise ConfigValueError(key, value, rule)


def _is_number(value: Any) -> bool:
    """Finite, and not a text that an interpolation left (`${...}` is checked by nobody before)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _options(node: DictConfig) -> dict[str, Any]:
    """The options of a solver as keyword arguments; lists become tuples, as frozen options have them."""
    content: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    for key, value in content.items():
        if isinstance(value, int | float) and not (_is_number(+value) and value >= 0):
            raise ConfigValueError(f"solver.{key}", value, "a finite number, 0 or more")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def _player(player: str | None, calibration: Calibration, scenario: str, verbs: Sequence[str]) -> str:
    if player is None:
        together = f" All players at once: `dlopt solve nash scenario={scenario}`." if "nash" in verbs else ""
        raise DloptError(
            f"Which economy optimises? Scenario {scenario!r} names none: add player=NAME, one of "
            f"{', '.join(calibration.economies)}.{together}"
        )
    calibration.economy_index(player)
    return player


def _players(players: Any, calibration: Calibration) -> str | tuple[str, ...]:
    if players == "all":
        return "all"
    if isinstance(players, str):
        players = [players]
    if (not OmegaConf.is_list(players) and not isinstance(players, list)) or len(players) == 0:
        raise ConfigValueError("players", players, "all, or a list of economies such as [USA,CHN]")
    names = tuple(str(name) for name in players)
    for name in names:
        calibration.economy_index(name)
    if len(set(names)) < len(names):
        raise ConfigValueError("players", f"[{','.join(names)}]", "a list that names each economy once")
    return names


def _moves(moves: Any, calibration: Calibration) -> tuple[str, ...]:
    names = _names(moves, "moves", "a list of economies such as [USA,CHN]")
    for name in names:
        calibration.economy_index(name)
    return names


def _unions(unions: Any, calibration: Calibration) -> tuple[tuple[str, ...], ...]:
    rule = "a list of lists of economies such as [[USA,EU],[JPN,IND]], each economy in one of them"
    if not isinstance(unions, list) and not OmegaConf.is_list(unions):
        raise ConfigValueError("unions", unions, rule)
    groups = tuple(_names(union, "unions", rule) for union in unions)
    everyone = [name for group in groups for name in group]
    for name in everyone:
        calibration.economy_index(name)
    if len(set(everyone)) < len(everyone):
        raise ConfigValueError("unions", [list(group) for group in groups], rule)
    return groups


def _names(value: Any, key: str, rule: str) -> tuple[str, ...]:
    if (not isinstance(value, list) and not OmegaConf.is_list(value)) or len(value) == 0:
        raise ConfigValueError(key, value, rule)
    return tuple(str(name) for name in value)


def _instruments(node: DictConfig, calibration: Calibration) -> InstrumentChoice:
    chosen: dict[str, Any] = {name: str(node[name]).lower() for name in KINDS}
    if set(chosen.values()) == {"false"}:
        raise DloptError("No instrument is chosen: set instruments.tariff, .export_tax or .subsidy to by_sector.")
    sectors = node.sectors
    if sectors in ("tradable", "all"):
        return InstrumentChoice(**chosen, sectors=sectors)
    if isinstance(sectors, str) and not _known_sector(sectors, calibration):
        raise UnknownNameError("value of instruments.sectors", sectors, ("tradable", "all", *calibration.sectors))
    if isinstance(sectors, str | int):
        sectors = [sectors]
    if (not isinstance(sectors, list) and not OmegaConf.is_list(sectors)) or len(sectors) == 0:
        raise ConfigValueError("instruments.sectors", sectors, "tradable, all, or a list of sectors such as [6,7]")
    labels = tuple(calibration.sectors[calibration.sector_index(label)] for label in sectors)
    if len(set(labels)) < len(labels):
        raise ConfigValueError("instruments.sectors", f"[{','.join(labels)}]", "a list that names each sector once")
    return InstrumentChoice(**chosen, sectors=labels)


def _draws(node: DictConfig, own: Mapping[str, Any], calibration: Calibration) -> tuple[str, DrawOptions] | None:
    """Whose subsidies are drawn; it must be a player that chooses them."""
    if node.player is None:
        return None
    options = DrawOptions(count=node.count, low=node.low, high=node.high)
    players = own["players"]
    if own["instruments"].subsidy == "false":
        raise DloptError(f"draws.player={node.player}: nobody chooses subsidies here; set instruments.subsidy.")
    names = calibration.economies if players == "all" else players
    if node.player not in names:
        raise UnknownNameError("player (draws.player)", node.player, names)
    return str(node.player), options


def _known_sector(label: str, calibration: Calibration) -> bool:
    return label in calibration.sectors or label in calibration.sector_names


def _bounds(node: DictConfig) -> Bounds:
    values = {}
    for name in KINDS:
        pair = list(node[name])
        key, shown = f"bounds.{name}", f"[{','.join(str(v) for v in pair)}]"
        if len(pair) != 2 or not all(_is_number(v) for v in pair):
            raise ConfigValueError(key, shown, "two finite numbers, the lowest and the highest rate")
        if pair[0] > pair[1]:
            raise ConfigValueError(key, shown, f"[lowest,highest], that is [{pair[1]:g},{pair[0]:g}]")
        if name == "subsidy" and pair[1] >= 1:
            raise ConfigValueError(key, shown, "below 1: a subsidy of 1 would pay the whole price")
        if name != "subsidy" and pair[0] <= -1:
            raise ConfigValueError(key, shown, "above -1: a rate of -1 would make goods free")
        values[name] = (float(pair[0]), float(pair[1]))
    return Bounds(**values)


def _weights(weights: Any, calibration: Calibration) -> str | dict[str, float]:
    if weights in ("income", "equal"):
        return str(weights)
    if not OmegaConf.is_dict(weights) or len(weights) == 0:
        raise ConfigValueError("weights", weights, "income, equal, or a mapping such as {USA:1,CHN:2}")
    chosen: dict[str, float] = {}
    for name, value in weights.items():
        calibration.economy_index(str(name))
        if not (_is_number(value) and value >= 0):
            raise ConfigValueError(f"weights.{name}", value, "a finite number, 0 or more")
        chosen[str(name)] = float(value)
    if not any(chosen.values()):
        raise ConfigValueError("weights", chosen, "positive for some economy")
    return chosen


def _policy(name: str | None, where: str, calibration: Calibration) -> Policy | None:
    from dlopt.calibrations import find_calibration, named_policies, read_policy

    if name is None:
        return None
    named = named_policies(find_calibration(where))
    path = named.get(name, Path(name).expanduser())
    if not path.is_file():
        raise UnknownNameError(f"policy of calibration {calibration.name!r} (or file)", name, named)
    return read_policy(path, calibration)


def _init(cfg: DictConfig, calibration: Calibration) -> str | Policy:
    if cfg.init in ("baseline", "random"):
        return str(cfg.init)
    folder = Path(cfg.init).expanduser()
    if not folder.is_dir():
        raise UnknownNameError("starting point init (or run folder)", cfg.init, ("baseline", "random"))
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
