"""The network economy from the command line: solve, evaluate, import."""

from __future__ import annotations

import json

import commands
import numpy as np
import pandas as pd
import pytest

from dlopt.choice.production.folder import write_network
from dlopt.choice.production.presets import synthetic
from dlopt.choice.states import switch_columns


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    write_network(synthetic(2), place / "two")
    model = synthetic(2)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(model.eps_bar + 0.02 * rng.normal(size=(4, 2)), columns=["eps_1", "eps_2"])
    table[switch_columns(model)] = [[0, 0], [0, 1], [1, 0], [1, 1]]
    table["z"], table["state"] = "s01", list("abcd")
    table.to_csv(place / "states.csv", index=False)
    return place


def dlopt(place, *words):
    return commands.dlopt(place, *words, DLOPT_DATA=str(place / "data"))


def test_solved_and_exact_runs_agree_and_can_be_evaluated(place):
    sizes = ["analysis.out_of_sample=100", "analysis.certificate_years=20", "threads=1", "model=two"]
    common = ["solve", "bsde", "scenario=network", *sizes]
    done = dlopt(place, *common, "budget.steps=150", "hydra.run.dir=neural", "evaluate=states.csv")
    assert done.returncode == 0, done.stderr
    assert dlopt(place, *common, "method=exact", "hydra.run.dir=exact").returncode == 0
    assert dlopt(place, "evaluate", "exact", "states.csv").returncode == 0
    here, there = (pd.read_parquet(place / run / "evaluation.parquet") for run in ("neural", "exact"))
    np.testing.assert_allclose(here["value"], there["value"], rtol=1e-3)
    record = json.loads((place / "neural" / "run.json").read_text())
    assert record["scenario"] == "network"
    assert abs(record["certificate"]["value_gap_pct"]) < 0.05
    for table in ("validation", "marginal_values", "harmful_links", "transition", "decentralised", "losses"):
        assert (place / "neural" / f"{table}.parquet").is_file()
    assert (place / "neural" / "model" / "input_shares.csv").is_file()


def test_import_makes_a_model_that_can_be_named(place):
    source = place / "download"
    source.mkdir()
    for file in ("sectors.csv", "input_shares.csv"):
        text = (place / "two" / file).read_text()
        (source / file).write_text(text.replace("eps_bar", "tfp_ar1"))
    done = dlopt(place, "data", "import", "bea37", str(source))
    assert done.returncode == 0, done.stderr
    assert "scenario=network model=bea37" in done.stdout
    again = dlopt(place, "data", "import", "bea37", str(source))
    assert again.returncode == 1
    assert "--force" in again.stderr + again.stdout


def test_other_scenarios_and_unknown_models_are_refused(place):
    wrong = dlopt(place, "solve", "bsde", "scenario=dual")
    assert wrong.returncode == 1
    assert "`dlopt solve nash scenario=dual`" in " ".join((wrong.stderr + wrong.stdout).split())
    unknown = dlopt(place, "solve", "bsde", "scenario=network", "model=synthetik")
    assert unknown.returncode == 1
    assert "synthetic" in unknown.stderr + unknown.stdout
