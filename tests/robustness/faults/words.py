"""Commands nobody would type: random overrides, and numbers that are none."""

from __future__ import annotations

import random
from pathlib import Path

from dlopt.cli.bsde import _check as check_bsde
from dlopt.cli.bsde_config import allowed_keys as bsde_keys
from dlopt.cli.bsde_config import register as register_bsde
from dlopt.cli.check import check as check_solve
from dlopt.cli.composing import compose_words, session
from dlopt.cli.config import allowed_keys, register
from dlopt.cli.verbs import VERBS as KNOWN
from omegaconf import DictConfig

from .command import Tally
from .guard import answer

_SIGNS = "=,:[]{}()'\"\\$~+-*&^%#@!?<>|;./ \t\n\r\0\x1b\u202e\ud7ffäß中😀0123456789abcxyzNIeE_"
_VALUES = (
    "nan", "inf", "-inf", "1e400", "-1", "0", "1e-320", "9" * 400, "0x10", "1_000", "true", "null", "''", "[]", "{}",
    "[[]]", "[null]", "{a:1}", "[nan]", "[1,2,3]", "[1,0]", "${seed}", "${oc.env:HOME}", "${oc.env:NOWHERE}", "${",
    "../../etc/passwd", "/dev/zero", "/dev/full", "/proc/self/mem", "\n", "a=b", "x" * 5000, "[" * 200, "dual",
    "all", "USA", "[USA,USA]", "!!python/object/apply:os.system [id]", "__import__('os')", "%s%n", "2147483648",
)  # fmt: skip
_PREFIXES = ("",) * 9 + ("+", "++", "~")
VERBS = {
    "equilibrium": "scenario=given_policy", "unilateral": "scenario=dual", "nash": "scenario=dual",
    "cooperative": "scenario=cooperation", "bsde": "model=blocks",
}  # fmt: skip


def random_words(generator: random.Random, keys: list[str]) -> list[str]:
    """One or two overrides: keys and values that exist, or signs at random."""
    words = []
    for _ in range(generator.randint(1, 2)):
        kind = generator.randrange(6)
        if kind == 0:
            words.append("".join(generator.choice(_SIGNS) for _ in range(generator.randint(1, 30))))
        else:
            key = generator.choice(keys)
            if kind == 1:
                value = "".join(generator.choice(_SIGNS) for _ in range(generator.randint(0, 20)))
            else:
                value = generator.choice(_VALUES)
            words.append(f"{generator.choice(_PREFIXES)}{key}={value}")
    return words


def of_overrides(calibration: Path, count: int, seed: int) -> Tally:
    """Random override strings before every verb: accepted or refused in words, nothing written."""
    tally, generator = Tally("random override strings"), random.Random(seed)
    hydra = ["hydra.run.dir", "hydra.sweep.dir", "hydra.job.name", "hydra/launcher", "hydra.verbose", "hydra.nothing"]
    for _ in range(count):
        verb = generator.choice(list(VERBS))
        flags = ["-m"] if generator.random() < 0.1 else []
        before = set(Path.cwd().iterdir())
        if verb == "bsde":
            words = random_words(generator, [*bsde_keys(), *bsde_keys(), *hydra])
            how, said = answer(lambda given=[*flags, *words]: check_bsde(given))
        else:
            known = [key for key in allowed_keys() if key.partition(".")[0] in KNOWN[verb].keys]
            words = random_words(generator, [*known, *known, "scenario", "solver", *hydra])
            given = [*flags, VERBS[verb], f"calibration={calibration}", *words]
            how, said = answer(lambda verb=verb, given=given: check_solve(verb, given))
        new = set(Path.cwd().iterdir()) - before
        tally.add(how, f"{verb} {words!r}: {said}" if how == "wrong" else "", f"{words!r} wrote {new}" if new else "")
    return tally


def of_numbers(calibration: Path) -> Tally:
    """NaN and infinities as the value of every numeric key, and in the lists and mappings: refused."""
    tally = Tally("NaN, Inf as every numeric key")
    for verb, start, check in (
        ("nash", [f"calibration={calibration}", "scenario=dual"], lambda words: check_solve("nash", words)),
        ("nash", [f"calibration={calibration}", "scenario=dual", "solver=best_response"], None),
        ("bsde", ["model=blocks"], check_bsde),
        ("bsde", ["scenario=network", "method=network", "model=synthetic3"], check_bsde),
    ):
        check = check or (lambda words: check_solve("nash", words))
        for key in numeric_keys(verb, start):
            for value in ("nan", "inf", "-inf", "1e400"):
                word = f"{key}={value}"
                how, said = answer(lambda check=check, words=[*start, word]: check(words))
                tally.add(how, "" if how == "refused" else f"{verb} {word}: {how} {str(said)[:200]}")
    others = {
        "nash": ("bounds.tariff=[0,{}]", "bounds.export_tax=[{},1]", "bounds.subsidy=[0,{}]"),
        "cooperative": ("weights={{E1:{}}}",),
    }
    for verb, templates in others.items():
        for template in templates:
            for value in ("nan", "inf", "-inf", "1e400"):
                word = template.format(value)
                given = [VERBS[verb], f"calibration={calibration}", word]
                how, said = answer(lambda verb=verb, given=given: check_solve(verb, given))
                tally.add(how, "" if how == "refused" else f"{word}: {how} {str(said)[:200]}")
    return tally


def numeric_keys(verb: str, words: list[str]) -> list[str]:
    """Every key of a command whose type is a number, with what the words choose."""
    if verb == "bsde":
        register_bsde()
    else:
        register()
    with session(None):
        extra = [] if verb == "bsde" else [f"verb={verb}"]
        cfg = compose_words([*words, *extra], "bsde" if verb == "bsde" else "config")
    keys = []
    for section, node in ((None, cfg), *((str(name), cfg[name]) for name in cfg if name != "hydra")):
        if not isinstance(node, DictConfig) or section in ("scenario", "weights"):
            continue
        for name in node:
            kind = node._get_node(name)
            optional_number = getattr(kind, "_metadata", None) is not None and kind._metadata.ref_type in (int, float)
            if optional_number:
                keys.append(f"{section}.{name}" if section else str(name))
    return keys
