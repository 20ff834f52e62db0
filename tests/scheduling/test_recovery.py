"""Dead, stuck and interrupted runs: closed soon, taken up again, and fenced."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from closingbell.domain.runs import RunStatus
from closingbell.domain.schedules import Daily
from closingbell.errors import AlreadyRunningError, RunCancelledError, RunLostError, RunStalledError
from closingbell.jobs import leases, watch
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.jobs.watch import watch_runs
from closingbell.models import JobLog, JobTick
from closingbell.stores import job_log
from closingbell.stores.database import Database, open_database
from tests.app_fixtures import everything, new_york
from tests.scheduling.desk import NAME, Desk, desk_on
from tests.scheduling.fleet import Child, Fleet, fleet, prepare, rows, running, soon, wait_until, waiting
from tests.scheduling.market_day import SESSIONS, clones, market_day
from tests.scheduling.quick_jobs import Plan, environment

SIX = Daily(time_of_day(6, 0))
ELSEWHERE = "another.host.invalid:1:1"


@pytest.fixture
def desk(tables_url: str, tmp_path: Path) -> Iterator[Desk]:
    """On each database in turn, at a due time of 2027-03-10 06:00 that waits."""
    with desk_on(tables_url, tmp_path, "2027-03-09 12:00", SIX) as made:
        made.start()
        made.clock.set(new_york("2027-03-10 06:00"))
        made.record()
        yield made


@pytest.fixture
def dead_process() -> str:
    """An owner that was a process of this host."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = f"{socket.gethostname()}:{process.pid}:{job_log._started(process.pid)}"
        assert not job_log.is_gone(owner)
        process.kill()
    return owner


def the_tick(desk: Desk) -> int:
    [tick] = rows(desk.database, JobTick)
    return int(tick.id)


def watched(desk: Desk) -> set[str]:
    return watch_runs(desk.context, {NAME: desk.job})


# --- Whose owner is dead.


def test_orphan_of_this_host_is_closed_and_taken_up_again(desk: Desk, dead_process: str) -> None:
    desk.leave_run(owner=dead_process, wall=datetime.now(UTC), tick_id=the_tick(desk))

    assert watched(desk) == {NAME}
    desk.wake()

    assert [(run.status, run.ended_by, run.attempt, run.error_message) for run in desk.runs()] == [
        ("FAILED", "orphaned", 1,
         "the process that carried out this run ended before the run did; what it had stored is kept"),
        ("SUCCESS", None, 2, None),
    ]  # fmt: skip
    assert desk.ticks() == {"2027-03-10 06:00": "schedule"}


def test_due_time_is_given_up_after_three_attempts(desk: Desk, dead_process: str) -> None:
    for attempt in (1, 2, 3):
        desk.leave_run(owner=dead_process, wall=datetime.now(UTC), tick_id=the_tick(desk), attempt=attempt)
        assert watched(desk) == {NAME}
    desk.wake()
    desk.wake()

    assert [(run.attempt, run.ended_by) for run in desk.runs()] == [(1, "orphaned"), (2, "orphaned"), (3, "orphaned")]
    assert waiting(desk.database) == []


def test_lease_of_another_host_is_waited_for_and_no_longer(desk: Desk) -> None:
    began = datetime.now(UTC) - timedelta(seconds=55)
    desk.leave_run(owner=ELSEWHERE, wall=began, tick_id=the_tick(desk))
    assert watched(desk) == set()
    desk.wake()
    assert [run.status for run in desk.runs()] == ["RUNNING"]

    later = replace(desk, context=replace(desk.context, wall=desk.clock))
    desk.clock.set(began + timedelta(seconds=61))
    assert watched(later) == {NAME}
    later.wake()

    assert [(run.status, run.ended_by, run.attempt) for run in desk.runs()] == [
        ("FAILED", "orphaned", 1),
        ("SUCCESS", None, 2),
    ]


def test_process_id_that_was_used_again_is_not_taken_for_its_owner() -> None:
    host, pid = socket.gethostname(), os.getpid()
    assert not job_log.is_gone(job_log.this_process())
    assert job_log.is_gone(f"{host}:{pid}:1")
    assert not job_log.is_gone(f"another.host:{pid}:1")


def test_dead_run_does_not_keep_a_person_from_running_the_job(desk: Desk, dead_process: str) -> None:
    desk.leave_run(owner=dead_process, wall=datetime.now(UTC))

    summary = carry_out(desk.context, NAME, lambda _run: Ending(RunStatus.SUCCESS, "done"))

    assert summary.status is RunStatus.SUCCESS


