"""What has to be looked at again, and whose turn it is to write down what follows.

A fact and its mark are written in one transaction, and a mark is taken away in the one that books what follows. Nobody
writes from what he read before somebody else's turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from closingbell.domain.actions import GROUP_OF, AcceptedKind
from closingbell.domain.market_zones import date_at
from closingbell.domain.payments import EventState
from closingbell.errors import BooksChangedError
from closingbell.models import (
    Company,
    CompanySymbol,
    CorporateActionRow,
    DatabaseMark,
    DividendProgress,
    DividendRecheck,
    DividendState,
    Order,
)
from closingbell.stores.upsert import in_groups, table_of, upsert

ORDERS_CHANGED = "orders"
SETTINGS_CHANGED = "settings"

SWEEP = "dividend_sweep"
NEWS = "dividend_news"
_SPLITS = GROUP_OF[AcceptedKind.SPLIT]
_COMPANY = table_of(Company).c
_ORDER = table_of(Order).c
_PROGRESS = table_of(DividendProgress).c
_RECHECK = table_of(DividendRecheck).c
_ACTION = table_of(CorporateActionRow).c
_STATE = table_of(DividendState).c


@dataclass(slots=True)
class Waiting:
    """A company to look at: whose turn it was when its facts were read, and what about it is new.

    ``is_all``: every action; else those from ``since`` on, those of ``versions``, and those that are not over yet.
    """

    company_id: int
    symbol: str
    mic: str
    currency: str | None
    country: str | None
    turn: int | None
    next_date: date | None
    is_all: bool = False
    since: date | None = None
    recheck_ids: list[int] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)

    @property
    def is_marked(self) -> bool:
        """Whether a mark says that a fact changed, or nobody ever looked."""
        return self.turn is None or bool(self.recheck_ids or self.versions)

    def is_due(self, now: datetime) -> bool:
        """Whether something is due although no fact changed."""
        return self.next_date is not None and self.next_date <= date_at(self.mic, now)


@dataclass(frozen=True, slots=True)
class StoredState:
    """How far an action was, and the pay date that was used for it; ``changed_at`` is when that was written."""

    state: EventState
    pay_date: date | None
    pay_date_status: str
    lag: int | None
    changed_at: datetime | None = field(default=None, compare=False)


def mark(connection: Connection, companies: Iterable[tuple[int, date | None]], *, reason: str, now: datetime) -> None:
    """Have companies looked at again, each from a date on (None: from the first); part of the change's transaction."""
    earliest: dict[int, date | None] = {}
    for company_id, since in companies:
        known = earliest.get(company_id, date.max)
        earliest[company_id] = None if since is None or known is None else min(known, since)
    rows = [
        {"company_id": company_id, "since": since, "reason": reason, "noticed_at": now}
        for company_id, since in sorted(earliest.items())
    ]
    if rows:
        connection.execute(insert(DividendRecheck), rows)


def mark_account(connection: Connection, account_id: int, *, now: datetime) -> None:
    """Have every company looked at again that an account has orders in."""
    query = select(_ORDER.company_id).distinct()
    ids = connection.scalars(query.where(_ORDER.account_id == account_id, _ORDER.company_id.is_not(None))).all()
    mark(connection, [(company_id, None) for company_id in ids], reason=SETTINGS_CHANGED, now=now)


def mark_everything(connection: Connection, *, now: datetime) -> None:
    """Have every company looked at again: something changed that holds for all of them."""
    mark(
        connection,
        [(id_, None) for id_ in connection.scalars(select(_COMPANY.id)).all()],
        reason=SETTINGS_CHANGED,
        now=now,
    )


def load_parents(connection: Connection, company_ids: Sequence[int]) -> list[tuple[int, date | None]]:
    """The companies that spun these off, each with the spin-off's ex-date."""
    symbols: set[str] = set()
    former = table_of(CompanySymbol).c
    for group in in_groups(company_ids):
        symbols |= set(connection.scalars(select(_COMPANY.symbol).where(_COMPANY.id.in_(group))))
        symbols |= set(connection.scalars(select(former.symbol).where(former.company_id.in_(group))))
    found: list[tuple[int, date | None]] = []
    for names in in_groups(sorted(symbols)):
        query = select(_ACTION.company_id, _ACTION.ex_date).where(_ACTION.kind == AcceptedKind.SPIN_OFF.value)
        found += [(row[0], row[1]) for row in connection.execute(query.where(_ACTION.child_symbol.in_(names)))]
    return found


def load_waiting(
    connection: Connection, *, latest: date, company_ids: Sequence[int] | None = None, is_sweep: bool = False
) -> dict[int, Waiting]:
    """The companies to look at, by id: marked ones, new ones, those with something due by ``latest``; a sweep: all.

    Turns are read before marks, and both before any fact: what comes later is met again.
    """
    found = _load_turns(connection, latest=latest, company_ids=company_ids, is_sweep=is_sweep)
    for recheck_id, company_id, since in connection.execute(
        select(_RECHECK.id, _RECHECK.company_id, _RECHECK.since).order_by(_RECHECK.id)
    ):
        if (waiting := found.get(company_id)) is not None:
            waiting.recheck_ids.append(recheck_id)
            waiting.is_all = waiting.is_all or since is None
            if since is not None:
                waiting.since = since if waiting.since is None else min(waiting.since, since)
    dirty = select(_ACTION.id, _ACTION.company_id, _ACTION.version, _ACTION.kind_group)
    for action_id, company_id, version, group in connection.execute(dirty.where(_ACTION.dirty_since.is_not(None))):
        if (waiting := found.get(company_id)) is not None:
            waiting.versions[action_id] = version
            # What a split does reaches over all that comes after it, and after where it was before.
            waiting.is_all = waiting.is_all or group == _SPLITS
    return found


