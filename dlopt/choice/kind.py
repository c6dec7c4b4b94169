"""Kinds of dynamic discrete choice: whatever is solved by training a value function, or exactly.

This file loads nothing heavy: it serves help and completion, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.choice.answers import brief, headlines
from dlopt.choice.estimation import kind as estimation
from dlopt.choice.worded import PHASES, Worded
from dlopt.errors import DloptError
from dlopt.kind import (
    RESUME,
    SEED,
    THREADS,
    Ended,
    Identity,
    Key,
    KeyValueError,
    Kind,
    Problem,
    Rule,
    Session,
    Sheet,
    Verb,
    Watch,
    loaded,
)  # fmt: skip

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.choice.estimation.result import EstimateResult
    from dlopt.choice.result import BsdeResult

CHECKPOINT = "model.pt"
SOURCE = {"source": "dlopt solve bsde"}
BSDE = Verb(
    "bsde",
    "Dynamic discrete choice: an exporter among many markets, a planner who forms a production network.",
    scenario="export",
    config="bsde",
)
METHODS = {
    "default": "dlopt.choice.options:MethodOptions",
    "network": "dlopt.choice.production.value:NETWORK_METHOD",
    "paper": "dlopt.choice.options:PAPER",
    "paper_network": "dlopt.choice.production.value:NETWORK_PAPER",
    "exact": None,
}
"""Name -> its options; the exact solution has none."""
CERTIFICATE = (
    ("hjb_residual_rel", "residual over rho V", "{:.1e}"),
    ("value_gap_pct", "value gap, %", "{:+.4f}"),
    ("value_gap_se_pct", "its standard error, %", "{:.4f}"),
)
VALIDATION = (
    ("relative_error", "error of V, mean", "{:.1e}"),
    ("max_relative_error", "error of V, largest", "{:.1e}"),
    ("decision_accuracy", "decisions right", "{:.4f}"),
)


EFFORTS = (
    Key("search", "effort that raises the rate of opportunities (search.KEY)", options="dlopt.choice.effort:Effort"),
    Key("search.cost", "effort e costs cost e^power / power a year; .inf: none is made; null: as the model says"),
    Key("search.power", "above 1; null: as the model says, else 2 (quadratic)"),
    Key("keep", "effort that lowers the rate of failures (keep.KEY)", options="dlopt.choice.effort:Effort"),
    Key("keep.cost", "as search.cost"),
    Key("keep.power", "as search.power"),
)


class ChoiceKind(Kind):
    """Models of one class, found by name or folder.

    What is given as `module:NAME` is imported when it is used.

    Args:
        name: one word.
        solves: one sentence.
        load: a model by name or folder.
        write: a model into a folder, read back by `read`; None where the checkpoint is enough.
        read: a model from such a folder; by default `load` of its path.
        size: how large a model is, in words.
        units: of the tables.
        model: the name of the model taken by default.
        words: names of models to offer.
        models: what to say of the key `model`.
        states: what to say of the columns of the key `evaluate`.
        method: the method taken by default, one of `METHODS`.
        analysis: sizes of the simulations afterwards.
        draw: makes pictures of the tables in a folder.
        verb: `dlopt solve VERB`, with its default scenario.
        effort: whether its models have costs of effort that keys `search` and `keep` may set.
        more: further keys.
        decided: the model that these make of a model, from it, the config and the choices.
        further: sheets shown besides the usual ones, of a run that has ended.
        panels: whether their parameters can be estimated from panels (`dlopt estimate`).
    """

    verbs: Sequence[Verb]
    briefly = (
        "how much is on in the long run, how many links a planner wants, or the first parameter that was estimated"
    )
    table = "marginal_values"
    checkpoint = CHECKPOINT
    keeps = ("training", "search")
    phases = PHASES
    again = True
    shared = True

    def __init__(
        self,
        name: str,
        solves: str,
        *,
        load: Any,
        write: Any = None,
        read: Any = None,
        size: Any = None,
        units: str = "",
        model: str = "",
        words: Sequence[str] = (),
        models: str = "a preset, or a model folder",
        states: str = "a table of states",
        method: str = "default",
        analysis: Any = "dlopt.choice.options:AnalysisOptions",
        draw: Any = None,
        verb: Verb | None = None,
        effort: bool = False,
        more: Sequence[Key] = (),
        decided: Any = None,
        further: Any = None,
        panels: bool = False,
    ) -> None:
        self.name, self.solves, self.units = name, solves, units
        self.load, self.write, self.read, self.size, self.draw = load, write, read, size, draw
        own = verb or Verb("bsde", scenario=name, config="bsde")
        self.verbs = (own, estimation.estimate_verb(name)) if panels else (own,)
        self._keys = (
            Key("model", models, model, words=tuple(words), open=True, free=True),
            Key("method", "default (network: network), paper (network: paper_network), or exact where the model allows "
                "it (method.KEY sets an option)", method, choices=METHODS),
            Key("budget", options="dlopt.choice.options:Budget"),
            Key("budget.seconds", "time to train for; sets the number of steps"),
            Key("budget.steps", "gradient steps; a run repeats exactly for given steps, seed and threads"),
            Key("budget.checkpoint_seconds", "time between two checkpoints"),
            Key("budget.evaluations", "how often progress is measured"),
            Key("analysis", "sizes of the simulations afterwards (analysis.KEY)", options=analysis, free=True),
            Key("evaluate", states, None, str | None, free=True, verbs=(own.name,)),
            Key("parameters", "one training for a box of models, '{NAME: [LOW, HIGH], ...}': numbers of the model, or "
                "NAME_scale for all entries of one of its arrays", None),
            Key("fixed", "'{NAME: VALUE, ...}': parameters, named likewise, that the model is given", None),
            RESUME,
            dataclasses.replace(
                SEED, rule=Rule(lambda value: 0 <= value < 2**62, "a whole number from 0 to 2^62-1")
            ),
            THREADS,
            Key("device", "auto, cpu or cuda", "auto", words=("auto", "cpu", "cuda"), open=True, free=True),
            *(EFFORTS if effort else ()),
            *more,
            *(estimation.KEYS if panels else ()),
        )  # fmt: skip
        self.effort, self.decided, self.further = effort, decided, further

    @property
    def keys(self) -> Sequence[Key]:
        """Those of models, methods, budgets and simulations."""
        return self._keys

    def problem(self, verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> Problem:
        """A model to be solved by training, or exactly; or to be estimated."""
        from dlopt.choice import AnalysisOptions, Budget, MethodOptions, check_exact, pick_device, read_states

        for section in ("method", "budget", "analysis"):
            for key, value in (config[section] or {}).items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise KeyValueError(f"{section}.{key}", value, "finite")
        model, budget = loaded(self.load)(config["model"]), Budget(**config["budget"])
        if self.effort:
            from dlopt.choice.effort import Effort

            model = model.with_effort(Effort(**config["search"]), Effort(**config["keep"]))
        if config["fixed"] is not None:
            model = _fixed(model, config["fixed"])
        if self.decided is not None:
            model = loaded(self.decided)(model, config, choices)
        if config["parameters"] is not None:
            model = _box(model, config["parameters"])
        if verb == estimation.ESTIMATE:
            return estimation.EstimateProblem(self, config, choices, model)
        pick_device(config["device"])
        method = None if choices["method"] == "exact" else MethodOptions(**config["method"])
        if method is None:
            check_exact(model)
        states = None if config["evaluate"] is None else read_states(Path(config["evaluate"]), model)
        analysis = AnalysisOptions(**config["analysis"])
        return ChoiceProblem(self, model, method, budget, analysis, states, config["seed"], config["device"])

    def headlines(self, ended: Ended) -> list[str]:
        """The answer in sentences."""
        return estimation.headlines(ended) if estimation.is_one(ended) else headlines(ended)

    def brief(self, ended: Ended) -> str:
        """How much is on, how many links are wanted, or the first parameter estimated."""
        return estimation.brief(ended) if estimation.is_one(ended) else brief(ended)

    def sheets(self, ended: Ended) -> list[Sheet]:
        """What the kind adds, the certificate, errors against an exact solution where there is one; or estimates."""
        if estimation.is_one(ended):
            return estimation.sheets(ended)
        found = [] if self.further is None else loaded(self.further)(ended)
        if ended.certificate:
            found.append(_accuracy([ended], "Certificate", "value"))
        validation = ended.table("validation")
        if validation is not None:
            rows = [
                (
                    str(row["states"]).replace("_", " "),
                    f"{row['relative_error']:.1e}",
                    f"{row['max_relative_error']:.1e}",
                    f"{100 * row['decision_accuracy']:.2f}",
                )
                for row in validation.to_dict("records")
            ]
            columns = ("states", "V, mean", "V, largest", "decisions right, %")
            found.append(Sheet("Errors against the exact solution", columns, rows))
        return found

    def compare(self, runs: Sequence[Ended]) -> list[Sheet]:
        """Certificates side by side, and errors against exact solutions at long-run states; or estimates."""
        if all(map(estimation.is_one, runs)):
            return estimation.compare(runs)
        return [_accuracy(runs, "Accuracy", *map(str, range(1, len(runs) + 1)))]

    def pictures(self, tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
        """What the kind draws, if anything."""
        if self.draw is not None:
            loaded(self.draw)(tables, folder)

    def restore(self, folder: Path) -> BsdeResult | EstimateResult:
        """The result of a finished run: its solution from the checkpoint (or solved exactly), its tables from file."""
        from dlopt.choice import BsdeResult, load_checkpoint, traits_of
        from dlopt.runs import read_run
        from dlopt.runs.tables import read_table

        record = read_run(folder)
        if record.verb == estimation.ESTIMATE:
            return estimation.restore(self, folder)
        model, solution, _ = self._solution(folder)
        saved = load_checkpoint(folder / CHECKPOINT) if (folder / CHECKPOINT).is_file() else None
        frames = {path.stem: read_table(folder, path.stem) for path in sorted(folder.glob("*.parquet"))}
        certificate = traits_of(model).certificate(**record.certificate) if record.certificate else None
        steps, seconds = (0, 0.0) if saved is None else (saved.training["step"], saved.training["seconds"])
        method = None if saved is None else saved.method
        return BsdeResult(
            model, method, solution, record.status, record.message, certificate, steps, seconds, frames
        )  # fmt: skip

    def evaluate(self, folder: Path, states: Path) -> tuple[pd.DataFrame, Mapping[str, str]]:
        """Value and decisions at states of the user's, by the solution of a run."""
        from dlopt.choice import evaluate_states, read_states

        model, solution, dynamics = self._solution(folder)
        table = evaluate_states(solution, dynamics, read_states(states, model))
        return table, {**SOURCE, "units": self.units, "states": str(states), "model": model.name}

    def _solution(self, folder: Path) -> tuple[Any, Any, Any]:
        """Model, solution and dynamics of a run."""
        import torch

        from dlopt.choice import check_exact, load_solution
        from dlopt.runs import read_run
        from dlopt.runs.tables import saved_config

        record = read_run(folder)
        if (folder / CHECKPOINT).is_file():
            model, solution = load_solution(folder / CHECKPOINT)
            return model, solution, model.on()
        if record.status in ("converged", "not_converged") and (folder / "model").is_dir():
            model = self.read_folder(folder / "model")
            if self.decided is not None:
                model = loaded(self.decided)(model, saved_config(folder)[0], record.choices)
            dynamics = model.on(dtype=torch.float64)
            return model, check_exact(model)(dynamics), dynamics
        raise DloptError(f"{folder} ({record.status}) holds no solution: it has no {CHECKPOINT}. Run it again.")

    def read_folder(self, folder: Path) -> Any:
        """The model a run has left."""
        return loaded(self.read)(folder) if self.read is not None else loaded(self.load)(str(folder))


