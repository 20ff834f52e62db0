"""What ``closingbell doctor`` finds, and what ``closingbell notifications`` shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import insert, text, update

from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.jobs.context import EXTENSION
from closingbell.models import DatabaseMark, JobLog, JobState, Notification, SchedulerProcess, User
from closingbell.queries.doctor import judge_clock, judge_sqlite
from closingbell.stores import incidents
from closingbell.stores.marks import newest_revision, read_revision
from tests.app_fixtures import House

NOW = "2012-11-30 16:31"
Houses = Callable[..., House]


@pytest.fixture
def home(sqlite_url: str, houses: Houses, no_waits: None) -> House:
    """A house on SQLite whose tables were made by init-db."""
    made = houses(sqlite_url, NOW)
    assert made.command("init-db").exit_code == 0
    return made


def findings(result: Result) -> dict[str, str]:
    """What was found, by name: "ok", or the state and the sentence."""
    checks = json.loads(result.stdout)
    return {
        check["name"]: "ok" if check["state"] == "ok" else f"{check['state']}: {check['message']}" for check in checks
    }


def examine(house: House, *options: str) -> dict[str, str]:
    return findings(house.command("doctor", "--format", "json", *options))


def write(house: House, *statements: Any) -> None:
    with house.context.database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def alive(house: House, *, seconds_ago: float = 1) -> None:
    """A scheduler was seen."""
    at = house.context.wall.now() - timedelta(seconds=seconds_ago)
    write(house, insert(SchedulerProcess).values(owner="here:1:1", started_at=at, heartbeat_at=at))


def test_all_is_well_on_every_database(database_url: str, houses: Houses, no_waits: None) -> None:
    house = houses(database_url, NOW)
    assert house.command("init-db").exit_code == 0
    house.hold("IBM", since="2012-11-26")
    house.run()
    alive(house)

    result = house.command("doctor", "--format", "json")

    assert result.exit_code == 0, result.output
    found = findings(result)
    assert set(found.values()) == {"ok"}
    assert {"time zones", "settings", "database", "tables", "sessions", "provider"} <= found.keys()
    assert "password" not in result.output


def test_provider_is_asked_once_unless_offline(home: House) -> None:
    home.hold("IBM", since="2012-11-26")

    assert examine(home)["provider"] == "ok"
    assert home.charts() == [("IBM",)]
    assert "provider" not in examine(home, "--offline")
    assert home.charts() == []


def test_provider_that_is_down_is_a_failure(home: House) -> None:
    home.market.stop()

    result = home.command("doctor", "--format", "json")

    assert result.exit_code == 1
    assert findings(result)["provider"].startswith("fail: source_down: ")


def test_database_without_tables_is_a_failure_with_the_way_out(sqlite_url: str, houses: Houses) -> None:
    result = houses(sqlite_url, NOW).command("doctor", "--offline")

    assert result.exit_code == 1
    assert "the database has no tables yet -> closingbell init-db" in result.stdout


def test_database_that_does_not_answer_is_a_failure_that_names_no_password(houses: Houses) -> None:
    house = houses("postgresql://somebody:hidden-word@127.0.0.1:1/none", NOW)

    result = house.command("doctor", "--offline")

    assert result.exit_code == 1
    assert "PostgreSQL does not answer" in result.stdout
    assert "hidden-word" not in result.output


def test_tables_of_another_version_are_a_failure(home: House) -> None:
    assert home.command("db", "downgrade").exit_code == 0

    said = examine(home, "--offline")["tables"]
    before = f"{int(newest_revision()) - 1:04}"
    assert said == f"fail: the tables are of revision {before}, this version works with {newest_revision()}"


def test_nothing_is_served_on_tables_of_another_version(home: House) -> None:
    with home.context.database.read() as connection:
        head = read_revision(connection)
    # What is told from the names of files is what the migrations themselves lead to.
    assert head == newest_revision()
    for revision, way_out in (
        ("0001", "run: closingbell init-db"),
        ("9999", "install the version of closingbell that made them, or a newer one"),
    ):
        with home.context.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        refused = home.command("serve")
        assert refused.exit_code == 1
        told = f"the tables are of revision {revision}, this version works with {head}; {way_out}"
        assert refused.stderr == f"error: {told}\n"


def test_a_replayed_market_is_not_served_as_live_data_and_no_trace_is_printed(home: House) -> None:
    with home.context.database.write() as connection:
        connection.execute(insert(DatabaseMark).values(name="origin", value="live", marked_at=home.context.clock.now()))

    refused = home.command("serve")

    assert refused.exit_code == 1
    assert refused.stderr == (
        "error: this database holds live data and the settings are those of replay data; "
        "name another database in DATABASE_URL, or correct YAHOO_BASE_URL and CLOSINGBELL_NOW\n"
    )


def test_no_scheduler_is_a_warning_unless_jobs_are_off(sqlite_url: str, houses: Houses) -> None:
    house = houses(sqlite_url, NOW)
    house.command("init-db")
    assert examine(house, "--offline")["scheduler"] == "warn: no scheduler is alive: no job runs by itself"

    alive(house, seconds_ago=600)
    assert examine(house, "--offline")["scheduler"].startswith("warn: no scheduler is alive: no job runs by itself; ")

    off = houses(sqlite_url, NOW, jobs_enabled=False)
    assert examine(off, "--offline")["scheduler"] == "ok"


def test_overdue_job_is_a_failure(home: House) -> None:
    home.hold("IBM", since="2012-11-26")
    home.run()
    known = datetime(2012, 11, 29, 12, tzinfo=UTC)
    write(home, insert(JobState).values(job_name="daily_price_update", known_since=known, schedule="x"))
    home.at("2012-11-30 16:36")

    result = home.command("doctor", "--offline", "--format", "json")

    assert result.exit_code == 1
    assert findings(result)["due times"] == "fail: overdue: daily_price_update"


def test_paused_job_is_a_warning_that_says_who(home: House) -> None:
    now = home.clock.now()
    paused = {"paused_at": now, "paused_by": "Ann", "paused_why": "holidays"}
    write(home, insert(JobState).values(job_name="log_retention", known_since=now, schedule="x", **paused))

    assert examine(home, "--offline")["paused jobs"] == "warn: paused: log_retention by Ann (holidays)"


def test_runs_that_stand_still_are_found(home: House) -> None:
    wall = home.context.wall.now()
    run: dict[str, Any] = {"job_name": "daily_price_update", "active_key": "daily_price_update", "status": "RUNNING"}
    run |= {"trigger": "manual", "owner": "elsewhere:1:1", "started_at": wall, "heartbeat_at": wall}
    old = wall - timedelta(seconds=1_000)
    write(home, insert(JobLog).values(**run, progress_at=old, lease_until=wall + timedelta(seconds=60)))
    assert examine(home, "--offline")["runs"] == "fail: no progress for too long: 1 of daily_price_update"

    write(home, update(JobLog).values(lease_until=old))
    assert examine(home, "--offline")["runs"] == (
        "warn: marked as running, but their process is gone: 1 of daily_price_update"
    )


def test_sessions_that_end_soon_are_a_warning(home: House) -> None:
    home.hold("IBM", since="2012-11-26")
    home.run()
    assert examine(home, "--offline")["sessions"] == "ok"

    home.at("2015-11-30 16:31")
    assert examine(home, "--offline")["sessions"] == "warn: sessions are known less than 30 days ahead: XNYS"


def test_other_kind_of_data_is_a_failure(home: House) -> None:
    write(home, insert(DatabaseMark).values(name="origin", value="live", marked_at=home.clock.now()))

    assert examine(home, "--offline")["origin"] == (
        "fail: this database holds live data and the settings would fetch replay data"
    )


def test_cache_folder_that_is_a_file_is_a_failure(sqlite_url: str, houses: Houses, tmp_path: Any) -> None:
    (tmp_path / "taken").write_text("a file")
    house = houses(sqlite_url, NOW, cache_dir=tmp_path / "taken")

    assert examine(house, "--offline")["cache folder"].startswith("fail: ")


def test_address_of_the_check_is_judged_and_not_shown(sqlite_url: str, houses: Houses) -> None:
    house = houses(sqlite_url, NOW, healthcheck_url="https://example.com/5ec4e7")
    assert examine(house, "--offline")["dead-man's switch"] == "ok"

    wrong = house.settings.model_copy(update={"healthcheck_url": "gopher://example.com/5ec4e7"})
    house.app.extensions[EXTENSION] = replace(house.context, settings=wrong)
    result = house.command("doctor", "--offline")
    assert "HEALTHCHECK_URL: must be the address of a check" in result.stdout
    assert "5ec4e7" not in result.output


def test_job_that_is_disabled_and_unknown_is_a_warning(sqlite_url: str, houses: Houses) -> None:
    house = houses(sqlite_url, NOW, jobs_disabled="daily_price_updat")

    assert examine(house, "--offline")["settings"] == "warn: JOBS_DISABLED names no job: daily_price_updat"


@pytest.mark.parametrize(
    ("version", "state"), [("3.40.1", "warn"), ("3.51.2", "warn"), ("3.51.3", "ok"), ("3.53.4", "ok")]
)
def test_sqlite_with_the_wal_reset_bug_is_a_warning(version: str, state: str) -> None:
    assert judge_sqlite(version).state == state


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (5, "ok"), (-6, "warn"), (60, "warn"), (61, "fail"), (-61, "fail")]
)
def test_clock_that_is_off_is_found(seconds: int, state: str) -> None:
    assert judge_clock(timedelta(seconds=seconds)).state == state


def test_clock_that_is_ahead_is_told_so() -> None:
    assert judge_clock(timedelta(seconds=61)).message == "this machine's clock is 61 s ahead of the database's"
    assert judge_clock(timedelta(seconds=-61)).message == "this machine's clock is 61 s behind the database's"


def test_clock_is_compared_with_a_server_of_live_data(database_url: str, houses: Houses) -> None:
    house = houses(database_url, NOW, yahoo_base_url="")

    found = examine(house, "--offline")

    assert found.get("database's clock", "ok") == "ok"
    assert ("database's clock" in found) == (not database_url.startswith("sqlite"))


# --- What administrators were told.


def test_notifications_are_shown_until_they_are_marked_as_read(home: House) -> None:
    person = {"email": "ann@example.com", "is_active": True, "is_administrator": True}
    write(home, insert(User).values(created_at=home.clock.now(), **person))
    end = RunEnd(17, "daily_price_update", RunStatus.FAILED, "0 of 1 stored", "rate_limited", ("IBM",), None)
    with home.context.database.write() as connection:
        incidents.note_run(connection, end, now=home.clock.now())

    shown = home.command("notifications", "--email", "Ann@example.com", "--mark-read")

    assert shown.exit_code == 0, shown.output
    assert "daily_price_update failed: rate_limited" in shown.stdout
    assert "Failed: IBM." in shown.stdout
    assert home.command("notifications").stdout == "nothing unread\n"
    (again,) = json.loads(home.command("notifications", "--all", "--format", "json").stdout)
    assert (again["title"], again["email"]) == ("daily_price_update failed: rate_limited", "ann@example.com")
    assert again["read_at"] is not None
    assert len(home.rows(Notification)) == 1


def test_notifications_of_nobody_are_wrong_use(home: House) -> None:
    result = home.command("notifications", "--email", "who@example.com")

    assert result.exit_code == 2
    assert result.stderr == "error: nobody has the address who@example.com\n"


def test_run_that_fails_tells_every_administrator(home: House) -> None:
    person = {"email": "ann@example.com", "is_active": True, "is_administrator": True}
    write(home, insert(User).values(created_at=home.clock.now(), **person))
    home.hold("IBM", since="2012-11-30")
    home.market.stop()

    summary = home.run()

    (told,) = home.rows(Notification)
    assert told.title == "daily_price_update failed: source_down"
    assert told.body.startswith(f"{summary.message}.\nFailed: IBM.\nRun {summary.run_id}.")
