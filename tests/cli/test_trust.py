"""A config may say what to solve, not what code to run or where else to write: whoever composed it, for every job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dlopt.cli.solve.trust import UntrustedConfigError, check_recorded

from dlopt.errors import DloptError

HOSTILE = [
    "hydra.launcher._target_=os.system",
    "hydra.launcher._target_=hydra._internal.core_plugins.basic_launcher.configure_log",
    "hydra.sweeper._target_=subprocess.run",
    "++hydra.callbacks.evil._target_=os.system",
    "hydra.job_logging.handlers.console={'()':os.system}",
    "++hydra.hydra_logging.handlers.console.class=os.system",
    "hydra.sweep.subdir=../../elsewhere",
    "hydra.sweep.subdir=/tmp/elsewhere",
    "++hydra.launcher.inner._target_=os.system",
    "++hydra.sweeper.inner=[{_target_:os.system}]",
    "++hydra.job_logging.handlers.console.class=logging.os.system",
    "hydra.job_logging.handlers.file.filename=/tmp/elsewhere/log",
    "hydra.job_logging.handlers.file.filename='${hydra.runtime.output_dir}/../log'",
    "hydra.job_logging.handlers.file.filename='${hydra.runtime.output_dir}/${oc.env:HOME}/../../log'",
    "++hydra.job_logging.handlers.file={class:logging.FileHandler,filename:'${hydra.runtime.output_dir}/a',"
    "'.':{baseFilename:/tmp/elsewhere}}",
    "++hydra.job_logging.handlers.console={class:logging.StreamHandler,stream:'ext://antigravity'}",
    "++hydra.job_logging.filters={one:{'()':os.system}}",
    "hydra.job_logging.handlers='${oc.decode:${hydra.help.footer}}'",
    "++hydra.hydra_logging.handlers.file={class:logging.FileHandler,filename:victim,mode:w}",
    "hydra.output_subdir=/tmp/elsewhere",
    "hydra.output_subdir=../elsewhere",
    "hydra.output_subdir=conf.d",
    "hydra.job.name=../elsewhere",
    "hydra.launcher._target_='${oc.env:NO_SUCH_VARIABLE}'",
    "+hydra.job.env_set.LD_PRELOAD=/tmp/evil.so",
    "+hydra.sweeper.params={hydra/job_logging:fancy}",
    "++hydra.launcher.pre_dispatch='__import__(\"os\").getpid()'",
]

FANCY = """
version: 1
handlers:
  console:
    (): torch.utils.collect_env.run
    command: touch pwned
root:
  handlers: [console]
