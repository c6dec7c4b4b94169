"""What the solver must know of economies with delegates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from dlopt.choice.production.delegates.analysis import analyse
from dlopt.choice.production.delegates.assessing import DelegatesCertificate, assess
from dlopt.choice.production.delegates.exact import ExactDelegates
from dlopt.choice.production.delegates.grid import DelegatesGridSolution
from dlopt.choice.production.delegates.model import Delegates, DelegatesDynamics
from dlopt.choice.production.delegates.training import DelegatesTrainer
from dlopt.choice.production.delegates.value import build_value
from dlopt.choice.production.exact.grid import LARGEST
from dlopt.choice.production.traits import NETWORK
from dlopt.choice.traits import drawn, register


def _exact(model: Delegates) -> Callable[[DelegatesDynamics], ExactDelegates] | None:
    return None if model.size > LARGEST else lambda dynamics: ExactDelegates(dynamics, DelegatesGridSolution(model))


DELEGATES = register(
    dataclasses.replace(
        NETWORK,
        name="delegates",
        model=Delegates,
        analysis=dataclasses.replace(NETWORK.analysis, certificate_paths=32, certificate_years=60.0),
        build=build_value,
        exact=_exact,
        drawn=drawn,
        analyse=analyse,
        trainer=DelegatesTrainer,
        assess=assess,
        certificate=DelegatesCertificate,
    )
)
