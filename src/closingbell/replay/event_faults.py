"""What faults do to the dividends and splits of a chart answer: absent, repeated, moved, or told differently."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

Json = dict[str, Any]

DAY_S = 86_400
_SATURDAY = 5


def drop(events: Json, key: str) -> None:
    """The row is absent."""
    del events[key]


def repeat(events: Json, key: str) -> None:
    """The row stands once more, a weekday later."""
    _put(events, {**events[key], "date": _next_weekday(events[key]["date"])})


def move(events: Json, key: str) -> None:
    """The row stands a weekday later."""
    row = events.pop(key)
    _put(events, {**row, "date": _next_weekday(row["date"])})


def times(factor: float) -> Callable[[Json, str], None]:
    """The amount is multiplied."""

    def change(events: Json, key: str) -> None:
        events[key] = {**events[key], "amount": round(events[key]["amount"] * factor, 6)}

    return change


def spoil_events(result: Json, name: str, spoil: Callable[[Json, str], None], *, on: date | None, every: bool) -> None:
    """Do something to the rows of one kind: that of a date, all of them, or else the last."""
    events: Json = result.get("events", {}).get(name, {})
    offset = result["meta"]["gmtoffset"]
    keys = sorted(events, key=int)
    if on is not None:
        keys = [key for key in keys if _date_of(int(key) + offset) == on]
    elif not every:
        keys = keys[-1:]
    for key in keys:
        spoil(events, key)


def _put(events: Json, row: Json) -> None:
    events[str(row["date"])] = row


def _next_weekday(at: int) -> int:
    at += DAY_S
    while datetime.fromtimestamp(at, UTC).weekday() >= _SATURDAY:
        at += DAY_S
    return at


def _date_of(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
