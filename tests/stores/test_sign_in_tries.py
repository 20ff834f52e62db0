"""Tries to sign in on each database: as many as are allowed, and not one more, whoever counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from threading import Barrier

from closingbell.stores import sign_in_tries
from closingbell.stores.database import Database, open_database

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = "a" * 64


def take(database: Database, *, at: datetime = NOW, key: str = KEY) -> int | None:
    return database.write_unit(lambda c: sign_in_tries.take(c, key, most=5, since=at - MINUTE, now=at))


def test_five_in_any_minute(database: Database) -> None:
    taken = [take(database, at=NOW + timedelta(seconds=10 * number)) for number in range(6)]
    assert taken == [0, 1, 2, 3, 4, None]
    assert take(database, at=NOW + timedelta(seconds=59)) is None
    assert take(database, at=NOW + timedelta(seconds=60)) == 0
    assert take(database, at=NOW + timedelta(seconds=61)) is None
    assert take(database, at=NOW + timedelta(seconds=61), key="b" * 64) == 0


def test_one_that_is_given_back_is_free_and_one_taken_since_is_not(database: Database) -> None:
    for _ in range(5):
        take(database)
    database.write_unit(lambda c: sign_in_tries.give_back(c, KEY, 3, taken_at=NOW))
    later = NOW + timedelta(seconds=1)
    assert take(database, at=later) == 3
    database.write_unit(lambda c: sign_in_tries.give_back(c, KEY, 3, taken_at=NOW))
    assert take(database, at=later) is None


def test_old_ones_are_removed(database: Database) -> None:
    take(database)
    take(database, at=NOW + MINUTE, key="b" * 64)
    remove = lambda: database.write_unit(  # noqa: E731
        lambda c: sign_in_tries.remove_old(c, before=NOW + MINUTE, most=500)
    )
    assert (remove(), remove()) == (1, 0)


def _guess(url: str) -> int:
    """As a process of its own: how many of eight tries it got."""
    database = open_database(url)
    got = sum(take(database) is not None for _ in range(8))
    database.dispose()
    return got


def test_two_processes_at_once_get_five_together(tables_url: str) -> None:
    with get_context("spawn").Pool(2) as pool:
        assert sum(pool.map(_guess, [tables_url] * 2, chunksize=1)) == 5


def test_eight_threads_at_once_get_five_together(database: Database) -> None:
    start = Barrier(8)

    def guess(_number: int) -> bool:
        start.wait(30)
        return take(database) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(guess, range(8))) == 5
