"""Companies that have no sessions any more: closed with their reason, and opened again."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection

from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import closings, companies
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.marks import claim_origin
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name, checked_reason


def close_company(context: JobContext, symbol: str, *, on: date, by: By, why: str) -> CompanyFacts:
    """Expect no bar after ``on`` and ask for none; what it was before. The history stays."""
    who, reason = checked_name(by), checked_reason(why)
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()

    def unit(connection: Connection) -> CompanyFacts:
        company = _find(connection, symbol)
        if company.closed_on == on:
            raise UsageError(f"{company.symbol} is closed on {on} already: {company.closed_reason}")
        closings.store_closed(connection, company.id, on, reason=reason, by=who, now=now)
        write_down(context, connection, by, "close company", company.symbol, f"on {on}: {reason}")
        return company

    return context.database.write_unit(unit)


def reopen_company(context: JobContext, symbol: str, *, by: By, why: str) -> CompanyFacts:
    """Expect and ask for a closed company's bars again; what it was before."""
    who, reason = checked_name(by), checked_reason(why)
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()

    def unit(connection: Connection) -> CompanyFacts:
        company = _find(connection, symbol)
        if company.closed_on is None:
            raise UsageError(f"{company.symbol} is not closed")
        closings.store_reopened(connection, company.id, company.closed_on, by=who, why=reason, now=now)
        write_down(context, connection, by, "reopen company", company.symbol, reason)
        return company

    return context.database.write_unit(unit)


def reopen_if_closed_by_itself(
    connection: Connection, company: CompanyFacts, *, by: str, why: str, now: datetime
) -> bool:
    """Open a company again that no person closed: it was unknown under a name that it no longer has."""
    if company.closed_on is None or not closings.is_closed_by_itself(connection, company.id):
        return False
    closings.store_reopened(connection, company.id, company.closed_on, by=by, why=why, now=now)
    return True


def _find(connection: Connection, symbol: str) -> CompanyFacts:
    company = companies.load_by_symbol(connection, [symbol]).get(symbol)
    if company is None:
        raise UnknownSymbolError(f"no company of that symbol is known here: {symbol}; closingbell symbols lists them")
    return company
