"""What tells an order that came before from one that is new: the broker's number, or the row's own facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from closingbell.usecases.imports import orders_csv
from closingbell.usecases.imports.entries import Entry, Security


def source_keys(entries: Sequence[Entry], form: str) -> list[str]:
    """One key for each entry, the same whenever the same file, or one that overlaps it, comes again.

    The n-th of several entries that are alike has its own; what a person maps a company to plays no part.
    """
    seen: dict[str, int] = {}
    keys = []
    for entry in entries:
        facts = _written(entry, form)
        seen[facts] = seen.get(facts, 0) + 1
        keys.append(_key(facts, seen[facts]))
    return keys


def keys_by_other_names(
    entries: Sequence[Entry], form: str, names: Mapping[str, Sequence[str]]
) -> list[tuple[str, ...]]:
    """For each entry the keys that it may have been stored by under any of its company's names.

    ``names`` has all of them for each that a file may use. A broker writes old rows anew once a company is renamed;
    only rows with a number or an ISIN of their own keep their keys then.
    """
    written = [_under_every_name(entry, form, names) for entry in entries]
    alike: dict[tuple[str, ...], int] = {}
    for facts in written:
        alike[facts] = alike.get(facts, 0) + 1
    return [tuple(_key(one, n) for one in facts for n in range(1, alike[facts] + 1)) for facts in written]


def _under_every_name(entry: Entry, form: str, names: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    security = entry.security
    if security is None or security.isin or entry.broker_key:
        return ()
    renamed = (replace(entry, security=Security(name)) for name in names.get(security.symbol or "", ()))
    return tuple(_written(one, form) for one in renamed)


def _written(entry: Entry, form: str) -> str:
    return "|".join(_plain(fact) for fact in _facts(entry, form))


def _key(facts: str, number: int) -> str:
    return hashlib.sha256(f"{facts}|{number}".encode()).hexdigest()


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
