"""The pages with much stored behind them: what each costs the server while people read, and a job beside them."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import func, insert, select

from benchmarks.databases import NAMES
from benchmarks.ours import Ours, clone_symbols, opened, sessions
from benchmarks.report import Line, below, print_lines
from benchmarks.stored import fill, newest_sessions, prepared
from benchmarks.visitors import Visitor, come, reading
from closingbell.domain.runs import Outcome
from closingbell.jobs.context import JOBS_EXTENSION
from closingbell.jobs.price_planning import Selection
from closingbell.jobs.price_updater import refresh_prices
from closingbell.models import JobLog, JobLogItem
from closingbell.replay import ReplayProcess, replay_process
from closingbell.usecases import people

VISITORS = 20
PAGE_MS = 100.0
CHART_MS = 50.0
NOW_KB = 100.0
SLOWED = 1.20

LATENCY_MS = 100
CONCURRENCY = 64
# The stored history ends here; what a job brings comes after it.
UNTIL = date(2013, 2, 7)
# Sessions of what the job writes to.
WRITTEN_SESSIONS = 60
EMAIL, PASSWORD = "bench@example.org", "correct horse battery"


@dataclass(frozen=True, slots=True)
class _Size:
    companies: int
    sessions: int
    runs: int
    items: int
    written: int
    read_s: float
    turns: int


QUICK = _Size(500, 200, 2_000, 500, 200, 5.0, 1)
FULL = _Size(5_000, 2_000, 100_000, 5_000, 2_000, 45.0, 3)


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    size = QUICK if quick else FULL
    lines: list[Line] = []
    notes: list[str] = []
    clones = size.companies + size.written
    began = sessions(date(2012, 10, 1), UNTIL)[-WRITTEN_SESSIONS]
    with replay_process(now=began[1], speed=0, latency_ms=LATENCY_MS, clones=clones) as market:
        for kind in kinds:
            with prepared(kind, size.companies, size.sessions, until=UNTIL) as ours:
                _measure(kind, ours, size, market, lines, notes)
    notes.append(
        f"{size.companies:,} companies with {size.companies * size.sessions:,} bars, {size.runs:,} runs, the one that "
        f"is looked at with {size.items:,} companies; {VISITORS} people read a page a second. Times are the server's "
        f"own, of {size.read_s:g} s; people, server, database, market and job share this machine."
    )
    print_lines("Pages", lines, notes)
    return lines


def _measure(kind: str, ours: Ours, size: _Size, market: ReplayProcess, lines: list[Line], notes: list[str]) -> None:
    fill(ours, size.sessions, until=UNTIL)
    now = newest_sessions(1, until=UNTIL)[0][1]
    run_id = _store_runs(ours, size, now)
    people.create_administrator(ours.context, email=EMAIL, password=PASSWORD)
    written = clone_symbols(size.companies + size.written)[size.companies :]
    url = ours.context.database.engine.url.render_as_string(hide_password=False)
    symbol = clone_symbols(size.companies)[size.companies // 2]
    paths = ["/", f"/runs/{run_id}", "/", f"/runs/{run_id}", "/runs", f"/companies/{symbol}/chart?range=5y"]
    with ExitStack() as stack:
        job = stack.enter_context(opened(url, market_url=market.base_url, concurrency=CONCURRENCY))
        _store_written(job, written, market, now)
        server = stack.enter_context(_server(url, market.base_url, now))
        visitors = come(server.port, VISITORS, email=EMAIL, password=PASSWORD)
        for visitor in visitors:
            stack.callback(visitor.close)
        _weigh(visitors[0], NAMES[kind], lines)
        with reading(visitors, paths):
            time.sleep(2)
            server.forget()
            time.sleep(size.read_s)
            took = server.times()
        for path in dict.fromkeys(path.partition("?")[0] for path in paths):
            lines.append(_line(path, NAMES[kind], took[path], notes))
        _slow_down(job, written, visitors, paths, market, size.turns, NAMES[kind], lines, notes)


def _line(path: str, database: str, took: list[float], notes: list[str]) -> Line:
    what, limit = {"": ("Now", PAGE_MS), "companies": ("the chart of five years", CHART_MS)}.get(
        path.split("/")[1], ("a run" if path.count("/") == 2 else "Runs", PAGE_MS)
    )
    notes.append(f"{database}, {what}: median of {len(took)} {median(took):.1f} ms, at most {max(took):.1f} ms")
    return below(f"{what}, p95", database, quantiles(took, n=20)[-1], limit, unit="ms")


def _weigh(visitor: Visitor, database: str, lines: list[Line]) -> None:
    """*Now* as it goes over the wire: the page and everything of ours that it names, compressed."""
    page = visitor.page("/")
    parts = [page] + [visitor.page(path) for path in _assets(page)]
    kilobytes = sum(len(gzip.compress(part, 6)) for part in parts) / 1000
    lines.append(below(f"Now and its {len(parts) - 1} assets, compressed", database, kilobytes, NOW_KB, unit="kB"))


def _assets(page: bytes) -> list[str]:
    text = page.decode()
    return sorted({part.split('"')[0] for part in text.split('="')[1:] if part.startswith("/assets/")})


def _slow_down(
    job: Ours,
    symbols: Sequence[str],
    visitors: Sequence[Visitor],
    paths: Sequence[str],
    market: ReplayProcess,
    turns: int,
    database: str,
    lines: list[Line],
    notes: list[str],
) -> None:
    """A job on one session alone and on the next one while people read; the ratio is the median of the turns."""
    following = iter(sessions(UNTIL + timedelta(days=1), date(2013, 2, 28)))
    alone, among = [], []
    for _ in range(turns):
        alone.append(_refresh(job, symbols, market, next(following)[1]))
        with reading(visitors, paths):
            time.sleep(1)
            among.append(_refresh(job, symbols, market, next(following)[1]))
    slowed = median(b / a for a, b in zip(alone, among, strict=True))
    lines.append(
        Line(
            f"a job writing {len(symbols):,} symbols, among readers",
            database,
            f"{median(alone):.2f} s",
            f"{median(among):.2f} s",
            slowed,
            SLOWED,
            at_most=True,
        )
    )
    notes.append(
        f"{database}, the job: alone {', '.join(f'{one:.2f}' for one in alone)} s, "
        f"among readers {', '.join(f'{one:.2f}' for one in among)} s"
    )


def _refresh(job: Ours, symbols: Sequence[str], market: ReplayProcess, now: datetime) -> float:
    """Seconds of one refresh of the symbols, each by a request of its own."""
    market.set_now(now)
    began = time.perf_counter()
    summary = refresh_prices(job.at(now), Selection(symbols=tuple(symbols)))
    took = time.perf_counter() - began
    if sum(item.stored_count for item in summary.items) < len(symbols):
        raise RuntimeError(f"not a measurement: {summary.message}")
    return took


def _store_written(job: Ours, symbols: Sequence[str], market: ReplayProcess, now: datetime) -> None:
    job.buy(symbols, sessions(date(2012, 10, 1), UNTIL)[-WRITTEN_SESSIONS][0])
    market.set_now(now)
    refresh_prices(job.at(now), Selection(symbols=tuple(symbols)))


def _store_runs(ours: Ours, size: _Size, now: datetime) -> int:
    """Runs up to now, every eleventh of them failed, and companies of the newest one; give that one's id."""
    # The jobs that *Now* tells of: runs of others would cost it nothing.
    names = sorted(ours.app.extensions[JOBS_EXTENSION])
    began = [now - timedelta(minutes=15 * number) for number in range(size.runs, 0, -1)]
    rows = [
        {
            "job_name": names[number % len(names)],
            "status": "FAILED" if number % 11 == 0 else "SUCCESS",
            "started_at": at,
            "completed_at": at + timedelta(seconds=20 + number % 7),
            "stocks_processed": size.items,
            "stocks_planned": size.items,
            "expected_count": size.items,
            "covered_count": size.items,
            "message": f"{size.items} of {size.items} closes",
            "trigger": "schedule",
            "owner": "bench",
            "heartbeat_at": at,
        }
        for number, at in enumerate(began)
    ]
    database = ours.context.database
    for start in range(0, len(rows), 5_000):
        with database.write() as connection:
            connection.execute(insert(JobLog), rows[start : start + 5_000])
    with database.read() as connection:
        newest = connection.scalars(select(func.max(JobLog.id))).one()
    items = [_item(newest, number, symbol) for number, symbol in enumerate(clone_symbols(size.items))]
    with database.write() as connection:
        connection.execute(insert(JobLogItem), items)
    return newest


