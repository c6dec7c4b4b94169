"""What can be chosen about a solution, as small frozen dataclasses with defaults."""

from __future__ import annotations

import dataclasses

from dlopt.choice.model import ModelError


@dataclasses.dataclass(frozen=True)
class MethodOptions:
    """How the value function is approximated and trained.

    Attributes:
        loss: `hjb` (squared Hamilton-Jacobi-Bellman residual) or `paper` (Loss_A + Loss_P of Huang and Yu).
        baseline: control variate the network corrects: `none`, `constant`, `meanfield`.
        hidden, layers: the network on all states.
        conditional: units per layer of the network of what channels and pairs are worth given x; 0: none.
        batch: states per step.
        pool: on-policy states kept alive; half of each batch comes from them.
        pool_years: years a pool state moves each time it is used.
        width: spread of the other half of a batch, in long-run standard deviations.
        off_manifold: share of that half with continuous states drawn one by one rather than from the common shocks.
        learning_rate: of Adam.
        muon_rate: of Muon, on the square matrices between hidden layers.
        target: the run counts as converged when the mean absolute residual over rho V is at most this.
        stop_at: training ends early when that residual falls to this.
        loss_p: `corrected` (drift with the jump term) or `literal` (as printed), for `loss=paper`.
        pt_normalisation: divide by P_t as in the paper's equation (11), for `loss=paper`.
        delta: length of a sub-interval in years, for `loss=paper` and the out-of-sample losses.
        intervals: sub-intervals in [0, T].
        sigma: sigma^V in Loss_P from `ito` (gradient of V) or from a `network` of its own.
    """

    loss: str = "hjb"
    baseline: str = "meanfield"
    hidden: int = 32
    layers: int = 3
    conditional: int = 64
    batch: int = 128
    pool: int = 1024
    pool_years: float = 0.5
    width: float = 1.0
    off_manifold: float = 0.0
    learning_rate: float = 2e-3
    muon_rate: float = 0.02
    target: float = 2e-3
    stop_at: float = 1e-4
    loss_p: str = "corrected"
    pt_normalisation: bool = False
    delta: float = 0.01
    intervals: int = 2
    sigma: str = "ito"

    def __post_init__(self) -> None:
        choices = {
            "loss": ("hjb", "paper"),
            "baseline": ("none", "constant", "meanfield"),
            "loss_p": ("corrected", "literal"),
            "sigma": ("ito", "network"),
        }
        faults = [
            f"method.{key}={getattr(self, key)!r} is not one of {', '.join(valid)}"
            for key, valid in choices.items()
            if getattr(self, key) not in valid
        ]
        positive = (
            "hidden", "layers", "batch", "pool", "pool_years", "width", "learning_rate", "muon_rate", "target",
            "delta", "intervals",
        )  # fmt: skip
        faults += [
            f"method.{key}={getattr(self, key)} must be positive" for key in positive if not getattr(self, key) > 0
        ]
        if self.conditional < 0 or self.stop_at < 0:
            faults.append("method.conditional and method.stop_at must not be negative")
        if not 0 <= self.off_manifold <= 1:
            faults.append(f"method.off_manifold={self.off_manifold} must be between 0 and 1")
        if self.batch < 2 or self.pool < self.batch // 2:
            faults.append("method.batch must be at least 2, and method.pool at least half of it")
        if self.sigma == "network" and self.loss != "paper":
            faults.append("method.sigma=network needs method.loss=paper")
        if faults:
            raise ModelError("The method cannot be used: " + "; ".join(faults) + ".")


PAPER = MethodOptions(
    loss="paper", baseline="none", hidden=256, layers=3, conditional=0, batch=32, pool=1024, sigma="network",
    learning_rate=1e-3,
)  # fmt: skip
"""The paper's network and losses: three shared layers and two per subnet, 256 nodes; drift corrected, no P_t."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to train. With neither `seconds` nor `steps`, 500 to 6,000 steps: see `training.STEPS`
    (1,000 of the paper's losses).

    Attributes:
        seconds: time to train for; sets `steps` from the speed of the first ones.
        steps: gradient steps. Runs repeat exactly for given steps, seed and thread count.
        checkpoint_seconds: time between checkpoints.
        evaluations: how often progress is measured.
    """

    seconds: float | None = None
    steps: int | None = None
    checkpoint_seconds: float = 30.0
    evaluations: int = 40

    def __post_init__(self) -> None:
        for key in ("seconds", "steps", "checkpoint_seconds", "evaluations"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ModelError(f"budget.{key}={value} must be positive.")


@dataclasses.dataclass(frozen=True)
class AnalysisOptions:
    """What is computed from the trained value function.

    Attributes:
        certificate_paths, certificate_years: simulation behind the value gap.
        out_of_sample: states for the losses on states never trained on.
        paths, years: long-run simulation behind the marginal values (the paper: 50,000 paths, 1,000 years).
        validation: states compared with the exact solution, where there is one.
        shock: size of the cost shock of the impulse responses, in long-run standard deviations of the first factor.
        response_years, response_paths: length and number of paths of the impulse responses.
    """

    certificate_paths: int = 256
    certificate_years: float = 100.0
    out_of_sample: int = 20_000
    paths: int = 1024
    years: float = 60.0
    validation: int = 4096
    shock: float = 1.0
    response_years: float = 20.0
    response_paths: int = 512
