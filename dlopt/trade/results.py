"""Results of a trade solve: status, certificate, and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.trade.accounting import importer_share
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import Certificate
from dlopt.trade.instruments import KINDS, Instruments
from dlopt.trade.model import LogWedges, State, TradeModel
from dlopt.trade.policy import Policy

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One solver iteration, as reported while it runs and kept for `iterations`.

    Attributes:
        iteration: counts from 1.
        phase: which part of the solver.
        seconds: since the solve began.
        player: economy whose turn it was; None when all move together.
        first_order_residual: largest projected own derivative; None without instruments.
        welfare: real-income change of every economy, per cent.
    """

    iteration: int
    phase: str
    seconds: float
    player: str | None
    first_order_residual: float | None
    welfare: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Solution:
    """An equilibrium of the game found from one start.

    Attributes:
        welfare: real-income change, per cent, `[country]`.
        equilibrium_residual: largest absolute log residual.
        first_order_residual: largest projected own derivative.
        certified: all tests passed.
    """

    welfare: Tensor
    equilibrium_residual: float
    first_order_residual: float
    certified: bool


@dataclasses.dataclass(frozen=True)
class Move:
    """One move of a sequence: who moved, how the solve ended, and everybody's real-income change (%, `[country]`)."""

    player: str
    status: str
    welfare: Tensor


