"""Reading with ten million bars stored: newest bars, a history, the coverage report; the cache is warm."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.databases import NAMES
from benchmarks.ours import clone_symbols
from benchmarks.report import Line, below, print_lines
from benchmarks.stored import fill, newest_sessions, prepared
from closingbell.queries.bars import DailyBar, LatestBar, load_latest_bars, load_series
from closingbell.queries.coverage import CompanyCoverage, load_coverage, total_of
from closingbell.stores.database import Database

LATEST_MS = 30.0
SERIES_MS = 20.0
COVERAGE_S = 2.0
SESSIONS_OF_FIVE_YEARS = 1_259


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    size, session_count, turns = (500, 200, 3) if quick else (5_000, 2_000, 15)
    lines: list[Line] = []
    notes: list[str] = []
    for kind in kinds:
        with prepared(kind, size, session_count) as ours:
            took_s = fill(ours, session_count)
            _measure(kind, ours.context.database, lines, notes, shape=(size, session_count), turns=turns)
            notes[-1] += f"; storing all of them took {took_s:.0f} s"
    notes.append(
        f"{size * session_count:,} bars: {session_count:,} sessions of {size:,} companies, stored date by date; "
        "a warm cache."
    )
    print_lines(f"Reads, median of {turns}", lines, notes)
    return lines


def _measure(
    kind: str, database: Database, lines: list[Line], notes: list[str], *, shape: tuple[int, int], turns: int
) -> None:
    size, session_count = shape
    known = newest_sessions(session_count)
    now, years = known[-1][1], known[-SESSIONS_OF_FIVE_YEARS:]
    symbol = clone_symbols(size)[size // 2]

    def latest() -> Sequence[LatestBar]:
        return load_latest_bars(database)

    def series(*, adjusted: bool = False) -> Sequence[DailyBar]:
        return load_series(database, symbol, first=years[0][0], adjusted=adjusted).bars

    def coverage(*, recount: bool = False) -> Sequence[CompanyCoverage]:
        return load_coverage(database, now=now, recount=recount)

    looks: list[tuple[str, float, str, Callable[[], Any]]] = [
        (f"latest bar of {size:,} symbols", LATEST_MS, "ms", latest),
        (f"{len(years):,} bars of one symbol", SERIES_MS, "ms", series),
        ("the same, adjusted", SERIES_MS, "ms", lambda: series(adjusted=True)),
        (f"coverage report of {size:,} symbols", COVERAGE_S, "s", coverage),
    ]
    for what, limit, unit, look in looks:
        factor = 1000 if unit == "ms" else 1
        walls, cpus = _times(look, turns)
        times = [seconds * factor for seconds in walls]
        lines.append(below(what, NAMES[kind], median(times), limit, unit=unit))
        notes.append(
            f"{NAMES[kind]}, {what}: {min(times):.2f} to {max(times):.2f} {unit}, "
            f"of which the client's CPU {median(cpus) * factor:.2f} {unit}"
        )
    began = time.perf_counter()
    recounted = coverage(recount=True)
    notes.append(f"{NAMES[kind]}: coverage by reading every bar {time.perf_counter() - began:.1f} s")
    total = total_of(coverage())
    is_right = recounted == coverage() and (total.stored_count, total.missing_count) == (size * session_count, 0)
    if not is_right or len(latest()) != size or len(series()) != len(years):
        raise RuntimeError(f"not a measurement: {total}, {len(latest())} newest bars")


def _times(look: Callable[[], Any], turns: int) -> tuple[list[float], list[float]]:
    """Seconds, and seconds of the client's CPU, of each turn, after one that warms the caches."""
    look()
    walls, cpus = [], []
    for _ in range(turns):
        wall, cpu = time.perf_counter(), time.process_time()
        look()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return walls, cpus
