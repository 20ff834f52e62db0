"""A company that is called otherwise from a day on: its history stays, and every name finds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.money import plain, price_to_decimal
from closingbell.domain.symbols import DatedName, renamed
from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import companies, decisions, job_log, merging, symbols
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.marks import claim_origin
from closingbell.usecases.audited import write_down
from closingbell.usecases.closing import reopen_if_closed_by_itself
from closingbell.usecases.reasons import By, checked_name, checked_reason


@dataclass(frozen=True, slots=True)
class Renaming:
    """What a renaming did: whether a company that had the new name already was made one with it, and reopened."""

    old: str
    new: str
    since: date
    is_merged: bool
    is_reopened: bool


def rename_symbol(context: JobContext, old: str, new: str, *, since: date, by: By, why: str) -> Renaming:
    """Call a company ``new`` from a day on; raise UsageError with the way out where that would mix two companies.

    A company that is known here under the new name already is made one with it when nothing speaks against it.
    """
    who, reason = checked_name(by), checked_reason(why)
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    if old == new:
        raise UsageError(f"{old} is its name already")
    mic = calendars.mic_of(new)
    now = context.clock.now()

    def unit(connection: Connection) -> Renaming:
        company = _find(connection, old)
        if mic != company.mic:
            raise UsageError(f"{new} is listed on {mic} and {old} on {company.mic}: another listing is another company")
        other = companies.load_by_symbol(connection, [new]).get(new)
        is_other = other is not None and other.id != company.id
        if is_other and other is not None:
            _require_free(context, connection, company, other, new)
            merging.merge_companies(connection, company.id, other.id, now=now)
        names = _names(connection, company, new, since)
        symbols.store_own_names(connection, company.id, names)
        detail = f"from {old} to {new}"
        decisions.store_decision(
            connection, company.id, decisions.RENAMED, since, detail=detail, by=who, why=reason, now=now
        )
        is_reopened = reopen_if_closed_by_itself(connection, company, by=who, why=f"renamed to {new}", now=now)
        write_down(context, connection, by, "rename company", old, f"{new} since {since}: {reason}")
        return Renaming(old, new, since, is_other, is_reopened)

    return context.database.write_unit(unit)


def set_provider_symbol(
    context: JobContext, symbol: str, provider: str, name: str, *, since: date, by: By, why: str
) -> None:
    """Write down what a provider calls a company from a day on."""
    who, reason = checked_name(by), checked_reason(why)
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now: datetime = context.clock.now()

    def unit(connection: Connection) -> None:
        company = companies.load_by_symbol(connection, [symbol]).get(symbol)
        if company is None:
            raise UnknownSymbolError(f"no company of that symbol is known here: {symbol}")
        symbols.store_provider_symbol(connection, company.id, provider, name, since=since)
        detail = f"{provider} calls it {name}"
        decisions.store_decision(
            connection, company.id, decisions.PROVIDER_SYMBOL, since, detail=detail, by=who, why=reason, now=now
        )
        write_down(context, connection, by, "map symbol", company.symbol, f"{detail} since {since}: {reason}")

    context.database.write_unit(unit)


def _find(connection: Connection, old: str) -> CompanyFacts:
    """The company whose newest name is ``old``."""
    company = companies.load_by_symbol(connection, [old]).get(old)
    if company is None:
        raise UnknownSymbolError(f"no company of that symbol is known here: {old}; closingbell symbols lists them")
    if company.symbol != old:
        raise UsageError(f"{old} is a former name of {company.symbol}; rename {company.symbol} if it changed again")
    return company


def _names(connection: Connection, company: CompanyFacts, new: str, since: date) -> list[DatedName]:
    try:
        return renamed(symbols.load_own_names(connection, company.id), company.symbol, new, since)
    except ValueError as error:
        raise UsageError(f"{error}; a later renaming needs a later date") from None


def _require_free(
    context: JobContext, connection: Connection, company: CompanyFacts, other: CompanyFacts, new: str
) -> None:
    """Raise UsageError unless what is stored under the new name can only be of the same company."""
    if other.symbol != new:
        raise UsageError(f"{new} is a former name of {other.symbol}, which is another company")
    if symbols.load_own_names(connection, other.id):
        raise UsageError(f"{new} is another company: it was renamed itself; closingbell symbols shows its names")
    if None not in {company.currency, other.currency} and company.currency != other.currency:
        raise UsageError(f"{new} is another company: its prices are in {other.currency}, not in {company.currency}")
    if (found := merging.find_different_bar(connection, company.id, other.id)) is not None:
        ours, theirs = found
        closes = [plain(price_to_decimal(bar.close)) for bar in found]
        raise UsageError(
            f"{new} is known here as another company: on {ours.date} it closed at {closes[1]}, "
            f"and {company.symbol} at {closes[0]}; nothing was changed"
            if ours.close != theirs.close
            else f"{new} is known here as another company: its bar of {ours.date} differs; nothing was changed"
        )
    if in_the_way := merging.find_in_the_way(connection, other.id):
        raise UsageError(
            f"{new} is known here as a company with records of its own ({', '.join(in_the_way)}), which are not moved; "
            f"keep both, and close the old one: closingbell close-company {company.symbol} --on DATE --why ..."
        )
    wall = context.wall.now()
    if active := [run for run in job_log.load_active(connection) if job_log.why_orphaned(run, wall) is None]:
        raise UsageError(
            f"run {active[0].id} of {active[0].job_name} is under way and may be storing prices of {new}; "
            "rename when it has ended"
        )
