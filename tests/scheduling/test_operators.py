"""What operators do with jobs: look, pause, ask, cancel, retry; and what they are told."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from closingbell.jobs.context import JOBS_EXTENSION
from closingbell.jobs.requests import run_requests
from closingbell.models import JobLog, JobRequest, SchedulerProcess
from closingbell.stores import job_log, job_ticks
from closingbell.usecases import control
from tests.app_fixtures import House, new_york
from tests.scheduling.fleet import Child, Fleet, fleet, rows, running, wait_until
from tests.scheduling.market_day import clones, market_day
from tests.scheduling.quick_jobs import Plan

DAILY = "daily_price_update"


@pytest.fixture
def home(sqlite_tables_url: str, houses: Callable[..., House]) -> House:
    """A house on SQLite on Friday 2012-11-30 at 16:31 that holds two companies."""
    made = houses(sqlite_tables_url, "2012-11-30 16:31")
    made.hold("AAPL", "IBM", since="2012-11-29")
    return made


@contextmanager
def schedulers_of(home: House, folder: Path, **more: str) -> Iterator[Fleet]:
    """Processes with the settings of a house."""
    env = {**home.environment(), "LOG_LEVEL": "INFO", "LOG_FORMAT": "json", **more}
    env = {name: value for name, value in env.items() if name != "DATABASE_URL"}
    with fleet(folder / "fleet", home.url, **env) as processes:
        yield processes


def leave_run(home: House, *, trigger: str = "manual") -> int:
    """A run of the daily job by a process of another host, with a fresh lease."""
    start = job_log.RunStart(
        job_name=DAILY, trigger=trigger, owner="another.host.invalid:1:1", now=home.clock.now(), wall=datetime.now(UTC)
    )
    return int(home.context.database.write_unit(lambda c: job_log.start_run(c, start)))


def serve_requests(home: House) -> int:
    """What a scheduler does within a second."""
    return run_requests(home.context, home.app.extensions[JOBS_EXTENSION][DAILY])


# --- list-jobs.


def listed(home: House) -> dict[str, Any]:
    document = json.loads(home.command("list-jobs", "--format", "json").stdout)
    return {job["id"]: job for job in document["jobs"]} | {"schedulers": document["schedulers"]}


def test_list_jobs_names_trigger_next_run_and_last_run(home: House) -> None:
    home.run()

    result = home.command("list-jobs")

    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if line.startswith(DAILY))
    assert "end-of-day prices of what is held" in line
    assert "16:30 New York on XNYS sessions, elsewhere 30 min after the close" in line
    assert "2012-12-03 16:30:00 EST" in line
    assert "SUCCESS 0 s ago, took 0.0 s" in line
    assert line.rstrip().endswith("on")
    assert "no scheduler is alive; start one with: closingbell run-scheduler" in result.stdout


def test_list_jobs_as_json_has_every_field(home: House) -> None:
    run_id = home.run().run_id

    job = listed(home)[DAILY]

    assert job["trigger"] == "16:30 New York on XNYS sessions, elsewhere 30 min after the close"
    assert job["name"] == "end-of-day prices of what is held"
    assert datetime.fromisoformat(job["next_run_time"]) == new_york("2012-12-03 16:30")
    assert (job["last_run"]["id"], job["last_run"]["status"]) == (run_id, "SUCCESS")
    assert datetime.fromisoformat(job["last_success_at"]) == new_york("2012-11-30 16:31")
    assert (job["paused_at"], job["is_disabled"], job["is_overdue"]) == (None, False, False)
    assert listed(home)["schedulers"] == []


def test_list_jobs_before_the_first_run_says_never(home: House) -> None:
    result = home.command("list-jobs")

    assert "never" in next(line for line in result.stdout.splitlines() if line.startswith(DAILY))


def test_job_whose_due_time_nobody_recorded_is_overdue(home: House) -> None:
    home.run()
    known = new_york("2012-11-30 16:31")
    home.context.database.write_unit(lambda c: job_ticks.store_known(c, DAILY, "", now=known))

    assert listed(home.at("2012-12-03 16:34"))[DAILY]["is_overdue"] is False
    assert listed(home.at("2012-12-03 16:36"))[DAILY]["is_overdue"] is True
    assert "OVERDUE" in home.command("list-jobs").stdout


# --- pause-job, resume-job.


def test_pause_is_shown_with_who_and_why_and_survives_a_restart(home: House, houses: Callable[..., House]) -> None:
    assert home.command("pause-job", DAILY, "--why", "moving house", "--by", "Ann").stdout == f"{DAILY} is paused\n"
    assert home.command("pause-job", DAILY, "--by", "Ben").stdout == f"{DAILY} was paused already\n"

    restarted = houses(home.url, "2012-11-30 16:31")
    job = listed(restarted)[DAILY]
    assert (job["paused_by"], job["paused_why"], job["next_run_time"]) == ("Ann", "moving house", None)
    assert "paused by Ann: moving house" in restarted.command("list-jobs").stdout

    assert restarted.command("resume-job", DAILY).stdout == f"{DAILY} goes on\n"
    assert restarted.command("resume-job", DAILY).stdout == f"{DAILY} was not paused\n"
    assert listed(restarted)[DAILY]["paused_at"] is None


@pytest.mark.parametrize("command", ["pause-job", "resume-job"])
def test_unknown_job_is_refused_with_the_names_there_are(command: str, home: House) -> None:
    result = home.command(command, "nightly")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: no job is called 'nightly'; there are daily_price_update")


# --- Running at once, and asking a scheduler to.


def test_daily_update_exits_4_when_it_is_running_already(home: House) -> None:
    leave_run(home)

    result = home.process("run-daily-price-update")

    assert (result.returncode, result.stderr) == (4, "error: daily_price_update is already running\n")
    assert len(home.rows(JobLog)) == 1


def test_request_without_wait_is_taken_up_by_a_scheduler(home: House, tmp_path: Path) -> None:
    result = home.process("run-daily-price-update", "--no-wait", "--symbols", "IBM")
    assert result.returncode == 0
    assert result.stdout == "request 1: a scheduler takes it up within seconds\n"
    assert home.rows(JobLog) == []

    with schedulers_of(home, tmp_path) as processes:
        processes.start_scheduler()
        [run] = wait_until(
            lambda: [run for run in daily_runs(home) if run.completed_at], within_s=60, what="it was taken up"
        )
        assert processes.children[0].end() == 0

    assert (run.status, run.trigger, run.stocks_processed) == ("SUCCESS", "manual", 1)
    assert list(home.closes("IBM")) == ["2012-11-29", "2012-11-30"]
    [request] = home.rows(JobRequest)
    assert (request.run_id, request.refused, request.done_at is not None) == (run.id, None, True)


def daily_runs(home: House) -> list[Any]:
    """Runs of the daily job; dividends are looked at after each, in a run of their own."""
    return [run for run in home.rows(JobLog) if run.job_name == DAILY]


def test_request_waits_while_the_job_runs(home: House) -> None:
    run_id = leave_run(home)
    home.command("run-daily-price-update", "--no-wait")

    assert serve_requests(home) == 0
    assert [request.done_at for request in home.rows(JobRequest)] == [None]

    table = JobLog.__table__
    ended = {"status": "SUCCESS", "active_key": None}
    home.context.database.write_unit(lambda c: c.execute(table.update().where(table.c.id == run_id).values(**ended)))
    assert serve_requests(home) == 1
    assert [run.status for run in daily_runs(home)] == ["SUCCESS", "SUCCESS"]


def test_request_is_taken_up_once(home: House) -> None:
    home.command("run-daily-price-update", "--no-wait")
    with home.context.database.read() as connection:
        [request] = job_ticks.load_requests(connection)
    assert serve_requests(home) == 1

    from closingbell.jobs.requests import _run_request

    # A second scheduler that read it before.
    assert _run_request(home.context, home.app.extensions[JOBS_EXTENSION][DAILY], request) is False
    assert len(daily_runs(home)) == 1


def test_request_that_cannot_be_is_refused_with_the_reason(home: House) -> None:
    home.command("run-daily-price-update", "--no-wait", "--symbols", "VOD.NOWHERE")

    serve_requests(home)

    [request] = home.rows(JobRequest)
    assert request.refused == "VOD.NOWHERE: no exchange is known for the suffix .NOWHERE"
    assert home.rows(JobLog) == []


def test_request_on_data_of_the_other_kind_is_refused_and_not_asked_again(home: House) -> None:
    home.run()
    live = replace(home.context, settings=home.settings.model_copy(update={"yahoo_base_url": ""}))
    control.request_run(live, home.app.extensions[JOBS_EXTENSION], DAILY, by="Ann")

    run_requests(live, home.app.extensions[JOBS_EXTENSION][DAILY])

    [request] = home.rows(JobRequest)
    assert request.refused.startswith("this database holds a replayed market")


# --- retry-run.


def test_retry_runs_the_failed_symbols_only(home: House, no_waits: None) -> None:
    home.hold("MSFT", since="2012-11-29")
    # Errors of these companies' own: a source that is down would be left alone for a while.
    home.market.misbehave("IBM", "garbage", endpoint="chart")
    home.market.misbehave("MSFT", "garbage", endpoint="chart")
    failed = home.run()
    home.market.behave()
    home.charts()

    assert home.command("retry-run", str(failed.run_id), "--by", "Ann").exit_code == 0
    assert serve_requests(home) == 1

    assert sorted(home.charts()) == [("IBM",), ("MSFT",)]
    newest = daily_runs(home)[-1]
    assert (newest.trigger, newest.requested_by, newest.retry_of) == ("retry", "Ann", failed.run_id)
    assert (newest.status, newest.stocks_processed) == ("SUCCESS", 2)


@pytest.mark.parametrize(
    ("which", "said"),
    [("999", "no run has the number 999"), ("good", "has no failed companies to retry"), ("left", "is still running")],
)
def test_retry_of_what_cannot_be_retried_is_refused(which: str, said: str, home: House) -> None:
    number = {"good": lambda: home.run().run_id, "left": lambda: leave_run(home)}.get(which, lambda: which)()

    result = home.command("retry-run", str(number))

    assert result.exit_code == 2
    assert said in result.stderr
    assert home.rows(JobRequest) == []


# --- cancel-run.


@pytest.mark.slow
@pytest.mark.parametrize("where", ["between symbols", "in a retry wait"])
def test_cancelled_run_stops_soon_and_keeps_what_it_stored(where: str, sqlite_tables_url: str, tmp_path: Path) -> None:
    companies = 200
    plan = Plan((DAILY,), "0", chunk=4)
    with market_day(tmp_path, sqlite_tables_url, plan, companies=companies, latency_ms=150) as day:
        if where == "in a retry wait":
            # The source asks for two minutes; the wait must not outlast the cancelling.
            day.source.misbehave("C00005", "rate_limited", endpoint="chart", retry_after_s=100)
        day.start_scheduler()
        [scheduler] = day.processes.children
        database = day.context.database

        def in_its_middle() -> list[Any]:
            waits = where != "in a retry wait" or bool(scheduler.events("retry.scheduled"))
            return [run for run in running(database) if run.stocks_processed and waits]

        [run] = wait_until(in_its_middle, within_s=60, what="the run is in its middle")
        assert control.cancel_run(day.context, run.id, by="Ann")
        assert not control.cancel_run(day.context, run.id, by="Ben")
        asked_at = time.monotonic()
        wait_until(lambda: not running(database), within_s=30, what="the run has stopped")
        assert time.monotonic() - asked_at < 15

        [ended] = rows(database, JobLog)
        assert (ended.status, ended.ended_by, ended.error_message) == ("FAILED", "cancelled", "cancelled by Ann")
        assert 0 < ended.stocks_processed < companies
        assert len(day.bar_counts()) >= ended.stocks_processed - 1
        assert set(day.bar_counts()) < set(clones(companies))
        time.sleep(1)
        # Nobody takes it up again.
        assert len(rows(database, JobLog)) == 1
        assert scheduler.end() == 0


def test_cancelling_what_does_not_run_is_refused(home: House) -> None:
    number = home.run().run_id

    result = home.command("cancel-run", str(number))

    assert (result.exit_code, result.stderr) == (2, f"error: run {number} is not running, or was cancelled already\n")


# --- view-job-logs.


@pytest.fixture
def history(home: House, no_waits: None) -> House:
    """A success, a partial run of one company, and a run that goes on; hours apart."""
    home.at("2012-11-29 17:00").run()
    home.at("2012-11-30 16:31")
    home.market.misbehave("IBM", "server_error")
    home.run()
    home.market.behave()
    home.at("2012-11-30 20:00")
    leave_run(home)
    return home


def shown(home: House, *arguments: str) -> list[tuple[str, str]]:
    """Numbers and states of the runs that view-job-logs prints, as text and as JSON alike."""
    as_json = json.loads(home.command("view-job-logs", *arguments, "--format", "json").stdout)
    text = home.command("view-job-logs", *arguments)
    assert text.exit_code == 0, text.output
    as_text = [line.split()[0] for line in text.stdout.splitlines()[1:]]
    assert as_text == ([str(run["id"]) for run in as_json] if as_json else [])
    return [(run["job_name"], run["status"]) for run in as_json]


def test_view_job_logs_shows_the_newest_first(history: House) -> None:
    assert shown(history) == [(DAILY, "RUNNING"), (DAILY, "PARTIAL"), (DAILY, "SUCCESS")]
    assert shown(history, "--limit", "1") == [(DAILY, "RUNNING")]


def test_view_job_logs_narrows(history: House) -> None:
    assert shown(history, "--status", "partial") == [(DAILY, "PARTIAL")]
    assert shown(history, "--since", "5h") == [(DAILY, "RUNNING"), (DAILY, "PARTIAL")]
    assert shown(history, "--since", "2012-11-30") == [(DAILY, "RUNNING"), (DAILY, "PARTIAL")]
    assert shown(history, "--since", "2012-11-30T19:00-05:00") == [(DAILY, "RUNNING")]
    assert shown(history, "--symbol", "ibm") == [(DAILY, "PARTIAL"), (DAILY, "SUCCESS")]
    assert shown(history, "--symbol", "MSFT") == []
    assert shown(history, "--job-name", "log_retention") == []
    assert shown(history, "--job-name", DAILY, "--status", "SUCCESS") == [(DAILY, "SUCCESS")]


def test_view_job_logs_says_how_late_and_at_which_attempt(home: House) -> None:
    start = job_log.RunStart(
        job_name=DAILY, trigger="catch-up", owner="another.host.invalid:1:1", now=home.clock.now(),
        wall=datetime.now(UTC), fire_time=home.clock.now() - timedelta(hours=9), attempt=2,
    )  # fmt: skip
    home.context.database.write_unit(lambda c: job_log.start_run(c, start))

    assert "catch-up, 9.0 h late, attempt 2" in home.command("view-job-logs").stdout


def test_view_job_logs_refuses_a_since_that_is_none(history: House) -> None:
    result = history.command("view-job-logs", "--since", "yesterday")

    assert result.exit_code == 2
    assert "'yesterday' is not a date" in result.output


@pytest.mark.parametrize("format_", ["text", "json"])
def test_follow_shows_runs_as_they_begin_and_end(format_: str, history: House, tmp_path: Path) -> None:
    with schedulers_of(history, tmp_path) as processes:
        viewer = processes.start("view-job-logs", "--follow", "--limit", "2", "--format", format_)
        wait_until(lambda: len(viewer.said.splitlines()) == 2, within_s=60, what="what there is was shown")
        assert [word(viewer, line, format_) for line in (0, 1)] == ["PARTIAL", "RUNNING"]

        table = JobLog.__table__
        ended = {"status": "SUCCESS", "active_key": None, "completed_at": history.clock.now()}
        history.context.database.write_unit(
            lambda c: c.execute(table.update().where(table.c.status == "RUNNING").values(**ended))
        )
        wait_until(lambda: len(viewer.said.splitlines()) == 3, within_s=20, what="its end was shown")
        assert word(viewer, 2, format_) == "SUCCESS"
        viewer.tell(signal.SIGINT)
        assert viewer.process.wait(timeout=20) in {0, 1}
        assert "Traceback" not in viewer.log


def word(viewer: Child, line: int, format_: str) -> str:
    """The status on a line."""
    text = viewer.said.splitlines()[line]
    return str(json.loads(text)["status"]) if format_ == "json" else text.split()[2]


# --- A scheduler and its switch.


def test_scheduler_is_listed_as_alive_and_as_gone(home: House, tmp_path: Path) -> None:
    with schedulers_of(home, tmp_path) as processes:
        child = processes.start_scheduler()
        processes.await_started()
        assert "1 scheduler(s) alive" in home.command("list-jobs").stdout
        [scheduler] = listed(home)["schedulers"]
        assert scheduler["is_alive"] is True
        assert child.owns(scheduler["owner"])
        assert child.end() == 0
        assert "daily_price_update" in child.said
    assert "no scheduler is alive" in home.command("list-jobs").stdout
    assert [row.stopped_at is not None for row in home.rows(SchedulerProcess, order="owner")] == [True]


THREADS = """
import threading
import closingbell
import closingbell.cli_commands
before = threading.enumerate()
app = closingbell.create_app()
runner = app.test_cli_runner()
commands = (["db", "upgrade"], ["init-db"], ["list-jobs"], ["run-daily-price-update"], ["view-job-logs"])
codes = [runner.invoke(args=arguments).exit_code for arguments in commands]
left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
print(len(before), [code for code in codes if code == 2], [n for n in left if "scheduler" in n.lower() or "job" in n])
print(codes[-3:])
print("apscheduler" in __import__("sys").modules)
"""


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_no_scheduler_thread_for_import_application_command_or_migration(
    enabled: str, home: House, tmp_path: Path
) -> None:
    with schedulers_of(home, tmp_path, JOBS_ENABLED=enabled) as processes:
        program = tmp_path / "fleet" / "threads_of_closingbell.py"
        program.write_text(THREADS)
        child = processes.start(module="threads_of_closingbell")
        assert child.process.wait(timeout=120) == 0, child.log
    assert child.said.splitlines()[-3:] == ["1 [] []", "[0, 0, 0]", "False"]


def test_switched_off_no_scheduler_starts_and_servers_serve_without(home: House, tmp_path: Path) -> None:
    refused = home.process("run-scheduler", JOBS_ENABLED="false")
    assert (refused.returncode, refused.stderr) == (1, "error: JOBS_ENABLED is false: no scheduler may run here\n")
    assert "no scheduler: JOBS_ENABLED is false here" in home.process("list-jobs", JOBS_ENABLED="false").stdout

    from tests.scheduling.test_served import asked, free_port

    with schedulers_of(home, tmp_path, JOBS_ENABLED="false") as processes:
        port = free_port()
        server = processes.start("serve", "--port", str(port))
        wait_until(lambda: asked(port) == 200, within_s=60, what="the server answers")
        time.sleep(1)
        assert server.events("scheduler.started") == []
        server.end()
    assert home.rows(SchedulerProcess, order="owner") == []


def test_time_that_the_clocks_skip_stops_the_start_and_is_named(home: House) -> None:
    for command in ("list-jobs", "run-scheduler"):
        result = home.process(command, DAILY_PRICE_UPDATE_TIME="02:30")
        assert result.returncode == 2
        assert "02:30 America/New_York is skipped or doubled when the clocks change" in result.stderr
        assert "Traceback" not in result.stderr
