"""Which triggers may be registered, and which fire times they give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from closingbell.errors import ScheduleError
from closingbell.jobs.scheduler import TriggerSchedule, check_trigger

NEW_YORK = ZoneInfo("America/New_York")


def cron(**fields: object) -> CronTrigger:
    return CronTrigger(timezone=NEW_YORK, **fields)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(trigger: CronTrigger, after: str, until: str) -> list[str]:
    found = TriggerSchedule(trigger).fire_times(utc(after), utc(until), {})
    assert all(fire.at.tzinfo is UTC and fire.skip is None for fire in found)
    return [f"{fire.at:%Y-%m-%d %H:%M}" for fire in found]


# --- Refused.


def test_jitter_is_refused() -> None:
    with pytest.raises(ScheduleError, match="jitter makes every process wake at another time"):
        check_trigger(cron(hour=18, jitter=30))
    with pytest.raises(ScheduleError, match="jitter"):
        check_trigger(IntervalTrigger(minutes=5, jitter=3))


@pytest.mark.parametrize("days", ["1-5", "0", "mon,3", "*/2"])
def test_weekdays_by_number_are_refused(days: str) -> None:
    with pytest.raises(ScheduleError, match="write mon-fri"):
        check_trigger(cron(day_of_week=days, hour=18))


def test_crontab_that_would_run_from_tuesday_to_saturday_is_refused() -> None:
    with pytest.raises(ScheduleError, match="APScheduler counts weekdays from Monday"):
        check_trigger(CronTrigger.from_crontab("0 18 * * 1-5", timezone=NEW_YORK))


def test_interval_without_a_fixed_start_is_refused() -> None:
    with pytest.raises(ScheduleError, match="counts from whenever a process started"):
        check_trigger(IntervalTrigger(minutes=15))


@pytest.mark.parametrize(
    "trigger",
    [
        DateTrigger(datetime(2027, 3, 1, tzinfo=UTC)),
        OrTrigger([IntervalTrigger(minutes=15)]),
        CalendarIntervalTrigger(days=1, timezone=NEW_YORK),
    ],
)
def test_other_triggers_are_refused(trigger: object) -> None:
    with pytest.raises(ScheduleError, match="only cron triggers and closingbell's own schedules"):
        check_trigger(trigger)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hour": 2, "minute": 30}, "02:30"),
        ({"hour": 1, "minute": 30}, "01:30"),
        ({"hour": "1-2", "minute": 0}, "01:00|02:00"),
        ({"hour": "*", "minute": 15}, "01:15|02:15"),
        ({"day_of_week": "sun", "hour": 2, "minute": 30}, "02:30"),
        ({"month": 11, "hour": 1, "minute": 59}, "01:59"),
    ],
)
def test_time_that_the_clocks_skip_or_double_is_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ScheduleError, match=rf"({named}) America/New_York is skipped or doubled"):
        check_trigger(cron(**fields))


# --- Accepted, and exact.


@pytest.mark.parametrize(
    "trigger",
    [
        cron(hour=18),
        cron(day_of_week="mon-fri", hour=18),
        cron(hour="9-16", minute="*/15"),
        cron(hour=3),
        cron(hour=0, minute=59),
        # Never on a Sunday, and the clocks change on Sundays only.
        cron(day_of_week="mon-fri", hour=2, minute=30),
        CronTrigger(hour=2, minute=30, timezone=ZoneInfo("Asia/Tokyo")),
        CronTrigger(hour="*", timezone=UTC),
    ],
)
def test_exact_triggers_are_accepted(trigger: CronTrigger) -> None:
    check_trigger(trigger)


def test_weekdays_at_six_through_both_clock_changes() -> None:
    evening = cron(day_of_week="mon-fri", hour=18)
    assert fired(evening, "2027-03-11 12:00", "2027-03-17 00:00") == [
        "2027-03-11 23:00",
        "2027-03-12 23:00",
        "2027-03-15 22:00",
        "2027-03-16 22:00",
    ]
    assert fired(evening, "2027-11-04 12:00", "2027-11-10 00:00") == [
        "2027-11-04 22:00",
        "2027-11-05 22:00",
        "2027-11-08 23:00",
        "2027-11-09 23:00",
    ]


def test_leap_day_fires() -> None:
    assert fired(cron(day=29, month=2, hour=18), "2025-01-01 00:00", "2033-01-01 00:00") == [
        "2028-02-29 23:00",
        "2032-02-29 23:00",
    ]


def test_range_leaves_its_beginning_out_and_takes_its_end_in() -> None:
    assert fired(cron(hour=18), "2027-03-11 23:00", "2027-03-12 23:00") == ["2027-03-12 23:00"]


def test_every_process_gets_the_same_fire_times_whenever_it_asks() -> None:
    whole = fired(cron(hour="9-16", minute="*/15"), "2027-03-12 00:00", "2027-03-16 00:00")
    pieces = []
    at = utc("2027-03-12 00:00")
    while at < utc("2027-03-16 00:00"):
        until = at + timedelta(hours=1, minutes=40)
        pieces += fired(cron(hour="9-16", minute="*/15"), f"{at:%F %T}", f"{min(until, utc('2027-03-16 00:00')):%F %T}")
        at = until
    assert pieces == whole
    assert len(whole) == 4 * 32
