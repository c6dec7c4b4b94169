"""Choice models of one's own: the same numbers as built-in ones, exact solutions, derivatives, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from own_models import OwnExporter, Shops, WithItsControlVariate, shops

from dlopt.choice import (
    AnalysisOptions,
    Budget,
    ConstantAcceptance,
    EnumeratedSolution,
    MeanField,
    MethodOptions,
    ModelError,
    State,
    exact_solution,
    hjb_residual,
    load_solution,
    preset,
    solve_bsde,
    solve_exact,
    traits_of,
)
from dlopt.choice.paper import nodes
from dlopt.choice.perceptron import SwitchNetwork

SMALL = AnalysisOptions(
    certificate_paths=32, certificate_years=10, out_of_sample=100, paths=32, years=10, validation=256,
    response_years=2, response_paths=16,
)  # fmt: skip


@pytest.mark.parametrize(("made", "baseline"), [(OwnExporter, "none"), (WithItsControlVariate, "meanfield")])
def test_exporter_as_a_model_of_ones_own_gives_the_same_bits(made, baseline):
    model, method = preset("gravity_strong", 9), MethodOptions(baseline=baseline, conditional=8, pool=128)
    own = made.of(model)
    results = [solve_bsde(m, method, Budget(steps=12), seed=3, device="cpu", analysis=SMALL) for m in (model, own)]
    ours, theirs = (result.solution.state_dict() for result in results)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert results[0].certificate == results[1].certificate
    frames = [result.tables() for result in results]
    assert (frames[0]["marginal_values"]["delta_v"] == frames[1]["marginal_values"]["delta_v"]).all()
    assert frames[0]["out_of_sample"].equals(frames[1]["out_of_sample"])


@dataclasses.dataclass(frozen=True, eq=False)
class OnFactors(OwnExporter):
    """The exporter with the two factors behind its costs as continuous states."""

    @classmethod
    def of(cls, model):
        made = super().of(model)
        return dataclasses.replace(made, nubar=made.centre, factor=made.loading, centre=np.zeros(2), spread=np.ones(2))

    nubar: torch.Tensor | None = None
    factor: torch.Tensor | None = None

    def flow(self, state):
        nubar = self.centre if self.nubar is None else self.nubar
        x = state.x if self.factor is None else state.x @ self.factor.T
        return super().flow(State(state.y, nubar + x if self.nubar is not None else x))

    def volatility(self, x):
        if self.nubar is None:
            return super().volatility(x)
        return (2 * self.theta) ** 0.5 * torch.eye(2, dtype=x.dtype)

    def diffuse(self, x, years, noise):
        return x

    def draw(self, n, generator, width=1.0, off_manifold=0.0):
        like = {"generator": generator, "dtype": self.centre.dtype}
        y = (torch.rand(n, self.switches, **like) < 0.5).to(self.centre.dtype)
        return State(y, self.centre + width * self.spread * torch.randn(n, self.factors, **like))


def test_enumeration_agrees_with_the_exact_solution_by_blocks():
    model = preset("blocks", 4)
    own = OnFactors.of(model)
    state = own.draw(200, torch.Generator().manual_seed(0))
    y, z = state.y.numpy(), state.x.clamp(-3, 3).numpy()
    nu = model.nubar + z @ model.loading.T
    blocks, found = exact_solution(model), EnumeratedSolution(own, points=41)
    assert found.value(y, z) == pytest.approx(blocks.value(y, nu), rel=3e-5)
    assert (found.accept(y, z) == blocks.accept(y, nu)).mean() > 0.995


def test_enumeration_of_one_switch_and_one_state():
    """With no shocks to speak of and a rate of 0 the value is in closed form: an annuity and a decision."""
    model = shops(1, 1, exposure=torch.zeros(1, 1, dtype=torch.float64), pair=torch.zeros(1, 1, dtype=torch.float64))
    model = dataclasses.replace(model, margin=torch.tensor([0.3], dtype=torch.float64))

    class Steady(Shops):
        def rates(self, state):
            return self.cost.new_tensor([0.4]), self.cost.new_tensor([0.1])

    steady = Steady(**{f.name: getattr(model, f.name) for f in dataclasses.fields(model)})
    found = EnumeratedSolution(steady, points=21)
    rho, margin, cost = steady.rho, 0.3, float(steady.cost[0])
    worth = (margin + 0.4 * cost) / (rho + 0.4 + 0.1)
    assert found.marginal(np.zeros((1, 1)), np.zeros((1, 1)))[0, 0] == pytest.approx(worth, rel=1e-8)
    off = 0.4 * (worth - cost) / rho
    assert found.value(np.zeros((1, 1)), np.ones((1, 1)))[0] == pytest.approx(off, rel=1e-8)


def _generator(value, model, state):
    """Drift and diffusion of a function of x by automatic differentiation, `[B]`, and its sensitivities `[B, M]`."""
    drift, sigma = model.drift(state.x), model.volatility(state.x)
    out, ways = [], []
    for b in range(len(state)):
        row = state.rows(slice(b, b + 1))

        def at(x, row=row):
            return value(State(row.y, x[None], row.z))[0]

        gradient = torch.autograd.functional.jacobian(at, row.x[0])
        hessian = torch.autograd.functional.hessian(at, row.x[0])
        own = sigma[b] if sigma.dim() == 3 else sigma
        out.append(gradient @ drift[b] + 0.5 * torch.einsum("ma,ab,mb->", own, hessian, own))
        ways.append(own @ gradient)
    return torch.stack(out), torch.stack(ways)


def test_generators_with_volatility_that_depends_on_the_state():
    model = shops(3, 2).on(dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    network = SwitchNetwork(model, [8, 8], generator)
    torch.nn.init.normal_(network.output, generator=generator)
    state = model.draw(6, generator)
    for function in (network.evaluate, MeanField(model).evaluate):
        at = function(model, state) if function == network.evaluate else function(state)
        values = network.forward if function == network.evaluate else lambda s: MeanField(model).evaluate(s).value
        expected, ways = _generator(values, model, state)
        assert at.generator.detach() == pytest.approx(expected.detach(), abs=1e-9)
        assert at.sensitivity.detach() == pytest.approx(ways.detach(), abs=1e-9)


def test_generic_control_variate_is_exact_for_independent_switches():
    model = preset("separable", 6)
    own = OwnExporter.of(model).on(dtype=torch.float64)
    state = own.draw(300, torch.Generator().manual_seed(2))
    at = MeanField(own).evaluate(state)
    truth = exact_solution(model).value(state.y.numpy(), state.x.numpy())
    assert at.value.numpy() == pytest.approx(truth, rel=2e-3)
    assert abs(hjb_residual(own, state, at)).mean() < 2e-3 * own.rho * abs(truth).mean()


def test_constant_acceptance_of_the_generic_control_variate():
    """The exporter's closed form at the same probabilities."""
    model = preset("gravity", 8)
    baseline = MeanField(OwnExporter.of(model).on(dtype=torch.float64), choose=False)
    p = baseline.p.numpy()
    q = np.minimum(model.lambda1 * p / (model.lambda0 * (1 - p)), 1.0)
    state = model.on(dtype=torch.float64).draw(100, torch.Generator().manual_seed(3))
    exact = ConstantAcceptance(model, q)
    found = baseline.evaluate(state)
    assert found.value.numpy() == pytest.approx(exact.value(state.y.numpy(), state.x.numpy()), rel=1e-2)


