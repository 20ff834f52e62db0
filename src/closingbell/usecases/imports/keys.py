"""What tells an order that came before from one that is new: the broker's number, or the row's own facts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from closingbell.usecases.imports import orders_csv
from closingbell.usecases.imports.entries import Entry


def source_keys(entries: Sequence[Entry], form: str) -> list[str]:
    """One key for each entry, the same whenever the same file, or one that overlaps it, comes again.

    The n-th of several entries that are alike has its own; what a person maps a company to plays no part.
    """
    seen: dict[str, int] = {}
    keys = []
    for entry in entries:
        facts = "|".join(_plain(fact) for fact in _facts(entry, form))
        seen[facts] = seen.get(facts, 0) + 1
        keys.append(hashlib.sha256(f"{facts}|{seen[facts]}".encode()).hexdigest())
    return keys


def _facts(entry: Entry, form: str) -> tuple[Any, ...]:
    if entry.broker_key:
        return form, entry.broker_key, entry.type, entry.trade_date
    # A price that was worked out of the amount says nothing more than the amount.
    price = entry.price if entry.amount is None or form == orders_csv.NAME else None
    named = entry.security.id if entry.security else None
    facts: tuple[Any, ...] = (entry.trade_date, entry.type, named, entry.quantity, price, entry.amount, entry.fee)
    facts += (entry.currency, entry.executed_at)
    if entry.tax or entry.counter_amount:
        facts += (entry.tax, entry.counter_amount, entry.counter_currency)
    return facts if form == orders_csv.NAME else (form, *facts)


def _plain(fact: Any) -> str:
    # 10 and 10.00 are one number however they were typed.
    return format(fact.normalize(), "f") if isinstance(fact, Decimal) else str(fact)
