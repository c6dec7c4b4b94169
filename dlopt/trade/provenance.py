"""What a calibration says of where it comes from, in the words users read. Free of torch, so that lists stay fast."""

from __future__ import annotations

STYLISED = "stylised, not data"
"""Said of worlds that are made up."""
UNSAID = ("", "none", "not stated", "as in the source")
"""Years and units of a calibration that say nothing."""


def stylised(source: str) -> bool:
    """Whether the source of a calibration says that it is no data."""
    return "not data" in source
