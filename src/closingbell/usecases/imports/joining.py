"""Entries that belong together: tax kept back from a dividend, and a dividend that was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from closingbell.usecases.imports.entries import LEFT_OUT, PAYMENTS, REFUSED, TAX, Entry, Finding


def join_withholding(entries: Sequence[Entry]) -> list[Entry]:
    """Put tax that names a company into the dividend of that company, day and currency, the largest if there are more.

    Tax without such a dividend, or more than it, stays an entry of its own.
    """
    taxes: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        if entry.type == TAX and entry.security is not None:
            taxes.setdefault(_payment_of(entry), []).append(entry)
    joined: dict[int, Entry] = {}
    gone: set[int] = set()
    for payment, parts in taxes.items():
        total = sum((part.amount or Decimal(0) for part in parts), Decimal(0))
        dividend = _largest(entries, payment)
        if dividend is not None and 0 <= total <= (dividend.amount or 0):
            lines = tuple(sorted({*dividend.lines, *(line for part in parts for line in part.lines)}))
            joined[id(dividend)] = replace(dividend, tax=dividend.tax + total, lines=lines)
            gone.update(id(part) for part in parts)
    return [joined.get(id(entry), entry) for entry in entries if id(entry) not in gone]


def _payment_of(entry: Entry) -> tuple[object, ...]:
    return entry.trade_date, entry.currency, _id(entry)


def _id(entry: Entry) -> str:
    return entry.security.id if entry.security else ""


def _largest(entries: Sequence[Entry], payment: tuple[object, ...]) -> Entry | None:
    dividends = [entry for entry in entries if entry.type in PAYMENTS and _payment_of(entry) == payment]
    return max(dividends, key=lambda entry: entry.amount or 0, default=None)


def settle_taken_back(entries: Sequence[Entry]) -> tuple[list[Entry], list[Finding]]:
    """Let each dividend below zero undo an equal one of the same company; one that finds none is refused."""
    kept = list(entries)
    findings: list[Finding] = []
    for back in [entry for entry in entries if entry.type in PAYMENTS and (entry.amount or 0) < 0]:
        kept.remove(back)
        undone = _undone_by(back, kept)
        if undone is None:
            reason = (
                "a dividend taken back that this file does not hold: delete its order, then import without this line"
            )
            findings.append(Finding(back.lines[0], REFUSED, reason, back.note))
            continue
        kept.remove(undone)
        findings.append(Finding(undone.lines[0], LEFT_OUT, f"taken back by line {back.lines[0]}", undone.note))
        findings.append(Finding(back.lines[0], LEFT_OUT, f"takes back line {undone.lines[0]}", back.note))
    return kept, findings


def _undone_by(back: Entry, entries: Sequence[Entry]) -> Entry | None:
    for entry in entries:
        is_same = entry.type == back.type and entry.currency == back.currency and _id(entry) == _id(back)
        if is_same and entry.amount == -(back.amount or Decimal(0)):
            return entry
    return None
