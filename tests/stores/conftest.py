"""The fixtures of the store tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from closingbell.stores import companies
from closingbell.stores.database import Database

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)


@pytest.fixture
def company_id(database: Database) -> int:
    """A company whose bars a test may store."""
    database.write_unit(lambda connection: companies.store_new(connection, [("AAPL", "XNYS")], now=AT))
    with database.read() as connection:
        return companies.load_by_symbol(connection, ["AAPL"])["AAPL"].id
