from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.actions import PayDateStatus
from closingbell.domain.bank_holidays import holidays_of
from closingbell.domain.pay_dates import (
    BusinessDays,
    PayDate,
    PayPolicy,
    effective_pay_date,
    typical_lag,
)

CONFIRMED, ESTIMATED, UNKNOWN = PayDateStatus.CONFIRMED, PayDateStatus.ESTIMATED, PayDateStatus.UNKNOWN
WEEKDAYS = BusinessDays()
EX = date(2024, 8, 12)


def test_told_day_moves_to_the_business_day_that_follows() -> None:
    labor_day = BusinessDays(frozenset({date(2024, 9, 2)}))
    assert effective_pay_date(date(2024, 8, 7), date(2024, 9, 1), labor_day) == PayDate(date(2024, 9, 3), CONFIRMED)


def test_nothing_is_paid_before_the_ex_date() -> None:
    assert effective_pay_date(EX, date(2024, 8, 9), WEEKDAYS) == PayDate(EX, CONFIRMED)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (PayPolicy.ESTIMATE, PayDate(date(2024, 8, 15), ESTIMATED)),
        (PayPolicy.ON_EX, PayDate(EX, ESTIMATED)),
        (PayPolicy.WAIT, PayDate(None, UNKNOWN)),
        (PayPolicy.MANUAL, PayDate(None, UNKNOWN)),
    ],
)
def test_policy_decides_while_nobody_tells(policy: PayPolicy, expected: PayDate) -> None:
    assert effective_pay_date(EX, None, WEEKDAYS, policy=policy, lag=3, today=date(2024, 9, 26)) == expected


def test_waiting_ends_after_forty_five_days() -> None:
    late = effective_pay_date(EX, None, WEEKDAYS, policy=PayPolicy.WAIT, lag=3, today=date(2024, 9, 27))
    assert late == PayDate(date(2024, 8, 15), ESTIMATED)


def test_habit_is_the_median_of_the_last_eight_and_the_markets_with_fewer_than_two() -> None:
    known = [(date(2024, month, 1), date(2024, month, 1 + month)) for month in range(2, 12)]
    assert typical_lag(known[:1], WEEKDAYS, country="US") == 15
    assert typical_lag([], WEEKDAYS, country="GB") == 25
    assert typical_lag([], WEEKDAYS, country="US", is_fund=True) == 3
    assert typical_lag([(EX, date(2024, 8, 15)), (date(2024, 5, 10), date(2024, 5, 16))], WEEKDAYS, country="US") == 4


def test_bank_holidays_by_rule() -> None:
    assert {date(2024, 5, 27), date(2024, 6, 19), date(2024, 11, 28)} <= holidays_of("USD", 2024)
    # Independence Day of 2027 is a Sunday; Christmas of 2027 a Saturday, which American banks do not keep.
    assert date(2027, 7, 5) in holidays_of("USD", 2027)
    assert date(2027, 12, 24) not in holidays_of("USD", 2027)
    assert {date(2024, 3, 29), date(2024, 4, 1), date(2024, 5, 1)} <= holidays_of("EUR", 2024)
    assert {date(2021, 12, 27), date(2021, 12, 28)} <= holidays_of("GBP", 2021)
    assert holidays_of("JPY", 2024) == frozenset()
