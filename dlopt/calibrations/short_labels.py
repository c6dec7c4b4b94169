"""What merged economies and sectors are called: short, after the largest of them; the members are listed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LONGEST_LABEL = 12
LONGEST_NAME = 40


def short_label(parts: Sequence[str], sizes: Sequence[float] | None = None) -> str:
    """`D+E`, or where that is long the largest (the first, without sizes) and how many more: `C20+4`."""
    text = "+".join(parts)
    if len(parts) == 1 or len(text) <= LONGEST_LABEL:
        return text
    return f"{parts[_largest_first(parts, sizes)[0]]}+{len(parts) - 1}"


def short_name(names: Sequence[str], sizes: Sequence[float] | None = None) -> str:
    """`Fishing and Coal`, or where that is long the largest and how many more: `Chemicals and 4 more`."""
    order = _largest_first(names, sizes)
    if len(names) == 1:
        return names[0]
    pair = f"{names[order[0]]} and {names[order[1]]}"
    return pair if len(names) == 2 and len(pair) <= LONGEST_NAME else f"{names[order[0]]} and {len(names) - 1} more"


def members_said(what: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """One sentence on who is in which group; nothing where nothing is merged or renamed."""
    said = [f"{label} is {', '.join(parts)}" for label, parts in groups.items() if tuple(parts) != (label,)]
    return [f"{what} put together: {'; '.join(said)}."] if said else []


def _largest_first(parts: Sequence[str], sizes: Sequence[float] | None) -> list[int]:
    return sorted(range(len(parts)), key=lambda k: 0.0 if sizes is None else -sizes[k])
