"""Corporate actions for commands and pages: what counts, what waits for a person and why, and how it came about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from closingbell.domain.action_judging import RowVerdict
from closingbell.domain.action_words import in_words
from closingbell.domain.actions import AcceptedKind, Facts
from closingbell.domain.payments import Leg
from closingbell.models import (
    Company,
    CorporateActionRow,
    CorporateActionSourceRow,
    CorporateActionVersion,
    DividendPayment,
)
from closingbell.stores import companies
from closingbell.stores.actions import unknown_action
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups

TOLD_OTHERWISE = (
    RowVerdict.CORRECTION_CANDIDATE,
    RowVerdict.CORRECTION_DOUBTFUL,
    RowVerdict.MOVE_CANDIDATE,
    RowVerdict.SPLIT_GLITCH,
)


@dataclass(frozen=True, slots=True)
class ActionView:
    """One action as it counts now; ``words`` say what it is, ``told_otherwise`` what a provider says instead.

    ``waits_for`` is the sentence of what a person should decide, None when nothing waits.
    """

    id: int
    symbol: str
    kind: str
    words: str
    ex_date: date
    record_date: date | None
    pay_date: date | None
    pay_date_status: str
    amount: Decimal | None
    currency: str
    numerator: int | None
    denominator: int | None
    is_held: bool
    held_code: str | None
    held_reason: str | None
    is_cancelled: bool
    is_user_entered: bool
    version: int
    provider: str
    printed: str
    first_seen_at: datetime
    told_otherwise: str | None

    @property
    def waits_for(self) -> str | None:
        """What a person should look at, in a sentence."""
        if self.is_cancelled:
            return None
        return self.held_reason if self.is_held else self.told_otherwise

    @property
    def state(self) -> str:
        """In a word: counts, held, cancelled."""
        if self.is_cancelled:
            return "cancelled"
        return "held" if self.is_held else "counts"


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of an action: what it was, who made it so, and why."""

    version: int
    facts: dict[str, Any]
    source: str
    actor: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PrintView:
    """One thing that a provider printed of an action: since when, how often, and what became of it."""

    provider: str
    kind: str
    ex_date: date
    printed: str
    amount: Decimal | None
    verdict: str
    note: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    seen_count: int


@dataclass(frozen=True, slots=True)
class BookedShares:
    """What a spin-off brought, over the accounts that paid for the parent in one currency: shares, and their cost."""

    account_count: int
    shares: Decimal
    cost: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ActionDetail:
    """An action with every version and every print, oldest first; ``details`` are facts that only some kinds have.

    ``booked`` is what stands of a spin-off in the books.
    """

    action: ActionView
    details: dict[str, str]
    versions: tuple[VersionView, ...]
    prints: tuple[PrintView, ...]
    booked: tuple[BookedShares, ...] = ()


_VIEWED = (
    "id", "kind", "ex_date", "record_date", "pay_date", "pay_date_status", "amount", "currency", "numerator",
    "denominator", "is_held", "held_code", "held_reason", "is_cancelled", "is_user_entered", "version", "provider",
    "printed", "first_seen_at",
)  # fmt: skip
_DETAILS = (
    "tax_rate", "fx_currency", "fx_rate", "child_symbol", "parent_basis_pct", "cash_in_lieu_price", "scrip_price",
    "election_deadline",
)  # fmt: skip


def list_actions(
    database: Database,
    *,
    symbols: tuple[str, ...] | None = None,
    first: date | None = None,
    last: date | None = None,
    waiting_only: bool = True,
) -> list[ActionView]:
    """Actions by symbol and ex-date; unless told otherwise those that wait for a person.

    Raise UnknownSymbolError that names unknown symbols.
    """
    row = CorporateActionRow
    query = _query().order_by(Company.symbol, row.ex_date, row.id)
    if waiting_only:
        told = select(CorporateActionSourceRow.corporate_action_id).where(
            CorporateActionSourceRow.verdict.in_(TOLD_OTHERWISE)
        )
        query = query.where(row.is_cancelled.is_(False), or_(row.is_held.is_(True), row.id.in_(told)))
    if first is not None:
        query = query.where(row.ex_date >= first)
    if last is not None:
        query = query.where(row.ex_date <= last)
    with database.read() as connection:
        if symbols is not None:
            query = query.where(row.company_id.in_(companies.require_known(connection, symbols)))
        return _views(connection, query)


