"""Optimal trade and industrial policy in general equilibrium, and dynamic discrete choice in continuous time.

Public names load on first use, so that `import dlopt` is quick and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlopt.calibrations import list_calibrations, load_calibration, write_bundle
    from dlopt.choice import (
        AnalysisOptions,
        BsdeResult,
        Budget,
        Exporter,
        MethodOptions,
        NetworkEconomy,
        SwitchingModel,
        load_model,
        load_network,
        solve_bsde,
        solve_exact,
    )
    from dlopt.errors import DloptError, UnknownNameError
    from dlopt.framework import BestResponse, FixedPointProblem, JointNewton
    from dlopt.models import EquilibriumKind, EquilibriumModel, Instrument, ModelResult, verify_derivatives
    from dlopt.opening import open_run
    from dlopt.trade.api import (
        build_model,
        solve_cooperative,
        solve_equilibrium,
        solve_moves,
        solve_nash,
        solve_unilateral,
    )
    from dlopt.trade.calibration import Calibration
    from dlopt.trade.carbon import Carbon
    from dlopt.trade.draws import DrawOptions, draw_subsidies
    from dlopt.trade.instruments import Bounds, InstrumentChoice, Instruments, build_instruments
    from dlopt.trade.model import TradeModel
    from dlopt.trade.policy import Policy
    from dlopt.trade.results import SolveResult

    __version__: str

_HOME = {
    "dlopt.calibrations": ("list_calibrations", "load_calibration", "write_bundle"),
    "dlopt.choice": (
        "AnalysisOptions", "BsdeResult", "Budget", "Exporter", "MethodOptions", "NetworkEconomy", "SwitchingModel",
        "load_model", "load_network", "open_run", "solve_bsde", "solve_exact",
    ),
    "dlopt.errors": ("DloptError", "UnknownNameError"),
    "dlopt.framework": ("BestResponse", "FixedPointProblem", "JointNewton"),
    "dlopt.models": ("EquilibriumKind", "EquilibriumModel", "Instrument", "ModelResult", "verify_derivatives"),
    "dlopt.opening": ("open_run",),
    "dlopt.trade.api": (
        "build_model", "solve_cooperative", "solve_equilibrium", "solve_moves", "solve_nash", "solve_unilateral",
    ),
    "dlopt.trade.calibration": ("Calibration",),
    "dlopt.trade.carbon": ("Carbon",),
    "dlopt.trade.draws": ("DrawOptions", "draw_subsidies"),
    "dlopt.trade.instruments": ("Bounds", "InstrumentChoice", "Instruments", "build_instruments"),
    "dlopt.trade.model": ("TradeModel",),
    "dlopt.trade.policy": ("Policy",),
    "dlopt.trade.results": ("SolveResult",),
}  # fmt: skip
"""Module -> public names it defines. Type checkers read the imports above and `__all__`; a test compares all three."""

_EXPORTS = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AnalysisOptions", "BestResponse", "Bounds", "BsdeResult", "Budget", "Calibration", "Carbon", "DloptError",
    "DrawOptions", "EquilibriumKind", "EquilibriumModel", "Exporter", "FixedPointProblem", "Instrument",
    "InstrumentChoice", "Instruments", "JointNewton", "MethodOptions", "ModelResult", "NetworkEconomy", "Policy",
    "SolveResult", "SwitchingModel", "TradeModel", "UnknownNameError", "__version__", "build_instruments",
    "build_model", "draw_subsidies", "list_calibrations", "load_calibration", "load_model", "load_network",
    "open_run", "solve_bsde", "solve_cooperative", "solve_equilibrium", "solve_exact", "solve_moves", "solve_nash",
    "solve_unilateral", "verify_derivatives", "write_bundle",
]  # fmt: skip

if not TYPE_CHECKING:  # so that a misspelt name is an error to type checkers

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