def test_own_model_is_solved_certified_and_read_back(tmp_path):
    model, path = shops(3, 2), tmp_path / "model.pt"
    result = solve_bsde(model, budget=Budget(steps=250), device="cpu", analysis=SMALL, checkpoint=path)
    errors = result.tables()["validation"].set_index("states")
    assert errors.loc["long_run", "relative_error"] < 2e-3
    assert errors.loc["long_run", "decision_accuracy"] > 0.98
    assert {"losses", "out_of_sample", "validation", "marginal_values", "simulation", "impulse_response"} == set(
        result.tables()
    )
    read, solution = load_solution(path)
    assert read == model
    state = read.on().draw(20, torch.Generator().manual_seed(0))
    assert torch.equal(solution.at(state).value, result.solution.at(state).value)
    again = solve_bsde(model, budget=Budget(steps=250), device="cpu", analysis=SMALL, resume=path)
    assert again.certificate == result.certificate


def test_exact_solution_in_the_same_shape():
    result = solve_exact(shops(2, 1), analysis=SMALL)
    assert result.status == "converged"
    assert "enumeration" in result.message
    with pytest.raises(ModelError, match=r"enumeration is for up to 8 switches"):
        solve_exact(shops(9, 1))


@pytest.mark.parametrize("shocks", [1, 2, 3, 7])
def test_nodes_have_the_moments_of_the_shocks(shocks):
    points = torch.tensor(nodes(shocks))
    assert points.mean(0) == pytest.approx(torch.zeros(shocks), abs=1e-6)
    assert (points.T @ points / len(points)).numpy() == pytest.approx(np.eye(shocks), abs=1e-6)


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match="float is not a choice model"):
        traits_of(3.0)


