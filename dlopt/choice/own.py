"""A choice model of one's own: the base class that turns a few functions into a problem the solver takes."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.analysis import impulse_response, long_run, repeated
from dlopt.choice.effort import PLAIN, Choosing
from dlopt.choice.enumeration import FACTORS, LARGEST, EnumeratedSolution, too_large
from dlopt.choice.mean_field import MeanField
from dlopt.choice.model import ModelError, State, gather_movable
from dlopt.choice.model import along as through
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.probing import check_model
from dlopt.choice.traits import Traits, drawn, register, traits_named
from dlopt.choice.value import ExactValue, NoBaseline, Solution, ValueFunction, build_value
from dlopt.store.equality import same_record


class ChoiceModel:
    """Base of a model of one's own, which is a frozen dataclass (`@dataclasses.dataclass(frozen=True, eq=False)`).

    A model says `flow`, `drift`, `volatility`, `rates`, and has the attributes below; all else has a default that may
    be replaced. Arrays may be given as tensors, NumPy arrays or nested lists of numbers: fields of the class that hold
    them are float64 tensors afterwards (whole numbers stay whole), and `on` gives the same model with tensors of
    another device and precision, so that the functions can use them as they are. Nothing the model says is
    differentiated. Every function is tried when the model is made.

    Shapes: B states, J switches, K continuous states, M shocks. The unit of time is a year, by name.

    Attributes:
        rho: discount rate.
        cost: cost of turning a switch on, paid on acceptance, `[J]`.
        centre, spread: about the long-run mean and standard deviation of the continuous states, `[K]`.
        name: for messages and files.
        longest_step: longest step of `diffuse`, in years; `math.inf` where that is exact.
    """

    rho: float
    cost: Tensor
    centre: Tensor
    spread: Tensor
    name: str = "own"
    longest_step: float = 0.1
    clocks: int = 1
    clock_rate: float = 0.0

    # -- what a model says ----------------------------------------------------------------------------------------

    def flow(self, state: State) -> Tensor:
        """Utility per year, `[B]`, at switches `state.y` `[B, J]` (0. or 1.) and states `state.x` `[B, K]`."""
        raise NotImplementedError

    def drift(self, x: Tensor) -> Tensor:
        """mu(x), `[B, K]`."""
        raise NotImplementedError

    def volatility(self, x: Tensor) -> Tensor:
        """sigma(x): loadings on the shocks, `[M, K]` where they are the same everywhere, else `[B, M, K]`."""
        raise NotImplementedError

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        """Rates per year at which a switch that is off gets an opportunity, and one that is on fails.

        Each is 0 or more and broadcastable to `[B, J]`: one number, `[J]`, or `[B, J]`.
        """
        raise NotImplementedError

    # -- what it may say otherwise ----------------------------------------------------------------------------------

    def movable(self, state: State) -> Tensor | None:
        """All switches can move."""
        return None

    def costs(self, state: State) -> Tensor:
        """Costs of turning switches on, broadcastable to `[B, J]`: here `cost`, whatever the state."""
        return gather_movable(self.cost, self.movable(state))

    def choosing(self, state: State) -> Choosing:
        """Effort at a cost, luck in the costs of opportunities (`dlopt.choice.effort`): here none of these."""
        return PLAIN

    def diffuse(self, x: Tensor, years: float, noise: Tensor) -> Tensor:
        """One Euler-Maruyama step with the drift averaged over the step (weak order 2 where volatility is constant)."""
        drift, shock = self.drift(x), years**0.5 * through(self.volatility(x), noise)
        return x + 0.5 * years * (drift + self.drift(x + years * drift + shock)) + shock

    def draw(self, n: int, generator: torch.Generator, width: float = 1.0, off_manifold: float = 0.0) -> State:
        """Continuous states independent and normal around the centre; each state has its own share of switches on."""
        like: dict[str, Any] = {"generator": generator, "device": self.centre.device, "dtype": self.centre.dtype}
        x = self.centre + width * self.spread * torch.randn(n, self.factors, **like)
        return State((torch.rand(n, self.switches, **like) < torch.rand(n, 1, **like)).to(x.dtype), x)

    @property
    def switch_labels(self) -> tuple[str, ...]:
        """In the names of columns: 1, 2, ..."""
        return tuple(str(j + 1) for j in range(self.switches))

    @property
    def factor_labels(self) -> tuple[str, ...]:
        """Names of columns: x_1, x_2, ..."""
        return tuple(f"x_{k + 1}" for k in range(self.factors))

    @property
    def clock_labels(self) -> tuple[str, ...]:
        """No clock."""
        return ()

    def build(self, options: MethodOptions, generator: torch.Generator) -> ValueFunction:
        """The untrained value function: the generic control variate (`mean_field.MeanField`) and networks.

        A model that knows a better control variate ends with `build_value` of it.
        """
        if options.baseline == "none":
            return build_value(self, NoBaseline(self), options, generator)
        baseline = MeanField(self, choose=options.baseline == "meanfield")
        return build_value(self, baseline, options, generator, baseline.p, baseline.cross)

    # -- what follows from it ---------------------------------------------------------------------------------------

    def __post_init__(self) -> None:
        if not dataclasses.is_dataclass(self):
            raise ModelError(
                f"{type(self).__name__} must be a dataclass: put @dataclasses.dataclass(frozen=True) on it."
            )
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor | np.ndarray) or (isinstance(value, list) and value):
                try:
                    made = torch.as_tensor(value if isinstance(value, Tensor) else np.array(value))
                except (TypeError, ValueError) as error:
                    raise ModelError(f"{self.name!r}: {field.name} is not an array of numbers: {error}.") from None
                made = made.detach().to("cpu", torch.float64 if made.is_floating_point() else made.dtype, copy=True)
                object.__setattr__(self, field.name, made)
        check_model(self)

    def __eq__(self, other: object) -> bool:
        return same_record(self, other)

    def __hash__(self) -> int:
        return hash(self.digest())

    @property
    def switches(self) -> int:
        """J."""
        return len(self.cost)

    @property
    def factors(self) -> int:
        """K."""
        return len(self.centre)

    @property
    def shocks(self) -> int:
        """M."""
        return self.volatility(self.centre[None]).shape[-2]

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Self:
        """The same model with its tensors on a device, in a precision."""
        other = copy.copy(self)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                object.__setattr__(
                    other, field.name, value.to(device, dtype if value.is_floating_point() else value.dtype)
                )
        return other

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name, tensors as arrays."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {key: value.cpu().numpy() if isinstance(value, Tensor) else value for key, value in values.items()}

    def digest(self) -> str:
        """SHA-256 of the class's name and of all parameters but the model's name."""
        sha = hashlib.sha256(type(self).__qualname__.encode())
        for key, value in self.parameters().items():
            if key != "name":
                sha.update(key.encode())
                sha.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return sha.hexdigest()

    def traits(self) -> Traits:
        """What the solver must know of this class of models."""
        return traits_named(_path(type(self)))

    def __init_subclass__(cls) -> None:
        """Make the class known, so that checkpoints of its models can be read wherever it has been imported."""
        super().__init_subclass__()
        register(
            Traits(
                name=_path(cls),
                model=cls,
                method=MethodOptions(),
                analysis=AnalysisOptions(out_of_sample=1000, paths=256, validation=2048, response_paths=256),
                sample=1024,
                build=lambda dynamics, options, generator: dynamics.build(options, generator),
                exact=_exact,
                no_exact=f"enumeration is for up to {LARGEST} switches, {FACTORS} continuous states and no clock",
                drawn=drawn,
                analyse=_analyse,
            )
        )


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _exact(model: ChoiceModel) -> Callable[[Any], ExactValue] | None:
    return None if too_large(model) else lambda dynamics: ExactValue(dynamics, EnumeratedSolution(model))


def _analyse(
    solution: Solution, dynamics: ChoiceModel, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    """`marginal_values` (`switch`, `delta_v`, `on_share`), `simulation`, and `impulse_response` to the first shock."""
    generator = torch.Generator(device=resting.x.device).manual_seed(seed)
    found = long_run(solution, repeated(resting, options.paths), options, generator)
    marginal = pd.DataFrame({"switch": list(dynamics.switch_labels), "delta_v": found.marginal, "on_share": found.on})
    sigma = dynamics.volatility(dynamics.centre[None]).reshape(-1, dynamics.shocks, dynamics.factors)[0]
    first = dynamics.spread * sigma[0] / sigma.norm(dim=0).clamp_min(1e-30)
    response = impulse_response(solution, resting, options.shock * first, options, seed + 1)
    return {"marginal_values": marginal, "simulation": found.simulation, "impulse_response": response}
