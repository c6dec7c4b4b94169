"""Policies, shocks and weights in words and in files, suites, elasticities, covariances: nonsense and damage."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dlopt import Calibration, Policy
from dlopt.calibrations import read_policy
from dlopt.calibrations.elasticities import read_set
from dlopt.policies import policy_from, shock_from, weights_from
from dlopt.runs.suites import load_suite
from dlopt.trade.kind.uncertain import PriorKeys, uncertain

from .command import Tally
from .files import damaged
from .guard import answer

SENTENCES = (
    "USA: 25% on 6, 7 from all", "USA: +10% on all from CHN; CHN: 10% on 8 from USA", "IND: subsidy 5% on 9",
    "USA: export tax 3% on 7 to IND", "all: 0% on all from all", "us_2018_lists", "us_2025_04_02 + us_2018_lists",
)  # fmt: skip
SHOCKS = (
    "USA-CHN: +10% trade costs on 6", "CHN>USA: autarky", "IND: -5% productivity on 7, 8", "all: +2% labour",
    "USA: autarky; CHN: +5% productivity",
)  # fmt: skip
WEIGHTS = ("USA: 1.5 on 6", "all: 0.9 on 7, 8; CHN: 2 on 9")
_PARTS = (
    "USA", "CHN", "all", ":", ";", ",", "%", "+", "-", ">", " on ", " from ", " to ", "25", "1e9", "1e400", "nan",
    "inf", "-100", "-1000", "0x10", "autarky", "productivity", "trade costs", "labour", "subsidy", "export tax", "½",
    "\0", "\x1b]0;x\x07", "\u202e", "\n", "..", "/dev/zero", ".csv", "%s", "{0}", "us_2018_lists", " + ",
)  # fmt: skip
TABLES = {
    "schedule.csv": "importer,origin,sector,rate,change\nUSA,CHN,6,0.25,add\nUSA,all,all,0.1,set\n",
    "policy.csv": "instrument,origin,destination,sector,rate\ntariff,CHN,USA,6,0.25\nsubsidy,IND,,7,0.05\n",
    "shock.csv": "what,origin,destination,sector,factor\ntrade_cost,CHN,USA,6,1.1\nproductivity,IND,,7,0.95\n",
    "weights.csv": "economy,sector,weight\nUSA,6,1.5\nall,7,0.9\n",
    "elasticities.csv": "sector,isic,theta,standard_error,psi\nFood,10 11 12,4.5,0.5,0.1\nCars,29,6.0,1.0,\n",
    "covariance.csv": "{0},{1}\n0.01,0.002\n0.002,0.02\n",
    "suite.yaml": "description: two\nverb: equilibrium\nkeys: {calibration: stylized2017}\nscenarios:\n"
    "- {name: one, keys: {policy: us_2018_lists}}\ngrids:\n- name: t{rate}\n  vary: {rate: [10, 20]}\n"
    "  keys: {policy: 'USA: {rate}% on all from CHN'}\n",
}  # fmt: skip


def of_words(calibration: Calibration, count: int, seed: int) -> Tally:
    """Sentences with parts put in, left out or doubled: refused in words, or taken as rates that can be."""
    tally, generator = Tally("policies, shocks, political weights in random words"), random.Random(seed)
    kinds: tuple[tuple[tuple[str, ...], Callable[[str], Any]], ...] = (
        (SENTENCES, lambda text: policy_from(text, calibration).policy),
        (SHOCKS, lambda text: shock_from(text, calibration).shock),
        (WEIGHTS, lambda text: weights_from(text, calibration)[0]),
    )
    for good, read in kinds:
        for words in good:
            how, said = answer(lambda read=read, words=words: read(words))
            tally.wrong += [] if how == "accepted" else [f"{words!r} unchanged: {said}"]
    for _ in range(count):
        good, read = generator.choice(kinds)
        words = _changed(generator.choice(good), generator)
        how, said = answer(lambda read=read, words=words: read(words))
        tally.add(
            how, f"{words!r}: {said}" if how == "wrong" else "", _absurd(words, said if how == "accepted" else None)
        )
    return tally


def of_files(folder: Path, calibration: Calibration, count: int, seed: int) -> Tally:
    """Each kind of file damaged `count` times."""
    tally = Tally("schedules, policies, shocks, weights, elasticities, covariances, suites damaged")
    for path, read, generator in _readers(folder, calibration, seed):
        good = path.read_bytes()
        how, said = answer(read)
        if how != "accepted":
            tally.wrong.append(f"{path.name} undamaged: {said}")
        for _ in range(count):
            path.write_bytes(damaged(good, generator))
            how, said = answer(read)
            found = _absurd(path.name, said if how == "accepted" else None)
            tally.add(how, f"{path.name}: {said}" if how == "wrong" else "", found)
        path.write_bytes(good)
    return tally


def of_numbers(folder: Path, calibration: Calibration) -> Tally:
    """NaN and infinities in place of every number of these files; a shock of `inf` ends a flow, as it should."""
    tally = Tally("NaN, Inf in schedules, policies, shocks, weights, elasticities, covariances")
    for path, read, _ in _readers(folder, calibration, 0):
        good = path.read_text(encoding="utf-8")
        rows = good.splitlines()
        for value in ("nan", "inf", "-inf", "1e400"):
            for line in range(1, len(rows)) if path.suffix == ".csv" else ():
                cells = rows[line].split(",")
                for k, cell in enumerate(cells):
                    if "." not in cell:
                        continue
                    changed = [*rows[:line], ",".join([*cells[:k], value, *cells[k + 1 :]]), *rows[line + 1 :]]
                    path.write_text("\n".join(changed) + "\n", encoding="utf-8")
                    how, said = answer(read)
                    ends = path.name == "shock.csv" and cells[0] == "trade_cost" and value in ("inf", "1e400")
                    fine = how == "refused" or (ends and how == "accepted")
                    tally.add(how, "" if fine else f"{path.name} {cell} as {value}: {how} {str(said)[:200]}")
        path.write_text(good, encoding="utf-8")
    return tally


def _readers(folder: Path, calibration: Calibration, seed: int) -> list[tuple[Path, Callable[[], Any], random.Random]]:
    """Good files, and what reads them as the commands do."""
    folder.mkdir(exist_ok=True)
    labels = [f"theta[{sector}]" for sector in calibration.sectors[:2]]
    for name, text in TABLES.items():
        (folder / name).write_text(text.format(*labels) if name == "covariance.csv" else text, encoding="utf-8")
    prior = dataclasses.asdict(PriorKeys())
    calls: dict[str, Callable[[Path], Any]] = {
        "schedule.csv": lambda path: policy_from(str(path), calibration).policy,
        "policy.csv": lambda path: read_policy(path, calibration),
        "shock.csv": lambda path: shock_from(str(path), calibration).shock,
        "weights.csv": lambda path: weights_from(str(path), calibration)[0],
        "elasticities.csv": lambda path: read_set(path, "here"),
        "covariance.csv": lambda path: (
            uncertain({**prior, "of": ["theta"], "covariance": str(path)}, calibration, "").prior
        ),
        "suite.yaml": lambda path: load_suite(str(path)),
    }
    return [
        (folder / name, lambda read=read, path=folder / name: read(path), random.Random(seed + k))
        for k, (name, read) in enumerate(calls.items())
    ]


def _changed(text: str, generator: random.Random) -> str:
    for _ in range(generator.randint(1, 2)):
        at = generator.randrange(len(text) + 1)
        end = min(len(text), at + generator.randint(0, 6))
        match generator.randrange(4):
            case 0:
                text = text[:at] + generator.choice(_PARTS) + text[at:]
            case 1:
                text = text[:at] + text[end:]
            case 2:
                text = text[:end] + text[at:]
            case _:
                text = text[:at] + generator.choice(_PARTS) + text[end:]
    return text


def _absurd(what: str, taken: Any) -> str:
    """What no policy, shock or weight can be."""
    if isinstance(taken, Policy):
        rates = (taken.tariff, taken.export_tax, 0 - taken.subsidy)
        return "" if all(bool((r > -1).all() and r.isfinite().all()) for r in rates) else f"{what!r}: impossible rates"
    if isinstance(taken, torch.Tensor):
        return "" if bool((taken >= 0).all() and taken.isfinite().all()) else f"{what!r}: impossible weights"
    factors = [f for f in vars(taken).values() if isinstance(f, torch.Tensor)] if hasattr(taken, "productivity") else []
    return "" if all(bool((f > 0).all()) for f in factors) else f"{what!r}: impossible factors"
