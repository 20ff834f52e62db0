"""Freetrade's activity feed."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from closingbell.usecases.imports.building import as_quantity, broker_amount, cash, settled_trade
from closingbell.usecases.imports.entries import (
    BUY,
    DEPOSIT,
    DIVIDEND,
    FEE,
    INTEREST,
    SELL,
    WITHDRAWAL,
    Entry,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
)
from closingbell.usecases.imports.tables import Row, has_columns, read_rows, read_table
from closingbell.usecases.imports.values import POINT, read_currency, read_isin, read_iso

NAME = "freetrade"
TITLE = "Freetrade: CSV of the activity (Activity, Export)"

_COLUMNS = ("title", "type", "timestamp", "account currency", "total amount", "buy / sell")
_CASH = {
    "TOP_UP": DEPOSIT,
    "WITHDRAWAL": WITHDRAWAL,
    "INTEREST_FROM_CASH": INTEREST,
    "INTEREST_FROM_LENDING": INTEREST,
    "SUBSCRIPTION_FEE": FEE,
}
_UNTAKEN = {
    "MONTHLY_STATEMENT": "a statement, which moves nothing",
    "TAX_CERTIFICATE": "a certificate, which moves nothing",
    "STOCK_SPLIT": "a split: it comes from the data provider and is applied by itself",
}


def recognises(text: str) -> bool:
    """By its columns."""
    return has_columns(text, *_COLUMNS)


def read(text: str) -> Reading:
    """Every row as it was settled, in the account's currency."""
    return in_order(*read_rows(read_table(text, *_COLUMNS), _read_row))


def _read_row(row: Row) -> Entry:
    kind = row["type"].upper()
    if kind == "ORDER":
        return _trade(row)
    if kind in {"DIVIDEND", "SPECIAL_DIVIDEND"}:
        return _dividend(row)
    if kind == "FREESHARE_ORDER":
        raise RowError("a share given for free: enter it by hand as TRANSFER_IN")
    if kind in _UNTAKEN:
        raise LeftOutError(_UNTAKEN[kind])
    if kind in _CASH:
        amount = abs(POINT.money(row["total amount"], what="total amount"))
        return cash(row.line, _CASH[kind], read_iso(row["timestamp"])[0], amount, _currency(row), note=row["title"])
    raise RowError(f"type {row['type']!r} is not known")


def _trade(row: Row) -> Entry:
    side = row["buy / sell"].upper()
    if side not in {BUY, SELL}:
        raise RowError(f"an order must be BUY or SELL, it is {row['buy / sell']!r}")
    day, executed_at = read_iso(row["timestamp"])
    return settled_trade(
        line=row.line,
        kind=side,
        trade_date=day,
        executed_at=executed_at,
        security=_security(row),
        quantity=POINT.read(row["quantity"], what="quantity"),
        total=POINT.money(row["total amount"], what="total amount"),
        fee=POINT.money(row["fx fee amount"], what="FX fee"),
        tax=POINT.money(row["stamp duty"], what="stamp duty"),
        stated_price=POINT.maybe(row["price per share in account currency"], what="price"),
        stated_currency=_currency(row),
        currency=_currency(row),
        broker_key=row["order id"] or None,
    )


def _dividend(row: Row) -> Entry:
    """Net as it came; the tax, stated in the share's currency, at the rate of the row, to the minor unit."""
    net = broker_amount(POINT.money(row["total amount"], what="total amount"), what="dividend")
    withheld = POINT.maybe(row["dividend withheld tax amount"], what="withheld tax") or Decimal(0)
    is_foreign = row["instrument currency"] not in {"", _currency(row)}
    rate = POINT.maybe(row["fx rate"] or row["base fx rate"], what="FX rate") if is_foreign else Decimal(1)
    if withheld and not rate:
        raise RowError("tax was withheld in another currency and the row has no FX rate")
    tax = (withheld * (rate or 1)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Entry(
        (row.line,),
        DIVIDEND,
        read_iso(row["timestamp"])[0],
        _currency(row),
        security=_security(row),
        quantity=as_quantity(POINT.read(row["quantity"], what="quantity")),
        amount=net + tax,
        tax=tax,
        note=f"{withheld:f} {row['instrument currency']} withheld at {rate.normalize():f}" if withheld and rate else "",
    )


def _security(row: Row) -> Security:
    """Tickers come without the exchange's suffix: only a share from the United States, priced in dollars, is sure."""
    isin, ticker = read_isin(row["isin"]), row["ticker"]
    is_american = bool(isin and isin.startswith("US") and row["instrument currency"] == "USD")
    symbol = ticker.upper().replace(".", "-") if is_american and ticker else None
    return Security(symbol, isin, ticker or None, row["title"] or None)


def _currency(row: Row) -> str:
    return read_currency(row["account currency"], what="account currency")
