"""How uncertain the parameters are: a joint distribution around the values that a result was solved with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.trade.parameters import Parameter

Law = Literal["lognormal", "normal"]


class PriorError(DloptError):
    """A distribution that is none."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prior:
    """A joint distribution of parameters, centred at their values.

    Attributes:
        parameters: what is uncertain.
        covariance: with law `normal` of the parameters in their units, with `lognormal` of their logs,
            `[parameter, parameter]`. (Units of flows and shocks are logs already: the laws are the same there.)
        law: `lognormal` keeps every parameter's sign, and its median is the value; `normal` does not, and draws that
            leave what is possible count as failed.
        words: where it comes from, in words that complete "parameters vary ...".
    """

    parameters: tuple[Parameter, ...]
    covariance: Tensor
    law: Law = "lognormal"
    words: str = "as their covariance says"

    def __post_init__(self) -> None:
        size, matrix = len(self.parameters), self.covariance
        if self.law not in get_args(Law):
            raise UnknownNameError("law", self.law, get_args(Law))
        if not size:
            raise PriorError("No parameter is uncertain: name kinds of parameters that the calibration has.")
        if matrix.shape != (size, size):
            raise PriorError(f"The covariance is {tuple(matrix.shape)}; {size} parameters need ({size}, {size}).")
        scale = float(matrix.diagonal().abs().max())
        if not bool(matrix.isfinite().all()) or not float((matrix - matrix.T).abs().max()) <= 1e-9 * scale:
            raise PriorError("The covariance must be finite and symmetric.")
        if float(torch.linalg.eigvalsh(matrix)[0]) < -1e-9 * scale:
            raise PriorError("The covariance has a negative eigenvalue: it is no covariance.")

    def __repr__(self) -> str:
        return f"Prior({len(self.parameters)} parameters, {self.law}: {self.words})"

    @classmethod
    def independent(cls, parameters: Sequence[Parameter], error: float = 0.1, law: Law = "lognormal") -> Prior:
        """Independent errors, each the same share of its parameter (0.1: a standard error of 10 %)."""
        if not (error > 0 and error < float("inf")):
            raise PriorError(f"The error is {error:g}; it must be above 0, such as 0.1 for 10 %.")
        return cls.with_errors(
            parameters, [error] * len(parameters), law, f"independently by {100 * error:g} % each, an assumption"
        )

    @classmethod
    def with_errors(
        cls, parameters: Sequence[Parameter], errors: Sequence[float], law: Law = "lognormal",
        words: str = "independently by their standard errors",
    ) -> Prior:  # fmt: skip
        """Independent errors, each given as a share of its parameter; 0 holds it still."""
        shares = torch.tensor(list(errors), dtype=torch.float64)
        if len(shares) != len(parameters) or not bool((shares >= 0).all() & shares.isfinite().all()):
            raise PriorError(f"Give an error, 0 or more, for each of the {len(parameters)} parameters.")
        natural = shares if law == "lognormal" else shares * _units(tuple(parameters))
        return cls(tuple(parameters), torch.diag(natural**2), law, words)

    @classmethod
    def of_alternatives(cls, parameters: Sequence[Parameter], values: Tensor, words: str = "") -> Prior:
        """As far as published values disagree: the covariance of their logs between sources (rank sources - 1).

        Args:
            values: of every parameter in every source, `[source, parameter]`, above 0.
        """
        if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] != len(parameters):
            raise PriorError(
                f"Alternatives are {tuple(values.shape)}; give at least two sources of {len(parameters)} values each."
            )
        if not bool((values > 0).all() & values.isfinite().all()):
            raise PriorError("Alternatives must be above 0: their logs are compared.")
        words = words or f"as {len(values)} sources disagree"
        return cls(tuple(parameters), torch.cov(values.log().T).reshape(len(parameters), -1), "lognormal", words)

    @property
    def uncorrelated(self) -> bool:
        """Whether all parameters vary independently."""
        return not bool((self.covariance - torch.diag(self.covariance.diagonal())).any())

    @property
    def of_values(self) -> Tensor:
        """The covariance of the parameters in their units, to first order, `[parameter, parameter]`."""
        if self.law == "normal":
            return self.covariance
        units = _units(self.parameters)
        return units[:, None] * self.covariance * units

    def changes(self, normals: Tensor) -> Tensor:
        """Changes of the parameters in their units, from independent standard normals, `[draw, parameter]` both."""
        values, vectors = torch.linalg.eigh(self.covariance)
        root = vectors * values.clamp(min=0).sqrt()
        errors = normals @ (root @ vectors.T)  # the symmetric root: diagonal where the covariance is
        if self.law == "normal":
            return errors
        natural = torch.tensor([not p.in_logs for p in self.parameters])
        return torch.where(natural, _units(self.parameters) * errors.expm1(), errors)

    def draws(self, count: int, seed: int = 0) -> Tensor:
        """Independent draws of the changes, `[draw, parameter]`; the same seed gives the same."""
        if count < 1:
            raise PriorError(f"The number of draws is {count}; it must be 1 or more.")
        generator = torch.Generator().manual_seed(seed)
        return self.changes(torch.randn((count, len(self.parameters)), generator=generator, dtype=torch.float64))


def _units(parameters: Sequence[Parameter]) -> Tensor:
    """Units in a log-unit of every parameter, `[parameter]`."""
    return torch.tensor([1.0 if p.in_logs else p.value for p in parameters], dtype=torch.float64)
