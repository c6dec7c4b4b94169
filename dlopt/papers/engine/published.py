"""The numbers printed in the papers, as data files of the package. Nothing computed ever reads them."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import pandas as pd

FOLDER = Path(str(importlib.resources.files("dlopt.papers"))) / "published"
SOURCE = "Wang, Xu, Yang and Zhu (2024), University of Toronto Working Paper 781"
SECOND_SOURCE = "Huang and Yu (2024), The Chinese University of Hong Kong, February 29, 2024"


def published(name: str) -> pd.DataFrame:
    """One table of a paper, as its file has it."""
    return pd.read_csv(FOLDER / f"{name}.csv")
