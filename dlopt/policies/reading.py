"""`policy=`: sentences, a schedule that comes with dlopt, or a file; several, joined by `+`, add up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlopt.errors import UnknownNameError
from dlopt.policies.schedule import is_schedule, read_schedule, rules_of
from dlopt.policies.shipped import schedules, shipped_schedule
from dlopt.policies.words import FORM, is_policy_text, parse_policy
from dlopt.trade.apply import Applied, apply_rules
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy
from dlopt.trade.rules import PolicyWordsError

JOINT = " + "
"""Between schedules that add up."""


def policy_from(
    text: str,
    calibration: Calibration,
    begin: Policy | None = None,
    weights: Mapping[str, float] | None = None,
) -> Applied:
    """The policy that sentences, the name of a shipped schedule, or a schedule in a file stand for.

    Args:
        text: sentences as `parse_policy` reads them; or the name of a schedule (`schedules()`), or a CSV file of the
            same form (`read_schedule`); or several of these names, with ` + ` between them: each changes what those
            before it have left.
        calibration: gives labels, and the rates in force.
        begin: what is changed; by default the baseline's own rates.
        weights: imports by ISO code of the origin, for the mean rate of economies that are groups.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    if is_policy_text(text):
        return apply_rules(parse_policy(text), calibration, begin)
    first, *others = text.split(JOINT)
    if others:
        applied = policy_from(first.strip(), calibration, begin, weights)
        for other in others:
            after = policy_from(other.strip(), calibration, applied.policy, weights)
            applied = Applied(after.policy, (*applied.notes, *after.notes))
        return applied
    notes: list[str] = []
    path = Path(text).expanduser()
    if is_schedule(path):
        table = read_schedule(path)
    else:
        names = [schedule.name for schedule in schedules()]
        if "%" in text:
            raise PolicyWordsError(f"{text!r} does not say who does what. Write {FORM}.")
        if text not in names:
            raise UnknownNameError("policy (sentences, schedule or file)", text, names)
        schedule, table = shipped_schedule(text)
        notes.append(f"{schedule.title}. {schedule.note}")
    applied = apply_rules(rules_of(table, calibration, notes, weights), calibration, begin)
    return Applied(applied.policy, (*notes, *applied.notes))
