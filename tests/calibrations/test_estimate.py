"""Estimation on flows made from known elasticities: estimates and the coverage of their intervals; the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dlopt.cli.data import app
from typer.testing import CliRunner

from dlopt.calibrations import write_bundle
from dlopt.calibrations.accounts import Array
from dlopt.calibrations.elasticities import (
    ElasticityError,
    add_set,
    elasticity_set,
    elasticity_sets,
    take,
    with_elasticities,
)
from dlopt.calibrations.estimate import EstimationError, estimate, ppml, trimmed, triple_differences
from dlopt.calibrations.importers.trade_only import trade_world

THETA = 5.0


def flows(random: np.random.Generator, n: int, noise: float) -> tuple[Array, Array]:
    """Trade with effects of exporters, importers and pairs, and 1 + tariff."""
    factor = 1 + random.uniform(0, 0.3, (n, n)) * (1 - np.eye(n))
    pair = random.normal(size=(n, n))
    effects = random.normal(size=n)[:, None] + random.normal(size=n)[None] + pair + pair.T
    errors = noise * random.normal(size=(n, n)) * random.uniform(0.5, 1.5, (n, n))
    return np.exp(effects - THETA * np.log(factor) + errors), factor


def test_triple_differences_are_exact_without_errors() -> None:
    trade, factor = flows(np.random.default_rng(0), 8, 0.0)
    theta, error, count, _ = triple_differences(trade, factor)
    assert theta == pytest.approx(THETA, abs=1e-10)
    assert error < 1e-10
    assert count == 8 * 7 * 6 / 6
    trade[0, 1] = 0
    assert triple_differences(trade, factor)[2] == count - 6


def test_coverage_of_triple_differences() -> None:
    """95 % intervals over 200 samples hold theta in 95 % of them, within three standard errors of that share."""
    random = np.random.default_rng(1)
    fits = np.array([triple_differences(*flows(random, 12, 0.5))[:2] for _ in range(200)])
    assert abs(fits[:, 0].mean() - THETA) < 3 * fits[:, 0].std() / 200**0.5
    covered = float((np.abs(fits[:, 0] - THETA) < 1.96 * fits[:, 1]).mean())
    assert abs(covered - 0.95) < 3 * (0.95 * 0.05 / 200) ** 0.5
    assert fits[:, 1].mean() == pytest.approx(fits[:, 0].std(), rel=0.15)


def test_ppml_recovers_theta() -> None:
    pytest.importorskip("pyfixest")
    trade, factor = flows(np.random.default_rng(2), 12, 0.0)
    assert ppml(trade, factor)[0] == pytest.approx(THETA, abs=1e-4)
    trade, factor = flows(np.random.default_rng(3), 20, 0.3)
    theta, error, count, _ = ppml(trade, factor)
    assert abs(theta - THETA) < 4 * error
    assert count == 20 * 19


def test_coverage_of_ppml() -> None:
    """As above for PPML: 95 % intervals over 200 samples, within three standard errors of that share."""
    pytest.importorskip("pyfixest")
    random = np.random.default_rng(1)
    fits = np.array([ppml(*flows(random, 16, 0.5))[:2] for _ in range(200)])
    assert abs(fits[:, 0].mean() - THETA) < 3 * fits[:, 0].std() / 200**0.5
    covered = float((np.abs(fits[:, 0] - THETA) < 1.96 * fits[:, 1]).mean())
    assert abs(covered - 0.95) < 3 * (0.95 * 0.05 / 200) ** 0.5


def test_standard_errors_of_ppml_are_about_those_of_leaving_out_pairs() -> None:
    """The jackknife over pairs, one estimate for each pair left out; HC3 is its first step."""
    pytest.importorskip("pyfixest")
    trade, factor = flows(np.random.default_rng(6), 9, 0.2)
    theta, error, *_ = ppml(trade, factor)
    others = []
    for i in range(9):
        for j in range(i):
            without = trade.copy()
            without[i, j] = without[j, i] = 0.0
            others.append(ppml(without, factor)[0])
    jackknife = float(np.sqrt(((np.array(others) - theta) ** 2).sum()))
    assert error == pytest.approx(jackknife, rel=0.15)


def test_trimming_leaves_out_the_smallest() -> None:
    trade = np.outer([100, 50, 20, 1], [100, 50, 20, 1]).astype(float)
    assert trimmed(trade, 1.0) == [0, 1, 2, 3]
    assert trimmed(trade, 0.95) == [0, 1, 2]


def test_effects_and_trimming_are_those_of_dummies_by_hand() -> None:
    """Triples, dummies and quantiles in loops, least squares by numpy, robust standard errors by the formula."""
    trade, factor = flows(np.random.default_rng(7), 9, 0.4)
    trade[2, 5] = 0.0
    left, right, dummies = [], [], []
    for i in range(9):
        for m in range(i + 1, 9):
            for h in range(m + 1, 9):
                around = [(i, m), (m, h), (h, i)]
                there, back = (np.prod([trade[p] for p in way]) for way in (around, [p[::-1] for p in around]))
                if there > 0 and back > 0:
                    left.append(np.log(there / back))
                    right.append(sum(np.log(factor[p] / factor[p[::-1]]) for p in around))
                    dummies.append([float(k in (i, m, h)) for k in range(9)])
    y, x, d = np.array(left), np.array(right), np.array(dummies)
    inside = (y >= np.quantile(y, 0.05)) & (y <= np.quantile(y, 0.95))
    for effects, trim, keep in ((True, 0.0, np.ones_like(inside)), (True, 0.05, inside), (False, 0.05, inside)):
        columns = np.column_stack([x, d] if effects else [x])[keep]
        coefficients = np.linalg.lstsq(columns, y[keep], rcond=None)[0]
        error = y[keep] - columns @ coefficients
        inverse = np.linalg.inv(columns.T @ columns)
        robust = (inverse @ (columns.T * error**2) @ columns @ inverse)[0, 0] ** 0.5
        theta, _, count, published = triple_differences(trade, factor, effects, trim)
        assert theta == pytest.approx(-coefficients[0], rel=1e-9)
        assert published == pytest.approx(robust, rel=1e-9)
        assert count == int(keep.sum())


def test_no_variation_is_not_an_estimate() -> None:
    assert np.isnan(triple_differences(np.ones((4, 4)), np.ones((4, 4)))[0])


def test_the_command_keeps_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path))
    random = np.random.default_rng(4)
    pairs = [flows(random, 10, 0.2) for _ in range(2)]
    trade = np.stack([trade for trade, _ in pairs], axis=2)
    tariff = np.stack([factor - 1 for _, factor in pairs], axis=2)
    codes = [f"C{k}" for k in range(10)]
    imported = trade_world(Path("made"), trade, tariff, codes, ["C10T12", "C29"], None, None, basis="tariff_exclusive")
    write_bundle(imported.calibration, tmp_path / "w", isic=imported.isic)
    done = CliRunner().invoke(app, ["estimate", "w", "--name", "mine"])
    assert done.exit_code == 0, done.output
    assert "mine: 2 sectors" in done.output
    mine = elasticity_set("mine")
    assert [row.isic for row in mine.rows] == [(10, 11, 12), (29,)]
    assert all(abs(row.theta - THETA) < 4 * (row.standard_error or 0) for row in mine.rows)
    changed, notes = with_elasticities(imported.calibration, imported.isic, "mine")
    assert changed.theta.tolist() == [row.theta for row in mine.rows]
    assert "mine" in notes[0]
    with pytest.raises(EstimationError, match=r"'ols' is not one of"):
        estimate(imported.calibration, "ols")


def test_published_sets() -> None:
    """Every shipped set can be read; numbers as printed; the mean over what a sector shares."""
    sets = {found.name: found for found in elasticity_sets()}
    assert {"caliendo_parro2015", "fontagne2022", "lashkaripour_lugovskyy2023", "shapiro2016"} <= sets.keys()
    assert sets["lashkaripour_lugovskyy2023"].has_scale
    cp = sets["caliendo_parro2015"]
    assert {row.sector: row.theta for row in cp.rows}["Petroleum"] == 64.85
    isic = {"a": (1, 2, 3), "oil": (19,), "mixed": (19, 22), "bank": (64,)}
    taken = take(cp, isic, list(isic), "theta", 5.0)
    assert taken.values == (9.11, 64.85, (64.85 + 1.67) / 2, 5.0)
    assert taken.without == ("bank",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sector,isic,theta\nFood,10,many\n", r"line 2: column theta: 'many' is not a number"),
        ("sector,isic,theta\nFood,10,-1\n", r"line 2: column theta: theta must be above 0"),
        ("sector,isic,sigma\nFood,10,1\n", r"line 2: column sigma: theta must be above 0"),
        ("sector,isic,theta\nFood,4,1\n", r"column isic: '4' are not divisions"),
        ("sector,isic\nFood,10\n", r"line 1: the header is sector,isic"),
        ("sector,isic,theta\n", r"the set has no rows"),
        ("sector,isic,theta\nFood,10\n", r"line 2: a row has as many fields"),
    ],
)
def test_sets_at_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path))
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ElasticityError, match=message):
        add_set(path)
