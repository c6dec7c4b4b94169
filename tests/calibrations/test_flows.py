"""A world of one sector from bilateral flows and a stated openness."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlopt import DloptError, solve_equilibrium
from dlopt.calibrations.importers.flows import read
from dlopt.policies import policy_from, retaliate

SHARED = Path(__file__).parents[3] / "shared" / "data" / "schedules" / "baci2023_194.csv"
HEAD = "exporter,importer,value_thousand_usd\n"
FLOWS = HEAD + "USA,CHN,10\nUSA,CAN,20\nCHN,USA,30\nCHN,CAN,5\nCAN,USA,25\nCAN,CHN,2\n"


def flows(folder: Path, text: str = FLOWS) -> Path:
    path = folder / "flows.csv"
    path.write_text(text)
    return path


def test_openness_gives_home_sales(tmp_path: Path) -> None:
    world = read(flows(tmp_path), openness=0.2).calibration
    assert world.economies == ("CAN", "CHN", "USA")
    assert world.unit == "thousand USD"
    imports = world.trade.sum((0, 2)) - world.trade[:, :, 0].diagonal()
    assert (imports / world.trade.sum((0, 2))) == pytest.approx([0.2] * 3)
    assert float(world.theta[0]) == 4.0
    assert solve_equilibrium(world).status == "converged"


def test_home_sales_in_the_file_are_kept(tmp_path: Path) -> None:
    world = read(flows(tmp_path, FLOWS + "USA,USA,1000\n"), openness=0.2).calibration
    assert float(world.trade[2, 2, 0]) == 1000
    assert float(world.trade[0, 0, 0]) == pytest.approx(4 * 25)


@pytest.mark.parametrize(
    ("text", "openness", "said"),
    [
        (FLOWS + "USA,CHN,1\n", 0.25, r"flows\.csv line 8: USA to CHN is there again"),
        (FLOWS + "USA,USA,lots\n", 0.25, r"flows\.csv line 8, column value_thousand_usd: 'lots' is not a number"),
        (FLOWS, 1.0, "openness"),
        ("exporter,importer\nUSA,CHN\n", 0.2, "value"),
        (HEAD + "USA,CHN,much\n", 0.2, "not a number"),
        (HEAD + "USA,CHN,10\n", 0.2, "import nothing"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str, openness: float, said: str) -> None:
    with pytest.raises(DloptError, match=said):
        read(flows(tmp_path, text), openness=openness)


@pytest.mark.skipif(not SHARED.is_file(), reason="../shared/data/schedules is not at hand")
def test_the_schedule_of_2_april_on_194_economies() -> None:
    """Nobody answers, or everybody in kind: the USA gains a little, or loses more."""
    world = read(SHARED, year="2023").calibration
    assert world.n_economies == 194
    schedule = policy_from("us_2025_04_02", world).policy
    at = world.economy_index("USA")
    alone, in_kind = (retaliate(world, schedule, how) for how in ("none", "reciprocal"))  # type: ignore[arg-type]
    assert alone.status == in_kind.status == "converged"
    assert float(alone.real_income_change_pct[at]) == pytest.approx(0.191, abs=5e-4)
    assert float(in_kind.real_income_change_pct[at]) == pytest.approx(-1.174, abs=5e-4)
