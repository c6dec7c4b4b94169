"""What a run stood on: versions of the libraries and the commit of dlopt."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("dlopt", "torch", "numpy", "scipy", "pandas", "pyarrow", "hydra-core", "omegaconf")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries behind the numbers."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Commit of the checkout dlopt runs from; None where it is installed or git is missing."""
    package = Path(__file__).resolve().parents[1] / "__init__.py"
    git = ["git", "-C", str(package.parent)]
    try:
        # A virtual environment inside somebody's repository is not a checkout of dlopt: the file must be tracked.
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", package.name], capture_output=True, timeout=10)
        if tracked.returncode != 0:
            return None
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return head.stdout.strip() if head.returncode == 0 else None
