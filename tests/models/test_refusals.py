"""Models that cannot be solved as they are written: each mistake by a typed error that names it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dlopt import UnknownNameError
from dlopt.models import (
    DerivativeError,
    Derivatives,
    EquilibriumModel,
    FunctionError,
    Instrument,
    ModelError,
    NoEquilibriumError,
    SingularJacobianError,
    solve_cooperative,
    solve_equilibrium,
    solve_nash,
    solve_unilateral,
    verify_derivatives,
)


def residual(u: Tensor, a: Tensor) -> Tensor:
    return torch.stack([u[0] + 0.2 * u[1] ** 2 - a[0], u[1] - 0.3 * u[0] - a[1]])


def objectives(u: Tensor, a: Tensor) -> Tensor:
    return torch.stack([u[0] - a[0] ** 2, u[1] - a[1] ** 2 + u[0] * a[1]])


TAX, FEE = Instrument("tax", "A", -1, 1, 0.1), Instrument("fee", "B", -1, 1, 0.1)
GOOD = EquilibriumModel(residual, objectives, ["A", "B"], [TAX, FEE], [0.1, 0.1], ["x", "y"], name="good")


def but(**changes: object) -> EquilibriumModel:
    return dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]


def test_the_model_itself_is_good() -> None:
    assert solve_nash(GOOD).status == "converged"
    assert verify_derivatives(GOOD).by_hand == {}


NAMES: dict[str, tuple[dict[str, object], str]] = {
    "crossed": ({"instruments": [dataclasses.replace(TAX, lower=2.0), FEE]}, r"'tax' has the bounds \[2, 1\]"),
    "nan bound": ({"instruments": [dataclasses.replace(TAX, upper=math.nan), FEE]}, "'tax' has the bounds"),
    "start outside": ({"instruments": [dataclasses.replace(TAX, start=1.5), FEE]}, "'tax' is set to 1.5, outside"),
    "twice": ({"instruments": [TAX, TAX]}, "two of the instrument 'tax'"),
    "no player": ({"players": []}, "no player"),
    "no instrument": ({"instruments": []}, "no instrument"),
    "names": ({"unknowns": ["x"]}, "names 1 unknowns and starts from 2"),
    "start shape": ({"start": torch.zeros(2, 2)}, r"shape \[2, 2\]"),
    "start nan": ({"start": [0.0, math.nan]}, "nan at position 1"),
    "start words": ({"start": ["a", "b"]}, "no vector of numbers"),
    "owner": ({"instruments": [dataclasses.replace(TAX, owner="C"), FEE]}, "owner of instrument 'tax'.*'C'"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_bounds_and_starts(case: str) -> None:
    changes, message = NAMES[case]
    error = UnknownNameError if case == "owner" else ModelError
    with pytest.raises(error, match=message):
        but(**changes)


def detached(u: Tensor, a: Tensor) -> Tensor:
    return torch.stack([u[0] + 0.2 * u[1].detach() ** 2 - a[0], u[1] - 0.3 * u[0] - a[1]])


def raising(u: Tensor, a: Tensor) -> Tensor:
    raise KeyError("price")


FUNCTIONS: dict[str, tuple[str, Callable[[Tensor, Tensor], object], type[Exception], str]] = {
    "size": ("residual", lambda u, a: residual(u, a)[:1], FunctionError, r"shape \[1\].*must be \[2\]"),
    "objective missing": ("objectives", lambda u, a: objectives(u, a)[:1], FunctionError, r"each player \(A, B\)"),
    "dtype": ("residual", lambda u, a: residual(u, a).float(), FunctionError, "float32"),
    "no tensor": ("objectives", lambda u, a: [u[0], u[1]], FunctionError, "returns list"),
    "not finite": ("residual", lambda u, a: residual(u, a) / 0, FunctionError, "at position 0: it must be finite"),
    "objective not finite": ("objectives", lambda u, a: (objectives(u, a) - 9).log(), FunctionError, "player 'A'"),
    "raises": ("residual", raising, FunctionError, "KeyError: 'price'"),
    "numpy": ("residual", lambda u, a: torch.tensor(residual(u, a).numpy()), DerivativeError, "cannot differentiate"),
    "detached": ("residual", lambda u, a: residual(u, a).detach(), DerivativeError, r"residual\[0\].*cut off"),
    "detached in part": ("residual", detached, DerivativeError, r"residual\[0\] changes by 0 per unit of unknown 'y'"),
    "detached objective": (
        "objectives", lambda u, a: torch.stack([objectives(u, a)[0], objectives(u.detach(), a)[1]]), DerivativeError,
        "objective of 'B'",
    ),
    "infinite slope": ("residual", lambda u, a: residual(u, a) + (a - 0.1).sqrt(), DerivativeError, "derivative.* inf"),
    "walras": ("residual", lambda u, a: residual(u, a)[:1].expand(2), SingularJacobianError, "do not determine"),
    "unused": ("residual", lambda u, a: torch.stack([u[0] - a[0], u[0] ** 2 - a[1]]), SingularJacobianError, "'y'"),
    "constant": ("residual", lambda u, a: torch.stack([u[0] + u[1], a[1] - 3]), DerivativeError, r"residual\[1\]"),
    "none": ("residual", lambda u, a: residual(u, a) ** 2 + 1, NoEquilibriumError, "no equilibrium"),
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions(case: str) -> None:
    which, function, error, message = FUNCTIONS[case]
    with pytest.raises(error, match=message) as caught:
        solve_nash(but(**{which: function}))
    assert isinstance(caught.value, ModelError)


def test_a_second_derivative_that_torch_gets_wrong() -> None:
    class Square(torch.autograd.Function):
        """x squared, whose derivative is right and whose second derivative is cut off."""

        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)  # type: ignore[attr-defined]
            return x**2

        @staticmethod
        def backward(ctx: object, g: Tensor) -> Tensor:  # type: ignore[override]
            (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
            return g * 2 * x.detach()

    def bent(u: Tensor, a: Tensor) -> Tensor:
        square: Tensor = Square.apply(u[1])  # type: ignore[no-untyped-call]
        return torch.stack([u[0] + 0.2 * square - a[0], u[1] - 0.3 * u[0] - a[1]])

    with pytest.raises(DerivativeError, match="first derivative by unknown 'y'"):
        verify_derivatives(but(residual=bent))


def by_hand(u: Tensor, a: Tensor, wrong: float = 0.0) -> tuple[Tensor, Tensor]:
    one = torch.ones((), dtype=torch.float64)
    f_u = torch.stack([torch.stack([one, (0.4 + wrong) * u[1]]), torch.stack([-0.3 * one, one])])
    return f_u, -torch.eye(2, dtype=torch.float64)


def test_derivatives_by_hand_are_compared_and_used() -> None:
    calls = []

    def counted(u: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(u)
        return by_hand(u, a)

    fast = but(derivatives=Derivatives(residual=counted))
    assert verify_derivatives(fast).by_hand["residual"] < 1e-12
    before = len(calls)
    assert torch.allclose(solve_nash(fast).a, solve_nash(GOOD).a, rtol=0, atol=1e-10)
    assert len(calls) > before
    slow = but(derivatives=Derivatives(residual=lambda u, a: by_hand(u, a, wrong=0.01)))
    for solve in (verify_derivatives, solve_nash):
        with pytest.raises(DerivativeError, match=r"derivatives.residual is wrong at \(residual\[0\], unknown 'y'\)"):
            solve(slow)  # type: ignore[operator]


def test_curvature_by_hand() -> None:
    def second(
        u: Tensor, a: Tensor, w: Tensor, m: Tensor, du: Tensor, da: Tensor, bend: float = 0.4
    ) -> tuple[Tensor, Tensor]:
        h_u = torch.stack([w[1] * da[1], -m[0] * bend * du[1]])
        return h_u, torch.stack([-2 * w[0] * da[0], -2 * w[1] * da[1] + w[1] * du[0]])

    right = but(derivatives=Derivatives(curvature=second))
    assert verify_derivatives(right).by_hand["curvature"] < 1e-12
    assert torch.allclose(solve_nash(right).a, solve_nash(GOOD).a, rtol=0, atol=1e-10)
    wrong = but(derivatives=Derivatives(curvature=lambda *x: second(*x, bend=0.5)))
    with pytest.raises(DerivativeError, match=r"derivatives.curvature.*is wrong at \((fee|tax), "):
        solve_nash(wrong)


def test_a_kink_at_the_start_is_no_mistake() -> None:
    kinked = but(
        residual=lambda u, a: residual(u, a) + 0.1 * torch.relu(u - 0.1),
        objectives=lambda u, a: objectives(u, a) - 0.1 * (u - 0.1).abs(),
    )
    assert solve_equilibrium(kinked).status == "converged"


QUESTIONS: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "player": (lambda: solve_unilateral(GOOD, "C"), UnknownNameError, "player 'C'"),
    "player twice": (lambda: solve_nash(GOOD, players=["A", "A"]), ModelError, "once"),
    "instrument": (lambda: solve_nash(GOOD, instruments=["tariff"]), UnknownNameError, "instrument 'tariff'"),
    "value": (lambda: solve_equilibrium(GOOD, {"tax": 3.0}), ModelError, "outside its bounds"),
    "init": (lambda: solve_nash(GOOD, init="begin"), UnknownNameError, "init"),
    "init value": (lambda: solve_nash(GOOD, init={"tax": math.nan}), ModelError, "'tax' is set to nan"),
    "weights": (lambda: solve_cooperative(GOOD, weights="income"), UnknownNameError, "weights"),
    "weight": (lambda: solve_cooperative(GOOD, weights={"A": -1.0}), ModelError, "weights"),
    "nothing to choose": (lambda: solve_nash(GOOD, players="A", instruments=["fee"]), ModelError, "nobody"),
    "table": (lambda: solve_equilibrium(GOOD).table("welfare"), UnknownNameError, "table 'welfare'"),
    "outcomes": (
        lambda: solve_equilibrium(but(outcomes=lambda u, a: {"x": u.log() * math.nan})), FunctionError, "gives 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", QUESTIONS)
def test_questions(case: str) -> None:
    ask, error, message = QUESTIONS[case]
    with pytest.raises(error, match=message):
        ask()


def test_no_equilibrium_where_instruments_lead() -> None:
    cut = but(residual=lambda u, a: torch.stack([u[0] ** 2 + 0.2 - a[0], u[1] - a[1]]), start=[0.5, 0.1])
    cut = dataclasses.replace(cut, instruments=[dataclasses.replace(TAX, start=0.4), FEE])
    result = solve_equilibrium(cut, {"tax": 0.0})
    assert result.status == "not_converged"
    assert "no equilibrium" in result.message
