"""The likelihood of the path of the continuous states itself, seen at some dates.

It counts where parameters move the continuous states (mean reversion, volatility): these are then estimated from the
states as well as from the choices. The transition between two dates is the normal one that `diffuse` draws from. Where
the shocks move the K states within fewer than K dimensions, as many combinations are taken, the same at all parameters.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.box import Box
from dlopt.choice.estimation.panel import Panel
from dlopt.choice.model import ModelError, SwitchingModel


def moves_states(box: Box) -> bool:
    """Whether parameters of a box say how the continuous states move."""
    x = box.base.on().draw(8, torch.Generator().manual_seed(0)).x
    found = []
    for p in range(len(box.names)):
        for end in (box.low[p], box.high[p]):
            point = box.middle.copy()
            point[p] = end
            model = box.model_at(point).on()
            found.append((model.drift(x), model.volatility(x)))
    return any(not torch.equal(a, b) for one in found for a, b in zip(one, found[0], strict=True))


class Process:
    """Log likelihoods of the paths of N firms.

    Args:
        panel: the firms; their states at visits count, not those at events.
        model: a model in the middle, whose shocks say which combinations are taken.

    Raises:
        ModelError: the model moves in steps shorter than the time between two dates.
    """

    def __init__(self, panel: Panel, model: SwitchingModel) -> None:
        firm, year, x = panel.firm, panel.year, panel.x
        pair = np.flatnonzero(firm[1:] == firm[:-1])
        years = np.diff(year)[pair]
        pair, years = pair[years > 1e-9], years[years > 1e-9]
        if years.max() > model.longest_step:
            raise ModelError(
                f"The likelihood of the continuous states needs visits at most {model.longest_step:g} years apart "
                "(longest_step of the model). Set estimate.process=false: then choices alone tell the parameters."
            )
        like = model.centre
        self.firms, self.firm = len(panel.firms), torch.as_tensor(firm[pair])
        self.before, self.after = (torch.as_tensor(x[k], dtype=like.dtype) for k in (pair, pair + 1))
        self.years, self.which = np.unique(years.round(9), return_inverse=True)
        sigma = model.volatility(self.before[:1])
        sigma = sigma if sigma.dim() == 2 else sigma[0]
        _, sizes, directions = torch.linalg.svd(sigma.double(), full_matrices=False)
        self.directions = directions[sizes > 10 * torch.finfo(like.dtype).eps * sizes[0]]  # [R, K]

    def values(self, model: SwitchingModel) -> Tensor:
        """Log likelihood of each firm's path, `[N]`, but for a constant."""
        count, shocks = len(self.firm), model.shocks
        mean, root = torch.empty_like(self.after), self.after.new_empty(count, shocks, self.after.shape[1])
        order = np.argsort(self.which, kind="stable")
        ends = np.append(np.searchsorted(self.which[order], np.arange(len(self.years))), count)
        for k, years in enumerate(self.years):
            rows = torch.as_tensor(order[ends[k] : ends[k + 1]])
            before = self.before[rows]
            zero = before.new_zeros(len(rows), shocks)
            mean[rows] = model.diffuse(before, float(years), zero)
            for m in range(shocks):
                shock = zero.clone()
                shock[:, m] = 1.0
                root[rows, m] = model.diffuse(before, float(years), shock) - mean[rows]
        error = (self.after - mean).double() @ self.directions.T  # [B, R]
        root = root.double() @ self.directions.T  # [B, M, R]
        half = torch.linalg.cholesky(root.transpose(1, 2) @ root)  # of the covariance, [B, R, R]
        standard = torch.linalg.solve_triangular(half, error[:, :, None], upper=False)[:, :, 0]
        value = -0.5 * (standard**2).sum(1) - half.diagonal(dim1=1, dim2=2).log().sum(1)
        return torch.zeros(self.firms, dtype=torch.float64).index_add_(0, self.firm, value)
