"""Degiro's account statement: every movement of cash, in the language of the user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from closingbell.usecases.imports import degiro_words as words
from closingbell.usecases.imports.building import as_note, as_quantity, cash, rounded_price
from closingbell.usecases.imports.entries import (
    CONVERSION,
    DIVIDEND,
    FEE,
    LEFT_OUT,
    REFUSED,
    TAX,
    Entry,
    Finding,
    LeftOutError,
    Reading,
    RowError,
    Security,
    in_order,
)
from closingbell.usecases.imports.joining import join_withholding, settle_taken_back
from closingbell.usecases.imports.tables import Row, Table, caught, find_header, header_of, read_table
from closingbell.usecases.imports.values import Numbers, as_money, read_currency, read_day_first, read_isin

NAME = "degiro_account"
TITLE = "Degiro: CSV of the account statement (Inbox, Account statement, Export)"

# The same columns in every language: date, time, value date, product, ISIN, description, FX, change, balance, order.
_WIDTH = 12
_TRADE = re.compile(
    r"(?P<side>\w+) (?P<quantity>[0-9][0-9.,\s]*?)(?: [^@]*?)?\s?@\s?(?P<price>[0-9][0-9.,]*) (?P<unit>[A-Z]{3})\b"
)


def recognises(text: str) -> bool:
    """By where ISIN and FX stand, and the amounts' columns without a name."""
    return find_header(text, _is_header) is not None


def _is_header(columns: Sequence[str]) -> bool:
    is_wide = len(columns) == _WIDTH and columns[4] == "isin" and columns[6] == "fx"
    return is_wide and columns[8] == "" and columns[10] == ""


@dataclass(frozen=True, slots=True)
class _Move:
    """One row: ``amount`` in ``currency`` came or went."""

    line: int
    text: str
    day: date
    time: str
    security: Security | None
    words: str
    amount: Decimal
    currency: str
    order_id: str


def read(text: str) -> Reading:
    """Trades in their own currency, conversions and fees beside them; dividends with the tax kept back."""
    names = header_of(text, _is_header)
    if not names:
        return Reading((), (Finding(1, REFUSED, "these are not the columns of an account statement"),))
    table = read_table(text, *names)
    rows = _whole(table)
    numbers = Numbers(row.cells[8] for row in rows)
    findings = list(table.findings)
    entries: list[Entry] = []
    halves: dict[tuple[object, ...], list[_Move]] = {}
    for row in rows:
        entries += caught(row.line, row.text, lambda row=row: _read_row(row, numbers, halves), findings)  # type: ignore[misc]
    entries += _conversions(halves, findings)
    kept, taken_back = settle_taken_back(_with_fees(entries))
    return in_order(join_withholding(kept), [*findings, *taken_back])


def _whole(table: Table) -> list[Row]:
    """Rows put together again: Degiro breaks long descriptions and order numbers into a row that has nothing else."""
    rows: list[Row] = []
    for row in table.rows:
        if rows and not row.cells[0].strip() and not row.cells[8].strip():
            before = rows[-1]
            cells = tuple(_glued(first, more) for first, more in zip(before.cells, row.cells, strict=True))
            rows[-1] = Row(before.line, before.columns, cells)
        else:
            rows.append(row)
    return rows


def _glued(first: str, more: str) -> str:
    if not more.strip():
        return first
    return first + more if first.endswith("-") else f"{first} {more}"


def _read_row(row: Row, numbers: Numbers, halves: dict[tuple[object, ...], list[_Move]]) -> Sequence[Entry]:
    kind = words.kind_of(row.cells[5])
    if kind in words.LEFT_OUT:
        raise LeftOutError(words.LEFT_OUT[kind])
    move = _move(row, numbers)
    if kind == words.CONVERTED:
        halves.setdefault((move.order_id or (move.day, move.time),), []).append(move)
        return ()
    if kind == words.TRADE:
        return (_trade(move, numbers),)
    if kind is None:
        raise RowError(f"description {row.cells[5]!r} is not known")
    return (_cash(move, kind),)


def _move(row: Row, numbers: Numbers) -> _Move:
    cells = [cell.strip() for cell in row.cells]
    isin = read_isin(cells[4])
    amount = as_money(numbers.read(cells[8], what="change"), what="change")
    return _Move(
        line=row.line,
        text=row.text,
        day=read_day_first(cells[0])[0],
        time=cells[1],
        security=Security(isin=isin, name=cells[3] or None) if isin else None,
        words=cells[5],
        amount=amount,
        currency=read_currency(cells[7], what="currency of the change"),
        order_id=cells[11],
    )


