"""Storing alone: our store step against the fastest path that each database has, on the same rows and tables."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date, datetime
from statistics import median
from typing import Any, TypeVar

from sqlalchemy import Connection

from benchmarks.backfill import BARS, years
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import Ours, clone_symbols, opened
from benchmarks.report import Line, print_lines, spread
from closingbell.domain.planning import FetchItem
from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import JobContext
from closingbell.jobs.price_planning import Plan, Selection, plan_refresh
from closingbell.jobs.price_settling import Fetched
from closingbell.jobs.price_storing import store_chunk
from closingbell.jobs.price_updater import CHUNK_BARS
from closingbell.jobs.runner import Ending, Run, carry_out
from closingbell.providers.base import DailyHistory
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import Database

R = TypeVar("R")
Row = tuple[Any, ...]

OF_THE_FASTEST = 0.50
PATHS = {"sqlite": "executemany", "postgresql": "binary COPY", "mariadb": "LOAD DATA"}
COLUMNS = "company_id, date, open, high, low, close, volume, is_settled, provider, fetched_at, flag"


class _TimedDatabase(Database):
    """Adds up the time that writing transactions take, commit included."""

    wall_s = 0.0
    is_timing = True

    def write_unit(self, unit: Callable[[Connection], R]) -> R:
        began = time.perf_counter()
        try:
            return super().write_unit(unit)
        finally:
            if self.is_timing:
                self.wall_s += time.perf_counter() - began


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    size, turns = (48, 1) if quick else (192, 3)
    lines: list[Line] = []
    _, now = years()
    with replay_process(now=now, speed=0, clones=size) as market:
        for kind in kinds:
            fastest: list[float] = []
            step: list[float] = []
            whole: list[float] = []
            histories: dict[str, DailyHistory] = {}
            for _ in range(turns):
                fastest.append(_fastest_rows_per_s(kind, market, size, histories))
                of_step, of_whole = _our_rows_per_s(kind, market, size, histories)
                step.append(of_step)
                whole.append(of_whole)
            what = f"store {size} x {BARS} bars, {PATHS[kind]}"
            lines.append(_line(what, kind, fastest, step, OF_THE_FASTEST))
            lines.append(_line("the same with comparing and checking", kind, fastest, whole, None))
    notes = [
        "Ours is the whole transaction of a chunk: bars, coverage, listings, dividends, and the log of every company.",
        "The fastest path is one transaction with the bars and nothing else, into the same table, keys and all.",
    ]
    print_lines("Storing alone, rows a second", lines, notes)
    return lines


def _line(what: str, kind: str, theirs: Sequence[float], ours: Sequence[float], bar: float | None) -> Line:
    ratio = median(o / t for o, t in zip(ours, theirs, strict=True))
    return Line(what, NAMES[kind], spread(theirs), spread(ours), ratio, bar, as_percent=True)


@contextmanager
def _prepared(kind: str, market: ReplayProcess, symbols: Sequence[str]) -> Iterator[Ours]:
    """The application on a new database that has the companies and no bar."""
    first, _ = years()
    with ExitStack() as stack:
        url = stack.enter_context(new_database(kind))
        ours = stack.enter_context(opened(url, market_url=market.base_url, concurrency=8))
        ours.set_up()
        ours.buy(symbols, first)
        yield ours


def _our_rows_per_s(
    kind: str, market: ReplayProcess, size: int, histories: dict[str, DailyHistory]
) -> tuple[float, float]:
    """Rows a second of the writing transactions, and of ``store_chunk`` as a whole."""
    _, now = years()
    symbols = clone_symbols(size)
    with _prepared(kind, market, symbols) as ours:
        database = _TimedDatabase(ours.context.database.engine)
        context = replace(ours.at(now), database=database)
        plan = plan_refresh(context, Selection())
        _fetch(ours, symbols, histories, now)
        chunks = list(_chunks(plan.items, histories))
        stored, whole_s = _store(context, plan, chunks)
        step_s = database.wall_s
    if stored != size * BARS:
        raise RuntimeError(f"{stored} bars stored of {size * BARS}")
    return stored / step_s, stored / whole_s


def _fetch(ours: Ours, symbols: Sequence[str], histories: dict[str, DailyHistory], now: datetime) -> None:
    """Fill ``histories`` once."""
    first, _ = years()
    provider = ours.context.open_provider()
    for symbol in symbols:
        if symbol not in histories:
            histories[symbol] = provider.fetch_daily(symbol, first=first, now=now)


def _chunks(items: Iterable[FetchItem], histories: dict[str, DailyHistory]) -> Iterator[list[Fetched]]:
    fetched = [Fetched(item, histories[item.symbol], None, 1, 1) for item in items]
    length = -(-CHUNK_BARS // BARS)
    for start in range(0, len(fetched), length):
        yield fetched[start : start + length]


def _store(context: JobContext, plan: Plan, chunks: Sequence[list[Fetched]]) -> tuple[int, float]:
    """Bars stored, and how long it took, in the frame of a run."""
    stored, took_s = 0, 0.0

    def body(run: Run) -> Ending:
        nonlocal stored, took_s
        database = context.database
        assert isinstance(database, _TimedDatabase)
        database.wall_s = 0.0
        began = time.perf_counter()
        for chunk in chunks:
            stored += sum(outcome.stored_count for outcome in store_chunk(context, run, plan, chunk))
        took_s = time.perf_counter() - began
        database.is_timing = False
        return Ending(RunStatus.SUCCESS, "measured")

    carry_out(context, "bench", body)
    return stored, took_s


def _fastest_rows_per_s(kind: str, market: ReplayProcess, size: int, histories: dict[str, DailyHistory]) -> float:
    """Rows a second of the database's own fastest path; making its input from the same tuples is counted."""
    _, now = years()
    symbols = clone_symbols(size)
    with _prepared(kind, market, symbols) as ours:
        _fetch(ours, symbols, histories, now)
        rows = _rows(histories, now, kind)
        began = time.perf_counter()
        with ours.context.database.write() as connection:
            _FASTEST[kind](connection, rows)
        took_s = time.perf_counter() - began
        with ours.context.database.read() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM price_history").scalar()
    if count != len(rows):
        raise RuntimeError(f"{count} rows stored of {len(rows)}")
    return len(rows) / took_s


