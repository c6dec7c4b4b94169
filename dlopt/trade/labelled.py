"""A policy with the labels of its world: `world.policy().raise_tariff("USA", on="all", sectors=["steel"], by=0.25)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dlopt.trade.apply import apply_rules
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy
from dlopt.trade.rates import EXPORT_TAX, SUBSIDY, TARIFF
from dlopt.trade.rules import Change, PolicyWordsError, Rule

Names = str | Sequence[str]
"""One name or several: labels of the world, everyday words for sectors such as steel, or `all`."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LabelledPolicy(Policy):
    """Rates of a world, to be changed by name. Every change gives a new policy; each can be solved as it is.

    Rates and changes are fractions: 0.25 is 25 %, or 25 percentage points. Goods sold at home are never charged. A word
    that stands for less than a whole sector charges the whole sector, and `notes` says so.

    Attributes:
        world: whose labels are meant.
        notes: what a reader should know about how words were taken, one sentence each.

    Raises (every change):
        UnknownNameError: an economy or a sector that the world does not have.
        PolicyWordsError: a rate that no government could set, or a list of sectors without any.
    """

    world: Calibration = dataclasses.field(kw_only=True)
    notes: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    def raise_tariff(
        self, importer: Names, on: Names = "all", sectors: Names | None = None, *, by: float
    ) -> LabelledPolicy:
        """Add `by` to the tariffs of `importer` on goods of `on`; all tradable sectors if none are named."""
        return self._changed(TARIFF.name, "add", importer, on, sectors, by)

    def set_tariff(
        self, importer: Names, on: Names = "all", sectors: Names | None = None, *, to: float
    ) -> LabelledPolicy:
        """Replace the tariffs of `importer` on goods of `on` by `to`."""
        return self._changed(TARIFF.name, "set", importer, on, sectors, to)

    def raise_export_tax(
        self, exporter: Names, to: Names = "all", sectors: Names | None = None, *, by: float
    ) -> LabelledPolicy:
        """Add `by` to the taxes of `exporter` on its sales to the buyers `to`."""
        return self._changed(EXPORT_TAX.name, "add", exporter, to, sectors, by)

    def raise_subsidy(self, economy: Names, sectors: Names | None = None, *, by: float) -> LabelledPolicy:
        """Add `by` to the subsidies of `economy` on what its sectors make."""
        return self._changed(SUBSIDY.name, "add", economy, "all", sectors, by)

    def reciprocate(self, economy: Names, on: Names = "all") -> LabelledPolicy:
        """Answer in kind: `economy` adds what others added, since the baseline, to their tariffs on its goods.

        Raises:
            PolicyWordsError: none of them changed a tariff, so that there is nothing to answer.
        """
        return self._changed(TARIFF.name, "reciprocal", economy, on, None, 0.0)

    def _changed(
        self, instrument: str, change: Change, who: Names, partners: Names, sectors: Names | None, rate: float
    ) -> LabelledPolicy:
        if sectors is not None and not _several(sectors):
            raise PolicyWordsError("`sectors` names no sector. Name some, or leave it out for all tradable ones.")
        where = f"{instrument.replace('_', ' ')} of {' and '.join(_several(who))}"
        rules = [
            Rule(
                actor=actor,
                change=change,
                rate=float(rate),
                # an answer to all is an answer to whoever changed something, which is what naming nobody asks for
                partners=() if change == "reciprocal" and partners == "all" else _several(partners),
                sectors=_several(sectors) if sectors is not None else (),
                instrument=instrument,
                where=where,
            )
            for actor in _several(who)
        ]
        applied = apply_rules(rules, self.world, self, since=Policy.of(self.world))
        return labelled(self.world, applied.policy, (*self.notes, *applied.notes))


def labelled(world: Calibration, policy: Policy | None = None, notes: tuple[str, ...] = ()) -> LabelledPolicy:
    """A policy of a world, by default that of its baseline, as one that can be changed by name."""
    tariff, export_tax, subsidy = (policy or Policy.of(world)).rates()
    return LabelledPolicy(tariff, export_tax, subsidy, world=world, notes=notes)


def _several(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
