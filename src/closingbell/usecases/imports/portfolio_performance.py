"""Portfolio Performance's CSV: transactions of a cash account or of a securities account, in German or English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from closingbell.usecases.imports.building import as_note, as_quantity, broker_amount, cash, price_of, settled_trade
from closingbell.usecases.imports.entries import (
    BUY,
    DEPOSIT,
    DIVIDEND,
    FEE,
    INTEREST,
    REFUSED,
    SELL,
    TAX,
    TRANSFER_IN,
    TRANSFER_OUT,
    WITHDRAWAL,
    Entry,
    Finding,
    Reading,
    RowError,
    Security,
    in_order,
)
from closingbell.usecases.imports.tables import Row, find_header, header_of, read_rows, read_table
from closingbell.usecases.imports.values import (
    Numbers,
    read_currency,
    read_day_first,
    read_isin,
    read_iso,
    read_month_first,
)

NAME = "portfolio_performance"
TITLE = "Portfolio Performance: CSV of account or portfolio transactions (File, Export), German or English"

_DATE, _TYPE, _VALUE = ("date", "datum"), ("type", "typ"), ("value", "wert")
_CURRENCY = ("transaction currency", "buchungswährung")
_GROSS, _GROSS_CURRENCY = ("gross amount", "bruttobetrag"), ("currency gross amount", "währung bruttobetrag")
_FEES, _TAXES, _SHARES = ("fees", "gebühren"), ("taxes", "steuern"), ("shares", "stück")
_SYMBOL, _NAME = ("ticker symbol", "ticker-symbol", "symbol"), ("security name", "wertpapiername")
_NOTE, _TIME = ("note", "notiz"), ("time", "uhrzeit")
_NEEDED = (_DATE, _TYPE, _VALUE, _CURRENCY)

# Word of either language -> (what it becomes, whether cash comes in).
_TYPES: dict[str, str] = {
    "buy": BUY,
    "kauf": BUY,
    "sell": SELL,
    "verkauf": SELL,
    "deposit": DEPOSIT,
    "einlage": DEPOSIT,
    "removal": WITHDRAWAL,
    "entnahme": WITHDRAWAL,
    "dividend": DIVIDEND,
    "dividends": DIVIDEND,
    "dividende": DIVIDEND,
    "delivery (inbound)": TRANSFER_IN,
    "einlieferung": TRANSFER_IN,
    "delivery (outbound)": TRANSFER_OUT,
    "auslieferung": TRANSFER_OUT,
}
_TRANSFERS = {
    "transfer (inbound)": True,
    "umbuchung (eingang)": True,
    "transfer (outbound)": False,
    "umbuchung (ausgang)": False,
}
# Type -> (what it becomes, the sign that its value has there).
_CHARGES: dict[str, tuple[str, int]] = {
    "interest": (INTEREST, 1),
    "zinsen": (INTEREST, 1),
    "interest charge": (INTEREST, -1),
    "zinsbelastung": (INTEREST, -1),
    "fees": (FEE, 1),
    "gebühren": (FEE, 1),
    "fees refund": (FEE, -1),
    "gebührenerstattung": (FEE, -1),
    "taxes": (TAX, 1),
    "steuern": (TAX, 1),
    "tax refund": (TAX, -1),
    "steuerrückerstattung": (TAX, -1),
}


def recognises(text: str) -> bool:
    """By date, type, value and the currency it is booked in, in either language."""
    return find_header(text, _is_header) is not None


def _is_header(columns: Sequence[str]) -> bool:
    return all(any(name in columns for name in names) for names in _NEEDED)


def read(text: str) -> Reading:
    """Every row by its value, which is what the cash account paid or got; signs are told by the type."""
    names = header_of(text, _is_header)
    if not names:
        return Reading((), (Finding(1, REFUSED, "the columns of date, type, value and currency are missing"),))
    table = read_table(text, *names)
    amounts = (*_VALUE, *_FEES, *_TAXES, *_SHARES, *_GROSS)
    numbers = Numbers(row[name] for row in table.rows for name in amounts)
    is_month_first = _is_month_first([row.any_of(*_DATE) for row in table.rows])
    return in_order(*read_rows(table, lambda row: _read_row(row, numbers, is_month_first)))


def _read_row(row: Row, numbers: Numbers, is_month_first: bool | None) -> Entry:
    said = " ".join(row.any_of(*_TYPE).lower().split())
    day = _day(row.any_of(*_DATE), is_month_first)
    value = abs(numbers.read(row.any_of(*_VALUE), what="value"))
    currency = read_currency(row.any_of(*_CURRENCY))
    note = as_note(row.any_of(*_NOTE))
    if said in _CHARGES:
        kind, sign = _CHARGES[said]
        security = _security(row) if kind in {FEE, TAX} and _names_company(row) else None
        return cash(row.line, kind, day, sign * value, currency, note=note, security=security)
    if said in _TRANSFERS:
        return _transfer(row, numbers, day, value, currency, is_inbound=_TRANSFERS[said])
    kind = _TYPES.get(said, "")
    if kind in {DEPOSIT, WITHDRAWAL}:
        return cash(row.line, kind, day, value, currency, note=note)
    if kind == DIVIDEND:
        return _dividend(row, numbers, day, value, currency)
    if kind in {TRANSFER_IN, TRANSFER_OUT}:
        return _delivery(row, numbers, day, value, currency, kind=kind)
    if kind in {BUY, SELL}:
        return _trade(row, numbers, day, value, currency, kind=kind)
    raise RowError(f"type {row.any_of(*_TYPE)!r} is not known")


def _trade(row: Row, numbers: Numbers, day: date, value: Decimal, currency: str, *, kind: str) -> Entry:
    return settled_trade(
        line=row.line,
        kind=kind,
        trade_date=day,
        security=_security(row),
        quantity=as_quantity(numbers.maybe(row.any_of(*_SHARES), what="shares")),
        total=value,
        fee=abs(numbers.money(row.any_of(*_FEES), what="fees")),
        tax=abs(numbers.money(row.any_of(*_TAXES), what="taxes")),
        currency=currency,
        note=row.any_of(*_NOTE),
    )


def _dividend(row: Row, numbers: Numbers, day: date, value: Decimal, currency: str) -> Entry:
    """The value is what came: gross less taxes and fees."""
    fee = abs(numbers.money(row.any_of(*_FEES), what="fees"))
    tax = abs(numbers.money(row.any_of(*_TAXES), what="taxes"))
    gross = numbers.maybe(row.any_of(*_GROSS), what="gross amount")
    unit = row.any_of(*_GROSS_CURRENCY)
    shares = numbers.maybe(row.any_of(*_SHARES), what="shares")
    return Entry(
        (row.line,),
        DIVIDEND,
        day,
        currency,
        security=_security(row),
        quantity=as_quantity(shares) if shares else None,
        amount=broker_amount(value + fee + tax, what="dividend"),
        fee=fee,
        tax=tax,
        note=as_note(f"{gross.normalize():f} {unit} gross" if gross and unit not in {"", currency} else row["note"]),
    )


def _delivery(row: Row, numbers: Numbers, day: date, value: Decimal, currency: str, *, kind: str) -> Entry:
    """Shares without cash; the value says what they cost, or were worth."""
    shares = as_quantity(numbers.maybe(row.any_of(*_SHARES), what="shares"))
    return Entry(
        (row.line,),
        kind,
        day,
        currency,
        security=_security(row),
        quantity=shares,
        price=price_of(value, shares) if value else None,
        amount=value or None,
        note=as_note(row.any_of(*_NOTE)),
    )


def _transfer(row: Row, numbers: Numbers, day: date, value: Decimal, currency: str, *, is_inbound: bool) -> Entry:
    """Between two accounts of the same person: shares where the row names some, else cash."""
    if numbers.maybe(row.any_of(*_SHARES), what="shares"):
        kind = TRANSFER_IN if is_inbound else TRANSFER_OUT
        return _delivery(row, numbers, day, value, currency, kind=kind)
    kind = DEPOSIT if is_inbound else WITHDRAWAL
    return cash(row.line, kind, day, value, currency, note=row.any_of(*_TYPE))


def _names_company(row: Row) -> bool:
    return bool(row["isin"] or row.any_of(*_SYMBOL) or row.any_of(*_NAME))


def _security(row: Row) -> Security:
    """Portfolio Performance's symbols are Yahoo's where its quotes come from there."""
    symbol = row.any_of(*_SYMBOL).upper() or None
    security = Security(symbol, read_isin(row["isin"]), row["wkn"] or None, row.any_of(*_NAME) or None)
    if not security.id:
        raise RowError("the row names no company: ISIN, symbol and name are empty")
    return security


def _is_month_first(cells: Sequence[str]) -> bool | None:
    """Whether dates with slashes have the month first; None when no date of the file tells."""
    firsts, seconds = [], []
    for cell in cells:
        parts = cell.partition(" ")[0].partition(",")[0].split("/")
        if len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit():
            firsts.append(int(parts[0]))
            seconds.append(int(parts[1]))
    if not firsts or max(firsts) > 12:
        return False
    return True if max(seconds) > 12 else None


def _day(cell: str, is_month_first: bool | None) -> date:
    if "/" not in cell:
        return read_iso(cell)[0] if cell[:4].isdigit() else read_day_first(cell)[0]
    if is_month_first is None:
        raise RowError(f"date {cell!r} can be read in two ways; export with dates as YYYY-MM-DD")
    return read_month_first(cell)[0] if is_month_first else read_day_first(cell)[0]
