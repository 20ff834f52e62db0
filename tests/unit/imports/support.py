"""Readings in words, so that a test states what a file becomes."""

from __future__ import annotations

from decimal import Decimal

from closingbell.usecases.imports.entries import Entry, Reading


def told(reading: Reading) -> list[str]:
    """Every entry as ``2 BUY 2024-01-02 AAPL 10 at 185.5 = 1855 USD fee 1``, in the order of the file."""
    return [_told(entry) for entry in reading.entries]


def found(reading: Reading) -> list[str]:
    """Every finding as ``3 refused: why``."""
    return [f"{finding.line} {finding.weight}: {finding.reason}" for finding in reading.findings]


def _told(entry: Entry) -> str:
    words = ["+".join(str(line) for line in entry.lines), entry.type, str(entry.trade_date)]
    if entry.security is not None:
        words.append(entry.security.symbol or f"?{entry.security.id}")
    if entry.quantity is not None:
        words.append(_number(entry.quantity))
    if entry.price is not None:
        words.append(f"at {_number(entry.price)}")
    if entry.amount is not None:
        words.append(f"= {_number(entry.amount)}")
    words.append(entry.currency)
    if entry.counter_amount is not None:
        words.append(f"for {_number(entry.counter_amount)} {entry.counter_currency}")
    words += [f"{name} {_number(cost)}" for name, cost in (("fee", entry.fee), ("tax", entry.tax)) if cost]
    words += ["undone"] if entry.is_undone else []
    return " ".join(words)


def _number(value: Decimal) -> str:
    return format(value.normalize(), "f")
