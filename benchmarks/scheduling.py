"""What the clock costs: claiming with eight processes, an idle scheduler, a quick look, and how late runs begin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.databases import NAMES
from benchmarks.report import Line, below, print_lines
from benchmarks.startup import AT_MOST, BARE

CLAIM_MS = 10.0
IDLE_CORE = 0.005
IDLE_MB = 100.0
LATE_MS = 100.0
PROCESSES = 8
JOBS = 5
_TICKS = os.sysconf("SC_CLK_TCK")


def run(_kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on SQLite, print the table and return its lines."""
    seconds = 20 if quick else 40
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            _claiming(folder, seconds),
            _lateness(folder, seconds),
            *_idle(folder, seconds),
            _quick_look(folder, turns=3 if quick else 9),
        ]
    notes = [
        f"Claiming: {PROCESSES} schedulers, {JOBS} jobs due every two seconds; the time from noticing a due time to its"
        " row being committed, in the process that wrote it or lost to another.",
        "Lateness: one scheduler, one job due every second; from the fire time to the run's start in its log.",
        "The idle scheduler has the real jobs and sessions written down by init-db.",
    ]
    print_lines("The clock, on SQLite", lines, notes)
    return lines


def _below(what: str, measured: float, limit: float, unit: str) -> Line:
    return below(what, NAMES["sqlite"], measured, limit, unit=unit)


def _claiming(folder: Path, seconds: float) -> Line:
    surroundings = _new_database(folder, "claims")
    # Schedulers learn of each other with their second pulse, after 30 seconds: the second half is what goes on.
    measured = _schedulers(surroundings, PROCESSES, seconds + 40, jobs=JOBS, every_s=2)
    claims = [value for told in measured for value in told["claims_ms"][len(told["claims_ms"]) // 2 :]]
    return _below(f"claiming a due time, median of {len(claims)}", median(claims), CLAIM_MS, "ms")


def _lateness(folder: Path, seconds: float) -> Line:
    surroundings = _new_database(folder, "lateness")
    measured = _schedulers(surroundings, 1, seconds, jobs=1, every_s=1)
    # The first run loads the job and compiles its statements.
    late = measured[0]["late_ms"][1:]
    return _below(f"begun after the fire time, p99 of {len(late)}", quantiles(late, n=100)[98], LATE_MS, "ms")


def _schedulers(
    surroundings: dict[str, str], count: int, seconds: float, *, jobs: int, every_s: int
) -> list[dict[str, Any]]:
    """What each of ``count`` scheduler processes measured."""
    command = [sys.executable, "-m", "benchmarks.quick_scheduler", str(seconds), str(jobs), str(every_s)]
    root = Path(__file__).parents[1]
    children = [
        subprocess.Popen(command, env=surroundings, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    return [json.loads(child.communicate(timeout=seconds + 60)[0]) for child in children]


def _idle(folder: Path, seconds: float) -> list[Line]:
    surroundings = _new_database(folder, "idle")
    command = [str(Path(sys.executable).parent / "closingbell"), "run-scheduler"]
    child = subprocess.Popen(command, env=surroundings, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        # What the start costs is not what idling costs.
        time.sleep(8)
        before = _cpu_s(child.pid)
        time.sleep(seconds)
        share = (_cpu_s(child.pid) - before) / seconds
        resident = _resident_mb(child.pid)
    finally:
        child.terminate()
        child.wait(timeout=30)
    return [
        _below("idle scheduler, share of a core", share * 100, IDLE_CORE * 100, "%"),
        _below("idle scheduler, resident", resident, IDLE_MB, "MB"),
    ]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _quick_look(folder: Path, *, turns: int) -> Line:
    surroundings = _new_database(folder, "look")
    bare = folder / "bare.py"
    bare.write_text(BARE, encoding="utf-8")
    ours = [str(Path(sys.executable).parent / "closingbell"), "list-jobs"]
    theirs_s, ours_s = [], []
    for _ in range(turns):
        theirs_s.append(_seconds([sys.executable, str(bare)], surroundings, folder))
        ours_s.append(_seconds(ours, surroundings, folder))
    theirs, our = median(theirs_s), median(ours_s)
    what = "closingbell list-jobs, a bare Flask application"
    return Line(
        what, NAMES["sqlite"], f"{theirs * 1000:.0f} ms", f"{our * 1000:.0f} ms", our / theirs, AT_MOST, at_most=True
    )


def _seconds(command: Sequence[str], surroundings: dict[str, str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, env=surroundings, cwd=folder, capture_output=True)
    return time.perf_counter() - began


def _new_database(folder: Path, name: str) -> dict[str, str]:
    surroundings = {**os.environ, "DATABASE_URL": f"sqlite:///{folder / name}.sqlite"}
    _seconds([str(Path(sys.executable).parent / "closingbell"), "init-db"], surroundings, folder)
    return surroundings
