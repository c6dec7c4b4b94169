"""A kind of problem: what every front (command line, run folder, report) needs to know of it, and nothing more.

The trade model, the exporter and the production network are kinds, and so is what a package brings that a user
installs: it names an object that is a `Kind` under the entry-point group `dlopt.kinds`. Nothing here knows of Hydra,
Typer, torch or files.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dlopt.errors import DloptError

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.framework.tape import Tape


class Status(enum.StrEnum):
    """How a run stands. A run that was killed says `running` for ever: its lock tells (`dlopt.runs.is_killed`)."""

    RUNNING = "running"
    CONVERGED = "converged"
    NOT_CONVERGED = "not_converged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """It has a result, certified or not: there is nothing to go on with."""
        return self in (Status.CONVERGED, Status.NOT_CONVERGED)


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a solve: the part of the solver it belongs to, and what there is to say of it in a line."""

    phase: str
    words: str


class Watch:
    """Somebody who follows a solve; this one does nothing."""

    def phase(self, name: str) -> None:
        """A part of the work begins."""

    def progress(self, progress: Any) -> None:
        """A step was made or measured. The front is told a `Step`; a solver used by itself may tell its own record."""

    def stop(self) -> bool:
        """Whether to stop; asked after each step."""
        return False


def is_number(value: Any) -> bool:
    """Finite, and not a text that an interpolation left (`${...}` is checked by nobody before)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a number must be.

    Attributes:
        holds: whether a finite number is possible.
        words: completes 'it must be ...'.
    """

    holds: Callable[[Any], bool]
    words: str


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a config: its help, default, completion and first validation.

    Attributes:
        name: as it is set; `section.key` gives help, words or a rule to one key of a section.
        help: what it means, in a line.
        default: its default; the type of the default is the type of the key unless `type` says otherwise.
        type: `str`, `int`, `float`, `bool`, one of these `| None`, or `Any`, which only the kind's own check narrows.
        options: for a section: a dataclass (type or instance) whose fields are its keys, or `module:NAME` of one.
        choices: for a section of which there are several: the name of each with its dataclass (as `options`);
            `default` names the one taken. `solver=joint_newton solver.tolerance=1.0e-9` is such a section.
        words: the words it may be; with `open`, words offered among other values.
        open: whether other values are possible as well.
        rule: what a number must be.
        verbs: the verbs that listen to it; none means all of the kind's.
        free: whether a run may be gone on with under another value, because no digit depends on it or because what it
            names is compared by content.
    """

    name: str
    help: str = ""
    default: Any = None
    type: Any = None
    options: Any = None
    choices: Mapping[str, Any] | None = None
    words: tuple[str, ...] = ()
    open: bool = False
    rule: Rule | None = None
    verbs: tuple[str, ...] = ()
    free: bool = False

    def serves(self, verb: str) -> bool:
        """Whether a verb listens to it."""
        return not self.verbs or verb in self.verbs


AT_LEAST_0 = Rule(lambda value: value >= 0, "a finite number, 0 or more")
ABOVE_0 = Rule(lambda value: value > 0, "a finite number above 0, or null")
COUNT = Rule(lambda value: value >= 0, "a whole number, 0 or more")


def loaded(reference: Any) -> Any:
    """What `module:NAME` stands for, imported now; anything else is itself."""
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


class KeyValueError(DloptError):
    """A value that a key cannot have."""

    def __init__(self, key: str, value: object, rule: str) -> None:
        super().__init__(f"{key}={value} is not possible: it must be {rule}.")


RESUME = Key(
    "resume",
    "a run that ended early, by name or folder, to go on with under its own settings",
    None,
    str | None,
    free=True,
)
SEED = Key(
    "seed",
    "number from which all random draws are made",
    0,
    rule=Rule(lambda value: 0 <= value < 2**63, "a whole number from 0 to 2^63-1"),
)
THREADS = Key(
    "threads", "processor cores that torch uses; 1 is best at these sizes, 0 means all that it may use", 1,
    rule=Rule(lambda value: 0 <= value <= 4096, "a whole number from 0 (all cores) to 4096"), free=True,
)  # fmt: skip
CHECKPOINTS = Key("checkpoint_seconds", "time between two checkpoints", 10.0, rule=AT_LEAST_0, free=True)
COMMON = (RESUME, CHECKPOINTS, SEED, THREADS)
"""Keys that every kind should have; `checkpoint_seconds` is that of the tape."""


@dataclasses.dataclass(frozen=True)
class Verb:
    """One of `dlopt solve VERB`, as a kind serves it.

    Attributes:
        name: the word on the command line.
        help: one sentence.
        scenario: played when none is given; None asks for one.
        config: the primary config in `conf/` that composes it.
    """

    name: str
    help: str = ""
    scenario: str | None = None
    config: str = "config"


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a problem is about: the name of the calibration or model, and the digest of its content.

    `note` is what a reader of its results must know, such as that the world is made up.
    """

    name: str
    sha256: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a `Sheet` with a meaning: `good`, `bad` or `dim`."""

    text: str
    tone: str = ""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A small table as it is shown, on screen or on a page: words in cells, the first `left` columns on the left.

    With `proof` it is evidence for an answer that other sheets give: screens show it when they are asked to.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    left: int = 1
    proof: bool = False


@dataclasses.dataclass(frozen=True)
class Ended:
    """A run that has ended, as a kind shows it.

    Attributes:
        verb: what was asked for.
        status: how it ended.
        certificate: its figures; empty where there is none.
        table: one of its tables by name; None where it has none of that name.
        settings: the config it was solved with, as `section.key: value`; empty where that is not known.
    """

    verb: str
    status: Status
    certificate: Mapping[str, Any]
    table: Callable[[str], pd.DataFrame | None]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Session:
    """What a solve is given besides the problem.

    Attributes:
        folder: the run folder. A kind with checkpoints of its own writes them there as `Kind.checkpoint`.
        watch: is told how it goes, and says when to stop.
        tape: records the steps; those of the run that is gone on with are on it.
        resume: the own checkpoint to go on from, None for a new start or where the tape is the record.
        ranks: the processes that share the work, this one the first of them; None for this one alone.
    """

    folder: Path
    watch: Watch
    tape: Tape
    resume: Path | None = None
    ranks: Any = None


class Result(Protocol):
    """What a solve comes to. `status` is `converged` (proven), `not_converged` or `interrupted`."""

    @property
    def status(self) -> Any: ...

    @property
    def message(self) -> str: ...

    @property
    def certificate(self) -> Any:
        """A dataclass of numbers, or None."""

    def tables(self) -> Mapping[str, pd.DataFrame]: ...


class Problem(abc.ABC):
    """One solve, ready to run: everything that can be known to be wrong has been refused.

    Attributes:
        identity: what it is about.
        size: how large it is, in words.
        recorded: whether a run of it that ends early can be gone on with.
        accounting: a word for `run.json`.
        dtype: of the numbers, for `run.json`.
        extra: what the result depends on besides the composed config, as `section.key: value`.
    """

    identity: Identity
    size: str = ""
    recorded: bool = True
    accounting: str = ""
    dtype: str = "float64"
    extra: Mapping[str, Any] = {}

    @abc.abstractmethod
    def solve(self, session: Session) -> Result:
        """Solve it. A stop that the watch asks for ends it with `interrupted` and what there is."""

    def metadata(self, result: Result) -> Mapping[str, str]:
        """Units and source, written into every table."""
        found: Mapping[str, str] = getattr(result, "metadata", {})
        return found

    def check_resume(self, checkpoint: Path) -> None:  # noqa: B027 (nothing to do is the default)
        """Refuse an own checkpoint that is of another problem.

        Raises:
            DloptError: names what differs.
        """

    def joined(self, local_rank: int, local_count: int) -> AbstractContextManager[Any]:
        """The processes that share this problem, as `Session.ranks`, while the block runs (`Kind.shared`)."""
        raise NotImplementedError

    def follow(self, ranks: Any, watch: Watch, resume: Path | None) -> None:
        """Take part in the solve of the first of several processes."""
        raise NotImplementedError


class Kind(abc.ABC):
    """A kind of problem.

    Attributes:
        name: one word, `kind=NAME`; for an installed package the name of its entry point.
        verbs: what it answers to: names among `equilibrium`, `unilateral`, `nash`, `cooperative` and those of choice.
        solves: one sentence.
        keys: every key of its configs, `COMMON` included.
        briefly: what `brief` says, in words; lists of runs explain it so.
        table: the table that `dlopt runs collect` takes unless told otherwise.
        checkpoint: the file a run that ended early is gone on from. `checkpoint.pt` is the tape's; a kind that writes
            one of its own names it.
        keeps: phases of the watch in which a stop keeps what there is; in others it ends the run at once. None: all.
        phases: what phases of the watch are called on screen; others by their own name.
        again: whether a finished run can be gone on with, to compute more from it.
        shared: whether several processes can share the work (`torchrun`).
        configs: a folder with `scenario/NAME.yaml` of its own, None for none.
    """

    name: str
    solves: str
    verbs: Sequence[str | Verb]
    briefly: str = ""
    table: str = "welfare"
    checkpoint: str = "checkpoint.pt"
    keeps: tuple[str, ...] | None = None
    phases: Mapping[str, str] = {}
    again: bool = False
    shared: bool = False
    configs: Path | None = None

    @property
    @abc.abstractmethod
    def keys(self) -> Sequence[Key]:
        """Every key of its configs."""

    @abc.abstractmethod
    def problem(self, verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> Problem:
        """The problem that a config describes, checked.

        Args:
            verb: what is asked.
            config: every key with its value: numbers, strings, lists, and mappings for sections.
            choices: the name chosen in each section of which there are several, and the `scenario`.

        Raises:
            DloptError: the first value that cannot be: its key, value and remedy.
        """

    def headlines(self, ended: Ended) -> list[str]:
        """The answer in plain sentences."""
        return []

    def brief(self, ended: Ended) -> str:
        """The answer in a word or a number, 14 letters at most, for lists of runs; asked of runs that converged."""
        return ""

    def sheets(self, ended: Ended) -> list[Sheet]:
        """What a screen shows of a run."""
        return [figures(ended.certificate)] if ended.certificate else []

    def compare(self, runs: Sequence[Ended]) -> list[Sheet]:
        """Runs of this kind side by side, named by position from 1."""
        keys = dict.fromkeys(key for run in runs for key in run.certificate)
        columns = ("", *(str(k) for k in range(1, len(runs) + 1)))
        rows = [(key.replace("_", " "), *(worded(run.certificate.get(key)) for run in runs)) for key in keys]
        return [Sheet("Certificate", columns, rows)] if rows else []

    def pictures(self, tables: Mapping[str, pd.DataFrame], folder: Path) -> None:  # noqa: B027 (none by default)
        """Draw what belongs into the run folder."""

    def evaluate(self, folder: Path, states: Path) -> tuple[pd.DataFrame, Mapping[str, str]]:
        """Answers of a finished run at states of the user's (`dlopt evaluate`), and the metadata of that table.

        Raises:
            DloptError: this kind has no states, the run has no solution, or the states are not its.
        """
        raise DloptError(f"{folder} is a run of kind {self.name!r}, which has no states to evaluate.")

    def restore(self, folder: Path) -> Any:
        """The result of a finished run again, from its folder (`dlopt.open_run`).

        Raises:
            DloptError: it has none, or what it was about has changed.
        """
        raise DloptError(f"Results of kind {self.name!r} cannot be had again from a folder; its tables can be read.")

    def verb(self, name: str) -> Verb:
        """One of its verbs.

        Raises:
            DloptError: it does not serve this one.
        """
        for verb in self.all_verbs:
            if verb.name == name:
                return verb
        served = ", ".join(verb.name for verb in self.all_verbs)
        raise DloptError(f"The kind {self.name!r} is not solved by `dlopt solve {name}`; it is by: {served}.")

    @property
    def all_verbs(self) -> tuple[Verb, ...]:
        """Its verbs, in full."""
        return tuple(verb if isinstance(verb, Verb) else Verb(verb, scenario=self.name) for verb in self.verbs)


def figures(certificate: Mapping[str, Any], title: str = "Certificate") -> Sheet:
    """A certificate as a table of its figures."""
    rows = [(key.replace("_", " "), worded(value)) for key, value in certificate.items() if _said(value)]
    return Sheet(title, ("", "value"), rows)


def _said(value: Any) -> bool:
    return value is not None and not (isinstance(value, Mapping | tuple | list) and not value)


def worded(value: Any) -> str:
    """A figure in words; empty for None. Counts by name are added up, names are listed."""
    if isinstance(value, Mapping):
        value = sum(value.values())
    if isinstance(value, tuple | list):
        return "; ".join(map(str, value))
    return "" if value is None else f"{value:.1e}" if isinstance(value, float) else f"{value}"
