"""From trade and tariffs alone to a calibration: with the input shares of another calibration, or without inputs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.calibrations.accounts import OWN_FLOOR, Array, totals
from dlopt.calibrations.bundle import calibration_of, load_calibration
from dlopt.calibrations.catalog import find_calibration
from dlopt.calibrations.groups import grouping
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import DIVISIONS, is_good, names_of, of_labels, read_isic
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.schema import BundleError, Faults
from dlopt.calibrations.tariffs import merged
from dlopt.calibrations.world import World, check_markets
from dlopt.errors import DloptError


class TradeError(DloptError):
    """Trade that no calibration can be made of."""


def trade_world(
    source: Path,
    trade: Array,
    tariff: Array | None,
    codes: Sequence[str],
    sectors: Sequence[str],
    theta: Any,
    psi: Any,
    *,
    basis: str = "tariff_inclusive",
    isic: str | Mapping[str, tuple[int, ...]] | None = None,
    inputs: str | None = None,
    year: str = "not stated",
    unit: str = "not stated",
    economies: str | None = None,
    own_trade: str = "keep",
    default_theta: float = 5.0,
    notes: Sequence[str] = (),
    origin: str | None = None,
    tradable: str = "goods",
) -> Imported:
    """A calibration of trade alone.

    Without `inputs` the value-added share is 1 and there are no inputs; with it, shares are those of the named
    calibration: of the economy of the same label, else of the world; sectors by ISIC divisions. Final use is what
    purchases leave after inputs; where that is negative, it is set to zero.

    Args:
        source: for messages.
        trade, tariff: `[origin, destination, sector]`; tariffs are fractions.
        codes, sectors: labels; economies of the same code are put together.
        theta, psi: by sector; None for `default_theta`, and for 0.
        basis, isic, inputs, year, unit, economies, own_trade: see `cubes.read`.
        notes: what was done before.
        origin: what the provenance says; the file's name by default.
        tradable: where policies may be chosen: `goods` (all sectors where divisions are not known), or `all`.

    Raises:
        TradeError, BundleError: flows or tariffs that no calibration can have.
    """
    if (trade < 0).any():
        i, n, k = (int(x) for x in np.argwhere(trade < 0)[0])
        cell = f"{codes[i]} to {codes[n]}, sector {sectors[k]}: {trade[i, n, k]:g}"
        raise TradeError(f"{source.name}: a flow is at least 0 ({int((trade < 0).sum())} are not, such as {cell}).")
    tariff = np.zeros_like(trade) if tariff is None else tariff.copy()
    if (tariff <= -1).any():
        raise TradeError(f"{source.name}: tariffs are fractions above -1: give 0.05 for 5 %.")
    lines = [*notes, f"Totals in the source, {unit}: {totals({'trade': float(trade.sum())})}."]
    at = np.arange(len(codes))
    if (tariff[at, at] != 0).any():
        lines.append(f"Tariffs at home: {int((tariff[at, at] != 0).sum())} cells set to zero.")
        tariff[at, at] = 0.0
    if float(np.median(tariff[tariff > 0])) > 1 if (tariff > 0).any() else False:
        lines.append("Warning: half of the tariffs that are not zero exceed 100 %: are they in per cent?")
    before = trade / (1 + tariff) if basis == "tariff_inclusive" else trade
    economy_of, said = grouping(codes, economies)
    lines += said
    labels = tuple(dict.fromkeys(economy_of[c] for c in sorted(codes, key=lambda c: economy_of[c] == "ROW")))
    labels = tuple(dict.fromkeys(codes)) if set(labels) == set(codes) else labels
    member = np.array([labels.index(economy_of[c]) for c in codes])
    n, j = len(labels), len(sectors)
    rate, inside = merged(tariff, before, member, n)
    if inside > 0:
        lines.append(f"Tariffs inside economies that were put together drop out: {inside:,.6g} of revenue.")
    flows = np.zeros((n, n, j))
    np.add.at(flows, (member[:, None], member[None, :]), before)
    home = flows[np.arange(n), np.arange(n)]
    missing = (home <= 0) & (flows.sum(axis=0) > 0)
    if own_trade == "floor" and missing.any():
        at, which = np.nonzero(missing)
        flows[at, at, which] = OWN_FLOOR * flows.sum(axis=0)[at, which]
        lines.append(f"Missing own trade (floor): {len(at)} cells put at {OWN_FLOOR:g} of purchases.")
    elif missing.any():
        lines.append(f"Missing own trade (keep): {int(missing.sum())} cells are zero; --own-trade floor fills them.")
    known = divisions_of(isic, sectors)
    spending = flows * (1 + rate)
    beta, gamma = np.ones((n, j)), np.zeros((n, j, j))
    if inputs is not None:
        beta, gamma = _input_shares(inputs, labels, sectors, known, source)
        lines.append(f"Value-added and input shares are those of {inputs}.")
        output = flows.sum(axis=1)
        final = spending.sum(axis=0) - np.einsum("nsk,nk->ns", gamma, (1 - beta) * output)
        below = np.minimum(final, 0)
        if below.any():
            lines.append(f"Final use below zero: {int((below < 0).sum())} cells, {-below.sum():,.6g}, set to zero.")
        final = np.maximum(final, 0)
    else:
        lines.append("No intermediate inputs: the value-added share is 1.")
        final = spending.sum(axis=0)
    if not (final.sum(axis=1) > 0).all():
        label = labels[int(np.argmax(final.sum(axis=1) <= 0))]
        raise TradeError(f"{source.name}: nothing is left for final use in {label}. Check its own trade.")
    theta = np.full(j, default_theta) if theta is None else np.asarray(theta, dtype=float)
    psi = np.zeros(j) if psi is None else np.asarray(psi, dtype=float)
    if (theta <= 0).any() or (psi < 0).any():
        raise TradeError(f"{source.name}: theta must be above 0 (sigma above 1) and psi at least 0 in every sector.")
    names = names_of(known) if known else tuple(sectors)
    chosen = [float(is_good(known[s])) if known and tradable == "goods" else 1.0 for s in sectors]
    world = World(
        labels, tuple(sectors), names, {name: source.name for name in ("trade", "final_share")},
        trade=spending, tariff=rate, export_tax=np.zeros_like(rate), subsidy=np.zeros((n, j)),
        value_added_share=beta, input_share=gamma, final_share=final / final.sum(axis=1, keepdims=True), theta=theta,
        psi=psi, tradable=np.array(chosen),
    )  # fmt: skip
    faults = Faults()
    check_markets(world, faults)
    if faults:
        raise BundleError(source, faults.listed())
    lines.append(
        f"Totals in the calibration, {unit}: "
        f"{totals({'spending': float(spending.sum()), 'tariff revenue': float((flows * rate).sum())})}."
    )
    calibration = calibration_of(world, Meta("trade", year, unit, origin or source.name))
    return Imported(calibration, {}, tuple(lines), known)


def divisions_of(
    given: str | Mapping[str, tuple[int, ...]] | None, sectors: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Divisions by sector: from a CSV file (sector,division), as given, or from the labels; empty if not known."""
    if given is None:
        return of_labels(sectors)
    if not isinstance(given, str):
        return dict(given)
    found: dict[str, set[int]] = {sector: set() for sector in sectors}
    try:
        with Path(given).open(encoding="utf-8-sig", newline="") as stream:
            for line, row in enumerate(csv.DictReader(stream), start=2):
                sector, division = (row.get("sector") or "").strip(), (row.get("division") or "").strip()
                if sector not in found or not division.isdigit() or int(division) not in DIVISIONS:
                    raise TradeError(
                        f"{given} line {line}: {sector!r}, {division!r}: give a sector of the source ("
                        f"{', '.join(list(sectors)[:8])}, ...) and a division of ISIC Rev. 4."
                    )
                found[sector].add(int(division))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TradeError(
            f"{given}: the divisions cannot be read ({error}). Give a CSV file: sector,division."
        ) from error
    lost = [sector for sector, divisions in found.items() if not divisions]
    if lost:
        raise TradeError(f"{given}: no division is given for {', '.join(lost[:10])}. Add a row for each.")
    return {sector: tuple(sorted(divisions)) for sector, divisions in found.items()}


