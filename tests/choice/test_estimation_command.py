"""`dlopt panel` and `dlopt estimate` as processes."""

from __future__ import annotations

import json
import signal

import pandas as pd
import pytest
from commands import SMALL, begin, dlopt, wait_until

import dlopt as front
from dlopt.choice import EstimateResult

MODEL = ["model=separable3", "fixed={s_noise: 0.3}"]
BOX = "parameters={lambda0: [0.1, 0.5], s_scale: [0.3, 1.8]}"
QUICK = ["estimate.bootstrap=50", "estimate.simulations=1"]
TABLES = {"estimates", "covariance", "identification", "moments", "search", "counterfactuals"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a panel in it."""
    folder = tmp_path_factory.mktemp("estimation")
    words = ["--model", "separable3", "--set", "s_noise=0.3", "--firms", "100", "--years", "5", "--every", "0.5"]
    done = dlopt(folder, "panel", "p", *words)
    assert done.returncode == 0, done.stderr
    assert dlopt(folder, "panel", "p", *words).returncode == 1  # it is there
    return folder


def test_from_a_panel_to_a_page(place):
    more = ["counterfactuals={cheap: {s_scale: 0.8}}", "hydra.run.dir=exact"]
    done = dlopt(place, "estimate", "p", *MODEL, "method=exact", BOX, *QUICK, *more)
    assert done.returncode == 0, done.stderr
    first = pd.read_parquet(place / "exact" / "estimates.parquet").iloc[0]
    answer = f"The panel is explained best by lambda0 {first['estimate']:.4g} (standard error {first['se']:.2g})"
    assert answer in " ".join(done.stdout.split())
    assert {path.stem for path in (place / "exact").glob("*.parquet")} == TABLES
    record = json.loads((place / "exact" / "run.json").read_text())
    assert (record["verb"], record["status"], record["certificate"]["firms"]) == ("estimate", "converged", 100)
    result = front.open_run(place / "exact")
    assert isinstance(result, EstimateResult)
    assert result.estimates["lambda0"] == pd.read_parquet(place / "exact" / "estimates.parquet")["estimate"][0]
    assert "Counterfactuals" in str(result)
    (place / "exact" / "model").rename(place / "kept")  # as of a kind that keeps no models: by its name
    assert front.open_run(place / "exact").box.digest() == result.box.digest()
    (place / "kept").rename(place / "exact" / "model")
    for words in (["runs", "show", "exact", "--proof"], ["report", "exact"], ["runs", "compare", "exact", "exact"]):
        shown = dlopt(place, *words)
        assert shown.returncode == 0, shown.stderr
    (page,) = (place / "exact").glob("*.html")
    assert answer in page.read_text()


def test_at_the_edge_it_ends_with_2(place):
    narrow = "parameters={lambda0: [0.1, 0.15], s_scale: [0.3, 1.8]}"
    done = dlopt(place, "estimate", "p", *MODEL, "method=exact", narrow, *QUICK, "hydra.run.dir=edge")
    assert done.returncode == 2
    assert "edge of the box" in json.loads((place / "edge" / "run.json").read_text())["message"]


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["p", "model=separable3", BOX], "s_noise"),
        (["p", *MODEL], "parameters"),
        (["nowhere", *MODEL, BOX], "no panel"),
        (["p", "model=separable4", "fixed={s_noise: 0.3}", BOX], "y_4 is missing"),
        (["p", *MODEL, BOX, "estimate.by=magic"], "magic"),
        (["p", *MODEL, BOX, "estimate.draws=3"], "even"),
        (["p", *MODEL, BOX, "counterfactuals={a: {rho: 2}}"], "not a parameter"),
        (["p", *MODEL, BOX, "kind=network"], "not solved by"),
        (["p", "model=separable3", "fixed={s_nose: 0.3}", BOX], "s_nose"),
        (["p", *MODEL, BOX, "value=p"], "run"),
    ],
)
def test_unsound_commands_leave_nothing(place, words, word):
    done = dlopt(place, "estimate", *words, "hydra.run.dir=bad")
    assert done.returncode == 1
    assert word in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (place / "bad").exists()


def test_trained_stopped_and_gone_on_with(place):
    """By the value function of another run; a search stopped after a step ends with the numbers of one that was not."""
    train = ["solve", "bsde", *MODEL, BOX, "budget.steps=20", *SMALL, "analysis.box=1", "hydra.run.dir=value"]
    done = dlopt(place, *train)
    assert done.returncode == 0, done.stderr
    words = ["estimate", "p", "value=value", *QUICK, "estimate.first=1", "estimate.tolerance=1e-4"]
    whole = dlopt(place, *words, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    part = begin(place, *words, "hydra.run.dir=part", errors=place / "part.err")
    wait_until(lambda: (place / "part" / "search.pt").is_file(), part)
    part.send_signal(signal.SIGINT)
    assert part.wait(120) == 2
    assert not (place / "part" / "estimates.parquet").exists()
    done = dlopt(place, "estimate", "p", "resume=part", "hydra.run.dir=rest")
    assert done.returncode == 0, done.stderr
    for name in ("estimates", "search"):
        one, other = (pd.read_parquet(place / run / f"{name}.parquet") for run in ("whole", "rest"))
        pd.testing.assert_frame_equal(one, other, check_exact=True)
