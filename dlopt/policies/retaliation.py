"""What a policy does when others do not answer, answer in kind, answer as well as they can, or fight it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from dlopt.errors import UnknownNameError
from dlopt.trade.api import solve_equilibrium, solve_nash
from dlopt.trade.apply import apply_rules
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.policy import Policy
from dlopt.trade.results import SolveResult
from dlopt.trade.rules import PolicyWordsError, Rule

Retaliation = Literal["none", "reciprocal", "optimal", "nash"]
WAYS: tuple[Retaliation, ...] = get_args(Retaliation)
TARIFFS = InstrumentChoice(tariff="by_sector")


@dataclasses.dataclass(frozen=True)
class Sides:
    """Who imposed, and who may answer.

    Attributes:
        imposers: economies whose tariffs differ from the baseline.
        retaliators: economies that answer.
    """

    imposers: tuple[str, ...]
    retaliators: tuple[str, ...]


def sides(policy: Policy, calibration: Calibration, retaliators: Sequence[str] = ()) -> Sides:
    """Who imposed tariffs under a policy, and who answers: by default everybody whose goods are charged more.

    Raises:
        PolicyWordsError: no tariff rises, or a retaliator is an imposer.
        UnknownNameError: an unknown economy.
    """
    rises = (policy.tariff > calibration.tariff).any(2)  # [origin, importer]
    labels = calibration.economies
    imposers = tuple(labels[n] for n in range(len(labels)) if bool(rises[:, n].any()))
    if not imposers:
        raise PolicyWordsError("No tariff rises under this policy, so there is nothing to answer. Raise one first.")
    for label in retaliators:
        calibration.economy_index(label)
    both = [label for label in retaliators if label in imposers]
    if both:
        raise PolicyWordsError(f"{both[0]} raised tariffs itself: it cannot be among the retaliators. Leave it out.")
    hit = tuple(labels[i] for i in range(len(labels)) if bool(rises[i].any()) and labels[i] not in imposers)
    return Sides(imposers, tuple(retaliators) or hit)


def retaliate(
    calibration: Calibration, policy: Policy, how: Retaliation, retaliators: Sequence[str] = (), *,
    instruments: InstrumentChoice = TARIFFS, bounds: Bounds = Bounds(), **given: Any,
) -> SolveResult:  # fmt: skip
    """The world after a policy and an answer to it.

    Args:
        calibration: baseline.
        policy: what was imposed, such as `policy_from("USA: 25% on steel", world).policy`.
        how: `none`: nobody answers. `reciprocal`: each retaliator adds to its tariffs on each imposer the percentage
            points that the imposer added to its tariffs on the retaliator, sector by sector. `optimal`: each
            retaliator chooses the tariffs on the imposers that are best for itself, given the policy and what the
            other retaliators choose. `nash`: imposers and retaliators all choose their tariffs on each other again,
            until nobody gains by changing alone.
        retaliators: who answers; by default everybody whose goods are charged more.
        instruments, bounds: what retaliators choose, and how far (`optimal` and `nash`).
        given: further arguments of `solve_equilibrium`, `solve_nash`: `accounting`, `deficits`, `psi_scale`,
            `on_iteration`; and of `solve_nash` alone: `starts`, `seed`, `tape`.

    Raises:
        PolicyWordsError: no tariff rises, or a retaliator is an imposer.
        UnknownNameError: an unknown way or economy.
    """
    if how not in WAYS:
        raise UnknownNameError("value of retaliation", how, WAYS)
    plain = {key: value for key, value in given.items() if key not in ("starts", "seed", "tape")}
    if how == "none":
        return solve_equilibrium(calibration, policy, **plain)
    who = sides(policy, calibration, retaliators)
    if how == "reciprocal":
        rules = [Rule(actor, "reciprocal", partners=who.imposers) for actor in who.retaliators]
        return solve_equilibrium(calibration, _in_kind(rules, calibration, policy), **plain)
    play: Callable[..., SolveResult] = solve_nash
    players, partners = game_of(how, who)
    return play(
        calibration, players=players, partners=partners, instruments=instruments, bounds=bounds, init=policy, **given
    )


def game_of(how: Retaliation, who: Sides) -> tuple[tuple[str, ...], tuple[str, ...] | Literal["players"]]:
    """Who chooses, and on whose goods: retaliators on those of the imposers (`optimal`), or all on each other's."""
    return (who.retaliators, who.imposers) if how == "optimal" else ((*who.imposers, *who.retaliators), "players")


def _in_kind(rules: Sequence[Rule], calibration: Calibration, policy: Policy) -> Policy:
    return apply_rules(rules, calibration, policy, since=Policy.of(calibration)).policy
