"""Weights from tariffs: those that were put in come out."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, solve_unilateral
from dlopt.trade.revealed import RevealedError, revealed_weights


def test_weights_come_back_from_the_tariffs_they_make() -> None:
    c = small_synthetic(2, 3, 3, scale_economies=False, intermediates=False)
    c = dataclasses.replace(c, subsidy=c.subsidy - 0.2)
    weights = torch.ones(2, 3, dtype=torch.float64)
    weights[0] = torch.tensor([1.1, 0.95, 0.95])
    result = solve_unilateral(
        c, c.economies[0], instruments={"tariff": "mfn", "sectors": "all"}, bounds=Bounds(tariff=(-0.9, 5.0)),
        political_weights=weights,
    )  # fmt: skip
    assert result.status == "converged"
    best = result.policy.tariff[1, 0]
    found = revealed_weights(c, c.economies[0], best - 0.3)  # the level does not matter
    assert found.weights.numpy() == pytest.approx(weights[0].numpy(), abs=1e-6)
    assert found.tariffs.numpy() == pytest.approx(best.numpy(), abs=1e-5)
    assert found.shift == pytest.approx(0.3, abs=1e-5)
    assert found.curved


def test_where_no_level_is_right_it_is_said() -> None:
    """One weight cannot explain two tariffs that may not be shifted."""
    c = small_synthetic(2, 2, 3, scale_economies=False, intermediates=False)
    with pytest.raises(RevealedError, match="No weights"):
        revealed_weights(c, c.economies[0], torch.tensor([0.0, 4.0], dtype=torch.float64), torch.tensor([True, True]))
