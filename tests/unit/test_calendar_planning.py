"""Whose calendar is worth a question, and which pay date is whose."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts
from closingbell.domain.calendar_planning import Announced, is_worth_asking, pay_date_for


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def dividend(ex: str, pay: str | None = None, **state: bool) -> AcceptedAction:
    facts = Facts(
        kind=AcceptedKind.CASH,
        ex_date=day(ex),
        currency="USD",
        amount=Decimal("0.85"),
        pay_date=day(pay) if pay else None,
    )
    return AcceptedAction(id=1, company_id=1, facts=facts, **state)  # type: ignore[arg-type]


QUARTERS = [
    dividend("2012-02-08", "2012-03-10"),
    dividend("2012-05-08", "2012-06-09"),
    dividend("2012-08-08", "2012-09-10"),
]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2012-09-20", False),
        ("2012-10-20", False),
        ("2012-10-26", True),  # a quarter after the last one, less ten sessions
        ("2012-11-20", True),  # late
        ("2012-12-10", False),  # given up
    ],
)
def test_asked_when_the_next_one_is_expected(now: str, expected: bool) -> None:
    assert is_worth_asking(QUARTERS, [], None, now=at(now)) is expected


def test_company_that_never_paid_is_not_asked() -> None:
    assert is_worth_asking([], [], None, now=at("2012-11-01")) is False
    assert is_worth_asking([dividend("2012-08-08", "2012-09-10")], [], None, now=at("2012-11-08")) is False


def test_asked_while_a_dividend_is_unpaid_and_undated() -> None:
    unpaid = [dividend("2012-11-07")]
    assert is_worth_asking(unpaid, [], None, now=at("2012-11-06")) is False
    assert is_worth_asking(unpaid, [], None, now=at("2012-11-07")) is True
    assert is_worth_asking(unpaid, [], None, now=at("2013-03-20")) is False
    assert is_worth_asking([dividend("2012-11-07", is_cancelled=True)], [], None, now=at("2012-11-09")) is False


@pytest.mark.parametrize(
    ("now", "asked_before", "expected"),
    [
        ("2012-11-09", timedelta(hours=19), False),
        ("2012-11-09", timedelta(hours=24), True),
        ("2012-12-20", timedelta(days=4), False),  # long not to be had
        ("2012-12-20", timedelta(days=5), True),
    ],
)
def test_asked_daily_and_ever_more_rarely(now: str, asked_before: timedelta, expected: bool) -> None:
    moment = at(now)
    assert is_worth_asking([dividend("2012-11-07")], [], moment - asked_before, now=moment) is expected


def test_announced_one_with_its_pay_date_is_asked_for_seldom() -> None:
    announced = [Announced(1, day("2012-11-07"), day("2012-12-10"))]
    now = at("2012-11-01")
    assert is_worth_asking(QUARTERS, announced, now - timedelta(days=4), now=now) is False
    assert is_worth_asking(QUARTERS, announced, now - timedelta(days=5), now=now) is True
    without_pay_date = [Announced(1, day("2012-11-07"), None)]
    assert is_worth_asking(QUARTERS, without_pay_date, now - timedelta(days=1), now=now) is True


@pytest.mark.parametrize(
    ("ex", "pay", "expected"),
    [
        ("2012-11-07", "2012-12-10", "2012-12-10"),
        ("2012-11-08", "2012-12-10", "2012-12-10"),  # a day off
        ("2012-11-09", "2012-12-10", None),
        ("2012-11-07", "2012-11-06", None),
        ("2012-11-07", "2013-03-07", "2013-03-07"),
        ("2012-11-07", "2013-03-08", None),
    ],
)
def test_pay_date_belongs_to_the_ex_date_it_was_announced_with(ex: str, pay: str, expected: str | None) -> None:
    found = pay_date_for(dividend("2012-11-07"), [Announced(1, day(ex), day(pay))])
    assert (str(found) if found else None) == expected
