"""Log handlers that Hydra's logging configs name."""

from __future__ import annotations

import logging
from pathlib import Path

from dlopt.store.characters import escaped

from .terminal.screen import console

PROGRESS = "dlopt.progress"
"""Logger of the progress lines; a terminal shows them live instead."""


def console_handler() -> logging.Handler:
    """rich on a terminal, plain text elsewhere; both on standard error."""
    if console.is_terminal:
        from rich.highlighter import NullHighlighter
        from rich.logging import RichHandler

        handler: logging.Handler = RichHandler(
            console=console,
            highlighter=NullHighlighter(),
            show_path=False,
            show_level=False,
            omit_repeated_times=False,
            log_time_format="%H:%M:%S",
        )
        handler.addFilter(lambda record: not (record.name == PROGRESS and record.levelno <= logging.INFO))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    handler.addFilter(lambda record: not getattr(record, "file_only", False))
    handler.addFilter(_escape)
    return handler


def _escape(record: logging.LogRecord) -> bool:
    """Labels of others may hold control characters: they are written as escapes."""
    record.msg, record.args = escaped(record.getMessage()), ()
    return True


def file_handler(filename: str) -> logging.Handler:
    """The run's own log, UTF-8."""
    Path(filename).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(filename, encoding="utf-8")
    handler.addFilter(_escape)
    return handler
