"""What people are told of a failing job, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from closingbell.domain.incidents import OpenIncident, Step, decide, given_up, key_of, opened, recovered, reminder
from closingbell.domain.runs import RunEnd, RunStatus

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
JOB = "daily_price_update"
FAILED = RunEnd(
    17, JOB, RunStatus.FAILED, "0 of 2 expected closes stored", "rate_limited", ("AAPL", "IBM"), "AAPL: 429"
)
PARTIAL = replace(FAILED, status=RunStatus.PARTIAL, message="1 of 2 expected closes stored", failed_symbols=("IBM",))
SUCCESS = RunEnd(18, JOB, RunStatus.SUCCESS, "2 of 2 expected closes stored", None, (), None)
OPEN = OpenIncident(5, JOB, "rate_limited", NOW - timedelta(hours=25), NOW - timedelta(hours=25), 3)


def test_first_failure_opens_an_incident() -> None:
    assert decide(None, FAILED, now=NOW) is Step.OPEN
    assert decide(None, PARTIAL, now=NOW) is Step.OPEN


def test_later_failures_are_counted_and_reminded_of_after_a_day() -> None:
    heard = replace(OPEN, reminded_at=NOW - timedelta(hours=23, minutes=59))
    assert decide(heard, FAILED, now=NOW) is Step.COUNT
    assert decide(replace(heard, reminded_at=NOW - timedelta(hours=24)), FAILED, now=NOW) is Step.REMIND


def test_success_recovers_what_is_open_and_is_nothing_else() -> None:
    assert decide(OPEN, SUCCESS, now=NOW) is Step.RECOVER
    assert decide(None, SUCCESS, now=NOW) is Step.NOTHING


def test_what_somebody_asked_for_or_is_taken_up_again_bothers_nobody() -> None:
    assert decide(None, replace(FAILED, kind="cancelled"), now=NOW) is Step.NOTHING
    assert decide(None, replace(FAILED, kind="interrupted"), now=NOW) is Step.NOTHING
    assert decide(None, replace(FAILED, kind="stalled"), now=NOW) is Step.OPEN


def test_incidents_are_told_apart_by_job_and_kind() -> None:
    assert key_of(FAILED) == "daily_price_update|rate_limited"
    assert key_of(replace(FAILED, kind=None)) == "daily_price_update|failed"


def test_message_of_a_failed_run() -> None:
    message = opened(5, FAILED)
    assert message.key == "incident-5-opened"
    assert message.level == "error"
    assert message.title == "daily_price_update failed: rate_limited"
    assert message.body == (
        "0 of 2 expected closes stored.\n"
        "Failed: AAPL, IBM.\n"
        "Run 17. To look closer: closingbell view-job-logs --job-name daily_price_update"
    )


def test_message_of_a_partly_failed_run_is_a_warning() -> None:
    message = opened(5, PARTIAL)
    assert (message.level, message.title) == ("warning", "daily_price_update partly failed: rate_limited")


def test_ten_symbols_are_named_and_the_rest_counted() -> None:
    twelve = replace(FAILED, failed_symbols=tuple(f"S{number:02}" for number in range(1, 13)))
    assert "Failed: S01, S02, S03, S04, S05, S06, S07, S08, S09, S10 and 2 more.\n" in opened(5, twelve).body
    ten = replace(FAILED, failed_symbols=twelve.failed_symbols[:10])
    assert "Failed: S01, S02, S03, S04, S05, S06, S07, S08, S09, S10.\n" in opened(5, ten).body


def test_reason_is_told_where_nothing_else_tells_it() -> None:
    stalled = RunEnd(19, JOB, RunStatus.FAILED, "stalled", "stalled", (), "no progress for too long")
    assert opened(5, stalled).body.startswith("stalled: no progress for too long.\nRun 19.")
    early = replace(stalled, message="ended early after 0 companies: disk full", error_message="disk full")
    assert opened(5, early).body.startswith("ended early after 0 companies: disk full.\nRun 19.")


def test_reminder_says_since_when_and_how_often() -> None:
    message = reminder(OPEN, FAILED, now=NOW)
    assert message.key == "incident-5-reminded-2012-11-30"
    assert message.title == "Still: daily_price_update failed: rate_limited"
    assert message.body.startswith(
        "Since 2012-11-29 15:31 EST: 3 times. The last time:\n0 of 2 expected closes stored.\n"
    )


def test_recovery_says_what_is_over() -> None:
    message = recovered(OPEN, SUCCESS)
    assert message.key == "incident-5-recovered"
    assert (message.level, message.title) == ("info", "daily_price_update works again")
    assert message.body == (
        "2 of 2 expected closes stored.\n"
        "Before that: rate_limited since 2012-11-29 15:31 EST, 3 times.\n"
        "Run 18. To look closer: closingbell view-job-logs --job-name daily_price_update"
    )


def test_due_time_that_is_given_up_names_its_last_reason() -> None:
    end = given_up(JOB, 20, "its process ended", fire_time=NOW, attempts=3)
    assert opened(5, end).title == "daily_price_update failed: given_up"
    assert opened(5, end).body.startswith(
        "given up after 3 attempts at the due time 2012-11-30 16:31 EST: its process ended.\nRun 20."
    )


def test_a_success_over_chosen_companies_ends_no_incident() -> None:
    narrowed = replace(SUCCESS, is_narrowed=True)
    assert decide(OPEN, narrowed, now=NOW) is Step.NOTHING
