"""Incidents: everybody concerned is told once, however many processes close runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.errors import UsageError
from closingbell.models import Incident, JobLog, JobTick, Notification, User
from closingbell.queries.notifications import count_unread, list_notifications
from closingbell.stores import incidents
from closingbell.stores.database import Database, open_database
from tests.app_fixtures import rows_of

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
JOB = "daily_price_update"
FAILED = RunEnd(17, JOB, RunStatus.FAILED, "0 of 2 expected closes stored", "rate_limited", ("AAPL",), None)
SUCCESS = RunEnd(18, JOB, RunStatus.SUCCESS, "2 of 2 expected closes stored", None, (), None)

# email, active, administrator
PEOPLE = (
    ("ann@example.com", True, True),
    ("bob@example.com", True, True),
    ("gone@example.com", False, True),
    ("user@example.com", True, False),
)


@pytest.fixture
def told(database: Database) -> Database:
    """A database with two active administrators, one who left, and a person who is none."""
    with database.write() as connection:
        for email, is_active, is_administrator in PEOPLE:
            person = {"email": email, "is_active": is_active, "is_administrator": is_administrator}
            connection.execute(insert(User).values(created_at=NOW, **person))
    return database


def note(database: Database, end: RunEnd, now: datetime = NOW) -> None:
    """Note the end of a run in a transaction of its own."""
    database.write_unit(lambda connection: incidents.note_run(connection, end, now=now))


def titles(database: Database, email: str) -> list[str]:
    """What a person was told, oldest first."""
    return [one.title for one in reversed(list_notifications(database, email=email))]


def all_incidents(database: Database) -> list[Any]:
    return rows_of(database.engine, Incident)


def test_every_active_administrator_is_told_once(told: Database) -> None:
    note(told, FAILED)

    assert titles(told, "ann@example.com") == ["daily_price_update failed: rate_limited"]
    assert titles(told, "bob@example.com") == ["daily_price_update failed: rate_limited"]
    assert titles(told, "gone@example.com") == []
    assert titles(told, "user@example.com") == []
    (one, _) = list_notifications(told)
    assert (one.type, one.level, one.job_log_id, one.created_at, one.read_at) == ("SYSTEM", "error", 17, NOW, None)


def test_twelve_failed_symbols_are_ten_names_and_a_count(told: Database) -> None:
    note(told, replace(FAILED, failed_symbols=tuple(f"S{number:02}" for number in range(1, 13))))

    (one,) = list_notifications(told, email="ann@example.com")
    assert "Failed: S01, S02, S03, S04, S05, S06, S07, S08, S09, S10 and 2 more." in one.body


def test_later_failures_of_the_kind_are_only_counted(told: Database) -> None:
    for hour in range(5):
        note(told, FAILED, NOW + timedelta(hours=hour))

    assert len(titles(told, "ann@example.com")) == 1
    (incident,) = all_incidents(told)
    assert (incident.seen_count, incident.opened_at, incident.last_seen_at) == (5, NOW, NOW + timedelta(hours=4))


def test_one_reminder_a_day(told: Database) -> None:
    for hour in (0, 23, 24, 25, 47, 48):
        note(told, FAILED, NOW + timedelta(hours=hour))

    assert titles(told, "ann@example.com") == [
        "daily_price_update failed: rate_limited",
        "Still: daily_price_update failed: rate_limited",
        "Still: daily_price_update failed: rate_limited",
    ]
    last = list_notifications(told, email="ann@example.com")[0]
    assert last.body.startswith("Since 2012-11-30 16:31 EST: 6 times.")


def test_success_closes_every_incident_of_the_job_and_says_so_once(told: Database) -> None:
    note(told, FAILED)
    note(told, replace(FAILED, kind="source_down"))
    note(told, replace(FAILED, job_name="log_retention", kind="error"))

    note(told, SUCCESS, NOW + timedelta(hours=1))
    note(told, SUCCESS, NOW + timedelta(hours=2))

    assert titles(told, "ann@example.com").count("daily_price_update works again") == 2
    state = {(one.job_name, one.kind): (one.active_key, one.closed_at) for one in all_incidents(told)}
    assert state == {
        (JOB, "rate_limited"): (None, NOW + timedelta(hours=1)),
        (JOB, "source_down"): (None, NOW + timedelta(hours=1)),
        ("log_retention", "error"): ("log_retention|error", None),
    }


def test_success_without_an_incident_tells_nobody(told: Database) -> None:
    note(told, SUCCESS)

    assert list_notifications(told) == []


def test_another_kind_opens_its_own_incident_at_once(told: Database) -> None:
    note(told, FAILED)
    note(told, replace(FAILED, kind="source_down"))

    assert titles(told, "bob@example.com") == [
        "daily_price_update failed: rate_limited",
        "daily_price_update failed: source_down",
    ]


def test_failure_after_a_recovery_is_a_new_incident(told: Database) -> None:
    note(told, FAILED)
    note(told, SUCCESS)
    note(told, FAILED)

    assert titles(told, "ann@example.com") == [
        "daily_price_update failed: rate_limited",
        "daily_price_update works again",
        "daily_price_update failed: rate_limited",
    ]
    assert [one.active_key for one in all_incidents(told)] == [None, "daily_price_update|rate_limited"]


def test_cancelled_and_interrupted_runs_tell_nobody(told: Database) -> None:
    note(told, replace(FAILED, kind="cancelled"))
    note(told, replace(FAILED, kind="interrupted"))

    assert all_incidents(told) == []
    assert list_notifications(told) == []


def test_incident_is_open_when_nobody_is_there_to_be_told(database: Database) -> None:
    note(database, FAILED)

    (incident,) = all_incidents(database)
    assert incident.active_key == "daily_price_update|rate_limited"


def test_rollback_of_the_run_takes_its_messages_with_it(told: Database) -> None:
    def unit(connection: Connection) -> None:
        incidents.note_run(connection, FAILED, now=NOW)
        raise LookupError("something after it went wrong")

    with pytest.raises(LookupError):
        told.write_unit(unit)
    assert all_incidents(told) == []
    assert list_notifications(told) == []


# --- At the same time.


def at_once(database: Database, ends: Sequence[RunEnd], now: datetime = NOW) -> None:
    """Note these ends at the same moment, each over an engine of its own as processes would."""
    barrier = threading.Barrier(len(ends))
    errors: list[BaseException] = []

    def one(end: RunEnd) -> None:
        own = open_database(database.engine.url.render_as_string(hide_password=False))
        try:
            with own.read():
                barrier.wait(10)
            note(own, end, now)
        except BaseException as error:  # the main thread tells of it
            errors.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=one, args=(end,)) for end in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_racing_failures_open_one_incident_and_tell_each_administrator_once(told: Database) -> None:
    at_once(told, [replace(FAILED, run_id=number) for number in range(8)])

    (incident,) = all_incidents(told)
    assert incident.seen_count == 8
    assert titles(told, "ann@example.com") == ["daily_price_update failed: rate_limited"]
    assert titles(told, "bob@example.com") == ["daily_price_update failed: rate_limited"]


def test_racing_failures_a_day_later_remind_once(told: Database) -> None:
    note(told, FAILED)

    at_once(told, [replace(FAILED, run_id=number) for number in range(8)], NOW + timedelta(hours=24))

    assert titles(told, "ann@example.com") == [
        "daily_price_update failed: rate_limited",
        "Still: daily_price_update failed: rate_limited",
    ]


def test_racing_successes_recover_once(told: Database) -> None:
    note(told, FAILED)

    at_once(told, [replace(SUCCESS, run_id=number) for number in range(8)])

    assert titles(told, "bob@example.com") == [
        "daily_price_update failed: rate_limited",
        "daily_price_update works again",
    ]


def test_racing_failures_and_successes_tell_a_story_that_can_be_true(told: Database) -> None:
    at_once(told, [replace(FAILED if number % 2 else SUCCESS, run_id=number) for number in range(8)])

    found = all_incidents(told)
    assert sum(one.seen_count for one in found) == 4
    assert sum(one.active_key is not None for one in found) <= 1
    opened = titles(told, "ann@example.com").count("daily_price_update failed: rate_limited")
    over = titles(told, "ann@example.com").count("daily_price_update works again")
    assert opened == len(found)
    assert over == sum(one.closed_at is not None for one in found)


# --- Due times that nobody takes up again.


def test_due_time_that_was_given_up_is_told_of_with_its_last_run(told: Database) -> None:
    with told.write() as connection:
        connection.execute(insert(JobTick).values(job_name=JOB, fire_time=NOW, decided_at=NOW))
        tick_id = connection.scalars(select(JobTick.id)).one()
        for attempt in (1, 2, 3):
            run = {"job_name": JOB, "status": "FAILED", "trigger": "schedule", "owner": "x", "tick_id": tick_id}
            reason = f"its process ended, {attempt}"
            connection.execute(
                insert(JobLog).values(
                    **run, started_at=NOW, heartbeat_at=NOW, attempt=attempt, error_message=reason, ended_by="orphaned"
                )
            )

    told.write_unit(lambda connection: incidents.note_given_up(connection, tick_id, now=NOW))

    (one,) = list_notifications(told, email="ann@example.com")
    assert one.title == "daily_price_update failed: given_up"
    assert one.body.startswith(
        "given up after 3 attempts at the due time 2012-11-30 16:31 EST: its process ended, 3.\n"
    )
    assert one.job_log_id == max(run.id for run in rows_of(told.engine, JobLog))


# --- Reading.


def test_unread_are_those_that_nobody_marked(told: Database) -> None:
    note(told, FAILED)
    ann = next(one for one in rows_of(told.engine, User) if one.email == "ann@example.com").id
    ids = [one.id for one in list_notifications(told)]
    assert count_unread(told, ann) == 1

    later = NOW + timedelta(hours=1)
    assert told.write_unit(lambda c: incidents.store_read(c, ids, now=later, user_id=ann)) == 1
    assert told.write_unit(lambda c: incidents.store_read(c, ids, now=later, user_id=ann)) == 0

    assert count_unread(told, ann) == 0
    assert [one.email for one in list_notifications(told, unread_only=True)] == ["bob@example.com"]
    assert {row.read_at for row in rows_of(told.engine, Notification)} == {None, later}


def test_address_that_nobody_has_is_refused(told: Database) -> None:
    with pytest.raises(UsageError, match=r"nobody has the address who@example\.com"):
        list_notifications(told, email="who@example.com")
