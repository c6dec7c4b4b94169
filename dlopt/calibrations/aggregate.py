"""Smaller worlds: economies and sectors of a calibration put together, so that accounts stay what they are.

Producer revenue, value added, purchases of inputs and spending of the merged world are the sums of those of its parts;
tariffs and export taxes are weighted by the trade that pays them, subsidies by sales, theta by trade across borders,
psi by sales. Taxes between economies that become one drop out of prices, and of the purchases that paid them.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlopt.calibrations.importing import Imported
from dlopt.calibrations.short_labels import members_said, short_label, short_name
from dlopt.errors import DloptError
from dlopt.store.files import size_of
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

METHODS = ("smallest", "alike")
REST = "ROW"


class AggregationError(DloptError):
    """A way to put things together that loses, doubles or does not know a label."""


Grouping = Mapping[str, Sequence[str]]
"""New label -> the old labels that make it up, in order."""


@dataclasses.dataclass(frozen=True)
class Accounts:
    """What a calibration says about who earns and buys what, in its unit.

    Attributes:
        revenue: what producers receive, `[origin, destination, sector]`.
        border: value before tariffs; factory: before export taxes too, the same axes.
        inputs: purchases by industries, `[country, input sector, output sector]`.
        final: purchases by consumers where final shares are given, else what is left, `[country, sector]`.
    """

    revenue: Tensor
    border: Tensor
    factory: Tensor
    inputs: Tensor
    final: Tensor


def accounts_of(world: Calibration) -> Accounts:
    """The accounts of a calibration.

    With `final_share`, final spending of a country is what its purchases leave after inputs, spread by these shares.
    """
    border = world.trade / (1 + world.tariff)
    factory = border / (1 + world.export_tax)
    revenue = factory / (1 - world.subsidy)[:, None, :]
    materials = (1 - world.value_added_share) * revenue.sum(1)
    inputs = world.input_share * materials[:, None, :]
    left = world.trade.sum(0) - inputs.sum(2)
    final = left if world.final_share is None else world.final_share * left.sum(1, keepdim=True)
    return Accounts(revenue, border, factory, inputs, final)


def aggregated(imported: Imported, economies: Grouping | None = None, sectors: Grouping | None = None) -> Imported:
    """A world with economies and sectors put together.

    Args:
        imported: the world, its policies, adjustments and divisions.
        economies, sectors: new label -> old labels; None leaves them as they are.

    Raises:
        AggregationError: an old label that is unknown, missing or in two places.
    """
    world = imported.calibration
    by_economy = _checked("economy", world.economies, economies)
    by_sector = _checked("sector", world.sectors, sectors)
    e, s = _matrix(world.economies, by_economy), _matrix(world.sectors, by_sector)
    same = e @ e.T  # [old, old]: whether two economies become one
    home = torch.eye(world.n_economies, dtype=torch.bool)
    inside = ((same > 0) & ~home)[:, :, None]
    old = accounts_of(world)
    spending = torch.where(inside, old.factory, world.trade)
    border = torch.where(inside, old.factory, old.border)
    kept = torch.where(world.trade.sum(0) > 0, spending.sum(0) / world.trade.sum(0).clamp(min=1e-300), 1.0)
    inputs, final = old.inputs * kept[:, :, None], old.final * kept

    def flows(values: Tensor) -> Tensor:
        return torch.einsum("ia,inj,nb,jk->abk", e, values, e, s)

    def table(values: Tensor) -> Tensor:
        return torch.einsum("na,nj,jk->ak", e, values, s)

    trade, before, factory = flows(spending), flows(border), flows(old.factory)
    revenue = table(old.revenue.sum(1))
    subsidy = torch.where(revenue > 0, 1 - factory.sum(1) / revenue.clamp(min=1e-300), 0.0)
    bought = torch.einsum("na,njm,jk,ml->akl", e, inputs, s, s)
    total = bought.sum(1)
    share = torch.where(revenue > 0, 1 - total / revenue.clamp(min=1e-300), 1.0)
    across = (world.trade * ~home[:, :, None]).sum((0, 1))
    across = torch.where((across @ s)[s.argmax(1)] > 0, across, world.trade.sum((0, 1)))
    sales = world.trade.sum((0, 1))
    merged_final = table(final)
    new = Calibration(
        name=world.name,
        economies=tuple(by_economy),
        sectors=tuple(by_sector),
        sector_names=_names(world, by_sector),
        tradable=(s.T @ world.tradable.to(s.dtype)) > 0,
        trade=trade,
        tariff=_home_free(_rate(trade, before)),
        export_tax=_home_free(_rate(before, factory)),
        subsidy=torch.where(subsidy.abs() < 1e-15, 0.0, subsidy),
        value_added_share=share,
        input_share=torch.where(total[:, None, :] > 0, bought / total[:, None, :].clamp(min=1e-300), 0.0),
        final_share=None if world.final_share is None else merged_final / merged_final.sum(1, keepdim=True),
        theta=_mean(world.theta, across, s),
        psi=_mean(world.psi, sales, s),
        year=world.year,
        unit=world.unit,
        source=world.source,
    )  # fmt: skip
    policies = {name: _policy(policy, old, e, s, home) for name, policy in imported.policies.items()}
    isic = {
        label: tuple(sorted({d for part in parts for d in imported.isic.get(part, ())}))
        for label, parts in by_sector.items()
    }
    lost = float((world.trade - spending).sum())
    line = (
        f"Aggregated from {world.n_economies} economies and {world.n_sectors} sectors to {new.n_economies} and "
        f"{new.n_sectors}: spending {float(world.trade.sum()):,.8g} before, {float(new.trade.sum()):,.8g} after; the "
        f"difference, {lost:,.4g}, is taxes between economies that became one."
    )
    members = [*members_said("Economies", by_economy), *members_said("Sectors", by_sector)]
    return Imported(new, policies, (*imported.adjustments, line, *members), isic if all(isic.values()) else {})


def by_number(world: Calibration, which: str, count: int, method: str = "smallest") -> dict[str, tuple[str, ...]]:
    """Groups until `count` are left.

    Args:
        world: the calibration.
        which: `economies` or `sectors`.
        count: how many are to be left.
        method: `smallest`: economies: the smallest, by spending, go to the rest of the world; sectors: the smallest
            joins the sector most like it, again and again. `alike`: the two most alike are joined, again and again.
            Sectors are alike that buy and sell alike, with about the same theta; economies that buy the same shares of
            the same goods from the same origins. Tradable sectors are not joined with others while they need not be.

    Raises:
        AggregationError: a number that cannot be.
    """
    labels = world.economies if which == "economies" else world.sectors
    lowest = 2 if which == "economies" else 1
    if not lowest <= count <= len(labels):
        raise AggregationError(f"{which} {count}: give a number from {lowest} to {len(labels)}.")
    if method not in METHODS:
        raise AggregationError(f"{method!r} is no way to choose. Use {' or '.join(METHODS)}.")
    size, profile, kind = _profiles(world, which)
    if which == "economies" and method == "smallest":
        order = sorted(
            range(len(labels)), key=lambda k: (labels[k] != REST, float(size[k])) if REST in labels else float(size[k])
        )
        joined = sorted(order[: len(labels) - count + 1])
        if len(joined) == 1:
            return {label: (label,) for label in labels}
        groups = {label: (label,) for k, label in enumerate(labels) if k not in joined}
        return {**groups, REST: tuple(labels[k] for k in joined)}
    groups_of = [[k] for k in range(len(labels))]
    while len(groups_of) > count:
        sizes = [float(size[g].sum()) for g in groups_of]
        rows = torch.stack([(profile[g] * size[g, None]).sum(0) / size[g].sum().clamp(min=1e-300) for g in groups_of])
        gap = torch.cdist(rows, rows, p=1) / 2
        kinds = torch.tensor([float(kind[g].max()) for g in groups_of], dtype=torch.float64)
        gap = gap + 10 * (kinds[:, None] - kinds[None, :]).abs() + torch.diag(torch.full((len(groups_of),), torch.inf))
        if method == "smallest":
            a = min(range(len(groups_of)), key=sizes.__getitem__)
            b = int(gap[a].argmin())
        else:
            a, b = divmod(int(gap.argmin()), len(groups_of))
        first, second = min(a, b), max(a, b)
        groups_of[first] = sorted(groups_of[first] + groups_of.pop(second))
    return {
        short_label([labels[k] for k in group], size[group].tolist()): tuple(labels[k] for k in group)
        for group in groups_of
    }


def from_lists(text: str, labels: Sequence[str], rest: str | None = None) -> dict[str, tuple[str, ...]]:
    """Groups from `EU=DEU+FRA+ITA,USA,CHN`; what is not named becomes `rest`, or is refused where that is None."""
    groups: dict[str, tuple[str, ...]] = {}
    for word in (part.strip() for part in text.split(",") if part.strip()):
        name, equals, members = word.partition("=")
        parts = tuple(part.strip() for part in (members if equals else word).split("+"))
        name = name.strip() if equals else short_label(parts)
        if name == rest and not equals and name not in labels:
            continue
        groups[name] = parts
    named = {label for parts in groups.values() for label in parts}
    others = tuple(label for label in labels if label not in named)
    if others and rest is not None:
        groups[rest] = (*groups.get(rest, ()), *others)
    return groups


def from_file(path: Path, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Groups from a concordance: a CSV file with columns `from` (old label) and `to` (new label).

    Raises:
        AggregationError: the file is at fault, or loses, doubles or does not know a label.
    """
    try:
        size_of(path)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = list(reader)
            header = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AggregationError(
            f"{path}: the concordance cannot be read ({error}). Give a CSV file: from,to."
        ) from error
    if not {"from", "to"} <= set(header):
        raise AggregationError(f"{path.name} line 1: a concordance has the columns from and to, this one {header}.")
    groups: dict[str, list[str]] = {}
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        old, new = (row.get("from") or "").strip(), (row.get("to") or "").strip()
        if not old or not new:
            raise AggregationError(f"{path.name} line {line}: a row gives an old and a new label; fill it in.")
        if old in seen:
            raise AggregationError(
                f"{path.name} line {line}: {old} is there twice (first in line {seen[old]}): it would be counted "
                "twice. Delete one."
            )
        if old not in labels:
            raise AggregationError(f"{path.name} line {line}: there is no {old!r}. There are {', '.join(labels)}.")
        seen[old] = line
        groups.setdefault(new, []).append(old)
    lost = [label for label in labels if label not in seen]
    if lost:
        raise AggregationError(f"{path.name}: {', '.join(lost)} would be lost. Give each a row.")
    return {new: tuple(old) for new, old in groups.items()}


