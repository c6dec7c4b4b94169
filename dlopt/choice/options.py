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
        hidden, layers: the network on all states; with `loss=paper` the layers that V and sigma^V share.
        subnet: units in the two further layers of V and of sigma^V each, for `loss=paper`.
        conditional: units per layer of the network of what channels and pairs are worth given x; 0: none.
        batch: states per step.
        pieces: parts of each batch that are evaluated one by one. As many processes train as one does, to the last bit;
            more have a piece each, and train as one does to rounding.
        pool: on-policy states kept alive.
        pool_share: share of each batch that comes from them; the others are random. 0: all are random.
        pool_years: years a pool state moves each time it is used.
        width: spread of the random states, in long-run standard deviations.
        off_manifold: share of these with continuous states drawn one by one rather than from the common shocks.
        learning_rate: of Adam, at its highest; with loss=hjb and more than 100 switches that can move at once, divided
            by the root of how many hundreds there are.
        muon_rate: of Muon, likewise, on the matrices between hidden layers; 0: Adam for these, too.
        refine: what is chosen after training, from simulated paths: `weights` (the network's output weights and the
            constant in V), `constant`, or `none`: V as trained.
        target: the run counts as converged when the mean absolute residual over rho V is at most this.
        stop_at: training ends early when that residual falls to this, and at states from all over the state space to
            ten times this.
        loss_p: `corrected` (drift with the jump term) or `literal` (as printed), for `loss=paper`.
        loss_a: V_t in Loss_A from the `network`, or `propagated` along the path (as printed), for `loss=paper`.
        pt_normalisation: divide by P_t as in the paper's equation (11), for `loss=paper`.
        delta: length of a sub-interval in years, for `loss=paper` and the out-of-sample losses.
        intervals: sub-intervals in [0, T].
        sigma: sigma^V in Loss_P from `ito` (gradient of V) or from a `network` of its own.
    """

    loss: str = "hjb"
    baseline: str = "meanfield"
    hidden: int = 32
    layers: int = 3
    subnet: int = 256
    conditional: int = 64
    batch: int = 128
    pieces: int = 1
    pool: int = 1024
    pool_share: float = 0.5
    pool_years: float = 0.5
    width: float = 1.0
    off_manifold: float = 0.0
    learning_rate: float = 2e-3
    muon_rate: float = 0.02
    refine: str = "weights"
    target: float = 2e-3
    stop_at: float = 1e-4
    loss_p: str = "corrected"
    loss_a: str = "network"
    pt_normalisation: bool = False
    delta: float = 0.01
    intervals: int = 2
    sigma: str = "ito"

    def __post_init__(self) -> None:
        choices = {
            "loss": ("hjb", "paper"),
            "baseline": ("none", "constant", "meanfield"),
            "loss_p": ("corrected", "literal"),
            "loss_a": ("network", "propagated"),
            "refine": ("weights", "constant", "none"),
            "sigma": ("ito", "network"),
        }
        faults = [
            f"method.{key}={getattr(self, key)!r} is not one of {', '.join(valid)}"
            for key, valid in choices.items()
            if getattr(self, key) not in valid
        ]
        positive = (
            "hidden", "layers", "subnet", "batch", "pieces", "pool", "pool_years", "width", "learning_rate", "target",
            "delta", "intervals",
        )  # fmt: skip
        faults += [
            f"method.{key}={getattr(self, key)} must be positive" for key in positive if not getattr(self, key) > 0
        ]
        if self.conditional < 0 or self.stop_at < 0 or not self.muon_rate >= 0:
            faults.append("method.conditional, method.stop_at and method.muon_rate must not be negative")
        if not 0 <= self.off_manifold <= 1:
            faults.append(f"method.off_manifold={self.off_manifold} must be between 0 and 1")
        if not 0 <= self.pool_share < 1:
            faults.append(f"method.pool_share={self.pool_share} must be from 0 to below 1")
        elif self.batch < 2 or self.pool < self.pooled:
            faults.append("method.batch must be at least 2, and method.pool at least method.pool_share of it")
        elif self.loss == "hjb" and self.pooled == 0:
            faults.append("method.loss=hjb needs on-policy states in each batch: a larger method.pool_share")
        if self.sigma == "network" and self.loss != "paper":
            faults.append("method.sigma=network needs method.loss=paper")
        if faults:
            raise ModelError("The method cannot be used: " + "; ".join(faults) + ".")

    @property
    def pooled(self) -> int:
        """How many states of a batch come from the pool."""
        return int(self.batch * self.pool_share)


PAPER = MethodOptions(
    loss="paper", baseline="none", hidden=256, layers=3, subnet=256, conditional=0, batch=32, pool=1024, pool_share=0,
    learning_rate=1e-3, muon_rate=0, refine="none", loss_p="literal", loss_a="propagated", pt_normalisation=True,
    sigma="network",
)  # fmt: skip
"""The method of Huang and Yu (2024) as printed in their section 2.3, for the exporter.

Theirs are the network (three shared layers and two for each of V and sigma^V, 256 nodes), the two losses, and the paths
from random states. They do not state the activation, Delta, T, batch, optimiser, learning rate and how initial states
are drawn; these are ours. So is where V starts, at the mean of u / rho over random states, and the unit of the
network's output, the root mean square of u / rho.
"""


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
        box: random points of a box of parameters at which errors against exact solutions are reported.
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
    box: int = 5