def _item(run_id: int, number: int, symbol: str) -> dict[str, object]:
    is_failed = number % 50 == 0
    return {
        "job_log_id": run_id,
        "symbol": symbol,
        "outcome": Outcome.FAILED if is_failed else Outcome.STORED,
        "expected_count": 1,
        "covered_count": 0 if is_failed else 1,
        "stored_count": 0 if is_failed else 1,
        "changed_count": 0,
        "quarantined_count": 0,
        "error_kind": "timeout" if is_failed else None,
        "message": "no answer within 10 s" if is_failed else None,
        "attempt_count": 3 if is_failed else 1,
        "duration_ms": 120,
    }


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    file: Path

    def forget(self) -> None:
        """Begin to count anew."""
        os.truncate(self.file, 0)

    def times(self) -> dict[str, list[float]]:
        """Milliseconds of every request since then, by path."""
        found: dict[str, list[float]] = defaultdict(list)
        for line in self.file.read_text().splitlines():
            path, _, took = line.partition(" ")
            found[path].append(float(took))
        return found


@contextmanager
def _server(url: str, market_url: str, now: datetime) -> Iterator[_Server]:
    """The pages under gunicorn in processes of their own."""
    with tempfile.TemporaryDirectory(prefix="closingbell_bench_") as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        folder = Path(name)
        surroundings = os.environ | {
            "DATABASE_URL": url,
            "INSTANCE_PATH": name,
            "YAHOO_BASE_URL": market_url,
            "CLOSINGBELL_NOW": now.isoformat(),
            "LOG_LEVEL": "ERROR",
        }
        served = _Server(port, folder / "times")
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.page_server", str(port), str(served.file)],
            env=surroundings,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await_answer(port, process)
            yield served
        finally:
            process.terminate()
            process.wait(30)


def _await_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server of the pages does not answer")
