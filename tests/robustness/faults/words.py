"""Commands nobody would type: random overrides, and numbers that are none."""

from __future__ import annotations

import random
from pathlib import Path

from dlopt.cli.bsde import _check as check_bsde
from dlopt.cli.check import check
from dlopt.cli.config import allowed_keys
from dlopt.cli.verbs import VERBS as KNOWN

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
    "cooperative": "scenario=cooperation",
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
        known = [key for key in allowed_keys() if key.partition(".")[0] in KNOWN[verb].keys]
        words = random_words(generator, [*known, *known, "scenario", "solver", *hydra])
        flags = ["-m"] if generator.random() < 0.1 else []
        given = [*flags, VERBS[verb], f"calibration={calibration}", *words]
        before = set(Path.cwd().iterdir())
        how, said = answer(lambda verb=verb, given=given: check(verb, given))
        new = set(Path.cwd().iterdir()) - before
        tally.add(how, f"{verb} {words!r}: {said}" if how == "wrong" else "", f"{words!r} wrote {new}" if new else "")
    return tally


def of_numbers(calibration: Path) -> Tally:
    """NaN and infinities as the value of every numeric key: refused."""
    tally = Tally("NaN, Inf as every numeric key")
    numeric = {
        "nash": (
            "psi_scale", "tolerance", "starts", "seed", "threads", "checkpoint_seconds", "bounds.tariff=[0,{}]",
            "bounds.export_tax=[{},1]", "bounds.subsidy=[0,{}]", "solver.tolerance", "solver.gain_tolerance",
            "solver.step_tolerance", "solver.rounds", "solver.warm_up", "solver.max_iterations", "solver.max_step",
            "solver.revisions",
        ),
        "cooperative": ("weights={{E1:{}}}",),
    }  # fmt: skip
    for verb, keys in numeric.items():
        scenario = "dual" if verb == "nash" else "cooperation"
        for key in keys:
            for value in ("nan", "inf", "-inf", "1e400"):
                word = key.format(value) if "{" in key else f"{key}={value}"
                given = [f"scenario={scenario}", f"calibration={calibration}", word]
                how, said = answer(lambda verb=verb, given=given: check(verb, given))
                tally.add(how, "" if how == "refused" else f"{word}: {how} {str(said)[:200]}")
    for key in ("budget.seconds", "budget.steps", "method.learning_rate", "method.delta", "analysis.paths", "seed"):
        for value in ("nan", "inf", "-inf"):
            how, said = answer(lambda key=key, value=value: check_bsde([f"{key}={value}"]))
            tally.add(how, "" if how == "refused" else f"bsde {key}={value}: {how} {str(said)[:200]}")
    return tally
