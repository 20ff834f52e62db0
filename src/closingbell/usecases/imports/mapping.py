"""From what a file calls a company to our symbol: what a person said, what the file itself tells, else a finding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from closingbell.domain.orders import SHARE_MOVES
from closingbell.errors import UsageError
from closingbell.usecases.imports.entries import PAYMENTS, REFUSED, Entry, Finding, Security

_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,31}")
_NEEDS_SYMBOL = (*SHARE_MOVES, *PAYMENTS)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Entries whose company is known, each with its symbol where it has one; and a finding for every other.

    ``used`` is the part of the mapping that named a company of the file.
    """

    entries: tuple[tuple[Entry, str | None], ...]
    findings: tuple[Finding, ...]
    unmapped: tuple[Security, ...]
    used: Mapping[str, str]


def read_mapping(lines: Sequence[str]) -> dict[str, str]:
    """``ISIN=SYMBOL``, or ``ISIN,SYMBOL`` as in a file, by what stands left; # begins a comment."""
    mapping: dict[str, str] = {}
    for line in lines:
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        left, mark, right = plain.partition("=" if "=" in plain else ",")
        name, symbol = left.strip().strip('"').upper(), right.strip().strip('"').upper()
        if not mark or not name or not _SYMBOL.fullmatch(symbol):
            raise UsageError(f"{plain!r} maps nothing; write ISIN=SYMBOL, as in GB00BH4HKS39=VOD.L")
        mapping[name] = symbol
    return mapping


def map_symbols(entries: Sequence[Entry], mapping: Mapping[str, str]) -> Mapped:
    """Give every entry about a company its symbol; an ISIN that one row names surely is named in all."""
    told = _told_by_file(entries)
    taken: list[tuple[Entry, str | None]] = []
    findings: list[Finding] = []
    unmapped: dict[str, Security] = {}
    used: dict[str, str] = {}
    for entry in entries:
        security = entry.security
        if security is None or entry.type not in _NEEDS_SYMBOL:
            taken.append((entry, None))
            continue
        name = _name_in(mapping, security)
        if name is not None:
            used[name] = mapping[name]
        symbol = mapping[name] if name is not None else security.symbol or told.get(security.isin or "")
        if symbol is None:
            unmapped.setdefault(security.id, security)
            findings += [Finding(line, REFUSED, _no_symbol(security)) for line in entry.lines[:1]]
        elif not _SYMBOL.fullmatch(symbol):
            findings.append(Finding(entry.lines[0], REFUSED, f"symbol {symbol!r} is not a symbol, as in AAPL or VOD.L"))
        else:
            taken.append((entry, symbol))
    return Mapped(tuple(taken), tuple(findings), tuple(unmapped.values()), used)


def _told_by_file(entries: Sequence[Entry]) -> dict[str, str]:
    """ISIN -> symbol where every row that names a symbol for it names the same."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry.security and entry.security.isin and entry.security.symbol:
            found.setdefault(entry.security.isin, set()).add(entry.security.symbol)
    return {isin: symbols.pop() for isin, symbols in found.items() if len(symbols) == 1}


def _name_in(mapping: Mapping[str, str], security: Security) -> str | None:
    """What the mapping calls a company: its ISIN, symbol, ticker or name."""
    names = (security.isin, security.symbol, security.ticker, security.name)
    return next((name.upper() for name in names if name and name.upper() in mapping), None)


def _no_symbol(security: Security) -> str:
    known = [word for word in dict.fromkeys((security.ticker, security.name)) if word and word != security.id]
    told = f"{security.id} ({', '.join(known)})" if known else security.id
    return f'no symbol is known for {told}; say --map "{security.id}=SYMBOL"'