def _rows(histories: dict[str, DailyHistory], now: datetime, kind: str) -> list[Row]:
    fetched_at = now if kind == "postgresql" else now.strftime("%Y-%m-%d %H:%M:%S.%f")
    return [
        (company_id, *bar, True, "yahoo", fetched_at, None)
        for company_id, symbol in enumerate(sorted(histories), start=1)
        for bar in histories[symbol].bars
    ]


def _executemany(connection: Connection, rows: list[Row]) -> None:
    texts: dict[date, str] = {row[1]: row[1].isoformat() for row in rows}
    driver: Any = connection.connection.driver_connection
    marks = ", ".join("?" * 11)
    driver.executemany(
        f"INSERT INTO price_history ({COLUMNS}) VALUES ({marks})",
        [(row[0], texts[row[1]], *row[2:]) for row in rows],
    )


def _binary_copy(connection: Connection, rows: list[Row]) -> None:
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY price_history ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(
            ["int8", "date", "int8", "int8", "int8", "int8", "int8", "bool", "varchar", "timestamptz", "varchar"]
        )
        for row in rows:
            copy.write_row(row)


def _load_data(connection: Connection, rows: list[Row]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8", newline="") as file:
        file.writelines(
            f"{i}\t{day}\t{o}\t{h}\t{low}\t{c}\t{v}\t{settled:d}\t{provider}\t{at}\t\\N\n"
            for i, day, o, h, low, c, v, settled, provider, at, _ in rows
        )
        file.flush()
        connection.exec_driver_sql(
            f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE price_history CHARACTER SET utf8mb4 "
            f"({COLUMNS.replace('open', '`open`').replace('close', '`close`')})"
        )


_FASTEST: dict[str, Callable[[Connection, list[Row]], None]] = {
    "sqlite": _executemany,
    "postgresql": _binary_copy,
    "mariadb": _load_data,
}
