"""What a training says, in words."""

from __future__ import annotations

import math
from typing import Any

from dlopt.kind import Step, Watch


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
            decisions = "" if math.isnan(accuracy) else f" · decisions {100 * accuracy:.2f} %"
            words = f"step {progress.step}/{progress.steps} · {progress.seconds:.0f} s{decisions}"
            words = f"{words} · residual {progress.hjb_residual_rel:.1e}"
        self.watch.progress(Step("step", words))

    def stop(self) -> bool:
        return self.watch.stop()
