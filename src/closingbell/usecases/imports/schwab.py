"""Charles Schwab's transactions of an account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from closingbell.usecases.imports.building import as_note, as_quantity, broker_amount, cash, settled_trade
from closingbell.usecases.imports.entries import (
    BUY,
    CAPITAL_GAIN,
    CAPITAL_RETURN,
    DEPOSIT,
    DIVIDEND,
    FEE,
    INTEREST,
    SELL,
    TAX,
    TRANSFER_IN,
    TRANSFER_OUT,
    WITHDRAWAL,
    Entry,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
)
from closingbell.usecases.imports.joining import join_withholding
from closingbell.usecases.imports.tables import Row, has_columns, read_rows, read_table
from closingbell.usecases.imports.values import Numbers, read_month_first

NAME = "schwab"
TITLE = "Charles Schwab: CSV of the transactions (Accounts, History, Export)"

_COLUMNS = ("date", "action", "symbol", "description", "quantity", "price", "fees & comm", "amount")
# American notation without exception: 1,259 is more than a thousand.
_NUMBERS = Numbers(decimal_mark=".")
_AS_OF = re.compile(r"(?P<posted>\S+)(?: as of (?P<day>\S+))?")

_DIVIDENDS = {
    "cash dividend",
    "qualified dividend",
    "non-qualified div",
    "special dividend",
    "special qual div",
    "special non qual div",
    "pr yr cash div",
    "pr yr special div",
    "reinvest dividend",
    "qual div reinvest",
    "pr yr div reinvest",
}
_CAPITAL_GAINS = {
    "long term cap gain",
    "short term cap gain",
    "long term cap gain reinvest",
    "short term cap gain reinvest",
}
_TRADES = {"buy": BUY, "reinvest shares": BUY, "sell": SELL}
_FEES = {"advisor fee", "adr mgmt fee", "service fee", "misc cash entry fee"}
_TAXES = {"foreign tax paid", "nra tax adj", "nra withholding"}
_INTEREST = {"credit interest", "bank interest", "bond interest", "margin interest"}
_CASH_MOVES = {
    "moneylink transfer",
    "moneylink deposit",
    "wire sent",
    "wire received",
    "wire funds",
    "wire funds received",
    "funds received",
    "funds paid",
    "internal transfer",
    "journal",
    "visa purchase",
    "atm withdrawal",
}
_COMPANY_ACTIONS = {
    "reverse split": "a reverse split: it comes from the data provider and is applied by itself",
    "stock split": "a split: it comes from the data provider and is applied by itself",
    "stock div dist": "a dividend in shares: enter it as a corporate action",
    "spin-off": "a spin-off: enter it as a corporate action",
    "stock merger": "a merger: enter what left as TRANSFER_OUT and what came as TRANSFER_IN",
    "name change": "another name for the same shares: map the old symbol to the new one with --map OLD=NEW",
    "conversion": "one kind of share became another: enter what left as TRANSFER_OUT and what came as TRANSFER_IN",
}


def recognises(text: str) -> bool:
    """By its columns."""
    return has_columns(text, *_COLUMNS)


def read(text: str) -> Reading:
    """Every row, in dollars; the stated amount counts where it differs from quantity times price."""
    entries, findings = read_rows(read_table(text, *_COLUMNS), _read_row)
    return in_order(join_withholding(entries), findings)


def _read_row(row: Row) -> Entry | Sequence[Entry]:
    if row["date"].lower().startswith("transactions total"):
        raise LeftOutError("the sum of the file")
    action = row["action"].lower()
    if action in _COMPANY_ACTIONS:
        raise LeftOutError(_COMPANY_ACTIONS[action])
    if action in _TRADES:
        return _trade(row, _TRADES[action])
    if action in _DIVIDENDS:
        return _dividend(row, DIVIDEND)
    if action in _CAPITAL_GAINS:
        return _dividend(row, CAPITAL_GAIN)
    if action == "return of capital":
        return _dividend(row, CAPITAL_RETURN)
    if action == "journaled shares":
        return _moved_shares(row)
    if action == "cash in lieu":
        raise RowError(
            "cash for a fraction of a share: enter the fraction as SELL at this amount, then leave this line out"
        )
    kind, amount = _cash_of(row, action)
    security = _security(row) if row["symbol"] and kind in {FEE, TAX} else None
    return cash(row.line, kind, _day(row), amount, "USD", note=row["description"], security=security)


def _cash_of(row: Row, action: str) -> tuple[str, Decimal]:
    amount = _NUMBERS.money(row["amount"], what="amount")
    if action in _FEES:
        return FEE, -amount
    if action in _TAXES:
        return TAX, -amount
    if action in _INTEREST:
        return INTEREST, amount
    if action in _CASH_MOVES:
        return (DEPOSIT, amount) if amount > 0 else (WITHDRAWAL, -amount)
    raise RowError(f"action {row['action']!r} is not known")


def _trade(row: Row, kind: str) -> Entry:
    return settled_trade(
        line=row.line,
        kind=kind,
        trade_date=_day(row),
        security=_security(row),
        quantity=_NUMBERS.read(row["quantity"], what="quantity"),
        total=abs(_NUMBERS.read(row["amount"], what="amount")),
        fee=_NUMBERS.money(row["fees & comm"], what="fees"),
        stated_price=_NUMBERS.read(row["price"], what="price"),
        stated_currency="USD",
        currency="USD",
    )


def _dividend(row: Row, kind: str) -> Entry:
    amount = _NUMBERS.read(row["amount"], what="amount")
    if amount < 0:
        raise RowError("a dividend taken back: delete the order that it undoes, then import without this line")
    if not row["symbol"]:
        raise RowError("a dividend without a symbol: enter it by hand")
    return Entry(
        (row.line,),
        kind,
        _day(row),
        "USD",
        security=_security(row),
        amount=broker_amount(amount, what="dividend"),
        note=as_note(row["action"]),
    )


def _moved_shares(row: Row) -> Entry:
    quantity = _NUMBERS.read(row["quantity"], what="quantity")
    return Entry(
        (row.line,),
        TRANSFER_IN if quantity > 0 else TRANSFER_OUT,
        _day(row),
        "USD",
        security=_security(row),
        quantity=as_quantity(quantity),
        price=_NUMBERS.maybe(row["price"], what="price"),
        note=as_note(row["description"]),
    )


def _security(row: Row) -> Security:
    symbol = row["symbol"].upper()
    if not symbol:
        raise RowError("the symbol is missing")
    return Security(symbol.replace("/", "-").replace(".", "-"), name=row["description"] or None)


def _day(row: Row) -> date:
    """The day it counts: the one after ``as of`` where there is one."""
    found = _AS_OF.fullmatch(row["date"])
    return read_month_first((found["day"] or found["posted"]) if found else row["date"])[0]