@dataclasses.dataclass(frozen=True)
class SolveResult:
    """What every solver of the trade model returns.

    Attributes:
        status: `converged` (certified), `not_converged` or `interrupted`.
        message: what happened and, if it is not what was wanted, the remedy.
        certificate: the evidence.
        model: the model in changes, with its balanced baseline.
        u: the equilibrium, logs of hats (see `dlopt.trade.model.State`).
        wedges: log wedges at the equilibrium.
        instruments: what was chosen by whom; None for given policies.
        iterations: the solver's path.
        solutions: equilibria found from all starts that were tried, the result first.
        moves: welfare after each move of a sequence.
    """

    status: str
    message: str
    certificate: Certificate
    model: TradeModel
    u: Tensor
    wedges: LogWedges
    instruments: Instruments | None = None
    iterations: Sequence[Iteration] = ()
    solutions: Sequence[Solution] = ()
    moves: Sequence[Move] = ()

    @property
    def calibration(self) -> Calibration:
        """The balanced baseline."""
        return self.model.calibration

    @cached_property
    def state(self) -> State:
        """Logs of the equilibrium's hats by name."""
        return State.of(self.u, self.model.n, self.model.j)

    @cached_property
    def policy(self) -> Policy:
        """Rates at the solution, fractions."""
        tau, epsilon, sigma = self.wedges
        return Policy(tau.expm1(), epsilon.expm1(), -(-sigma).expm1())

    @cached_property
    def real_income_change_pct(self) -> Tensor:
        """100 (W^ - 1), `[country]`."""
        return 100 * self.model.log_welfare(self.u).expm1()

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance for files: calibration, unit, source."""
        c = self.calibration
        return {
            "calibration": c.name, "calibration_sha256": c.sha256, "unit": c.unit, "year": c.year, "source": c.source,
            "accounting": self.model.accounting.value, "rates": "fractions", "changes": "per cent of the baseline",
        }  # fmt: skip

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the run: welfare, policies, sectors, trade, iterations, equilibria, and moves if any."""
        tables = {
            "welfare": self.welfare_table(),
            "policies": self.policy_table(),
            "sectors": self.sector_table(),
            "trade": self.trade_table(),
            "iterations": self.iteration_table(),
            "equilibria": self.equilibria_table(),
        }
        if self.moves:
            tables["moves"] = self.move_table()
        return tables

    def to_parquet(self, folder: str | Path) -> None:
        """Write every table as Parquet into a folder."""
        from dlopt.files import write_table

        for name, table in self.tables().items():
            write_table(table, Path(folder) / f"{name}.parquet", self.metadata)

    def welfare_table(self) -> pd.DataFrame:
        """One row per economy."""
        import pandas as pd

        model, state = self.model, self.state
        prices = (model.alpha * state.price).sum(1)
        tariffs = (model.flows(state, self.wedges) * importer_share(model.accounting, *self.wedges)).sum((0, 2))
        income = model.income * state.income.exp()
        return pd.DataFrame({
            "economy": list(self.calibration.economies),
            "real_income_change_pct": self.real_income_change_pct.numpy(),
            "nominal_income_change_pct": (100 * state.income.expm1()).numpy(),
            "price_index_change_pct": (100 * prices.expm1()).numpy(),
            "wage_change_pct": (100 * state.wage.expm1()).numpy(),
            "tariff_revenue_share_pct": (100 * tariffs / income).numpy(),
        })  # fmt: skip

    def policy_table(self) -> pd.DataFrame:
        """One row per rate that somebody chose, or that differs from the baseline where nobody chose."""
        import pandas as pd

        c = self.calibration
        before, after = Policy.of(c), self.policy
        frames = []
        for kind, name in enumerate(KINDS):
            old, new = getattr(before, name), getattr(after, name)
            if self.instruments is None:
                index = torch.full(old.shape, -1)
                cells = (old != new).nonzero()
            else:
                index = (self.instruments.tau, self.instruments.epsilon, self.instruments.sigma)[kind]
                cells = ((index >= 0) | (old != new)).nonzero()
            position = tuple(cells.T)
            chosen = index[position]
            low, high = (self._bound(side, chosen, kind) for side in ("lower", "upper"))
            origin, sector = cells[:, 0], cells[:, -1]
            destination = cells[:, 1] if kind < 2 else None
            owner = destination if kind == 0 else origin
            assert owner is not None
            frames.append(
                pd.DataFrame(
                    {
                        "economy": _names(c.economies, owner),
                        "instrument": name,
                        "origin": _names(c.economies, origin),
                        "destination": None if destination is None else _names(c.economies, destination),
                        "sector": _sector_labels(c, sector),
                        "sector_name": _names(c.sector_names, sector),
                        "initial_rate": old[position].numpy(),
                        "rate": new[position].numpy(),
                        "lower_bound": low.numpy(),
                        "upper_bound": high.numpy(),
                        "at_bound": self._at_bound(chosen).numpy(),
                    }
                ).astype({"destination": "object"})
            )
        frames = [frame for frame in frames if len(frame)] or frames[:1]
        return pd.concat(frames, ignore_index=True)

    def sector_table(self) -> pd.DataFrame:
        """One row per economy and sector; output is producer revenue."""
        import pandas as pd

        c, model, state = self.calibration, self.model, self.state
        revenue = model.payroll * (state.wage[:, None] + state.labour).exp() / model.beta
        revenue = torch.where(model.sells, revenue, 0.0)
        cells = torch.cartesian_prod(torch.arange(model.n), torch.arange(model.j))
        change = {"employment_change_pct": state.labour, "price_change_pct": state.price}
        return pd.DataFrame({
            "economy": _names(c.economies, cells[:, 0]),
            "sector": _sector_labels(c, cells[:, 1]),
            "sector_name": _names(c.sector_names, cells[:, 1]),
            **{name: (100 * values.expm1()).flatten().numpy() for name, values in change.items()},
            "output_share_initial": (model.revenue / model.revenue.sum(1, keepdim=True)).flatten().numpy(),
            "output_share": (revenue / revenue.sum(1, keepdim=True)).flatten().numpy(),
        })  # fmt: skip

    def trade_table(self) -> pd.DataFrame:
        """One row per flow, consumer prices."""
        import pandas as pd

        c, n = self.calibration, torch.arange(self.model.n)
        cells = torch.cartesian_prod(n, n, torch.arange(self.model.j))
        return pd.DataFrame({
            "origin": _names(c.economies, cells[:, 0]),
            "destination": _names(c.economies, cells[:, 1]),
            "sector": _sector_labels(c, cells[:, 2]),
            "value_initial": self.model.trade.flatten().numpy(),
            "value": self.model.flows(self.state, self.wedges).flatten().numpy(),
        })  # fmt: skip

    def iteration_table(self) -> pd.DataFrame:
        """One row per solver iteration."""
        import pandas as pd

        columns = ["iteration", "phase", "seconds", "player", "first_order_residual"]
        rows: list[dict[str, Any]] = [
            {**{k: getattr(step, k) for k in columns}, **{f"welfare_{e}": w for e, w in step.welfare.items()}}
            for step in self.iterations
        ]
        frame = pd.DataFrame(rows, columns=[*columns, *(f"welfare_{e}" for e in self.calibration.economies)])
        return frame.astype({"player": "object", "phase": "object", "first_order_residual": "float64"})

    def move_table(self) -> pd.DataFrame:
        """One row per move and economy."""
        import pandas as pd

        frames = [
            pd.DataFrame(
                {
                    "move": number,
                    "player": move.player,
                    "status": move.status,
                    "economy": list(self.calibration.economies),
                    "real_income_change_pct": move.welfare.numpy(),
                }
            )
            for number, move in enumerate(self.moves, start=1)
        ]
        return pd.concat(frames, ignore_index=True)

    def equilibria_table(self) -> pd.DataFrame:
        """One row per economy and distinct equilibrium found."""
        import pandas as pd

        frames = [
            pd.DataFrame(
                {
                    "equilibrium": number,
                    "economy": list(self.calibration.economies),
                    "real_income_change_pct": solution.welfare.numpy(),
                    "equilibrium_residual": solution.equilibrium_residual,
                    "first_order_residual": solution.first_order_residual,
                    "certified": solution.certified,
                }
            )
            for number, solution in enumerate(self.solutions)
        ]
        columns = ["equilibrium", "economy", "real_income_change_pct", "equilibrium_residual", "first_order_residual"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*columns, "certified"])

    def _bound(self, side: str, chosen: Tensor, kind: int) -> Tensor:
        values = torch.full(chosen.shape, float("nan"), dtype=self.u.dtype)
        if self.instruments is not None:
            log_rate = getattr(self.instruments, side)[chosen[chosen >= 0]]
            values[chosen >= 0] = -(-log_rate).expm1() if kind == 2 else log_rate.expm1()
        return values

    def _at_bound(self, chosen: Tensor) -> Tensor:
        held = torch.zeros(chosen.shape, dtype=torch.bool)
        if self.instruments is not None:
            a = self.instruments.average(self.wedges)
            stuck = (a <= self.instruments.lower) | (a >= self.instruments.upper)
            held[chosen >= 0] = stuck[chosen[chosen >= 0]]
        return held


def _names(labels: tuple[str, ...], index: Tensor) -> list[str]:
    return [labels[i] for i in index.tolist()]


def _sector_labels(calibration: Calibration, index: Tensor) -> list[Any]:
    """Sector labels, as integers where all of them are."""
    whole = all(label.isdecimal() and str(int(label)) == label for label in calibration.sectors)
    return [int(calibration.sectors[i]) if whole else calibration.sectors[i] for i in index.tolist()]
