"""What a run asks for before it books dividends: pay dates while they are current, and rows that waited for a close.

The database is closed while the provider is asked, and whatever fails here is asked again tomorrow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import cast

import structlog
from sqlalchemy import Connection
from structlog.contextvars import bound_contextvars

from closingbell.domain.actions import PAYING, AcceptedAction, PayDateStatus
from closingbell.domain.calendar_planning import LONGEST_LAG, Announced, is_worth_asking, pay_date_for
from closingbell.errors import ProviderError, RateLimitedError, RunStoppedError
from closingbell.jobs.action_storing import WaitingCompany, store_waiting
from closingbell.jobs.context import JobContext
from closingbell.jobs.fan_out import fan_out
from closingbell.jobs.market_time import load_session_list
from closingbell.providers.base import CALENDAR, CalendarProvider, CompanyCalendar
from closingbell.stores import action_rows, actions, calendar, companies, watching
from closingbell.stores.actions import Change
from closingbell.stores.companies import CompanyFacts

NEWS = "dividends.news"
NEWS_FAILED = "dividends.news_failed"
# Past actions that tell a company's usual gap.
_HISTORY = timedelta(days=1100)
# Companies sold so long ago are owed nothing any more.
_TRADED = timedelta(days=400)
ANSWERED = "answered"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ActionNews:
    """What asking brought: calendars asked for, how many failed, pay dates that are new or changed."""

    asked_count: int = 0
    failed_count: int = 0
    pay_date_count: int = 0
    waiting_count: int = 0


@dataclass(frozen=True, slots=True)
class _Heard:
    """One company's calendar, or the kind of error in its place."""

    company: CompanyFacts
    calendar: CompanyCalendar | None
    outcome: str


def gather_action_news(context: JobContext, *, check: Callable[[], None] = lambda: None) -> ActionNews:
    """Ask for pay dates that are wanted and judge rows that waited; a failure is logged and stops nothing.

    ``check`` raises when the run is to stop.
    """
    try:
        waiting = settle_waiting(context)
        news = replace(fetch_pay_dates(context, check=check), waiting_count=waiting)
    except RunStoppedError:
        raise
    except Exception as error:
        # What is known is booked all the same.
        _log.error(NEWS_FAILED, error=f"{type(error).__name__}: {error}")
        return ActionNews()
    _log.info(
        NEWS,
        asked=news.asked_count,
        failed=news.failed_count,
        pay_dates=news.pay_date_count,
        still_waiting=news.waiting_count,
    )
    return news


def fetch_pay_dates(context: JobContext, *, check: Callable[[], None] = lambda: None) -> ActionNews:
    """Ask the calendars of companies held whose dividend is near or unpaid, and date the actions by them."""
    now = context.clock.now()
    with context.database.read() as connection:
        followed = _followed(connection, now)
    wanted = _plan_calendars(context, followed, now=now)
    if not wanted:
        return ActionNews(pay_date_count=_date_actions(context, followed, now=now))
    provider = context.open_provider()
    if CALENDAR not in provider.capabilities:
        return ActionNews(pay_date_count=_date_actions(context, followed, now=now))
    ask = _Asking(cast(CalendarProvider, provider), now, check)
    heard = list(fan_out(ask, wanted, concurrency=context.settings.yahoo_concurrency))
    context.database.write_unit(partial(_store_heard, heard=heard, now=now))
    failed = sum(one.outcome != ANSWERED for one in heard)
    return ActionNews(len(heard), failed, _date_actions(context, followed, now=now))


def _plan_calendars(context: JobContext, followed: Sequence[CompanyFacts], *, now: datetime) -> list[CompanyFacts]:
    """The companies followed whose calendar is worth a question, by symbol."""
    first = now.date() - _HISTORY
    with context.database.read() as connection:
        ids = [company.id for company in followed]
        known = actions.load_actions(connection, ids, first=first)
        announced = calendar.load_announced(connection, ids, first=first)
        asked = calendar.load_asked(connection, ids)
    return [
        company
        for company in followed
        if not company.is_over(now.date())
        and is_worth_asking(known.get(company.id, []), announced.get(company.id, []), asked.get(company.id), now=now)
    ]


