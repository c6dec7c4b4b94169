"""Published optimal policy, reproduced on the authors' data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dlopt.calibrations.importers import ll2023, ossa2014
from dlopt.papers.beside import tables, write
from dlopt.papers.ll2023.tables import PUBLISHED
from dlopt.papers.ll2023.tables import tables as columns_of
from dlopt.trade.calibration import Calibration

RealData = Callable[[str], Path]


def test_ossa_own_gains_to_the_printed_digit(real_data: RealData, tmp_path: Path) -> None:
    """Three of seven regions; the game is in `dlopt reproduce ossa2014`."""
    world = ossa2014.read(real_data("ossa2014")).calibration
    own = next(tables("ossa2014", lambda name: world, lambda text: None, ["CHN", "EU", "USA"]))
    assert own.frame["what"].tolist() == ["CHN", "EU", "USA"]
    assert own.frame["computed"].round(1).tolist() == own.frame["published"].tolist() == [1.8, 1.9, 2.3]
    assert own.certified
    assert "difference" in write(own, tmp_path).read_text()


def test_third_best_of_lashkaripour_and_lugovskyy(real_data: RealData) -> None:
    """One economy, certified: within 0.03 points of the published approximation, or better."""
    source = real_data("ll2023")

    def load(name: str) -> Calibration:
        return ll2023.read(source, name.removeprefix("ll2023_")).calibration

    found = {t.name: t for t in columns_of(load, lambda text: None, ["USA"], ("restricted_third",))}
    (row,) = found["restricted_third"].frame.itertuples(index=False)
    assert row.certified
    assert row.computed > row.published - 0.03
    assert round(row.theirs, 3) == row.published
    assert len(PUBLISHED) == 43
