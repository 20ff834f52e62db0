"""closingbell's own CSV of orders: text in, entries and findings out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, minor_decimals, parse_decimal
from closingbell.domain.orders import CASH_MOVES
from closingbell.usecases.imports.building import as_note
from closingbell.usecases.imports.entries import (
    BUY,
    CONVERSION,
    FEE,
    INTEREST,
    PAYMENTS,
    REFUSED,
    SELL,
    TAX,
    TRANSFER_IN,
    TRANSFER_OUT,
    Entry,
    Finding,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
    shown,
)
from closingbell.usecases.imports.tables import caught, find_header
from closingbell.utils.clock import require_aware

NAME = "csv"
TITLE = "closingbell's own CSV: date,type,symbol,quantity,price,fee,currency"

REQUIRED = ("date", "type", "symbol", "quantity", "price", "fee", "currency")
OPTIONAL = ("executed_at", "tax", "amount", "counter_amount", "counter_currency", "note")
TRADES = (BUY, SELL)
TRANSFERS = (TRANSFER_IN, TRANSFER_OUT)
SIGNED = (INTEREST, FEE, TAX)
TYPES = (*TRADES, *CASH_MOVES, *TRANSFERS, *PAYMENTS, *SIGNED, CONVERSION)
SPLITS = ("SPLIT", "STOCK_SPLIT")

# Other names that people give the columns.
_ALIASES = {"action": "type", "fees": "fee"}
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,31}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def recognises(text: str) -> bool:
    """By its columns, separated by commas."""
    return find_header(text, lambda columns: set(REQUIRED) <= {_ALIASES.get(name, name) for name in columns}) == 0


def read(text: str) -> Reading:
    """Read a CSV with the columns of REQUIRED and perhaps OPTIONAL; others are not looked at."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        return _read_lines(lines, text)
    except csv.Error as error:
        return Reading((), (Finding(lines.line_num, REFUSED, f"not readable as CSV ({error})"),))


def _read_lines(lines: Any, text: str) -> Reading:
    header = [_ALIASES.get(name, name) for name in (cell.strip().lower() for cell in next(lines, []))]
    problem = _header_problem(header, text)
    if problem:
        return Reading((), (problem,))
    entries: list[Entry] = []
    findings: list[Finding] = []
    for cells in lines:
        if any(cell.strip() for cell in cells):
            entries += caught(lines.line_num, shown(",".join(cells)), _reader(lines.line_num, header, cells), findings)
    if not entries and not findings:
        findings.append(Finding(0, REFUSED, "the file holds no orders"))
    return in_order(entries, findings)


def _header_problem(header: list[str], text: str) -> Finding | None:
    missing = [name for name in REQUIRED if name not in header]
    if not missing:
        return None
    if not header:
        return Finding(0, REFUSED, "the file is empty; its first line must name the columns: " + ",".join(REQUIRED))
    if ";" in text.partition("\n")[0]:
        return Finding(1, REFUSED, "fields are separated by semicolons; closingbell's own format uses commas")
    reason = f"the columns {', '.join(missing)} are missing; the first line must be {','.join(REQUIRED)}"
    return Finding(1, REFUSED, reason)


def _reader(line: int, header: list[str], cells: list[str]) -> Callable[[], Entry]:
    def read_one() -> Entry:
        if len(cells) != len(header):
            raise RowError(f"{len(cells)} fields where the header has {len(header)}")
        return _read_line(line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})

    return read_one


def _read_line(line: int, row: dict[str, str]) -> Entry:
    kind = row["type"].upper()
    if kind in SPLITS:
        raise LeftOutError("a split: it comes from the data provider and is applied by itself")
    if kind not in TYPES:
        raise RowError(f"type {row['type']!r} is not one of {', '.join(TYPES)}")
    day = _date(row["date"])
    fee, tax = _cost(row, "fee"), _cost(row, "tax")
    currency = _currency(row, "currency")
    quantity, price, amount = _worth(row, kind)
    counter = _counter(row) if kind == CONVERSION else (None, None)
    return Entry(
        (line,),
        kind,
        day,
        currency,
        security=_security(row, kind),
        quantity=quantity,
        price=price,
        amount=amount,
        fee=fee,
        tax=tax,
        counter_amount=counter[0],
        counter_currency=counter[1],
        executed_at=_executed_at(row.get("executed_at", "")),
        note=as_note(row.get("note", "")),
    )


def _worth(row: dict[str, str], kind: str) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    if kind in TRADES:
        return _trade(row)
    if kind in TRANSFERS:
        return _transfer(row)
    if kind in PAYMENTS:
        return _payment(row)
    return None, None, _cash(row, kind)


