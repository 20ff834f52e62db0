"""closingbell's own CSV of orders: text in, orders and findings out."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, parse_decimal
from closingbell.utils.clock import require_aware

REQUIRED = ("date", "type", "symbol", "quantity", "price", "fee", "currency")
OPTIONAL = ("executed_at",)
TRADES = ("BUY", "SELL")
CASH_MOVES = ("DEPOSIT", "WITHDRAWAL")

_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,31}")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order of a file. ``quantity`` and ``price`` are set for trades, ``amount`` for cash moves.

    ``source_key`` is the same whenever the same line comes again; the n-th of identical lines in a file has its own.
    """

    line: int
    trade_date: date
    type: str
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal
    currency: str
    executed_at: datetime | None
    source_key: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds: ``orders``, and one sentence per bad line in ``reasons``."""

    orders: list[OrderLine]
    reasons: list[str]


class _BadFieldError(ValueError):
    """A field that cannot be taken; the sentence says why."""


def read_orders(text: str, *, today: date) -> ReadFile:
    """Read a CSV with the columns of REQUIRED and perhaps OPTIONAL; ``today`` is the newest trade date allowed."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        return _read_lines(lines, text, today)
    except csv.Error as error:
        return ReadFile([], [f"line {lines.line_num}: not readable as CSV ({error})"])


def _read_lines(lines: Any, text: str, today: date) -> ReadFile:
    header = [name.strip().lower() for name in next(lines, [])]
    problem = _header_problem(header, text)
    if problem:
        return ReadFile([], [problem])
    orders: list[OrderLine] = []
    reasons: list[str] = []
    seen: dict[str, int] = {}
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            reasons.append(f"line {lines.line_num}: {len(cells)} fields where the header has {len(header)}")
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        try:
            orders.append(_read_line(lines.line_num, row, today, seen))
        except _BadFieldError as error:
            reasons.append(f"line {lines.line_num}: {error}")
    if not orders and not reasons:
        reasons.append("the file holds no orders")
    return ReadFile(orders, reasons)


def _header_problem(header: list[str], text: str) -> str | None:
    missing = [name for name in REQUIRED if name not in header]
    if not missing:
        return None
    if not header:
        return "the file is empty; its first line must name the columns: " + ",".join(REQUIRED)
    if ";" in text.partition("\n")[0]:
        return "line 1: fields are separated by semicolons; closingbell's own format uses commas"
    return f"line 1: the columns {', '.join(missing)} are missing; the first line must be {','.join(REQUIRED)}"


def _read_line(line: int, row: dict[str, str], today: date, seen: dict[str, int]) -> OrderLine:
    kind = row["type"].upper()
    if kind not in TRADES + CASH_MOVES:
        raise _BadFieldError(f"type {row['type']!r} is not one of {', '.join(TRADES + CASH_MOVES)}")
    trade_date = _date(row["date"], today)
    fee = _number(row, "fee", MONEY_SCALE) if row["fee"] else Decimal(0)
    if fee < 0:
        raise _BadFieldError("fee must not be negative")
    currency = row["currency"].upper()
    if not _CURRENCY.fullmatch(currency):
        raise _BadFieldError(f"currency {row['currency']!r} is not three letters, as in USD")
    symbol, quantity, price, amount = _trade(row) if kind in TRADES else _cash_move(row)
    executed_at = _executed_at(row.get("executed_at", ""))
    facts = (trade_date, kind, symbol, quantity, price, amount, fee, currency, executed_at)
    return OrderLine(line, trade_date, kind, *facts[2:], _source_key(facts, seen))


def _date(text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _BadFieldError(f"date {text!r} is not a date; write YYYY-MM-DD") from None
    if day > today:
        raise _BadFieldError(f"date {text} lies in the future")
    return day


def _number(row: dict[str, str], name: str, scale: int) -> Decimal:
    try:
        return parse_decimal(row[name], scale)
    except ValueError as error:
        raise _BadFieldError(f"{name}: {error}") from None


def _trade(row: dict[str, str]) -> tuple[str, Decimal, Decimal, None]:
    symbol = row["symbol"].upper()
    if not _SYMBOL.fullmatch(symbol):
        raise _BadFieldError(f"symbol {row['symbol']!r} is not a symbol, as in AAPL or VOD.L")
    quantity = _number(row, "quantity", QUANTITY_SCALE)
    if quantity <= 0:
        raise _BadFieldError("quantity must be above zero; the type says whether shares come or go")
    price = _number(row, "price", PRICE_SCALE)
    if price < 0:
        raise _BadFieldError("price must not be negative")
    return symbol, quantity, price, None


def _cash_move(row: dict[str, str]) -> tuple[None, None, None, Decimal]:
    """The amount is price times quantity; either may be left out."""
    if row["symbol"]:
        raise _BadFieldError(f"a {row['type'].upper()} moves cash: leave the symbol empty")
    if not row["quantity"] and not row["price"]:
        raise _BadFieldError("price must hold the amount")
    factors = [_number(row, name, MONEY_SCALE) for name in ("quantity", "price") if row[name]]
    amount = factors[0] * (factors[1] if len(factors) == 2 else 1)
    if amount <= 0:
        raise _BadFieldError("the amount must be above zero; the type says whether cash comes or goes")
    return None, None, None, _exact(amount)


def _exact(amount: Decimal) -> Decimal:
    try:
        return parse_decimal(str(amount), MONEY_SCALE)
    except ValueError as error:
        raise _BadFieldError(f"amount: {error}") from None


def _executed_at(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return require_aware(datetime.fromisoformat(text), what="executed_at")
    except ValueError:
        raise _BadFieldError(
            f"executed_at {text!r} is not a time with its offset, as in 2012-09-04T10:30:00-04:00"
        ) from None


def _source_key(facts: tuple[Any, ...], seen: dict[str, int]) -> str:
    """A fingerprint of the line and of its number among identical lines."""
    # 10 and 10.00 are one number however they were typed.
    line = "|".join(format(v.normalize(), "f") if isinstance(v, Decimal) else str(v) for v in facts)
    seen[line] = seen.get(line, 0) + 1
    return hashlib.sha256(f"{line}|{seen[line]}".encode()).hexdigest()
