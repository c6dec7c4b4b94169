"""What a set of tables and figures is computed from: a calibration, the variants, and every solution they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from dlopt.errors import DloptError
from dlopt.papers.engine.cache import Cache, Solved
from dlopt.papers.engine.problem import OnIteration, Problem, UnavailableError, Variant
from dlopt.trade.calibration import Calibration
from dlopt.trade.results import SolveResult

CERTIFIED, NOT_CERTIFIED, UNAVAILABLE, FAILED = "certified", "not certified", "unavailable", "failed"
NOT_SOLVED = "data"
"""Status of numbers that no solve is behind: elasticities, settings."""
MEASURED = "measured"
"""Status of numbers that show how far a published algorithm gets; it is not expected to be certified."""
_WORST = (FAILED, NOT_CERTIFIED, UNAVAILABLE, MEASURED, CERTIFIED)


class StoppedError(DloptError):
    """Asked to stop; what was solved is kept."""

    def __init__(self) -> None:
        super().__init__("Stopped. What was solved is kept: the same command goes on from there.")


@dataclasses.dataclass(frozen=True)
class Task:
    """One problem to solve.

    Attributes:
        name: of a scenario, of a path of the published algorithm, or of a training.
        variant: of the trade model; None for a training.
    """

    name: str
    variant: Variant | None


@dataclasses.dataclass(frozen=True)
class Entry:
    """One problem, solved or not.

    Attributes:
        solved: None where there is no solution.
        status: `certified`, `measured`, `not certified`, `unavailable` or `failed`.
        message: the solver's, or why there is no solution.
    """

    task: Task
    solved: Solved | None
    status: str
    message: str

    @property
    def result(self) -> SolveResult | None:
        """The solution of a trade problem."""
        return self.solved.result if self.solved else None

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The tables of any other."""
        return self.solved.tables if self.solved else {}


class Study:
    """Solutions by name and variant, each solved once.

    Args:
        problems: what can be solved, by name.
        cache: where solutions are kept.
        variants: readings of the trade model, in the order of the columns.
        on_iteration: told every iteration of what is solved here.
    """

    def __init__(
        self,
        problems: Mapping[str, Problem],
        cache: Cache,
        variants: Sequence[Variant],
        on_iteration: OnIteration | None = None,
    ) -> None:
        self.problems = problems
        self.cache, self.variants, self.on_iteration = cache, tuple(variants), on_iteration
        self.entries: dict[Task, Entry] = {}
        self.fresh: set[str] = set()
        """Keys of what was solved by other processes of this run."""

    @property
    def calibration(self) -> Calibration:
        """The world that is studied."""
        return self.cache.calibration

    def get(self, name: str, variant: Variant | None = None) -> Entry:
        """A solution, solved now if it must be.

        Raises:
            StoppedError: `on_iteration` asked the solver to stop.
        """
        task = Task(name, variant)
        if task not in self.entries:
            self.entries[task] = self._entry(task)
        return self.entries[task]

    def available(self, task: Task) -> bool:
        """Whether the calibration has what the problem names."""
        try:
            self.problems[task.name].check(self.calibration)
        except UnavailableError:
            return False
        return True

    def key(self, task: Task) -> str:
        """Under which it is kept."""
        return self.problems[task.name].key(self.cache, task.variant)

    def title(self, task: Task) -> str:
        """What it is, in words."""
        return self.problems[task.name].title

    def about(self, task: Task) -> str:
        """Title and variant."""
        return f"{self.title(task)}, {task.variant.name}" if task.variant else self.title(task)

    def _entry(self, task: Task) -> Entry:
        try:
            solved = self._solved(task)
        except UnavailableError as error:
            return Entry(task, None, UNAVAILABLE, str(error))
        except DloptError as error:
            return Entry(task, None, FAILED, str(error))
        if solved.status == "interrupted":
            raise StoppedError
        missed = MEASURED if self.problems[task.name].measured else NOT_CERTIFIED
        status = CERTIFIED if solved.status == "converged" else missed
        return Entry(task, solved, status, solved.message)

    def _solved(self, task: Task) -> Solved:
        return self.problems[task.name].solve(self.cache, task.variant, self.on_iteration)

    def runs(self) -> pd.DataFrame:
        """One row per problem: how long it took and its certificate; `key` is the same where two share a solution."""
        return pd.DataFrame([
            {
                "name": task.name,
                "title": self.title(task),
                "variant": task.variant.name if task.variant else "",
                "status": entry.status,
                "key": entry.solved.key if entry.solved else "",
                "seconds": entry.solved.seconds if entry.solved else float("nan"),
                "from_cache": bool(entry.solved and entry.solved.cached and entry.solved.key not in self.fresh),
                **(entry.solved.certificate if entry.solved else {}),
                "message": entry.message,
            }
            for task, entry in self.entries.items()
        ])  # fmt: skip


def needed(names: Iterable[str], problems: Mapping[str, Problem], variants: Sequence[Variant]) -> list[Task]:
    """Problems in all variants that they are solved in, each once."""
    return [Task(name, reading) for name in dict.fromkeys(names) for reading in problems[name].readings(variants)]


def cost(runs: pd.DataFrame) -> tuple[int, float]:
    """How many problems were solved, and in how many minutes of processor time, now or earlier; each once."""
    once = runs[runs["key"] != ""].drop_duplicates("key") if len(runs) else runs
    return len(once), float(once["seconds"].sum()) / 60 if len(once) else 0.0


def worst(statuses: Sequence[str]) -> str:
    """The status of a number that rests on several solutions."""
    return next((status for status in _WORST if status in statuses), NOT_SOLVED)
