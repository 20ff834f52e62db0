"""Two rows of one company made one: what the newer has goes to the older, unless something stands in the way."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update

from closingbell.domain.bars import Bar, same_bar
from closingbell.models import Base, Company, HoldingChoice, MinuteBar, PriceHistory, WatchedCompany
from closingbell.stores import dividend_progress, prices, summaries
from closingbell.stores.companies import SHADOW
from closingbell.stores.upsert import table_of

# Rows that go over as they are.
MOVED = (
    "orders",
    "job_log_item",
    "price_revision",
    "quarantined_bar",
    "company_decision",
    "price_history",
    "minute_bar",
)
# What is worked out anew from other rows.
DROPPED = ("price_coverage", "price_gap", "price_summary", "unknown_symbol")
_MOVED_ONCE = ("watched_company", "holding_choice")
# Notes about the newer alone; the older gets its own.
FORGOTTEN = ("dividend_recheck", "dividend_progress")
# What is never changed, whatever happens: it goes on naming the newer, which then stays as a shadow of the older.
KEPT = ("ledger_entry",)


def find_in_the_way(connection: Connection, company_id: int) -> list[str]:
    """The tables in which a company has rows that nobody may move, in words."""
    return [
        table.name.replace("_", " ")
        for table in _tables_of_companies()
        if table.name not in (*MOVED, *DROPPED, *FORGOTTEN, *_MOVED_ONCE, *KEPT)
        and _count(connection, table, company_id)
    ]


def find_different_bar(connection: Connection, older: int, newer: int) -> tuple[Bar, Bar] | None:
    """The first session on which the two have different bars."""
    stored = prices.load_bars(connection, {older: date.min, newer: date.min})
    ours, theirs = stored.get(older, {}), stored.get(newer, {})
    both = sorted(ours.keys() & theirs.keys())
    return next(
        ((ours[day].bar, theirs[day].bar) for day in both if not same_bar(ours[day].bar, theirs[day].bar)), None
    )


def merge_companies(connection: Connection, older: int, newer: int, *, now: datetime) -> None:
    """Move everything of ``newer`` to ``older`` and take ``newer`` away; what both have stays as the older has it.

    Where the ledger names it, ``newer`` stays under a name that nothing else can have. With its orders the positions
    of ``older`` change, so what was booked for its corporate actions is looked at again.
    """
    for table, key in ((table_of(PriceHistory), "date"), (table_of(MinuteBar), "at")):
        held = select(table.c[key]).where(table.c.company_id == older)
        # Read first: MySQL deletes from no table that it looks into for that.
        both = list(connection.scalars(select(table.c[key]).where(table.c.company_id == newer, table.c[key].in_(held))))
        for value in both:
            connection.execute(delete(table).where(table.c.company_id == newer, table.c[key] == value))
    _move_watching(connection, older, newer)
    _move_choices(connection, older, newer)
    for table in _tables_of_companies():
        if table.name in MOVED:
            connection.execute(update(table).where(table.c.company_id == newer).values(company_id=older))
        elif table.name in FORGOTTEN:
            connection.execute(delete(table).where(table.c.company_id == newer))
        elif table.name in DROPPED:
            connection.execute(delete(table).where(table.c.company_id.in_((older, newer))))
    summaries.rebuild(connection, [older])
    if any(_count(connection, table, newer) for table in _tables_of_companies() if table.name in KEPT):
        shadow = Company.symbol.concat(f"{SHADOW}{newer}")
        connection.execute(update(Company).where(Company.id == newer).values(symbol=shadow))
    else:
        connection.execute(delete(Company).where(Company.id == newer))
    dividend_progress.mark(connection, [(older, None)], reason=dividend_progress.ORDERS_CHANGED, now=now)


def _count(connection: Connection, table: Table, company_id: int) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(table.c.company_id == company_id)) or 0


def _move_watching(connection: Connection, older: int, newer: int) -> None:
    watched = WatchedCompany

    def of(company_id: int) -> ColumnElement[bool]:
        return watched.company_id == company_id

    if connection.scalar(select(watched.company_id).where(of(older))) is None:
        connection.execute(update(watched).where(of(newer)).values(company_id=older))
    else:
        connection.execute(delete(watched).where(of(newer)))


def _move_choices(connection: Connection, older: int, newer: int) -> None:
    """What accounts choose for the company; who chose for both keeps the choice for the older."""
    row = HoldingChoice
    both = list(connection.scalars(select(row.account_id).where(row.company_id == older)))
    connection.execute(delete(row).where(row.company_id == newer, row.account_id.in_(both)))
    connection.execute(update(row).where(row.company_id == newer).values(company_id=older))


def _tables_of_companies() -> list[Table]:
    """Every table with a company in it."""
    return [table for table in Base.metadata.sorted_tables if "company_id" in table.c]
