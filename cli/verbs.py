"""What can be solved, and which config keys each verb listens to. Nothing heavy is imported here."""

from __future__ import annotations

import dataclasses

KEYS = {
    "calibration": "name of a calibration, or a folder that holds one (`dlopt data list`)",
    "policy": "policies to evaluate: a name the calibration knows, or a file",
    "player": "the economy that optimises",
    "players": "the economies that play: all, or a list such as [USA,CHN]",
    "partners": "all, or players: only tariffs between the players move",
    "unions": "customs unions among the players: one external policy, none inside, such as [[USA,EU]]",
    "moves": "economies that move one after the other and keep what they chose, such as [USA,CHN]",
    "instruments.tariff": "false, by_sector, uniform, or mfn: one rate per sector for all partners",
    "instruments.export_tax": "false, by_sector, uniform",
    "instruments.subsidy": "false, by_sector, uniform",
    "instruments.sectors": "tradable, all, or a list of sectors",
    "bounds.tariff": "lowest and highest rate, such as [0,4]",
    "bounds.export_tax": "lowest and highest rate",
    "bounds.subsidy": "lowest and highest rate",
    "draws.player": "the economy whose subsidies are drawn at random once the game is solved",
    "draws.count": "number of draws",
    "draws.low": "smallest multiple of the optimum drawn",
    "draws.high": "largest multiple of the optimum drawn",
    "weights": "the planner's: income, equal, or a mapping such as {USA:1,CHN:2}",
    "objective": "the planner's: welfare (weighted sum), or bargain (product of the gains over the baseline)",
    "no_losers": "true: the planner keeps every economy at least at its baseline",
    "psi_scale": "factor on all scale elasticities; 0 means no economies of scale",
    "accounting": "standard, or paper: who collects on what base",
    "deficits": "none: trade is balanced first; constant: transfers stay",
    "solver": "joint_newton, or best_response: the paper's algorithm (solver.KEY sets its options)",
    "starts": "random starting points per player when the result is verified",
    "init": "baseline, random (drawn with seed), or a run folder to start from",
    "resume": "a run folder to go on with, however it ended early; it brings its settings",
    "checkpoint_seconds": "time between two checkpoints",
    "tolerance": "residual at which to stop; null is the verb's own",
    "seed": "of every random draw",
    "threads": "of torch; 1 is best at these sizes, 0 means all cores this process may use",
}
"""Key -> what it means, in the order the help shows them."""

_ALWAYS = ("calibration", "scenario", "psi_scale", "accounting", "deficits", "tolerance", "seed", "threads")
_OPTIMISE = ("instruments", "bounds", "starts", "init", "resume", "checkpoint_seconds")


@dataclasses.dataclass(frozen=True)
class Verb:
    """One of `dlopt solve VERB`.

    Attributes:
        name: the word on the command line; `dlopt.solve_<name>` does the work.
        help: one sentence.
        own_keys: top-level config keys it listens to besides those every verb has.
        default_scenario: used when none is given; None asks for one.
    """

    name: str
    help: str
    own_keys: tuple[str, ...]
    default_scenario: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All top-level keys it listens to."""
        return _ALWAYS + self.own_keys


VERBS = {
    verb.name: verb
    for verb in (
        Verb("equilibrium", "The world under given policies.", ("policy",), default_scenario="given_policy"),
        Verb(
            "unilateral",
            "The best policies of one economy while the others stand still.",
            ("player", "moves", *_OPTIMISE),
        ),
        Verb(
            "nash",
            "Policies from which no economy gains by deviating alone.",
            ("players", "partners", "unions", "solver", "draws", *_OPTIMISE),
        ),
        Verb(
            "cooperative",
            "The policies a world planner would choose.",
            ("weights", "objective", "no_losers", *_OPTIMISE),
        ),
    )
}
