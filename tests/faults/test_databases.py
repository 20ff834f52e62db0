"""The database is locked, full or gone for a while: the run waits, or ends honestly with what it had stored."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from closingbell.domain.runs import RunStatus
from closingbell.jobs import price_updater
from closingbell.jobs.context import Progress
from closingbell.models import JobLog, PriceHistory
from tests.app_fixtures import SYMBOLS, House, rows_of
from tests.connections import cut_connections

SINCE = "2012-09-04"

HOLD_THE_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""


@pytest.fixture
def on_sqlite(sqlite_url: str, houses: Callable[..., House], no_waits: None) -> House:
    house = houses(sqlite_url, "2012-11-30 16:31")
    house.command("init-db")
    return house


def test_database_that_another_process_writes_to_is_waited_for(on_sqlite: House, tmp_path: Path) -> None:
    on_sqlite.hold(*SYMBOLS, since="2012-11-29")
    file = on_sqlite.url.removeprefix("sqlite:///")
    command = [sys.executable, "-c", HOLD_THE_LOCK, file, "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        began = time.monotonic()

        summary = on_sqlite.run()

        assert time.monotonic() - began > 2
    assert summary.status is RunStatus.SUCCESS


def test_full_disk_ends_the_run_with_its_reason_and_keeps_what_was_stored(
    on_sqlite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_updater, "CHUNK_COMPANIES", 1)
    on_sqlite.hold(*SYMBOLS, since="2000-03-01")
    engine = on_sqlite.context.database.engine
    with engine.connect() as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    engine.dispose()

    @event.listens_for(engine, "connect")
    def _small_disk(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 150}")

    with pytest.raises(DBAPIError, match="database or disk is full"):
        on_sqlite.run()

    event.remove(engine, "connect", _small_disk)
    engine.dispose()
    [log] = on_sqlite.rows(JobLog)
    assert log.status == "FAILED"
    assert "database or disk is full" in log.error_message
    kept = len(on_sqlite.rows(PriceHistory, order="date"))
    assert kept > 0
    with sqlite3.connect(on_sqlite.url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    # There is room again.
    assert on_sqlite.run().status is RunStatus.SUCCESS
    assert len(on_sqlite.rows(PriceHistory, order="date")) > kept


def test_connections_cut_between_two_transactions_are_replaced(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    if house.context.database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to cut")
    monkeypatch.setattr(price_updater, "CHUNK_COMPANIES", 1)
    house.hold(*SYMBOLS, since=SINCE)
    cut = Progress(ended=lambda _: cut_connections(house.url))
    context = replace(house.context, progress=cut)

    summary = price_updater.update_daily_prices(context)

    assert summary.status is RunStatus.SUCCESS
    assert len(rows_of(house.context.database.engine, PriceHistory, order="date")) == 305


def test_connections_cut_within_a_transaction_are_replaced_and_it_is_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    if house.context.database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to cut")
    monkeypatch.setattr(price_updater, "CHUNK_COMPANIES", 1)
    house.hold(*SYMBOLS, since=SINCE)
    inserts: list[str] = []

    @event.listens_for(house.context.database.engine, "after_cursor_execute")
    def _cut_after_an_insert(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO price_history"):
            inserts.append(statement)
            if len(inserts) in (1, 4):
                cut_connections(house.url)

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert len(inserts) == 7
    assert len(house.rows(PriceHistory, order="date")) == 305
    assert [log.status for log in house.rows(JobLog)] == ["SUCCESS"]
