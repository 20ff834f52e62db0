"""Messages to administrators about the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from closingbell.domain.incidents import Message
from closingbell.domain.ledger import CASH
from closingbell.models import Account, LedgerEntry
from closingbell.stores.incidents import notify_all
from closingbell.stores.upsert import in_groups, table_of


def store_messages(connection: Connection, messages: Sequence[Message], *, run_id: int | None, now: datetime) -> None:
    """Write messages to every active administrator, as part of what they tell of; each key once per person."""
    notify_all(connection, messages, run_id, now=now)


def load_negative_cash(connection: Connection, account_ids: Sequence[int]) -> list[tuple[str, int, str, Decimal, int]]:
    """Balances below zero of these accounts: name, account, currency, balance, and the newest entry in it."""
    entry = table_of(LedgerEntry).c
    found = []
    for group in in_groups(account_ids):
        query = (
            select(Account.name, entry.account_id, entry.currency, func.sum(entry.amount), func.max(entry.id))
            .join(Account, Account.id == entry.account_id)
            .where(entry.account_id.in_(group), entry.name == CASH)
            .group_by(Account.name, entry.account_id, entry.currency)
            .having(func.sum(entry.amount) < 0)
        )
        found += [tuple(row) for row in connection.execute(query)]
    return found