def _security(row: dict[str, str], kind: str) -> Security | None:
    if kind in (*CASH_MOVES, *SIGNED, CONVERSION):
        if row["symbol"]:
            raise RowError(f"a {kind} moves cash: leave the symbol empty")
        return None
    symbol = row["symbol"].upper()
    if not _SYMBOL.fullmatch(symbol):
        raise RowError(f"symbol {row['symbol']!r} is not a symbol, as in AAPL or VOD.L")
    return Security(symbol)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RowError(f"date {text!r} is not a date; write YYYY-MM-DD") from None


def _number(row: dict[str, str], name: str, scale: int) -> Decimal:
    try:
        return parse_decimal(row[name], scale)
    except ValueError as error:
        raise RowError(f"{name}: {error}") from None


def _cost(row: dict[str, str], name: str) -> Decimal:
    cost = _number(row, name, MONEY_SCALE) if row.get(name) else Decimal(0)
    if cost < 0:
        raise RowError(f"{name} must not be negative")
    return cost


def _currency(row: dict[str, str], name: str) -> str:
    currency = row.get(name, "").upper()
    if not _CURRENCY.fullmatch(currency):
        raise RowError(f"{name} {row.get(name, '')!r} is not three letters, as in USD")
    return currency


def _shares(row: dict[str, str]) -> Decimal:
    quantity = _number(row, "quantity", QUANTITY_SCALE)
    if quantity <= 0:
        raise RowError("quantity must be above zero; the type says whether shares come or go")
    return quantity


def _price(row: dict[str, str]) -> Decimal:
    price = _number(row, "price", PRICE_SCALE)
    if price < 0:
        raise RowError("price must not be negative")
    return price


def _trade(row: dict[str, str]) -> tuple[Decimal, Decimal, Decimal | None]:
    return _shares(row), _price(row), _exact_amount(row)


def _transfer(row: dict[str, str]) -> tuple[Decimal, Decimal | None, Decimal | None]:
    """Shares that come or go without cash; the price says what they cost."""
    return _shares(row), _price(row) if row["price"] else None, _exact_amount(row)


def _exact_amount(row: dict[str, str]) -> Decimal | None:
    """A statement's own total, where the file gives it."""
    amount = _number(row, "amount", MONEY_SCALE) if row.get("amount") else None
    if amount is not None and amount < 0:
        raise RowError("amount must not be negative; the type says whether cash comes or goes")
    return amount


def _payment(row: dict[str, str]) -> tuple[Decimal | None, None, Decimal]:
    """What a company paid before tax: the amount, or so much per share."""
    shares = _shares(row) if row["quantity"] else None
    amount = _exact_amount(row)
    if amount is None:
        if not row["price"]:
            raise RowError("price must hold the payment per share, or amount the whole of it")
        # Paid in whole coins, whatever is declared per share.
        coin = Decimal(1).scaleb(-minor_decimals(_currency(row, "currency")))
        amount = (_price_per_share(row) * (shares or 1)).quantize(coin, ROUND_HALF_UP)
    if amount <= 0:
        raise RowError("the payment must be above zero")
    return shares, None, amount


def _price_per_share(row: dict[str, str]) -> Decimal:
    price = _number(row, "price", QUANTITY_SCALE)
    if price < 0:
        raise RowError("price must not be negative")
    return price


def _cash(row: dict[str, str], kind: str) -> Decimal:
    """The amount, or price times quantity, either of which may be left out."""
    if row.get("amount"):
        factors = [_number(row, "amount", MONEY_SCALE)]
    else:
        factors = [_number(row, name, MONEY_SCALE) for name in ("quantity", "price") if row[name]]
    if not factors:
        raise RowError("price must hold the amount")
    amount = factors[0] * (factors[1] if len(factors) == 2 else 1)
    if kind in SIGNED and amount:
        return _exact(amount)
    if amount <= 0:
        raise RowError("the amount must be above zero; the type says whether cash comes or goes")
    return _exact(amount)


def _exact(amount: Decimal) -> Decimal:
    try:
        return parse_decimal(str(amount), MONEY_SCALE)
    except ValueError as error:
        raise RowError(f"amount: {error}") from None


def _counter(row: dict[str, str]) -> tuple[Decimal, str]:
    """What came for the amount that was given away."""
    if not row.get("counter_amount"):
        raise RowError("a CONVERSION must say what came for it: counter_amount and counter_currency")
    amount = _number(row, "counter_amount", MONEY_SCALE)
    if amount <= 0:
        raise RowError("counter_amount must be above zero")
    return amount, _currency(row, "counter_currency")


def _executed_at(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return require_aware(datetime.fromisoformat(text), what="executed_at")
    except ValueError:
        raise RowError(f"executed_at {text!r} is not a time with its offset, as in 2012-09-04T10:30:00-04:00") from None
