"""Equilibrium models of one's own: equations and objectives in torch, everything else follows.

    model = EquilibriumModel(residual, objectives, players=["A"], instruments=[Instrument("tax", "A")], start=[0.0])
    result = solve_nash(model)
    print(result.summary())

A page about it with examples: docs/own_models.md.
"""

from dlopt.models.check import check_model
from dlopt.models.derivatives import DerivativeCheck, DerivativeError, Derivatives, verify_derivatives
from dlopt.models.game import ModelGame, NoEquilibriumError, SingularJacobianError
from dlopt.models.model import EquilibriumModel, FunctionError, Instrument, ModelError
from dlopt.models.results import Certificate, Iteration, ModelResult
from dlopt.models.solve import solve_cooperative, solve_equilibrium, solve_nash, solve_unilateral

__all__ = [
    "Certificate", "DerivativeCheck", "DerivativeError", "Derivatives", "EquilibriumModel", "FunctionError",
    "Instrument", "Iteration", "ModelError", "ModelGame", "ModelResult", "NoEquilibriumError",
    "SingularJacobianError", "check_model", "solve_cooperative", "solve_equilibrium", "solve_nash",
    "solve_unilateral", "verify_derivatives",
]  # fmt: skip
