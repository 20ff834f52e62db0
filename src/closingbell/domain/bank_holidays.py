"""The days on which banks of a currency rest, by rule; a person's corrections come from the database.

Only currencies whose rules are simple and long-lived are here; for all others banks rest at weekends alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6
_JUNETEENTH_SINCE = 2021


@lru_cache(maxsize=512)
def holidays_of(currency: str, year: int) -> frozenset[date]:
    """Bank holidays of a year, whatever weekday they fall on."""
    rules = {"USD": _american, "EUR": _european, "GBP": _english}
    rule = rules.get(currency)
    return frozenset(rule(year)) if rule else frozenset()


def _american(year: int) -> Iterator[date]:
    """The Federal Reserve's: on a Sunday they are kept on the Monday after, on a Saturday not at all."""
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    if year >= _JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    for day in fixed:
        yield day + timedelta(days=1) if day.weekday() == _SUNDAY else day
    yield _nth(year, 1, _MONDAY, 3)
    yield _nth(year, 2, _MONDAY, 3)
    yield _last(year, 5, _MONDAY)
    yield _nth(year, 9, _MONDAY, 1)
    yield _nth(year, 10, _MONDAY, 2)
    yield _nth(year, 11, _THURSDAY, 4)


def _european(year: int) -> Iterator[date]:
    """The days on which the euro's payment system rests."""
    easter = _easter(year)
    yield from (date(year, 1, 1), date(year, 5, 1), date(year, 12, 25), date(year, 12, 26))
    yield from (easter - timedelta(days=2), easter + timedelta(days=1))


def _english(year: int) -> Iterator[date]:
    """England's: those at a weekend move to the next weekday that is none."""
    easter = _easter(year)
    yield from (easter - timedelta(days=2), easter + timedelta(days=1))
    yield _next_weekday(date(year, 1, 1))
    yield _nth(year, 5, _MONDAY, 1)
    yield _last(year, 5, _MONDAY)
    yield _last(year, 8, _MONDAY)
    christmas = _next_weekday(date(year, 12, 25))
    boxing = _next_weekday(date(year, 12, 26))
    yield christmas
    yield boxing if boxing != christmas else _next_weekday(boxing + timedelta(days=1))


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _last(year: int, month: int, weekday: int) -> date:
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _next_weekday(day: date) -> date:
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar."""
    golden = year % 19
    century = year // 100
    moon = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon -= moon // 28 * (1 - 29 // (moon + 1) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    before = moon - weekday
    month = 3 + (before + 40) // 44
    return date(year, month, before + 28 - 31 * (month // 4))
