"""Emissions, damages and prices of carbon as analysts give them: numbers, sentences, or tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from dlopt.policies.words import listed
from dlopt.trade.calibration import Calibration
from dlopt.trade.places import ALL, economies_of, sectors_of
from dlopt.trade.rules import PolicyWordsError

_BODY = re.compile(
    r"(?P<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)(?:\s+(?:on|in)\s+(?P<sectors>.+?))?(?:\s+from\s+(?P<origins>.+))?",
    re.IGNORECASE,
)


def emissions_from(path: str | Path, calibration: Calibration) -> Tensor:
    """Emissions of the baseline, `[country, sector]`, from a table with columns `economy`, `sector`, `emissions`.

    Rows of the same economy and sector add up; what is not there emits nothing.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    out = torch.zeros_like(calibration.subsidy)
    for where, (economy, sector, amount) in rows_of(Path(path).expanduser(), ("economy", "sector", "emissions")):
        value = number_of(amount, where, "emissions")
        out[calibration.economy_index(economy), calibration.sector_index(sector)] += value
    return out


def damages_from(text: str, calibration: Calibration) -> Tensor:
    """What one more tonne costs each economy, money per tonne, `[country]`.

    A number is the world's, shared by value added; `USA: 20; CHN: 30` says each economy's; a table has the columns
    `economy` and `damage`.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    c = calibration
    if _is_number(text):
        kappa = (1 + c.tariff) * (1 + c.export_tax) * (1 - c.subsidy)[:, None]
        value_added = (c.value_added_share * (c.trade / kappa).sum(1)).sum(1)
        return number_of(text, "carbon.damages", "damages") * value_added / value_added.sum()
    out = torch.zeros_like(c.subsidy[:, 0])
    if _is_table(text):
        for where, (economy, damage) in rows_of(Path(text).expanduser(), ("economy", "damage")):
            out[economies_of(economy, c)] = number_of(damage, where, "damage")
        return out
    for who, number, sectors, origins, where in _sentences(text, "'USA: 20; CHN: 30'"):
        if sectors or origins:
            raise PolicyWordsError(f"{where}: damages are by economy. Write 'USA: 20; CHN: 30'.")
        for name in who:
            out[economies_of(name, c)] = number
    return out


def carbon_prices_from(text: str, calibration: Calibration, notes: list[str]) -> Tensor:
    """Prices of carbon that producers pay, money per tonne, `[country, sector]`.

    A number is everybody's; sentences are `WHO: PRICE [on SECTORS]`, all sectors if none are named; a table has the
    columns `economy`, `sector`, `price`.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    c, out = calibration, torch.zeros_like(calibration.subsidy)
    if _is_number(text):
        return torch.full_like(out, number_of(text, "carbon.tax", "price"))
    if _is_table(text):
        for where, (economy, sector, price) in rows_of(Path(text).expanduser(), ("economy", "sector", "price")):
            for k in economies_of(economy, c):
                out[k, _sectors([sector], c, notes)] = number_of(price, where, "price")
        return out
    for who, number, sectors, origins, where in _sentences(text, "'EU: 80; USA: 50 on steel'"):
        if origins:
            raise PolicyWordsError(f"{where}: a carbon tax is on production, 'from' is for carbon.border_tax.")
        for name in who:
            for k in economies_of(name, c):
                out[k, _sectors(sectors, c, notes)] = number
    return out


def border_prices_from(text: str, calibration: Calibration, notes: list[str]) -> Tensor:
    """Prices of the carbon in imports, money per tonne, `[origin, destination, sector]`; never on goods sold at home.

    Sentences are `WHO: PRICE [on SECTORS] [from WHOM]`; a table has the columns `importer`, `origin`,
    `sector`, `price`.

    Raises:
        PolicyWordsError, UnknownNameError: what is wrong, and where.
    """
    c, out = calibration, torch.zeros_like(calibration.tariff)
    found: list[tuple[list[int], list[int], list[int], float]] = []
    if _is_number(text):
        everybody = list(range(c.n_economies))
        found.append((everybody, everybody, list(range(c.n_sectors)), number_of(text, "carbon.border_tax", "price")))
    elif _is_table(text):
        columns = ("importer", "origin", "sector", "price")
        for where, (importer, origin, sector, price) in rows_of(Path(text).expanduser(), columns):
            places = (economies_of(importer, c), economies_of(origin, c), _sectors([sector], c, notes))
            found.append((*places, number_of(price, where, "price")))
    else:
        for who, number, sectors, origins, _ in _sentences(text, "'EU: 80 on steel from CHN,IND'"):
            sources = [k for name in origins or [ALL] for k in economies_of(name, c)]
            buyers = [k for name in who for k in economies_of(name, c)]
            found.append((buyers, sources, _sectors(sectors, c, notes), number))
    for buyers, sources, chosen, number in found:
        for n in buyers:
            for i in sources:
                if i != n:
                    out[i, n, chosen] = number
    return out


def _sectors(words: Sequence[str], calibration: Calibration, notes: list[str]) -> list[int]:
    """Every sector where none or `all` are named: carbon is carbon, whatever is traded."""
    if not words or [word.casefold() for word in words] == [ALL]:
        return list(range(calibration.n_sectors))
    return sectors_of(words, calibration, notes)


def _sentences(text: str, example: str) -> list[tuple[list[str], float, list[str], list[str], str]]:
    """Who, the number, sectors, origins, and the sentence itself."""
    found = []
    for sentence in (part.strip() for part in text.split(";") if part.strip()):
        who, _, body = sentence.partition(":")
        match = _BODY.fullmatch(body.strip())
        if match is None or not who.strip():
            raise PolicyWordsError(
                f"{sentence!r} does not say who, and how much per tonne. Write {example}, or a CSV file."
            )
        sectors, origins = (list(listed(match[k])) if match[k] else [] for k in ("sectors", "origins"))
        found.append((list(listed(who)), float(match["number"]), sectors, origins, repr(sentence)))
    if not found:
        raise PolicyWordsError(f"Nothing is said. Write {example}, or a CSV file.")
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_table(text: str) -> bool:
    return ":" not in text or Path(text).suffix in (".csv", ".parquet")


def rows_of(path: Path, columns: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Where each row is, and its cells as text."""
    try:
        frame = (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str, keep_default_na=False)
        )
    except (OSError, ValueError) as error:
        raise PolicyWordsError(f"{path} cannot be read as a table ({error}). Give a CSV file.") from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise PolicyWordsError(f"{path} has no column {missing[0]!r}. It needs {', '.join(columns)}.")
    cells = frame[list(columns)].astype(str).itertuples(index=False)
    return [(f"{path}, row {number}", tuple(row)) for number, row in enumerate(cells, 2)]


def number_of(text: str, where: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise PolicyWordsError(f"{where}: {what}={text!r}. Write a finite number, 0 or more.")
    return value
