"""Positions as of a date: of one account with its lots, and of everybody, streamed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from benchmarks.databases import NAMES, new_database
from benchmarks.report import Line, print_lines
from closingbell.domain.entitlements import ONE_SHARE, FractionPolicy
from closingbell.models import Account, Base, Company, CorporateActionRow, Order
from closingbell.stores import positions
from closingbell.stores.bulk import insert_raw, raw_instant
from closingbell.stores.database import Database, open_database
from closingbell.stores.upsert import table_of

ONE_ACCOUNT_MS = 5.0
EVERYBODY_S = 10.0

NOW = datetime(2012, 11, 30, 21, 0, tzinfo=UTC)
ON = date(2012, 11, 30)
FIRST = date(2012, 1, 2)
SPLIT_ON = date(2012, 6, 1)
COMPANIES, ORDERS_EACH, COMPANIES_EACH = 500, 10, 3
# Every fifth company splits two for one, half of the orders before it.
SPLITTING = 5
# Shares that the orders of an account's first, second and third company leave, without and with the split.
LEFT = {False: (11, 15, 18), True: (16, 22, 27)}
_ORDER_COLUMNS = (
    "account_id", "trade_date", "company_id", "type", "executed_at", "quantity", "price", "fee", "currency", "source",
    "source_key", "created_at", "tax", "posted_at",
)  # fmt: skip


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    accounts, asked, turns = (2_000, 50, 1) if quick else (100_000, 300, 3)
    orders = accounts * ORDERS_EACH
    lines: list[Line] = []
    notes = []
    for kind in kinds:
        with _prepared(kind, accounts) as database:
            one = _one_account(database, accounts, asked)
            turns_of = [_everybody(database, accounts) for _ in range(turns)]
        slowest, middle = quantiles(one, n=20)[-1], median(one)
        what = f"one account of {accounts:,}, median"
        lines.append(_line(what, kind, f"{ONE_ACCOUNT_MS:.0f} ms", f"{middle:.2f} ms", middle / ONE_ACCOUNT_MS))
        took_s = median(turn[0] for turn in turns_of)
        what = f"everybody, {orders:,} orders"
        lines.append(_line(what, kind, f"{EVERYBODY_S:.0f} s", f"{took_s:.2f} s", took_s / EVERYBODY_S))
        grown = max(turn[1] for turn in turns_of)
        notes.append(
            f"{NAMES[kind]}: one account {slowest:.2f} ms at the 95th percentile; memory grew by {grown:.1f} MB while "
            f"{accounts * COMPANIES_EACH:,} positions were streamed."
        )
    notes.append("Every position is compared with what the orders leave; a fifth of the companies split in between.")
    print_lines("Positions as of a date", lines, notes)
    return lines


def _line(what: str, kind: str, bar: str, ours: str, ratio: float) -> Line:
    return Line(what, NAMES[kind], bar, ours, ratio, 1.0, at_most=True)


def _one_account(database: Database, accounts: int, asked: int) -> list[float]:
    """Milliseconds for the positions of one account, lots and splits included, on a connection of its own."""
    took = []
    for number in range(asked):
        account_id = 1 + number * 7919 % accounts
        began = time.perf_counter()
        with database.read() as connection:
            holdings = positions.load_holdings(connection, account_id, on=ON)
            found = {id_: facts.position(policy=FractionPolicy.KEEP, on=ON) for id_, facts in holdings.items()}
        took.append((time.perf_counter() - began) * 1000)
        for company_id, position in found.items():
            _require(company_id, account_id, position.quantity)
    # The first ones compile the statements.
    return took[5:]


def _everybody(database: Database, accounts: int) -> tuple[float, float]:
    """Seconds for every position, and by how many megabytes the process grew meanwhile."""
    before_mb = highest_mb = _resident_mb()
    count = 0
    began = time.perf_counter()
    with database.read() as connection:
        for company_id, account_id, quantity in positions.stream_positions(connection, on=ON):
            _require(company_id, account_id, quantity)
            count += 1
            if count % 20_000 == 0:
                highest_mb = max(highest_mb, _resident_mb())
    took_s = time.perf_counter() - began
    if count != accounts * COMPANIES_EACH:
        raise RuntimeError(f"{count} positions of {accounts * COMPANIES_EACH}")
    return took_s, highest_mb - before_mb


def _require(company_id: int, account_id: int, quantity: int) -> None:
    place = _companies(account_id).index(company_id)
    if quantity != LEFT[company_id % SPLITTING == 0][place] * ONE_SHARE:
        raise RuntimeError(f"account {account_id} holds {quantity} of company {company_id}")


def _companies(account_id: int) -> list[int]:
    """The companies of an account."""
    return [1 + (account_id * 7 + place * 101) % COMPANIES for place in range(COMPANIES_EACH)]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def _prepared(kind: str, accounts: int) -> Iterator[Database]:
    """A new database with accounts, companies, splits and orders."""
    with new_database(kind) as url:
        database = open_database(url)
        try:
            Base.metadata.create_all(database.engine)
            _fill(database, accounts)
            _look_at_tables(database)
            yield database
        finally:
            database.dispose()


def _fill(database: Database, accounts: int) -> None:
    with database.write() as connection:
        connection.execute(
            table_of(Company).insert(),
            [
                {"id": id_, "symbol": f"C{id_}", "mic": "XNYS", "currency": "USD", "created_at": NOW}
                for id_ in range(1, COMPANIES + 1)
            ],
        )
        connection.execute(
            table_of(CorporateActionRow).insert(),
            [_split(id_) for id_ in range(SPLITTING, COMPANIES + 1, SPLITTING)],
        )
    for start in range(1, accounts + 1, 10_000):
        stop = min(start + 10_000, accounts + 1)
        with database.write() as connection:
            named = [{"id": id_, "name": f"account {id_}", "created_at": NOW} for id_ in range(start, stop)]
            connection.execute(table_of(Account).insert(), named)
            rows = [row for id_ in range(start, stop) for row in _orders(id_, raw_instant(connection, NOW))]
            insert_raw(connection, Order, _ORDER_COLUMNS, rows, must_be_new=True)


def _split(company_id: int) -> dict[str, object]:
    return {
        "company_id": company_id, "kind": "SPLIT", "kind_group": "SPLIT", "ex_date": SPLIT_ON, "currency": "",
        "numerator": 2, "denominator": 1, "printed": "2:1", "provider": "bench", "pay_date_status": "UNKNOWN",
        "first_seen_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip


def _orders(account_id: int, at: object) -> Iterator[tuple[object, ...]]:
    """Nine purchases and a sale, a month between two of them."""
    companies = _companies(account_id)
    for number in range(ORDERS_EACH):
        is_sale = number == ORDERS_EACH - 1
        yield (
            account_id, FIRST + timedelta(days=30 * number), companies[number % COMPANIES_EACH],
            "SELL" if is_sale else "BUY", at, (1 if is_sale else number + 1) * ONE_SHARE, 100_000_000, 0, "USD",
            "bench", str(number), at, 0, at,
        )  # fmt: skip


def _look_at_tables(database: Database) -> None:
    """What the servers do by themselves within a minute: count what was written, and clear away."""
    statements = {
        "sqlite": ["ANALYZE"],
        "mysql": ["ANALYZE TABLE orders, account, company, corporate_action"],
        "postgresql": ["VACUUM ANALYZE"],
    }
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements[database.dialect]:
            connection.exec_driver_sql(statement)
