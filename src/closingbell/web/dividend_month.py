"""The calendar of a month as its page shows it: which month was asked for, and its days in weeks."""

from __future__ import annotations

import re
from calendar import Calendar
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from flask import request

from closingbell.errors import UsageError
from closingbell.queries.dividend_months import DayEvent, DividendMonth

# So many events stand in a day of the calendar; a link leads to the others.
MOST_A_DAY = 8
# Orders begin with the first of these years; nothing is known as far ahead as the last.
FIRST_YEAR, LAST_YEAR = 1950, 2199
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the month and what happens on it."""

    day: date
    events: tuple[DayEvent, ...]


def asked_month(today: date) -> date:
    """The first of the month that is asked for, this one where none is; raise UsageError for what is no month."""
    asked = request.args.get("month", "").strip()
    if not asked:
        return (asked_day() or today).replace(day=1)
    try:
        first = date.fromisoformat(f"{asked}-01") if _MONTH.fullmatch(asked) else None
    except ValueError:
        first = None
    if first is None or not FIRST_YEAR <= first.year <= LAST_YEAR:
        raise UsageError(f"{asked[:20]!r} is no month from {FIRST_YEAR}-01 to {LAST_YEAR}-12; write it like 2012-11")
    return first


def asked_day() -> date | None:
    """The day all of whose events are asked for; raise UsageError for what is no day."""
    asked = request.args.get("on", "").strip()
    try:
        day = date.fromisoformat(asked) if asked else None
    except ValueError:
        day = date.max
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(f"{asked[:20]!r} is no day from {FIRST_YEAR} to {LAST_YEAR}; write it like 2012-11-30")
    return day


def month_beside(first: date, step: int) -> date | None:
    """The first of the month before (-1) or after (1); None beyond the last that is shown."""
    year, month = divmod(first.year * 12 + first.month - 1 + step, 12)
    return date(year, month + 1, 1) if FIRST_YEAR <= year <= LAST_YEAR else None


def in_weeks(month: DividendMonth) -> list[list[Day | None]]:
    """The month's weeks from Monday to Sunday; a day of another month is None."""
    of_day = {day: tuple(events) for day, events in groupby(month.events, key=lambda one: one.day)}
    return [
        [Day(day, of_day.get(day, ())) if day.month == month.first.month else None for day in week]
        for week in Calendar().monthdatescalendar(month.first.year, month.first.month)
    ]
