"""Dividends: 100 of them to 1,000 holders each, against the usual loop and against one INSERT … SELECT."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, func, insert, select, text

from benchmarks import baseline_dividends
from benchmarks.databases import NAMES, new_database
from benchmarks.report import Line, print_lines, spread
from closingbell.app import create_app
from closingbell.commands.database import upgrade
from closingbell.config import load_settings
from closingbell.domain.actions import AcceptedKind, Facts, PayDateStatus
from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import Account, Base, Company, DividendPayment, LedgerEntry, Order
from closingbell.models.append_only import protect, unprotect
from closingbell.stores import actions, companies
from closingbell.stores.actions import Change, NewAction
from closingbell.stores.bulk import insert_raw, raw_instant
from closingbell.stores.database import open_database
from closingbell.stores.upsert import table_of
from closingbell.utils.clock import FixedClock

OF_THE_LOOP = 50.0
OF_THE_SET = 0.30
SECOND_RUN_S = 1.0

EX_DATE, PAY_DATE = date(2012, 11, 13), date(2012, 11, 30)
NOW = datetime(2012, 11, 30, 21, 0, tzinfo=UTC)
ORDERS_EACH = 3
_ORDER_COLUMNS = (
    "account_id", "trade_date", "company_id", "type", "executed_at", "quantity", "price", "amount", "fee", "currency",
    "source", "source_key", "created_at", "tax", "posted_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn on one database."""

    loop: float
    ours_credits: float
    ours_rows: float
    set_rows: float
    second_s: float


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    dividends, holders, turns = (10, 200, 1) if quick else (100, 1_000, 3)
    lines: list[Line] = []
    for kind in kinds:
        found = [_turn(kind, dividends, holders) for _ in range(turns)]
        what = f"{dividends} x {holders:,} credits"
        loop, ours = [one.loop for one in found], [one.ours_credits for one in found]
        ratio = median(o / b for o, b in zip(ours, loop, strict=True))
        lines.append(
            Line(f"{what}, credits, the usual loop", NAMES[kind], spread(loop), spread(ours), ratio, OF_THE_LOOP)
        )
        rows, sets = [one.ours_rows for one in found], [one.set_rows for one in found]
        share = median(o / s for o, s in zip(rows, sets, strict=True))
        lines.append(
            Line("the same, rows, one INSERT … SELECT", NAMES[kind], spread(sets), spread(rows), share, OF_THE_SET,
                 as_percent=True)
        )  # fmt: skip
        second = median(one.second_s for one in found)
        lines.append(
            Line(
                "a second run", NAMES[kind], "1 s", f"{second * 1000:.0f} ms", second / SECOND_RUN_S, 1.0, at_most=True
            )
        )
    notes = [
        "A credit of ours is two payments and five ledger entries: owed at the ex-date, paid on the pay date.",
        "Its entitlement is worked out from 3 orders an account and company; the usual loop reads a table of holdings.",
        "After every run the books balance, the cash is the sum of the credits, and the second run wrote no row.",
    ]
    print_lines("Dividends", lines, notes)
    return lines


def _turn(kind: str, dividends: int, holders: int) -> Turn:
    loop = _usual_loop(kind, holders)
    with _prepared(kind, dividends, holders) as context:
        began = time.perf_counter()
        summary = process_dividends(context)
        took_s = time.perf_counter() - began
        if summary.status is not RunStatus.SUCCESS:
            raise RuntimeError(f"not a measurement: {summary.message}")
        rows = _check(context, dividends, holders)
        second_s = _second_run(context)
        set_s = _set_based(context)
    credits = dividends * holders
    return Turn(loop, credits / took_s, rows / took_s, rows / set_s, second_s)


def _usual_loop(kind: str, holders: int) -> float:
    """Credits a second of the usual design, over two dividends."""
    with new_database(kind) as url:
        database = open_database(url)
        try:
            baseline_dividends.set_up(database.engine, dividends=2, holders=min(holders, 1_000))
            took = baseline_dividends.pay(database.engine)
        finally:
            database.dispose()
    return took.credits / took.wall_s


@contextmanager
def _prepared(kind: str, dividends: int, holders: int) -> Iterator[JobContext]:
    """The application on a new database with its companies, accounts, orders and dividends."""
    with new_database(kind) as url, TemporaryDirectory() as folder:
        app = create_app(load_settings(database_url=url, instance_path=Path(folder), cache_dir=Path(folder)))
        context: JobContext = replace(app.extensions[EXTENSION], clock=FixedClock(NOW), application=None)
        with app.app_context():
            upgrade(app)
        try:
            context.database.write_unit(lambda connection: _fill(connection, dividends, holders))
            yield context
        finally:
            context.database.dispose()


