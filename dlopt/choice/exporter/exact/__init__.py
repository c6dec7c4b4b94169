"""Exact solutions of the exporter's problem, where there are any: the yardsticks of the neural solver.

| model | method | states covered |
|---|---|---|
| acceptance fixed at probabilities q | `ConstantAcceptance`, closed form | all |
| no complementarity | `SeparableSolution`, one-dimensional policy iteration | all |
| complementarity within small blocks | `BlocksSolution`, factors x channels of a block | costs of two factors |
| identical destinations | `LumpedSolution`, number of channels x cost | equal costs |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlopt.choice.exporter.exact.blocks import BlocksSolution, covers
from dlopt.choice.exporter.exact.constant import ConstantAcceptance
from dlopt.choice.exporter.exact.lumped import LumpedSolution, is_lumped
from dlopt.choice.exporter.exact.separable import SeparableSolution
from dlopt.choice.exporter.model import Exporter
from dlopt.choice.value import ExactSolution

__all__ = [
    "BlocksSolution",
    "ConstantAcceptance",
    "ExactSolution",
    "LumpedSolution",
    "SeparableSolution",
    "exact_method",
    "exact_solution",
]


def exact_method(model: Exporter) -> Callable[[Exporter], ExactSolution] | None:
    """The cheapest method that covers a model; None where there is none."""
    if not np.any(model.pair):
        return SeparableSolution
    if is_lumped(model):
        return LumpedSolution
    return BlocksSolution if covers(model) else None


def exact_solution(model: Exporter) -> ExactSolution | None:
    """The exact solution of a model, by the cheapest method that covers it; None where there is none."""
    method = exact_method(model)
    return None if method is None else method(model)
