"""Entries that belong together: tax kept back from a dividend, and a dividend that was taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from closingbell.usecases.imports.entries import LEFT_OUT, PAYMENTS, REFUSED, TAX, Entry, Finding


def join_withholding(entries: Sequence[Entry]) -> list[Entry]:
    """Put tax that names a company into the dividend of that company, day and currency, the largest if there are more.

    Only rows of one batch are joined: others may come in another export without each other. Tax without such a
    dividend, or more than it, stays an entry of its own.
    """
    taxes: dict[tuple[object, ...], list[Entry]] = defaultdict(list)
    dividends: dict[tuple[object, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.type == TAX and entry.security is not None:
            taxes[_payment_of(entry)].append(entry)
        elif entry.type in PAYMENTS and not entry.is_undone:
            dividends[_payment_of(entry)].append(entry)
    joined: dict[int, Entry] = {}
    gone: set[int] = set()
    for payment, parts in taxes.items():
        total = sum((part.amount or Decimal(0) for part in parts), Decimal(0))
        dividend = max(dividends[payment], key=lambda entry: entry.amount or 0, default=None)
        if dividend is not None and 0 <= total <= (dividend.amount or 0):
            lines = tuple(sorted({*dividend.lines, *(line for part in parts for line in part.lines)}))
            joined[id(dividend)] = replace(dividend, tax=dividend.tax + total, lines=lines)
            gone.update(id(part) for part in parts)
    return [joined.get(id(entry), entry) for entry in entries if id(entry) not in gone]


def _payment_of(entry: Entry) -> tuple[object, ...]:
    return entry.trade_date, entry.currency, _id(entry), entry.batch


def settle_taken_back(entries: Sequence[Entry]) -> tuple[list[Entry], list[Finding]]:
    """Mark the dividend that each one below zero takes back as undone; one that takes back nothing here is refused."""
    open_ones: dict[tuple[object, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.type in PAYMENTS and (entry.amount or 0) > 0:
            open_ones[_same(entry)].append(entry)
    findings: list[Finding] = []
    undone: set[int] = set()
    for back in entries:
        if not _takes_back(back):
            continue
        equal = open_ones[_same(replace(back, amount=-(back.amount or Decimal(0))))]
        if not equal:
            reason = "a dividend taken back that this file does not hold: delete its order, then leave this line out"
            findings.append(Finding(back.lines[0], REFUSED, reason, back.note))
            continue
        first = equal.pop(0)
        undone.add(id(first))
        findings.append(Finding(first.lines[0], LEFT_OUT, f"taken back by line {back.lines[0]}", first.note))
        findings.append(Finding(back.lines[0], LEFT_OUT, f"takes back line {first.lines[0]}", back.note))
    kept = [entry for entry in entries if not _takes_back(entry)]
    return [replace(entry, is_undone=True) if id(entry) in undone else entry for entry in kept], findings


def _takes_back(entry: Entry) -> bool:
    return entry.type in PAYMENTS and (entry.amount or 0) < 0


def _same(entry: Entry) -> tuple[object, ...]:
    return entry.type, entry.currency, _id(entry), entry.amount


def _id(entry: Entry) -> str:
    return entry.security.id if entry.security else ""
