"""A map of the world whose countries are painted by a value of their economy."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from dlopt.policies.groups import members_of

REST = "ROW"
"""The economy that stands for every country that is in no other."""
_GOOD, _BAD, _NONE = (31, 95, 153), (163, 71, 0), "#fff"
_HEIGHT = 440


@functools.cache
def outlines() -> dict[str, str]:
    """SVG paths by ISO 3166 code (Natural Earth, public domain; `make_map` made them)."""
    found: dict[str, str] = json.loads(Path(__file__).with_name("world.json").read_text(encoding="utf-8"))
    return found


def painted(values: Mapping[str, float]) -> dict[str, str]:
    """Country -> the economy it belongs to: itself, the group it is a member of, or the rest of the world.

    A map needs at least half of the economies, the rest of the world apart, to be countries or groups of countries.
    """
    countries = outlines()
    owner = {code: label for label in values for code in members_of(label) if code in countries}
    owner |= {label: label for label in values if label in countries}
    named = [label for label in values if label != REST]
    if 2 * len(set(owner.values())) < len(named) or not owner:
        return {}
    if REST in values:
        owner |= {code: REST for code in countries if code not in owner}
    return owner


def world_map(values: Mapping[str, float], form: str, unit: str, title: str) -> str:
    """The map as SVG with its scale; empty where the economies are no countries.

    Args:
        values: by economy; their sign chooses the colour, their size its strength.
        form: of a value, as in `format`.
        unit: said after it.
        title: what is shown, for readers who cannot see it.
    """
    owner = painted(values)
    if not owner:
        return ""
    limit = max((abs(values[label]) for label in owner.values()), default=0.0) or 1.0
    shapes = []
    for code, path in outlines().items():
        label = owner.get(code)
        if label is None:
            shapes.append(f'<path d="{path}" fill="{_NONE}"><title>{code}: not in this world</title></path>')
            continue
        name = code if code == label else f"{code}, part of {label}"
        words = escape(f"{name}: {values[label]:{form}} {unit}")
        mark = f'data-economy="{escape(label)}" fill="{colour(values[label] / limit)}"'
        shapes.append(f'<path d="{path}" {mark}><title>{words}</title></path>')
    small = sorted(label for label in values if label not in set(owner.values()))
    rest = f" {REST}: the rest of the world." if REST in values else ""
    note = f"{rest} Too small for the map: {', '.join(small)}." if small else rest
    steps = (-1, -0.5, 0, 0.5, 1)
    scale = "".join(
        f'<span style="background:{colour(step)};color:{"#fff" if abs(step) > 0.6 else "#222"};padding:.1rem .6rem">'
        f"{step * limit:{form}}</span>"
        for step in steps
    )
    return (
        f'<figure><svg viewBox="0 0 1000 {_HEIGHT}" role="img" aria-label="{escape(title)}" stroke="#8a8a8a" '
        f'stroke-width="0.5">{"".join(shapes)}</svg><figcaption>{scale} {escape(unit)}.{escape(note)} Outlines: '
        "Natural Earth.</figcaption></figure>"
    )


def colour(share: float) -> str:
    """From the colour of a loss (-1) through near white (0) to that of a gain (1)."""
    share = max(-1.0, min(1.0, share))
    full = _GOOD if share >= 0 else _BAD
    weight = abs(share) ** 0.7
    mixed = (round(244 + weight * (part - 244)) for part in full)
    return "#" + "".join(f"{part:02x}" for part in mixed)
