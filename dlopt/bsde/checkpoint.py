"""`model.pt`: a training in full, written atomically and loaded without running code."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlopt.bsde.exporter import Exporter
from dlopt.bsde.network_economy import NetworkEconomy
from dlopt.bsde.options import MethodOptions
from dlopt.errors import DloptError
from dlopt.files import replacing

FORMAT = 1
KINDS: dict[str, Any] = {"export": Exporter, "network": NetworkEconomy}


class CheckpointError(DloptError):
    """A checkpoint that cannot be read, or does not belong to this model and method."""


def save_checkpoint(
    path: Path, model: Exporter | NetworkEconomy, options: MethodOptions, seed: int, training: dict[str, Any]
) -> None:
    """Write everything needed to evaluate the value function, and to go on training exactly.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    parameters = {
        key: torch.tensor(np.array(value)) if isinstance(value, np.ndarray) else value
        for key, value in model.parameters().items()
    }
    parameters["names"] = list(model.names)
    content = {
        "format": FORMAT,
        "kind": next(kind for kind, made in KINDS.items() if isinstance(model, made)),
        "model": parameters,
        "method": dataclasses.asdict(options),
        "seed": seed,
        "training": training,
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> tuple[Any, MethodOptions, int, dict[str, Any]]:
    """Model (an `Exporter` or a `NetworkEconomy`), method, seed and the state of the training.

    Raises:
        CheckpointError: not a checkpoint of this version.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        if content["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {content['format']}, this version reads {FORMAT}. Train again, or use its version."
            )
        parameters: dict[str, Any] = {
            k: v.cpu().numpy() if isinstance(v, torch.Tensor) else v for k, v in content["model"].items()
        }
        parameters["names"] = tuple(parameters["names"])
        model = KINDS[content.get("kind", "export")](**parameters)
        return model, MethodOptions(**content["method"]), content["seed"], content["training"]
    except CheckpointError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}. Give the model.pt of a run.") from error


def refuse_changes(path: Path, saved: tuple[Any, MethodOptions, int], asked: tuple[Any, MethodOptions, int]) -> None:
    """Check that a run to be resumed is of the same model, method and seed.

    Raises:
        CheckpointError: it is not; the message names every key that differs.
    """
    differing = []
    if type(saved[0]) is not type(asked[0]):
        raise CheckpointError(f"{path} was made for another kind of model. Start a new run.")
    for key, value in asked[0].parameters().items():
        if key != "name" and not np.array_equal(np.asarray(value), np.asarray(getattr(saved[0], key))):
            differing.append(f"model.{key}")
    for field in dataclasses.fields(MethodOptions):
        ours, theirs = getattr(asked[1], field.name), getattr(saved[1], field.name)
        if ours != theirs:
            differing.append(f"method.{field.name} (was {theirs}, now {ours})")
    if asked[2] != saved[2]:
        differing.append(f"seed (was {saved[2]}, now {asked[2]})")
    if differing:
        raise CheckpointError(
            f"{path} was made with other settings, so it cannot be resumed: {', '.join(differing)}. "
            "Give the same ones, or start a new run."
        )
