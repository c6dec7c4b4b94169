"""How many jobs of a sweep run at once on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig


def parallelism(composed: Sequence[DictConfig], overrides: Sequence[Override]) -> list[str]:
    """For the joblib launcher: as many jobs as the cores allow with the threads each may use, unless told otherwise."""
    if composed[0].hydra.runtime.choices.get("hydra/launcher") != "joblib":
        return []
    if any(override.key_or_group == "hydra.launcher.n_jobs" for override in overrides):
        return []
    cores = _cores()
    threads = max(int(cfg.threads) or cores for cfg in composed)
    return [f"hydra.launcher.n_jobs={max(1, cores // threads)}"]


def _cores() -> int:
    """Cores this process may use, containers' limits included where joblib is there to tell."""
    try:
        from joblib import cpu_count
    except ImportError:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(cpu_count())
