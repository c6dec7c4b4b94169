"""The section `prior` of a config: how uncertain the parameters are, as a distribution."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import KeyValueError
from dlopt.trade.calibration import Calibration
from dlopt.trade.parameters import SHOCKS, TABLES, Parameter, parameters_of
from dlopt.trade.prior import Law, Prior
from dlopt.trade.sobol import MissingSobolError

_SECTORAL = ("theta", "psi")


@dataclasses.dataclass(frozen=True)
class PriorKeys:
    """The section `prior`.

    Attributes:
        of: kinds of parameters that are uncertain.
        error: standard error of each, as a share of its value, where nothing else says so.
        law: `lognormal` or `normal`.
        errors: a set of elasticities whose printed standard errors theta has, as shares.
        sets: sets of elasticities: theta (and psi, where each has one) varies as much as they disagree.
        covariance: a CSV file with the covariance of the parameters' logs (law lognormal) or values (normal).
        draws: how often the problem is solved again; 0: the delta method alone.
        level: probability that an interval covers.
        sobol: rows of a design for Sobol indices, a power of two; 0 for none.
        processes: that share the draws; 0 is all cores.
    """

    of: tuple[str, ...] = _SECTORAL
    error: float = 0.1
    law: Law = "lognormal"
    errors: str | None = None
    sets: tuple[str, ...] = ()
    covariance: str | None = None
    draws: int = 0
    level: float = 0.9
    sobol: int = 0
    processes: int = 0


@dataclasses.dataclass(frozen=True)
class Uncertain:
    """A checked section."""

    prior: Prior
    draws: int
    level: float
    sobol: int
    processes: int


def uncertain(node: Mapping[str, Any], calibration: Calibration, name: str) -> Uncertain:
    """The section as a distribution for a calibration.

    Args:
        node: every key of the section.
        calibration: whose parameters they are.
        name: of the calibration as it was given, to find the ISIC divisions of its sectors.

    Raises:
        DloptError: the first value that cannot be.
    """
    for key, least in (("draws", 0), ("sobol", 0), ("processes", 0)):
        if isinstance(node[key], bool) or not isinstance(node[key], int) or node[key] < least:
            raise KeyValueError(f"prior.{key}", node[key], "a whole number, 0 or more")
    if node["sobol"] & (node["sobol"] - 1) or node["sobol"] == 1:
        raise KeyValueError("prior.sobol", node["sobol"], "0, or a power of two such as 64")
    if node["sobol"] and importlib.util.find_spec("SALib") is None:
        raise MissingSobolError
    if not 0 < node["level"] < 1:
        raise KeyValueError("prior.level", node["level"], "between 0 and 1, such as 0.9")
    if not 0 < node["error"] < float("inf"):
        raise KeyValueError("prior.error", node["error"], "a finite number above 0, such as 0.1 for 10 %")
    kinds = [node["of"]] if isinstance(node["of"], str) else list(node["of"])
    for kind in kinds:
        if kind not in (*TABLES, *SHOCKS):
            raise UnknownNameError("kind of parameter in prior.of", str(kind), (*TABLES, *SHOCKS))
    prior = _prior(node, parameters_of(calibration, kinds), calibration, name)
    return Uncertain(prior, node["draws"], node["level"], node["sobol"], node["processes"])


def _prior(node: Mapping[str, Any], parameters: list[Parameter], calibration: Calibration, name: str) -> Prior:
    law, sets = node["law"], [node["sets"]] if isinstance(node["sets"], str) else list(node["sets"])
    sources = [key for key in ("errors", "sets", "covariance") if node[key]]
    if len(sources) > 1:
        raise DloptError(f"prior.{sources[0]} and prior.{sources[1]} both say how theta varies: give one.")
    if node["covariance"]:
        return _from_file(Path(str(node["covariance"])).expanduser(), parameters, law)
    shares = [float(node["error"])] * len(parameters)
    if node["errors"]:
        shares = [
            _printed(node["errors"], p, calibration, name) if p.kind == "theta" else share
            for p, share in zip(parameters, shares, strict=True)
        ]
        words = f"independently, theta by the standard errors printed in {node['errors']}"
        if any(p.kind != "theta" for p in parameters):
            words += f", all else {_assumed(node['error'])}"
        return Prior.with_errors(parameters, shares, law, words)
    if not sets:
        return Prior.independent(parameters, float(node["error"]), law)
    if law != "lognormal":
        raise KeyValueError("prior.law", law, "lognormal with prior.sets: logs are what is compared")
    return _disagreeing(sets, parameters, shares, calibration, name)


def _disagreeing(
    sets: list[str], parameters: list[Parameter], shares: list[float], calibration: Calibration, name: str
) -> Prior:
    """Theta as sets disagree on it; psi too where every set has one; all else by its own share."""
    from dlopt.calibrations.elasticities import elasticity_set, load_with

    if len(sets) < 2:
        raise KeyValueError("prior.sets", f"[{','.join(sets)}]", "two sets of elasticities at least, to disagree")
    scaled = all(elasticity_set(one).has_scale for one in sets)
    worlds = [load_with(name, one, one if scaled else None) for one in sets]
    covariance = torch.diag(torch.tensor(shares, dtype=torch.float64) ** 2)
    own = [k for k, p in enumerate(parameters) if p.kind == "theta" or (p.kind == "psi" and scaled and p.value > 0)]
    own = [k for k in own if all(float(getattr(w, parameters[k].kind)[parameters[k].where]) > 0 for w in worlds)]
    if not own:
        raise KeyValueError(
            "prior.of", "without theta", "a list with theta: sets of elasticities say nothing of the rest"
        )
    values = [[float(getattr(w, parameters[k].kind)[parameters[k].where]) for k in own] for w in worlds]
    chosen = [parameters[k] for k in own]
    block = Prior.of_alternatives(chosen, torch.tensor(values, dtype=torch.float64)).covariance
    at = torch.tensor(own)
    covariance[at[:, None], at] = block
    words = f"as {', '.join(sets)} disagree"
    if len(own) < len(parameters):
        words += f", where these sets say nothing independently {_assumed(shares[0])}"
    return Prior(tuple(parameters), covariance, "lognormal", words)


def _assumed(share: float) -> str:
    return f"by {100 * share:g} % each, an assumption"


def _printed(chosen: str, parameter: Parameter, calibration: Calibration, name: str) -> float:
    """The standard error that a set prints for a sector, as a share; that of the whole set where it prints none."""
    from dlopt.calibrations import find_calibration
    from dlopt.calibrations.elasticities import elasticity_set, elasticity_sets
    from dlopt.calibrations.isic import read_isic

    rows = [row for row in elasticity_set(chosen).rows if row.standard_error is not None]
    if not rows:
        printing = [one.name for one in elasticity_sets() if any(row.standard_error for row in one.rows)]
        raise DloptError(
            f"prior.errors={chosen}: this set prints no standard errors; sets that do: "
            f"{', '.join(printing) or 'none yet'}. Add one with `dlopt data elasticities --add FILE.csv`."
        )
    divisions = set(
        read_isic(find_calibration(name), calibration.sectors).get(calibration.sectors[parameter.where[0]], ())
    )
    weights = [len(divisions & set(row.isic)) for row in rows]
    if not any(weights):
        weights = [1] * len(rows)
    shares = [(row.standard_error or 0.0) / row.theta for row in rows]
    return sum(w * share for w, share in zip(weights, shares, strict=True)) / sum(weights)


def _from_file(path: Path, parameters: list[Parameter], law: Law) -> Prior:
    """A square table whose header names parameters; all others are certain."""

    def fault(what: str) -> DloptError:
        return DloptError(
            f"prior.covariance={path}: {what}. It is a CSV file whose header names parameters, such as "
            f"{parameters[0].label}, with as many rows of numbers."
        )

    import pandas as pd

    try:
        frame = pd.read_csv(path, encoding="utf-8-sig", dtype="float64")
    except (OSError, ValueError) as error:  # pandas' own errors are values', too
        raise fault(f"it cannot be read ({error})") from error
    header, by_label = [str(label) for label in frame.columns], {p.label: p for p in parameters}
    unknown = [label for label in header if label not in by_label]
    if unknown:
        raise fault(f"its header names {unknown[0]!r}, which is no parameter of prior.of or stands twice")
    matrix = torch.tensor(frame.to_numpy().tolist(), dtype=torch.float64)
    if matrix.shape != (len(header), len(header)):
        raise fault(f"it has {len(frame)} rows for {len(header)} parameters")
    return Prior(tuple(by_label[label] for label in header), matrix, law, f"as {path.name} says")
