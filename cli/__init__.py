"""The command line: Typer in front, Hydra behind the solve verbs, rich on screen."""

import os

DEBUG = "DLOPT_DEBUG"
"""Environment variable that `--debug` sets: show tracebacks."""

# Threads that spin while they wait stop each other where more processes run than there are cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
