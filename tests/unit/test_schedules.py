"""Fire times, against lists typed out; nothing here is recomputed."""

from __future__ import annotations

import csv
import gzip
import itertools
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.config import Settings
from closingbell.domain.planning import SessionTimes
from closingbell.domain.schedules import (
    DISABLED,
    LATEST,
    NONE,
    NOT_CAUGHT_UP,
    OVERLAP,
    PAUSED,
    SUPERSEDED,
    CatchUp,
    Daily,
    Every,
    FireTime,
    OnSessions,
    Schedule,
    WithinSessions,
    decide,
)
from closingbell.errors import ScheduleError, SettingsError
from closingbell.jobs.registry import Job, check_registry, jobs_of

NEW_YORK = ZoneInfo("America/New_York")
LONDON = ZoneInfo("Europe/London")


def utc(text: str) -> datetime:
    """``2027-03-12 21:30`` as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def session(day: str, opened: str = "14:30", closed: str = "21:00") -> SessionTimes:
    return SessionTimes(date.fromisoformat(day), utc(f"{day} {opened}"), utc(f"{day} {closed}"))


def fired(schedule: Schedule, after: str, until: str, **sessions: list[SessionTimes]) -> list[str]:
    """Fire times as text, in UTC; what is skipped says why."""
    found = schedule.fire_times(utc(after), utc(until), sessions)
    assert all(fire.at.tzinfo is UTC for fire in found)
    return [f"{fire.at:%Y-%m-%d %H:%M}" + (f" {fire.skip}" if fire.skip else "") for fire in found]


# --- The clock changes of 2027 in New York: Sunday 14 March and Sunday 7 November.

SPRING = [session("2027-03-11"), session("2027-03-12"), session("2027-03-15", "13:30", "20:00"),
          session("2027-03-16", "13:30", "20:00")]  # fmt: skip
AUTUMN = [session("2027-11-04", "13:30", "20:00"), session("2027-11-05", "13:30", "20:00"), session("2027-11-08"),
          session("2027-11-09")]  # fmt: skip


def test_daily_prices_stay_at_half_past_four_when_summer_time_begins() -> None:
    assert fired(OnSessions(), "2027-03-11 00:00", "2027-03-17 00:00", XNYS=SPRING) == [
        "2027-03-11 21:30",
        "2027-03-12 21:30",
        "2027-03-15 20:30",
        "2027-03-16 20:30",
    ]


def test_daily_prices_stay_at_half_past_four_when_summer_time_ends() -> None:
    assert fired(OnSessions(), "2027-11-04 00:00", "2027-11-10 00:00", XNYS=AUTUMN) == [
        "2027-11-04 20:30",
        "2027-11-05 20:30",
        "2027-11-08 21:30",
        "2027-11-09 21:30",
    ]


def test_job_of_every_day_fires_once_on_each_day_of_both_changes() -> None:
    assert fired(Daily(time(6, 0)), "2027-03-13 00:00", "2027-03-16 00:00") == [
        "2027-03-13 11:00",
        "2027-03-14 10:00",
        "2027-03-15 10:00",
    ]
    assert fired(Daily(time(6, 0)), "2027-11-06 00:00", "2027-11-09 00:00") == [
        "2027-11-06 10:00",
        "2027-11-07 11:00",
        "2027-11-08 11:00",
    ]


def test_several_times_a_day_fire_in_their_order_and_one_said_twice_once() -> None:
    twice = Daily(time(16, 0), also=(time(7, 0),))
    assert fired(twice, "2027-03-12 12:00", "2027-03-14 21:00") == [
        "2027-03-12 21:00",
        "2027-03-13 12:00",
        "2027-03-13 21:00",
        "2027-03-14 11:00",
        "2027-03-14 20:00",
    ]
    assert fired(Daily(time(16, 0), also=(time(16, 0),)), "2027-03-12 12:00", "2027-03-13 12:00") == [
        "2027-03-12 21:00"
    ]


def test_dividends_are_booked_before_new_york_opens_and_as_it_closes() -> None:
    assert fired(jobs_of(Settings())["dividend_processor"].schedule, "2027-03-15 04:00", "2027-03-16 04:00") == [
        "2027-03-15 11:00",
        "2027-03-15 20:00",
    ]
    with pytest.raises(ScheduleError, match="02:30"):
        jobs_of(Settings(dividend_processor_early_time=time(2, 30)))


def test_times_on_the_edges_of_the_changes_fire_once() -> None:
    assert fired(Daily(time(0, 59)), "2027-03-13 12:00", "2027-03-15 12:00") == ["2027-03-14 05:59", "2027-03-15 04:59"]
    assert fired(Daily(time(3, 0)), "2027-03-13 12:00", "2027-03-15 12:00") == ["2027-03-14 07:00", "2027-03-15 07:00"]
    assert fired(Daily(time(0, 59)), "2027-11-06 12:00", "2027-11-08 12:00") == ["2027-11-07 04:59", "2027-11-08 05:59"]
    assert fired(Daily(time(3, 0)), "2027-11-06 12:00", "2027-11-08 12:00") == [
        "2027-11-07 08:00",
        "2027-11-08 08:00",
    ]


def test_interval_is_even_through_both_changes() -> None:
    assert fired(Every(timedelta(hours=1)), "2027-03-14 05:30", "2027-03-14 09:00") == [
        "2027-03-14 06:00",
        "2027-03-14 07:00",
        "2027-03-14 08:00",
        "2027-03-14 09:00",
    ]
    assert fired(Every(timedelta(hours=1)), "2027-11-07 04:30", "2027-11-07 08:00") == [
        "2027-11-07 05:00",
        "2027-11-07 06:00",
        "2027-11-07 07:00",
        "2027-11-07 08:00",
    ]


def test_london_is_served_after_its_own_close_while_the_two_zones_differ() -> None:
    # London changes on 2027-03-28, New York two weeks earlier.
    london = [session("2027-03-12", "08:00", "16:30"), session("2027-03-15", "08:00", "16:30"),
              session("2027-03-29", "07:00", "15:30")]  # fmt: skip
    found = fired(OnSessions(), "2027-03-12 00:00", "2027-03-15 23:00", XNYS=SPRING, XLON=london)
    assert found == ["2027-03-12 17:00", "2027-03-12 21:30", "2027-03-15 17:00", "2027-03-15 20:30"]


# --- A leap day.


def test_leap_day_is_a_day_like_any_other() -> None:
    days = [session("2028-02-28"), session("2028-02-29"), session("2028-03-01")]
    assert fired(OnSessions(), "2028-02-28 00:00", "2028-03-02 00:00", XNYS=days) == [
        "2028-02-28 21:30",
        "2028-02-29 21:30",
        "2028-03-01 21:30",
    ]
    assert fired(Daily(time(6, 0)), "2028-02-28 00:00", "2028-03-02 00:00") == [
        "2028-02-28 11:00",
        "2028-02-29 11:00",
        "2028-03-01 11:00",
    ]


# --- A year of XNYS sessions.

SESSIONS_OF_2022 = """
01  3  4  5  6  7 10 11 12 13 14 18 19 20 21 24 25 26 27 28 31
02  1  2  3  4  7  8  9 10 11 14 15 16 17 18 22 23 24 25 28
03  1  2  3  4  7  8  9 10 11 14 15 16 17 18 21 22 23 24 25 28 29 30 31
04  1  4  5  6  7  8 11 12 13 14 18 19 20 21 22 25 26 27 28 29
05  2  3  4  5  6  9 10 11 12 13 16 17 18 19 20 23 24 25 26 27 31
06  1  2  3  6  7  8  9 10 13 14 15 16 17 21 22 23 24 27 28 29 30
07  1  5  6  7  8 11 12 13 14 15 18 19 20 21 22 25 26 27 28 29
08  1  2  3  4  5  8  9 10 11 12 15 16 17 18 19 22 23 24 25 26 29 30 31
09  1  2  6  7  8  9 12 13 14 15 16 19 20 21 22 23 26 27 28 29 30
10  3  4  5  6  7 10 11 12 13 14 17 18 19 20 21 24 25 26 27 28 31
11  1  2  3  4  7  8  9 10 11 14 15 16 17 18 21 22 23 25 28 29 30
12  1  2  5  6  7  8  9 12 13 14 15 16 19 20 21 22 23 27 28 29 30
"""
HOLIDAYS_OF_2022 = {
    "2022-01-17", "2022-02-21", "2022-04-15", "2022-05-30", "2022-06-20", "2022-07-04", "2022-09-05", "2022-11-24",
    "2022-12-26",
}  # fmt: skip


def _year() -> list[str]:
    """The sessions of 2022, from the list above."""
    lines = [line.split() for line in SESSIONS_OF_2022.split("\n") if line]
    return [f"2022-{month}-{int(day):02}" for month, *days in lines for day in days]


@pytest.fixture(scope="module")
def xnys(shared_data: Path) -> list[SessionTimes]:
    """The sessions of 2022 as exchange_calendars' maintainers recorded them."""
    with gzip.open(shared_data / "calendars" / "xnys.csv.gz", "rt", encoding="utf-8", newline="") as file:
        found = [line for line in csv.reader(file) if line[0].startswith("2022")]
    return [
        SessionTimes(date.fromisoformat(line[0][:10]), *(datetime.fromisoformat(moment) for moment in line[1:3]))
        for line in found
    ]


