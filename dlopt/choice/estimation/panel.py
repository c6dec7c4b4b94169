"""What is observed of firms over time: which switches are on, continuous states at visits, and what happened when.

A visit is a date at which a firm's switches and continuous states (costs) are seen. Between visits either every
switching is recorded with its date (continuous time), or nothing is (sampled).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlopt.choice.model import Array
from dlopt.errors import DloptError

SHOWN = 10


class PanelError(DloptError):
    """A panel that contradicts itself or does not belong to the model; the message lists what was found."""


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """Switchings, by firm and then by date. E of them.

    Attributes:
        firm: number of the firm, `[E]`.
        year: date, strictly after the firm's first visit and not after its last, `[E]`.
        switch: which one, `[E]`.
        on: whether it was turned on (else it failed), `[E]` booleans.
        x: continuous states at that date, `[E, K]`; None where they were not seen.
    """

    firm: Array
    year: Array
    switch: Array
    on: Array
    x: Array | None = None

    def __len__(self) -> int:
        return len(self.firm)

    def rows(self, index: Array) -> Events:
        """Some of them."""
        x = None if self.x is None else self.x[index]
        return Events(self.firm[index], self.year[index], self.switch[index], self.on[index], x)


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """A panel of N firms with R visits in all, sorted by firm and date.

    Attributes:
        firms: their labels, `[N]`.
        firm: number of the visited firm, `[R]`.
        year: date of the visit, `[R]`.
        y: switches, 0 or 1, `[R, J]`.
        x: continuous states, `[R, K]`.
        events: what happened between visits; None: nothing is known of it.
    """

    firms: tuple[str, ...]
    firm: Array
    year: Array
    y: Array
    x: Array
    events: Events | None

    def __post_init__(self) -> None:
        faults = self._faults()
        if faults:
            more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            raise PanelError("The panel cannot be used: " + "; ".join(faults[:SHOWN]) + more + ".")

    def __repr__(self) -> str:
        kind = "sampled" if self.events is None else f"{len(self.events)} events"
        return f"Panel({len(self.firms)} firms, {len(self.firm)} visits, {self.y.shape[1]} switches, {kind})"

    @property
    def first(self) -> Array:
        """Row of each firm's first visit, `[N]`."""
        return np.searchsorted(self.firm, np.arange(len(self.firms)))

    @property
    def years(self) -> float:
        """Firm-years observed."""
        last = np.append(self.first[1:], len(self.firm)) - 1
        return float((self.year[last] - self.year[self.first]).sum())

    def some(self, chosen: Sequence[int] | Array) -> Panel:
        """The panel of some firms, by number; one that is chosen twice is two firms."""
        chosen = np.asarray(chosen)
        ends = np.append(self.first, len(self.firm))
        visits = _ranges(ends[chosen], ends[chosen + 1])
        number = np.repeat(np.arange(len(chosen)), ends[chosen + 1] - ends[chosen])
        events = None
        if self.events is not None:
            marks = np.searchsorted(self.events.firm, np.arange(len(self.firms) + 1))
            events = self.events.rows(_ranges(marks[chosen], marks[chosen + 1]))
            of = np.repeat(np.arange(len(chosen)), marks[chosen + 1] - marks[chosen])
            events = dataclasses.replace(events, firm=of)
        firms = tuple(self.firms[k] for k in chosen)
        if len(set(firms)) < len(firms):
            firms = tuple(f"{name}_{k + 1}" for k, name in enumerate(firms))
        return Panel(firms, number, self.year[visits], self.y[visits], self.x[visits], events)

    def sampled(self) -> Panel:
        """The same visits, with nothing known of what happened in between."""
        return dataclasses.replace(self, events=None)

    def _faults(self) -> list[str]:
        """What is wrong, in words."""
        faults = []
        if len(self.firms) == 0 or len(self.firm) == 0:
            return ["it has no visits"]
        visits = np.bincount(self.firm, minlength=len(self.firms))
        faults += [f"firm {self.firms[k]} has {visits[k]} visit(s), needs two" for k in np.flatnonzero(visits < 2)]
        if (np.diff(self.firm) < 0).any():
            return [*faults, "visits are not sorted by firm"]
        same = self.firm[1:] == self.firm[:-1]
        for k in np.flatnonzero(same & ~(np.diff(self.year) > 0)):
            faults.append(f"firm {self.firms[self.firm[k]]} is visited twice in {self.year[k]:g}, or not in order")
        if not np.isin(self.y, (0, 1)).all():
            faults.append("a switch is neither 0 nor 1")
        if not (np.isfinite(self.x).all() and np.isfinite(self.year).all()):
            faults.append("a date or a continuous state is not a finite number")
        return faults if faults or self.events is None else self._event_faults(self.events)

    def _event_faults(self, events: Events) -> list[str]:
        """Whether events and visits agree."""
        order = np.lexsort((events.year, events.firm))
        if (order != np.arange(len(events))).any():
            return ["events are not sorted by firm and date"]
        ends = np.append(self.first, len(self.firm))
        begin, last = self.year[ends[:-1]][events.firm], self.year[ends[1:] - 1][events.firm]
        outside = np.flatnonzero(~((events.year > begin) & (events.year <= last)))
        if len(outside):
            return [f"firm {self.firms[events.firm[k]]}: the event of {events.year[k]:g} is outside its visits"
                    for k in outside]  # fmt: skip
        if events.x is not None and not np.isfinite(events.x).all():
            return ["a continuous state at an event is not a finite number"]
        y = self.path(events)
        faults = [f"firm {self.firms[self.firm[k]]}, switch {j + 1}: the visit of {self.year[k]:g} does not show what "
                  "the events before it say" for k, j in np.argwhere(y[0] != self.y)]  # fmt: skip
        wrong = np.flatnonzero(y[1][np.arange(len(events)), events.switch] == events.on)
        return faults + [f"firm {self.firms[events.firm[k]]}, switch {events.switch[k] + 1}: turned "
                         f"{'on' if events.on[k] else 'off'} in {events.year[k]:g}, but it was so before"
                         for k in wrong]  # fmt: skip

    def path(self, events: Events) -> tuple[Array, Array]:
        """Switches at the visits `[R, J]`, and just before each event `[E, J]`, by the first visits and the events."""
        firm = np.concatenate([self.firm, events.firm])
        year = np.concatenate([self.year, events.year])
        late = np.concatenate([np.ones(len(self.firm)), np.zeros(len(events))])  # a visit sees what happens that day
        order = np.lexsort((late, year, firm))
        move = np.zeros((len(firm), self.y.shape[1]), dtype=np.int32)
        move[len(self.firm) + np.arange(len(events)), events.switch] = np.where(events.on, 1, -1)
        total = np.cumsum(move[order], axis=0)
        after = np.empty_like(total)
        after[order] = total
        start = after[self.first]  # by then, all that happened to the firms before
        after += self.y[self.first].astype(np.int32)[firm] - start[firm]
        visits, happened = after[: len(self.firm)], after[len(self.firm) :]
        return visits, happened - move[len(self.firm) :]


def _ranges(low: Array, high: Array) -> Array:
    """All whole numbers from each `low` to below each `high`, one range after another."""
    size = high - low
    return np.arange(size.sum()) + np.repeat(low - np.append(0, np.cumsum(size)[:-1]), size)
