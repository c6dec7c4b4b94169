"""What a run was asked, in a sentence for readers who have not seen the command."""

from __future__ import annotations

from dlopt.runs.record import RunRecord

_ANSWERS = {
    "none": ("Nobody answers.", "Nobody answers."),
    "reciprocal": ("Those whose goods are charged more answer in kind.", "{who} answers in kind."),
    "optimal": (
        "Each of those whose goods are charged more answers as is best for itself.",
        "{who} answers as is best for itself.",
    ),
    "nash": (
        "Everybody concerned chooses again until nobody gains by changing alone.",
        "The imposers and {who} choose again until nobody gains by changing alone.",
    ),
}
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
    if settings.get("shocks"):
        parts.append(f"Shocks: {settings['shocks']}.")
    how = settings.get("retaliation")
    if record.verb == "equilibrium" and settings.get("policy") and how in _ANSWERS:
        everybody, named = _ANSWERS[how]
        who = settings.get("retaliators")
        names = [str(name) for name in who] if isinstance(who, list) else [str(who)]
        several = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        said = named.format(who=several) if names != ["all"] else everybody
        if len(names) > 1:
            said = said.replace("answers as is best for itself", "each answer as is best for themselves")
            said = said.replace("answers in kind", "answer in kind")
        parts.append(said)
    return " ".join(parts)
