"""A second implementation of the trade model, in numpy and levels: it shares no line with `dlopt`.

N economies, J sectors, inputs, economies of scale, tariffs, export taxes and subsidies under both accountings, trade
deficits. Wages and labour by sector are the unknowns of a Newton method on central differences; prices are found by a
Newton method of their own, and spending from one linear system, since it is linear given prices.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class NoEquilibriumError(Exception):
    """None was found."""


@dataclasses.dataclass
class Rates:
    """Tariffs and export taxes `[origin, destination, sector]`, subsidies `[country, sector]`, as fractions."""

    tariff: Array
    export_tax: Array
    subsidy: Array

    def wedge(self) -> Array:
        """What a buyer pays per unit of what the producer keeps."""
        return np.asarray((1 + self.tariff) * (1 + self.export_tax) * (1 - self.subsidy[:, None, :]))

    def government(self, accounting: str) -> tuple[Array, Array]:
        """Receipts of the importer, and of the exporter less its outlays, per unit that buyers spend."""
        t, e, s = self.tariff, self.export_tax, self.subsidy[:, None, :]
        if accounting == "paper":
            return t / self.wedge(), (e / (1 + e) - s) / (1 - s)
        return t / (1 + t), e / ((1 + e) * (1 + t)) - s / self.wedge()

    def towards(self, other: Rates, share: float) -> Rates:
        """A share of the way to other rates."""
        mixed = [(1 - share) * a + share * b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)]
        return Rates(*mixed)


class World:
    """A world in levels that reproduces `flows`, consumer spending `[origin, destination, sector]`, at `rates`.

    Args:
        flows: of the baseline.
        rates: in force there.
        beta: value added in cost, `[country, sector]`.
        gamma: of input s in the materials of sector j, `[country, s, j]`.
        alpha: final shares, `[country, sector]`.
        theta, psi: elasticities, `[sector]`.
        accounting: `standard` or `paper`.
        transfer: what each country receives, in units of world value added, `[country]`.
    """

    def __init__(
        self, flows: Array, rates: Rates, beta: Array, gamma: Array, alpha: Array, theta: Array, psi: Array,
        accounting: str, transfer: Array,
    ) -> None:  # fmt: skip
        self.rates, self.beta, self.alpha, self.theta, self.psi = rates, beta, alpha, theta, psi
        self.accounting = accounting
        self.materials = gamma * (1 - beta)[:, None, :]
        kept = (flows / rates.wedge()).sum(1)
        labour = beta * kept
        self.workers = labour.sum(1)  # wages are one in the baseline
        self.total = self.workers.sum()
        self.transfer = transfer / self.total
        cost = labour**-psi  # so are prices
        share = flows / flows.sum(0)
        self.technology = share * (cost[:, None] * rates.wedge()) ** theta
        self.n, self.j = beta.shape
        self.start: Array = np.concatenate((np.zeros(self.n), np.log(labour).ravel()))
        self.initial = self._outcome(self.start, rates)[0]

    def shocked(self, cost: Array, productivity: Array, labour: Array) -> World:
        """The world in which iceberg costs, productivity and labour are multiplied; welfare is relative to before."""
        other = copy.copy(self)
        other.technology = self.technology * (productivity[:, None, :] / cost) ** self.theta
        other.workers = self.workers * labour
        return other

    def welfare(self, rates: Rates, start: Array | None = None) -> Array:
        """Real income relative to the baseline, `[country]`."""
        return np.asarray(self._outcome(self.solve(rates, start), rates)[0] / self.initial)

    def near(self, rates: Rates, guess: Array) -> Array | None:
        """As `welfare`, on the branch of equilibria that Newton finds from a guess; None where it finds none."""
        found = self._newton(rates, guess)
        return None if found is None else np.asarray(self._outcome(found, rates)[0] / self.initial)

    def closed(self, rates: Rates, deficits: str, phi: float, tax_cut: bool) -> tuple[Array, Array]:
        """Real income and welfare where transfers follow incomes and labour real wages, by repeated solves."""
        other, before = copy.copy(self), self.initial
        held = self.transfer * self.total
        z = None
        for _ in range(200):
            z = other.solve(rates, z)
            real, _, _, index = other._outcome(z, rates)
            income, transfer, wage = real * index, other.transfer * self.total, np.exp(z[: self.n])
            after = held
            if deficits == "share":
                after = held * income.sum() / before.sum()
            elif deficits == "proportional":
                ratio = held / before
                after = income * (ratio - (ratio * income).sum() / income.sum())
            kept = (income - transfer) / other.workers if tax_cut else wage
            kept0 = (before - held) / self.workers if tax_cut else np.ones(self.n)
            workers = self.workers * (kept / kept0 / index) ** phi
            gap = max(np.abs(after - transfer).max() / self.total, np.abs(workers / other.workers - 1).max())
            other = copy.copy(other)
            other.transfer, other.workers = after / self.total, workers
            if gap < 1e-13:
                break
        else:
            raise NoEquilibriumError
        paid, paid0 = kept * workers / index, kept0 * self.workers
        a = phi / (1 + phi)
        return real / before, (real - a * paid) / (before - a * paid0)

    def flows(self, rates: Rates) -> Array:
        """Spending `[origin, destination, sector]`."""
        return self._outcome(self.solve(rates), rates)[1]

    def solve(self, rates: Rates, start: Array | None = None) -> Array:
        """Logs of wages and of labour by sector: by Newton, with the rates moved in steps where it fails."""
        if start is not None and (found := self._newton(rates, start)) is not None:
            return found
        done, step, here = 0.0, 1.0, self.start
        while done < 1:
            target = min(1.0, done + step)
            found = self._newton(self.rates.towards(rates, target), here)
            if found is not None:
                done, here, step = target, found, 2 * step
            elif step > 1e-3:
                step /= 3
            else:
                raise NoEquilibriumError
        return here

    def _newton(self, rates: Rates, z: Array) -> Array | None:
        step = 1e-6
        with np.errstate(all="ignore"):
            gap = self._gaps(z, rates)
            for _ in range(40):
                if not np.isfinite(gap).all():
                    return None
                if np.abs(gap).max() <= 3e-13:
                    return z
                moves = step * np.eye(len(z))
                ahead, behind = self._gaps(np.stack([z + moves, z - moves]), rates)
                matrix = (ahead - behind).T / (2 * step)
                if not np.isfinite(matrix).all():
                    return None
                try:
                    move = np.linalg.solve(matrix, -gap)
                except np.linalg.LinAlgError:
                    return None
                if np.abs(gap).max() < 1e-11 and np.abs(move).max() < 1e-12:  # at rounding
                    return z
                scale = min(1.0, 1.0 / max(np.abs(move).max(), 1e-300))
                while scale > 1e-3:
                    trial = self._gaps(z + scale * move, rates)
                    if np.isfinite(trial).all() and (
                        np.abs(trial).max() < np.abs(gap).max() or np.abs(gap).max() < 1e-11
                    ):
                        break
                    scale /= 2
                else:
                    return z if np.abs(gap).max() <= 1e-11 else None
                z, gap = z + scale * move, trial
        return z if np.abs(gap).max() <= 1e-11 else None

    def _gaps(self, z: Array, rates: Rates) -> Array:
        """Pay is what labour earns, sector by sector; workers are all employed (one country: the numeraire).

        Leading axes of `z` are many points at once, here and below.
        """
        wage, labour = self._levels(z)
        kept = self._outcome(z, rates)[2]
        pay = np.log(self.beta * kept / (wage[..., None] * labour))
        employed = np.log(labour.sum(-1) / self.workers)
        employed[..., 0] = np.log((wage * self.workers).sum(-1) / self.total)
        return np.concatenate((employed, pay.reshape(*z.shape[:-1], -1)), -1)

    def _levels(self, z: Array) -> tuple[Array, Array]:
        """Wages `[..., country]`, and labour `[..., country, sector]`."""
        return np.exp(z[..., : self.n]), np.exp(z[..., self.n :]).reshape(*z.shape[:-1], self.n, self.j)

    def _outcome(self, z: Array, rates: Rates) -> tuple[Array, Array, Array, Array]:
        """Real income `[country]`, flows, what producers keep `[country, sector]`, and the price of consumption."""
        n, j = self.n, self.j
        wage, wedge = np.exp(z[..., :n]), rates.wedge()
        price, _, share = self._prices(z, rates)
        importer, exporter = rates.government(self.accounting)
        # spending x[n, j] = alpha[n, j] income[n] + inputs; both are linear in x.
        many = z.shape[:-1]
        own = np.zeros((*many, n, j, n, j))
        income = np.zeros((*many, n, n, j))
        for country in range(n):
            income[..., country, country, :] += (importer * share)[..., country, :].sum(-2)
            income[..., country, :, :] += (exporter * share)[..., country, :, :]
            used = self.materials[country], (share / wedge)[..., country, :, :]
            own[..., country, :, :, :] += np.einsum("sj,...mj->...smj", *used)
        own += self.alpha[:, :, None, None] * income[..., :, None, :, :]
        fixed = wage * self.workers + self.transfer * self.total
        final = (self.alpha * fixed[..., None]).reshape(*many, n * j, 1)
        spending = np.linalg.solve(np.eye(n * j) - own.reshape(*many, n * j, n * j), final).reshape(*many, n, j)
        flows = share * spending[..., None, :, :]
        earned = fixed + np.einsum("...nmj,...mj->...n", income, spending)
        kept = (flows / wedge).sum(-2)
        index = np.exp((self.alpha * price).sum(-1))
        return earned / index, flows, kept, index

    def with_carbon(
        self, rates: Rates, emissions: Array, tax: Array, border: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Specific taxes per tonne, as the ad valorem rates they come to, by repeated solves.

        Args:
            rates: without them.
            emissions: of the baseline, `[country, sector]`.
            tax: on producers per tonne, in units of the numeraire, `[country, sector]`.
            border: on importers per tonne of the good's own production, `[origin, destination, sector]`.

        Returns:
            Real income over the baseline and prices of consumption `[country]`, tonnes and spending.
        """
        _, cost, _ = self._prices(self.start, self.rates)
        tonnes = emissions / (self._outcome(self.start, self.rates)[2] / cost)  # per unit of output
        now, z = rates, None
        for _ in range(200):
            z = self.solve(now, z)
            real, flows, kept, index = self._outcome(z, now)
            cost = self._prices(z, now)[1]
            subsidy = 1 - (1 - rates.subsidy) * (cost + tax * tonnes) / cost
            at_border = (cost * (1 - subsidy))[:, None] * (1 + rates.export_tax)
            tariff = rates.tariff + border * tonnes[:, None] / at_border
            gap = max(np.abs(subsidy - now.subsidy).max(), np.abs(tariff - now.tariff).max())
            now = Rates(tariff, rates.export_tax, subsidy)
            if gap < 1e-14:
                return real / self.initial, index, tonnes * kept / cost, flows
        raise NoEquilibriumError

    def _prices(self, z: Array, rates: Rates) -> tuple[Array, Array, Array]:
        """Logs of prices `[country, sector]`, unit costs, and shares of origins in spending."""
        n, j = self.n, self.j
        wage, labour = self._levels(z)
        wedge, many = rates.wedge(), z.shape[:-1]
        plain = self.beta * np.log(wage)[..., None] - self.psi * np.log(labour)
        price = np.zeros((*many, n, j))
        for _ in range(60):
            cost = np.exp(plain + np.einsum("isj,...is->...ij", self.materials, price))
            raw = self.technology * (cost[..., None, :] * wedge) ** -self.theta
            new = -np.log(raw.sum(-3)) / self.theta
            share = raw / raw.sum(-3, keepdims=True)
            gap = (new - price).reshape(*many, n * j, 1)
            if np.abs(gap).max() <= 1e-15:
                break
            slope = np.einsum("...inj,isj->...njis", share, self.materials).reshape(*many, n * j, n * j)
            move = np.linalg.solve(np.eye(n * j) - slope, gap)
            price = price + move.reshape(*many, n, j)
            if np.abs(move).max() <= 1e-15:
                break
        return price, cost, share


