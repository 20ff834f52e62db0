"""Copies of the whole database: taken while others write, damaged on purpose, restored on every kind of database."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import func, select

from closingbell.commands.database import alembic_for
from closingbell.models import Company, LedgerEntry, Order
from closingbell.queries.audit import audit
from closingbell.stores.upsert import table_of
from closingbell.usecases.backup import back_up, examine, restore
from tests.app_fixtures import House, everything

ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD 2012-10-01,BUY,IBM,5,205,0,USD"


@pytest.fixture
def stamped(house: House) -> Iterator[House]:
    """A house whose tables say of which revision they are, as init-db leaves them."""
    with house.app.app_context():
        alembic_for(house.app).stamp()
    yield house
    with house.context.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")


@pytest.fixture
def filled(stamped: House) -> House:
    """An evening's prices, a dividend paid, and a token."""
    house = stamped
    house.orders(ORDERS)
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    assert house.command("create-token", "reports", "--scope", "read").exit_code == 0
    return house


@pytest.fixture
def empty(tmp_path: Path, houses: Callable[..., House], no_waits: None) -> House:
    """A new SQLite database with tables and nothing else."""
    made = houses(f"sqlite:///{tmp_path / 'restored.sqlite'}", "2012-11-30 16:31")
    assert made.command("init-db").exit_code == 0
    return made


def test_a_backup_is_restored_row_by_row_on_another_kind(filled: House, empty: House, tmp_path: Path) -> None:
    file = tmp_path / "copy.closingbell"
    made = filled.command("backup", str(file))
    assert made.exit_code == 0, made.stderr
    assert " rows of " in made.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    done = empty.command("restore", str(file))

    assert done.exit_code == 0, done.stderr
    assert everything(empty.context.database.engine) == everything(filled.context.database.engine)
    audit = empty.command("audit")
    assert audit.exit_code == 0, audit.stdout
    # What comes next has a number of its own.
    empty.orders("2012-11-29,BUY,AAPL,1,589.36,0,USD")
    assert empty.run().status == "SUCCESS"


def test_a_copy_from_sqlite_goes_on_in_this_database(stamped: House, empty: House, tmp_path: Path) -> None:
    """The way from one machine's file to a server."""
    house = stamped
    empty.orders(ORDERS)
    empty.run()
    assert empty.command("run-dividend-processor").exit_code == 0
    back_up(empty.context, tmp_path / "grown")

    restore(house.context, tmp_path / "grown")

    assert everything(house.context.database.engine) == everything(empty.context.database.engine)
    house.orders("2012-11-29,BUY,MSFT,1,26.95,0,USD")
    assert house.run().status == "SUCCESS"
    # These tables were made without the triggers that a migration adds.
    assert {
        line.check for line in audit(house.context.database, now=house.context.clock.now()) if line.differences
    } <= {"append-only"}


def test_a_copy_that_is_taken_while_others_write_is_of_one_moment(filled: House, empty: House, tmp_path: Path) -> None:
    stop = Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            filled.orders(f"2012-11-2{number % 8},DEPOSIT,,,1,0,USD", account=f"Busy {number}")

    writer = Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            back_up(filled.context, tmp_path / f"copy{number}")
    finally:
        stop.set()
        writer.join(60)

    restore(empty.context, tmp_path / "copy2")

    entry = table_of(LedgerEntry).c
    with empty.context.database.read() as connection:
        assert connection.scalar(select(func.sum(entry.amount))) == 0
    assert empty.command("audit").exit_code == 0


def test_nothing_that_is_there_is_replaced(filled: House, empty: House, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("mine")
    refused = filled.command("backup", str(file))
    assert (refused.exit_code, file.read_text()) == (2, "mine")
    assert "is there already; name another file, or say --force" in refused.stderr
    assert filled.command("backup", str(file), "--force").exit_code == 0
    before = everything(filled.context.database.engine)

    refused = filled.command("restore", str(file))

    assert refused.exit_code == 2
    assert "this database is not empty (" in refused.stderr
    assert everything(filled.context.database.engine) == before


@pytest.mark.parametrize("damage", ["cut", "changed", "other", "empty"])
def test_a_damaged_file_restores_nothing(empty: House, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "copy"
    empty.orders("2012-09-04,DEPOSIT,,,100000,0,USD")
    back_up(empty.context, file)
    assert examine(file).row_counts["orders"] == 1
    data = file.read_bytes()
    lines = gzip.decompress(data).splitlines(keepends=True)
    file.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "changed": gzip.compress(b"".join(lines).replace(b"1000000000", b"9000000000")),
            "other": b"hello",
            "empty": b"",
        }[damage]
    )

    refused = empty.command("restore", str(file))

    assert refused.exit_code == 2
    assert "is damaged" in refused.stderr
    assert len(empty.rows(Order)) == 1


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    filled: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused = filled.command("backup", str(tmp_path / "copy"))

    assert refused.exit_code == 2
    assert "copy: cannot be written (No space left on device); nothing was left behind" in refused.stderr
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []
    assert "is no folder" in filled.command("backup", str(tmp_path / "nowhere" / "copy")).stderr


def test_a_backup_of_other_tables_is_refused_with_the_way_out(empty: House, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    back_up(empty.context, file)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    assert len(examine(file).revision) == 4
    with empty.context.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    refused = empty.command("restore", str(file))

    assert refused.exit_code == 2
    assert "and the tables here are of 0001: restore it with closingbell " in refused.stderr
    assert empty.rows(Company) == []
    assert lines
