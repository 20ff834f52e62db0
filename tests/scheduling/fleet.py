"""Processes with schedulers, their logs, and what they left in the database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from closingbell.app import create_app
from closingbell.config import Settings
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.models import Base, JobLog, JobTick
from closingbell.stores import job_log, job_ticks
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of
from tests.scheduling.quick_jobs import Plan

# Lines of gunicorn and of Flask's server, which keep logs of their own.
FOREIGN = ("[", " * ", "127.0.0.1 - - ", "WARNING: This is a development server", "Press CTRL+C to quit")


def wait_until(is_so: Callable[[], Any], *, within_s: float, what: str | Callable[[], str]) -> Any:
    """Wait until something is so and return it; fail with ``what`` (told then) when it does not come in time."""
    ends_at = time.monotonic() + within_s
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {within_s} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)


@dataclass
class Child:
    """One process; ``log_path`` is its standard error, ``said_path`` its standard output."""

    process: subprocess.Popen[str]
    log_path: Path
    said_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    @property
    def said(self) -> str:
        return self.said_path.read_text(encoding="utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of that name."""
        return [event for event in events_of(self.log)[0] if event.get("event") == name]

    def owns(self, owner: str) -> bool:
        return owner.split(":")[1] == str(self.pid)

    def kill(self) -> None:
        """``kill -9``, of everything that it started too."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, *, within_s: float = 60) -> int:
        """SIGTERM, and how it ended."""
        if self.process.poll() is None:
            self.tell(signal.SIGTERM)
        return self.process.wait(timeout=within_s)


def events_of(log: str) -> tuple[list[dict[str, Any]], list[str]]:
    """A log's events, and its lines that are none."""
    events, rest = [], []
    for line in log.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            if line.strip() and not line.startswith(FOREIGN):
                rest.append(line)
    return events, rest


@dataclass
class Fleet:
    """Processes that share settings; whatever still runs is killed with the test."""

    folder: Path
    env: Mapping[str, str]
    children: list[Child] = field(default_factory=list)

    def start(self, *arguments: str, module: str = "closingbell", **more: str) -> Child:
        number = len(self.children)
        log, said = self.folder / f"child-{number}.err", self.folder / f"child-{number}.out"
        with log.open("w") as errors, said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**self.env, **more},
                cwd=self.folder,
                stdout=output,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        child = Child(process, log, said)
        self.children.append(child)
        return child

    def start_scheduler(self, **more: str) -> Child:
        return self.start("run-scheduler", **more)

    def await_started(self, *, within_s: float = 60) -> None:
        """Wait until every process has a scheduler that runs."""
        for child in self.children:
            wait_until(
                lambda child=child: child.events("scheduler.started") or child.process.poll() is not None,
                within_s=within_s,
                what=lambda child=child: f"a scheduler has started; it said: {child.log}",
            )
            assert child.process.poll() is None, child.log

    def complaints(self, *, allowed: tuple[str, ...] = ()) -> list[str]:
        """What the logs hold that is no plain information, events of the ``allowed`` names left out."""
        found = []
        for child in self.children:
            events, rest = events_of(child.log)
            found += [
                json.dumps(event)
                for event in events
                if event["level"] not in {"info", "debug"} and event["event"] not in allowed
            ]
            found += rest
        return found

    def close(self) -> None:
        for child in self.children:
            if child.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.process.wait()


@contextmanager
def fleet(folder: Path, url: str, **env: str) -> Iterator[Fleet]:
    """Processes on one database; ``env`` are their further settings."""
    folder.mkdir(exist_ok=True)
    base = {name: value for name, value in os.environ.items() if name not in {"FLASK_APP", "FLASK_DEBUG"}}
    made = Fleet(
        folder,
        {
            **base,
            "DATABASE_URL": url,
            "INSTANCE_PATH": str(folder / "instance"),
            "CACHE_DIR": str(folder / "cache"),
            "LOG_LEVEL": "INFO",
            "LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            **env,
        },
    )
    try:
        yield made
    finally:
        made.close()


@contextmanager
def context_on(url: str, folder: Path, **settings: Any) -> Iterator[JobContext]:
    """What the jobs of an application on this database are given."""
    app = create_app(Settings(database_url=url, instance_path=folder / "instance", cache_dir=folder, **settings))
    context: JobContext = app.extensions[EXTENSION]
    try:
        yield context
    finally:
        context.database.dispose()


def prepare(url: str, folder: Path, plan: Plan, *, now: datetime | None = None) -> None:
    """Write down the sessions, to spare every process the building of a calendar, and since when the jobs are known.

    So a due time that passes while processes are still starting is not forgotten as older than the jobs.
    """
    now = now or datetime.now(UTC)
    since = min(now, plan.series.start) - timedelta(seconds=1)
    with context_on(url, folder) as context:
        load_session_list(context, "XNYS", now.date() - timedelta(days=30), now=now, ahead=timedelta(days=40))
        for name in plan.jobs:
            context.database.write_unit(
                lambda c, name=name: job_ticks.store_known(c, name, plan.series.words, now=since)
            )


def rows(database: Database, model: type[Base], *, order: str = "id") -> list[Any]:
    """All rows of a table."""
    table = table_of(model)
    with database.read() as connection:
        return list(connection.execute(select(table).order_by(table.c[order])))


def waiting(database: Database) -> list[Any]:
    """Due times that are recorded and wait for a run."""
    return [tick for tick in rows(database, JobTick) if tick.done_at is None]


def running(database: Database) -> list[Any]:
    """Runs that are marked RUNNING."""
    return [run for run in rows(database, JobLog) if run.status == "RUNNING"]


def dead_but_running(database: Database) -> list[int]:
    """Runs that are marked RUNNING although their process is gone."""
    return [run.id for run in running(database) if job_log.is_gone(run.owner)]


def tick_counts(database: Database) -> Counter[tuple[str, datetime]]:
    """How many rows each due time has."""
    return Counter((tick.job_name, tick.fire_time) for tick in rows(database, JobTick))


def completed_counts(database: Database) -> Counter[tuple[str, datetime]]:
    """How many runs of each due time came to their end."""
    ended = [run for run in rows(database, JobLog) if run.fire_time is not None and run.status == "SUCCESS"]
    return Counter((run.job_name, run.fire_time) for run in ended)


def soon(seconds: float) -> datetime:
    """An instant so many seconds ahead, to the second."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
