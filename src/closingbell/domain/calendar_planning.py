"""Which companies' calendars are worth a question, and which announced pay date belongs to which action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from closingbell.domain.action_rules import typical_gap
from closingbell.domain.actions import PAYING, AcceptedAction

# About ten sessions.
AHEAD = timedelta(days=14)
# A dividend this late is no longer expected by its usual gap.
_LATE = timedelta(days=21)
# Past actions that tell the usual gap.
_RECENT = 8
# A pay date so long after its ex-date is another dividend's.
LONGEST_LAG = timedelta(days=120)
# The feed's ex-date and the calendar's may differ by so much.
_DAY = timedelta(days=1)
# How long an answer is good for: while something is missing, and once it is there or long not to be had.
_OFTEN = timedelta(hours=20)
_SELDOM = timedelta(days=5)
_PATIENCE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Announced:
    """What a calendar said of a company: an ex-date with its pay date, as far as that is known."""

    company_id: int
    ex_date: date
    pay_date: date | None


def is_worth_asking(
    actions: Sequence[AcceptedAction], announced: Sequence[Announced], asked_at: datetime | None, *, now: datetime
) -> bool:
    """Whether a company's calendar may tell a pay date that is not known yet: it is only told while it is current."""
    today = now.date()
    paying = [one for one in actions if one.kind in PAYING and not one.is_cancelled]
    open_since = [one.ex_date for one in paying if _is_open(one, today)]
    if not open_since and not _is_expected([one.ex_date for one in paying], announced, today):
        return False
    coming = [one for one in announced if one.ex_date >= today]
    is_known = bool(coming) and all(one.pay_date is not None for one in coming)
    is_stale = bool(open_since) and today - max(open_since) > _PATIENCE
    patience = _SELDOM if (is_known and not open_since) or is_stale else _OFTEN
    return asked_at is None or now - asked_at >= patience


def _is_open(action: AcceptedAction, today: date) -> bool:
    """Whether an action has gone ex and nobody knows when it is paid."""
    return action.facts.pay_date is None and action.ex_date <= today <= action.ex_date + LONGEST_LAG


def _is_expected(ex_dates: Sequence[date], announced: Sequence[Announced], today: date) -> bool:
    """Whether the next ex-date is announced, or by the usual gap expected, within ten sessions."""
    if any(today <= one.ex_date <= today + AHEAD for one in announced):
        return True
    past = sorted({day for day in ex_dates if day <= today})[-_RECENT:]
    gap = typical_gap(past)
    if gap is None:
        return False
    expected = past[-1] + timedelta(days=round(gap))
    return today - _LATE <= expected <= today + AHEAD


def pay_date_for(action: AcceptedAction, announced: Sequence[Announced]) -> date | None:
    """The announced pay date of an action: its ex-date is the same within a day, and the lag is possible."""
    near = sorted(announced, key=lambda one: abs(one.ex_date - action.ex_date))
    for one in near:
        if abs(one.ex_date - action.ex_date) > _DAY or one.pay_date is None:
            continue
        if action.ex_date <= one.pay_date <= action.ex_date + LONGEST_LAG:
            return one.pay_date
    return None
