"""The way in: parameters of a model from a panel, with standard errors and what they rest on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlopt.choice.box import Box
from dlopt.choice.box_value import BoxValue
from dlopt.choice.estimation import search
from dlopt.choice.estimation.counterfactual import Futures, check_counterfactuals, counterfactuals
from dlopt.choice.estimation.inference import Inference, directions, infer, interval
from dlopt.choice.estimation.likelihood import Likelihood, check_model
from dlopt.choice.estimation.moments import MOMENTS, Moments
from dlopt.choice.estimation.options import EstimateOptions
from dlopt.choice.estimation.panel import Panel, PanelError
from dlopt.choice.estimation.process import Process, moves_states
from dlopt.choice.estimation.proxies import proxy_rows
from dlopt.choice.estimation.result import EstimateCertificate, EstimateResult
from dlopt.choice.estimation.rows import rows_of
from dlopt.choice.estimation.sampled import sampled_rows
from dlopt.choice.estimation.search import Found
from dlopt.choice.estimation.simulated import Matched, SimulatedMoments, match
from dlopt.choice.estimation.worth import ExactWorths, TrainedWorths, Worths
from dlopt.choice.model import Array, ModelError
from dlopt.choice.training import Watch
from dlopt.errors import UnknownNameError

FEWEST = 20  # firms: with fewer the search does not begin on a part of them
KINDS = ("sandwich", "hessian", "opg", "bootstrap")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a search has come: what there is to go on from, with the same numbers as if never stopped.

    Attributes:
        pilot: the point at which what is not seen was drawn, None while the search is on some of the firms.
        steps: those taken.
    """

    pilot: tuple[float, ...] | None
    steps: tuple[Found, ...]

    def content(self) -> dict[str, Any]:
        """As numbers and lists."""
        kept = ("iteration", "firms", "log_likelihood", "decrement")
        rows = [{name: getattr(s, name) for name in kept} | {"point": [float(v) for v in s.point]} for s in self.steps]
        return {"pilot": None if self.pilot is None else list(self.pilot), "steps": rows}

    @staticmethod
    def read(content: Mapping[str, Any]) -> Progress:
        """What `content` wrote."""
        steps = [
            Found(**{**row, "point": np.array(row["point"]), "score": np.zeros((0, 0))}) for row in content["steps"]
        ]
        return Progress(None if content["pilot"] is None else tuple(content["pilot"]), tuple(steps))


@dataclasses.dataclass(frozen=True)
class SearchStep:
    """What the watch is told of a step of the search."""

    words: str


def worths_of(solved: Box | BoxValue | Worths) -> Worths:
    """What switches are worth: by a value function trained over a box, or exactly, where a box alone is given.

    Raises:
        ModelError: the box has no exact solutions.
    """
    if isinstance(solved, Box):
        return ExactWorths(solved)
    return TrainedWorths(solved) if isinstance(solved, BoxValue) else solved


def estimate(
    panel: Panel,
    solved: Box | BoxValue | Worths,
    options: EstimateOptions | None = None,
    start: Mapping[str, float] | None = None,
    changes: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
    watch: Watch | None = None,
    before: Progress | None = None,
    record: Callable[[Progress], None] = lambda progress: None,
) -> EstimateResult:
    """Parameters of a model from a panel.

    Args:
        panel: what was observed.
        solved: the value function trained over a box (`solve_bsde(Box.of(...)).solution`); or the box itself, whose
            models are then solved exactly, each as it is needed.
        options: how.
        start: where the search begins, by name; parameters not named in the middle.
        changes: counterfactuals: scenario -> parameter -> what it is multiplied by.
        seed: of every random draw.
        watch: told how it goes; may stop the search.
        before: how far a search with the same arguments had come: it is gone on with.
        record: is given what a search can be gone on from, at each step.

    Raises:
        ModelError: the model cannot be estimated, or a counterfactual leaves the box.
        PanelError: the panel is not of this model.
        SureCostsError: costs hold no luck, so that there is no likelihood.
    """
    worths, options, watch = worths_of(solved), options or EstimateOptions(), watch or Watch()
    box, changes = worths.box, changes or {}
    check_counterfactuals(changes, box.names)
    check_panel(panel, box)
    first = box.middle.copy()
    for name, value in (start or {}).items():
        if name not in box.names:
            raise UnknownNameError("parameter of the box", name, box.names)
        k = box.names.index(name)
        if not box.low[k] <= value <= box.high[k]:
            raise ModelError(
                f"The search cannot begin at {name}={value:g}: its bounds are {box.low[k]:g}, {box.high[k]:g}."
            )
        first[k] = value
    if options.by == "moments":
        return _by_moments(panel, worths, options, first, changes, seed, _Told(watch, record, before))
    return _by_likelihood(panel, worths, options, first, changes, seed, _Told(watch, record, before))


