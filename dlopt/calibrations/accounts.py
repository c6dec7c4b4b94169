"""World input-output accounts, from any source, and the calibration that they imply.

The accounts hold what producers deliver (at basic prices, before tariffs) to industries and to final users. What does
not fit the model (negative inventories, negative cells, industries that use more than they make) is adjusted by named
rules, and the size of every adjustment is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from dlopt.errors import DloptError
from dlopt.store.tables import Array as Array

INVENTORIES = ("leontief", "final", "drop")
TAXES = ("value_added", "drop")
OWN_TRADE = ("keep", "floor")
BETA_FLOOR = 0.01
"""Lowest value-added share: inputs beyond it become final use."""
OWN_FLOOR = 1e-6
LEONTIEF_ROUNDS = 2000


class AccountsError(DloptError):
    """Accounts that no calibration can be made of."""


@dataclasses.dataclass
class Accounts:
    """Who delivers what to whom, in one currency unit.

    Attributes:
        economies, sectors: labels of the N economies and S sectors.
        use: deliveries to industries, `[origin, sector, destination, using sector]`.
        final: deliveries to final users, changes in inventories apart, `[origin, sector, destination]`.
        inventories: changes in inventories, `[origin, sector, destination]`.
        withdrawals: what was taken from stock, a part of `inventories` with the sign turned, all >= 0; told apart
            before economies are put together.
        value_added: `[country, sector]`.
        taxes: taxes less subsidies on products that industries pay, `[country, sector]`.
        output: output as the source states it, `[country, sector]`; NaN where it does not.
    """

    economies: tuple[str, ...]
    sectors: tuple[str, ...]
    use: Array
    final: Array
    inventories: Array
    withdrawals: Array
    value_added: Array
    taxes: Array
    output: Array

    def trade(self) -> Array:
        """Deliveries to all users, `[origin, destination, sector]`."""
        total = self.use.sum(axis=3) + self.final + self.inventories
        return np.ascontiguousarray(total.transpose(0, 2, 1))


@dataclasses.dataclass(frozen=True)
class Flows:
    """What a calibration needs of adjusted accounts.

    Attributes:
        trade: deliveries before tariffs, all >= 0, `[origin, destination, sector]`.
        inputs: purchases by industries, over all origins, `[country, input sector, output sector]`.
        used: deliveries to industries, over all of them, `[origin, destination, sector]`.
        output: sales, `[country, sector]`.
        taxes: taxes less subsidies on products that industries pay, `[country, sector]`.
        value_added: as the source states it, `[country, sector]`.
    """

    economies: tuple[str, ...]
    sectors: tuple[str, ...]
    trade: Array
    inputs: Array
    output: Array
    taxes: Array
    value_added: Array


def check_balance(accounts: Accounts, tolerance: float) -> list[str]:
    """How far rows and columns are from the output that the source states.

    Raises:
        AccountsError: further than `tolerance` of world output.
    """
    if np.isnan(accounts.output).all():
        return ["The source states no output: rows and columns could not be checked against it."]
    stated = accounts.output
    rows = accounts.use.sum(axis=(2, 3)) + accounts.final.sum(axis=2) + accounts.inventories.sum(axis=2)
    columns = accounts.use.sum(axis=(0, 1)) + accounts.value_added + accounts.taxes
    lines = []
    for what, total in (("Rows", rows), ("Columns", columns)):
        gap = np.abs(total - stated)
        share = float(gap.sum() / stated.sum())
        n, s = np.unravel_index(int(gap.argmax()), gap.shape)
        where = f"{accounts.economies[n]} {accounts.sectors[s]}: {total[n, s]:,.6g} against {stated[n, s]:,.6g}"
        if not share <= tolerance:
            raise AccountsError(
                f"{what.lower()} of the table do not add up to the output it states: the differences are "
                f"{100 * share:.3g} % of world output, more than the {100 * tolerance:.3g} % allowed (largest: "
                f"{where}). Check that the file is whole, or allow more with --tolerance."
            )
        lines.append(f"{what} differ from stated output by {100 * share:.2g} % of world output (largest: {where}).")
    return lines


def adjusted(
    accounts: Accounts, inventories: str = "leontief", own_trade: str = "keep", floor: float = BETA_FLOOR
) -> tuple[Flows, list[str]]:
    """Flows that are all positive and industries that all add value, and what it took.

    Args:
        accounts: as the source has them; `use` is overwritten.
        inventories: `leontief`: additions are final use; what was taken from stock is made in the year instead, output
            and inputs of all industries rising by what that takes at the input coefficients of the table (in the manner
            of Costinot and Rodriguez-Clare, 2014). `final`: changes are final use. `drop`: they are left out.
        own_trade: `keep`, or `floor`: where an economy buys a good but none at home, one millionth of it is home sales.
        floor: lowest value-added share; inputs beyond it become final use.

    Returns:
        The flows, and one sentence per adjustment with its size.
    """
    use, final, taxes, value_added = accounts.use, accounts.final.copy(), accounts.taxes, accounts.value_added
    n, s = len(accounts.economies), len(accounts.sectors)
    change = accounts.inventories
    world = float(use.sum() + final.sum() + change.sum())
    notes = []

    def size(value: float) -> str:
        return f"{value:,.6g} ({100 * value / world:.2g} % of world output)"

    taken = accounts.withdrawals
    added = np.maximum(change + taken, 0)
    produced = use.sum(axis=(2, 3)) + final.sum(axis=2) + change.sum(axis=2)
    if inventories == "final":
        final += change
    elif inventories == "leontief":
        final += added
    for what, cells in (("deliveries to industries", use), ("deliveries to final users", final)):
        below = np.minimum(cells, 0)
        if below.any():
            count, total = int((below < 0).sum()), float(-below.sum())
            notes.append(f"Negative {what}: {count} cells, {size(total)}, set to zero.")
            np.maximum(cells, 0, out=cells)
    if inventories == "leontief" and (added.any() or taken.any()):
        factor = _made_in_the_year(use, final, produced)
        use *= factor
        taxes, value_added = taxes * factor, value_added * factor
        sold = use.sum(axis=(2, 3)) + final.sum(axis=2)
        notes.append(
            f"Inventories (leontief): additions of {size(float(added.sum()))} are final use; what was taken from "
            f"stock, {size(float(taken.sum()))}, is made in the year: output changes by "
            f"{size(float((sold - produced).sum()))}."
        )
    elif inventories == "drop" and (added.any() or taken.any()):
        notes.append(
            f"Inventories (drop): additions of {size(float(added.sum()))} and withdrawals of "
            f"{size(float(taken.sum()))} are left out."
        )
    elif change.any():
        notes.append(f"Inventories (final): changes of {size(float(change.sum()))} net are final use.")
    trade = (use.sum(axis=3) + final).transpose(0, 2, 1).copy()
    if own_trade == "floor":
        bought = trade.sum(axis=0)
        missing = (np.einsum("nns->ns", trade) <= 0) & (bought > 0)
        k, j = np.nonzero(missing)
        trade[k, k, j] = OWN_FLOOR * bought[k, j]
        if len(k):
            filled = float(trade[k, k, j].sum())
            notes.append(
                f"Missing own trade (floor): {len(k)} cells, {size(filled)}, put at {OWN_FLOOR:g} of purchases."
            )
    else:
        k, j = np.nonzero((np.einsum("nns->ns", trade) <= 0) & (trade.sum(axis=0) > 0))
        if len(k):
            notes.append(f"Missing own trade (keep): {len(k)} cells stay at zero; --own-trade floor fills them.")
    inputs = use.sum(axis=0).transpose(1, 0, 2).copy()
    output = trade.sum(axis=1)
    needed = inputs.sum(axis=1)
    allowed = (1 - floor) * output
    over = needed > allowed
    if over.any():
        excess = float((needed - allowed)[over].sum())
        inputs *= np.where(over, allowed / np.where(needed > 0, needed, 1), 1)[:, None, :]
        notes.append(
            f"Industries whose inputs exceed {100 * (1 - floor):.0f} % of output: {int(over.sum())} of {n * s}; "
            f"{size(excess)} of their purchases are final use instead."
        )
    kept = output.sum(axis=0) > 0
    if not kept.all():
        gone = [label for label, keep in zip(accounts.sectors, kept, strict=True) if not keep]
        notes.append(f"Sectors that nobody sells are left out: {', '.join(gone)} (their sales are zero).")
    flows = Flows(
        accounts.economies,
        tuple(label for label, keep in zip(accounts.sectors, kept, strict=True) if keep),
        trade[:, :, kept],
        inputs[:, kept][:, :, kept],
        output[:, kept],
        taxes[:, kept],
        value_added[:, kept],
    )
    return flows, notes


def _made_in_the_year(use: Array, final: Array, produced: Array) -> Array:
    """Factor on every industry's scale so that it makes all that is used and consumed, `[country, sector]`."""
    n, s = produced.shape
    old = produced.reshape(-1)
    scale = np.divide(1.0, old, out=np.zeros_like(old), where=old > 0)
    matrix = use.reshape(n * s, n * s)
    wanted = final.sum(axis=2).reshape(-1)
    new = np.maximum(old, 0)
    for _ in range(LEONTIEF_ROUNDS):
        step = wanted + matrix @ (scale * new)
        gap = float(np.abs(step - new).sum())
        new = step
        if gap <= 1e-13 * float(new.sum()):
            break
        if not np.isfinite(gap):
            break
    else:
        gap = float("inf")
    if not np.isfinite(gap):
        raise AccountsError(
            "Inventories cannot be replaced by production: the industries of the table use more than they make. "
            "Use --inventories final or drop."
        )
    return np.where(old > 0, new * scale, 0.0).reshape(n, s)


