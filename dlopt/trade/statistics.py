"""Policies by sufficient statistics: the published formulas of one country's best policies, beside the optimum.

Lashkaripour and Lugovskyy (2023), Theorem 1 and what follows on second and third best, as their replication files
compute them. Country i; lambda are shares in spending, r shares of destinations in a sector's revenue, chi in all
exports, theta trade elasticities, mu scale elasticities (free entry) or markups (restricted entry: a negative subsidy
of the baseline, rebated), mu' a country's mean of mu. With m = (1 + mu'_i) / (1 + mu), 1 in the first best:

    first best (all instruments)  1 - s = 1 / (1 + mu),   1 + t_ji = 1 + omega_ji,   1 + e_in = E_in
    second best (trade taxes)     1 + t_ji = (1 + omega_ji) M_i,   1 + e_in = m E_in
    third best (tariffs)          1 + t_ji = (1 + omega_ji) M_i (1 + 1 / sum_nk chi_ink theta_k (1 - lambda_ink))

    E_in = (1 + 1 / (theta (1 - lambda_in))) / (1 + sum_{j != i} omega_ji lambda_jn / (1 - lambda_in))
    M_i = (1 + theta lambda_ii) / (1 + m theta lambda_ii)

omega_ji is the inverse elasticity of what j supplies to i, at given relative wages abroad. The statistics are those of
the equilibrium under the formulas' own policies, a fixed point. There are no inputs in the theorem. Two countries, and
trade taxes without economies of scale or markups, are cases in which it is exact; in general it is not, which is what
the comparison with the certified optimum shows.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.outcome import Outcome
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import LogWedges, State, TradeModel, one_where_not
from dlopt.trade.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult

BESTS = ("first", "second", "third")
"""What may be chosen: everything; tariffs and export taxes; tariffs."""
TOLERANCE = 1e-9
"""Largest change of a log rate at which the fixed point has been found."""
_ROUNDS, _DAMPING = 400, (1.0, 0.5, 0.2)


class FormulaError(DloptError):
    """The formulas do not apply, or no policies were found that agree with them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Formulas:
    """Policies by the formulas, and what they bring.

    Attributes:
        best: `first`, `second` or `third` (see `BESTS`).
        player: who chooses.
        a: its instruments, log rates, `[instrument]`; those at a bound are held there.
        u: the equilibrium there.
        wedges: log wedges.
        optimum_pct: real income of the player at the optimum, change in per cent.
        formula_pct: at the formulas' policies.
        optimum: its instruments at the optimum.
        instruments: which cells they move.
        model: the model.
        best_u: the equilibrium at the optimum.
        notes: where the theorem does not hold to the letter.
    """

    best: str
    player: str
    a: Tensor
    u: Tensor
    wedges: LogWedges
    optimum_pct: float
    formula_pct: float
    optimum: Tensor
    instruments: Instruments
    model: TradeModel
    best_u: Tensor = dataclasses.field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def loss_pct(self) -> float:
        """Real income that the formulas leave, per cent of the baseline's."""
        return self.optimum_pct - self.formula_pct

    @property
    def message(self) -> str:
        """In a sentence."""
        share = f", {100 * self.loss_pct / self.optimum_pct:.3g} % of the gain" if self.optimum_pct > 0 else ""
        return (
            f"By the formulas of Lashkaripour and Lugovskyy (2023), {self.best} best, {self.player} gains "
            f"{self.formula_pct:+.4f} % where the optimum brings {self.optimum_pct:+.4f} %: a loss of "
            f"{self.loss_pct:.4f} %{share}. "
            f"{' '.join(self.notes)}".strip()
        )

    def table(self) -> pd.DataFrame:
        """One row per economy: real income at the optimum, by the formulas, and the difference."""
        import pandas as pd

        found = 100 * self.model.log_real_income(self.u).expm1()
        best = 100 * self.model.log_real_income(self.best_u).expm1()
        return pd.DataFrame({
            "economy": list(self.model.calibration.economies), "optimum_pct": best.numpy(),
            "formula_pct": found.numpy(), "difference_pct": (found - best).numpy(),
        })  # fmt: skip

    def policies(self) -> pd.DataFrame:
        """One row per chosen rate: at the optimum, and by the formulas."""
        import pandas as pd

        from dlopt.trade.rates import INSTRUMENTS

        c, frames = self.model.calibration, []
        best, ours = self.instruments.rates(self.optimum), self.instruments.rates(self.a)
        for kind, index in zip(INSTRUMENTS, self.instruments.maps(), strict=True):
            cells = (index >= 0).nonzero()
            to = index[index >= 0]
            partner = cells[:, 0] if kind.setter == "destination" else cells[:, 1] if kind.pairs else None
            frames.append(pd.DataFrame({
                "economy": self.player,
                "instrument": kind.name,
                "partner": None if partner is None else [c.economies[k] for k in partner.tolist()],
                "sector": [c.sectors[k] for k in cells[:, -1].tolist()],
                "sector_name": [c.sector_names[k] for k in cells[:, -1].tolist()],
                "rate": best[to].numpy(),
                "formula_rate": ours[to].numpy(),
            }))  # fmt: skip
        frames = [frame for frame in frames if len(frame)]
        return pd.concat(frames, ignore_index=True)


