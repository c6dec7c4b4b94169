"""What can be solved for a paper: one protocol for games, trainings and paths of an algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dlopt.errors import DloptError
from dlopt.trade.calibration import Calibration

if TYPE_CHECKING:
    from dlopt.papers.engine.cache import Cache, Solved

OnIteration = Callable[[Any], bool | None]
"""Told every iteration of a solver or of a training; answering True stops it."""


class UnavailableError(DloptError):
    """The calibration lacks an economy or a sector that a scenario names."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One reading of the trade model.

    Attributes:
        accounting: `paper` or `standard`.
        sectors: `all` or `tradable`, where instruments may be chosen.
    """

    accounting: str
    sectors: str

    @property
    def name(self) -> str:
        """As the columns of the tables say it."""
        return f"{self.accounting}/{self.sectors}"


class Problem(Protocol):
    """One problem, solved or found in the cache."""

    @property
    def title(self) -> str:
        """What it is, in words."""

    @property
    def measured(self) -> bool:
        """Whether it shows how far a published algorithm gets, and is not expected to converge."""

    def readings(self, variants: Sequence[Variant]) -> Sequence[Variant | None]:
        """In which of the variants it is solved; None for what has none."""

    def check(self, calibration: Calibration) -> None:
        """Raises: UnavailableError: the calibration lacks what the problem names."""

    def key(self, cache: Cache, variant: Variant | None) -> str:
        """Digest of everything its numbers depend on."""

    def solve(self, cache: Cache, variant: Variant | None, on_iteration: OnIteration | None = None) -> Solved:
        """From the cache, or solved and put there unless interrupted.

        Raises:
            UnavailableError: the calibration lacks what the problem names.
            KeptFailureError: the solvers refused, here or earlier.
        """
