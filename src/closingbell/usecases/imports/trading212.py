"""Trading 212's history of an account."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from closingbell.usecases.imports.building import as_quantity, broker_amount, cash, settled_trade
from closingbell.usecases.imports.entries import (
    BUY,
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
from closingbell.usecases.imports.tables import Row, has_columns, read_rows, read_table
from closingbell.usecases.imports.values import POINT, read_currency, read_isin, read_iso

NAME = "trading212"
TITLE = "Trading 212: CSV of the history (History, Export)"

_COLUMNS = ("action", "time", "isin", "ticker", "no. of shares", "total")
# What is taken off a trade besides the shares' price: column -> whether it is a tax.
_COSTS = {
    "currency conversion fee": False,
    "transaction fee": False,
    "finra fee": False,
    "stamp duty": True,
    "stamp duty reserve tax": True,
    "ptm levy": True,
    "french transaction tax": True,
}
_CASH = {
    "deposit": DEPOSIT,
    "withdrawal": WITHDRAWAL,
    "interest on cash": INTEREST,
    "lending interest": INTEREST,
    "spending cashback": DEPOSIT,
    "card credit": DEPOSIT,
    "card debit": WITHDRAWAL,
    "deposit fee": FEE,
}


def recognises(text: str) -> bool:
    """By its columns."""
    return has_columns(text, *_COLUMNS)


def read(text: str) -> Reading:
    """Every row as it was settled, in the account's currency."""
    return in_order(*read_rows(read_table(text, *_COLUMNS), _read_row))


def _read_row(row: Row) -> Entry | Sequence[Entry]:
    action = " ".join(row["action"].lower().split())
    if action in _CASH:
        return _cash(row, _CASH[action])
    if action == "result adjustment":
        return _adjustment(row)
    if action.startswith("dividend"):
        return _dividend(row)
    if action.endswith((" buy", " sell")) and action.split()[0] in {"market", "limit", "stop"}:
        return _trade(row, BUY if action.endswith(" buy") else SELL)
    if action in {"transfer in", "transfer out"}:
        return _transfer(row, TRANSFER_IN if action == "transfer in" else TRANSFER_OUT)
    if action.startswith("stock split"):
        raise LeftOutError("a split: it comes from the data provider and is applied by itself")
    if action in {"stock distribution", "custom stock distribution", "spin-off"}:
        raise LeftOutError("shares handed out by the company: enter them as a corporate action")
    if action == "currency conversion":
        raise RowError("a currency conversion that does not say both its amounts; enter it by hand")
    raise RowError(f"action {row['action']!r} is not known")


def _trade(row: Row, kind: str) -> Entry:
    currency = _currency(row)
    fee, tax = _costs(row, currency)
    return settled_trade(
        line=row.line,
        kind=kind,
        trade_date=read_iso(row["time"])[0],
        security=_security(row),
        quantity=POINT.read(row["no. of shares"], what="number of shares"),
        stated_price=POINT.maybe(row["price / share"], what="price"),
        stated_currency=row["currency (price / share)"],
        total=abs(POINT.read(row["total"] or row[f"total ({currency.lower()})"], what="total")),
        fee=fee,
        tax=tax,
        currency=currency,
        broker_key=row["id"] or None,
    )


def _costs(row: Row, currency: str) -> tuple[Decimal, Decimal]:
    """Fees and taxes of a trade; they are part of its total, in the account's currency."""
    fee = tax = Decimal(0)
    for column, cell in zip(row.columns, row.cells, strict=True):
        name, _, unit = column.partition(" (")
        if name not in _COSTS or not cell.strip():
            continue
        said = row[f"currency ({name})"] or unit.removesuffix(")").upper()
        amount = POINT.money(cell, what=name)
        if said and said != currency and amount:
            raise RowError(f"{name} is in {said}, the total in {currency}")
        fee, tax = (fee, tax + amount) if _COSTS[name] else (fee + amount, tax)
    return fee, tax


def _dividend(row: Row) -> Entry:
    """The net came in the account's currency; tax kept back in another is told and not converted."""
    currency = _currency(row)
    net = POINT.money(row["total"], what="total")
    if net < 0:
        raise RowError("a dividend taken back: delete the order that it undoes, then import without this line")
    withheld = POINT.money(row["withholding tax"], what="withholding tax")
    unit = row["currency (withholding tax)"] or currency
    same = unit == currency or not withheld
    shares = POINT.maybe(row["no. of shares"], what="number of shares")
    is_capital = "return of capital" in row["action"].lower()
    return Entry(
        (row.line,),
        CAPITAL_RETURN if is_capital else DIVIDEND,
        read_iso(row["time"])[0],
        currency,
        security=_security(row),
        quantity=as_quantity(shares) if shares else None,
        amount=broker_amount(net + withheld if same else net, what="dividend"),
        tax=withheld if same else Decimal(0),
        doubt="" if same else f"{withheld:f} {unit} were kept back; only the net is in {currency}, so no tax is booked",
        broker_key=row["id"] or None,
    )


def _cash(row: Row, kind: str) -> Entry:
    amount = POINT.money(row["total"], what="total")
    if kind in {DEPOSIT, WITHDRAWAL, FEE}:
        amount = abs(amount)
    return cash(row.line, kind, read_iso(row["time"])[0], amount, _currency(row), note=row["notes"])


def _adjustment(row: Row) -> Entry:
    """A result adjustment is a tax paid back or taken; anything else is not known."""
    if "tax" not in row["notes"].lower():
        raise RowError(f"a result adjustment for {row['notes'] or 'no reason'!r}: is it interest, a fee or a tax?")
    amount = POINT.money(row["total"], what="total")
    return cash(row.line, TAX, read_iso(row["time"])[0], -amount, _currency(row), note=row["notes"])


def _transfer(row: Row, kind: str) -> Entry:
    return Entry(
        (row.line,),
        kind,
        read_iso(row["time"])[0],
        _currency(row),
        security=_security(row),
        quantity=as_quantity(POINT.read(row["no. of shares"], what="number of shares")),
        price=None,
        amount=abs(POINT.money(row["total"], what="total")) or None,
        broker_key=row["id"] or None,
    )


def _security(row: Row) -> Security:
    """Trading 212 drops the exchange's suffix: only a share from the United States, priced in dollars, is sure."""
    isin, ticker = read_isin(row["isin"]), row["ticker"]
    is_american = bool(isin and isin.startswith("US") and row["currency (price / share)"] == "USD")
    symbol = ticker.upper().replace(".", "-") if is_american and ticker else None
    return Security(symbol, isin, ticker or None, row["name"] or None)


def _currency(row: Row) -> str:
    said = row["currency (total)"]
    if not said:
        named = [column for column in row.columns if column.startswith("total (")]
        said = named[0].removeprefix("total (").removesuffix(")").upper() if named else ""
    return read_currency(said, what="currency of the total")
