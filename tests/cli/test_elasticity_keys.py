"""Other elasticities for one solve: another set, or all of them larger or smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import dlopt
from dlopt.errors import DloptError

GIVEN = ("scenario=us_china_2018", "calibration=stylized2017")


def test_theta_scale_multiplies_every_trade_elasticity(checked: Callable[..., Any]) -> None:
    world = dlopt.load_calibration("stylized2017")
    scaled = checked("equilibrium", *GIVEN, "theta_scale=0.8", world=False).job.problem.calibration
    torch.testing.assert_close(scaled.theta, 0.8 * world.theta, rtol=0, atol=1e-15)
    assert scaled.sha256 != world.sha256
    plain = checked("equilibrium", *GIVEN, "theta_scale=1", world=False).job.problem.calibration
    assert plain.sha256 == world.sha256


@pytest.mark.parametrize("value", ["0", "-1", "nan", "lots"])
def test_theta_scale_must_be_above_zero(checked: Callable[..., Any], value: str) -> None:
    with pytest.raises(DloptError, match="theta_scale"):
        checked("equilibrium", *GIVEN, f"theta_scale={value}", world=False)


def test_sectors_that_a_set_does_not_cover_are_named(checked: Callable[..., Any]) -> None:
    problem = checked("equilibrium", *GIVEN, "elasticities=fontagne2022", world=False).job.problem
    (note,) = [note for note in problem.notes if note.startswith("Trade elasticities: fontagne2022")]
    assert "no source for" in note
    assert "42: theta 5." in note
    assert not checked("equilibrium", *GIVEN, world=False).job.problem.notes
