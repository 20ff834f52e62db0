"""Whether the newest closes that should be there are stored, of every company held: what *Now* and metrics say.

What is stored is looked at, not what a run said of itself: a run that was narrowed to one company, or one that found
most of its work done, tells nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    func,
    or_,
    select,
    type_coerce,
)

from closingbell.domain.bars import INTRADAY
from closingbell.domain.days import NO_BARS, StoredDays
from closingbell.domain.orders import OUTGOING, SHARE_MOVES
from closingbell.domain.planning import SessionTimes
from closingbell.models import Company, CorporateActionRow, Order, PriceGap, PriceHistory, PriceSummary
from closingbell.stores import companies, summaries
from closingbell.stores.upsert import table_of

_COMPANY, _ORDER, _SUMMARY = table_of(Company).c, table_of(Order).c, table_of(PriceSummary).c
_GAP, _ACTION, _BAR = table_of(PriceGap).c, table_of(CorporateActionRow).c, table_of(PriceHistory).c


@dataclass(frozen=True, slots=True)
class MarketCloses:
    """The companies held of one MIC on its newest session that was due: how many closes should be there, and are.

    ``newest`` is the newest close that is stored of any of them up to that session, None where there is none.
    """

    mic: str
    session: date
    expected_count: int
    stored_count: int
    newest: date | None

    @property
    def is_stale(self) -> bool:
        """Whether not one company has the session's close."""
        return self.expected_count > 0 and (self.newest is None or self.newest < self.session)


_STORED, _MISSING, _DOUBTFUL, _LEFT_OUT = "stored", "missing", "doubtful", "left out"


class _Ordered(NamedTuple):
    """A company that may be held, what its newest bar says of the session's close, and that bar's day."""

    company_id: int
    mic: str
    what: str
    newest: date | None


def load_newest_closes(connection: Connection, sessions: Mapping[str, SessionTimes]) -> tuple[MarketCloses, ...]:
    """The newest closes of each MIC against ``sessions``, its newest one that was due; MICs without companies left out.

    One statement tells for nearly every company; only those that it does not decide are looked at one by one.
    """
    if not sessions:
        return ()
    stored: dict[str, int] = {}
    others: list[_Ordered] = []
    for company_id, mic, what, newest, count in connection.execute(_ordered(sessions)):
        if company_id is None:
            stored[mic] = count
        else:
            others.append(_Ordered(company_id, mic, what, newest))
    decided = [one for one in others if one.what == _MISSING]
    decided += _look_closer(connection, [one for one in others if one.what == _DOUBTFUL], sessions)
    return tuple(
        _count(mic, sessions[mic].date, stored.get(mic, 0), [one for one in decided if one.mic == mic])
        for mic in sorted({*stored, *(one.mic for one in decided)})
    )


def _count(mic: str, session: date, stored_count: int, others: Sequence[_Ordered]) -> MarketCloses:
    expected_count = stored_count + len(others)
    stored_count += sum(one.what == _STORED for one in others)
    newest = session if stored_count else max((one.newest for one in others if one.newest), default=None)
    return MarketCloses(mic, session, expected_count, stored_count, newest)


def _ordered(sessions: Mapping[str, SessionTimes]) -> Select[Any]:
    """Every company that may be held and should have the close of its session: what ``_Ordered`` has, and 1.

    Those that have it, which are nearly all, are one row for each MIC, without a company and with their number. One is
    left out where the provider cannot fill the session: was asked again in vain, or is not asked any more.
    """
    ordered = _summed_orders()
    is_due = [
        and_(
            _COMPANY.mic == mic,
            ordered.c.first_order <= session.date,
            or_(_COMPANY.closed_on.is_(None), _COMPANY.closed_on >= session.date),
        )
        for mic, session in sessions.items()
    ]
    # Shares of different days don't add up where a company split: who holds it is then looked at.
    is_split = _exists(_ACTION.company_id, _ACTION.numerator.is_not(None))
    is_gap = _exists(
        _GAP.company_id,
        or_(*(and_(_COMPANY.mic == mic, _GAP.date == session.date) for mic, session in sessions.items())),
        or_(_GAP.next_ask_at.is_(None), _GAP.asked_count > 1),
    )
    is_stored, is_older = _said_by_newest(sessions)
    what = case(
        (and_(is_stored, ~is_split), _STORED),
        (and_(is_gap, ~is_stored), _LEFT_OUT),
        (is_split, _DOUBTFUL),
        (is_older, _MISSING),
        else_=_DOUBTFUL,
    )
    each = (
        select(_COMPANY.id, _COMPANY.mic, what.label("what"), _SUMMARY.date)
        .select_from(table_of(Company))
        .join(ordered, ordered.c.company_id == _COMPANY.id)
        .outerjoin(table_of(PriceSummary), _SUMMARY.company_id == _COMPANY.id)
        .where(or_(*is_due), or_(ordered.c.has_shares == 1, is_split))
        # It changes no row, and keeps a database from working ``what`` out anew for each place that names it below.
        .offset(0)
        .subquery()
        .c
    )
    is_one = each.what != _STORED
    named = select(case((is_one, each.id)).label("id"), each.mic, each.what, case((is_one, each.date)).label("newest"))
    told = named.where(each.what != _LEFT_OUT).subquery().c
    return select(*told, func.count()).group_by(*told)