def _fill(connection: Connection, dividends: int, holders: int) -> None:
    symbols = [f"C{number:05d}" for number in range(1, dividends + 1)]
    companies.store_new(connection, [(symbol, "XNYS") for symbol in symbols], now=NOW)
    connection.execute(table_of(Company).update().values(currency="USD", country="US"))
    connection.execute(
        insert(Account),
        [{"name": f"A{n:05d}", "currency": "USD", "residence": "DE", "created_at": NOW} for n in range(holders)],
    )
    company_ids = list(connection.scalars(select(Company.id).order_by(Company.id)))
    account_ids = list(connection.scalars(select(Account.id).order_by(Account.id)))
    change = Change("bench", "bench", "told", NOW)
    for company_id in company_ids:
        facts = Facts(
            kind=AcceptedKind.CASH,
            ex_date=EX_DATE,
            currency="USD",
            amount=Decimal("0.23"),
            pay_date=PAY_DATE,
            pay_date_status=PayDateStatus.CONFIRMED,
        )
        actions.store_new(connection, NewAction(company_id, facts, change))
    at = raw_instant(connection, NOW)
    days = [EX_DATE - timedelta(days=30 * (number + 1)) for number in range(ORDERS_EACH)]
    rows = [
        (account_id, day, company_id, "BUY", at, (10 + number) * 10**10, 20 * 10**6, None, 0, "USD", "bench",
         f"{company_id}/{number}", at, 0, at)
        for company_id in company_ids
        for account_id in account_ids
        for number, day in enumerate(days)
    ]  # fmt: skip
    insert_raw(connection, Order, _ORDER_COLUMNS, rows, must_be_new=True)


def _check(context: JobContext, dividends: int, holders: int) -> int:
    """Rows that the run wrote; raise when the books are not what they must be."""
    shares = sum(10 + number for number in range(ORDERS_EACH))
    gross = Decimal("0.23") * shares
    net = gross - (gross * Decimal("0.15")).quantize(Decimal("0.01"))
    with context.database.read() as connection:
        entry = table_of(LedgerEntry).c
        sums = dict(connection.execute(select(entry.name, func.sum(entry.amount)).group_by(entry.name)).tuples().all())
        paid = connection.scalar(select(func.count()).select_from(DividendPayment))
        booked = connection.scalar(select(func.count()).select_from(LedgerEntry))
    credits = dividends * holders
    if sums["Cash"] != net * credits or sum(sums.values()) != 0 or sums["Receivable"] != 0:
        raise RuntimeError(f"the books are wrong: {sums}")
    if (paid, booked) != (2 * credits, 5 * credits):
        raise RuntimeError(f"{paid} payments and {booked} entries")
    return 7 * credits


def _second_run(context: JobContext) -> float:
    before = _everything(context)
    began = time.perf_counter()
    summary = process_dividends(context)
    took_s = time.perf_counter() - began
    if _everything(context) != before or summary.items:
        raise RuntimeError("the second run wrote something")
    return took_s


def _everything(context: JobContext) -> dict[str, tuple[object, ...]]:
    """Rows and the sum of balances of every table but those of runs themselves."""
    counts: dict[str, tuple[object, ...]] = {}
    with context.database.read() as connection:
        for table in Base.metadata.sorted_tables:
            if not table.name.startswith("job_"):
                counts[table.name] = (connection.scalar(select(func.count()).select_from(table)),)
        total = connection.scalar(select(func.sum(LedgerEntry.amount)).where(LedgerEntry.name == "Cash"))
    counts["cash"] = (total,)
    return counts


def _set_based(context: JobContext) -> float:
    """How long one INSERT … SELECT per table takes for the same rows into the same, emptied, tables."""
    dialect = context.database.dialect
    tables = (DividendPayment, LedgerEntry)
    with context.database.write() as connection:
        for model in tables:
            name = model.__tablename__
            connection.execute(text(f"CREATE TABLE precomputed_{name} AS SELECT * FROM {name}"))
    with context.database.write() as connection:
        for statement in unprotect("ledger_entry", dialect):
            connection.execute(text(statement))
        if dialect == "mysql":
            connection.execute(text("SET foreign_key_checks = 0"))
        for model in tables:
            emptied = "DELETE FROM" if dialect == "sqlite" else "TRUNCATE"
            connection.execute(text(f"{emptied} {model.__tablename__}"))
        if dialect == "mysql":
            connection.execute(text("SET foreign_key_checks = 1"))
        for statement in protect("ledger_entry", dialect):
            connection.execute(text(statement))
    began = time.perf_counter()
    with context.database.write() as connection:
        for model in tables:
            name = model.__tablename__
            connection.execute(text(f"INSERT INTO {name} SELECT * FROM precomputed_{name} ORDER BY id"))
    return time.perf_counter() - began