"""
SETUP = "defaults: [/hydra/launcher/basic]\nsetup: [touch pwned]\n"


def own(folder: Path, **files: str) -> str:
    """A folder for --config-dir; in names, `__` stands for a slash."""
    for name, text in files.items():
        path = folder / "own" / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "own")


def scenario(**hydra: Any) -> str:
    """The trade war, with something in it for Hydra."""
    return f"# @package _global_\ndefaults: [trade_war, _self_]\nhydra: {json.dumps(hydra)}\n"


@pytest.mark.parametrize("word", HOSTILE)
def test_code_of_its_choice_is_refused(checked: Callable[..., Any], word: str) -> None:
    with pytest.raises(DloptError):
        checked("nash", "scenario=dual", word)


def test_in_a_file_too(checked: Callable[..., Any], tmp_path: Path) -> None:
    folder = own(tmp_path, hydra__launcher__mine="_target_: os.system\n")
    with pytest.raises(DloptError, match=r"os\.system is refused"):
        checked("nash", "scenario=dual", "hydra/launcher=mine", "--config-dir", folder)


@pytest.mark.parametrize(
    "brought",
    [
        {"sweeper": {"params": {"hydra/job_logging": "fancy"}}},
        {"mode": "MULTIRUN"},
        {"job": {"env_set": {"PYTHONPATH": "/tmp/evil"}}},
    ],
    ids=["sweeper", "mode", "environment"],
)
def test_what_a_scenario_brings_is_refused(checked: Callable[..., Any], tmp_path: Path, brought: Any) -> None:
    folder = own(tmp_path, scenario__nice=scenario(**brought), hydra__job_logging__fancy=FANCY)
    for options in ((), ("-m",)):
        with pytest.raises(UntrustedConfigError):
            checked("nash", *options, "scenario=nice", "--config-dir", folder)


def test_nothing_composed_later_escapes(dlopt: Any) -> None:
    """The command as an attacker would have it typed: in every way to bring a logging config, nothing is run."""
    folder = own(
        dlopt.folder,
        scenario__nice=scenario(sweeper={"params": {"hydra/job_logging": "fancy"}}),
        hydra__job_logging__fancy=FANCY,
        hydra__hydra_logging__fancy=FANCY,
        config=FANCY,
    )
    for words in (
        ("-m", "scenario=nice"),
        ("scenario=trade_war", "hydra/hydra_logging=fancy"),
        ("scenario=trade_war", "hydra/job_logging=fancy", "--cfg=job"),
        ("scenario=trade_war", "hydra/job_logging=fancy", "--info=config"),
        ("-m", "scenario=trade_war", "hydra/job_logging=fancy"),
    ):
        screen = dlopt(
            "solve", "nash", *words, f"calibration={dlopt.world}", f"--config-dir={folder}", code=1, fake="converged"
        )
        assert "refused" in screen.stderr, words
    assert not list(dlopt.folder.rglob("pwned"))
    assert not (dlopt.folder / "outputs").exists()


PROBLEM = [
    ("nash", "elasticities: /etc/passwd", "Unknown set of elasticities"),
    ("nash", "scale_elasticities: ../../../etc/passwd", "Unknown set of elasticities"),
    ("nash", "elasticities: {_target_: os.system, command: touch pwned}", "_target_"),
    ("nash", "solver: {_target_: os.system, command: touch pwned}", "_target_"),
    ("nash", "kind: os.system", "kind"),
    ("nash", "calibration: {_target_: os.system}", "_target_"),
    ("nash", "instruments: {tariff: '${oc.decode:\"__import__\"}'}", "instruments.tariff"),
    ("nash", "init: /etc/passwd", "init"),
    ("nash", "resume: /etc", "not a run folder"),
]


@pytest.mark.parametrize(("verb", "key", "named"), PROBLEM, ids=[key for _, key, _ in PROBLEM])
def test_keys_of_the_problem_name_nothing_else(
    checked: Callable[..., Any], tmp_path: Path, verb: str, key: str, named: str
) -> None:
    """A scenario that somebody passed on, with a key that takes a name or a file."""
    text = f"# @package _global_\ndefaults: [trade_war, _self_]\n{key}\n"
    folder = own(tmp_path, scenario__nice=text)
    with pytest.raises(DloptError, match=named):
        checked(verb, "scenario=nice", "--config-dir", folder)
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("file", ["/etc/passwd", "evil.yaml", "evil.pt", "evil.parquet", "evil.csv"])
def test_a_policy_file_is_only_read(checked: Callable[..., Any], tmp_path: Path, file: str) -> None:
    for name, text in (
        ("evil.yaml", "!!python/object/apply:os.system ['touch pwned']\n"),
        ("evil.csv", "=cmd|'touch pwned'!A1,2\n"),
        ("evil.parquet", "PAR1" + "\0" * 64 + "PAR1"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "evil.pt").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(DloptError):
        checked("equilibrium", f"policy={file}")
    assert not list(tmp_path.rglob("pwned"))


def test_kinds_come_from_installed_packages_alone(dlopt: Any) -> None:
    """A folder that looks like a package with an entry point, where the command runs and where --config-dir points."""
    (dlopt.folder / "evil.py").write_text("import pathlib\npathlib.Path('pwned').touch()\nKIND = None\n")
    for place in (dlopt.folder, dlopt.folder / "own"):
        info = place / "evil-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[dlopt.kinds]\nevil = evil:KIND\n")
        (place / "evil.py").write_text((dlopt.folder / "evil.py").read_text())
    assert "evil" not in dlopt.installed("kinds").stdout
    screen = dlopt.installed("solve", "nash", "kind=evil", "--config-dir=own", code=1)
    assert "evil" in screen.stderr
    assert not list(dlopt.folder.rglob("pwned"))


@pytest.mark.parametrize("option", ["--config-path", "--config-name", "--config-na", "--experimental-rerun"])
def test_hydras_doors_are_shut(checked: Callable[..., Any], option: str) -> None:
    with pytest.raises(DloptError, match="not available"):
        checked("nash", "scenario=dual", f"{option}=evil")


def test_a_launcher_runs_commands_only_if_chosen(checked: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    site = "defaults: [slurm]\nsetup: ['source venv/bin/activate']\n"
    silent = "# @package _global_\ndefaults: [trade_war, {override /hydra/launcher: site}, _self_]\n"
    folder = own(tmp_path, hydra__launcher__site=site, scenario__silent=silent)
    words = ("-m", "--config-dir", folder)
    checked("nash", *words, "scenario=trade_war", "hydra/launcher=site")
    with pytest.raises(UntrustedConfigError, match="setup is refused"):
        checked("nash", *words, "scenario=silent")
    with pytest.raises(UntrustedConfigError, match="control character"):
        checked("nash", *words, "scenario=trade_war", "hydra/launcher=slurm", 'hydra.launcher.partition="a\ntouch b"')


def test_records_say_what_to_solve_only() -> None:
    check_recorded(["scenario=dual", "bounds.tariff=[0,1]"])
    check_recorded(["-m", "--config-dir=own", "hydra/launcher=slurm", "hydra.launcher.partition=long"], launchers=True)
    for word in (
        "hydra.searchpath=[pkg://evil]", "hydra/job_logging=fancy", "--config-dir=evil", "+hydra.x=1", "~hydra.y",
        "hydra.launcher.setup=[touch pwned]", "++hydra.launcher.python=evil", "--experimental-rerun=x",
        "hydra.job_logging={}", "/tmp/x",
    ):  # fmt: skip
        with pytest.raises(UntrustedConfigError):
            check_recorded([word])
        if not word.startswith("--config-dir"):
            with pytest.raises(UntrustedConfigError):
                check_recorded([word], launchers=True)


def test_a_strangers_run_is_not_resumed_on_its_terms(dlopt: Any) -> None:
    dlopt("solve", "nash", "scenario=trade_war", f"calibration={dlopt.world}", "hydra.run.dir=a", fake="converged")
    own(dlopt.folder, hydra__job_logging__fancy=FANCY)
    overrides = dlopt.folder / "a" / ".hydra" / "overrides.yaml"
    overrides.write_text(f"- hydra.searchpath=[file://{dlopt.folder}/own]\n- hydra/job_logging=fancy\n")
    screen = dlopt("solve", "nash", "scenario=trade_war", "resume=a", code=1)
    assert "recorded in the folder, is refused" in screen.stderr
    assert not list(dlopt.folder.rglob("pwned"))


def test_a_strangers_sweep_is_not_completed_on_its_terms(dlopt: Any) -> None:
    (dlopt.folder / "evil").mkdir()
    for arguments in (
        ["-m", "scenario=trade_war", "hydra.job_logging={}"],
        ["--experimental-rerun=x", "scenario=dual"],
    ):
        sweep = {"schema_version": 1, "verb": "nash", "arguments": arguments, "cwd": ".", "jobs": [["scenario=dual"]]}
        (dlopt.folder / "evil" / "sweep.json").write_text(json.dumps(sweep))
        assert "is refused" in dlopt("runs", "retry", "evil", code=1).stderr


def test_a_strangers_suite_says_what_to_solve_only(dlopt: Any) -> None:
    """A package that `hydra.searchpath` names would be imported, and so run."""
    for key, value in (
        ("hydra.searchpath", ["pkg://antigravity"]),
        ("hydra/job_logging", "fancy"),
        ("+hydra.x", 1),
        ("hydra.run.dir", "x"),
    ):
        suite = {"verb": "nash", "keys": {"scenario": "trade_war", key: value}, "scenarios": [{"name": "one"}]}
        (dlopt.folder / "mine.yaml").write_text(json.dumps(suite))
        assert "in the suite's scenario one, is refused" in dlopt("suite", "mine.yaml", code=1).stderr
    assert not (dlopt.folder / "outputs").exists()


@pytest.mark.parametrize("link", ["dlopt.log", ".hydra/config.yaml", ".lock", "model", ".hydra"])
def test_nothing_is_written_through_a_link(checked: Callable[..., Any], tmp_path: Path, link: str) -> None:
    """A folder that somebody passed on: its links would lead what is written to files of the user's."""
    path = tmp_path / "given" / "0-job" / link
    path.parent.mkdir(parents=True)
    (tmp_path / "victim").touch()
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(DloptError, match="is a link"):
        checked("nash", "scenario=dual", f"hydra.run.dir={path.parents[link.count('/')]}")
    with pytest.raises(DloptError, match="is a link"):
        checked("nash", "-m", "scenario=dual,trade_war", f"hydra.sweep.dir={tmp_path / 'given'}")


def test_jobs_are_not_written_through_a_link(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "0-dual").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DloptError, match="is a link"):
        checked("nash", "-m", "scenario=dual,trade_war", f"hydra.sweep.dir={tmp_path / 'given'}")
    checked("nash", "scenario=dual", f"hydra.run.dir={tmp_path / 'given'}")


def test_the_launchers_are_trusted(checked: Callable[..., Any]) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    found = checked("nash", "-m", "scenario=dual,trade_war", "hydra/launcher=joblib", "threads=4096")
    assert "hydra.launcher.n_jobs=1" in found.arguments


@pytest.mark.parametrize("name", ["default", "none", "disabled", "stdout"])
def test_hydras_own_logging_is_trusted(checked: Callable[..., Any], name: str) -> None:
    checked("nash", "scenario=dual", f"hydra/job_logging={name}")