def by_formulas(result: SolveResult, supply: bool = True) -> Formulas:
    """Policies by the formulas for the player of a unilateral optimum, and their loss.

    Args:
        result: an optimum of one economy with tariffs, or tariffs and export taxes, or all three, by sector.
        supply: False leaves out omega: foreign supply is taken to be perfectly elastic.

    Raises:
        FormulaError: other instruments or players, both scale economies and markups, or no fixed point.
    """
    instruments, model = result.instruments, result.model
    if instruments is None or len(instruments.players) != 1 or len(instruments.members[0]) != 1:
        raise FormulaError("The formulas are for one economy that chooses alone: give a unilateral optimum.")
    label = instruments.players[0]
    home, best, notes = model.calibration.economy_index(label), _best_of(instruments, model), list[str]()
    if bool((model.materials != 0).any()):
        notes.append("They are those of a world without inputs.")
    if model.closure is not None or model.politics is not None or (model.carbon is not None and model.carbon.harms):
        notes.append("They know nothing of labour supply, deficits, political weights or damages.")
    result.without_prices("formulas are")
    fixed = result.wedges
    a, u = _fixed_point(model, instruments, fixed, home, best, supply)
    wedges = instruments.apply(a, fixed)
    gain, ours = (100 * float(model.log_real_income(at)[home].expm1()) for at in (result.u, u))
    held = int(((a <= instruments.lower) | (a >= instruments.upper)).sum())
    if held:
        notes.append(f"{held} of {instruments.count} rates are held at their bounds.")
    return Formulas(best, label, a, u, wedges, gain, ours, result.chosen, instruments, model, result.u, tuple(notes))


def policies_by_formulas(model: TradeModel, instruments: Instruments) -> Policy:
    """What the formulas say, at the equilibrium that they lead to, while all others keep the baseline's policies.

    A search for the optimum that starts here is short.

    Args:
        model: see `by_formulas` for what the theorem covers.
        instruments: of one economy: tariffs, or tariffs and export taxes, or all three, by sector.

    Raises:
        FormulaError: see `by_formulas`.
    """
    if len(instruments.players) != 1 or len(instruments.members[0]) != 1:
        raise FormulaError("The formulas are for one economy that chooses alone.")
    home, best = model.calibration.economy_index(instruments.players[0]), _best_of(instruments, model)
    a, _ = _fixed_point(model, instruments, model.wedges0, home, best, True)
    return Policy.from_wedges(instruments.apply(a, model.wedges0))


def _best_of(instruments: Instruments, model: TradeModel) -> str:
    tariff, export, subsidy = (bool((index >= 0).any()) for index in instruments.maps())
    known = {(True, True, True): "first", (True, True, False): "second", (True, False, False): "third"}
    best = known.get((tariff, export, subsidy))
    several = instruments.count < sum(int((index >= 0).sum()) for index in instruments.maps())
    if best is None or several or instruments.unit is not None:
        raise FormulaError(
            "Formulas are for tariffs, for tariffs and export taxes, and for both with subsidies, all by_sector. "
            "Choose instruments.tariff=by_sector, and export_tax and subsidy likewise or not at all."
        )
    markup = -model.calibration.subsidy
    if bool((markup < -1e-12).any()):
        raise FormulaError("The formulas know markups, which are negative subsidies of the baseline, and no subsidies.")
    if bool((markup > 1e-12).any()) and bool((model.psi > 0).any()):
        raise FormulaError("The formulas are for markups or for economies of scale, not both: set psi_scale=0.")
    return best


