"""Political weights as analysts say them: sentences such as `USA: 1.5 on steel,cars`, or tables."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from dlopt.policies.words import listed
from dlopt.trade.calibration import Calibration
from dlopt.trade.places import economies_of, sectors_of
from dlopt.trade.rules import PolicyWordsError

FORM = "WHO: WEIGHT on SECTORS, such as 'USA: 1.5 on steel,motor vehicles; all: 1.2 on farm products'"
COLUMNS = ("economy", "sector", "weight")
"""Of a table of weights."""
_BODY = re.compile(r"(?P<weight>\d+(?:\.\d*)?|\.\d+)\s+(?:on|in|for)\s+(?P<sectors>.+)", re.IGNORECASE)


def weights_from(text: str, calibration: Calibration) -> tuple[Tensor, tuple[str, ...]]:
    """Weights of the income of sectors in what governments maximise, `[country, sector]`, one where nothing is said.

    Sentences are separated by `;`, each `WHO: WEIGHT on SECTORS`; later ones replace earlier ones. A CSV file has the
    columns `economy`, `sector` and `weight`; `all` stands for everybody, or all tradable sectors.

    Returns:
        The weights, and notes on how words were taken.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    weights, notes = torch.ones_like(calibration.subsidy), list[str]()
    path = Path(text).expanduser()
    rows: list[tuple[str, list[str], str, str]] = []
    if path.suffix == ".csv" and ":" not in text:
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise PolicyWordsError(
                f"{path} cannot be read as a table of weights ({error}). Give a CSV file."
            ) from error
        missing = [column for column in COLUMNS if column not in frame]
        if missing:
            raise PolicyWordsError(f"{path} has no column {missing[0]!r}. A table of weights has {', '.join(COLUMNS)}.")
        for number, (economy, sector, weight) in enumerate(frame[list(COLUMNS)].itertuples(index=False), 2):
            rows.append((str(economy), [str(sector)], str(weight), f"{path}, row {number}"))
    else:
        for sentence in (part.strip() for part in text.split(";") if part.strip()):
            who, _, body = sentence.partition(":")
            found = _BODY.fullmatch(body.strip())
            if found is None or not who.strip():
                raise PolicyWordsError(f"{sentence!r} does not say whose income counts how much. Write {FORM}.")
            rows += [(name, list(listed(found["sectors"])), found["weight"], repr(sentence)) for name in listed(who)]
    if not rows:
        raise PolicyWordsError(f"The political weights are empty. Write {FORM}, or a CSV file.")
    for who, words, text_of, where in rows:
        try:
            weight = float(text_of)
        except ValueError:
            weight = math.nan
        if not 0 <= weight < math.inf:
            raise PolicyWordsError(f"{where}: weight={text_of!r}. Write a number, 0 or more; 1 is no special weight.")
        economies, sectors = economies_of(who, calibration), sectors_of(words, calibration, notes)
        for economy in economies:
            weights[economy, sectors] = weight
    return weights, tuple(dict.fromkeys(notes))
