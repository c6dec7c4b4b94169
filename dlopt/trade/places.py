"""Names in policies: which economies and sectors of a calibration a word stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlopt.errors import UnknownNameError
from dlopt.trade.calibration import Calibration

ALL = "all"

SECTOR_WORDS = {
    "steel": ("iron and steel", "steel", "basic metals", "metals"),
    "aluminium": ("aluminium", "non-ferrous metals", "basic metals", "metals"),
    "aluminum": ("aluminium", "non-ferrous metals", "basic metals", "metals"),
    "cars": ("motor vehicles", "automobiles", "auto", "transport equipment"),
    "autos": ("motor vehicles", "automobiles", "auto", "transport equipment"),
    "motor vehicles": ("motor vehicles", "automobiles", "auto", "transport equipment"),
    "semiconductors": ("semiconductors", "computers and electronics", "electronics", "computer"),
    "electronics": ("computers and electronics", "electronics", "computer"),
    "pharmaceuticals": ("pharmaceuticals", "pharma", "chemicals"),
    "energy": ("mining, energy", "energy", "petroleum", "mining"),
    "food": ("food", "processed food"),
    "farm products": ("agriculture", "crops"),
}
"""Everyday words -> parts of sector names to look for, the first that is found being taken."""


def economies_of(word: str, calibration: Calibration) -> list[int]:
    """Positions of the economies a word stands for: a label, or `all`.

    Raises:
        UnknownNameError: it stands for none.
    """
    labels = calibration.economies
    if word.lower() == ALL:
        return list(range(len(labels)))
    folded = {label.casefold(): k for k, label in enumerate(labels)}
    if word.casefold() in folded:
        return [folded[word.casefold()]]
    raise UnknownNameError("economy", word, [ALL, *labels])


def sectors_of(words: Sequence[str], calibration: Calibration, notes: list[str]) -> list[int]:
    """Positions of the sectors that words stand for; no words mean all tradable sectors.

    A word is a label, a name (capitals do not matter), `all` (the tradable sectors), `services` (the others), or an
    everyday word such as steel. Where such a word is less than a whole sector, `notes` says so.

    Raises:
        UnknownNameError: a word stands for no sector.
    """
    tradable = [k for k, goods in enumerate(calibration.tradable.tolist()) if goods]
    if not words:
        return tradable
    found: list[int] = []
    for word in _joined(words, calibration):
        if word.lower() == ALL:
            found += tradable
        elif word.lower() == "services":
            found += [k for k in range(calibration.n_sectors) if k not in tradable]
        else:
            found.append(_sector(word, calibration, notes))
    return list(dict.fromkeys(found))


def _sector(word: str, calibration: Calibration, notes: list[str]) -> int:
    folded = _folded(calibration)
    if word.casefold() in folded:
        return folded[word.casefold()]
    names = [name.casefold() for name in calibration.sector_names]
    for part in SECTOR_WORDS.get(word.casefold(), ()):
        hits = [k for k, name in enumerate(names) if re.search(rf"\b{re.escape(part)}", name)]
        if hits:
            sector = calibration.sector_names[hits[0]]
            note = f"{word} is taken as the whole sector {calibration.sectors[hits[0]]} ({sector})."
            if note not in notes:
                notes.append(note)
            return hits[0]
    raise UnknownNameError("sector", word, [ALL, "services", *SECTOR_WORDS, *_shown(calibration)])


def _joined(words: Sequence[str], calibration: Calibration) -> list[str]:
    """Names with commas inside, put together again where that makes a name of a sector."""
    folded, joined, start = _folded(calibration), [], 0
    while start < len(words):
        for end in range(len(words), start, -1):
            name = ", ".join(words[start:end])
            if end == start + 1 or name.casefold() in folded:
                joined.append(name)
                start = end
                break
    return joined


def _folded(calibration: Calibration) -> dict[str, int]:
    names = {name.casefold(): k for k, name in enumerate(calibration.sector_names)}
    return names | {label.casefold(): k for k, label in enumerate(calibration.sectors)}


def _shown(calibration: Calibration) -> list[str]:
    pairs = zip(calibration.sectors, calibration.sector_names, strict=True)
    return [label if label == name else f"{label} ({name})" for label, name in pairs]
