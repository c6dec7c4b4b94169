"""Commands nobody would type: random overrides, and numbers that are none."""

from __future__ import annotations

import random
from pathlib import Path

from dlopt.cli.solve.check import check
from dlopt.cli.solve.composing import compose_words, session
from dlopt.cli.solve.job import candidates, extra_words
from dlopt.cli.solve.schema import keys_of, register
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
    "cooperative": "scenario=cooperation", "bsde": "model=separable",
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
        known = ["scenario", *(key for kind in candidates(verb, None, False) for key in keys_of(kind, verb))]
        given = [*flags, VERBS[verb]] if verb == "bsde" else [*flags, VERBS[verb], f"calibration={calibration}"]
        words = random_words(generator, [*known, *known, *hydra])
        how, said = answer(lambda verb=verb, given=[*given, *words]: check(verb, given))
        new = set(Path.cwd().iterdir()) - before
        tally.add(how, f"{verb} {words!r}: {said}" if how == "wrong" else "", f"{words!r} wrote {new}" if new else "")
    return tally


def of_numbers(calibration: Path) -> Tally:
    """NaN and infinities as the value of every numeric key, and in lists and mappings: refused."""
    tally, world = Tally("NaN, Inf as every numeric key"), f"calibration={calibration}"
    commands: dict[tuple[str, ...], list[str]] = {
        ("nash", "scenario=dual", world): [],
        ("nash", "scenario=dual", world, "solver=best_response"): [],
        ("bsde", "model=separable"): [],
        ("bsde", "scenario=network", "method=network", "model=synthetic3"): [],
    }
    for verb, *start in commands:
        others = [key for words, keys in commands.items() if words[0] == verb for key in keys]
        commands[verb, *start] = [key for key in numeric_keys(verb, start) if key not in others]
    entries = [(verb, start, f"{key}={{}}") for (verb, *start), keys in commands.items() for key in keys]
    for bound in ("bounds.tariff=[0,{}]", "bounds.export_tax=[{},1]", "bounds.subsidy=[0,{}]"):
        entries.append(("nash", ["scenario=dual", world], bound))
    entries.append(("cooperative", ["scenario=cooperation", world], "weights={{E1:{}}}"))
    for verb, start, entry in entries:
        for value in ("nan", "inf", "-inf", "1e400"):
            word = entry.format(value)
            how, said = answer(lambda verb=verb, words=[*start, word]: check(verb, words))
            tally.add(how, "" if how == "refused" else f"{verb} {word}: {how} {str(said)[:200]}")
    return tally


def numeric_keys(verb: str, words: list[str]) -> list[str]:
    """Every key of a command whose type is a number, with what the words choose."""
    register(candidates(verb, None, False))
    with session(None):
        cfg = compose_words([*words, *extra_words(verb, words, None)], "bsde" if verb == "bsde" else "config")
    keys = []
    for section, node in (("", cfg), *((f"{name}.", cfg[name]) for name in cfg)):
        if not isinstance(node, DictConfig) or section in ("hydra.", "scenario.", "weights."):
            continue
        for name in node:
            if node._get_node(name)._metadata.ref_type in (int, float):
                keys.append(f"{section}{name}")
    return keys
