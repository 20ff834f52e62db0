"""How long a quick look takes: the whole process, from the shell's point of view."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.databases import NAMES
from benchmarks.report import Line, print_lines

AT_MOST = 2.0
HEAVY = ("pandas", "numpy", "yfinance", "exchange_calendars", "curl_cffi", "plotly", "rich")
BARE = """\
import sqlalchemy
from flask import Flask

app = Flask(__name__)
with app.app_context():
    print("no run yet")
"""
LOADED = """\
import sys
from closingbell.cli_commands import main
try:
    main()
finally:
    print("loaded:", *[name for name in {heavy!r} if name in sys.modules])
"""


def run(_kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on SQLite, print the table and return its lines."""
    turns = 3 if quick else 11
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = folder / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        surroundings = {**os.environ, "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite'}"}
        ours = [str(Path(sys.executable).parent / "closingbell"), "view-job-logs"]
        _seconds([ours[0], "init-db"], surroundings, folder)
        loaded = _loaded(surroundings, folder)
        theirs_s, ours_s = [], []
        for _ in range(turns):
            theirs_s.append(_seconds([sys.executable, str(bare)], surroundings, folder))
            ours_s.append(_seconds(ours, surroundings, folder))
    line = Line(
        "closingbell view-job-logs, a bare Flask application",
        NAMES["sqlite"],
        f"{median(theirs_s) * 1000:.0f} ms",
        f"{median(ours_s) * 1000:.0f} ms",
        median(ours_s) / median(theirs_s),
        AT_MOST,
        at_most=True,
    )
    notes = [
        "The bare application imports Flask and SQLAlchemy and prints a line; ours also opens the database and reads.",
        f"Heavy libraries loaded by ours: {', '.join(loaded) or 'none'} (of {', '.join(HEAVY)}).",
    ]
    print_lines(f"Start-up, whole process, median of {turns}", [line], notes)
    if loaded:
        raise RuntimeError(f"view-job-logs loads {', '.join(loaded)}")
    return [line]


def _seconds(command: Sequence[str], surroundings: dict[str, str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, env=surroundings, cwd=folder, capture_output=True)
    return time.perf_counter() - began


def _loaded(surroundings: dict[str, str], folder: Path) -> list[str]:
    """Which of the heavy libraries ``view-job-logs`` imports."""
    command = [sys.executable, "-c", LOADED.format(heavy=HEAVY), "view-job-logs"]
    done = subprocess.run(command, check=False, env=surroundings, cwd=folder, capture_output=True, text=True)
    return done.stdout.rpartition("loaded:")[2].split()
