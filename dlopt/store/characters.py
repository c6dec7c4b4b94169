"""Text of others on a screen, and in a shell."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """Control characters as escapes, so that no label sets colours or titles; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def plain(text: str) -> bool:
    """Whether a shell takes it as it stands: one word, in which nothing is a command, a pattern or a variable."""
    return re.fullmatch(r"[\w.,:/@%+=-]+", text) is not None
