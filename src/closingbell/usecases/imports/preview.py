"""What an import would do, row by row: the one value that command, API and page show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from closingbell.domain.orders import check_date, check_ranges
from closingbell.errors import UsageError
from closingbell.usecases.imports.entries import (
    DOUBTFUL,
    LEFT_OUT,
    REFUSED,
    Entry,
    Finding,
    Reading,
    Security,
)
from closingbell.usecases.imports.formats import Format
from closingbell.usecases.imports.keys import keys_by_other_names, source_keys
from closingbell.usecases.imports.mapping import map_symbols


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One order that the file holds; ``is_new`` is false for one that the account has from an earlier import."""

    lines: tuple[int, ...]
    type: str
    trade_date: date
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal
    tax: Decimal
    currency: str
    counter_amount: Decimal | None
    counter_currency: str | None
    note: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import does or would do: orders by type, every row, and every finding in the order of the file.

    ``refused_count`` above zero means that nothing is imported. ``unmapped`` are the companies that need a symbol,
    ``mapping`` says which were named by a mapping, given now or remembered.
    """

    account: str
    is_new_account: bool
    format: str
    added_count: int
    known_count: int
    refused_count: int
    left_out_count: int
    doubtful_count: int
    type_counts: Mapping[str, int]
    rows: tuple[PreviewRow, ...]
    findings: tuple[Finding, ...]
    unmapped: tuple[Security, ...]
    mapping: Mapping[str, str]
    new_symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadyEntry:
    """An entry that can be stored: its symbol, its key, and those that it may have come by under another name."""

    entry: Entry
    symbol: str | None
    source_key: str
    other_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A reading after mapping and checks.

    ``undone`` are keys of what later rows take back, by line; ``mapping`` is the part that was used.
    """

    ready: tuple[ReadyEntry, ...]
    findings: tuple[Finding, ...]
    unmapped: tuple[Security, ...]
    undone: Mapping[int, str]
    mapping: Mapping[str, str]


def check_reading(
    reading: Reading,
    form: Format,
    *,
    mapping: Mapping[str, str],
    leave_out: Collection[int],
    latest: Callable[[str | None], date],
    names: Mapping[str, Sequence[str]],
) -> Checked:
    """Map and check what a reader found; lines that a person leaves out count no longer.

    ``latest`` gives the latest date that orders of a symbol, or of cash, may have.
    ``names`` has every name of companies that were renamed, by each of them.
    """
    # Keys first: leaving a line out must not change the number of one that is like it.
    keys = {id(entry): key for entry, key in zip(reading.entries, source_keys(reading.entries, form.name), strict=True)}
    others = keys_by_other_names(reading.entries, form.name, names)
    other_keys = {id(entry): found for entry, found in zip(reading.entries, others, strict=True)}
    kept, findings = _without(reading, frozenset(leave_out))
    mapped = map_symbols([entry for entry in kept if not entry.is_undone], mapping)
    findings += mapped.findings
    ready = []
    for entry, symbol in mapped.entries:
        found = _findings_of(entry, latest(symbol))
        findings += found
        if not any(finding.weight == REFUSED for finding in found):
            ready.append(ReadyEntry(entry, symbol, keys[id(entry)], other_keys[id(entry)]))
    undone = {entry.lines[0]: keys[id(entry)] for entry in kept if entry.is_undone}
    findings.sort(key=lambda finding: finding.line)
    return Checked(tuple(ready), tuple(findings), mapped.unmapped, undone, mapped.used)


def _without(reading: Reading, lines: frozenset[int]) -> tuple[list[Entry], list[Finding]]:
    """Entries and findings apart from these lines, each of which is told instead."""
    gone = [entry for entry in reading.entries if lines & set(entry.lines)]
    found = {line for entry in gone for line in entry.lines} | {finding.line for finding in reading.findings}
    if unknown := sorted(lines - found):
        raise UsageError(f"line {unknown[0]} holds nothing that could be left out")
    kept = [entry for entry in reading.entries if not lines & set(entry.lines)]
    findings = [finding for finding in reading.findings if finding.line not in lines]
    asked = lines | {line for entry in gone for line in entry.lines}
    return kept, [*findings, *(Finding(line, LEFT_OUT, "left out as asked") for line in sorted(asked))]


def _findings_of(entry: Entry, today: date) -> list[Finding]:
    line = entry.lines[0]
    refused = [*check_date(entry.trade_date, today=today), *check_ranges(entry)]
    if refused:
        return [Finding(line, REFUSED, "; ".join(refused))]
    if entry.doubt:
        return [Finding(line, DOUBTFUL, entry.doubt)]
    return _difference(entry)


def _difference(entry: Entry) -> list[Finding]:
    """A trade whose stated amount is not what its shares come to at its price; the amount counts."""
    if entry.amount is None or entry.price is None or not entry.quantity:
        return []
    worth = entry.quantity * entry.price
    # A price of six decimals and an amount in whole cents come to that much beside each other.
    allowed = Decimal("0.01") + entry.quantity * Decimal("0.000001")
    if abs(worth - entry.amount) <= allowed:
        return []
    reason = f"the stated amount {entry.amount:f} counts, not quantity times price, which is {worth.normalize():f}"
    return [Finding(entry.lines[0], DOUBTFUL, reason)]


def preview_of(
    checked: Checked,
    *,
    account: str,
    is_new_account: bool,
    form: str,
    known_keys: Collection[str],
    new_symbols: Sequence[str],
) -> ImportPreview:
    """What storing ``checked`` would do, beside the orders that the account has."""
    rows = tuple(_row(item, is_new=item.source_key not in known_keys) for item in checked.ready)
    weights = Counter(finding.weight for finding in checked.findings)
    types = Counter(row.type for row in rows if row.is_new)
    return ImportPreview(
        account=account,
        is_new_account=is_new_account,
        format=form,
        added_count=types.total(),
        known_count=len(rows) - types.total(),
        refused_count=weights[REFUSED],
        left_out_count=weights[LEFT_OUT],
        doubtful_count=weights[DOUBTFUL],
        type_counts=dict(sorted(types.items())),
        rows=rows,
        findings=checked.findings,
        unmapped=checked.unmapped,
        mapping=dict(sorted(checked.mapping.items())),
        new_symbols=tuple(new_symbols),
    )


def _row(item: ReadyEntry, *, is_new: bool) -> PreviewRow:
    entry = item.entry
    return PreviewRow(
        lines=entry.lines,
        type=entry.type,
        trade_date=entry.trade_date,
        symbol=item.symbol,
        quantity=entry.quantity,
        price=entry.price,
        amount=entry.amount,
        fee=entry.fee,
        tax=entry.tax,
        currency=entry.currency,
        counter_amount=entry.counter_amount,
        counter_currency=entry.counter_currency,
        note=entry.note,
        is_new=is_new,
    )
