"""Companies that people enter, and what they say of one: its name, and the country that taxes its dividends."""

from __future__ import annotations

import re

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.orders import SYMBOL
from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import companies
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.marks import claim_origin
from closingbell.usecases.audited import in_words, write_down
from closingbell.usecases.reasons import By

_COUNTRY = re.compile(r"[A-Z]{2}")
_LONGEST_NAME = 200


def add_company(
    context: JobContext, symbol: str, *, name: str | None = None, country: str | None = None, by: By | None = None
) -> CompanyFacts:
    """Make a company that is not known yet; raise UsageError for a symbol that is none, or is a company's already."""
    wanted = symbol.strip().upper()
    if not SYMBOL.fullmatch(wanted):
        raise UsageError(f"symbol {symbol.strip()!r} is not a symbol, as in AAPL or VOD.L")
    mic = calendars.mic_of(wanted)
    changes = {"name": _checked_name(name), "country": _checked_country(country)}
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()

    def unit(connection: Connection) -> CompanyFacts:
        known = companies.load_by_symbol(connection, [wanted]).get(wanted)
        if known is not None:
            is_former = "" if known.symbol == wanted else f": it was the name of {known.symbol}"
            raise UsageError(f"a company of the symbol {wanted} is known here already{is_former}")
        companies.store_new(connection, [(wanted, mic)], now=now)
        made = companies.load_by_symbol(connection, [wanted])[wanted]
        if told := {key: one for key, one in changes.items() if one}:
            companies.store_facts(connection, made.id, now=now, **told)
        write_down(context, connection, by, "add company", wanted, in_words(told))
        return made

    return context.database.write_unit(unit)


def change_company(context: JobContext, symbol: str, *, by: By | None = None, **changes: str | None) -> CompanyFacts:
    """Change a company's ``name`` or ``country`` (None: its exchange's); raise UsageError for what cannot be.

    The next answer of a provider that knows its name replaces the name.
    """
    if not changes or changes.keys() - {"name", "country"}:
        raise UsageError("name at least one thing to change: its name, or its country")
    checked = dict(changes)
    if "name" in checked:
        checked["name"] = _checked_name(checked["name"])
    if "country" in checked:
        checked["country"] = _checked_country(checked["country"])
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()

    def unit(connection: Connection) -> CompanyFacts:
        company = companies.load_by_symbol(connection, [symbol]).get(symbol)
        if company is None:
            raise UnknownSymbolError(f"no company of that symbol is known here: {symbol}")
        companies.store_facts(connection, company.id, now=now, **checked)
        write_down(context, connection, by, "edit company", company.symbol, in_words(checked))
        return company

    return context.database.write_unit(unit)


def _checked_name(name: str | None) -> str | None:
    shown = (name or "").strip()
    if len(shown) > _LONGEST_NAME or not shown.isprintable():
        raise UsageError(f"a company's name has up to {_LONGEST_NAME} printable characters")
    return shown or None


def _checked_country(country: str | None) -> str | None:
    code = (country or "").strip().upper()
    if code and not _COUNTRY.fullmatch(code):
        raise UsageError(f"country: {code!r} is not two letters, as in US")
    return code or None
