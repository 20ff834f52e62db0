"""Ledger entries: added in balanced groups, read as balances; there is nothing here that changes or removes one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, case, func, select, type_coerce

from closingbell.domain.ledger import CASH, Entry, unbalanced
from closingbell.domain.money import BIGINT_MAX, MONEY_SCALE
from closingbell.errors import UnbalancedEntriesError, ValueOutOfRangeError
from closingbell.models import Account, LedgerEntry
from closingbell.stores.bulk import insert_raw, raw_instant
from closingbell.stores.upsert import in_groups, table_of

_COLUMNS = (
    "group_key", "value_date", "line", "account_id", "name", "currency", "amount", "kind", "company_id", "order_id",
    "payment_id", "posted_at",
)  # fmt: skip
_ENTRY = table_of(LedgerEntry).c
# Scaled money as it lies in the table; Decimals are made at the doors.
_AMOUNT = type_coerce(_ENTRY.amount, _ENTRY.id.type)
_PER_MONEY = 10**MONEY_SCALE
_FIELDS = [_AMOUNT if name == "amount" else _ENTRY[name] for name in Entry._fields]


def store_entries(connection: Connection, entries: Sequence[Entry], *, now: datetime) -> None:
    """Add whole groups of entries; raise UnbalancedEntriesError, or IntegrityError for a group that is there already.

    Whoever posts must have claimed what it posts in the same transaction (a conditional UPDATE, a unique row).
    """
    wrong = unbalanced(entries)
    if wrong:
        raise UnbalancedEntriesError("; ".join(wrong[:3]))
    too_large = next((entry for entry in entries if not -BIGINT_MAX <= entry.amount <= BIGINT_MAX), None)
    if too_large is not None:
        raise ValueOutOfRangeError(f"{too_large.group_key}: an amount is too large for the ledger")
    posted_at = raw_instant(connection, now)
    rows = [
        (e.group_key, e.value_date, e.line, e.account_id, e.name, e.currency, e.amount, e.kind, e.company_id,
         e.order_id, e.payment_id, posted_at)
        for e in entries
    ]  # fmt: skip
    insert_raw(connection, LedgerEntry, _COLUMNS, rows, must_be_new=True)


def load_entries(
    connection: Connection,
    *,
    order_ids: Sequence[int] | None = None,
    group_keys: Sequence[str] | None = None,
) -> list[Entry]:
    """The entries of these orders or groups, in the order in which they were posted.

    Those of a payment are found by its groups: no index has the payments' own numbers.
    """
    found: list[Entry] = []
    wanted: list[tuple[Any, Sequence[Any] | None]] = [
        (_ENTRY.order_id, order_ids),
        (_ENTRY.group_key, group_keys),
    ]
    for column, values in wanted:
        for group in in_groups(values or ()):
            query = select(_ENTRY.id, *_FIELDS).where(column.in_(group))
            found += [(row[0], Entry(*row[1:])) for row in connection.execute(query)]  # type: ignore[misc]
    return [entry for _, entry in sorted(found)]  # type: ignore[misc]


def stream_entries(
    connection: Connection, *, account_ids: Sequence[int] | None = None, first: date | None = None,
    last: date | None = None, names_like: str | None = None,
) -> Iterator[tuple[int, Entry, datetime]]:  # fmt: skip
    """Entries by number with their ``posted_at``; limited by value date and by the beginning of the ledger account."""
    query = select(_ENTRY.id, _ENTRY.posted_at, *_FIELDS).order_by(_ENTRY.id)
    if names_like is not None:
        query = query.where(_ENTRY.name.startswith(names_like))
    query = _dated(query, first=first, last=last, known_at=None)
    if account_ids is not None:
        query = query.where(_ENTRY.account_id.in_(account_ids))
    for row in connection.execution_options(yield_per=2_000).execute(query):
        yield row[0], Entry(*row[2:]), row[1]


def load_balances(
    connection: Connection,
    *,
    account_ids: Sequence[int] | None = None,
    names: Sequence[str] = (CASH,),
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> dict[tuple[int, str, str], Decimal]:
    """Balances by account, ledger account and currency, of entries valued by ``as_of`` and posted by ``known_at``.

    A balance is always the sum of its entries; none is kept.
    """
    query = select(_ENTRY.account_id, _ENTRY.name, _ENTRY.currency, func.sum(_ENTRY.amount)).group_by(
        _ENTRY.account_id, _ENTRY.name, _ENTRY.currency
    )
    if names:
        query = query.where(_ENTRY.name.in_(names))
    query = _dated(query, first=None, last=as_of, known_at=known_at)
    groups: Sequence[Sequence[int] | None] = [None] if account_ids is None else list(in_groups(account_ids))
    balances: dict[tuple[int, str, str], Decimal] = {}
    for group in groups:
        limited = query if group is None else query.where(_ENTRY.account_id.in_(group))
        for account_id, name, currency, amount in connection.execute(limited):
            balances[account_id, name, currency] = amount
    return balances


def load_turnover(connection: Connection, account_id: int) -> list[tuple[str, str, int, int]]:
    """What came into each ledger account of an account and what went, by name and currency, in whole units.

    Each by itself and without its cents: so it can be summed where the balance could not.
    """
    came = func.sum(case((_AMOUNT > 0, _AMOUNT // _PER_MONEY), else_=0))
    went = func.sum(case((_AMOUNT < 0, -_AMOUNT // _PER_MONEY), else_=0))
    query = (
        select(_ENTRY.name, _ENTRY.currency, came, went)
        .where(_ENTRY.account_id == account_id)
        .group_by(_ENTRY.name, _ENTRY.currency)
        .order_by(_ENTRY.name, _ENTRY.currency)
    )
    return [(name, currency, int(came), int(went)) for name, currency, came, went in connection.execute(query)]


def load_negative_cash(connection: Connection, account_ids: Sequence[int]) -> list[tuple[str, int, str, Decimal, int]]:
    """Balances below zero of these accounts: name, account, currency, balance, and the newest entry in it."""
    found = []
    for group in in_groups(account_ids):
        query = (
            select(Account.name, _ENTRY.account_id, _ENTRY.currency, func.sum(_ENTRY.amount), func.max(_ENTRY.id))
            .join(Account, Account.id == _ENTRY.account_id)
            .where(_ENTRY.account_id.in_(group), _ENTRY.name == CASH)
            .group_by(Account.name, _ENTRY.account_id, _ENTRY.currency)
            .having(func.sum(_ENTRY.amount) < 0)
        )
        found += [tuple(row) for row in connection.execute(query)]
    return found


def _dated(
    query: Select[*tuple[Any, ...]], *, first: date | None, last: date | None, known_at: datetime | None
) -> Select[*tuple[Any, ...]]:
    if first is not None:
        query = query.where(_ENTRY.value_date >= first)
    if last is not None:
        query = query.where(_ENTRY.value_date <= last)
    if known_at is not None:
        query = query.where(_ENTRY.posted_at <= known_at)
    return query


def load_unbalanced(connection: Connection) -> list[tuple[str, str, Decimal]]:
    """Groups that do not sum to zero in some currency: key, currency, and by how much."""
    total = func.sum(_ENTRY.amount)
    query = (
        select(_ENTRY.group_key, _ENTRY.currency, total)
        .group_by(_ENTRY.group_key, _ENTRY.currency)
        .having(total != 0)
        .order_by(_ENTRY.group_key)
    )
    return [(key, currency, amount) for key, currency, amount in connection.execute(query)]
