"""Labels come from others: whatever they hold is shown, never obeyed."""

from __future__ import annotations

import dataclasses
import io
import logging
from pathlib import Path

import pytest
from dlopt.cli.commands.named import complete_run
from dlopt.cli.logs import console_handler
from dlopt.cli.terminal.completion import complete_override
from dlopt.cli.terminal.screen import EscapingConsole, console, output
from dlopt.cli.terminal.sheets import called
from economies import small_synthetic
from rich.table import Table
from rich.text import Text

from dlopt.calibrations import write_bundle
from dlopt.calibrations.schema import BundleLabelError
from dlopt.kind import Sheet
from dlopt.store.characters import escaped
from dlopt.views.sheets import text

NASTY = "\x1b]0;owned\x07\x1b[31msteel\x9b2J"


def test_the_screen_shows_escapes() -> None:
    screen = io.StringIO()
    console = EscapingConsole(file=screen, force_terminal=True, width=120)
    table = Table("sector")
    table.add_row(Text(NASTY))
    console.print(table)
    console.print(Text.assemble(("Error: ", "bold red"), NASTY), soft_wrap=True)
    shown = screen.getvalue()
    assert "\x1b]0" not in shown
    assert "\x07" not in shown
    assert "\x1b[31msteel" not in shown
    assert "\x9b" not in shown
    assert r"\x1b]0;owned" in shown
    assert "\x1b[1;31mError" in shown  # its own colours stay


def test_line_breaks_and_letters_stay() -> None:
    assert escaped("a\n\tü 中") == "a\n\tü 中"


def test_logs_show_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("test.labels")
    log.propagate = False
    handler = console_handler()
    log.addHandler(handler)
    log.warning("sector %s", NASTY)
    log.removeHandler(handler)
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert r"\x1b]0;owned" in shown


def test_new_bundles_refuse_them(tmp_path: Path) -> None:
    world = small_synthetic()
    for field in ("economies", "sectors", "sector_names"):
        labels = (NASTY, *getattr(world, field)[1:])
        with pytest.raises(BundleLabelError, match="control characters"):
            write_bundle(dataclasses.replace(world, **{field: labels}), tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_square_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    label = "[red]steel[/b]"
    for screen in (console, output):
        table = Table(label, title=label)
        table.add_row(label)
        screen.print(f"sector {label}")
        screen.print(table)
    found = capsys.readouterr()
    for shown in (found.out, found.err, text([Sheet(label, (label,), ((label,),))])):
        assert label in shown


def test_python_shows_escapes() -> None:
    shown = text([Sheet("", ("sector",), ((NASTY,),))])
    assert "\x1b" not in shown
    assert r"\x1b]0;owned" in shown


def test_names_are_safe_in_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a user is told to type next, and what the shell types for the user, runs nothing."""
    monkeypatch.setattr("dlopt.cli.commands.named.complete_run", lambda _: [("good-1", ""), ("$(touch pwned)", "")])
    assert [name for name, _ in complete_override("nash", [], "init=g")] == ["init=good-1"]
    assert not [name for name, _ in complete_override("nash", [], "init=$")]
    assert called(tmp_path / "a;touch b") == f"'{tmp_path}/a;touch b'"
    assert all(" " not in name for name, _ in complete_run(""))