def _checked(what: str, labels: Sequence[str], groups: Grouping | None) -> dict[str, tuple[str, ...]]:
    if groups is None:
        return {label: (label,) for label in labels}
    seen: dict[str, str] = {}
    for new, parts in groups.items():
        if not parts:
            raise AggregationError(f"The {what} {new} is made of nothing: name its parts.")
        for part in parts:
            if part not in labels:
                raise AggregationError(f"There is no {what} {part!r}. There are {', '.join(labels)}.")
            if part in seen:
                raise AggregationError(f"The {what} {part} is in {seen[part]} and in {new}: it would be counted twice.")
            seen[part] = new
    lost = [label for label in labels if label not in seen]
    if lost:
        raise AggregationError(f"The {what} {', '.join(lost)} would be lost: put every one into a group.")
    return {new: tuple(parts) for new, parts in groups.items()}


def _matrix(labels: Sequence[str], groups: Grouping) -> Tensor:
    """Which old label belongs to which new one, `[old, new]`, of zeros and ones."""
    matrix = torch.zeros(len(labels), len(groups), dtype=torch.float64)
    for k, parts in enumerate(groups.values()):
        for part in parts:
            matrix[labels.index(part), k] = 1.0
    return matrix


def _rate(after: Tensor, before: Tensor) -> Tensor:
    rate = torch.where(before > 0, after / before.clamp(min=1e-300) - 1, 0.0)
    return torch.where(rate.abs() < 1e-15, 0.0, rate)


