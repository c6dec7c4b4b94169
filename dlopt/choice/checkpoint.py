"""`model.pt`: a training in full, written atomically and loaded without running code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlopt.choice.model import Model
from dlopt.choice.options import Budget, MethodOptions
from dlopt.choice.traits import traits_named, traits_of
from dlopt.errors import DloptError
from dlopt.store.tensors import TensorFileError, read_tensors, write_tensors

FORMAT = 6


class CheckpointError(DloptError):
    """A checkpoint that cannot be read, or does not belong to this model and method."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint: what was being solved, how, and the state of the training."""

    model: Model
    method: MethodOptions
    budget: Budget
    seed: int
    training: dict[str, Any]


def save_checkpoint(
    path: Path,
    model: Model,
    method: MethodOptions,
    budget: Budget,
    seed: int,
    training: dict[str, Any],
) -> None:
    """Write everything needed to evaluate the value function, and to go on training exactly.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    content = {
        "kind": traits_of(model).name,
        "model": {key: _saved(value) for key, value in model.parameters().items()},
        "method": dataclasses.asdict(method),
        "budget": dataclasses.asdict(budget),
        "seed": seed,
        "training": training,
    }
    write_tensors(path, FORMAT, content)


def _saved(value: Any) -> Any:
    """A parameter as tensors, numbers, strings and lists."""
    if isinstance(value, np.ndarray):
        return torch.tensor(np.array(value))
    return list(value) if isinstance(value, tuple) else value


def _read(value: Any) -> Any:
    """What `_saved` was given."""
    if isinstance(value, torch.Tensor):
        return value.cpu().numpy()
    return tuple(value) if isinstance(value, list) else value


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Saved:
    """What `save_checkpoint` wrote.

    Raises:
        CheckpointError: not a checkpoint of this version.
    """
    try:
        content = read_tensors(path, FORMAT, device)
        made: Any = traits_named(content["kind"]).model
        model = made(**{key: _read(value) for key, value in content["model"].items()})
        method, budget = MethodOptions(**content["method"]), Budget(**content["budget"])
        return Saved(model, method, budget, content["seed"], content["training"])
    except (TensorFileError, DloptError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}. Give the model.pt of a run.") from error


def refuse_changes(path: Path, saved: Saved, model: Model, method: MethodOptions, budget: Budget, seed: int) -> None:
    """Check that a run to be resumed is of the same model, method, budget and seed.

    Raises:
        CheckpointError: it is not; the message names every key that differs.
    """
    if type(saved.model) is not type(model):
        raise CheckpointError(f"{path} was made for another kind of model. Start a new run.")
    differing = [
        f"model.{key}"
        for key, value in model.parameters().items()
        if key != "name" and not np.array_equal(np.asarray(value), np.asarray(saved.model.parameters()[key]))
    ]
    for section, ours, theirs in (("method", method, saved.method), ("budget", budget, saved.budget)):
        for field in dataclasses.fields(ours):
            now, was = getattr(ours, field.name), getattr(theirs, field.name)
            if now != was and field.name != "checkpoint_seconds":
                differing.append(f"{section}.{field.name} (was {was}, now {now})")
    if seed != saved.seed:
        differing.append(f"seed (was {saved.seed}, now {seed})")
    if differing:
        raise CheckpointError(
            f"{path} was made with other settings, so it cannot be resumed: {', '.join(differing)}. "
            "Give the same ones, or start a new run."
        )