def show_action(database: Database, action_id: int) -> ActionDetail:
    """One action with all that led to it; raise UsageError when there is none of that number."""
    with database.read() as connection:
        found = _views(connection, _query().where(CorporateActionRow.id == action_id))
        if not found:
            raise unknown_action(action_id)
        return ActionDetail(
            found[0],
            _details(connection, action_id),
            tuple(_versions(connection, action_id)),
            tuple(_prints(connection, action_id)),
            tuple(_booked(connection, action_id)) if found[0].kind == AcceptedKind.SPIN_OFF else (),
        )


def _query() -> Select[Any]:
    row = CorporateActionRow
    columns = [getattr(row, name) for name in _VIEWED]
    return select(*columns, Company.symbol, row.child_symbol).join(Company, Company.id == row.company_id)


def _views(connection: Connection, query: Select[Any]) -> list[ActionView]:
    rows = connection.execute(query).all()
    otherwise = _told_otherwise(connection, [row.id for row in rows])
    return [
        ActionView(
            symbol=row.symbol,
            words=words_of(row),
            told_otherwise=otherwise.get(row.id),
            **{name: getattr(row, name) for name in _VIEWED},
        )
        for row in rows
    ]


def words_of(row: Any) -> str:
    """What an action is, in words: ``dividend 2.65 USD``; of a row with its kind, facts and child."""
    facts = Facts(
        kind=AcceptedKind(row.kind),
        ex_date=row.ex_date,
        currency=row.currency,
        amount=row.amount,
        numerator=row.numerator,
        denominator=row.denominator,
        child_symbol=row.child_symbol,
    )
    return in_words(facts)


def _told_otherwise(connection: Connection, action_ids: list[int]) -> dict[int, str]:
    """What providers say of these actions instead of what is kept, the newest for each."""
    row = CorporateActionSourceRow
    query = (
        select(row.corporate_action_id, row.printed, row.ex_date, row.provider, row.note)
        .where(row.verdict.in_(TOLD_OTHERWISE))
        .order_by(row.last_seen_at, row.id)
    )
    return {
        one.corporate_action_id: f"{one.provider} tells {one.printed} for {one.ex_date}: {one.note or 'not applied'}"
        for group in in_groups(action_ids)
        for one in connection.execute(query.where(row.corporate_action_id.in_(group)))
    }


def _details(connection: Connection, action_id: int) -> dict[str, str]:
    row = CorporateActionRow
    found = connection.execute(select(*(getattr(row, name) for name in _DETAILS)).where(row.id == action_id)).one()
    known = {name: getattr(found, name) for name in _DETAILS}
    return {
        name: format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
        for name, value in known.items()
        if value is not None
    }


def _versions(connection: Connection, action_id: int) -> list[VersionView]:
    row = CorporateActionVersion
    query = select(row.version, row.facts, row.source, row.actor, row.reason, row.created_at)
    found = connection.execute(query.where(row.corporate_action_id == action_id).order_by(row.version))
    return [
        VersionView(one.version, json.loads(one.facts), one.source, one.actor, one.reason, one.created_at)
        for one in found
    ]


def _prints(connection: Connection, action_id: int) -> list[PrintView]:
    row = CorporateActionSourceRow
    names = PrintView.__slots__
    query = select(*(getattr(row, name) for name in names)).where(row.corporate_action_id == action_id)
    return [PrintView(*found) for found in connection.execute(query.order_by(row.first_seen_at, row.id))]


def _booked(connection: Connection, action_id: int) -> list[BookedShares]:
    leg = DividendPayment
    query = (
        select(func.count(), func.sum(leg.quantity_after), func.sum(leg.gross), leg.currency)
        .where(leg.corporate_action_id == action_id, leg.leg == Leg.SPIN_OFF.value, leg.is_active == 1)
        .group_by(leg.currency)
        .order_by(leg.currency)
    )
    rows: list[Any] = list(connection.execute(query))
    return [BookedShares(*found) for found in rows]
