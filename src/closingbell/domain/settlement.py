"""Settlement cycles, and the ex-date that follows from a record date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# Longer than any cycle with the longest holidays inside it.
_LOOK_BACK = timedelta(days=45)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Trades from ``first`` on settle after so many settlement days."""

    first: date
    days: int


def _cycles(*known: tuple[str, int]) -> tuple[Cycle, ...]:
    return tuple(Cycle(date.fromisoformat(first), days) for first, days in known)


_US = _cycles(("1800-01-01", 5), ("1995-06-07", 3), ("2017-09-05", 2), ("2024-05-28", 1))
_CANADA = _cycles(("1800-01-01", 5), ("1995-06-07", 3), ("2017-09-05", 2), ("2024-05-27", 1))
_MEXICO = _cycles(("1800-01-01", 3), ("2017-09-05", 2), ("2024-05-27", 1))
_EUROPE = _cycles(("1800-01-01", 3), ("2014-10-06", 2), ("2027-10-11", 1))
_GERMANY = _cycles(("1800-01-01", 2), ("2027-10-11", 1))
_INDIA = _cycles(("1800-01-01", 2), ("2023-01-27", 1))
_JAPAN = _cycles(("1800-01-01", 3), ("2019-07-16", 2))
_AUSTRALIA = _cycles(("1800-01-01", 3), ("2016-03-07", 2))
_OTHER = _cycles(("1800-01-01", 2))

_CYCLES = {
    **dict.fromkeys(("XNYS", "XNAS", "XASE", "ARCX", "BATS"), _US),
    **dict.fromkeys(("XTSE", "XTSX"), _CANADA),
    "XMEX": _MEXICO,
    **dict.fromkeys(
        (
            "XLON", "XPAR", "XAMS", "XBRU", "XLIS", "XDUB", "XMIL", "XMAD", "XSWX", "XSTO", "XHEL", "XCSE", "XOSL",
            "XICE", "XWBO", "XWAR", "XPRA", "XBUD", "ASEX", "XTAL", "XRIS", "XLIT",
        ),
        _EUROPE,
    ),
    **dict.fromkeys(("XETR", "XFRA"), _GERMANY),
    **dict.fromkeys(("XBOM", "XNSE"), _INDIA),
    "XTKS": _JAPAN,
    "XASX": _AUSTRALIA,
}  # fmt: skip
# Sessions on which American banks, and so settlement, rest: the second Monday of October and the eleventh of November.
US_MARKETS = frozenset(mic for mic, cycles in _CYCLES.items() if cycles is _US)


def cycles_of(mic: str) -> tuple[Cycle, ...]:
    """The settlement cycles of a market; two days where none are known."""
    return _CYCLES.get(mic, _OTHER)


def is_us_bank_holiday(day: date) -> bool:
    """Columbus Day and Veterans Day, which are sessions without settlement; other bank holidays are no sessions."""
    if day.month == 10:
        return day.weekday() == 0 and 8 <= day.day <= 14
    # On a Sunday it is kept on the Monday after; on a Saturday the banks keep none.
    return day.month == 11 and ((day.day == 11 and day.weekday() < 5) or (day.day == 12 and day.weekday() == 0))


def derive_ex_date(
    record_date: date,
    cycles: Sequence[Cycle],
    *,
    is_session: Callable[[date], bool],
    is_bank_holiday: Callable[[date], bool],
) -> date:
    """The first session whose trades settle after the record date."""
    day = record_date - _LOOK_BACK
    while True:
        if is_session(day) and _settles(day, cycles, is_session, is_bank_holiday) > record_date:
            return day
        day += _DAY


def _settles(
    day: date, cycles: Sequence[Cycle], is_session: Callable[[date], bool], is_bank_holiday: Callable[[date], bool]
) -> date:
    """When a trade of ``day`` settles."""
    left = _days_of(day, cycles)
    while left:
        day += _DAY
        left -= is_session(day) and not is_bank_holiday(day)
    return day


def _days_of(day: date, cycles: Sequence[Cycle]) -> int:
    """The cycle in force for trades of ``day``; before the first one, that one."""
    in_force = [cycle for cycle in cycles if cycle.first <= day]
    latest = max(in_force, key=lambda cycle: cycle.first) if in_force else min(cycles, key=lambda cycle: cycle.first)
    return latest.days