def test_living_run_keeps_others_out(desk: Desk) -> None:
    desk.leave_run(owner=ELSEWHERE, wall=datetime.now(UTC))

    with pytest.raises(AlreadyRunningError, match="noted is already running"):
        carry_out(desk.context, NAME, lambda _run: Ending(RunStatus.SUCCESS, "done"))


def test_sign_of_life_at_the_last_moment_keeps_the_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner renews its lease between the look at it and the closing."""
    if desk.database.dialect == "sqlite":
        pytest.skip("on SQLite looking and closing are one: nobody else writes meanwhile")
    wall = datetime.now(UTC)
    run_id = desk.leave_run(owner=ELSEWHERE, wall=wall - timedelta(minutes=2))
    judge = job_log.why_orphaned

    def renewing(run: job_log.ActiveRun, now: datetime) -> str | None:
        desk.database.write_unit(lambda c: job_log.renew_lease(c, run_id, ELSEWHERE, wall=wall))
        return judge(run, now)

    monkeypatch.setattr(job_log, "why_orphaned", renewing)
    assert desk.database.write_unit(lambda c: job_log.close_orphans(c, now=wall, wall=wall)) == []
    assert [run.status for run in desk.runs()] == ["RUNNING"]


# --- Fenced: what was closed is not written to any more.


def test_run_that_was_closed_meanwhile_writes_no_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_log, "LEASE", timedelta(seconds=-1))

    def body(run: Run) -> Ending:
        desk.database.write_unit(lambda c: job_log.close_orphans(c, now=desk.clock.now(), wall=datetime.now(UTC)))
        return Ending(RunStatus.SUCCESS, "done")

    carry_out(desk.context, NAME, body, Occasion("schedule", tick_id=the_tick(desk)))

    assert [(run.status, run.ended_by, run.message) for run in desk.runs()] == [("FAILED", "orphaned", None)]
    assert [tick.id for tick in waiting(desk.database)] == [the_tick(desk)]


def test_run_that_was_closed_meanwhile_is_told_to_stop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_POLL_S", 0.0)

    def body(run: Run) -> Ending:
        later = datetime.now(UTC) + timedelta(minutes=2)
        desk.database.write_unit(lambda c: job_log.close_orphans(c, now=desk.clock.now(), wall=later))
        run.check()
        raise AssertionError("not told")

    with pytest.raises(RunLostError):
        carry_out(desk.context, NAME, body)
    assert [(run.status, run.ended_by) for run in desk.runs()] == [("FAILED", "orphaned")]


def test_cancelled_run_stops_at_its_next_question(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_POLL_S", 0.0)

    def body(run: Run) -> Ending:
        run.check()
        assert desk.database.write_unit(lambda c: job_log.request_cancel(c, run.id, by="Ann", now=desk.clock.now()))
        run.check()
        raise AssertionError("not told")

    with pytest.raises(RunCancelledError, match="cancelled by Ann"):
        carry_out(desk.context, NAME, body, Occasion("schedule", tick_id=the_tick(desk)))

    [run] = desk.runs()
    assert (run.status, run.ended_by, run.error_message) == ("FAILED", "cancelled", "cancelled by Ann")
    # What a person cancelled is not taken up again.
    assert waiting(desk.database) == []


# --- Alive, but getting nowhere.


def test_run_without_progress_is_asked_to_stop_and_taken_up_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_POLL_S", 0.0)
    impatient = desk.with_settings(jobs_stall_after_s=0.2)

    def body(run: Run) -> Ending:
        assert watched(impatient) == set()
        time.sleep(0.3)
        assert watched(impatient) == set()
        run.check()
        raise AssertionError("not told")

    with pytest.raises(RunStalledError):
        carry_out(impatient.context, NAME, body, Occasion("schedule", tick_id=the_tick(desk)))
    desk.wake()

    assert [(run.status, run.ended_by, run.attempt) for run in desk.runs()] == [
        ("FAILED", "stalled", 1),
        ("SUCCESS", None, 2),
    ]


def test_run_that_does_not_stop_either_is_closed_over_its_head(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_STALL_GRACE", timedelta(seconds=0.2))
    impatient = desk.with_settings(jobs_stall_after_s=0.2)

    def body(run: Run) -> Ending:
        time.sleep(0.3)
        assert watched(impatient) == set()
        time.sleep(0.3)
        assert watched(impatient) == {NAME}
        # Somebody else may take it up while this one is still stuck.
        desk.wake()
        return Ending(RunStatus.SUCCESS, "too late")

    carry_out(impatient.context, NAME, body, Occasion("schedule", tick_id=the_tick(desk)))

    assert [(run.status, run.ended_by, run.message) for run in desk.runs()] == [
        ("FAILED", "stalled", None),
        ("SUCCESS", None, "done"),
    ]
    assert waiting(desk.database) == []


def test_run_that_a_person_cancelled_and_that_does_not_stop_is_closed_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_STALL_GRACE", timedelta(seconds=0.2))
    impatient = desk.with_settings(jobs_stall_after_s=0.2)

    def body(run: Run) -> Ending:
        desk.database.write_unit(lambda c: job_log.request_cancel(c, run.id, by="Ann", now=datetime.now(UTC)))
        time.sleep(0.4)
        watched(impatient)
        return Ending(RunStatus.SUCCESS, "too late")

    carry_out(impatient.context, NAME, body)

    assert [(run.status, run.message) for run in desk.runs()] == [("FAILED", None)]


# --- Real processes.


@pytest.fixture
def processes(tables_url: str, tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Makes fleets whose jobs are those of a plan."""
    with ExitStack() as stack:

        def make(plan: Plan, **env: str) -> Fleet:
            prepare(tables_url, tmp_path, plan)
            return stack.enter_context(fleet(tmp_path / "fleet", tables_url, **environment(plan), **env))

        yield make


