"""Equilibrium models of one's own: equations and objectives in torch, everything else follows.

    model = EquilibriumModel(residual, objectives, players=["A"], instruments=[Instrument("tax", "A")], start=[0.0])
    result = solve_nash(model)
    print(result.summary())

A page about it with examples: docs/own_models.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlopt.models.check import check_model
    from dlopt.models.derivatives import DerivativeCheck, DerivativeError, Derivatives, verify_derivatives
    from dlopt.models.game import ModelGame, NoEquilibriumError, SingularJacobianError
    from dlopt.models.kind import EquilibriumKind
    from dlopt.models.model import EquilibriumModel, FunctionError, Instrument, ModelError
    from dlopt.models.results import Certificate, Iteration, ModelResult
    from dlopt.models.solve import solve_cooperative, solve_equilibrium, solve_nash, solve_unilateral

__all__ = [
    "Certificate", "DerivativeCheck", "DerivativeError", "Derivatives", "EquilibriumKind", "EquilibriumModel",
    "FunctionError", "Instrument", "Iteration", "ModelError", "ModelGame", "ModelResult", "NoEquilibriumError",
    "SingularJacobianError", "check_model", "solve_cooperative", "solve_equilibrium", "solve_nash",
    "solve_unilateral", "verify_derivatives",
]  # fmt: skip

_MODULES = ("kind", "model", "derivatives", "game", "check", "results", "solve")
"""Where the names above are: they load on first use, so that a kind can be listed without torch."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = vars(importlib.import_module(f"dlopt.models.{module}"))
            if name in found:
                globals()[name] = found[name]
                return found[name]
    raise AttributeError(f"module 'dlopt.models' has no attribute {name!r}")