def test_year_of_sessions_fires_at_each_and_skips_each_holiday(xnys: list[SessionTimes]) -> None:
    found = OnSessions().fire_times(utc("2022-01-01 05:00"), utc("2023-01-01 05:00"), {"XNYS": xnys})

    run = [fire.at for fire in found if fire.skip is None]
    assert [str(at.astimezone(NEW_YORK).date()) for at in run] == _year()
    assert len(run) == 251
    # 16:30 in New York: 21:30 UTC but for summer time, which lasted from 13 March to 5 November.
    assert [at for at in run if not utc("2022-03-13 07:00") < at < utc("2022-11-06 06:00")] == [
        at for at in run if (at.hour, at.minute) == (21, 30)
    ]
    assert {(at.hour, at.minute) for at in run} == {(20, 30), (21, 30)}
    assert {str(at.date()) for at, skip in found if skip == "holiday"} == HOLIDAYS_OF_2022
    assert {skip for _, skip in found} == {None, "holiday"}
    assert len(found) == 260


def test_year_walked_in_any_steps_gives_the_same_fire_times(xnys: list[SessionTimes]) -> None:
    whole = OnSessions().fire_times(utc("2022-01-01 05:00"), utc("2023-01-01 05:00"), {"XNYS": xnys})
    walked: list[FireTime] = []
    at = utc("2022-01-01 05:00")
    while at < utc("2023-01-01 05:00"):
        until = min(at + timedelta(hours=55, minutes=30), utc("2023-01-01 05:00"))
        walked += OnSessions().fire_times(at, until, {"XNYS": xnys})
        at = until
    assert walked == whole


