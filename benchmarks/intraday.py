"""A refresh while the market is open: 200 symbols, a quarter of an hour after the last one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from benchmarks.baseline import Baseline
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import Ours, clone_symbols, opened, sessions
from benchmarks.report import Line, print_lines, spread
from benchmarks.stored import NEWEST
from closingbell.domain.runs import RunStatus
from closingbell.jobs.intraday_updater import update_intraday_prices
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores import companies, watching
from closingbell.stores.database import open_database

LATENCY_MS = 100
CONCURRENCY = 64
EVERY = timedelta(minutes=15)
# An hour and a half after the open.
BEGINS = timedelta(hours=1, minutes=30)
# The usual design is measured on this many of the symbols each turn; all of them are loaded in its session.
BASELINE_SYMBOLS = 4
TIMES_BASELINE = 20.0


@dataclass
class _Turns:
    """Symbols a second, turn by turn, and what ours took."""

    baseline: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    size, turns = (50, 1) if quick else (200, 3)
    lines: list[Line] = []
    notes: list[str] = []
    with replay_process(now=_moment(0), speed=0, latency_ms=LATENCY_MS, clones=size) as market:
        for kind in kinds:
            found = _measure(kind, size, turns, market)
            ratio = median(o / b for o, b in zip(found.ours, found.baseline, strict=True))
            what = f"{size} symbols, the usual design"
            lines.append(Line(what, NAMES[kind], spread(found.baseline), spread(found.ours), ratio, TIMES_BASELINE))
            notes.append(f"{NAMES[kind]}: client CPU {median(found.cpu_ms):.2f} ms a symbol")
    notes.append(
        f"The market moved on by {EVERY.seconds // 60} minutes; answers after {LATENCY_MS} ms, ours with {CONCURRENCY} "
        f"requests under way. Usual design: {BASELINE_SYMBOLS} of the symbols a turn, all companies loaded."
    )
    notes.append("It asks for the whole day each time; ours from the last stored minute on.")
    print_lines("Intraday refresh, symbols a second", lines, notes)
    return lines


def _moment(turn: int) -> datetime:
    """The instants of the refreshes."""
    close = next(at for day, at in sessions(NEWEST, NEWEST) if day == NEWEST)
    # Half an hour after the close, seven hours after the open.
    return close - timedelta(hours=7) + BEGINS + turn * EVERY


def _measure(kind: str, size: int, turns: int, market: ReplayProcess) -> _Turns:
    symbols, found = clone_symbols(size), _Turns()
    with ExitStack() as stack:
        url = stack.enter_context(new_database(kind))
        ours = stack.enter_context(opened(url, market_url=market.base_url, concurrency=CONCURRENCY))
        ours.set_up()
        ours.buy(symbols, NEWEST - timedelta(days=7))
        _watch(ours)
        usual_url = stack.enter_context(new_database(kind))
        usual = stack.enter_context(closing(Baseline(open_database(usual_url).engine, market_url=market.base_url)))
        usual.set_up(symbols)
        # The first refresh brings the day so far, and builds the client.
        for turn in range(turns + 1):
            market.set_now(_moment(turn))
            took = usual.refresh_minutes(symbols[:BASELINE_SYMBOLS])
            wall_s, cpu_s = _refresh(ours, size, _moment(turn))
            if turn:
                found.baseline.append(took.count / took.wall_s)
                found.ours.append(size / wall_s)
                found.cpu_ms.append(cpu_s * 1000 / size)
    return found


def _watch(ours: Ours) -> None:
    database, now = ours.context.database, _moment(0)
    with database.read() as connection:
        ids = [company.id for company, _ in companies.load_held(connection)]
    database.write_unit(lambda connection: watching.store_watched(connection, ids, by="bench", now=now))


def _refresh(ours: Ours, size: int, now: datetime) -> tuple[float, float]:
    context = ours.at(now)
    wall, cpu = time.perf_counter(), time.process_time()
    summary = update_intraday_prices(context)
    took = time.perf_counter() - wall, time.process_time() - cpu
    if summary.status is not RunStatus.SUCCESS or len(summary.items) != size:
        raise RuntimeError(f"not a measurement: {summary.message}")
    return took
