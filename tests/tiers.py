"""Which tests are quick: all but those whose node id begins with a line of slow.txt."""

from __future__ import annotations

from pathlib import Path

_LINES = (Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines()
SLOW = tuple(line for line in _LINES if line and not line.startswith("#"))
LONG = (
    "tests/choice/test_ranks.py",
    "tests/choice/test_estimation_command.py",
    "tests/robustness/test_attack.py",
    "tests/trade/test_sensitivity.py",
    "tests/trade/test_intervals.py",
    "tests/choice/test_delegates_solver.py",
)
"""Files that take longest: they begin first, so that no process is left with one of them when the others have ended."""
