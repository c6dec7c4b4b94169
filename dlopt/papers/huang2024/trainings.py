"""What is trained for the tables and figures of Huang and Yu (2024): models, methods and budgets, as data."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from dlopt.choice import (
    PAPER,
    AnalysisOptions,
    Budget,
    MethodOptions,
    Watch,
    load_model,
    load_network,
    solve_bsde,
)
from dlopt.choice.production.value import NETWORK_PAPER
from dlopt.errors import UnknownNameError
from dlopt.papers.engine import store
from dlopt.papers.engine.cache import Cache, Made, Solved
from dlopt.papers.engine.problem import OnIteration, Variant
from dlopt.trade.calibration import Calibration

EXPORT, NETWORK = "export", "network"
_SOURCES = ("dlopt.choice",)


@dataclasses.dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        title: what it is, in words.
        kind: `export` or `network`.
        models: names, the first that is there is taken.
        budget: how long.
        method, analysis: as for `solve_bsde`; None for the default of the kind.
        measured: whether it shows how far a published method gets, and is not expected to converge.
    """

    title: str
    kind: str
    models: tuple[str, ...]
    budget: Budget
    method: MethodOptions | None = None
    analysis: AnalysisOptions | None = None
    measured: bool = False

    def readings(self, variants: Sequence[Variant]) -> Sequence[None]:
        """The readings of the trade model do not touch it."""
        return (None,)

    def check(self, calibration: Calibration) -> None:
        """It needs no calibration."""

    def key(self, cache: Cache, variant: Variant | None) -> str:
        """Digest of everything the training depends on."""
        code = [store.code_digest(package) for package in _SOURCES]
        chosen = (self.method, self.budget, self.analysis)
        options = [dataclasses.asdict(each) if each else None for each in chosen]
        return store.key(code, self.kind, model_of(self).digest(), options)

    def solve(self, cache: Cache, variant: Variant | None, on_iteration: OnIteration | None = None) -> Solved:
        """Train it, or find it trained; the tables are those of `BsdeResult`.

        Raises:
            KeptFailureError: the solver refused.
        """
        model = model_of(self)

        def make() -> Made:
            result = solve_bsde(
                model, self.method, self.budget, analysis=self.analysis, device="cpu",
                watch=_Watch(on_iteration, self.budget.steps),
            )  # fmt: skip
            certificate = dataclasses.asdict(result.certificate) if result.certificate else {}
            return result.status, result.message, certificate, result.tables()

        return cache.made(self.key(cache, variant), make)


_LEAST = AnalysisOptions(
    certificate_paths=64, certificate_years=60, out_of_sample=10_000, paths=64, years=4, validation=1024,
    response_years=1, response_paths=16,
)  # fmt: skip
"""Where only losses and errors are shown."""
_OWN_NETWORK = ("bea37", "synthetic")
TRAININGS = {
    "export": Training(
        "exporter, 100 destinations in blocks", EXPORT, ("blocks",), Budget(steps=2000),
        analysis=dataclasses.replace(_LEAST, out_of_sample=20_000),
    ),
    "export_paper": Training(
        "exporter, the paper's method", EXPORT, ("blocks",), Budget(steps=1000, evaluations=8), PAPER,
        _LEAST, True,
    ),
    "gravity": Training("exporter, 100 destinations by geography", EXPORT, ("gravity",), Budget(steps=2000)),
    "network": Training("production network, 37 sectors", NETWORK, _OWN_NETWORK, Budget(steps=300)),
    "network_paper": Training(
        "production network, the paper's method", NETWORK, _OWN_NETWORK, Budget(steps=500, evaluations=8),
        NETWORK_PAPER, _LEAST, True,
    ),
    "network3": Training(
        "production network, 3 sectors", NETWORK, ("synthetic3",), Budget(steps=800), analysis=_LEAST
    ),
    "network3_paper": Training(
        "production network, 3 sectors, the paper's method", NETWORK, ("synthetic3",),
        Budget(steps=2000, evaluations=8), NETWORK_PAPER, _LEAST, True,
    ),
}  # fmt: skip
"""The published method, to the letter, on fewer paths than its authors had: 32,000 for the exporter, a twelfth of their
400,000, and 16,000 for the network, a fourteenth of their 220,000 (64,000 with three sectors)."""


def simulated(name: str) -> str:
    """The size of the simulation behind averages of the long run, in words."""
    analysis = TRAININGS[name].analysis or AnalysisOptions()
    return f"Averages over {analysis.paths:,} simulated paths of {analysis.years:,.0f} years"


def model_of(training: Training) -> Any:
    """Its model: the first name that is there.

    Raises:
        ModelFolderError: an imported model is damaged.
    """
    read: Callable[[str], Any] = load_model if training.kind == EXPORT else load_network
    for name in training.models[:-1]:
        with contextlib.suppress(UnknownNameError):
            return read(name)
    return read(training.models[-1])


class _Watch(Watch):
    """Passes on what happens in the words of the trade solvers, and stops when they would."""

    def __init__(self, on_iteration: Callable[[Any], bool | None] | None, steps: int | None) -> None:
        self.on_iteration, self.steps, self.step = on_iteration, steps, 0

    def phase(self, name: str) -> None:
        self._tell(name, "")

    def stop(self) -> bool:
        self.step += 1
        return self._tell("step", f"{self.step}/{self.steps}")

    def _tell(self, phase: str, iteration: str) -> bool:
        info = SimpleNamespace(phase=phase, iteration=iteration, player=None, first_order_residual=None, welfare=None)
        return bool(self.on_iteration and self.on_iteration(info))
