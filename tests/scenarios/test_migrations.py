"""The tables: made, taken down and made again, alike on every database, and as the models say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError

from closingbell.commands.database import alembic_for, upgrade
from closingbell.domain.days import StoredDays
from closingbell.models import (
    Account,
    Base,
    CorporateActionRow,
    CorporateActionSourceRow,
    CorporateActionVersion,
    LedgerEntry,
    PriceHistory,
    RunTotal,
)
from closingbell.models.types import ScaledDecimal, UtcDateTime
from closingbell.stores import summaries
from closingbell.stores.summaries import NewestBar, Summary
from closingbell.stores.upsert import table_of
from tests.app_fixtures import House, item

Schema = dict[str, dict[str, Any]]


@pytest.fixture
def empty(database_url: str, houses: Callable[..., House], no_waits: None) -> House:
    """A house on a database without tables."""
    return houses(database_url, "2012-11-30 16:31")


def schema(engine: Engine) -> Schema:
    """Tables with their columns, keys and indexes, as the database itself describes them."""
    found = inspect(engine)

    def indexes(table: str) -> list[Any]:
        return sorted((i["name"] or "", tuple(i["column_names"]), bool(i["unique"])) for i in found.get_indexes(table))

    def foreign_keys(table: str) -> list[Any]:
        return sorted((tuple(f["constrained_columns"]), f["referred_table"]) for f in found.get_foreign_keys(table))

    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "indexes": indexes(table),
            "unique": sorted((u["name"] or "", tuple(u["column_names"])) for u in found.get_unique_constraints(table)),
            "foreign": foreign_keys(table),
        }
        for table in found.get_table_names()
    }


def test_init_db_on_an_empty_database_makes_every_table(empty: House) -> None:
    result = empty.command("init-db")

    assert result.exit_code == 0
    assert result.stdout.endswith(": tables are ready\n")
    assert set(schema(empty.context.database.engine)) == {*Base.metadata.tables, "alembic_version"}


def test_init_db_again_changes_nothing(empty: House) -> None:
    empty.command("init-db")
    before = schema(empty.context.database.engine)

    result = empty.command("init-db")

    assert (result.exit_code, result.stdout.endswith(": already up to date\n")) == (0, True)
    assert schema(empty.context.database.engine) == before


def test_migrations_lead_to_what_the_models_say(empty: House) -> None:
    empty.command("init-db")

    with empty.context.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": _is_other_type, "target_metadata": Base.metadata}
        )
        differences = compare_metadata(context, Base.metadata)

    assert [change for change in differences if "alembic_version" not in str(change)] == []


def _is_other_type(_context: Any, _inspected: Any, _column: Any, inspected_type: Any, model_type: Any) -> bool | None:
    """Our own types are compared by what they are kept as."""
    if isinstance(model_type, ScaledDecimal | UtcDateTime):
        return False if model_type.impl.python_type is inspected_type.python_type else None
    return None


def test_way_down_leaves_nothing_and_the_way_up_again_the_same(empty: House) -> None:
    empty.command("init-db")
    first = schema(empty.context.database.engine)

    with empty.app.app_context():
        alembic_for(empty.app).downgrade("base")
    assert set(schema(empty.context.database.engine)) - {"alembic_version"} == set()
    with empty.app.app_context():
        assert upgrade(empty.app) is True

    assert schema(empty.context.database.engine) == first


def test_each_step_goes_down_and_up_alone(empty: House) -> None:
    with empty.app.app_context():
        alembic = alembic_for(empty.app)
        steps = [script.revision for script in alembic.script_directory.walk_revisions()][::-1]
        for revision in steps:
            alembic.upgrade(revision)
            here = schema(empty.context.database.engine)
            alembic.downgrade(f"{revision}@base" if revision == steps[0] and len(steps) == 1 else -1)
            alembic.upgrade(revision)
            assert schema(empty.context.database.engine) == here


def test_older_database_is_brought_up_to_date_with_its_rows(empty: House) -> None:
    with empty.app.app_context():
        alembic_for(empty.app).upgrade("0001")
    with empty.context.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO company (id, symbol, mic, created_at) VALUES (7, 'IBM', 'XNYS', '2012-11-29 00:00:00')"
        )

    result = empty.command("init-db")

    assert result.exit_code == 0
    assert empty.company("IBM").id == 7
    assert item(empty.refresh("IBM"), "IBM").stored_count == 5


def test_orders_that_are_there_are_posted(empty: House) -> None:
    with empty.app.app_context():
        alembic_for(empty.app).upgrade("0006")
    moment = "'2012-11-29 00:00:00'"
    with empty.context.database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO account (id, name, created_at) VALUES (7, 'Ann', {moment})")
        connection.exec_driver_sql(
            "INSERT INTO orders (account_id, type, trade_date, executed_at, amount, fee, currency, source, source_key,"
            f" created_at) VALUES (7, 'DEPOSIT', '2012-09-04', {moment}, 1234500, 0, 'EUR', 'csv', 'a', {moment})"
        )

    result = empty.command("init-db")

    assert result.stdout.startswith("the ledger was brought up to 1 order\n")
    assert [(row.name, str(row.amount)) for row in empty.rows(LedgerEntry)] == [
        ("Cash", "123.4500"),
        ("Equity:Deposits", "-123.4500"),
    ]
    assert [(row.name, row.currency) for row in empty.rows(Account)] == [("Ann", "EUR")]


@pytest.mark.parametrize("statement", ["UPDATE ledger_entry SET amount = amount + 1", "DELETE FROM ledger_entry"])
def test_database_itself_refuses_to_change_an_entry(empty: House, statement: str) -> None:
    empty.command("init-db")
    empty.orders("2012-09-04,DEPOSIT,,,100,0,USD")
    before = empty.rows(LedgerEntry)

    with pytest.raises(DBAPIError, match="never changed or removed"), empty.context.database.write() as connection:
        connection.exec_driver_sql(statement)

    assert len(before) == 2
    assert empty.rows(LedgerEntry) == before


def test_summaries_of_bars_that_are_there_already_are_made(empty: House) -> None:
    with empty.app.app_context():
        alembic_for(empty.app).upgrade("0007")
    bars = ", ".join(
        f"(7, '2012-11-{day}', 1, 9, 1, {day}000000, 5, {settled}, 'yahoo', '2012-11-30 21:31:00', {flag})"
        for day, settled, flag in (
            ("28", "true", "NULL"),
            ("29", "false", "'jump'"),
            ("30", "false", "'intraday'"),
        )
    )
    quote = empty.context.database.engine.dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, table_of(PriceHistory).columns.keys()))
    with empty.context.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO company (id, symbol, mic, created_at) VALUES (7, 'IBM', 'XNYS', '2012-11-29 00:00:00'), "
            "(8, 'FB', 'XNAS', '2012-11-29 00:00:00')"
        )
        connection.exec_driver_sql(f"INSERT INTO price_history ({columns}) VALUES {bars}")

    assert empty.command("init-db").exit_code == 0

    with empty.context.database.read() as connection:
        made = summaries.load_summaries(connection, [7, 8])
    newest = NewestBar(date(2012, 11, 30), 30_000_000, False, "yahoo", datetime(2012, 11, 30, 21, 31, tzinfo=UTC))
    days = [(date(2012, 11, 28), True), (date(2012, 11, 29), False)]
    assert made == {7: Summary(newest, StoredDays.of(days))}
    assert empty.drifted() == []


def test_runs_of_before_are_counted(empty: House) -> None:
    with empty.app.app_context():
        alembic_for(empty.app).upgrade("0019")
    columns = "id, job_name, status, started_at, completed_at, fire_time, attempt"
    begun = (
        "stocks_processed, stocks_failed, `trigger`, owner, heartbeat_at, expected_count, covered_count, request_count"
    )
    if empty.context.database.dialect != "mysql":
        begun = begun.replace("`", '"')
    rest = "2, 1, 'schedule', 'host:1:1', '2012-11-30 21:30:00', 1, 1, 3"
    runs = (
        "1, 'daily', 'SUCCESS', '2012-11-29 21:30:02', '2012-11-29 21:30:47', '2012-11-29 21:30:00', 1",
        "2, 'daily', 'FAILED', '2012-11-30 21:30:01', '2012-11-30 23:30:01', '2012-11-30 21:30:00', 1",
        "3, 'daily', 'SUCCESS', '2012-11-30 23:40:00', '2012-11-30 23:40:01', '2012-11-30 21:30:00', 2",
        "4, 'sweep', 'PARTIAL', '2012-11-30 23:00:00', '2012-11-30 23:00:45', NULL, 1",
        "5, 'daily', 'RUNNING', '2012-12-03 21:30:00', NULL, '2012-12-03 21:30:00', 1",
    )
    items = (
        "(1, 'IBM', 'stored'), (2, 'IBM', 'failed'), (3, 'IBM', 'stored'), (4, 'FB', 'missing'), (5, 'IBM', 'stored')"
    )
    made = items.replace("')", "', 1, 1, 1, 0, 0, 1, 9)")
    with empty.context.database.write() as connection:
        for run in runs:
            connection.exec_driver_sql(f"INSERT INTO job_log ({columns}, {begun}) VALUES ({run}, {rest})")
        connection.exec_driver_sql(
            "INSERT INTO job_log_item (job_log_id, symbol, outcome, expected_count, covered_count, stored_count, "
            f"changed_count, quarantined_count, attempt_count, duration_ms) VALUES {made}"
        )

    assert empty.command("init-db").exit_code == 0

    # The one that goes on counts when it ends.
    assert {(row.kind, row.job_name, row.label): row.amount for row in empty.rows(RunTotal, order="kind")} == {
        ("runs", "daily", "success"): 2,
        ("runs", "daily", "failed"): 1,
        ("runs", "sweep", "partial"): 1,
        ("symbols", "daily", "stored"): 2,
        ("symbols", "daily", "failed"): 1,
        ("symbols", "sweep", "missing"): 1,
        ("duration", "daily", "1"): 1,
        ("duration", "daily", "60"): 1,
        ("duration", "daily", "inf"): 1,
        ("duration", "sweep", "60"): 1,
        ("duration_ms", "daily", ""): 7_246_000,
        ("duration_ms", "sweep", ""): 45_000,
        ("lateness", "daily", "1"): 1,
        ("lateness", "daily", "5"): 1,
        ("lateness_ms", "daily", ""): 3_000,
    }


def test_actions_of_before_are_kept_with_their_versions(empty: House) -> None:
    with empty.app.app_context():
        alembic_for(empty.app).upgrade("0003")
    action = (
        "INSERT INTO corporate_action (id, company_id, kind, ex_date, currency, seq, amount, numerator, denominator, "
    )
    action += "printed, provider, first_seen_at, last_seen_at) VALUES "
    seen = "'yahoo', '2012-11-29 00:00:00', '2012-11-30 00:00:00')"
    with empty.context.database.write() as connection:
        for statement in (
            "INSERT INTO company (id, symbol, mic, created_at) VALUES (7, 'IBM', 'XNYS', '2012-11-29 00:00:00')",
            f"{action} (1, 7, 'DIVIDEND', '2012-11-07', 'USD', 0, 8600000000, NULL, NULL, '0.86', {seen}",
            f"{action} (2, 7, 'CAPITAL_GAIN', '2012-11-07', 'USD', 0, 5000000000, NULL, NULL, '0.5', {seen}",
            f"{action} (3, 7, 'SPLIT', '1999-05-27', '', 0, NULL, 2, 1, '2:1', {seen}",
            f"{action} (4, 7, 'SPLIT', '2021-11-04', '', 0, NULL, 523, 500, '1046:1000', {seen}",
            "INSERT INTO corporate_action_revision (id, corporate_action_id, old_amount, new_amount, new_printed, "
            "provider, noticed_at) VALUES (1, 1, 8500000000, 8600000000, '0.86', 'yahoo', '2012-11-30 00:00:00')",
        ):
            connection.exec_driver_sql(statement)

    assert empty.command("init-db").exit_code == 0

    rows = empty.rows(CorporateActionRow)
    assert [(row.kind, row.kind_group, row.held_code, row.version) for row in rows] == [
        ("CASH", "CASH", None, 2),
        ("CAP_GAIN", "GAIN", None, 1),
        ("SPLIT", "SPLIT", None, 1),
        ("SPIN_OFF", "SPLIT", "SPIN_OFF_SUSPECT", 1),
    ]
    versions = [one for one in empty.rows(CorporateActionVersion, order="version") if one.corporate_action_id == 1]
    assert [json.loads(one.facts)["amount"] for one in versions] == ["0.85", "0.86"]
    assert [(row.verdict, row.printed) for row in empty.rows(CorporateActionSourceRow)] == [
        ("ACCEPTED", "0.86"),
        ("ACCEPTED", "0.5"),
        ("ACCEPTED", "2:1"),
        ("HELD", "1046:1000"),
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["refresh-prices"],
        ["run-daily-price-update"],
        ["refresh-prices", "--dry-run"],
        ["view-job-logs"],
        ["export", "prices"],
        ["import-orders", "orders.csv", "--account", "Ann"],
    ],
)
def test_database_without_tables_says_what_to_run(empty: House, command: list[str]) -> None:
    file = empty.folder / "orders.csv"
    file.write_text("date,type,symbol,quantity,price,fee,currency\n2012-11-29,BUY,AAPL,1,1,0,USD\n")

    result = empty.command(*(str(file) if word == "orders.csv" else word for word in command))

    assert result.exit_code == 1
    assert result.stderr == "error: the database has no tables yet; run: closingbell init-db\n"
