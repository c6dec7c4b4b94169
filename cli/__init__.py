"""The command line: Typer in front, Hydra behind the solve verbs, rich on screen."""

DEBUG = "DLOPT_DEBUG"
"""Environment variable that `--debug` sets: show tracebacks."""