def shares(flows: Flows, tariff: Array, taxes: str = "value_added") -> tuple[dict[str, Array], list[str]]:
    """Spending, value-added, input and final shares when purchases pay `tariff`.

    Args:
        flows: adjusted flows.
        tariff: `[origin, destination, sector]`, zero at home.
        taxes: `value_added`: taxes less subsidies on products, tariffs on inputs apart, are income, so that inputs
            are what the table says. `drop`: value added and inputs share output as they do without these taxes.

    Returns:
        `trade` (tariffs included), `value_added_share`, `input_share`, `final_share`, axes as in `Calibration`; and
        notes.
    """
    trade = flows.trade * (1 + tariff)
    bought, basic = trade.sum(axis=0), flows.trade.sum(axis=0)
    dearer = np.divide(bought, basic, out=np.ones_like(bought), where=basic > 0)
    inputs = flows.inputs * dearer[:, :, None]
    output = flows.output
    notes = []
    needed = inputs.sum(axis=1)
    if taxes == "drop":
        share = np.divide(
            needed, needed + np.maximum(flows.value_added, 0), out=np.zeros_like(needed), where=needed > 0
        )
        aim = np.minimum(share, 1 - BETA_FLOOR) * output
    else:
        aim = np.minimum(needed, (1 - BETA_FLOOR) * output)
    moved = float(np.abs(needed - aim).sum())
    inputs *= np.divide(aim, needed, out=np.zeros_like(needed), where=needed > 0)[:, None, :]
    total = inputs.sum(axis=1)
    if moved > 1e-12 * float(output.sum()):
        notes.append(
            f"Inputs were rescaled by {100 * moved / float(output.sum()):.2g} % of world output "
            f"({'taxes on products left out' if taxes == 'drop' else 'tariffs on inputs against value added'})."
        )
    beta = np.divide(output - total, output, out=np.ones_like(output), where=output > 0)
    gamma = np.divide(inputs, total[:, None, :], out=np.zeros_like(inputs), where=total[:, None, :] > 0)
    final = bought - inputs.sum(axis=2)
    below = np.minimum(final, 0)
    if (below < -1e-9 * bought.max()).any():
        notes.append(
            f"Final use that market clearing makes negative: {int((below < 0).sum())} cells, "
            f"{100 * float(-below.sum() / output.sum()):.2g} % of world output, set to zero."
        )
    final = np.maximum(final, 0)
    empty = final.sum(axis=1) <= 0
    if empty.any():
        label = flows.economies[int(np.argmax(empty))]
        raise AccountsError(f"{label} has no final use: check that its final demand is in the source.")
    alpha = final / final.sum(axis=1, keepdims=True)
    beta = np.where(total > 0, np.clip(beta, BETA_FLOOR / 2, 1.0), 1.0)
    return {"trade": trade, "value_added_share": beta, "input_share": gamma, "final_share": alpha}, notes


def totals(values: Mapping[str, float]) -> str:
    """One line of totals."""
    return ", ".join(f"{name} {value:,.8g}" for name, value in values.items())
