"""Where the solver runs: devices that are not there are refused before anything is written."""

from __future__ import annotations

import pytest
import torch
from commands import dlopt

from dlopt.choice import ModelError, pick_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"device 'cuda' cannot be used here \(torch has no GPU to use: "):
        pick_device("cuda")
    for scenario in ("export", "network"):
        done = dlopt(tmp_path, "solve", "bsde", f"scenario={scenario}", "device=cuda", "hydra.run.dir=run")
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1
        assert "device 'cuda' cannot be used here" in said
        assert "Traceback" not in said
        assert not (tmp_path / "run").exists()
    assert pick_device("auto").type == "cpu"


def test_words_that_are_no_device_are_refused():
    with pytest.raises(ModelError, match="device 'gpu' cannot be used here"):
        pick_device("gpu")