class ChoiceProblem(Problem):
    """One model with a method, or for its exact solution."""

    def __init__(
        self, kind: ChoiceKind, model: Any, method: Any, budget: Any, analysis: Any, states: Any, seed: int, device: str
    ) -> None:
        self.kind, self.model, self.method, self.budget = kind, model, method, budget
        self.analysis, self.states, self.seed, self.device = analysis, states, seed, device
        self.identity = Identity(model.name, model.digest())
        self.size = "" if kind.size is None else str(loaded(kind.size)(getattr(model, "base", model)))
        self.recorded = method is not None
        self.dtype = "float64" if method is None else "float32"

    def solve(self, session: Session) -> BsdeResult:
        """Train, with checkpoints of its own; or solve exactly."""
        from dlopt.choice import Ranks, solve_bsde, solve_exact

        if self.kind.write is not None:
            loaded(self.kind.write)(getattr(self.model, "given", self.model), session.folder / "model")
        watch = Worded(session.watch)
        if self.method is None:
            return solve_exact(self.model, self.seed, self.analysis, self.states, watch)
        return solve_bsde(
            self.model, self.method, self.budget, self.seed, self.device, watch, session.folder / CHECKPOINT,
            session.resume, self.analysis, self.states, session.ranks or Ranks(),
        )  # fmt: skip

    def metadata(self, result: Any) -> Mapping[str, str]:
        """Units and source."""
        return {**SOURCE, "units": self.kind.units}

    def check_resume(self, checkpoint: Path) -> None:
        """Refuse a training of another model, method, budget or seed."""
        from dlopt.choice import load_checkpoint, refuse_changes

        if self.method is not None:
            refuse_changes(
                checkpoint, load_checkpoint(checkpoint), self.model, self.method, self.budget, self.seed
            )  # fmt: skip

    @contextlib.contextmanager
    def _joined(self, local_rank: int, local_count: int) -> Any:
        from dlopt.choice import joined, pick_device

        with joined(pick_device(self.device), local_rank, local_count) as ranks:
            yield ranks

    def joined(self, local_rank: int, local_count: int) -> AbstractContextManager[Any]:
        """The processes that train together."""
        return self._joined(local_rank, local_count)  # type: ignore[no-any-return]

    def follow(self, ranks: Any, watch: Watch, resume: Path | None) -> None:
        """Train along."""
        from dlopt.choice import train_along

        train_along(self.model, ranks, self.method, self.budget, self.seed, self.device, Worded(watch), resume)


