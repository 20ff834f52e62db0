"""Ghostfolio's activities: its JSON export, and the CSV that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from closingbell.domain.money import major_unit
from closingbell.usecases.imports.building import (
    as_note,
    as_quantity,
    broker_amount,
    cash,
    rounded_price,
    to_money,
    to_quantity,
)
from closingbell.usecases.imports.entries import (
    BUY,
    DIVIDEND,
    DOUBTFUL,
    FEE,
    INTEREST,
    REFUSED,
    SELL,
    Entry,
    Finding,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
    shown,
)
from closingbell.usecases.imports.tables import Row, caught, find_header, header_of, read_rows, read_table
from closingbell.usecases.imports.values import POINT, read_currency, read_day_first, read_isin

NAME = "ghostfolio"
TITLE = "Ghostfolio: activities as JSON (Export) or CSV"

_ARRAY = re.compile(r'"(?:activities|orders)"\s*:\s*\[')
_DIGITS = 40
# Ghostfolio computes in binary floating point: 0.1 + 0.2 is written as 0.30000000000000004.
_NOISE = Decimal("1e-14")
_COMMA = re.compile(r"\s*,?\s*")
# Field of an activity -> the columns that the CSV may call it, lower case.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "date": ("date", "tradedate"),
    "symbol": ("code", "symbol", "ticker", "isin"),
    "dataSource": ("datasource",),
    "currency": ("currency", "ccy", "currencyprimary"),
    "unitPrice": ("price", "unitprice", "tradeprice", "value"),
    "quantity": ("quantity", "qty", "shares", "units"),
    "type": ("action", "buy/sell", "type"),
    "fee": ("fee", "commission", "ibcommission"),
    "comment": ("note", "comment"),
    "id": ("id",),
}
_NEEDED = ("date", "symbol", "currency", "unitPrice", "quantity", "type")


def recognises(text: str) -> bool:
    """A JSON object with activities, or a CSV with a data source beside what an activity needs."""
    if text.lstrip().startswith("{"):
        found = _ARRAY.search(text)
        return bool(found and '"dataSource"' in text and '"unitPrice"' in text)
    return find_header(text, _is_header) is not None


def _is_header(columns: tuple[str, ...] | Any) -> bool:
    has_all = all(any(name in columns for name in _COLUMNS[field]) for field in _NEEDED)
    return has_all and "datasource" in columns


def read(text: str) -> Reading:
    """Every activity; symbols of Yahoo are ours, those of other sources must be mapped."""
    return _read_json(text) if text.lstrip().startswith("{") else _read_csv(text)


def _read_csv(text: str) -> Reading:
    names = header_of(text, _is_header)
    if not names:
        return Reading((), (Finding(1, REFUSED, "the columns of an activity are missing"),))
    table = read_table(text, *names)
    return in_order(*read_rows(table, lambda row: _read_activity(row.line, _fields(row))))


def _fields(row: Row) -> dict[str, str]:
    return {field: row.any_of(*names) for field, names in _COLUMNS.items()}


def _read_json(text: str) -> Reading:
    entries: list[Entry] = []
    findings: list[Finding] = []
    accounts: set[str] = set()
    try:
        for line, activity in _activities(text):
            accounts.add(_account_of(activity))
            told = shown(json.dumps(activity, default=str, ensure_ascii=False))
            entries += caught(line, told, lambda a=activity, n=line: _read_activity(n, _texts(a)), findings)  # type: ignore[misc]
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        findings.append(Finding(line, REFUSED, f"not readable as JSON ({shown(str(error))})"))
    if len(accounts - {""}) > 1:
        findings.append(Finding(1, DOUBTFUL, f"the file holds {len(accounts - {''})} accounts; all go into this one"))
    return in_order(entries, findings)


def _account_of(activity: Any) -> str:
    return str(activity.get("accountId") or "") if isinstance(activity, dict) else ""


def _activities(text: str) -> Iterator[tuple[int, Any]]:
    """Every activity with the line that it begins on."""
    found = _ARRAY.search(text)
    if found is None:
        raise ValueError("there is no list of activities")
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=_whole)
    at = _COMMA.match(text, found.end()).end()  # type: ignore[union-attr]
    line, counted = 1, 0
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        activity, end = decoder.raw_decode(text, at)
        yield line, activity
        at = _COMMA.match(text, end).end()  # type: ignore[union-attr]
    if at >= len(text):
        raise ValueError("the list of activities does not end")


def _whole(digits: str) -> Decimal:
    return Decimal(digits)


def _texts(activity: Any) -> dict[str, str]:
    """The fields of an activity as text, exact."""
    if not isinstance(activity, dict):
        raise RowError("an activity must be an object")
    profile = activity.get("SymbolProfile") or activity.get("assetProfile") or {}
    merged = {**(profile if isinstance(profile, dict) else {}), **activity}
    return {field: _text(merged.get(field)) for field in _COLUMNS}


def _text(value: Any) -> str:
    if not isinstance(value, Decimal):
        return str(value or "")
    # Written out, a number of a few letters could fill the memory: 1e999999999.
    if not -_DIGITS <= value.adjusted() <= _DIGITS:
        raise RowError(f"{value} is not a number that can be stored")
    return format(value, "f")


def _read_activity(line: int, fields: Mapping[str, str]) -> Entry:
    kind = fields["type"].strip().upper()
    if kind in {"ITEM", "VALUABLE", "LIABILITY"}:
        raise LeftOutError(f"{kind.lower()}: nothing that is held in an account of shares and cash")
    if kind not in {BUY, SELL, DIVIDEND, FEE, INTEREST}:
        raise RowError(f"type {fields['type']!r} is not known")
    day, executed_at = read_day_first(fields["date"])
    currency, per_unit = major_unit(fields["currency"].strip())
    currency = read_currency(currency)
    price = POINT.read(fields["unitPrice"] or "0", what="unit price") / per_unit
    quantity = POINT.read(fields["quantity"] or "0", what="quantity")
    if quantity < 0 and kind != SELL:
        raise RowError(f"a {kind} of {quantity.normalize():f} shares: is it one, or a SELL?")
    fee = to_money(POINT.read(fields["fee"] or "0", what="fee") / per_unit, what="fee")
    if fee < 0:
        raise RowError(f"fee must not be negative, it is {fee.normalize():f}")
    note, key = as_note(fields["comment"]), fields["id"].strip() or None
    if kind in {FEE, INTEREST}:
        amount = price * quantity - fee if kind == INTEREST else price * quantity + fee
        return cash(line, kind, day, to_money(amount, what="amount"), currency, note=note, broker_key=key)
    if not quantity:
        raise LeftOutError("a plan of no shares")
    shares = to_quantity(quantity)
    return Entry(
        (line,),
        kind,
        day,
        currency,
        security=_security(fields),
        quantity=as_quantity(shares),
        price=rounded_price(price) if kind != DIVIDEND else None,
        amount=broker_amount(to_money(price * quantity, what="dividend"), what="dividend")
        if kind == DIVIDEND
        else None,
        fee=fee,
        executed_at=executed_at,
        broker_key=key,
        note=note,
        doubt=_doubt(executed_at) or _cut(quantity, shares),
    )


def _doubt(executed_at: datetime | None) -> str:
    """Midnight where the person lives, written as the evening before in UTC."""
    if executed_at is None or executed_at.minute or executed_at.hour not in {22, 23}:
        return ""
    return f"{executed_at:%Y-%m-%d %H:%M} UTC may stand for midnight of the next day; it is counted as it stands"


def _cut(stated: Decimal, kept: Decimal) -> str:
    """What is to be said where shares were rounded by more than a program's own arithmetic is off."""
    if abs(stated - kept) <= abs(stated) * _NOISE:
        return ""
    return f"{stated.normalize():f} shares are kept as {kept.normalize():f}, with ten decimals"


def _security(fields: Mapping[str, str]) -> Security:
    text = fields["symbol"].strip()
    if not text:
        raise RowError("the symbol is missing")
    if isin := read_isin(text):
        return Security(isin=isin)
    source = fields["dataSource"].strip().upper()
    return Security(text.upper()) if source in {"YAHOO", ""} else Security(ticker=text, name=f"{text} of {source}")