@pytest.mark.slow
def test_killed_run_is_closed_within_seconds_and_taken_up_by_another_process(
    database: Database, processes: Callable[..., Fleet]
) -> None:
    schedulers = processes(Plan(("slow",), soon(0).isoformat(), seconds=2))
    first, second = schedulers.start_scheduler(), schedulers.start_scheduler()
    [run] = wait_until(lambda: running(database), within_s=60, what="a run began")
    (first if first.owns(run.owner) else second).kill()
    killed_at = time.monotonic()

    wait_until(lambda: rows_of_runs(database)[0].status == "FAILED", within_s=15, what="the orphan was closed")
    # About a second; the machine may be busy.
    assert time.monotonic() - killed_at < 10
    wait_until(lambda: not waiting(database), within_s=30, what="it was taken up again")

    assert [(row.status, row.ended_by, row.attempt) for row in rows_of_runs(database)] == [
        ("FAILED", "orphaned", 1),
        ("SUCCESS", None, 2),
    ]


def rows_of_runs(database: Database) -> list[Any]:
    """Every run so far."""
    return rows(database, JobLog)


@pytest.mark.slow
@pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)
def test_term_lets_a_short_run_finish(database: Database, processes: Callable[..., Fleet]) -> None:
    schedulers = processes(Plan(("slow",), soon(0).isoformat(), seconds=3), JOBS_SHUTDOWN_GRACE="20")
    child = schedulers.start_scheduler()
    wait_until(lambda: running(database), within_s=60, what="a run began")

    assert child.end() == 0

    assert [(row.status, row.ended_by) for row in rows_of_runs(database)] == [("SUCCESS", None)]
    assert waiting(database) == []


@pytest.mark.slow
@pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)
def test_term_closes_a_long_run_as_interrupted_and_the_next_scheduler_takes_it_up(
    database: Database, processes: Callable[..., Fleet]
) -> None:
    plan = Plan(("slow",), soon(0).isoformat(), seconds=6)
    schedulers = processes(plan, JOBS_SHUTDOWN_GRACE="1")
    child = schedulers.start_scheduler()
    wait_until(lambda: running(database), within_s=60, what="a run began")

    began = time.monotonic()
    assert child.end() == 0
    assert time.monotonic() - began < 6
    assert [(row.status, row.ended_by) for row in rows_of_runs(database)] == [("FAILED", "interrupted")]
    assert len(waiting(database)) == 1

    schedulers.start_scheduler()
    wait_until(lambda: not waiting(database), within_s=60, what="it was taken up again")
    assert [(row.status, row.ended_by, row.attempt) for row in rows_of_runs(database)] == [
        ("FAILED", "interrupted", 1),
        ("SUCCESS", None, 2),
    ]


