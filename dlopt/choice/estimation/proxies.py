"""Panels whose continuous states were measured with error: proxies of costs, say.

Where K states follow M common shocks, `x = centre + loading Z`, independent errors of one standard deviation leave the
shocks known up to a normal error, `Z + (loading' loading)^-1 loading' e`. Given all proxies of a firm the path of Z is
normal (Kalman's filter, forwards, then backwards); paths are drawn from that law, each with its mirror image, and the
likelihood of a firm's history is the mean over its paths. States in the long run at the first visit.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from dlopt.choice.estimation.panel import Panel
from dlopt.choice.estimation.rows import Rows, rows_of
from dlopt.choice.factors import FactorDynamics
from dlopt.choice.model import Array, ModelError, SwitchingModel


def proxy_rows(panel: Panel, model: SwitchingModel, noise: float, step: float, paths: int, seed: int) -> Rows:
    """The rows of a panel with events, for drawn paths of its states.

    Args:
        panel: the firms; states at events are not looked at.
        model: says how states move.
        noise: standard deviation of the error of each state at each visit, in its own unit.
        step: as of `rows_of`.
        paths: drawn for each firm, each with its mirror image.
        seed: of every random draw.

    Raises:
        ModelError: the states do not follow common shocks alone, or the panel has no events.
    """
    if not isinstance(model, FactorDynamics):
        raise ModelError("States measured with error (estimate.noise) can be those of the built-in models only.")
    if panel.events is None:
        raise ModelError("States measured with error (estimate.noise) need a panel with events.")
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    events = dataclasses.replace(panel.events, x=None)
    loading, centre = (a.double().numpy() for a in (model.loading, model.centre))
    if np.linalg.matrix_rank(loading) < model.shocks:
        raise ModelError(
            "States measured with error (estimate.noise) must tell the shocks behind them: here there are more shocks "
            "than states, or some that move none."
        )
    mean, draws = smoothed(panel, (panel.x - centre) @ np.linalg.pinv(loading).T, model.reversion,
                           noise**2 * np.linalg.inv(loading.T @ loading), paths, rng)  # fmt: skip
    parts = []
    for path in draws:
        for sign in (1, -1):
            drawn = dataclasses.replace(panel, x=centre + (mean + sign * path) @ loading.T, events=events)
            parts.append(rows_of(drawn, events, model, step, 2, generator))
    joined = Rows.joined(parts, torch.zeros(len(panel.firm), 2 * len(parts), dtype=torch.float64))
    firm = joined.firm[joined.group // joined.draws]
    firms = len(panel.firms)
    return dataclasses.replace(
        joined, group=firm * joined.draws + joined.group % joined.draws, firm=torch.arange(firms),
        offset=torch.zeros(firms, joined.draws, dtype=torch.float64),
    )  # fmt: skip


def smoothed(
    panel: Panel, seen: Array, reversion: float, error: Array, paths: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The law of the shocks at all visits given what was seen of them at all visits of the firm.

    Args:
        panel: whose visits.
        seen: shocks with error, `[R, M]`.
        reversion: their rate of reversion; in the long run they are independent standard normals.
        error: covariance of the errors, `[M, M]`.
        paths: to draw.
        rng: source of randomness.

    Returns:
        Means `[R, M]`, and deviations from them of each path, `[paths, R, M]`.
    """
    count, shocks = seen.shape
    eye, first = np.eye(shocks), panel.first
    visits = np.diff(np.append(first, count))
    keep = np.zeros(count)
    keep[1:] = np.exp(-reversion * np.maximum(np.diff(panel.year), 0.0))
    keep[first] = 0.0
    mean, cov = np.zeros((count, shocks)), np.zeros((count, shocks, shocks))  # filtered
    for k in range(visits.max()):
        row = first[visits > k] + k
        before = row - 1
        k_ = keep[row][:, None]
        prior = k_ * (mean[before] if k else np.zeros((len(row), shocks)))
        spread = (k_**2)[:, :, None] * (cov[before] if k else 0.0) + (1 - k_**2)[:, :, None] * eye
        gain = spread @ np.linalg.inv(spread + error)
        mean[row] = prior + np.einsum("nab,nb->na", gain, seen[row] - prior)
        cov[row] = spread - gain @ spread
    out, drawn = mean.copy(), np.zeros((paths, count, shocks))
    for k in range(visits.max() - 1, -1, -1):
        row = first[visits > k] + k
        last = visits[visits > k] == k + 1
        root = cov[row].copy()
        inner = row[~last]
        if len(inner):
            k_ = keep[inner + 1][:, None]
            ahead = (k_**2)[:, :, None] * cov[inner] + (1 - k_**2)[:, :, None] * eye
            back = k_[:, :, None] * cov[inner] @ np.linalg.inv(ahead)
            out[inner] += np.einsum("nab,nb->na", back, out[inner + 1] - k_ * mean[inner])
            drawn[:, inner] = np.einsum("nab,pnb->pna", back, drawn[:, inner + 1])
            root[~last] = cov[inner] - back @ (k_[:, :, None] * cov[inner])
        cholesky = np.linalg.cholesky(root + 1e-15 * eye)
        drawn[:, row] += np.einsum("nab,pnb->pna", cholesky, rng.normal(size=(paths, len(row), shocks)))
    return out, drawn
