"""The table of instruments: everybody who names instruments names those, and rates and log wedges are inverses."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, Calibration, InstrumentChoice, Instruments, Policy, build_instruments, build_model
from dlopt.trade.rates import CHOICE_NAMES, INSTRUMENTS, KINDS, SUBSIDY, InstrumentKind

RATES = torch.linspace(-0.9, 0.9, 19, dtype=torch.float64)


def names(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def test_every_record_has_a_field_for_every_instrument() -> None:
    assert names(Policy) == list(KINDS)
    assert names(Bounds) == list(CHOICE_NAMES)
    assert names(InstrumentChoice) == [*CHOICE_NAMES, "sectors"]
    assert [name for name in names(Calibration) if name in KINDS] == list(KINDS)
    symbols = [kind.symbol for kind in INSTRUMENTS]
    assert [name for name in names(Instruments) if name in symbols] == symbols


@pytest.mark.parametrize("kind", INSTRUMENTS, ids=KINDS)
def test_rates_and_wedges_are_inverses(kind: InstrumentKind) -> None:
    wedge = kind.wedge(RATES)
    assert torch.allclose(kind.rate(wedge), RATES, rtol=0, atol=1e-15)
    assert float(kind.wedge(torch.zeros(1))) == 0
    assert bool((wedge.diff() > 0).all())
    for rate in RATES.tolist():
        assert math.isclose(
            kind.wedge_of(rate), float(kind.wedge(torch.tensor(rate, dtype=torch.float64))), rel_tol=1e-15
        )
        assert math.isclose(kind.factor(rate), math.expm1(kind.wedge_of(rate)), rel_tol=1e-13, abs_tol=1e-15)
    edge = -1.0 if kind.tax else 1.0
    assert not kind.possible(edge)
    assert kind.possible(0.999 * edge)


def test_what_buyers_pay_is_the_product_of_the_factors() -> None:
    """log kappa = tau + epsilon - sigma with kappa = (1+t)(1+e)(1-s)."""
    world = small_synthetic(policies="all")
    model = build_model(world)
    c = model.calibration
    kappa = (1 + c.tariff) * (1 + c.export_tax) * (1 - c.subsidy)[:, None, :]
    assert torch.allclose(model.log_kappa0.exp(), kappa, rtol=1e-13, atol=0)
    policy = Policy.of(world)
    assert torch.allclose(Policy.from_wedges(policy.log_wedges()).subsidy, policy.subsidy, rtol=0, atol=1e-15)
    assert [tuple(rates.shape) for rates in policy.rates()] == [
        tuple({"origin": 3, "destination": 3, "country": 3, "sector": 4}[axis] for axis in kind.axes)
        for kind in INSTRUMENTS
    ]


@pytest.mark.parametrize("mode", ["by_sector", "uniform", "mfn"])
def test_only_who_sets_a_rate_owns_it(mode: str) -> None:
    """A tariff is its destination's, an export tax and a subsidy their origin's."""
    model = build_model(small_synthetic())
    choice = InstrumentChoice(**{k.name: mode if mode in k.modes else "uniform" for k in INSTRUMENTS})  # type: ignore[arg-type]
    chosen = build_instruments(model, choice)
    for number, kind in enumerate(INSTRUMENTS):
        cells = chosen.maps()[number]
        at = (cells >= 0).nonzero()
        setter = at[:, 1] if kind.setter == "destination" else at[:, 0]
        assert torch.equal(chosen.owner[cells[tuple(at.T)]], setter)
        assert bool((chosen.kind[cells[cells >= 0]] == number).all())
    low = torch.stack(
        [torch.tensor(k.wedge_of(getattr(Bounds(), k.name)[0]), dtype=torch.float64) for k in INSTRUMENTS]
    )
    assert torch.equal(chosen.lower, low[chosen.kind])
    rates = chosen.rates(chosen.upper)
    assert torch.allclose(rates[chosen.kind == INSTRUMENTS.index(SUBSIDY)], torch.tensor(0.8, dtype=torch.float64))


def test_the_table_needs_no_torch() -> None:
    command = "import sys, dlopt.trade.rates; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == (
        "False\n"
    )