def _home_free(rate: Tensor) -> Tensor:
    n = rate.shape[0]
    return rate * ~torch.eye(n, dtype=torch.bool)[:, :, None]


def _mean(values: Tensor, weights: Tensor, s: Tensor) -> Tensor:
    """Weighted means by group; exactly the value where the parts agree."""
    mean = (weights * values) @ s / (weights @ s).clamp(min=1e-300)
    high, low = (torch.stack([f(values[column > 0]) for column in s.T]) for f in (torch.max, torch.min))
    return torch.where(high == low, high, mean)


def _policy(policy: Policy, old: Accounts, e: Tensor, s: Tensor, home: Tensor) -> Policy:
    """Rates of a policy, weighted by the baseline trade that would pay them."""

    def flows(values: Tensor) -> Tensor:
        return torch.einsum("ia,inj,nb,jk->abk", e, values, e, s)

    away = ~home[:, :, None]
    rates = []
    for rate, base in ((policy.tariff, old.border), (policy.export_tax, old.factory)):
        weight = flows(base * away)
        mean = torch.where(weight > 0, flows(rate * base * away) / weight.clamp(min=1e-300), 0.0)
        rates.append(_home_free(mean))
    sales = old.revenue.sum(1)
    weight = e.T @ sales @ s
    subsidy = torch.where(weight > 0, (e.T @ (policy.subsidy * sales) @ s) / weight.clamp(min=1e-300), 0.0)
    return Policy(rates[0], rates[1], subsidy)


def _names(world: Calibration, groups: Grouping) -> tuple[str, ...]:
    names: list[str] = []
    size = world.trade.sum((0, 1))
    for label, parts in groups.items():
        places = [world.sectors.index(part) for part in parts]
        name = short_name([world.sector_names[k] for k in places], size[places].tolist())
        names.append(label if name in names or (name != label and name in groups) else name)
    return tuple(names)


def _profiles(world: Calibration, which: str) -> tuple[Tensor, Tensor, Tensor]:
    """Size, features to compare by, and what should not be mixed, by economy or sector."""
    trade = world.trade
    if which == "economies":
        size = trade.sum((0, 2))
        return size, trade.permute(1, 0, 2).reshape(world.n_economies, -1) / size[:, None], torch.zeros_like(size)
    size = trade.sum((0, 1))
    inputs = accounts_of(world).inputs.sum(0)
    bought = inputs.T / inputs.sum(0).clamp(min=1e-300)[:, None]
    sold = inputs / size[:, None].clamp(min=1e-300)
    theta = world.theta.log()[:, None] / 2
    return size, torch.cat([bought, sold, theta], dim=1), world.tradable.to(size.dtype)