def _load_turns(
    connection: Connection, *, latest: date, company_ids: Sequence[int] | None, is_sweep: bool
) -> dict[int, Waiting]:
    columns = (
        _COMPANY.id, _COMPANY.symbol, _COMPANY.mic, _COMPANY.currency, _COMPANY.country, _PROGRESS.turn,
        _PROGRESS.next_date,
    )  # fmt: skip
    base = select(*columns).select_from(
        table_of(Company).outerjoin(table_of(DividendProgress), _PROGRESS.company_id == _COMPANY.id)
    )
    found: dict[int, Waiting] = {}
    if company_ids is not None:
        for group in in_groups(company_ids):
            for row in connection.execute(base.where(_COMPANY.id.in_(group)).order_by(_COMPANY.id)):
                found[row[0]] = Waiting(*row, is_all=is_sweep or row.turn is None)
        return found
    query = base.order_by(_COMPANY.id)
    if not is_sweep:
        marked = select(_RECHECK.company_id).union(select(_ACTION.company_id).where(_ACTION.dirty_since.is_not(None)))
        query = query.where(or_(_PROGRESS.company_id.is_(None), _PROGRESS.next_date <= latest, _COMPANY.id.in_(marked)))
    for row in connection.execute(query):
        found[row[0]] = Waiting(*row, is_all=is_sweep or row.turn is None)
    return found


def take_turns(connection: Connection, turns: Mapping[int, int | None], *, now: datetime) -> None:
    """Take a turn for each company (id, turn that was read); raise BooksChangedError when somebody else took one."""
    new = [company_id for company_id, turn in turns.items() if turn is None]
    if new:
        # Due at once, until somebody writes down that all is booked: this turn may not be over everything.
        due = now.date()
        rows = [{"company_id": one, "turn": 1, "next_date": due, "checked_at": now} for one in sorted(new)]
        try:
            connection.execute(insert(DividendProgress), rows)
        except IntegrityError:
            raise BooksChangedError("somebody else looked at these companies for the first time") from None
    known = [{"b_id": one, "b_turn": turn} for one, turn in sorted(turns.items()) if turn is not None]
    statement = (
        update(table_of(DividendProgress))
        .where(_PROGRESS.company_id == bindparam("b_id"), _PROGRESS.turn == bindparam("b_turn"))
        .values(turn=_PROGRESS.turn + 1, checked_at=now)
    )
    if known and connection.execute(statement, known).rowcount != len(known):
        raise BooksChangedError("somebody else booked for one of these companies meanwhile")


def store_finished(
    connection: Connection,
    waiting: Waiting,
    *,
    next_date: date | None,
    states: Mapping[int, StoredState],
    now: datetime,
) -> None:
    """All that was new about a company is booked: take its marks away, write down states and what is due next."""
    for group in in_groups(waiting.recheck_ids):
        connection.execute(delete(DividendRecheck).where(_RECHECK.id.in_(group)))
    if waiting.versions:
        # One that changed since it was read stays marked.
        connection.execute(
            update(table_of(CorporateActionRow))
            .where(_ACTION.id == bindparam("b_id"), _ACTION.version == bindparam("b_version"))
            .values(dirty_since=None),
            [{"b_id": action_id, "b_version": version} for action_id, version in waiting.versions.items()],
        )
    if next_date != waiting.next_date or waiting.turn is None:
        connection.execute(
            update(DividendProgress).where(_PROGRESS.company_id == waiting.company_id).values(next_date=next_date)
        )
    rows: list[dict[str, Any]] = [
        {
            "corporate_action_id": action_id,
            "state": state.state.value,
            "pay_date": state.pay_date,
            "pay_date_status": state.pay_date_status,
            "lag": state.lag,
            "changed_at": now,
        }
        for action_id, state in states.items()
    ]
    upsert(connection, DividendState, rows, update=("state", "pay_date", "pay_date_status", "lag", "changed_at"))


def load_states(connection: Connection, action_ids: Sequence[int]) -> dict[int, StoredState]:
    """How far these actions were when they were last looked at."""
    found = {}
    for group in in_groups(action_ids):
        query = select(
            _STATE.corporate_action_id,
            _STATE.state,
            _STATE.pay_date,
            _STATE.pay_date_status,
            _STATE.lag,
            _STATE.changed_at,
        )
        for row in connection.execute(query.where(_STATE.corporate_action_id.in_(group))):
            found[row[0]] = StoredState(EventState(row.state), *row[2:])
    return found


def load_last(connection: Connection, what: str) -> datetime | None:
    """When SWEEP (every company was looked at) or NEWS (pay dates were asked for) was last done."""
    found = connection.scalar(select(DatabaseMark.value).where(DatabaseMark.name == what))
    return None if found is None else datetime.fromisoformat(found)


def store_last(connection: Connection, what: str, *, now: datetime) -> None:
    """It was done now."""
    row = {"name": what, "value": now.isoformat(), "marked_at": now}
    upsert(connection, DatabaseMark, [row], update=("value", "marked_at"))
