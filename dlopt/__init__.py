"""Optimal trade and industrial policy in general equilibrium, and dynamic discrete choice in continuous time.

Public names load on first use, so that `import dlopt` is quick and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {
    "DloptError": "dlopt.errors",
    "UnknownNameError": "dlopt.errors",
    "Calibration": "dlopt.trade.calibration",
    "Policy": "dlopt.trade.policy",
    "load_calibration": "dlopt.calibrations",
    "FixedPointProblem": "dlopt.framework",
    "InstrumentChoice": "dlopt.trade.instruments",
    "Bounds": "dlopt.trade.instruments",
    "JointNewton": "dlopt.framework",
    "BestResponse": "dlopt.framework",
    "SolveResult": "dlopt.trade.api",
    "solve_equilibrium": "dlopt.trade.api",
    "solve_unilateral": "dlopt.trade.api",
    "solve_nash": "dlopt.trade.api",
    "solve_cooperative": "dlopt.trade.api",
    "solve_moves": "dlopt.trade.api",
}
"""Public name -> module that defines it."""

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("dlopt")
    elif name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
    else:
        raise AttributeError(f"module 'dlopt' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
