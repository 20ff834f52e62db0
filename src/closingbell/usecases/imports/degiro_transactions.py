"""Degiro's transactions: trades alone, settled in the account's currency."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from closingbell.usecases.imports.building import settled_trade
from closingbell.usecases.imports.entries import (
    BUY,
    REFUSED,
    SELL,
    Entry,
    Finding,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
)
from closingbell.usecases.imports.tables import Row, find_header, header_of, read_rows, read_table
from closingbell.usecases.imports.values import Numbers, read_currency, read_day_first, read_isin

NAME = "degiro_transactions"
TITLE = "Degiro: CSV of the transactions (Inbox, Transactions, Export)"

# The first columns in every language: date, time, product, ISIN, exchange, venue, quantity, price and its currency.
_QUANTITY, _PRICE, _LOCAL = 6, 7, 9
_AMOUNTS_FROM = 11


def recognises(text: str) -> bool:
    """By where the ISIN stands, and the price's currency in a column without a name."""
    return find_header(text, _is_header) is not None


def _is_header(columns: Sequence[str]) -> bool:
    is_wide = len(columns) >= 15 and columns[3] == "isin" and columns[8] == "" and columns[10] == ""
    return is_wide and "order" in columns[-1]


def read(text: str) -> Reading:
    """Every execution at its total in the account's currency, the costs of exchange and trade as its fee."""
    names = header_of(text, _is_header)
    if not names:
        return Reading((), (Finding(1, REFUSED, "these are not the columns of a list of transactions"),))
    table = read_table(text, *names)
    numbers = Numbers(cell for row in table.rows for cell in (row.cells[_PRICE], *row.cells[_AMOUNTS_FROM:-1]))
    return in_order(*read_rows(table, lambda row: _read_row(row, numbers)))


def _read_row(row: Row, numbers: Numbers) -> Entry:
    cells = [cell.strip() for cell in row.cells]
    quantity = numbers.read(cells[_QUANTITY], what="quantity")
    amounts = _amounts(row)
    total, currency = amounts[-1]
    fees = sum((abs(numbers.money(cell, what="fee")) for cell, _ in amounts[2:-1]), Decimal(0))
    settled = abs(numbers.money(total, what="total"))
    if not settled:
        raise LeftOutError("shares without cash: what the company did; enter it as a corporate action or a transfer")
    return settled_trade(
        line=row.line,
        kind=BUY if quantity > 0 else SELL,
        trade_date=read_day_first(cells[0])[0],
        security=_security(cells),
        quantity=quantity,
        total=settled,
        fee=fees,
        currency=read_currency(currency, what="currency of the total"),
        stated_price=numbers.maybe(cells[_PRICE], what="price"),
        stated_currency=cells[_PRICE + 1],
        broker_key=cells[-1] or None,
    )


def _security(cells: Sequence[str]) -> Security:
    isin = read_isin(cells[3])
    if isin is None:
        raise RowError(f"ISIN {cells[3]!r} is not an ISIN")
    return Security(isin=isin, name=cells[2] or None)


def _amounts(row: Row) -> list[tuple[str, str]]:
    """(cell, currency) of value, exchange rate, each fee, and total; the currency stands beside or in the heading."""
    found: list[tuple[str, str]] = []
    for place, name in enumerate(row.columns[:-1]):
        if place < _AMOUNTS_FROM or not name:
            continue
        beside = row.cells[place + 1].strip() if not row.columns[place + 1] else ""
        found.append((row.cells[place].strip(), beside or name.split()[-1].upper()))
    if len(found) < 4:
        raise RowError("value, exchange rate, fees and total are not all there")
    return found
