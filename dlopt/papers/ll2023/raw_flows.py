"""The flows that Lashkaripour and Lugovskyy (2023) balanced, found again from what they balanced them to.

Their files publish one set of flows twice: free of deficits with free entry, and with restricted entry. Balancing moves
wages w and incomes Y only, at given efficiencies and tastes. From a balanced flow X the flow before is therefore

    X w_i^(sigma - 1), scaled so that n spends E / Y_n on industry j,

with E what it spends in X. With restricted entry log wages are c + s + log w, and the known ratio of the two flows
gives c. What wages earn before balancing has to give what they earn after, in each of the two: 2N conditions on the
2N + 1 unknowns log w, log Y, s, and two normalisations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.trade.calibration import Calibration

_STEPS, _EXACT = 60, 1e-10


class FlowsError(DloptError):
    """Two sets of flows were not balanced from the same one."""


def raw_flows(free: Calibration, restricted: Calibration) -> Tensor:
    """Flows before they were balanced, with what the authors added to each, `[origin, destination, sector]`.

    Args:
        free, restricted: the balanced worlds, `ll2023_free` and `ll2023_restricted`.

    Raises:
        FlowsError: there are no flows that both come from.
    """
    n, theta, mu = free.n_economies, free.theta, -restricted.subsidy
    if free.economies != restricted.economies or free.trade.shape != restricted.trade.shape:
        raise FlowsError("The two worlds have other economies or sectors. Import both from the same replication files.")
    ratio = (restricted.trade / free.trade).log()
    ratio = ratio - ratio.mean(0)
    moved = -(ratio * theta).sum((1, 2)) / (theta.square().sum() * n)  # log of relative wages, up to a constant
    unlike = float((ratio + theta * moved[:, None, None]).abs().max())
    earned = (free.trade / (1 + free.tariff)).sum((1, 2))
    earned_restricted = (restricted.trade / ((1 + free.tariff) * (1 + mu[:, None]))).sum((1, 2))

    def before(unknown: Tensor) -> Tensor:
        made = free.trade * (theta * unknown[:n, None, None]).exp()
        return made / made.sum(0) * free.trade.sum(0) / unknown[n : 2 * n, None].exp()

    def gap(unknown: Tensor) -> Tensor:
        wage, kept = unknown[:n], before(unknown) / (1 + free.tariff)
        wage_restricted = wage + moved + unknown[-1]
        wages, wages_restricted = kept.sum((1, 2)), (kept / (1 + mu[:, None])).sum((1, 2))
        return torch.cat([
            wage.exp() * wages / earned - 1,
            wage_restricted.exp() * wages_restricted / earned_restricted - 1,
            ((wages * wage.expm1()).sum() / wages.sum())[None],
            ((wages_restricted * wage_restricted.expm1()).sum() / wages_restricted.sum())[None],
        ])  # fmt: skip

    unknown = torch.zeros(2 * n + 1, dtype=free.trade.dtype)
    off = gap(unknown)
    for _ in range(_STEPS):
        if float(off.abs().max()) <= 1e-14:
            break
        slope = torch.func.jacfwd(gap)(unknown)
        step, length = torch.linalg.lstsq(slope, -off[:, None], driver="gelsd").solution[:, 0], 1.0
        while length > 1e-4 and not bool(gap(unknown + length * step).norm() < off.norm()):
            length /= 2
        if length <= 1e-4:
            break
        unknown = unknown + length * step
        off = gap(unknown)
    worst = max(unlike, float(off.abs().max()))
    if not worst <= _EXACT:
        raise FlowsError(
            f"No flows were found that both worlds were balanced from (they differ by {worst:.1e}, relative). "
            "Import both from the same replication files, as they are."
        )
    return before(unknown)