def test_within_sessions_ends_early_on_the_day_after_thanksgiving(xnys: list[SessionTimes]) -> None:
    found = fired(WithinSessions(timedelta(hours=1)), "2022-11-23 00:00", "2022-11-26 00:00", XNYS=xnys)
    assert found == [
        "2022-11-23 14:30", "2022-11-23 15:30", "2022-11-23 16:30", "2022-11-23 17:30", "2022-11-23 18:30",
        "2022-11-23 19:30", "2022-11-23 20:30",
        "2022-11-25 14:30", "2022-11-25 15:30", "2022-11-25 16:30", "2022-11-25 17:30",
    ]  # fmt: skip


def test_quarter_hours_include_open_and_close() -> None:
    found = fired(
        WithinSessions(), "2022-11-25 14:00", "2022-11-25 23:00", XNYS=[session("2022-11-25", "17:00", "18:00")]
    )
    assert found == ["2022-11-25 17:00", "2022-11-25 17:15", "2022-11-25 17:30", "2022-11-25 17:45", "2022-11-25 18:00"]


# --- Which instants belong to a range; holidays; more than one exchange.


def test_range_leaves_its_beginning_out_and_takes_its_end_in() -> None:
    assert fired(Daily(time(6, 0)), "2027-03-15 10:00", "2027-03-16 10:00") == ["2027-03-16 10:00"]
    assert fired(Every(timedelta(seconds=2)), "2027-03-15 10:00", "2027-03-15 10:00") == []


