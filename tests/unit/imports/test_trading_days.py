from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from closingbell.domain.planning import SessionList, SessionTimes
from closingbell.usecases.imports.trading_days import session_of


def sessions(*days: int, opened: int, closed: int) -> SessionList:
    """Sessions in January 2024 with their hours in UTC."""
    times = [
        SessionTimes(
            date(2024, 1, day),
            datetime(2024, 1, day - (opened > closed), opened, tzinfo=UTC),
            datetime(2024, 1, day, closed, tzinfo=UTC),
        )
        for day in days
    ]
    return SessionList("TEST", times, now=datetime(2024, 2, 1, tzinfo=UTC))


NEW_YORK = sessions(4, 5, 8, 9, opened=14, closed=21)
SYDNEY = sessions(4, 5, 8, 9, opened=23, closed=5)


@pytest.mark.parametrize(
    ("market", "moment", "day"),
    [
        (NEW_YORK, datetime(2024, 1, 4, 14, 30, tzinfo=UTC), date(2024, 1, 4)),
        # Before the open, and after the close: still the same session.
        (NEW_YORK, datetime(2024, 1, 5, 9, 0, tzinfo=UTC), date(2024, 1, 5)),
        (NEW_YORK, datetime(2024, 1, 6, 0, 59, tzinfo=UTC), date(2024, 1, 5)),
        # After 20:00 in New York: the next one, which is Monday's.
        (NEW_YORK, datetime(2024, 1, 6, 1, 0, tzinfo=UTC), date(2024, 1, 8)),
        # Sydney opens on the evening before in UTC.
        (SYDNEY, datetime(2024, 1, 4, 23, 30, tzinfo=UTC), date(2024, 1, 5)),
        (NEW_YORK, datetime(2023, 12, 1, 15, 0, tzinfo=UTC), None),
        (NEW_YORK, datetime(2024, 1, 10, 15, 0, tzinfo=UTC), None),
    ],
)
def test_the_session_that_had_not_ended(market: SessionList, moment: datetime, day: date | None) -> None:
    assert session_of(moment, market) == day
