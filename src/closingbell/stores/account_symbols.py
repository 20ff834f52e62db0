"""What an account's files call companies, as a person mapped it once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from closingbell.models import AccountSymbol
from closingbell.stores.upsert import table_of, upsert

_NAME_LENGTH = 100


def load_mapping(connection: Connection, account_id: int) -> dict[str, str]:
    """Name in the account's files -> our symbol."""
    table = table_of(AccountSymbol)
    query = select(table.c.name, table.c.symbol).where(table.c.account_id == account_id)
    return {row.name: row.symbol for row in connection.execute(query)}


def store_mapping(connection: Connection, account_id: int, mapping: Mapping[str, str], *, now: datetime) -> None:
    """Remember a mapping; what was mapped otherwise before is mapped so from now on."""
    rows = [
        {"account_id": account_id, "name": name, "symbol": symbol, "stored_at": now}
        for name, symbol in sorted(mapping.items())
        if len(name) <= _NAME_LENGTH
    ]
    upsert(connection, AccountSymbol, rows, update=("symbol", "stored_at"))
