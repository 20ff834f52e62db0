"""Schedulers inside servers: gunicorn's workers, and Flask's own server with its reloader."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from closingbell.models import JobLog, SchedulerProcess
from closingbell.stores.database import Database, open_database
from tests.scheduling.fleet import (
    Fleet,
    completed_counts,
    fleet,
    prepare,
    rows,
    running,
    soon,
    tick_counts,
    wait_until,
    waiting,
)
from tests.scheduling.quick_jobs import QUICK, Plan, environment


@pytest.fixture
def url(sqlite_tables_url: str) -> str:
    return sqlite_tables_url


@pytest.fixture
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.dispose()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def asked(port: int) -> int | None:
    """The status of a page, or None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def each_due_time_ran_once(processes: Fleet, database: Database, plan: Plan) -> None:
    due = {(name, at) for name in plan.jobs for at in plan.series.all()}
    wait_until(
        lambda: len(completed_counts(database)) == len(due) and not waiting(database),
        within_s=90,
        what="every due time was run",
    )
    time.sleep(2)
    assert tick_counts(database) == dict.fromkeys(due, 1)
    assert completed_counts(database) == dict.fromkeys(due, 1)
    assert len(rows(database, JobLog)) == len(due)
    for child in processes.children:
        assert "Traceback" not in child.log


@pytest.mark.slow
@pytest.mark.parametrize("tables_url", ["sqlite", "postgresql"], indirect=True)
def test_four_workers_of_gunicorn_run_each_due_time_once(tables_url: str, database: Database, tmp_path: Path) -> None:
    plan = Plan(QUICK, soon(5).isoformat(), every_s=2, count=5)
    prepare(tables_url, tmp_path, plan)
    with fleet(tmp_path / "fleet", tables_url, **environment(plan)) as processes:
        port = free_port()
        server = processes.start("serve", "--port", str(port), "--workers", "4")
        wait_until(
            lambda: len(server.events("scheduler.started")) == 4,
            within_s=60,
            what=lambda: f"four started: {server.log}",
        )
        each_due_time_ran_once(processes, database, plan)
        assert asked(port) == 200
        assert server.end() == 0
    schedulers = rows(database, SchedulerProcess, order="owner")
    assert len(schedulers) == 4
    # Each of them said good-bye.
    assert all(scheduler.stopped_at is not None for scheduler in schedulers)


@pytest.mark.slow
def test_reloader_of_flask_runs_each_due_time_once(url: str, opened: Database, tmp_path: Path) -> None:
    plan = Plan(QUICK, soon(5).isoformat(), every_s=2, count=5)
    prepare(url, tmp_path, plan)
    with fleet(tmp_path / "fleet", url, **environment(plan)) as processes:
        port = free_port()
        server = processes.start("--app", "closingbell", "run", "--debug", "--port", str(port), module="flask")
        wait_until(lambda: asked(port) == 200, within_s=60, what="the server answers")
        each_due_time_ran_once(processes, opened, plan)
        # The process that watches the files has none.
        assert len(server.events("scheduler.started")) == 1
        server.tell(signal.SIGINT)
        server.process.wait(timeout=60)
    [scheduler] = rows(opened, SchedulerProcess, order="owner")
    assert scheduler.owner.split(":")[1] != str(server.pid)


@pytest.mark.slow
def test_pages_are_answered_while_a_job_runs(url: str, opened: Database, tmp_path: Path) -> None:
    plan = Plan(("slow",), soon(0).isoformat(), seconds=6)
    prepare(url, tmp_path, plan)
    with fleet(tmp_path / "fleet", url, **environment(plan)) as processes:
        port = free_port()
        server = processes.start("serve", "--port", str(port))
        wait_until(lambda: running(opened), within_s=60, what="a run began")

        answers = [asked(port) for _ in range(20)]

        assert answers == [200] * 20
        assert len(running(opened)) == 1
        assert server.end() == 0
    assert [(run.status, run.ended_by) for run in rows(opened, JobLog)] == [("SUCCESS", None)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["serve", "flask"])
def test_long_run_in_a_server_that_is_told_to_end_is_closed_as_interrupted(
    how: str, url: str, opened: Database, tmp_path: Path
) -> None:
    plan = Plan(("slow",), soon(0).isoformat(), seconds=40)
    prepare(url, tmp_path, plan)
    with fleet(tmp_path / "fleet", url, **environment(plan), JOBS_SHUTDOWN_GRACE="1") as processes:
        port = str(free_port())
        if how == "serve":
            server = processes.start("serve", "--port", port)
        else:
            server = processes.start("--app", "closingbell", "run", "--port", port, module="flask")
        wait_until(lambda: running(opened), within_s=60, what="a run began")

        server.tell(signal.SIGTERM if how == "serve" else signal.SIGINT)
        server.process.wait(timeout=30)

    [run] = rows(opened, JobLog)
    assert (run.status, run.ended_by) == ("FAILED", "interrupted")
    assert len(waiting(opened)) == 1


@pytest.mark.slow
def test_killed_worker_is_replaced_and_its_run_taken_up(url: str, opened: Database, tmp_path: Path) -> None:
    plan = Plan(("slow",), soon(0).isoformat(), seconds=3)
    prepare(url, tmp_path, plan)
    with fleet(tmp_path / "fleet", url, **environment(plan)) as processes:
        server = processes.start("serve", "--port", str(free_port()), "--workers", "2")
        [run] = wait_until(lambda: running(opened), within_s=60, what="a run began")
        os.kill(int(run.owner.split(":")[1]), signal.SIGKILL)
        wait_until(lambda: completed_counts(opened) and not waiting(opened), within_s=60, what="it was taken up")
        assert server.end() == 0
    assert [(run.status, run.ended_by, run.attempt) for run in rows(opened, JobLog)] == [
        ("FAILED", "orphaned", 1),
        ("SUCCESS", None, 2),
    ]
