"""Large economies: the matrix-free path, forced on small ones, against dense factors."""

from __future__ import annotations

import pytest
import torch
from economies import small_synthetic
from test_derivatives import with_gaps
from torch import Tensor

from dlopt import InstrumentChoice
from dlopt.framework.linear import GmresOptions, LinearSolveError, gmres
from dlopt.framework.nash import JointNewton
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import solve_root
from dlopt.framework.tape import Tape
from dlopt.trade.api import build_model
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.factors import EquilibriumFactors
from dlopt.trade.game import TradeGame, own_welfare
from dlopt.trade.instruments import build_instruments
from dlopt.trade.krylov import KrylovFactors
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.results import SolveResult
from dlopt.trade.run import Run, trouble

MFN = InstrumentChoice(tariff="mfn", subsidy="by_sector")


def matrix_free(model: TradeModel) -> TradeModel:
    """The same model, taken for a large one."""
    return TradeModel(model.calibration, model.accounting, transfer=model.transfer, dense_up_to=0)


@pytest.fixture(
    params=[
        pytest.param(build_model(small_synthetic(6, 5, 3, policies="all")), id="standard"),
        pytest.param(build_model(with_gaps(), "paper", "constant"), id="gaps-paper-deficits"),
    ]
)
def model(request: pytest.FixtureRequest) -> TradeModel:
    return request.param  # type: ignore[no-any-return]


def raised(model: TradeModel, rise: float = 0.3) -> LogWedges:
    """All tariffs between countries up by a third."""
    tau, epsilon, sigma = model.wedges0
    abroad = (1 - torch.eye(model.n, dtype=torch.float64))[:, :, None]
    return tau + rise * abroad * (model.trade > 0), epsilon, sigma


def random(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(actual: Tensor, wanted: Tensor, tolerance: float) -> bool:
    return float((actual - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


def test_solves_are_those_of_the_jacobian(model: TradeModel) -> None:
    """Away from equilibrium too: Newton solves there."""
    u = 0.1 * random(model.size)
    lin, jacobian = Linearisation(model, u, raised(model)), torch.func.jacrev(model.equations(raised(model)))(u)
    factors, rhs = KrylovFactors(lin), random(model.size, 7, seed=1)
    rhs[:, 3] = 0.0
    assert close(factors.solve(rhs), torch.linalg.solve(jacobian, rhs), 1e-11)
    assert close(factors.solve_transposed(rhs), torch.linalg.solve(jacobian.T, rhs), 1e-11)
    assert close(factors.solve(rhs[:, 0]), factors.solve(rhs)[:, 0], 1e-11)
    assert close(factors.solve_transposed(rhs[:, 0]), factors.solve_transposed(rhs)[:, 0], 1e-11)


def test_size_decides() -> None:
    model = build_model(small_synthetic())
    u = torch.zeros(model.size, dtype=torch.float64)
    assert isinstance(Linearisation(model, u, model.wedges0).factors(), EquilibriumFactors)
    model = TradeModel(model.calibration, dense_up_to=model.size - 1)
    assert isinstance(Linearisation(model, u, model.wedges0).factors(), KrylovFactors)


def test_equilibria_agree(model: TradeModel) -> None:
    wanted, found = find_equilibrium(model, raised(model)), find_equilibrium(matrix_free(model), raised(model))
    assert wanted.outcome is Outcome.CONVERGED
    assert found.outcome is Outcome.CONVERGED
    assert float((found.u - wanted.u).abs().max()) <= 1e-10


def test_derivatives_agree(model: TradeModel) -> None:
    """Gradients of all players, and second derivatives of one, alone and jointly."""
    points = []
    for each in (model, matrix_free(model)):
        game = TradeGame(each, build_instruments(each, MFN))
        point = game.point(game.instruments.average(raised(each)))
        assert point is not None
        points.append(point)
    dense, large = points
    assert close(large.gradient(), dense.gradient(), 1e-9)
    assert close(large.hessian(1), dense.hessian(1), 1e-7)
    assert close(large.hessian(1, joint=True), dense.hessian(1, joint=True), 1e-7)


def test_unilateral_optimum_has_the_same_certificate() -> None:
    dense = build_model(small_synthetic(6, 5, 3))

    def optimum(model: TradeModel) -> SolveResult:
        chosen = build_instruments(model, MFN, players=("E2",))
        run = Run(model, chosen, 1, 0, "baseline", None, None, Tape())
        return run.solve(own_welfare(model, chosen.members), JointNewton())

    wanted, found = optimum(dense), optimum(matrix_free(dense))
    assert found.status == wanted.status == "converged"
    assert found.certificate.at_bound == wanted.certificate.at_bound
    assert found.certificate.flat_directions == wanted.certificate.flat_directions
    assert found.certificate.max_own_curvature == pytest.approx(wanted.certificate.max_own_curvature, rel=1e-6)
    assert torch.allclose(found.real_income_change_pct, wanted.real_income_change_pct, rtol=0, atol=1e-10)
    assert torch.allclose(found.policy.tariff, wanted.policy.tariff, rtol=0, atol=1e-7)


def test_policies_without_equilibrium_are_told_in_words() -> None:
    model = matrix_free(build_model(small_synthetic(4, 3, 2)))
    tau, epsilon, sigma = model.wedges0
    found = find_equilibrium(model, (tau, epsilon, sigma + 3.0))
    assert found.outcome is not Outcome.CONVERGED
    assert "No equilibrium was found" in trouble(model, found.u)


def test_gmres_says_how_far_it_came() -> None:
    """A cyclic shift is out of reach of every smaller Krylov space; a singular matrix of every space."""
    shift = torch.eye(30, dtype=torch.float64).roll(1, 0)
    rhs = torch.eye(30, 1, dtype=torch.float64)
    with pytest.raises(LinearSolveError, match=r"30 unknowns .* relative residual of 1\.0e\+00"):
        gmres(lambda v: shift @ v, lambda v: v, rhs, GmresOptions(basis=10))
    assert close(gmres(lambda v: shift @ v, lambda v: v, rhs), shift.T @ rhs, 1e-12)
    with pytest.raises(LinearSolveError):
        gmres(torch.zeros_like, lambda v: v, rhs)


def test_a_linear_system_that_cannot_be_solved_is_told_in_words(model: TradeModel) -> None:
    lin = Linearisation(model, torch.zeros(model.size, dtype=torch.float64), model.wedges0)
    hasty = KrylovFactors(lin, GmresOptions(basis=2, cycles=1))
    for solve in (hasty.solve, hasty.solve_transposed):
        with pytest.raises(LinearSolveError, match=r"relative residual of .* keep subsidies smaller"):
            solve(random(model.size))


def test_newton_stalls_where_its_linear_systems_cannot_be_solved() -> None:
    class Hopeless:
        def solve(self, rhs: Tensor) -> Tensor:
            raise LinearSolveError("no")

        solve_transposed = solve

    root = solve_root(lambda u: u - 1, lambda u: u, random(3), factorise=lambda _: Hopeless())
    assert root.outcome is Outcome.STALLED
