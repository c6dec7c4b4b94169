"""What a training says, in words."""

from __future__ import annotations

import math
from typing import Any

from dlopt.kind import Step, Watch

PHASES = {
    "control variate": "first guess of the value (the control variate), which the network corrects",
    "training": "training the network",
    "exact solution": "solving exactly",
    "simulations": "simulating the long run",
    "certificate": "testing the solution on simulated lives",
    "losses out of sample": "measuring losses on paths that training has not seen",
    "errors against the exact solution": "comparing with the exact solution",
    "best replies": "finding the best reply of every delegate",
    "deviations": "testing what delegates gain by deviating",
    "long run": "drawing states that the solution visits in the long run",
    "search": "searching the parameters that explain the panel best",
    "standard errors": "computing standard errors",
    "moments": "comparing moments of the panel with those of the estimate",
    "counterfactuals": "solving the counterfactuals",
}
"""What is done in each phase of a solve or an estimation."""


class Worded(Watch):
    """Passes on what a training says, or a search that has `words` of its own."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def phase(self, name: str) -> None:
        self.watch.phase(name)

    def progress(self, progress: Any) -> None:
        words = getattr(progress, "words", None)
        if words is None:
            accuracy = progress.decision_accuracy
            decisions = "" if math.isnan(accuracy) else f", {100 * accuracy:.2f} % of decisions right"
            words = f"training, step {progress.step:,} of {progress.steps:,}: equation missed by "
            words += f"{100 * progress.hjb_residual_rel:.2g} %{decisions}"
        self.watch.progress(Step("step", words))

    def stop(self) -> bool:
        return self.watch.stop()