def world_of(calibration: Any, accounting: str = "standard", deficits: str = "none", psi_scale: float = 1.0) -> World:
    """The world of a calibration: only its numbers are taken; balancing is done here.

    The baseline is the equilibrium without economies of scale at the rates in force, under the deficits asked for.
    """
    c = calibration
    flows, rates = c.trade.numpy(), Rates(c.tariff.numpy(), c.export_tax.numpy(), c.subsidy.numpy())
    beta, gamma = c.value_added_share.numpy(), c.input_share.numpy()
    kept = flows / rates.wedge()
    importer, exporter = rates.government(accounting)
    earned = kept.sum((1, 2)) + (flows * importer).sum((0, 2)) + (flows * exporter).sum((1, 2))
    deficit = flows.sum((0, 2)) - earned if deficits == "constant" else np.zeros(len(beta))
    if c.final_share is not None:
        alpha = c.final_share.numpy()
    else:
        final = flows.sum(0) - np.einsum("isj,ij->is", gamma * (1 - beta)[:, None], kept.sum(1))
        final = np.maximum(final, 0)
        alpha = final / final.sum(1, keepdims=True)
    theta, psi = c.theta.numpy(), c.psi.numpy() * psi_scale
    still = World(flows, rates, beta, gamma, alpha, theta, 0 * psi, accounting, deficit)
    return World(still.flows(rates), rates, beta, gamma, alpha, theta, psi, accounting, deficit)