def _fixed_point(
    model: TradeModel, instruments: Instruments, fixed: LogWedges, home: int, best: str, supply: bool
) -> tuple[Tensor, Tensor]:
    """Instruments that are what the formulas say at the equilibrium they lead to, and that equilibrium."""
    move = float("nan")
    for damping in _DAMPING:
        a, u = instruments.average(model.wedges0), model.start
        for _ in range(_ROUNDS):
            found = find_equilibrium(model, instruments.apply(a, fixed), u)
            if found.outcome is not Outcome.CONVERGED:
                break
            u = found.u
            said = instruments.average(_formula(model, u, found.wedges, home, best, supply))
            move = float((said - a).abs().max())
            if move <= TOLERANCE:
                return a, u
            a = a + damping * (said - a)
    raise FormulaError(
        f"No policies were found that are what the formulas say of their own equilibrium (last change {move:.1e})."
    )


def _formula(model: TradeModel, u: Tensor, wedges: LogWedges, home: int, best: str, supply: bool) -> LogWedges:
    """Log wedges that the formulas ask of an economy at an equilibrium; those of others mean nothing."""
    state = State.of(u, model.n, model.j)
    flows = model.flows(state, wedges)
    share = flows / one_where_not(flows.sum(0), model.buys)
    kept = flows * (-wedges[0] - wedges[1] + wedges[2][:, None]).exp()  # what producers pay for inputs
    theta, free = model.theta, bool((model.psi > 0).any())
    markup = (-model.calibration.subsidy).clamp(min=0)
    mu = model.psi.expand(model.n, model.j) if free else markup
    earned = kept.sum(1)
    weight = earned / (1 + mu) if free else earned
    mean = (mu * weight).sum(1) / weight.sum(1)
    omega = torch.zeros_like(share[:, home])
    if supply:
        omega = _supply(model, flows, wedges, share, kept, mu, mean, home, free)
    m = torch.ones_like(mu[home]) if best == "first" else (1 + mean[home]) / (1 + mu[home])
    own = share[home, home]
    protection = (1 + theta * own) / (1 + m * theta * own)
    tariff = (1 + omega) * protection
    rest = torch.where(model.buys, 1 - share[home], 1.0).clamp(min=1e-12)
    if best == "third":
        abroad = torch.arange(model.n) != home
        sold = (flows * (-wedges[0]).exp())[home][abroad]
        tariff = tariff * (1 + sold.sum() / (sold * theta * rest[abroad]).sum())
    other = omega.clone()
    other[home] = 0.0
    eased = 1 + torch.einsum("jk,jnk->nk", other, share) / rest
    export = m * (1 + 1 / (theta * rest)) / eased
    tau, epsilon = torch.zeros_like(flows), torch.zeros_like(flows)
    tau[:, home], epsilon[home] = tariff.clamp(min=1e-6).log(), export.clamp(min=1e-6).log()
    sigma = (mu.log1p() if free else torch.zeros_like(mu)).clone()
    return tau, epsilon, sigma


def _supply(
    model: TradeModel, flows: Tensor, wedges: LogWedges, share: Tensor, kept: Tensor, mu: Tensor, mean: Tensor,
    home: int, free: bool,
) -> Tensor:  # fmt: skip
    """omega, inverse elasticities of what every economy supplies to `home`, `[origin, sector]`."""
    theta, n = model.theta, model.n
    foreign = torch.arange(n) != home
    demand = 1 + theta * (1 - share)  # own price elasticities
    if free:
        weight = mu / (1 + mu)
        revenue = one_where_not(kept.sum(1), model.sells)
        r = kept / revenue[:, None]
        others = (weight[:, None] * r * demand)[:, foreign].sum(1)
        competing = revenue[home] / revenue * weight[home] * (r[home] * theta * (1 - share[home]))
        omega = -weight * (r[:, home] - competing) / (1 - others)
    else:
        excess = (mu - mean[:, None]) / (1 + mu)
        paid = flows * (-wedges[0] - wedges[1]).exp()  # with the markup in it
        rho = paid / paid.sum((1, 2), keepdim=True)
        others = (excess[:, None] * rho * demand)[:, foreign].sum((1, 2))
        omega = -excess * (rho[:, home].sum(1) / (1 - others))[:, None]
    omega = torch.where(model.sells, omega, 0.0)
    omega[home] = 0.0
    return omega