def test_time_that_runs_backwards_is_an_empty_range() -> None:
    for schedule in (OnSessions(), Daily(time(6, 0)), WithinSessions(), Every(timedelta(minutes=1))):
        assert fired(schedule, "2027-03-15 23:00", "2027-03-15 01:00", XNYS=SPRING) == []


def test_weekday_without_session_is_a_holiday_and_a_weekend_is_nothing() -> None:
    days = [session("2022-11-23"), session("2022-11-25", "14:30", "18:00")]
    assert fired(OnSessions(), "2022-11-23 00:00", "2022-11-28 00:00", XNYS=days) == [
        "2022-11-23 21:30",
        "2022-11-24 21:30 holiday",
        "2022-11-25 21:30",
    ]


def test_session_on_a_saturday_is_due() -> None:
    assert fired(OnSessions(), "2022-11-26 00:00", "2022-11-27 00:00", XNYS=[session("2022-11-26")]) == [
        "2022-11-26 21:30"
    ]


def test_other_exchange_is_served_on_a_holiday_at_home() -> None:
    tokyo = [session("2022-11-24", "00:00", "06:00")]
    assert fired(OnSessions(), "2022-11-24 00:00", "2022-11-25 00:00", XNYS=[], XTKS=tokyo) == [
        "2022-11-24 06:30",
        "2022-11-24 21:30 holiday",
    ]


def test_two_exchanges_that_are_due_together_are_one_fire_time() -> None:
    toronto = [session("2022-11-24", "14:30", "21:00")]
    assert fired(OnSessions(), "2022-11-24 00:00", "2022-11-25 00:00", XNYS=[], XTSE=toronto) == ["2022-11-24 21:30"]


def test_interval_counts_from_a_fixed_instant_not_from_the_start_of_a_process() -> None:
    assert fired(Every(timedelta(minutes=7)), "2027-03-15 10:00", "2027-03-15 10:15") == fired(
        Every(timedelta(minutes=7)), "2027-03-15 09:55", "2027-03-15 10:15"
    )[-2:]  # fmt: skip


@given(
    cuts=st.lists(st.integers(0, 14 * 86_400), max_size=12),
    schedule=st.sampled_from([OnSessions(), Daily(time(6, 0)), WithinSessions(), Every(timedelta(hours=5))]),
)
def test_any_cuts_of_a_fortnight_give_each_fire_time_once(cuts: list[int], schedule: Schedule) -> None:
    start, end = utc("2027-03-08 00:00"), utc("2027-03-22 00:00")
    sessions = {"XNYS": SPRING, "XLON": [session("2027-03-15", "08:00", "16:30")]}
    marks = [start, *sorted(start + timedelta(seconds=cut) for cut in cuts), end]
    pieces = [fire for a, b in itertools.pairwise(marks) for fire in schedule.fire_times(a, b, sessions)]
    assert pieces == schedule.fire_times(start, end, sessions)
    assert len({fire.at for fire in pieces}) == len(pieces)


# --- What no schedule may be.


@pytest.mark.parametrize("at", [time(1, 0), time(1, 30), time(1, 59), time(2, 0), time(2, 30), time(2, 59)])
@pytest.mark.parametrize("schedule", [Daily, OnSessions])
def test_local_time_that_the_clocks_skip_or_double_is_refused(at: time, schedule: type) -> None:
    with pytest.raises(ScheduleError, match=rf"^{at:%H:%M} America/New_York is skipped or doubled when the clocks"):
        schedule(at)


@pytest.mark.parametrize("at", [time(0, 0), time(0, 59), time(3, 0), time(6, 0), time(16, 30), time(23, 59)])
def test_every_other_local_time_is_accepted(at: time) -> None:
    assert Daily(at).at == OnSessions(at).at == at


def test_zones_differ_in_what_they_skip() -> None:
    assert Daily(time(2, 30), LONDON).at == time(2, 30)
    with pytest.raises(ScheduleError, match=r"^01:30 Europe/London is skipped or doubled"):
        Daily(time(1, 30), LONDON)
    assert Daily(time(2, 30), ZoneInfo("Asia/Tokyo")).words == "02:30 Tokyo every day"


def test_interval_too_short_is_refused() -> None:
    with pytest.raises(ScheduleError, match="at least a second"):
        Every(timedelta(milliseconds=999))
    with pytest.raises(ScheduleError, match="at least a minute"):
        WithinSessions(timedelta(seconds=59))


