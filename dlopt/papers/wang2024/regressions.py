"""Policies on elasticities, by least squares with fixed effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlopt.errors import DloptError
from dlopt.papers.wang2024.frames import subsidies, tariffs
from dlopt.trade.results import SolveResult


class MissingStatsError(DloptError):
    """statsmodels is not installed."""

    def __init__(self) -> None:
        super().__init__("Regressions need statsmodels: pip install 'dlopt[reproduce]'.")


@dataclasses.dataclass(frozen=True)
class Fit:
    """A regression.

    Attributes:
        slopes: by regressor.
        errors: standard errors under homoskedasticity, by regressor.
        observations: used.
        dropped: observations whose logs are not defined: zero rates, sectors without scale economies.
        r_squared: fixed effects included.
    """

    slopes: dict[str, float]
    errors: dict[str, float]
    observations: int
    dropped: int
    r_squared: float

    def t(self, name: str) -> float:
        """Slope over standard error."""
        return self.slopes[name] / self.errors[name]


def fit(frame: pd.DataFrame, dependent: str, regressors: Sequence[str], effects: Sequence[str], dropped: int) -> Fit:
    """Least squares of `dependent` on `regressors` and a dummy for every value of each of `effects`.

    Raises:
        MissingStatsError: statsmodels is not installed.
    """
    try:
        import statsmodels.api as sm
    except ImportError as error:
        raise MissingStatsError from error
    names = list(regressors)
    dummies = pd.get_dummies(frame[list(effects)], drop_first=True, dtype=float)
    x = _independent(sm.add_constant(pd.concat([frame[names], dummies], axis=1), has_constant="add"))
    if len(frame) <= x.shape[1] or not {*names, "const"} <= set(x.columns):
        nothing = dict.fromkeys(names, float("nan"))
        return Fit(nothing, nothing, len(frame), dropped, float("nan"))
    found = sm.OLS(frame[dependent], x).fit()
    return Fit(
        {name: float(found.params[name]) for name in names}, {name: float(found.bse[name]) for name in names},
        int(found.nobs), dropped, float(found.rsquared),
    )  # fmt: skip


def _independent(x: pd.DataFrame) -> pd.DataFrame:
    """Without columns that those before explain: with two economies the importer is known from the exporter."""
    kept: list[str] = []
    for name in x.columns:
        if np.linalg.matrix_rank(x[[*kept, name]].to_numpy()) > len(kept):
            kept.append(name)
    return x[kept]


def tariffs_on_elasticities(result: SolveResult) -> Fit:
    """log t on log theta and log psi, exporter and importer effects."""
    return _logs(tariffs(result), ("origin", "destination"))


def subsidies_on_elasticities(result: SolveResult) -> Fit:
    """log 1/(1-s) on log theta and log psi, country effects. Zero subsidies are kept: the log is zero."""
    frame = subsidies(result)
    return _logs(frame.assign(value=-np.log1p(-frame["rate"])), ("origin",))


def tariffs_on_subsidies(result: SolveResult) -> Fit:
    """The tariff t_in^j on the importer's own subsidy s_n^j, importer effects."""
    return fit(pairs(result), "tariff", ["subsidy"], ["destination"], 0)


def pairs(result: SolveResult) -> pd.DataFrame:
    """Every tariff with its importer's own subsidy in the sector: `tariff`, `subsidy`."""
    own = subsidies(result).rename(columns={"origin": "destination", "rate": "subsidy"})
    frame = tariffs(result).rename(columns={"rate": "tariff"})
    return frame.merge(own[["destination", "sector", "subsidy"]], on=["destination", "sector"])


def _logs(frame: pd.DataFrame, effects: Sequence[str]) -> Fit:
    """Of `value`, or else of the log of `rate`."""
    kept = frame["psi"] > 0
    if "value" not in frame:
        kept &= frame["rate"] > 0
    used = frame[kept]
    used = used.assign(log_theta=np.log(used["theta"]), log_psi=np.log(used["psi"]))
    if "value" not in used:
        used = used.assign(value=np.log(used["rate"]))
    return fit(used, "value", ["log_theta", "log_psi"], effects, int((~kept).sum()))
