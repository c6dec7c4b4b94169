"""LU factors of the equilibrium's Jacobian, with sector expenditures eliminated by hand.

Expenditure enters its own equation (A.8) with a coefficient of plus or minus one and no other expenditure, so that a
third of the unknowns drops out exactly: what is left is factorised, at a third of the cost.
"""

from __future__ import annotations

from torch import Tensor

from dlopt.framework.root import Factorisation


class EquilibriumFactors:
    """Solves with the Jacobian and its transpose, like `dlopt.framework.root.Factorisation`.

    Args:
        jacobian: as `Linearisation.jacobian` gives it, `[2N + 3NJ, 2N + 3NJ]`, expenditures last.
        n: N.
        j: J.
    """

    def __init__(self, jacobian: Tensor, n: int, j: int) -> None:
        self._cut = cut = 2 * n + 2 * n * j
        # Expenditures act on incomes and labour only, and depend on wages, incomes and labour only.
        self._rows, self._columns = slice(n, 2 * n + n * j), slice(0, 2 * n + n * j)
        self._effect = jacobian[self._rows, cut:].contiguous()
        self._pivot = jacobian[cut:, cut:].diagonal().clone()
        self._cause = (jacobian[cut:, self._columns] / self._pivot[:, None]).contiguous()
        reduced = jacobian[:cut, :cut].clone()
        reduced[self._rows, self._columns] -= self._effect @ self._cause
        self._reduced = Factorisation(reduced)

    def solve(self, rhs: Tensor) -> Tensor:
        """`jacobian^{-1} rhs`, rhs `[unknown]` or `[unknown, column]`."""
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        out = b.clone()
        last = b[self._cut :] / self._pivot[:, None]
        out[self._rows] -= self._effect @ last
        out[: self._cut] = self._reduced.solve(out[: self._cut])
        out[self._cut :] = last - self._cause @ out[self._columns]
        return out.reshape(rhs.shape)

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`jacobian'^{-1} rhs`."""
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        out = b.clone()
        out[self._columns] -= self._cause.T @ b[self._cut :]
        out[: self._cut] = self._reduced.solve_transposed(out[: self._cut])
        out[self._cut :] = (b[self._cut :] - self._effect.T @ out[self._rows]) / self._pivot[:, None]
        return out.reshape(rhs.shape)
