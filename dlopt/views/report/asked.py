"""What a run was asked, in a sentence for readers who have not seen the command."""

from __future__ import annotations

from dlopt.policies import schedules
from dlopt.runs.record import RunRecord

_ANSWERS = {
    "none": ("All others keep their policies.",) * 3,
    "reciprocal": (
        "Those whose goods are charged more answer in kind.", "{who} answers in kind.", "{who} each answer in kind.",
    ),
    "optimal": (
        "Each of those whose goods are charged more answers as is best for itself.",
        "{who} answers as is best for itself.", "{who} each answer as is best for themselves.",
    ),
    "nash": (
        "Everybody concerned chooses again until nobody gains by changing alone.",
        *("The imposers and {who} choose again until nobody gains by changing alone.",) * 2,
    ),
}  # fmt: skip
"""How others answer: all of them, one that is named, several."""
_GIVEN = "given_policy"


def question(record: RunRecord) -> str:
    """Who chooses what, and how others answer; empty for a run that says neither.

    Args:
        record: of the run.
    """
    settings, parts = record.settings, []
    description = str(settings.get("scenario.description") or "")
    if description and record.scenario != _GIVEN:
        parts.append(description)
    if record.verb == "unilateral" and settings.get("player"):
        parts.append(f"{settings['player']} chooses, all others keep their policies.")
    announced = {schedule.name: schedule for schedule in schedules()}.get(str(settings.get("policy")))
    if announced is not None:
        parts.append(f"{announced.title}.")
    how = settings.get("retaliation")
    if record.verb == "equilibrium" and settings.get("policy") and how in _ANSWERS:
        everybody, one, several = _ANSWERS[how]
        who = settings.get("retaliators")
        names = [str(name) for name in who] if isinstance(who, list) else [str(who)]
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        words = everybody if names == ["all"] else one if len(names) == 1 else several
        parts.append(words.format(who=listed))
    return " ".join(parts)