@pytest.mark.slow
def test_term_does_not_wait_for_a_job_that_never_listens(sqlite_tables_url: str, tmp_path: Path) -> None:
    plan = Plan(("deaf",), soon(0).isoformat(), seconds=60)
    prepare(sqlite_tables_url, tmp_path, plan)
    with fleet(tmp_path / "fleet", sqlite_tables_url, **environment(plan), JOBS_SHUTDOWN_GRACE="1") as schedulers:
        child = schedulers.start_scheduler()
        opened = open_database(sqlite_tables_url)
        wait_until(lambda: running(opened), within_s=60, what="a run began")
        began = time.monotonic()
        child.end(within_s=50)
        assert time.monotonic() - began < 30
        opened.dispose()


def stop_between_transactions(child: Child, database: Database) -> None:
    """SIGSTOP, at a moment when the process holds no lock that its heir would wait for."""
    for _ in range(20):
        child.tell(signal.SIGSTOP)
        try:
            with database.engine.connect() as connection, connection.begin():
                if database.dialect == "sqlite":
                    connection.exec_driver_sql("PRAGMA busy_timeout = 300")
                    connection.exec_driver_sql("UPDATE job_log SET attempt = attempt")
                else:
                    connection.exec_driver_sql("SELECT id FROM job_log FOR UPDATE NOWAIT")
            return
        except DBAPIError:
            child.tell(signal.SIGCONT)
            time.sleep(0.3)
        finally:
            database.dispose()
    raise AssertionError("the process always holds a lock")


@pytest.mark.slow
def test_zombie_writes_nothing_after_its_run_was_taken_up(tables_url: str, database: Database, tmp_path: Path) -> None:
    """Stopped past its lease in the middle of a run, and woken when another process has done it all."""
    companies = 23
    plan = Plan(("daily_price_update",), "0", chunk=4, lease_s=5, heartbeat_s=1)
    with market_day(tmp_path, tables_url, plan, companies=companies, YAHOO_TIMEOUT_S="4") as day:
        # The first process waits for an answer that does not come; all that came is stored.
        day.source.misbehave("C00020", "hang", endpoint="chart", times=1)
        day.start_scheduler()
        [zombie] = day.processes.children
        wait_until(
            lambda: any(run.stocks_processed >= 20 for run in running(database)),
            within_s=60,
            what="it is in its middle",
        )
        stop_between_transactions(zombie, database)
        day.start_scheduler()
        wait_until(
            lambda: [run.status for run in daily_runs(database)] == ["FAILED", "SUCCESS"] and not running(database),
            within_s=60,
            what="it was closed and taken up",
        )
        # Dividends are looked at after the prices, in a run of their own.
        time.sleep(2)
        wait_until(lambda: not running(database), within_s=60, what="what followed it ended")
        ignored = ("scheduler_process",)
        before = everything(database.engine, without=ignored)

        zombie.tell(signal.SIGCONT)
        wait_until(lambda: zombie.events("run.failed"), within_s=60, what="the zombie saw that its run is lost")
        time.sleep(1)

        assert everything(database.engine, without=ignored) == before
        assert [(run.ended_by, run.attempt) for run in daily_runs(database)] == [("orphaned", 1), (None, 2)]
        assert day.bar_counts() == dict.fromkeys(clones(companies), SESSIONS)


def daily_runs(database: Database) -> list[Any]:
    """Runs of the daily job."""
    return [run for run in rows_of_runs(database) if run.job_name == "daily_price_update"]


# --- The clock of the machine is set.


def test_clock_set_back_an_hour_keeps_the_scheduler_at_work(
    sqlite_tables_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever waits by the wall clock would wait for an hour."""
    from closingbell.jobs.scheduler import Scheduler
    from closingbell.usecases.control import request_run

    back = threading.Event()

    class Set(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def,override]
            return datetime.now(tz) - (timedelta(hours=1) if back.is_set() else timedelta())

    class Wall:
        def now(self) -> datetime:
            return Set.now(UTC)

    for name, module in list(sys.modules.items()):
        if name.startswith("apscheduler.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Set)
    prepare(sqlite_tables_url, tmp_path, Plan((), soon(0).isoformat()))
    with desk_on(sqlite_tables_url, tmp_path, "2027-03-09 12:00", SIX) as desk:
        context = replace(desk.context, clock=Wall(), wall=Wall())
        scheduler = Scheduler(context, {NAME: desk.job})
        scheduler.start()
        try:
            time.sleep(2)
            back.set()
            time.sleep(2)
            request_run(context, {NAME: desk.job}, NAME, by="Ann")
            wait_until(desk.runs, within_s=15, what="what a person asked for was taken up")
        finally:
            scheduler.shutdown(grace_s=1)
