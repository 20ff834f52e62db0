"""Worked examples of whole stories: told to the real stores and the real job, on each database.

The examples are read from the file named by CLOSINGBELL_VECTORS, else from the shared test data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from closingbell.models import Base
from closingbell.stores.database import Database, open_database
from tests.dividend_desk import Desk, Json

VECTORS = "CLOSINGBELL_VECTORS"


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> list[Json]:
    named = os.environ.get(VECTORS)
    path = Path(named) if named else request.getfixturevalue("shared_data") / "dividend_vectors.json"
    vectors: list[Json] = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return [vector for vector in vectors if vector["op"] == "scenario"]


def differences(expected: Any, said: Any, where: str = "") -> Iterator[str]:
    """Where the books say something else; sums that are not expected must be zero."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            yield from differences(value, said.get(key) if isinstance(said, dict) else None, f"{where}.{key}")
    elif isinstance(expected, list):
        if not isinstance(said, list) or len(said) != len(expected):
            yield f"{where}: expected {expected}, the books say {said}"
            return
        for number, (one, other) in enumerate(zip(expected, said, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif as_number(expected) != as_number(said):
        yield f"{where}: expected {expected}, the books say {said}"


def as_number(value: Any) -> Any:
    """Numbers in text as numbers; nothing as zero."""
    if value is None:
        return Decimal(0)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


def unlisted(expected: Json, said: Json) -> Iterator[str]:
    """Balances that nobody expects and that are not zero."""
    for key in ("cash", "receivable", "positions"):
        for account, balances in said.get(key, {}).items():
            for name, amount in balances.items():
                if name not in expected[key].get(account, {}) and Decimal(amount):
                    yield f"{key}.{account}.{name}: expected nothing, the books say {amount}"


def wrong_books(desk: Desk, expected: Json) -> list[str]:
    said = desk.answer(expected)
    if "cash_log" in expected:
        said["cash_log"] = {key: said["cash_log"].get(key, []) for key in expected["cash_log"]}
    return [*differences(expected, said), *unlisted(expected, said)]


def tell(desk: Desk, story: Json) -> list[str]:
    """Tell a story to the desk; what its books say otherwise than expected."""
    given = story["input"]
    desk.set_up(given)
    wrong: list[str] = []
    for number, step in enumerate(given["steps"]):
        if step["do"] == "check":
            wrong += [f"step {number}: {one}" for one in wrong_books(desk, step["expect"])]
        else:
            desk.carry_out(step)
    wrong += wrong_books(desk, story["expect"])
    return wrong + desk.balances_by_group()


def empty(database: Database) -> None:
    """Take away every row; the ledger's own protection is for what lives."""
    with database.engine.begin() as connection:
        if database.dialect == "postgresql":
            names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
            connection.exec_driver_sql(f"TRUNCATE {names} CASCADE")
            return
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


def test_every_story_ends_with_the_books_as_worked_out(tables_url: str, tmp_path: Path, stories: list[Json]) -> None:
    wrong: Json = {}
    for story in stories:
        database = open_database(tables_url)
        found = tell(Desk(database, tmp_path), story)
        if found:
            wrong[f"{story['id']} {story['title']}"] = found
        empty(database)
        database.dispose()
    assert wrong == {}
    assert stories


def test_story_that_ends_otherwise_is_noticed(tables_url: str, tmp_path: Path, stories: list[Json]) -> None:
    story = next(one for one in stories if one["expect"].get("cash"))
    bent = json.loads(json.dumps(story))
    account = next(iter(bent["expect"]["cash"]))
    bent["expect"]["cash"][account]["USD"] = "0.01"
    database = open_database(tables_url)
    assert [line.split(":")[0] for line in tell(Desk(database, tmp_path), bent)] == [f".cash.{account}.USD"]
    database.dispose()