def check_panel(panel: Panel, box: Box) -> None:
    """Whether a panel can be of a model.

    Raises:
        PanelError: other numbers of switches or states.
        ModelError: models of this kind have no panels.
    """
    model = box.base.on()
    check_model(model)
    sizes = (panel.y.shape[1], panel.x.shape[1])
    if sizes != (model.switches, model.factors):
        raise PanelError(
            f"The panel has {sizes[0]} switches and {sizes[1]} continuous states, the model {box.name!r} has "
            f"{model.switches} and {model.factors}. Give the model the panel is of."
        )


def likelihood_of(panel: Panel, worths: Worths, options: EstimateOptions, point: Array, seed: int) -> Likelihood:
    """The log likelihood of a panel; what is not seen is drawn from the model at a point, once and for all."""
    counts = options.process and options.noise == 0 and moves_states(worths.box)
    process = Process(panel, worths.at(point)[0]) if counts else None
    if options.noise > 0:
        model = worths.box.model_at(point).on(dtype=torch.float32)
        rows = proxy_rows(panel, model, options.noise, options.step, options.histories, seed)
    elif panel.events is None:
        rows = sampled_rows(panel, worths.solution(point), options.step, options.histories, options.draws, seed)
    else:
        model = worths.box.model_at(point).on(dtype=torch.float32)
        generator = torch.Generator().manual_seed(seed)
        rows = rows_of(panel, panel.events, model, options.step, options.draws, generator)
    return Likelihood(worths, rows, len(panel.firms), process, options.smoothing)


def _scores(likelihood: Likelihood) -> search.Scores:
    def scores(point: Array) -> tuple[Array, Array]:
        value, score = likelihood.scores(point)
        return value.numpy(), score.numpy()

    return scores


class _Told:
    """Tells the watch each step of a search, and has it recorded."""

    def __init__(self, watch: Watch, record: Callable[[Progress], None], before: Progress | None) -> None:
        self.watch, self.record = watch, record
        self.pilot = None if before is None else before.pilot
        self.steps = [] if before is None else list(before.steps)

    def __call__(self, found: Found) -> bool:
        self.note(found)
        words = f"step {found.iteration} on {found.firms} firms · {found.decrement:.2g} standard errors to go"
        self.watch.progress(SearchStep(words))
        return self.watch.stop()

    def note(self, found: Found) -> None:
        """Keep a step; the first after going on is there already."""
        if not (self.steps and self.steps[-1].iteration == found.iteration and self.steps[-1].firms == found.firms):
            self.steps.append(found)
        self.record(Progress(self.pilot, tuple(self.steps)))


