"""Which accounts are a person's own."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from closingbell.models import Account
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account of the person who asks."""

    id: int
    name: str
    currency: str


_COLUMNS = (Account.id, Account.name, Account.currency)


def list_own_accounts(database: Database, user_id: int) -> list[OwnAccount]:
    """A person's accounts by name."""
    query = select(*_COLUMNS).where(Account.user_id == user_id).order_by(Account.name)
    with database.read() as connection:
        return [OwnAccount(*row) for row in connection.execute(query)]


def find_own_account(database: Database, account_id: int, user_id: int) -> OwnAccount | None:
    """The account of that number; None alike where there is none and where it is another's."""
    query = select(*_COLUMNS).where(Account.id == account_id, Account.user_id == user_id)
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else OwnAccount(*row)
