"""What is wrong with a model: every function tried at a few states, before anything is solved or written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlopt.choice.model import ModelError, State, SwitchingModel

PROBES = 8


def check_model(model: Any) -> None:
    """Try every function of a model.

    Raises:
        ModelError: what is wrong: shape, dtype, an entry that is not finite, a negative rate, a function that breaks.
    """
    probe = _Probe(model)
    probe.constants()
    for dtype in (torch.float64, torch.float32):
        probe.functions(model.on("cpu", dtype), dtype)


class _Probe:
    def __init__(self, model: Any) -> None:
        self.name = getattr(model, "name", type(model).__name__)
        self.model = model

    def refuse(self, what: str) -> ModelError:
        return ModelError(f"The model {self.name!r} is not valid: {what}.")

    def constants(self) -> None:
        """Discount rate, costs, centre and spread."""
        model = self.model
        for key in ("rho", "cost", "centre", "spread"):
            if not hasattr(model, key):
                raise self.refuse(f"it has no {key}; give it as a field or a property")
        if not (isinstance(model.rho, int | float) and 0 < model.rho < float("inf")):
            raise self.refuse(f"rho is {model.rho!r}, must be a positive number")
        for key in ("cost", "centre", "spread"):
            value = getattr(model, key)
            if not isinstance(value, Tensor) or not value.is_floating_point():
                raise self.refuse(f"{key} must be an array of floating-point numbers")
            if value.dim() != 1 or not len(value):
                raise self.refuse(f"{key} has shape {list(value.shape)}, must be a list of numbers, one or more")
            if not value.isfinite().all():
                raise self.refuse(f"{key} has entries that are not finite")
        if len(model.centre) != len(model.spread):
            raise self.refuse(f"centre has {len(model.centre)} entries and spread {len(model.spread)}: both are [K]")
        if not (model.spread > 0).all():
            raise self.refuse("spread has an entry that is not positive")
        if not model.longest_step > 0:
            raise self.refuse(f"longest_step is {model.longest_step}, must be positive")

    def functions(self, model: SwitchingModel, dtype: torch.dtype) -> None:
        """Everything the model computes, at a few random states."""
        b, j, k = PROBES, len(model.cost), len(model.centre)
        state = self.run("draw", lambda: model.draw(b, torch.Generator().manual_seed(0)))
        if not isinstance(state, State):
            raise self.refuse("draw does not give a State")
        self.check("draw (y)", state.y, (b, j), dtype)
        self.check("draw (x)", state.x, (b, k), dtype)
        if not ((state.y == 0) | (state.y == 1)).all():
            raise self.refuse("draw gives switches that are neither 0 nor 1")
        sigma = self.run("volatility", lambda: model.volatility(state.x))
        if not isinstance(sigma, Tensor) or sigma.dim() not in (2, 3):
            raise self.refuse(f"volatility(x) has shape {_shape(sigma)}, expected [M, {k}] or [{b}, M, {k}]")
        m = sigma.shape[-2]
        self.check("volatility(x)", sigma, (m, k) if sigma.dim() == 2 else (b, m, k), dtype)
        self.check("drift(x)", self.run("drift", lambda: model.drift(state.x)), (b, k), dtype)
        years = min(model.longest_step, 0.5)
        moved = self.run("diffuse", lambda: model.diffuse(state.x, years, state.x.new_zeros(b, m)))
        self.check("diffuse(x, years, noise)", moved, (b, k), dtype)
        for value in (0.0, 1.0, None):
            y = state.y if value is None else torch.full_like(state.y, value)
            flow = functools.partial(model.flow, State(y, state.x, state.z))
            self.check("flow(state)", self.run("flow", flow), (b,), dtype)
        index = self.run("movable", lambda: model.movable(state))
        width = j if index is None else index.shape[1]
        both = self.run("rates", lambda: model.rates(state))
        if not isinstance(both, tuple) or len(both) != 2:
            raise self.refuse("rates(state) must give two tensors: rates of opportunities, and of failures")
        for word, rate in zip(("opportunities", "failures"), both, strict=True):
            if not isinstance(rate, Tensor) or rate.dtype != dtype:
                raise self.refuse(f"rates(state): those of {word} are not a tensor of {dtype}")
            try:
                rate.expand(b, width)
            except RuntimeError:
                raise self.refuse(
                    f"rates(state): those of {word} have shape {_shape(rate)}, not broadcastable to [{b}, {width}]"
                ) from None
            if not rate.isfinite().all() or (rate < 0).any():
                raise self.refuse(f"rates(state): those of {word} have entries that are negative or not finite")

    def run(self, what: str, function: Callable[[], Any]) -> Any:
        """What a function gives.

        Raises:
            ModelError: it broke off.
        """
        try:
            with torch.no_grad():
                return function()
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            raise self.refuse(f"{what} broke off at {PROBES} states ({reason.rstrip(': ')})") from error

    def check(self, what: str, found: Any, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """Refuse another shape or dtype, and what is not finite."""
        if not isinstance(found, Tensor):
            raise self.refuse(f"{what} gives {type(found).__name__}, not a tensor")
        if tuple(found.shape) != shape:
            raise self.refuse(f"{what} has shape {list(found.shape)}, expected {list(shape)}")
        if found.dtype != dtype:
            raise self.refuse(
                f"{what} is of {found.dtype} where the states are of {dtype}; make constants of the model's own tensors"
            )
        if not found.isfinite().all():
            raise self.refuse(f"{what} has entries that are not finite at states drawn around the centre")


def _shape(found: Any) -> Any:
    return list(found.shape) if isinstance(found, Tensor) else type(found).__name__
