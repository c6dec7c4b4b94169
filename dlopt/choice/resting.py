"""What follows every training: V is refined on states of the long run, and states of the long run are drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from dlopt.choice.certificate import long_run_states
from dlopt.choice.model import State
from dlopt.choice.training import Trainer, Watch

YEARS_TO_REST = 10.0  # simulated under the final policy before states count as long-run ones
REFINED_YEARS = 40.0  # simulated to refine the constant in V and the network's output weights

Refine = Callable[..., None]
"""`refine(value, states, years, generator, weights=...)`: of one V, or of those of several parties."""


def refined_at_rest(
    trainer: Trainer, sample: int, seed: int, refine: Refine, watch: Watch, save: Callable[[], None]
) -> tuple[State, torch.Generator]:
    """States of the long run under the refined V, `[sample]`, and the generator to go on with.

    Args:
        trainer: after training; its value function is refined in place, as its options say.
        sample: how many states.
        seed: of the run.
        refine: see `Refine`.
        watch: told what is going on.
        save: writes the checkpoint, once V is as it will be.
    """
    value: Any = trainer.value
    refined = trainer.options.refine
    watch.phase("long run")
    generator = torch.Generator(device=trainer.generator.device).manual_seed(seed + 1)
    value.unrefine()
    resting = long_run_states(value, trainer.pool.rows(slice(0, sample)), YEARS_TO_REST, generator)
    if refined != "none":
        refine(value, resting, REFINED_YEARS, generator, weights=refined == "weights" and trainer.step > 0)
    save()
    return long_run_states(value, resting, YEARS_TO_REST / 2, generator), generator