def test_setting_with_such_a_time_names_the_time() -> None:
    with pytest.raises(SettingsError, match="02:30"):
        jobs_of(Settings(daily_price_update_time=time(2, 30)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "its own name and a description"),
        ({"description": ""}, "its own name and a description"),
        ({"overlap": "twice"}, "overlap 'twice' is not skip or queue"),
    ],
)
def test_job_that_cannot_be_kept_exactly_is_refused_by_name(changes: dict[str, str], said: str) -> None:
    values = {"name": "nightly", "description": "does it", "overlap": "skip", **changes}
    job = Job(schedule=Daily(time(6, 0)), function="m:f", **values)  # type: ignore[arg-type]
    with pytest.raises(ScheduleError, match=f"job 'nightly'.*{said}"):
        check_registry({"nightly": job})


def test_schedules_say_what_they_are_in_words() -> None:
    assert OnSessions().words == "16:30 New York on XNYS sessions, elsewhere 30 min after the close"
    assert Daily(time(6, 0)).words == "06:00 New York every day"
    assert Daily(time(16, 0), also=(time(7, 0),)).words == "07:00, 16:00 New York every day"
    assert WithinSessions().words == "every 15 min from open to close of each session"
    assert Every(timedelta(seconds=90)).words == "every 0:01:30"
    assert [CatchUp(most).words for most in (1, 0, None, 5)] == ["latest", "none", "all", "all, at most 5"]


# --- Which of several missed fire times are run.

MISSED = [FireTime(utc(f"2027-03-{day} 20:30")) for day in (15, 16, 17, 18)]
LONG_AFTER = utc("2027-03-19 12:00")


def reasons(policy: CatchUp, *, on_time_after: datetime = LONG_AFTER, barred: str | None = None) -> list[str | None]:
    return [reason for _, reason in decide(MISSED, policy, on_time_after=on_time_after, barred=barred)]


def test_latest_runs_the_newest_and_supersedes_the_rest() -> None:
    assert reasons(LATEST) == [SUPERSEDED, SUPERSEDED, SUPERSEDED, None]


def test_all_runs_all_and_at_most_two_the_newest_two() -> None:
    assert reasons(CatchUp(None)) == [None, None, None, None]
    assert reasons(CatchUp(2)) == [SUPERSEDED, SUPERSEDED, None, None]


def test_none_runs_only_what_is_on_time() -> None:
    assert reasons(NONE) == [NOT_CAUGHT_UP] * 4
    assert reasons(NONE, on_time_after=utc("2027-03-18 20:00")) == [NOT_CAUGHT_UP] * 3 + [None]


@pytest.mark.parametrize("why", [PAUSED, DISABLED, OVERLAP])
def test_barred_job_runs_nothing_and_says_why(why: str) -> None:
    assert reasons(CatchUp(None), barred=why) == [why] * 4


def test_holiday_is_the_reason_before_all_others() -> None:
    due = [MISSED[0], FireTime(utc("2027-03-26 20:30"), "holiday")]
    told = decide(due, LATEST, on_time_after=LONG_AFTER)
    assert [reason for _, reason in told] == [None, "holiday"]
    told = decide(due, LATEST, on_time_after=LONG_AFTER, barred=PAUSED)
    assert [reason for _, reason in told] == [PAUSED, "holiday"]


@given(
    skips=st.lists(st.booleans(), max_size=30),
    most=st.sampled_from([None, 0, 1, 3]),
    barred=st.sampled_from([None, PAUSED]),
)
def test_each_fire_time_ends_as_one_run_or_one_reason(skips: list[bool], most: int | None, barred: str | None) -> None:
    start = utc("2027-03-01 20:30")
    due = [FireTime(start + timedelta(days=i), "holiday" if skip else None) for i, skip in enumerate(skips)]
    told = decide(due, CatchUp(most), on_time_after=start + timedelta(days=90), barred=barred)
    assert [at for at, _ in told] == [fire.at for fire in due]
    run = [at for at, reason in told if reason is None]
    runnable = [] if barred else [fire.at for fire in due if fire.skip is None]
    assert run == (runnable if most is None else runnable[len(runnable) - min(most, len(runnable)) :])
