"""Import a bundle as it is."""

from __future__ import annotations

from dlopt.calibrations.importing import import_bundle

read = import_bundle
"""The importer's name for it."""
