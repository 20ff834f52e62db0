"""Other people's connections to a test database, and how to end them."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool


def cut_connections(url: str | URL) -> None:
    """End every connection to the database on a server at ``url``."""
    own = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with own.connect() as connection:
        end_other_connections(connection)


def end_other_connections(connection: Connection) -> None:
    """End every connection to this connection's database but itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        return
    others = text("SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()")
    for number in connection.scalars(others).all():
        # One that ended by itself in between is no trouble.
        with suppress(SQLAlchemyError):
            connection.execute(text(f"KILL {int(number)}"))