def _broken(**functions):
    """`Shops` with some of its functions replaced."""
    made = type("Broken", (Shops,), functions)
    given = shops(3, 2)
    return made(**{field.name: getattr(given, field.name) for field in dataclasses.fields(given)})


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"flow": lambda self, s: s.y}, r"flow\(state\) has shape \[8, 3\], expected \[8\]"),
        ({"flow": lambda self, s: s.y.sum(1).long()}, "is of torch.int64 where the states are of torch.float64"),
        ({"flow": lambda self, s: s.y.sum(1).double()}, "is of torch.float64 where the states are of torch.float32"),
        ({"flow": lambda self, s: (-s.y).sum(1).log()}, r"flow\(state\) has entries that are not finite"),
        ({"flow": lambda self, s: s.y.sum(1).numpy() + 1}, "gives ndarray, not a tensor"),
        ({"flow": lambda self, s: s.y @ s.x}, r"flow broke off .*RuntimeError"),
        ({"drift": lambda self, x: x[:, :1]}, r"drift\(x\) has shape \[8, 1\], expected \[8, 2\]"),
        ({"volatility": lambda self, x: x.new_ones(2, 3)}, r"volatility\(x\) has shape \[2, 3\], expected \[2, 2\]"),
        ({"volatility": lambda self, x: x.new_ones(2)}, r"expected \[M, 2\] or \[8, M, 2\]"),
        ({"rates": lambda self, s: (-self.cost, self.cost)}, "those of opportunities have entries that are negative"),
        ({"rates": lambda self, s: (self.cost, s.x.new_ones(8, 2))}, r"not broadcastable to \[8, 3\]"),
        ({"rates": lambda self, s: self.cost}, "must give two tensors"),
    ],
)
def test_functions_that_cannot_be_used_are_refused(functions, message):
    with pytest.raises(ModelError, match=message):
        _broken(**functions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rho": 0.0}, "rho is 0.0, must be a positive number"),
        ({"cost": torch.ones(4, dtype=torch.float64)}, r"broke off|expected|broadcast"),
        ({"centre": torch.zeros(3, dtype=torch.float64)}, "centre has 3 entries and spread 2"),
        ({"spread": torch.zeros(2, dtype=torch.float64)}, "spread has an entry that is not positive"),
        ({"cost": [1.0, float("nan"), 1.0]}, "cost has entries that are not finite"),
        ({"cost": [[1.0], [1.0, 2.0]]}, "cost is not an array of numbers"),
    ],
)
def test_parameters_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        shops(3, 2, **changes)
