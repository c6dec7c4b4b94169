"""`dlopt estimate`, the side of an estimation that faces the command line: keys, problem, what is shown.

This file loads nothing heavy: it serves help and completion, too.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.choice.worded import Worded
from dlopt.errors import DloptError
from dlopt.kind import Ended, Identity, Key, KeyValueError, Problem, Session, Sheet, Verb, Watch, loaded

if TYPE_CHECKING:
    from dlopt.choice.estimation.panel import Panel
    from dlopt.choice.estimation.result import EstimateResult

SOURCE = {"source": "dlopt estimate"}
ESTIMATE = "estimate"
SEARCH, FORMAT = "search.pt", 1
MODEL = "model.pt"
KEYS = (
    Key("data", "the panel: a folder with states.parquet and perhaps events.parquet, or a file of states", None,
        str | None, verbs=(ESTIMATE,), free=True),
    Key("value", "a run of `dlopt solve bsde parameters=...`: its model, parameters and value function are taken", None,
        str | None, verbs=(ESTIMATE,), free=True),
    Key("start", "where the search begins, '{NAME: VALUE, ...}'; in the middle of the box otherwise", None,
        verbs=(ESTIMATE,)),
    Key("counterfactuals", "'{SCENARIO: {NAME: FACTOR, ...}, ...}': what parameters are multiplied by", None,
        verbs=(ESTIMATE,)),
    Key("estimate", "how parameters are estimated (estimate.KEY)", verbs=(ESTIMATE,),
        options="dlopt.choice.estimation.options:EstimateOptions"),
    Key("estimate.by", "likelihood or moments", words=("likelihood", "moments"), verbs=(ESTIMATE,)),
    Key("estimate.step", "years between two points at which rates are looked up, at most", verbs=(ESTIMATE,)),
    Key("estimate.draws", "paths of the costs drawn between two dates at which they are known", verbs=(ESTIMATE,)),
    Key("estimate.histories", "histories drawn between two visits, where events are not known", verbs=(ESTIMATE,)),
    Key(
        "estimate.noise", "standard deviation of the errors with which continuous states (costs) were measured",
        verbs=(ESTIMATE,),
    ),
    Key("estimate.smoothing", "luck in costs (money) for a model that has none", verbs=(ESTIMATE,)),
    Key("estimate.tolerance", "the step left, in standard errors, at which it has converged", verbs=(ESTIMATE,)),
    Key("estimate.errors", "sandwich, hessian, opg or bootstrap", verbs=(ESTIMATE,)),
    Key("estimate.bootstrap", "draws of firms", verbs=(ESTIMATE,)),
    Key("estimate.simulations", "firms simulated for each one observed", verbs=(ESTIMATE,)),
)  # fmt: skip


def estimate_verb(kind: str) -> Verb:
    """`dlopt solve estimate` (`dlopt estimate DATA`), as a kind of choice serves it."""
    return Verb(ESTIMATE, "Parameters of a dynamic choice model from a panel of firms.", scenario=kind, config="bsde")


class EstimateProblem(Problem):
    """Parameters of a model from a panel."""

    def __init__(self, kind: Any, config: Mapping[str, Any], choices: Mapping[str, str], model: Any) -> None:
        from dlopt.choice import AnalysisOptions, Box, Budget, MethodOptions, check_exact, pick_device
        from dlopt.choice.estimation.counterfactual import check_counterfactuals
        from dlopt.choice.estimation.estimate import check_panel
        from dlopt.choice.estimation.likelihood import check_luck
        from dlopt.choice.estimation.options import EstimateOptions
        from dlopt.choice.estimation.panel_files import panel_digest, read_panel

        self.kind, self.seed, self.device = kind, config["seed"], config["device"]
        self.value = None if config["value"] is None else _value(Path(config["value"]).expanduser(), config)
        box = model if self.value is None else self.value[1].model.box
        if not isinstance(box, Box):
            rule = "what is estimated and within which bounds, '{lambda0: [0.2, 0.4]}' (or value=RUN brings them)"
            raise KeyValueError("parameters", None, rule)
        if config["data"] is None:
            raise DloptError(
                "Which panel? `dlopt estimate DATA ...`: a folder with states.parquet (`dlopt panel` makes one)."
            )
        self.box, self.options = box, EstimateOptions(**config["estimate"])
        self.budget, self.analysis = Budget(**config["budget"]), AnalysisOptions(**config["analysis"])
        exact = choices["method"] == "exact" and self.value is None
        self.method = None if exact else MethodOptions(**config["method"])
        if exact:
            check_exact(box.base)
        pick_device(self.device)
        self.start, self.changes = (
            _mapping("start", config["start"]),
            _mapping("counterfactuals", config["counterfactuals"]),
        )
        check_counterfactuals(self.changes, box.names)
        self.panel: Panel = read_panel(Path(config["data"]).expanduser(), box.base)
        check_panel(self.panel, box)
        if self.options.by == "likelihood":
            check_luck(box, self.options.smoothing)
        about = hashlib.sha256((box.digest() + panel_digest(self.panel)).encode()).hexdigest()
        self.identity = Identity(box.name, about)
        panel = self.panel
        seen = "sampled" if panel.events is None else f"{len(panel.events)} events"
        self.size = f"{len(panel.firms)} firms, {panel.years:g} firm-years, {seen}; parameters {', '.join(box.names)}"
        self.recorded = not exact
        self.dtype = "float64"

    def solve(self, session: Session) -> EstimateResult:
        """Train the value function over the box, or take one; then search."""
        from dlopt.choice.estimation.estimate import Progress, estimate, worths_of
        from dlopt.store.tensors import read_tensors, write_tensors

        if self.kind.write is not None:
            loaded(self.kind.write)(self.box.given, session.folder / "model")
        watch = Worded(session.watch)
        solved, fault, frames = self._solved(session, watch)
        if solved is None:
            return _stopped(self.box, self.options)
        place, before = session.folder / SEARCH, None
        if session.resume is not None and (session.resume.parent / SEARCH).is_file():
            before = Progress.read(read_tensors(session.resume.parent / SEARCH, FORMAT))
        result = estimate(
            self.panel, worths_of(solved), self.options, self.start, self.changes, self.seed, watch, before,
            lambda progress: write_tensors(place, FORMAT, progress.content()),
        )  # fmt: skip
        return result.with_tables(frames, fault)

    def _solved(self, session: Session, watch: Watch) -> tuple[Any, str, dict[str, Any]]:
        """The value function (None: stopped), what is wrong with it, and tables about it."""
        from dlopt.choice import solve_bsde

        if self.value is not None:
            shutil.copyfile(self.value[0] / MODEL, session.folder / MODEL)
            return self.value[1], self.value[2], {}
        if self.method is None:
            return self.box, "", {}
        result = solve_bsde(
            self.box, self.method, self.budget, self.seed, self.device, watch, session.folder / MODEL, session.resume,
            self.analysis,
        )  # fmt: skip
        if result.status == "interrupted":
            return None, "", {}
        kept: dict[str, Any] = {name: result.frames[name] for name in ("losses", "box") if name in result.frames}
        fault = "" if result.status == "converged" else f"the value function is not accurate enough ({result.message})"
        return result.solution, fault, kept

    def metadata(self, result: Any) -> Mapping[str, str]:
        """Units and source."""
        return {**SOURCE, "units": self.kind.units}

    def check_resume(self, checkpoint: Path) -> None:
        """Refuse a training of another model, method, budget or seed."""
        from dlopt.choice import load_checkpoint, refuse_changes

        if self.value is None and self.method is not None:
            refuse_changes(checkpoint, load_checkpoint(checkpoint), self.box, self.method, self.budget, self.seed)

    def joined(self, local_rank: int, local_count: int) -> AbstractContextManager[Any]:
        """Not shared."""
        raise DloptError(
            "An estimation is the work of one process. Train with several by `torchrun ... dlopt solve bsde "
            "parameters=...`, then `dlopt estimate DATA value=RUN`."
        )


def _value(folder: Path, config: Mapping[str, Any]) -> tuple[Path, Any, str]:
    """The run whose value function is taken, that, and what is wrong with it."""
    from dlopt.choice import load_solution
    from dlopt.choice.box_value import BoxValue
    from dlopt.runs import read_run

    record = read_run(folder)
    if not (folder / MODEL).is_file() or not record.status.finished:
        raise DloptError(
            f"value={folder} ({record.status}) holds no trained value function. Give a run of `dlopt solve bsde`."
        )
    solution = load_solution(folder / MODEL)[1]
    if not isinstance(solution, BoxValue):
        raise DloptError(
            f"value={folder} was trained for one model, not over a box. Train with parameters='{{NAME: [LOW, HIGH]}}'."
        )
    box = solution.model.box  # type: ignore[attr-defined]
    asked = config["parameters"]
    bounds = {name: [lo, hi] for name, lo, hi in zip(box.names, box.low, box.high, strict=True)}
    if asked is not None and {str(k): list(map(float, v)) for k, v in asked.items()} != bounds:
        raise KeyValueError("parameters", asked, f"those of value={folder}: {bounds}")
    fault = "" if record.status == "converged" else f"the value function of {folder} is not accurate enough"
    return folder, solution, fault


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise KeyValueError(key, value, "a mapping")
    return {str(name): inner for name, inner in value.items()}


def _stopped(box: Any, options: Any) -> EstimateResult:
    import numpy as np

    from dlopt.choice.estimation.result import EstimateResult

    none = np.full(len(box.names), np.nan)
    message = "Stopped while the value function was being trained. Resume the run to go on exactly from there."
    return EstimateResult(box, options, "interrupted", message, None, none, np.diag(none), {})


def is_one(ended: Ended) -> bool:
    """Whether a run, or a result of Python, is an estimation."""
    return ended.verb == ESTIMATE or ended.table("estimates") is not None


def brief(ended: Ended) -> str:
    """The first parameter that was estimated."""
    table = ended.table("estimates")
    if table is None or table.empty:
        return ""
    first = table.iloc[0]
    return f"{str(first['parameter'])[:7]} {first['estimate']:.3g}"


def headlines(ended: Ended) -> list[str]:
    """What the panel says about the parameters, in a sentence."""
    table = ended.table("estimates")
    if table is None or table.empty:
        return []
    told = [f"{r['parameter']} {r['estimate']:.4g} (standard error {r['se']:.2g})" for r in table.to_dict("records")]
    return [f"The panel is explained best by {', '.join(told)}."]


OUTCOME = {
    "value": "value",
    "on": "switches on",
    "turned_on": "turned on a year",
    "turned_off": "turned off a year",
}
"""Outcomes of counterfactuals in few words."""


def sheets(ended: Ended) -> list[Sheet]:
    """What a screen shows of an estimation."""
    found = []
    table = ended.table("estimates")
    if table is not None:
        rows = [
            (str(r["parameter"]), *(f"{r[k]:.4g}" for k in ("estimate", "se", "low", "high")),
             f"{r['box_low']:g} to {r['box_high']:g}" + (" (at the edge)" if r["at_edge"] else ""))
            for r in table.to_dict("records")
        ]  # fmt: skip
        found.append(Sheet("Estimates", ("parameter", "estimate", "s.e.", "95 % from", "to", "searched in"), rows))
    table = ended.table("counterfactuals")
    if table is not None:
        rows = [
            (str(r["scenario"]), OUTCOME.get(str(r["outcome"]), str(r["outcome"])), f"{r['value']:.4g} ({r['se']:.2g})",
             "" if r["scenario"] == "as estimated" else
             f"{r['difference']:+.4g} [{r['difference_low']:+.4g}, {r['difference_high']:+.4g}]")
            for r in table.to_dict("records")
        ]  # fmt: skip
        found.append(
            Sheet(
                "Counterfactuals, for a firm",
                ("scenario", "outcome", "value (s.e.)", "difference [95 %]"),
                rows,
                left=2,
            )
        )
    table = ended.table("moments")
    if table is not None:
        rows = [
            (
                str(r["moment"]).replace("_", " "),
                f"{r['data']:.5f}",
                f"({r['se']:.5f})",
                f"{r['model']:.5f}",
                f"{r['t']:+.1f}",
            )
            for r in table.to_dict("records")
        ]
        found.append(Sheet("Moments", ("moment", "data", "(s.e.)", "model", "t"), rows, proof=True))
    table = ended.table("identification")
    if table is not None:
        rows = [
            (f"{r['direction']}", str(r["parameters"]), f"{100 * r['deviation']:.2g} %", "flat" if r["flat"] else "")
            for r in table.to_dict("records")
        ]
        columns = ("direction", "parameters", "s.d., of the box", "")
        found.append(Sheet("What the data say least to most about", columns, rows, left=2, proof=True))
    return found


def compare(runs: Sequence[Ended]) -> list[Sheet]:
    """Estimates side by side."""
    columns = ("", *(str(k) for k in range(1, len(runs) + 1)))
    cells: dict[str, list[str]] = {}
    for k, run in enumerate(runs):
        table = run.table("estimates")
        for r in () if table is None else table.to_dict("records"):
            cells.setdefault(str(r["parameter"]), [""] * len(runs))[k] = f"{r['estimate']:.4g} ({r['se']:.2g})"
    return [Sheet("Estimates (standard errors)", columns, [(name, *row) for name, row in cells.items()])]


def restore(kind: Any, folder: Path) -> EstimateResult:
    """The result of a finished estimation, from its tables."""
    import numpy as np

    from dlopt.choice import Box, load_solution
    from dlopt.choice.estimation.options import EstimateOptions
    from dlopt.choice.estimation.result import EstimateCertificate, EstimateResult
    from dlopt.runs import read_run
    from dlopt.runs.tables import read_table

    record = read_run(folder)
    frames = {path.stem: read_table(folder, path.stem) for path in sorted(folder.glob("*.parquet"))}
    if "estimates" not in frames:
        raise DloptError(f"{folder} ({record.status}) holds no estimates. Run it again.")
    table = frames["estimates"]
    if (folder / MODEL).is_file():
        box = load_solution(folder / MODEL)[1].model.box  # type: ignore[attr-defined]
    else:
        bounds = {r["parameter"]: [r["box_low"], r["box_high"]] for r in table.to_dict("records")}
        box = Box.of(_base(kind, folder), bounds)
    options = EstimateOptions(
        **{k.partition(".")[2]: v for k, v in record.settings.items() if k.startswith("estimate.")}
    )
    certificate = dict(record.certificate or {})
    certificate["at_edge"] = tuple(certificate.get("at_edge", ()))
    return EstimateResult(
        box, options, str(record.status), record.message, EstimateCertificate(**certificate),
        table["estimate"].to_numpy(), np.asarray(frames["covariance"].drop(columns="parameter"), dtype=float), frames,
    )  # fmt: skip


def _base(kind: Any, folder: Path) -> Any:
    """The model of an estimation without training: from its folder, or by its name where the kind keeps none."""
    from dlopt.choice import with_values
    from dlopt.runs.tables import saved_config

    if (folder / "model").is_dir():
        return kind.read_folder(folder / "model")
    config = saved_config(folder)[0]
    return with_values(loaded(kind.load)(config["model"]), config["fixed"] or {})


def _loaded(run: Path) -> tuple[Any, Any]:
    from dlopt.choice import load_solution

    return load_solution(run / MODEL)


def make_panel(kind: Any, name: str, values: Mapping[str, float], run: Path | None, **sizes: Any) -> tuple[Any, Any]:
    """A panel simulated at parameters of a model, and the model.

    Args:
        kind: the kind of the model.
        name: the model; not used where a run is given.
        values: parameters, by name as in `parameters=`.
        run: a run that holds a value function; None: the model is solved exactly.
        sizes: as of `simulate_panel`.

    Raises:
        DloptError: there is no exact solution and no run, or a parameter is not known.
    """
    import torch

    from dlopt.choice import at_values, check_exact, with_values
    from dlopt.choice.box_value import BoxValue
    from dlopt.choice.estimation.generate import simulate_panel

    if run is None:
        model = with_values(loaded(kind.load)(name), values)
        solution: Any = check_exact(model)(model.on(dtype=torch.float64))
    else:
        model, solution = _loaded(run)
        if isinstance(solution, BoxValue):
            solution, model = at_values(solution, values), model.model_at(at_values(solution, values).point)
        elif values:
            raise DloptError(f"{run} holds one model, whose parameters cannot be set. Give a run with parameters=...")
    return simulate_panel(solution, **sizes), model