def _by_likelihood(
    panel: Panel, worths: Worths, options: EstimateOptions, first: Array, changes: Mapping[str, Mapping[str, float]],
    seed: int, told: _Told,
) -> EstimateResult:  # fmt: skip
    box, point, watch, begun = worths.box, first, told.watch, 0
    watch.phase("search")
    some = np.arange(0, len(panel.firms), options.first)
    if told.pilot is None:
        if options.first > 1 and len(some) >= FEWEST:
            part = likelihood_of(panel.some(some), worths, options, point, seed)
            if told.steps:
                point, begun = told.steps[-1].point, told.steps[-1].iteration
            found = search.maximise(
                _scores(part), point, box.low, box.high, max(options.tolerance, 0.3), options.iterations, told, begun
            )
            if found.outcome == "stopped":
                return _interrupted(box, options, found, told.steps)
            point, begun = found.point, 0
        # not quite at the edge: there differences are to one side
        inner = np.clip(point, box.low + 0.01 * (box.high - box.low), box.high - 0.01 * (box.high - box.low))
        told.pilot = tuple(float(v) for v in inner)
        point = inner
    else:
        point, begun = told.steps[-1].point, told.steps[-1].iteration
        if told.steps[-1].firms < len(panel.firms):  # stopped between the two searches
            point, begun = np.array(told.pilot), 0
    scores = _scores(likelihood_of(panel, worths, options, np.array(told.pilot), seed))
    found = search.maximise(scores, point, box.low, box.high, options.tolerance, options.iterations, told, begun)
    if found.outcome == "stopped":
        return _interrupted(box, options, found, told.steps)
    told.note(found)
    steps = told.steps
    watch.phase("standard errors")
    rng = np.random.default_rng(seed)
    inferred = infer(scores, found.point, found.score, box.low, box.high, options.bootstrap, rng)
    covariance = _covariance(inferred, options.errors)
    frames = {"estimates": _estimates(box, found.point, inferred, covariance, options.errors)}
    fit = None
    if options.simulations > 0 and len(np.unique(panel.year)) * len(panel.firms) == len(panel.firm):
        watch.phase("moments")
        simulated = SimulatedMoments(worths, panel, options.simulations, seed)
        fit = _moment_table(simulated, simulated.at(found.point))
    certificate, identification = _identification(box, found, inferred.information, panel)
    certificate = dataclasses.replace(certificate, log_likelihood=found.log_likelihood)
    frames |= _common(box, covariance, identification, steps, fit)
    if changes:
        watch.phase("counterfactuals")
        futures = Futures(worths, panel, options.years, seed)
        frames["counterfactuals"] = counterfactuals(futures, found.point, covariance, changes)
    return _ended(box, options, found.outcome, found.point, covariance, certificate, frames)


def _by_moments(
    panel: Panel, worths: Worths, options: EstimateOptions, first: Array, changes: Mapping[str, Mapping[str, float]],
    seed: int, told: _Told,
) -> EstimateResult:  # fmt: skip
    box, watch = worths.box, told.watch
    watch.phase("search")
    simulated = SimulatedMoments(worths, panel, options.simulations, seed)
    count = len(simulated.data.names)
    if count < len(box.names):
        raise ModelError(f"{count} moments cannot tell {len(box.names)} parameters: estimate fewer.")
    point, begun = (told.steps[-1].point, told.steps[-1].iteration) if told.steps else (first, 0)
    found = match(simulated, point, options.weights, options.tolerance, options.iterations, told, begun)
    last = Found(
        found.iteration, len(panel.firms), -0.5 * found.distance, found.step_left, found.point, np.zeros((0, 0)),
        found.outcome,
    )  # fmt: skip
    if found.outcome == "stopped":
        return _interrupted(box, options, last, told.steps)
    told.note(last)
    certificate, identification = _identification(box, last, found.information, panel)
    over = count - len(box.names)
    certificate = dataclasses.replace(certificate, distance=found.distance, overidentifying=over)
    fit = _moment_table(simulated, found.model)
    frames = {"estimates": _plain_estimates(box, found), **_common(
        box, found.covariance, identification, told.steps, fit
    )}  # fmt: skip
    if changes:
        watch.phase("counterfactuals")
        futures = Futures(worths, panel, options.years, seed)
        frames["counterfactuals"] = counterfactuals(futures, found.point, found.covariance, changes)
    return _ended(box, options, found.outcome, found.point, found.covariance, certificate, frames)


def _covariance(inferred: Inference, errors: str) -> Array:
    if errors != "bootstrap":
        return np.asarray(getattr(inferred, errors))
    return np.asarray(np.cov(inferred.bootstrap.T).reshape(inferred.opg.shape))


def _estimates(box: Box, point: Array, inferred: Inference, covariance: Array, errors: str) -> pd.DataFrame:
    error = np.sqrt(np.diag(covariance))
    low, high = interval(point, error)
    return pd.DataFrame(
        {"parameter": box.names, "estimate": point, "se": error, "low": low, "high": high}
        | {f"se_{name}": inferred.errors(name) for name in KINDS}
        | {"errors": errors, "box_low": box.low, "box_high": box.high, "at_edge": ~inferred.free}
    )


