"""When a dividend is paid: confirmed, estimated by policy, or not known yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import median_high
from typing import NamedTuple

from closingbell.domain.actions import PayDateStatus

# Business days from ex-date to pay date where a company's own habit is not known.
DEFAULT_LAGS = {("US", "share"): 15, ("US", "fund"): 3, ("GB", "share"): 25}
OTHER_LAG = 15
LAGS_LOOKED_AT = 8
ENOUGH_LAGS = 2
# With WAIT a pay date that nobody tells is estimated after so long.
WAIT_AT_MOST = timedelta(days=45)
_DAY = timedelta(days=1)
_SATURDAY = 5


class PayPolicy(StrEnum):
    """What to do while nobody tells the pay date."""

    ESTIMATE = "ESTIMATE"
    ON_EX = "ON_EX"
    WAIT = "WAIT"
    MANUAL = "MANUAL"


class PayDate(NamedTuple):
    """The day that cash moves on, and how well it is known; ``date`` is None while it is UNKNOWN."""

    date: date | None
    status: PayDateStatus


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """Monday to Friday without the bank holidays of one currency."""

    holidays: frozenset[date] = frozenset()

    def is_business(self, day: date) -> bool:
        """Whether banks work on that day."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def on_or_after(self, day: date) -> date:
        """``day``, or the business day that follows it."""
        while not self.is_business(day):
            day += _DAY
        return day

    def after(self, day: date, count: int) -> date:
        """The ``count``-th business day after ``day``."""
        for _ in range(count):
            day = self.on_or_after(day + _DAY)
        return day

    def between(self, first: date, last: date) -> int:
        """How many business days come after ``first`` up to ``last``."""
        days = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
        return sum(self.is_business(day) for day in days)


def effective_pay_date(
    ex_date: date,
    told: date | None,
    days: BusinessDays,
    *,
    policy: PayPolicy = PayPolicy.ESTIMATE,
    lag: int = OTHER_LAG,
    today: date | None = None,
) -> PayDate:
    """The day of payment: the one ``told`` on a business day and not before the ex-date, or what the policy says."""
    if told is not None:
        return PayDate(days.on_or_after(max(told, ex_date)), PayDateStatus.CONFIRMED)
    if policy is PayPolicy.ON_EX:
        return PayDate(days.on_or_after(ex_date), PayDateStatus.ESTIMATED)
    has_waited = today is not None and today - ex_date > WAIT_AT_MOST
    if policy is PayPolicy.ESTIMATE or (policy is PayPolicy.WAIT and has_waited):
        return PayDate(days.on_or_after(days.after(ex_date, lag)), PayDateStatus.ESTIMATED)
    return PayDate(None, PayDateStatus.UNKNOWN)


def typical_lag(known: Iterable[tuple[date, date]], days: BusinessDays, *, country: str, is_fund: bool = False) -> int:
    """Business days from ex-date to pay date: the median of the last ones ``known``, or the market's habit."""
    newest = sorted(known)[-LAGS_LOOKED_AT:]
    if len(newest) < ENOUGH_LAGS:
        return DEFAULT_LAGS.get((country, "fund" if is_fund else "share"), OTHER_LAG)
    # Of two middle ones the longer: a day too late is forgiven sooner than a day too early.
    return median_high(days.between(ex_date, pay_date) for ex_date, pay_date in newest)
