"""Nothing that is read can run code: what the source may not contain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("dlopt", "cli", "conf", "data") for path in (ROOT / folder).rglob("*.py"))

FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler",
    "marshal.load", "marshal.loads", "shelve.open", "dill.load", "joblib.load", "cloudpickle.load", "cloudpickle.loads",
    "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load",
    "hydra.utils.instantiate", "hydra.utils.call", "instantiate", "hydra.utils.get_class", "hydra.utils.get_method",
    "tempfile.mktemp",
}  # fmt: skip
PASSED_IN_MEMORY = {
    ("dlopt/papers/engine/parallel.py", "pickle.loads"),
    ("dlopt/framework/forked.py", "pickle.loads"),
}
"""A task handed to a process that dlopt itself started, or its result through a pipe without a name: never on disk."""
REQUIRED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "np.savez": ("allow_pickle", False),
}
"""Call -> the argument it must have."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def faults(path: Path) -> list[str]:
    name, found = path.relative_to(ROOT).as_posix(), []
    for call, node in calls(path):
        if call in FORBIDDEN and (name, call) not in PASSED_IN_MEMORY:
            found.append(f"{name}:{node.lineno}: {call}")
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if call in REQUIRED and given.get(REQUIRED[call][0]) != str(REQUIRED[call][1]):
            found.append(f"{name}:{node.lineno}: {call} without {REQUIRED[call][0]}={REQUIRED[call][1]}")
        if call.startswith("subprocess.") and given.get("shell", "False") != "False":
            found.append(f"{name}:{node.lineno}: {call} through a shell")
    return found


def test_no_code_is_read_from_anywhere() -> None:
    assert len(SOURCES) > 100
    assert [fault for path in SOURCES for fault in faults(path)] == []


def test_every_load_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "bad.py"
    path.write_text("import torch, yaml\ntorch.load('a')\nyaml.load('b')\neval('c')\n")
    assert len(faults(path)) == 3


def test_yaml_of_the_project_names_only_its_own_code() -> None:
    lines = [line.strip() for path in (ROOT / "conf").rglob("*.yaml") for line in path.read_text().splitlines()]
    named = [line.rpartition(": ")[2] for line in lines if line.startswith(("_target_:", "():", "class:"))]
    assert named
    assert all(name.startswith("dlopt.cli.logs.") for name in named), named
