"""A Slurm cluster of one node on this machine, for as long as a block runs. Needs root, `slurm-wlm` and `munge`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
_START = 60.0  # seconds a daemon may take

_CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmctldPort={port}
SlurmdPort={next_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobRequeue=1
KillWait=5
RequeueExit=137
SchedulerParameters=sched_interval=5,bf_interval=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; nothing if there can be."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "a Slurm cluster on one machine needs root"
    absent = [name for name in _DAEMONS if shutil.which(name, path=_path()) is None]
    return f"{', '.join(absent)} missing: apt-get install slurm-wlm munge" if absent else ""


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge and Slurm with everything they write in `folder`; yields the environment for their commands.

    Raises:
        RuntimeError: a daemon does not come up.
    """
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(parents=True)
    port = _free_port()
    host = socket.gethostname().partition(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    config = folder / "slurm.conf"
    config.write_text(_CONFIG.format(
        host=host, folder=folder, port=port, next_port=port + 1, cpus=os.cpu_count(), memory=memory * 9 // 10
    ))  # fmt: skip
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": _path()}
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_munge(folder / "munge"))
        _until(lambda: (folder / "munge" / "socket").exists(), "munged")
        for name in ("slurmctld", "slurmd"):
            log = (folder / f"{name}.out").open("wb")
            program = shutil.which(name, path=_path()) or name
            with log:
                daemons.append(
                    subprocess.Popen([program, "-D", "-f", str(config)], stdout=log, stderr=log, env=environment)
                )
        _until(lambda: "idle" in _output(["sinfo", "--noheader", "--format=%T"], environment), "slurmd")
        yield environment
    finally:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, timeout=30)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(daemons):
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        _end_all_of(config)


def _end_all_of(config: Path) -> None:
    """`kill -9` what is left of the cluster: the step of a job whose process was killed can outlive its daemon."""
    mine = f"SLURM_CONF={config}\0".encode()
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mine in place.read_bytes():
                os.kill(int(place.parent.name), signal.SIGKILL)


def _munge(folder: Path) -> subprocess.Popen[bytes]:
    """munged with a key of its own, as root: nothing of the system's is touched."""
    key = folder / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    folder.chmod(0o755)
    options = ["--foreground", "--force", f"--key-file={key}", f"--socket={folder}/socket"]
    options += [f"--log-file={folder}/log", f"--pid-file={folder}/pid", f"--seed-file={folder}/seed"]
    program = shutil.which("munged", path=_path()) or "munged"
    return subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _output(words: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60).stdout


def _until(condition: object, name: str) -> None:
    deadline = time.monotonic() + _START
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not come up within {_START:g} s; its log says why")
        time.sleep(0.5)
