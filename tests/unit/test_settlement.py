"""Ex-dates from record dates, with each market's own cycles."""

from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.settlement import cycles_of, derive_ex_date, is_us_bank_holiday

CLOSED = {
    date(2024, 5, 27),
    date(2023, 12, 25),
    date(2015, 1, 1),
    date(2019, 7, 15),
    date(2015, 4, 3),
    date(2015, 4, 6),
}


def ex_date(mic: str, record: str) -> str:
    found = derive_ex_date(
        date.fromisoformat(record),
        cycles_of(mic),
        is_session=lambda day: day.weekday() < 5 and day not in CLOSED,
        is_bank_holiday=is_us_bank_holiday if mic == "XNYS" else lambda _: False,
    )
    return str(found)


@pytest.mark.parametrize(
    ("mic", "record", "expected"),
    [
        ("XNYS", "1994-06-10", "1994-06-06"),  # five days
        ("XNYS", "2014-05-12", "2014-05-08"),
        ("XNYS", "2019-11-11", "2019-11-07"),  # Veterans Day
        ("XNYS", "2024-05-24", "2024-05-23"),  # the last under two days
        ("XNYS", "2024-05-28", "2024-05-24"),  # Friday's trades settled on the 29th, as Tuesday's did
        ("XNYS", "2024-05-29", "2024-05-29"),
        ("XNYS", "2024-06-10", "2024-06-10"),
        ("XLON", "2015-03-20", "2015-03-19"),
        ("XLON", "2015-04-02", "2015-04-01"),
        ("XLON", "2027-10-15", "2027-10-15"),
        ("XTSE", "2024-06-10", "2024-06-10"),
        ("XETR", "2012-05-11", "2012-05-10"),
        ("XNSE", "2024-02-09", "2024-02-09"),
        ("XXXX", "2024-02-09", "2024-02-08"),
    ],
)
def test_ex_date_of_a_record_date(mic: str, record: str, expected: str) -> None:
    assert ex_date(mic, record) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2019-10-14", True),
        ("2019-10-21", False),
        ("2019-11-11", True),
        ("2018-11-12", True),  # the 11th was a Sunday
        ("2018-11-11", False),
        ("2019-11-12", False),
        ("2017-11-10", False),
    ],
)
def test_sessions_without_settlement(day: str, expected: bool) -> None:
    assert is_us_bank_holiday(date.fromisoformat(day)) is expected
