"""Somebody to be told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from closingbell.models import User
from tests.app_fixtures import House
from tests.faults.run_server import run_server  # noqa: F401


@pytest.fixture(autouse=True)
def administrator(house: House) -> None:
    """Root, who is told of incidents."""
    values = {
        "email": "root@example.org",
        "password_hash": "-",
        "is_active": True,
        "is_administrator": True,
        "created_at": datetime(2000, 1, 1, tzinfo=UTC),
    }
    house.context.database.write_unit(lambda connection: connection.execute(insert(User).values(**values)))
