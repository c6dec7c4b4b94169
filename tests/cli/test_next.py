"""What the screens propose after `Next:` are commands, which work as they stand."""

from __future__ import annotations

import re
import shlex
from typing import Any


def proposed(text: str) -> list[list[str]]:
    """The commands below or behind `Next:`, without their first word."""
    found = re.findall(r"^(?:  |Next: )dlopt (.+)$", text, flags=re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_what_is_proposed_next_works_as_it_stands(dlopt: Any) -> None:
    world = f"calibration={dlopt.world}"
    screens = {
        "one": dlopt("solve", "equilibrium", "policy=E1: +10% on all", world, "name=first").stdout,
        "many": dlopt(
            "solve", "equilibrium", "-m", "policy=E1: +10% on all", world, "psi_scale=0,1", "name=two"
        ).stdout,
        "figure": dlopt("figure", "first").stdout,
        "scenarios": dlopt("scenarios").stdout,
        "data": dlopt("data", "generate", "--name", "tiny", "--economies", "2", "--sectors", "1").stdout,
        "world": dlopt("data", "show", "tiny").stdout,
    }
    assert "not data" in screens["world"].splitlines()[0]
    for name, screen in screens.items():
        commands = proposed(screen)
        assert commands, name
        for words in commands:
            if words[:2] == ["solve", "nash"]:  # what takes long is asked for its settings only
                words = [*words, *([] if "--help" in words else ["--cfg", "job"])]
            dlopt(*words)  # ends with 0
