"""Somebody who follows a solve and stops it."""

from __future__ import annotations

from dlopt.choice import Watch


class Until(Watch):
    """Stops training after some steps."""

    def __init__(self, steps):
        self.left = steps

    def stop(self):
        self.left -= 1
        return self.left <= 0
