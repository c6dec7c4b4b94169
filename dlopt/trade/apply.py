"""From rules to rates: the policy of a world, and what it comes to by partner."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from dlopt.trade.calibration import Calibration
from dlopt.trade.places import economies_of, sectors_of
from dlopt.trade.policy import Policy
from dlopt.trade.rates import BY_NAME, KINDS
from dlopt.trade.rules import PolicyWordsError, Rule

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class Applied:
    """A policy made from rules.

    Attributes:
        policy: all rates of the world.
        notes: what a reader should know about how words were taken, one sentence each.
    """

    policy: Policy
    notes: tuple[str, ...]


def apply_rules(
    rules: Sequence[Rule], calibration: Calibration, policy: Policy | None = None, since: Policy | None = None
) -> Applied:
    """Apply rules in order to a policy; reciprocal ones come last, for they answer all others.

    Goods sold at home are never charged. A later `set` replaces what earlier rules made of a rate; `add` adds to it.

    Args:
        rules: what is asked for.
        calibration: gives labels, and the rates in force.
        policy: where to begin; by default the baseline's own rates.
        since: what reciprocal rules compare with to see who changed what; by default `policy`.

    Raises:
        UnknownNameError: an economy or sector that is not in the calibration.
        PolicyWordsError: a rate that no government could set, or an answer to nothing.
    """
    begun = policy or Policy.of(calibration)
    before = (since or begun).tariff
    rates = {name: getattr(begun, name).clone() for name in KINDS}
    notes: list[str] = []
    for rule in rules:
        if rule.change != "reciprocal":
            _charge(rule, calibration, rates, notes)
    answered = rates["tariff"].clone()
    for rule in rules:
        if rule.change == "reciprocal":
            _answer(rule, calibration, before, answered, rates["tariff"])
    return Applied(Policy(**rates), tuple(notes))


def effective_rates(calibration: Calibration, policy: Policy) -> pd.DataFrame:
    """What tariffs come to by importer and partner: averages over sectors weighted by baseline trade before tariff.

    Returns:
        Columns `importer`, `origin`, `imports` (before tariff, in the calibration's unit), `before`, `after`
        (fractions) and `change` (fraction); rows of tradable trade between different economies.
    """
    import pandas as pd

    goods = calibration.tradable.numpy()
    value = (calibration.trade / (1 + calibration.tariff)).numpy()[:, :, goods]
    old, new = calibration.tariff.numpy()[:, :, goods], policy.tariff.numpy()[:, :, goods]
    total = value.sum(2)
    with np.errstate(invalid="ignore", divide="ignore"):
        before, after = (value * old).sum(2) / total, (value * new).sum(2) / total
    names = np.array(calibration.economies)
    origin, importer = np.nonzero(~np.eye(len(names), dtype=bool))
    order = np.lexsort((origin, importer))
    origin, importer = origin[order], importer[order]
    frame = pd.DataFrame({"importer": names[importer], "origin": names[origin], "imports": total[origin, importer]})
    frame["before"], frame["after"] = before[origin, importer], after[origin, importer]
    frame["change"] = frame["after"] - frame["before"]
    return frame


def _charge(rule: Rule, calibration: Calibration, rates: dict[str, Tensor], notes: list[str]) -> None:
    sectors = sectors_of(rule.sectors, calibration, notes)
    partners = [k for word in rule.partners or ("all",) for k in economies_of(word, calibration)]
    target, kind = rates[rule.instrument], BY_NAME[rule.instrument]
    for actor in economies_of(rule.actor, calibration):
        cells: list[tuple[int, ...]]
        if not kind.pairs:
            cells = [(actor, j) for j in sectors]
        elif kind.setter == "destination":
            cells = [(i, actor, j) for i in dict.fromkeys(partners) if i != actor for j in sectors]
        else:
            cells = [(actor, n, j) for n in dict.fromkeys(partners) if n != actor for j in sectors]
        for cell in cells:
            rate = rule.rate + (float(target[cell]) if rule.change == "add" else 0.0)
            _check(rate, rule)
            target[cell] = rate


def _check(rate: float, rule: Rule) -> None:
    kind = BY_NAME[rule.instrument]
    if not kind.possible(rate):
        limit = "above -100 %" if kind.tax else "below 100 %"
        raise PolicyWordsError(f"{rule.where or rule.actor}: a rate of {100 * rate:g} % is not possible; stay {limit}.")


def _answer(rule: Rule, calibration: Calibration, before: Tensor, after: Tensor, target: Tensor) -> None:
    """To the tariffs of the actor on each partner add what the partner's tariffs on the actor's goods changed by."""
    asked = {k for word in rule.partners for k in economies_of(word, calibration)}
    for actor in economies_of(rule.actor, calibration):
        changed = after[actor] - before[actor]  # [importer, sector], of the actor's goods
        partners = [n for n in range(calibration.n_economies) if n != actor and bool((changed[n] != 0).any())]
        chosen = [n for n in partners if not asked or n in asked]
        if not chosen:
            whom = ", ".join(rule.partners) or "any economy"
            raise PolicyWordsError(
                f"{rule.where or rule.actor}: no tariff of {whom} on goods of {calibration.economies[actor]} changes: "
                "there is nothing to answer. Say first what is answered, as in 'USA: +10% on all; CHN: reciprocal'."
            )
        for n in chosen:
            for j in range(calibration.n_sectors):
                rate = float(target[n, actor, j] + changed[n, j])
                _check(rate, rule)
                target[n, actor, j] = rate
