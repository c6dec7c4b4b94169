"""Short trainings by several processes: `test_ranks.py` starts this under torchrun, and trains the same alone."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch
from watching import Until

from dlopt.choice import PAPER, Budget, MethodOptions, Ranks, Watch, joined, preset
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_METHOD
from dlopt.choice.training import Trainer
from dlopt.choice.traits import traits_of

NARROW = dataclasses.replace(PAPER, hidden=16, subnet=16, pieces=2)
CASES = {
    "exporter": (preset("gravity_strong", 5), MethodOptions(pieces=2)),
    "odd": (preset("gravity_strong", 5), MethodOptions(pieces=2, batch=45, pool=101, off_manifold=0.2)),
    "network": (synthetic(3), dataclasses.replace(NETWORK_METHOD, pieces=2)),
    "odd_network": (synthetic(2), dataclasses.replace(NETWORK_METHOD, pieces=2, batch=27)),
    "paper": (preset("blocks", 5), dataclasses.replace(NARROW, batch=15)),
    "paper_with_pool": (preset("blocks", 5), dataclasses.replace(NARROW, batch=15, pool_share=0.5)),
    "one_state_of_the_pool": (preset("blocks", 5), dataclasses.replace(NARROW, batch=3, pool_share=0.5)),
}
STEPS = 20


def trainer(case, ranks, budget=Budget(steps=STEPS, evaluations=4)):
    """A training at its start."""
    model, method = CASES[case]
    generator = torch.Generator().manual_seed(7)
    return Trainer(traits_of(model).build(model.on(), method, generator), method, budget, generator, ranks)


def trained(case, ranks=Ranks()):
    """It at its end."""
    made = trainer(case, ranks)
    assert made.train(Watch(), lambda: None) == "finished"
    return made.state_dict()


def halfway(ranks=Ranks(), stopping=0):
    """A training stopped halfway, because one of the processes was asked to."""
    made = trainer("odd", ranks)
    assert made.train(Until(STEPS // 2) if ranks.rank == stopping else Watch(), lambda: None) == "stopped"
    return made.state_dict()


def resumed(state, ranks=Ranks()):
    """It at its end."""
    made = trainer("odd", ranks)
    made.load_state_dict(state)
    assert made.train(Watch(), lambda: None) == "finished"
    return made.state_dict()


def _work(place, ranks):
    results = {case: trained(case, ranks) for case in CASES}
    results["halfway"] = halfway(ranks, stopping=ranks.size - 1)
    results["resumed"] = resumed(torch.load(place / "halfway.pt", weights_only=True), ranks)
    timed = trainer("odd", ranks, Budget(seconds=1e-3 + ranks.rank))  # were each to decide, they would wait for ever
    timed.train(Watch(), lambda: None)
    torch.save(results | {"timed": timed.steps}, place / f"{ranks.rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(torch.device("cpu"), 0, 1) as together:
        _work(Path(sys.argv[1]), together)
