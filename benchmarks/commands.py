"""Time and memory of the trade commands: whole processes, as a user runs them."""

from __future__ import annotations

import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMMANDS = {
    "given tariffs": "equilibrium scenario=us_china_2018",
    "China's subsidies": "unilateral scenario=subsidy player=CHN",
    "China, all instruments": "unilateral scenario=china_unilateral",
    "US-China dual": "nash scenario=us_china_dual",
    "trade war": "nash scenario=trade_war",
    "subsidies": "nash scenario=subsidy",
    "dual": "nash scenario=dual",
    "dual, all sectors": "nash scenario=dual instruments.sectors=all",
    "cooperative tariffs": "cooperative scenario=cooperation_tariff",
    "cooperative dual": "cooperative scenario=cooperation",
}
"""Name -> words after `dlopt solve`."""


def run(words: str, calibration: str, threads: int) -> dict[str, Any]:
    """One run in a fresh process: wall and processor seconds, peak memory in MB, and what it proved."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "run"
        settings = [f"calibration={calibration}", f"threads={threads}", f"hydra.run.dir={target}"]
        line = [sys.executable, "-m", "dlopt", "solve", *words.split(), *settings]
        began = time.perf_counter()
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        record = json.loads((target / "run.json").read_text())
    return {
        "wall_seconds": wall, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024,
        "exit_code": os.waitstatus_to_exitcode(status), "status": record["status"],
        "first_order_residual": record["certificate"].get("first_order_residual"),
    }  # fmt: skip


def measure(calibration: str, threads: int, repeat: int) -> dict[str, dict[str, Any]]:
    """Medians of every command."""
    found = {}
    for name, words in COMMANDS.items():
        runs = [run(words, calibration, threads) for _ in range(repeat)]
        middle = {key: statistics.median(r[key] for r in runs) for key in ("wall_seconds", "cpu_seconds", "peak_mb")}
        today = datetime.date.today().isoformat()
        found[name] = {"command": f"dlopt solve {words}", **runs[-1], **middle, "measured": today}
        print(name, json.dumps(found[name]), flush=True)
    return found