def _box(model: Any, bounds: Any) -> Any:
    """All models between bounds of parameters."""
    from dlopt.choice import Box

    if not isinstance(bounds, Mapping):
        raise KeyValueError("parameters", bounds, "a mapping such as '{lambda0: [0.2, 0.4]}'")
    return Box.of(model, {str(name): pair for name, pair in bounds.items()})


def _fixed(model: Any, values: Any) -> Any:
    """The model with other parameters."""
    from dlopt.choice import with_values

    numbers = isinstance(values, Mapping) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values.values()
    )
    if not numbers:
        raise KeyValueError("fixed", values, "a mapping of names to numbers such as '{s_noise: 0.3}'")
    return with_values(model, {str(name): float(value) for name, value in values.items()})


def _accuracy(runs: Sequence[Ended], title: str, *heads: str) -> Sheet:
    rows = []
    for key, label, form in CERTIFICATE:
        values = [run.certificate.get(key) for run in runs]
        rows.append((label, *("" if value is None else form.format(value) for value in values)))
    if len(runs) > 1:
        errors = [_long_run_errors(run) for run in runs]
        for key, label, form in VALIDATION:
            if any(errors):
                rows.append((label, *("" if key not in error else form.format(error[key]) for error in errors)))
    return Sheet(title, ("", *heads), rows)


def _long_run_errors(run: Ended) -> dict[str, Any]:
    validation = run.table("validation")
    if validation is None:
        return {}
    row = validation.set_index("states").loc["long_run"]
    return {str(key): value for key, value in row.items()}