def _input_shares(
    name: str, labels: Sequence[str], sectors: Sequence[str], isic: Mapping[str, tuple[int, ...]], source: Path
) -> tuple[Array, Array]:
    """Shares of another calibration: purchases of its sectors, spread over divisions, gathered by ours.

    Inputs from sectors that the source does not have are left out, and the others share what is spent on inputs.
    """
    from dlopt.calibrations.aggregate import accounts_of

    other = load_calibration(name)
    theirs = read_isic(find_calibration(name), other.sectors)
    if not isic or not theirs:
        who = name if isic else "the source"
        raise TradeError(
            f"{source.name}: input shares are matched by ISIC divisions, which {who} lacks. Give them (--isic, or "
            "isic.csv in the bundle)."
        )
    spread = np.zeros((other.n_sectors, len(sectors)))
    for k, label in enumerate(other.sectors):
        for s, sector in enumerate(sectors):
            spread[k, s] = len(set(theirs[label]) & set(isic[sector]))
    spread /= np.maximum(spread.sum(axis=1, keepdims=True), 1)
    accounts = accounts_of(other)
    output, inputs = accounts.revenue.sum(1).numpy(), accounts.inputs.numpy()
    mine = np.einsum("njk,js,kt->nst", inputs, spread, spread)
    made, added = output @ spread, (other.value_added_share.numpy() * output) @ spread
    world = (mine.sum(axis=0), made.sum(axis=0), added.sum(axis=0))
    beta, gamma = np.ones((len(labels), len(sectors))), np.zeros((len(labels), len(sectors), len(sectors)))
    for n, label in enumerate(labels):
        own_inputs, own_made, own_added = world
        if label in other.economies:
            place = other.economies.index(label)
            own_inputs, own_made, own_added = mine[place], made[place], added[place]
        bought = own_inputs.sum(axis=0)
        sound = (own_made > 0) & (bought > 0)
        beta[n] = np.where(sound, own_added / np.where(sound, own_made, 1), 1.0)
        gamma[n] = np.where(sound, own_inputs / np.where(sound, bought, 1), 0.0)
    return beta, gamma
