"""Trade elasticities from a calibration's own trade and tariffs.

`caliendo_parro`: triple differences (Caliendo and Parro, 2015, equation 23). For economies i, n, h and one sector,

    log (X_ni X_ih X_hn / X_in X_hi X_nh) = -theta log (t_ni t_ih t_hn / t_in t_hi t_nh) + error,    t = 1 + tariff,

in which everything drops out that is symmetric within a pair, or belongs to an importer or to an exporter; least
squares over all triples without a constant. The errors of triples that share a pair of economies are not independent,
so the standard error is computed from pairs: it is right where errors are independent across pairs, heteroskedastic or
not.

`ppml`: Poisson pseudo-maximum likelihood of flows on log (1 + tariff) with effects of exporters, importers and pairs
(pyfixest); zero flows count. With effects of pairs it is a logit of who delivers what within each pair, weighted by
the pair's trade, and its standard errors are those of that logit, robust and corrected for leverage (HC3, MacKinnon and
White, 1985): clustered by pair without the correction, a few large pairs make them much too small.

Which flows: trade before tariffs, as in Caliendo and Parro's data, or spending. For a given theta, spending falls with
elasticity theta and trade before tariffs with theta + 1 (Caliendo and Parro take the coefficient on theirs for theta).
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlopt.calibrations.accounts import Array
from dlopt.calibrations.elasticities import Estimate
from dlopt.errors import DloptError
from dlopt.trade.calibration import Calibration

METHODS = ("caliendo_parro", "ppml")
FLOWS = ("before_tariff", "spending")
EFFECTS = ("none", "country")


class EstimationError(DloptError):
    """Data that no elasticity can be estimated from."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The estimate of one sector.

    Attributes:
        theta, standard_error: NaN where there is no variation of tariffs to estimate from.
        observations: triples, or flows.
        economies: how many are left after trimming.
        robust: the standard error of the paper, robust to heteroskedasticity over triples; NaN for PPML.
    """

    sector: str
    theta: float
    standard_error: float
    observations: int
    economies: int
    robust: float = float("nan")


def estimate(
    world: Calibration, method: str = "caliendo_parro", keep: float = 1.0, flows: str = "before_tariff",
    effects: str = "none", trim: float = 0.0,
) -> list[Result]:  # fmt: skip
    """Elasticities of all tradable sectors.

    Args:
        world: a calibration as imported.
        method: `caliendo_parro` or `ppml`.
        keep: share of a sector's trade across borders to keep: economies are left out, the smallest traders first,
            as long as the others hold at least this share.
        flows: `before_tariff` or `spending`.
        effects: of triple differences: `none`, or `country`, one effect for each economy in a triple (i < n < h in the
            order of the calibration), as tools after Caliendo and Parro take them.
        trim: of triple differences: share of triples left out at either end of what is explained.

    Raises:
        EstimationError: an unknown method, or fewer than three economies.
    """
    for value, valid in ((method, METHODS), (flows, FLOWS), (effects, EFFECTS)):
        if value not in valid:
            raise EstimationError(f"{value!r} is not one of {', '.join(valid)}.")
    if not 0 <= trim < 0.5:
        raise EstimationError(f"trim={trim}: give a share of triples below 0.5, such as 0.01.")
    if method == "ppml" and (effects != "none" or trim):
        raise EstimationError("effects and trim are for triple differences: leave them out with ppml.")
    if not 0 < keep <= 1:
        raise EstimationError(f"keep={keep}: give a share above 0 and at most 1.")
    if world.n_economies < 3:
        raise EstimationError(f"{world.name} has {world.n_economies} economies; three are needed.")
    trade = world.trade if flows == "spending" else world.trade / (1 + world.tariff)
    values, factors = trade.numpy(), (1 + world.tariff).numpy()
    found = []
    for k in np.flatnonzero(world.tradable.numpy()).tolist():
        who = trimmed(values[:, :, k], keep)
        x, t = values[np.ix_(who, who)][:, :, k], factors[np.ix_(who, who)][:, :, k]
        fit = triple_differences(x, t, effects == "country", trim) if method == "caliendo_parro" else ppml(x, t)
        found.append(Result(world.sectors[k], fit[0], fit[1], fit[2], len(who), fit[3]))
    return found


def trimmed(trade: Array, keep: float) -> list[int]:
    """Positions of the economies that stay, `trade` being `[origin, destination]` of one sector."""
    across = trade * (1 - np.eye(len(trade)))
    total = across.sum()
    size = across.sum(axis=0) + across.sum(axis=1)
    stay = list(range(len(trade)))
    for k in np.argsort(size).tolist():
        rest = [i for i in stay if i != k]
        if len(rest) < 3 or across[np.ix_(rest, rest)].sum() < keep * total:
            break
        stay = rest
    return stay


def triple_differences(
    trade: Array, factor: Array, effects: bool = False, trim: float = 0.0
) -> tuple[float, float, int, float]:
    """Theta, its standard error from pairs, triples used, and the standard error robust over triples.

    Args:
        trade: `[origin, destination]`; triples with a zero flow are left out.
        factor: 1 + tariff, the same axes.
        effects, trim: see `estimate`; effects as `country`.
    """
    n = len(trade)
    none = (float("nan"), float("nan"), 0, float("nan"))
    triples = np.array(list(itertools.combinations(range(n), 3))).reshape(-1, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, x = np.log(trade), np.log(factor)
        y = np.where(np.isfinite(y) & np.isfinite(y.T), y - y.T, np.nan)  # what is not symmetric within a pair
    x = x - x.T
    i, m, h = triples.T
    cycle = ((i, m), (m, h), (h, i))
    left, right = (sum(a[p, q] for p, q in cycle) for a in (y, x))
    sound = np.isfinite(left)
    left, right, triples = left[sound], right[sound], triples[sound]
    if trim > 0 and len(left):
        low, high = np.quantile(left, [trim, 1 - trim])
        inside = (left >= low) & (left <= high)
        left, right, triples = left[inside], right[inside], triples[inside]
    if effects and len(left):
        left, right = _without_effects(left, triples, n), _without_effects(right, triples, n)
    power = float(right @ right)
    if len(triples) == 0 or power <= 1e-20:
        return none
    theta = -float(right @ left) / power
    error = left + theta * right
    robust = float(np.sqrt((right * error) @ (right * error)) / power)
    weight, residual, count = np.zeros((3, n, n))
    i, m, h = triples.T
    for p, q in ((i, m), (m, h), (h, i)):
        for target, value in ((weight, right), (residual, error), (count, np.ones_like(error))):
            np.add.at(target, (p, q), value)
            np.add.at(target, (q, p), value if target is count else -value)
    # Errors of pairs, up to what a country adds to all of its own: the mean over the triples of a pair.
    upper = np.triu(count, 1) > 0
    u = residual[upper] / (count[upper] + 2)
    pairs = int(upper.sum())
    freedom = pairs - (len(np.unique(triples)) - 1) - 1
    if freedom <= 0:
        return theta, float("nan"), len(triples), robust
    variance = float((weight[upper] ** 2 * u**2).sum()) * pairs / freedom / power**2
    return theta, float(np.sqrt(variance)), len(triples), robust


def _without_effects(values: Array, triples: Array, n: int) -> Array:
    """What a sum of one effect for each economy of a triple leaves of `values`, by least squares."""
    total, together = np.zeros(n), np.zeros((n, n))
    for column in triples.T:
        np.add.at(total, column, values)
        for other in triples.T:
            np.add.at(together, (column, other), 1.0)
    effect = np.linalg.pinv(together, hermitian=True) @ total
    return np.asarray(values - effect[triples].sum(axis=1))


def ppml(trade: Array, factor: Array) -> tuple[float, float, int, float]:
    """Theta, its standard error from pairs, flows used."""
    try:
        import pyfixest
    except ImportError as error:
        raise EstimationError("PPML needs pyfixest: pip install 'dlopt[data]'.") from error
    n = len(trade)
    o, d = np.nonzero(~np.eye(n, dtype=bool))
    frame = pd.DataFrame(
        {
            "trade": trade[o, d], "cost": np.log(factor[o, d]), "exporter": o, "importer": d,
            "pair": np.minimum(o, d) * n + np.maximum(o, d),
        }
    )  # fmt: skip
    frame["trade"] /= frame["trade"].mean() or 1.0
    none = (float("nan"), float("nan"), 0, float("nan"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = pyfixest.fepois("trade ~ cost | exporter + importer + pair", frame, vcov={"CRV1": "pair"})
            fitted = np.full((n, n), np.nan)
            used = fit._data.index.to_numpy()
            fitted[o[used], d[used]] = fit.predict(type="response")
        scaled = trade / (trade[o, d].mean() or 1.0)
        return -float(fit.coef()["cost"]), pair_error(scaled, np.log(factor), fitted), int(fit._N), float("nan")
    except (ValueError, KeyError, RuntimeError, np.linalg.LinAlgError, ZeroDivisionError):
        return none  # the tariffs do not vary within pairs


def pair_error(trade: Array, cost: Array, fitted: Array) -> float:
    """The standard error of theta in PPML with effects of pairs, HC3 over pairs.

    Given a pair's trade w in both directions, the part p of one direction is a logit of the difference of costs and of
    an effect of each economy: scores w (s - p) z with s the part observed, information w p (1 - p) z z'.

    Args:
        trade, cost, fitted: `[origin, destination]`; log of 1 + tariff; the fitted flows, NaN for flows left out.
    """
    i, j = np.nonzero(np.triu(np.isfinite(fitted) & np.isfinite(fitted.T), 1))
    whole = trade[i, j] + trade[j, i]
    part = fitted[i, j] / (fitted[i, j] + fitted[j, i])
    pairs = np.arange(len(i))
    z = np.zeros((len(i), 1 + len(trade)))
    z[:, 0] = cost[i, j] - cost[j, i]
    z[pairs, 1 + i] += 1
    z[pairs, 1 + j] -= 1
    spread = whole * part * (1 - part)
    inverse = np.linalg.pinv(z.T @ (spread[:, None] * z), hermitian=True)
    leverage = spread * np.einsum("pk,kl,pl->p", z, inverse, z)
    free = leverage < 1 - 1e-9  # a pair that alone determines an effect is fitted exactly and says nothing
    moved = (z @ inverse[0])[free] * (trade[i, j] - whole * part)[free] / (1 - leverage[free])
    error = float(np.sqrt((moved**2).sum()))
    return error if error > 0 and np.isfinite(error) else float("nan")


def as_set(results: Sequence[Result], isic: dict[str, tuple[int, ...]], source: str) -> list[Estimate]:
    """Rows of a set of elasticities: what could be estimated and is positive."""
    return [
        Estimate(r.sector, isic.get(r.sector, ()), r.theta, r.standard_error, None, source)
        for r in results
        if np.isfinite(r.theta) and r.theta > 0 and np.isfinite(r.standard_error)
    ]
