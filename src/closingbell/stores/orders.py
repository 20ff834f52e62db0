"""Orders and the accounts they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from closingbell.models import Account, Order
from closingbell.stores import companies
from closingbell.stores.upsert import upsert


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be stored; ``source_key`` is unique within its account."""

    type: str
    symbol: str | None
    trade_date: date
    executed_at: datetime
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal
    currency: str
    source: str
    source_key: str


def find_account(connection: Connection, name: str) -> int | None:
    """The id of an account by name."""
    found: int | None = connection.scalar(select(Account.id).where(Account.name == name))
    return found


def load_source_keys(connection: Connection, account_id: int) -> set[str]:
    """The source keys of all orders of an account, deleted ones too: a deleted order does not come back by itself."""
    return set(connection.scalars(select(Order.source_key).where(Order.account_id == account_id)))


def store_orders(
    connection: Connection,
    account: str,
    new: Sequence[NewOrder],
    *,
    symbols: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """Store orders in an account, making it and the companies of ``symbols`` (symbol, MIC) where they are not there.

    An order whose source key another process stored meanwhile is left as it is.
    """
    upsert(connection, Account, [{"name": account, "created_at": now}], key=("name",))
    companies.store_new(connection, symbols, now=now)
    account_id = find_account(connection, account)
    named = sorted({order.symbol for order in new if order.symbol})
    ids = {symbol: facts.id for symbol, facts in companies.load_by_symbol(connection, named).items()}
    rows = []
    for order in new:
        row = asdict(order)
        symbol = row.pop("symbol")
        row |= {"account_id": account_id, "company_id": ids[symbol] if symbol else None, "created_at": now}
        rows.append(row)
    upsert(connection, Order, rows, key=("account_id", "source_key"))