def _trade(move: _Move, numbers: Numbers) -> Entry:
    found = _TRADE.search(move.words)
    side = words.side_of(found["side"]) if found else None
    if found is None or side is None or move.security is None:
        raise RowError(f"description {move.words!r} is not known")
    if not move.amount:
        raise RowError("a trade without cash: what the company did; enter it as a corporate action or a transfer")
    quantity, price = _numbers_of(found, move, numbers)
    return Entry(
        (move.line,),
        side,
        move.day,
        move.currency,
        security=move.security,
        quantity=as_quantity(quantity),
        price=rounded_price(price),
        amount=abs(move.amount),
        broker_key=move.order_id or None,
    )


def _numbers_of(found: re.Match[str], move: _Move, numbers: Numbers) -> tuple[Decimal, Decimal]:
    """Quantity and price out of the words: of the ways to read them the one whose product is the cash that moved."""
    pence = 100 if found["unit"] == "GBX" else 1
    for mark in (numbers.decimal_mark, ",", "."):
        if mark is None:
            continue
        reader = Numbers(decimal_mark=mark)
        try:
            quantity = reader.read(found["quantity"], what="quantity")
            price = reader.read(found["price"], what="price") / pence
        except RowError:
            continue
        if abs(quantity * price - abs(move.amount)) <= max(Decimal("0.02"), abs(move.amount) / 100):
            return quantity, price
    raise RowError(f"{found[0]!r} does not come to {abs(move.amount):f} {move.currency}")


def _cash(move: _Move, kind: str) -> Entry:
    amount = move.amount
    if kind in {FEE, TAX, words.WITHHOLDING}:
        amount = -amount
    if kind in {words.WITHHOLDING, DIVIDEND}:
        return _dividend_part(move, TAX if kind == words.WITHHOLDING else DIVIDEND, amount)
    if kind == words.DEPOSITED:
        kind, amount = ("DEPOSIT", amount) if amount > 0 else ("WITHDRAWAL", -amount)
    key = move.order_id if kind in {FEE, TAX} and move.order_id else None
    return cash(move.line, kind, move.day, amount, move.currency, note=move.words, broker_key=key)


def _dividend_part(move: _Move, kind: str, amount: Decimal) -> Entry:
    if move.security is None:
        raise RowError("a dividend without an ISIN: enter it by hand")
    if not amount:
        raise LeftOutError("a payment of nothing")
    return Entry(
        (move.line,),
        kind,
        move.day,
        move.currency,
        security=move.security,
        amount=amount,
        note=as_note(move.words),
    )


def _with_fees(entries: Sequence[Entry]) -> list[Entry]:
    """Entries whose fee or tax is in the trade's own currency have it in the trade, as a broker's note would."""
    trades = {_order_of(entry): entry for entry in entries if entry.quantity and entry.broker_key}
    merged: dict[tuple[object, ...], Entry] = {}
    result: list[Entry] = []
    for entry in entries:
        key = _order_of(entry)
        if entry.type not in {FEE, TAX} or key not in trades or (entry.amount or 0) < 0:
            continue
        trade = merged.get(key, trades[key])
        cost, lines = entry.amount or Decimal(0), tuple(sorted((*trade.lines, *entry.lines)))
        fee, tax = (cost, Decimal(0)) if entry.type == FEE else (Decimal(0), cost)
        merged[key] = replace(trade, lines=lines, fee=trade.fee + fee, tax=trade.tax + tax)
        result.append(entry)
    gone = {id(entry) for entry in result}
    by_trade = {id(trade): merged[key] for key, trade in trades.items() if key in merged}
    return [by_trade.get(id(entry), entry) for entry in entries if id(entry) not in gone]


def _order_of(entry: Entry) -> tuple[object, ...]:
    return entry.broker_key, entry.currency, entry.trade_date


def _conversions(halves: dict[tuple[object, ...], list[_Move]], findings: list[Finding]) -> list[Entry]:
    """Each pair of what was given away and what came for it; a half alone is refused."""
    entries = []
    for moves in halves.values():
        given = [move for move in moves if move.amount < 0]
        taken = [move for move in moves if move.amount > 0]
        for out, back in zip(given, taken, strict=False):
            if out.currency == back.currency:
                findings += [
                    Finding(move.line, LEFT_OUT, "moved within one currency", move.text) for move in (out, back)
                ]
                continue
            entries.append(_conversion(out, back))
        for alone in (*given[len(taken) :], *taken[len(given) :]):
            if alone.amount:
                reason = "half of a currency conversion whose other half is missing"
                findings.append(Finding(alone.line, REFUSED, reason, alone.text))
        findings += [
            Finding(move.line, LEFT_OUT, "a conversion of nothing", move.text) for move in moves if not move.amount
        ]
    return entries


def _conversion(out: _Move, back: _Move) -> Entry:
    return Entry(
        tuple(sorted((out.line, back.line))),
        CONVERSION,
        out.day,
        out.currency,
        amount=-out.amount,
        counter_amount=back.amount,
        counter_currency=back.currency,
        broker_key=out.order_id or None,
        note=as_note(out.words),
    )