def _followed(connection: Connection, now: datetime) -> list[CompanyFacts]:
    """Companies held, and those traded of late: who sold after the ex-date is still to be paid."""
    held = [company for company, _ in companies.load_held(connection)]
    traded = watching.load_traded(connection, after=now - _TRADED, before=now)
    return sorted({company.id: company for company in (*held, *traded)}.values(), key=lambda one: one.symbol)


class _Asking:
    """Asks one company after the other; once the provider wants fewer requests the rest waits for tomorrow."""

    def __init__(self, provider: CalendarProvider, now: datetime, check: Callable[[], None]) -> None:
        self._provider = provider
        self._now = now
        self._check = check
        self._enough = threading.Event()

    def __call__(self, company: CompanyFacts) -> _Heard:
        self._check()
        if self._enough.is_set():
            return _Heard(company, None, RateLimitedError.kind)
        try:
            with bound_contextvars(symbol=company.symbol):
                told = self._provider.fetch_calendar(company.symbol, now=self._now)
        except ProviderError as error:
            if isinstance(error, RateLimitedError):
                self._enough.set()
            return _Heard(company, None, error.kind)
        return _Heard(company, told, ANSWERED)


def _store_heard(connection: Connection, heard: Sequence[_Heard], now: datetime) -> None:
    by_provider: dict[str, list[Announced]] = {}
    for one in heard:
        if one.calendar is not None and one.calendar.ex_date is not None:
            entry = Announced(one.company.id, one.calendar.ex_date, one.calendar.pay_date)
            by_provider.setdefault(one.calendar.provider, []).append(entry)
    for provider, announced in sorted(by_provider.items()):
        calendar.store_announced(connection, announced, provider=provider, at=now)
    calendar.store_asked(connection, {one.company.id: one.outcome for one in heard}, at=now)


def _date_actions(context: JobContext, followed: Sequence[CompanyFacts], *, now: datetime) -> int:
    """Give actions the pay dates that were announced for them; return how many changed."""
    ids = [company.id for company in followed]
    return context.database.write_unit(partial(_store_dates, ids=ids, now=now))


def _store_dates(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    # An older dividend is paid by now, whenever that was.
    first = now.date() - LONGEST_LAG
    announced = calendar.load_announced(connection, ids, first=first - timedelta(days=1))
    known = actions.load_actions(connection, sorted(announced), first=first)
    count = 0
    for company_id, of_company in known.items():
        for action in _datable(of_company):
            count += _date_action(connection, action, pay_date_for(action, announced[company_id]), now)
    return count


def _datable(of_company: Sequence[AcceptedAction]) -> list[AcceptedAction]:
    """Actions that a calendar may date: of one day's only the regular dividend, and never against a person."""
    paying = [one for one in of_company if one.kind in PAYING and not one.is_cancelled]
    regular = {one.ex_date for one in paying if one.facts.group == "CASH"}
    return [
        one
        for one in paying
        if (one.facts.group == "CASH" or one.ex_date not in regular)
        and not (one.is_user_entered and one.facts.pay_date is not None)
    ]


def _date_action(connection: Connection, action: AcceptedAction, pay_date: date | None, now: datetime) -> bool:
    if pay_date is None or pay_date == action.facts.pay_date:
        return False
    facts = replace(action.facts, pay_date=pay_date, pay_date_status=PayDateStatus.CONFIRMED)
    change = Change("calendar", "calendar", f"announced to be paid on {pay_date}", now)
    return actions.store_change(connection, action, replace(action, facts=facts), change) is not None


def settle_waiting(context: JobContext) -> int:
    """Judge rows that waited for a close; return how many go on waiting."""
    now = context.clock.now()
    with context.database.read() as connection:
        ids = sorted({company_id for company_id, _ in action_rows.load_waiting(connection)})
        facts = companies.load_by_id(connection, ids)
    left = 0
    for company in facts:
        newest = load_session_list(context, company.mic, now.date(), now=now).newest() or date.min
        waiting = WaitingCompany(company.id, company.mic, company.currency or "", newest)
        left += context.database.write_unit(partial(_judge_waiting, company=waiting, at=now))
    return left


def _judge_waiting(connection: Connection, company: WaitingCompany, at: datetime) -> int:
    return store_waiting(connection, company, at=at)