def _plain_estimates(box: Box, found: Matched) -> pd.DataFrame:
    error = np.sqrt(np.diag(found.covariance))
    low, high = interval(found.point, error)
    return pd.DataFrame(
        {"parameter": box.names, "estimate": found.point, "se": error, "low": low, "high": high, "errors": "moments",
         "box_low": box.low, "box_high": box.high, "at_edge": np.isnan(error)}
    )  # fmt: skip


def _moment_table(simulated: SimulatedMoments, model: Moments) -> pd.DataFrame:
    """Moments of the data with their standard errors, those of the model, and how far apart these are."""
    data = simulated.data
    error = np.sqrt(np.diag(data.covariance))
    gap = data.mean - model.mean
    spread = error * math.sqrt(1 + 1 / simulated.copies)
    return pd.DataFrame(
        {"moment": data.names, "meaning": [MOMENTS[name] for name in data.names], "data": data.mean, "se": error,
         "model": model.mean, "difference": gap, "t": np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)}
    )  # fmt: skip


def _identification(
    box: Box, found: Found, information: Array, panel: Panel
) -> tuple[EstimateCertificate, pd.DataFrame]:
    edge = search.at_edge(found.point, box.low, box.high)
    free = np.flatnonzero(edge == 0)
    names = [box.names[k] for k in free]
    ways, condition = directions(information[np.ix_(free, free)], names, box.low[free], box.high[free])
    table = pd.DataFrame(
        [{"direction": k + 1, "parameters": way.words, "information": way.information, "deviation": way.deviation,
          "flat": way.flat} | dict(zip(names, way.weights, strict=True)) for k, way in enumerate(ways)],
        columns=["direction", "parameters", "information", "deviation", "flat", *names],
    )  # fmt: skip
    certificate = EstimateCertificate(
        None, None, None, found.decrement, condition, sum(way.flat for way in ways),
        tuple(box.names[k] for k in np.flatnonzero(edge)), len(panel.firms), panel.years,
        None if panel.events is None else len(panel.events),
    )  # fmt: skip
    return certificate, table


def _common(
    box: Box, covariance: Array, identification: pd.DataFrame, steps: list[Found], fit: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame(covariance, columns=list(box.names))
    frame.insert(0, "parameter", box.names)
    frames = {"covariance": frame, "identification": identification}
    if fit is not None:
        frames["moments"] = fit
    return frames | {"search": pd.DataFrame(search.rows(steps, box.names))}


def _interrupted(box: Box, options: EstimateOptions, found: Found, steps: list[Found]) -> EstimateResult:
    count = len(box.names)
    message = f"Stopped after {len(steps)} steps of the search. Resume the run to go on from there."
    return EstimateResult(
        box, options, "interrupted", message,
        None, found.point, np.full((count, count), np.nan), {"search": pd.DataFrame(search.rows(steps, box.names))},
    )  # fmt: skip


def _ended(
    box: Box, options: EstimateOptions, outcome: str, point: Array, covariance: Array, certificate: EstimateCertificate,
    frames: dict[str, pd.DataFrame],
) -> EstimateResult:  # fmt: skip
    """The result, converged only where the search has, inside the box, and the data speak of every direction."""
    errors = np.sqrt(np.diag(covariance))
    shown = ", ".join(f"{n} {v:.4g} ({e:.2g})" for n, v, e in zip(box.names, point, errors, strict=True))
    reasons = []
    if outcome == "max_iterations":
        reasons.append(f"the search was not done after {options.iterations} steps: raise estimate.iterations")
    if outcome == "stalled":
        reasons.append("no step raises the likelihood although one should: begin elsewhere (start), or look at V (box)")
    if certificate.at_edge:
        reasons.append(f"{', '.join(certificate.at_edge)} at the edge of the box: train over a larger one (parameters)")
    if certificate.flat_directions:
        table = frames["identification"]
        words = "; ".join(table.loc[table["flat"], "parameters"])
        reasons.append(f"the data say next to nothing of {words}: fix one of them")
    elif not np.isfinite(errors).all() and not certificate.at_edge:
        reasons.append("the information matrix has no inverse: fix a parameter")
    if reasons:
        message = f"Not to be relied on: {'; '.join(reasons)}. Estimates (standard errors): {shown}."
        return EstimateResult(box, options, "not_converged", message, certificate, point, covariance, frames)
    return EstimateResult(
        box, options, "converged", f"Estimates (standard errors): {shown}.", certificate, point, covariance, frames
    )
