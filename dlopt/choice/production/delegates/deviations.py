"""The certificate of an equilibrium: what each delegate gains by deviating, simulated.

For any value function V-hat and any conduct d, `V^d(x) = V-hat(x) + E^d int exp(-rho t) R^d(x_t) dt` with `R^d` the
residual of the equation at V-hat when d is done. With delegate i's V-hat, the gain from its deviating to d is the
difference of two such integrals along paths that share all random numbers: unbiased, and its noise is that of two
small residuals. A path whose links have not come to differ from the equilibrium's costs nothing new.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.model import State
from dlopt.choice.production.analysis import consumption_equivalent_pct
from dlopt.choice.production.delegates.evaluation import Evaluations, doing, residuals
from dlopt.choice.production.delegates.value import PartiesValue
from dlopt.choice.simulation import advance

STEP = 0.5  # years
HAIR = 1e-9  # what a link is worth to who forms it by its cost now: enough for yes or no, nothing for effort
FRACTION = 1e-3  # of |V| that a delegate may gain
DEVIATIONS = ("best_reply", "sectors")
RULES = ("planner", "sectors")


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Discounted residuals along paths, and what the rules lead to.

    Attributes:
        value: mean V-hat of every party at the start, `[P]`.
        size: mean |V-hat|, `[P]`.
        residual: mean |R| of every party over its `rho |V|`, on the equilibrium's paths, the planner's on hers, `[P]`.
        integral: of the residuals along the same paths, `[paths, P]`.
        deviating: by deviation: of delegate i's along the paths where it deviates, `[N, paths]`.
        ruled: by rule: of everybody's along the paths where everybody follows it, `[paths, P]`.
        late: by rule, `delegates` among them: discounted means of the number of links and of log GDP.
    """

    value: Tensor
    size: Tensor
    residual: Tensor
    integral: Tensor
    deviating: dict[str, Tensor]
    ruled: dict[str, Tensor]
    late: dict[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What is known at a batch of states: the values, and what links are worth to who follows each rule, `[B, L]`."""

    at: Evaluations
    worth: dict[str, Tensor]

    def rows(self, index: Tensor) -> _Seen:
        """Some of the states."""
        fields = [field.name for field in dataclasses.fields(Evaluations)]
        at = Evaluations(*(getattr(self.at, name)[index] for name in fields))
        return _Seen(at, {key: worth[index] for key, worth in self.worth.items()})

    def with_rows(self, index: Tensor, other: _Seen) -> _Seen:
        """Some of the states replaced."""

        def put(whole: Tensor, part: Tensor) -> Tensor:
            return whole.index_copy(0, index, part)

        fields = [field.name for field in dataclasses.fields(Evaluations)]
        at = Evaluations(*(put(getattr(self.at, name), getattr(other.at, name)) for name in fields))
        return _Seen(at, {key: put(worth, other.worth[key]) for key, worth in self.worth.items()})


def simulate(
    value: PartiesValue, replies: PartiesValue, start: State, years: float, generator: torch.Generator
) -> Simulated:
    """Follow the equilibrium, every delegate's deviations from it, and the rules of others, from the same states.

    Args:
        value: the equilibrium's value functions.
        replies: those of best replies to it (`PartiesValue.deviating`).
        start: long-run states.
        years: simulated.
        generator: source of randomness.
    """
    m, rho, steps = value.model, value.model.rho, math.ceil(years / STEP)
    n, paths = m.factors, len(start)
    assert start.z is not None
    state, links = start, {(d, i): start.y for d in DEVIATIONS for i in range(n)} | {(r, -1): start.y for r in RULES}
    zero = start.x.new_zeros(paths, m.parties, dtype=torch.float64)
    total = {key: zero.clone() for key in links}
    integral, absolute, last = zero.clone(), zero.clone(), {key: zero for key in links}
    hers = zero[:, m.planner].clone()
    late = {rule: torch.zeros(2, dtype=torch.float64) for rule in ("delegates", *RULES)}
    first = value.parties(start).value.double()
    for k in range(steps):
        weight = (math.exp(-rho * k * STEP) - math.exp(-rho * (k + 1) * STEP)) / rho
        here = _seen(value, replies, state)
        base = residuals(m, state, here.at, doing(m, state, here.worth["delegates"])).double()
        integral += weight * base
        absolute += base.abs() / steps
        luck = generator.get_state()
        after = advance(m, state, here.worth["delegates"], STEP, generator)
        for (rule, who), there, alike in _elsewhere(value, replies, state, here, links):
            y = links[rule, who]
            deciding = torch.eq(here.at.z, who)
            if alike and who >= 0 and not deciding.any():  # nothing is different here
                found, links[rule, who] = base, after.y
            else:
                now, chosen = State(y, state.x, state.z), there.worth[rule]
                if who >= 0:
                    chosen = torch.where(deciding[:, None], chosen, there.worth["delegates"])
                found = residuals(m, now, there.at, doing(m, now, chosen)).double()
                generator.set_state(luck)
                links[rule, who] = advance(m, now, chosen, STEP, generator).y
            total[rule, who] += weight * found
            if rule == "planner":
                hers += found[:, m.planner].abs() / steps
            last[rule, who] = found
            if who < 0:
                late[rule] += rho * weight * _activity(value, y, state)
        late["delegates"] += rho * weight * _activity(value, state.y, state)
        state = after
    beyond = math.exp(-rho * steps * STEP) / rho
    integral += beyond * base.mean(0)
    for key, found in last.items():
        total[key] += beyond * found.mean(0)
    integral[:, m.planner] = total["planner", -1][:, m.planner]  # her values are those of her own conduct
    absolute[:, m.planner] = hers
    size = first.abs().mean(0)
    return Simulated(
        value=first.mean(0),
        size=size,
        residual=absolute.mean(0) / (rho * size),
        integral=integral,
        deviating={d: torch.stack([total[d, i][:, i] for i in range(n)]) for d in DEVIATIONS},
        ruled={rule: total[rule, -1] for rule in RULES},
        late={rule: tuple((found / (1 - rho * beyond)).tolist()) for rule, found in late.items()},
    )


def _elsewhere(
    value: PartiesValue, replies: PartiesValue, state: State, here: _Seen, links: dict[tuple[str, int], Tensor]
) -> Iterator[tuple[tuple[str, int], _Seen, bool]]:
    """What is known on each of the other paths, and whether its links are those of the equilibrium's everywhere."""
    moved = {key: (y != state.y).any(1).nonzero()[:, 0] for key, y in links.items()}
    parts = [State(links[key], state.x, state.z).rows(rows) for key, rows in moved.items() if len(rows)]
    fresh = _seen(value, replies, State.joined(parts)) if parts else here
    done = 0
    for key, rows in moved.items():
        there = here
        if len(rows):
            own = torch.arange(done, done + len(rows), device=rows.device)
            there, done = here.with_rows(rows, fresh.rows(own)), done + len(rows)
        yield key, there, len(rows) == 0


def _activity(value: PartiesValue, y: Tensor, state: State) -> Tensor:
    """Mean number of links and log GDP, `[2]`."""
    gdp = value.model.log_gdp(State(y, state.x, state.z))
    return torch.stack([y.sum(1).mean(), gdp.mean()]).double().cpu()


def _seen(value: PartiesValue, replies: PartiesValue, state: State) -> _Seen:
    m = value.model
    with torch.no_grad():
        base = value.baseline.evaluate(state)
        at, other = value.corrected(base, state), replies.corrected(base, state)
    now = HAIR * torch.sign(m.link_gain(state))
    worth = {"delegates": at.marginal, "best_reply": other.marginal, "sectors": now, "planner": at.worth[:, m.planner]}
    return _Seen(at, worth)


def gains(value: PartiesValue, simulated: Simulated) -> pd.DataFrame:
    """What every delegate gains by each deviation.

    Returns:
        `sector`, `name`, `deviation` (`best_reply`: a value function trained against the others' conduct; `sectors`:
        by its unit cost now), `value` (mean V of the delegate in equilibrium), `gain` and `gain_se` (simulated, in
        units of V, and its standard error), `gain_pct` and `gain_se_pct` (of mean |V|), `no_gain` (the gain is at most
        its standard error, or 0.1 % of `|V|`).
    """
    model, rows = value.model.parameters, []
    mean = simulated.value + simulated.integral.mean(0)
    for i, sector in enumerate(model.sectors):
        for deviation, found in simulated.deviating.items():
            difference = found[i] - simulated.integral[:, i]
            gain, error = float(difference.mean()), float(difference.std()) / math.sqrt(len(difference))
            rows.append(gain_row(sector, model.names[i], deviation, float(mean[i]), gain, error))
    return pd.DataFrame(rows)


def gain_row(sector: str, name: str, deviation: str, value: float, gain: float, error: float) -> dict[str, object]:
    """A row of the table `deviations`."""
    return {
        "sector": sector,
        "name": name,
        "deviation": deviation,
        "value": value,
        "gain": gain,
        "gain_se": error,
        "gain_pct": 100 * gain / abs(value),
        "gain_se_pct": 100 * error / abs(value),
        "no_gain": gain <= max(error, FRACTION * abs(value)),
    }


def compared(value: PartiesValue, simulated: Simulated) -> dict[str, pd.DataFrame]:
    """Delegates against a planner and against sectors that decide by their cost now.

    Returns:
        `decentralised`: for society, rows `planner`, `delegates`, `sectors` of the column `decides`; `value` (mean),
        `value_se` (of the difference from the planner), `consumption_equivalent_pct` (against the planner), `links`,
        `log_gdp_pct` (discounted means).
        `values`: for every sector's delegate and each of these: `sector`, `name`, `decides`, `value`, `value_se`,
        `equivalent_pct` (permanent change of what its basket costs that is worth the difference from the planner).
    """
    integrals = {"planner": simulated.ruled["planner"], "delegates": simulated.integral}
    integrals["sectors"] = simulated.ruled["sectors"]
    means = {key: (simulated.value + found.mean(0)).tolist() for key, found in integrals.items()}
    errors = {
        key: ((found - integrals["planner"]).std(0) / math.sqrt(len(found))).tolist()
        for key, found in integrals.items()
    }
    return tables_of(value.model.parameters, means, errors, simulated.late)


def tables_of(model, means, errors, late) -> dict[str, pd.DataFrame]:  # type: ignore[no-untyped-def]
    """The tables of `compared` from values by rule, of every delegate and then society."""
    society, sectors = [], []
    for rule, value in means.items():
        links, gdp = late[rule]
        for i, (mine, reference) in enumerate(zip(value, means["planner"], strict=True)):
            if i > model.size:
                continue
            row = {"decides": rule, "value": mine, "value_se": errors[rule][i]}
            equivalent = consumption_equivalent_pct(model.gamma, model.rho, mine, reference)
            if i == model.size:
                row |= {"consumption_equivalent_pct": equivalent, "links": links, "log_gdp_pct": 100 * gdp}
                society.append(row)
            else:
                who = {"sector": model.sectors[i], "name": model.names[i]}
                sectors.append({**who, **row, "equivalent_pct": equivalent})
    return {"decentralised": pd.DataFrame(society), "values": pd.DataFrame(sectors)}
