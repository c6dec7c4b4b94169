"""Sentences about policies, such as `USA: 25% on steel,motor vehicles from all; CHN: reciprocal`."""

from __future__ import annotations

import re

from dlopt.trade.rates import INSTRUMENTS, TARIFF
from dlopt.trade.rules import Change, PolicyWordsError, Rule

FORM = "WHO: RATE% on SECTORS from WHOM, such as 'USA: 25% on steel,motor vehicles from all; CHN: reciprocal'"

_WORDS = {word: kind for kind in INSTRUMENTS for word in (kind.plural, kind.label)}
_SPELT = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in _WORDS)
_RECIPROCAL = re.compile(r"reciprocal(?:\s+to\s+(?P<partners>.+))?", re.IGNORECASE)
_BODY = re.compile(
    rf"(?:(?P<instrument>{_SPELT})\s+)?"
    r"(?P<set>set\s+)?(?P<sign>[+-]?)\s*(?P<number>\d+(?:\.\d*)?|\.\d+|free)\s*(?P<unit>%|pp|percentage points)?"
    r"(?:\s+on\s+(?P<sectors>.+?))?(?:\s+(?P<side>from|to)\s+(?P<partners>.+?))?",
    re.IGNORECASE,
)


def parse_policy(text: str) -> list[Rule]:
    """The rules that sentences ask for, in order; sentences end with `;`.

    Every sentence is `WHO: WHAT`. WHAT is `reciprocal`, `reciprocal to WHOM`, or a rate: `25%` sets the level, `+10%`
    and `-5%` change it by percentage points, `set -5%` sets a negative level, `free` is 0 %. After it, `on SECTORS`
    (all tradable ones if left out) and `from WHOM` (all partners if left out); for `export tax`, `to WHOM`. WHO and
    WHOM are economies or groups, separated by commas.

    Raises:
        PolicyWordsError: a sentence is not of this form.
    """
    rules: list[Rule] = []
    for sentence in text.split(";"):
        if sentence.strip():
            rules += _sentence(sentence.strip())
    if not rules:
        raise PolicyWordsError(f"The policy is empty. Write {FORM}.")
    return rules


def is_policy_text(text: str) -> bool:
    """Whether a text is meant as sentences, not as the name of a file or of a schedule."""
    return re.match(r"\s*[^:/\\]+:\s", text + " ") is not None and not re.match(r"^[A-Za-z]:[\\/]", text)


def _sentence(sentence: str) -> list[Rule]:
    who, colon, what = sentence.partition(":")
    if not colon or not who.strip() or not what.strip():
        raise PolicyWordsError(f"{sentence!r} does not say who does what. Write {FORM}.")
    what = what.strip()
    answer = _RECIPROCAL.fullmatch(what)
    if answer is not None:
        partners = listed(answer["partners"])
        return [Rule(actor, "reciprocal", partners=partners, where=repr(sentence)) for actor in listed(who)]
    found = _BODY.fullmatch(what)
    if found is None:
        raise PolicyWordsError(f"{what!r} in {sentence!r} cannot be understood. Write {FORM}.")
    kind = TARIFF if found["instrument"] is None else _WORDS[re.sub(r"\s+", " ", found["instrument"].lower())]
    rate = _rate(found, sentence)
    if found["side"] and not kind.side:
        raise PolicyWordsError(
            f"{sentence!r}: a {kind.label} is paid on all output of a sector; leave the partners out."
        )
    if found["side"] and found["side"].lower() != kind.side:
        raise PolicyWordsError(
            f"{sentence!r}: say whose goods with '{kind.side}', as in '... {kind.side} {found['partners']}'."
        )
    change: Change = "add" if found["sign"] and not found["set"] else "set"
    return [
        Rule(actor, change, rate, listed(found["partners"]), listed(found["sectors"]), kind.name, where=repr(sentence))
        for actor in listed(who)
    ]


def _rate(found: re.Match[str], sentence: str) -> float:
    if found["number"].lower() == "free":
        return 0.0
    if not found["unit"]:
        number = found["number"]
        raise PolicyWordsError(f"{sentence!r}: is {number} a fraction or per cent? Write {number}%, with the sign.")
    return float(f"{found['sign'] or ''}{found['number']}") / 100


def listed(text: str | None) -> tuple[str, ...]:
    """Names separated by commas; a name in double quotes may hold commas itself."""
    if text is None:
        return ()
    parts = re.findall(r'\s*"([^"]*)"|([^,]+)', text)
    names = tuple((quoted or plain).strip() for quoted, plain in parts)
    return tuple(name for name in names if name)