def _summed_orders() -> Subquery:
    """Each company's first order, and whether an account's shares of it sum up to something."""
    is_out = _ORDER.type.in_(OUTGOING)
    quantity = type_coerce(_ORDER.quantity, BigInteger())
    of_accounts = (
        select(
            _ORDER.company_id,
            func.min(_ORDER.trade_date).label("first_order"),
            func.sum(case((is_out, -quantity), else_=quantity)).label("shares"),
        )
        .where(_ORDER.deleted_at.is_(None), _ORDER.type.in_(SHARE_MOVES), _ORDER.company_id.is_not(None))
        .group_by(_ORDER.company_id, _ORDER.account_id)
        .subquery()
    )
    each = of_accounts.c
    has_shares = func.max(case((each.shares != 0, 1), else_=0)).label("has_shares")
    columns = each.company_id, func.min(each.first_order).label("first_order"), has_shares
    return select(*columns).group_by(each.company_id).subquery()


def _exists(company_id: ColumnElement[Any], *wheres: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(company_id).where(company_id == _COMPANY.id, *wheres).correlate(table_of(Company)).exists()


def _said_by_newest(sessions: Mapping[str, SessionTimes]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether the session's close is there, and whether the newest bar is older.

    A bar of that day that was told before the close may be one of the session while it ran. Where the newest one is of
    a later day, as of every company each evening until that session is due, the session's own bar is looked up.
    """
    is_stored, is_older = [], []
    for mic, session in sessions.items():
        is_told_after = _SUMMARY.fetched_at >= session.close_at
        is_stored.append(and_(_COMPANY.mic == mic, _SUMMARY.date == session.date, is_told_after))
        is_close = and_(_BAR.date == session.date, _BAR.flag.is_distinct_from(INTRADAY))
        is_there = _exists(_BAR.company_id, is_close)
        is_stored.append(and_(_COMPANY.mic == mic, _SUMMARY.date > session.date, is_there))
        is_older.append(and_(_COMPANY.mic == mic, or_(_SUMMARY.date.is_(None), _SUMMARY.date < session.date)))
    return or_(*is_stored), or_(*is_older)


def _look_closer(
    connection: Connection, doubtful: Sequence[_Ordered], sessions: Mapping[str, SessionTimes]
) -> list[_Ordered]:
    """Those of these companies that are held, each decided by the days it has closes of."""
    if not doubtful:
        return []
    held = companies.load_held_among(connection, [one.company_id for one in doubtful])
    days = summaries.load_days(connection, list(held))
    return [
        _decide(one, days.get(one.company_id, NO_BARS), sessions[one.mic].date)
        for one in doubtful
        if one.company_id in held
    ]


def _decide(one: _Ordered, days: StoredDays, session: date) -> _Ordered:
    closes = days.closes.between(date.min, session)
    newest = closes.last if closes else None
    return one._replace(what=_STORED if newest == session else _MISSING, newest=newest)


def newest_due(known: Mapping[str, Sequence[SessionTimes]], reached: datetime) -> dict[str, SessionTimes]:
    """The newest session of each MIC that had closed at ``reached``."""
    ended = {mic: [one for one in of_mic if one.close_at <= reached] for mic, of_mic in known.items()}
    return {mic: of_mic[-1] for mic, of_mic in ended.items() if of_mic}
