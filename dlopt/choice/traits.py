"""What the solver must know of each class of models, beyond the protocol of its dynamics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch

from dlopt.choice.certificate import Certificate
from dlopt.choice.model import Model, ModelError, State
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.training import Trainer
from dlopt.choice.value import ExactlySolved
from dlopt.errors import UnknownNameError

Dynamics = Any
"""The dynamics of a model, as its own functions expect them."""


@dataclasses.dataclass(frozen=True)
class Assessed:
    """What is known of a trained solution.

    Attributes:
        certificate: its errors.
        frames: tables that belong to these.
        resting: long-run states.
        converged: whether the errors are as small as they should be.
        message: in words, with what to try where they are not.
    """

    certificate: Certificate
    frames: dict[str, pd.DataFrame]
    resting: State
    converged: bool
    message: str


@dataclasses.dataclass(frozen=True)
class Traits:
    """What the solver must know of one class of models.

    Attributes:
        name: in checkpoints.
        model: the class of its models, built from their `parameters()`.
        method, analysis: defaults.
        sample: long-run states from which simulations start.
        build: the untrained value function of some dynamics that options describe, its weights from a generator.
        exact: how to solve a model exactly; None where that is not possible.
        no_exact: why not, of the models of this class.
        drawn: the name of sets of random states on which errors against an exact solution are reported, and how to
            draw them.
        analyse: the tables any solution has, from long-run states and a seed.
        trainer: how it is trained.
        assess: what is found out of a trained solution; None: the usual (`solve.assessed`).
        certificate: the class of its certificates.
    """

    name: str
    model: type
    method: MethodOptions
    analysis: AnalysisOptions
    sample: int
    build: Callable[[Dynamics, MethodOptions, torch.Generator], Any]
    exact: Callable[[Any], Callable[[Dynamics], Any] | None]
    no_exact: str
    drawn: Callable[[Dynamics, ExactlySolved, int, torch.Generator], dict[str, State]]
    analyse: Callable[[Any, Dynamics, State, AnalysisOptions, int], dict[str, pd.DataFrame]]
    trainer: type[Trainer] = Trainer
    assess: Callable[..., Assessed] | None = None
    certificate: type[Certificate] = Certificate


_TRAITS: dict[str, Traits] = {}


def register(traits: Traits) -> Traits:
    """Make a class of models known by name, so that checkpoints of it can be read.

    Raises:
        ModelError: another class has its name.
    """
    before = _TRAITS.setdefault(traits.name, traits)
    if _path(before.model) != _path(traits.model):
        raise ModelError(
            f"The name {traits.name!r} is that of two classes of models, {_path(before.model)} and "
            f"{_path(traits.model)}. Give one of them another name."
        )
    _TRAITS[traits.name] = traits
    return traits


def traits_named(name: str) -> Traits:
    """The traits registered under a name.

    Raises:
        UnknownNameError: there are none; the package that has them is not installed, or not imported.
    """
    if name not in _TRAITS:
        raise UnknownNameError("kind of choice model", name, _TRAITS)
    return _TRAITS[name]


def traits_of(model: Any) -> Traits:
    """What the solver must know of a model.

    Raises:
        ModelError: it is no choice model.
    """
    traits = getattr(model, "traits", None)
    found = traits() if callable(traits) else None
    if not isinstance(found, Traits):
        raise ModelError(
            f"{type(model).__name__} is not a choice model: it has no traits(). Give an exporter, a network economy, "
            "or a model of your own derived from dlopt.choice.ChoiceModel."
        )
    return found


def check_exact(model: Model) -> Callable[[Dynamics], ExactlySolved]:
    """How to solve a model exactly.

    Raises:
        ModelError: that is not possible.
    """
    traits = traits_of(model)
    solve = traits.exact(model)
    if solve is None:
        raise ModelError(
            f"The model {model.name!r} has no exact solution: {traits.no_exact}. Use method=default; its "
            "certificate needs no exact solution."
        )
    return solve


def drawn(dynamics: Dynamics, exact: ExactlySolved, count: int, generator: torch.Generator) -> dict[str, State]:
    """The usual set of random states: drawn as in training."""
    return {"drawn": dynamics.draw(count, generator)}


def _path(made: type) -> str:
    return f"{made.__module__}.{made.__qualname__}"
