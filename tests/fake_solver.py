"""A scripted solver, so that faults and signals come when a test wants them.

$FAKE is `converged`, `not_converged`, `interrupted`, `slow` (until told to stop), `crash`, `refuse` or `full` (the
disk).
"""

from __future__ import annotations

import dataclasses
import os
import resource
import time
from typing import Any

import dlopt
from dlopt.errors import DloptError
from dlopt.trade import api
from dlopt.trade.results import Iteration, SolveResult


def scripted(calibration: Any, *, on_iteration: Any, **_: Any) -> SolveResult:
    """Behave as $FAKE says."""
    mode = os.environ["FAKE"]
    if mode == "crash":
        raise ValueError("a fault")
    if mode == "refuse":
        raise DloptError("The policies admit no equilibrium. Lower the subsidies.")
    if mode == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    status = mode if mode in ("converged", "not_converged", "interrupted") else "converged"
    welfare = dict.fromkeys(calibration.economies, 0.5)
    for k in range(1, 1200 if mode == "slow" else 3):
        if mode == "slow":
            time.sleep(0.05)
        if on_iteration(Iteration(k, "waiting", 0.05 * k, calibration.economies[0], 10.0**-k, welfare)):
            status = "interrupted"
            break
    policy = dlopt.Policy(calibration.tariff, calibration.export_tax, calibration.subsidy + 0.05)
    result = dlopt.solve_equilibrium(calibration, policy)
    return dataclasses.replace(result, status=status, message=f"Scripted: {status}.")


def install() -> None:
    """Put it behind `dlopt solve nash`, in this process."""
    api.solve_nash = scripted
