"""Watching companies: whose prices are followed through the session although nobody trades them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.jobs.context import JobContext
from closingbell.stores import companies, marks, watching
from closingbell.stores.watching import Watched
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name


def watch(context: JobContext, symbols: Sequence[str], *, by: By) -> list[str]:
    """Watch these companies, making those that are not known here; return the symbols that nobody watched before.

    Raise UsageError for a symbol whose exchange is not known.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()
    pairs = [(symbol, calendars.mic_of(symbol)) for symbol in symbols]

    def unit(connection: Connection) -> list[str]:
        already = {row.symbol for row in watching.load_watched(connection)}
        companies.store_new(connection, pairs, now=now)
        known = companies.load_by_symbol(connection, symbols)
        watching.store_watched(connection, sorted({facts.id for facts in known.values()}), by=checked_name(by), now=now)
        new = [symbol for symbol in symbols if known[symbol].symbol not in already]
        if new:
            write_down(context, connection, by, "watch", ", ".join(new))
        return new

    return context.database.write_unit(unit)


def unwatch(context: JobContext, symbols: Sequence[str], *, by: By | None = None) -> list[str]:
    """Stop watching these companies; return the symbols that were watched. What is stored of them stays."""

    def unit(connection: Connection) -> list[str]:
        known = companies.load_by_symbol(connection, symbols)
        gone = [
            symbol for symbol in symbols if symbol in known and watching.remove_watched(connection, known[symbol].id)
        ]
        if gone:
            write_down(context, connection, by, "unwatch", ", ".join(gone))
        return gone

    marks.require_tables(context.database)
    return context.database.write_unit(unit)


def load_watched(context: JobContext) -> list[Watched]:
    """The companies watched, by symbol."""
    marks.require_tables(context.database)
    with context.database.read() as connection:
        return watching.load_watched(connection)
