"""The config schema of `dlopt solve bsde`: the option dataclasses of dlopt.choice, made known to Hydra."""

from __future__ import annotations

import dataclasses
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from dlopt.choice.options import PAPER, AnalysisOptions, Budget, MethodOptions
from dlopt.choice.production.value import NETWORK_METHOD

from .config import ScenarioSchema, schema_of

MethodSchema = schema_of(MethodOptions)
BudgetSchema = schema_of(Budget)
AnalysisSchema = schema_of(AnalysisOptions)

KEYS = {
    "model": "a preset (gravity, gravity_strong, lumped, separable, blocks; network: synthetic, synthetic3), an "
    "imported economy (bea37), or a model folder",
    "method": "default (network: network), paper, or exact where the model allows it (method.KEY sets an option)",
    "budget.seconds": "time to train for; sets the number of steps",
    "budget.steps": "gradient steps; a run repeats exactly for given steps, seed and threads",
    "analysis": "sizes of the simulations afterwards (analysis.KEY)",
    "evaluate": "a table of states: state, y_1.., nu_1.. (network: state, z, eps_1.., y_BUYER_SUPPLIER..)",
    "resume": "a run folder to go on with, exactly; its settings are taken over",
    "seed": "of every random draw",
    "threads": "of torch; 1 is best at these sizes, 0 means all cores this process may use",
    "device": "auto, cpu or cuda",
}
"""Key -> what it means, in the order the help shows them."""


@dataclasses.dataclass
class ExactSchema:
    """`method=exact` has no options."""


@dataclasses.dataclass
class BsdeConfig:
    """Every key of `dlopt solve bsde`."""

    scenario: ScenarioSchema = dataclasses.field(default_factory=ScenarioSchema)
    model: str = "gravity"
    method: Any = MISSING
    budget: BudgetSchema = dataclasses.field(default_factory=BudgetSchema)  # type: ignore[valid-type]
    analysis: AnalysisSchema = dataclasses.field(default_factory=AnalysisSchema)  # type: ignore[valid-type]
    evaluate: str | None = None
    resume: str | None = None
    seed: int = 0
    threads: int = 1
    device: str = "auto"


def register() -> None:
    """Make the schema and the methods known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="bsde_schema", node=BsdeConfig)
    store.store(group="method", name="default", node=MethodSchema)
    store.store(group="method", name="network", node=MethodSchema(**dataclasses.asdict(NETWORK_METHOD)))
    store.store(group="method", name="paper", node=MethodSchema(**dataclasses.asdict(PAPER)))
    store.store(group="method", name="exact", node=ExactSchema)


def allowed_keys() -> list[str]:
    """Dotted names of all keys a user may set."""
    keys = ["scenario", "method"]
    for field in dataclasses.fields(BsdeConfig):
        if field.name not in ("scenario", "method"):
            keys.append(field.name)
    for section, options in (("method", MethodOptions), ("budget", Budget), ("analysis", AnalysisOptions)):
        keys += [f"{section}.{field.name}" for field in dataclasses.fields(options)]
    return [key for key in keys if key not in ("budget", "analysis")]
