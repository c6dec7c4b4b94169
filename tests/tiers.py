"""Which tests are quick: all but those whose node id begins with a line of slow.txt."""

from __future__ import annotations

from pathlib import Path

_LINES = (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
SLOW = tuple(line for line in _LINES if line and not line.startswith("#"))
