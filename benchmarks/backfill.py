"""A backfill from nothing: years of bars of every company, everything included (fetch, read, check, store, log)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import date, datetime
from statistics import median

from benchmarks.baseline import Baseline
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import clone_symbols, opened, sessions
from benchmarks.report import Line, print_lines, spread
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import open_database

BARS = 1_260
CONCURRENCY = 8
# The usual design is measured on this many symbols a turn.
BASELINE_SYMBOLS = 2

TIMES_BASELINE = {"sqlite": 80.0, "postgresql": 80.0, "mariadb": 40.0}


def years() -> tuple[date, datetime]:
    """The first session of the backfill, and when it is asked for: 1,260 sessions lie between."""
    known = sessions(date(2007, 6, 1), date(2013, 2, 28))
    return known[-BARS][0], known[-1][1]


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    size, turns = (100, 1) if quick else (500, 2)
    lines: list[Line] = []
    notes: list[str] = []
    _, now = years()
    with replay_process(now=now, speed=0, clones=size) as market:
        for kind in kinds:
            usual: list[float] = []
            alone: list[float] = []
            ours: list[float] = []
            cpu: list[float] = []
            for turn in range(turns):
                usual.append(_usual_rows_per_s(kind, market, loaded=size, turn=turn))
                alone.append(_usual_rows_per_s(kind, market, loaded=BASELINE_SYMBOLS, turn=0))
                rate, cpu_us = _our_rows_per_s(kind, market, size)
                ours.append(rate)
                cpu.append(cpu_us)
            what = f"{size} x {BARS} bars, the usual design"
            lines.append(_line(what, kind, usual, ours, TIMES_BASELINE[kind]))
            lines.append(
                _line(f"the same, {BASELINE_SYMBOLS} companies loaded", kind, alone, ours, TIMES_BASELINE[kind])
            )
            notes.append(f"{NAMES[kind]}: client CPU {median(cpu):.1f} µs a row")
    notes.append(
        f"Usual design: {BASELINE_SYMBOLS} symbols a turn, with all {size} companies loaded in its session as it has "
        f"them; in the second line only those {BASELINE_SYMBOLS}."
    )
    notes.append(f"Answers after 0 ms, {CONCURRENCY} requests under way.")
    print_lines("Backfill, rows a second", lines, notes)
    return lines


def _line(what: str, kind: str, theirs: Sequence[float], ours: Sequence[float], bar: float) -> Line:
    ratio = median(o / t for o, t in zip(ours, theirs, strict=True))
    return Line(what, NAMES[kind], spread(theirs), spread(ours), ratio, bar)


def _usual_rows_per_s(kind: str, market: ReplayProcess, *, loaded: int, turn: int) -> float:
    first, now = years()
    symbols = clone_symbols(loaded)
    with ExitStack() as stack:
        engine = open_database(stack.enter_context(new_database(kind))).engine
        usual = stack.enter_context(closing(Baseline(engine, market_url=market.base_url)))
        usual.set_up(symbols)
        asked = symbols[turn * BASELINE_SYMBOLS : (turn + 1) * BASELINE_SYMBOLS]
        took = usual.refresh(asked, start=first, end=now)
    if took.rows != BARS * BASELINE_SYMBOLS:
        raise RuntimeError(f"the usual design stored {took.rows} rows")
    return took.rows / took.wall_s


def _our_rows_per_s(kind: str, market: ReplayProcess, size: int) -> tuple[float, float]:
    """Rows a second, and client CPU in microseconds a row."""
    first, now = years()
    with ExitStack() as stack:
        url = stack.enter_context(new_database(kind))
        ours = stack.enter_context(opened(url, market_url=market.base_url, concurrency=CONCURRENCY))
        ours.set_up()
        ours.buy(clone_symbols(size), first)
        # The client is built before the clock starts, as the usual design's is.
        ours.fetch_only(["AAPL"], first=now.date(), now=now)
        took = ours.run(now)
    if took.rows != BARS * size:
        raise RuntimeError(f"{took.rows} bars stored of {BARS * size}")
    return took.rows / took.wall_s, took.cpu_s * 1e6 / took.rows
