"""A world of one's own: build a calibration in Python, play a tariff game, read the tables.

Two economies, two sectors: Manufactures are traded and their production has economies of scale; Services are not
tradable. Each output uses both as inputs. The numbers need not be consistent: dlopt balances them first.

Run: `python examples/own_calibration.py`
"""

from __future__ import annotations

import torch

import dlopt


def world() -> dlopt.Calibration:
    """Axes are `[origin, destination, sector]`, and `[country, sector]` for tables of countries."""

    def tensor(values: object) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    none = torch.zeros(2, 2, 2, dtype=torch.float64)
    return dlopt.Calibration(
        name="two-by-two",
        economies=("North", "South"),
        sectors=("1", "2"),
        sector_names=("Manufactures", "Services"),
        tradable=torch.tensor([True, False]),
        trade=tensor([[[8.0, 14.0], [2.0, 0.0]], [[2.0, 0.0], [3.0, 6.0]]]),
        tariff=tensor([[[0.0, 0.0], [0.1, 0.0]], [[0.05, 0.0], [0.0, 0.0]]]),
        export_tax=none,
        subsidy=torch.zeros(2, 2, dtype=torch.float64),
        value_added_share=tensor([[0.4, 0.6], [0.35, 0.55]]),
        input_share=tensor([[[0.7, 0.3], [0.3, 0.7]], [[0.8, 0.4], [0.2, 0.6]]]),
        final_share=tensor([[0.35, 0.65], [0.4, 0.6]]),
        theta=tensor([5.0, 5.0]),
        psi=tensor([0.1, 0.0]),
    )


def tariff_war() -> dlopt.SolveResult:
    """Both choose their tariffs on manufactures; neither would deviate from the answer."""
    choice = dlopt.InstrumentChoice(tariff="by_sector")
    return dlopt.solve_nash(world(), instruments=choice, bounds=dlopt.Bounds(tariff=(0.0, 2.0)))


if __name__ == "__main__":
    result = tariff_war()
    print(result.status, "-", result.message)
    tables = result.tables()
    print(tables["policies"][["economy", "origin", "sector_name", "initial_rate", "rate"]].to_string(index=False))
    print(tables["welfare"][["economy", "real_income_change_pct", "wage_change_pct"]].to_string(index=False))
