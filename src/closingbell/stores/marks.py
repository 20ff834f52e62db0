"""What the whole database is: whether it has tables, and whether it holds live or replayed data."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from closingbell.errors import DatabaseNotReadyError, OriginMismatchError
from closingbell.models import DatabaseMark
from closingbell.stores.database import Database, is_of_another_version
from closingbell.stores.upsert import table_of, upsert
from closingbell.utils.clock import Clock

ORIGIN_WAY_OUT = "name another database in DATABASE_URL, or correct YAHOO_BASE_URL and CLOSINGBELL_NOW"


def require_tables(database: Database) -> None:
    """Raise DatabaseNotReadyError with the way out when the tables are not there."""
    try:
        with database.read() as connection:
            # The plain table: asking the mapped class would set up the mappers of all tables first.
            connection.execute(select(table_of(DatabaseMark).c.value).limit(1)).all()
    except DBAPIError as error:
        if is_of_another_version(error):
            raise DatabaseNotReadyError("the database has no tables yet; run: closingbell init-db") from None
        raise


def is_ready(database: Database) -> bool:
    """Whether the database answers and has its tables."""
    try:
        require_tables(database)
    except (DatabaseNotReadyError, DBAPIError):
        return False
    return True


def claim_origin(database: Database, origin: str, *, clock: Clock) -> None:
    """Mark an unmarked database as ``live`` or ``replay``; raise OriginMismatchError when it is the other kind.

    Two processes may claim at once: the primary key lets one mark win, and both read the winner.
    """
    require_tables(database)
    marked = read_origin(database)
    if marked is None:
        database.write_unit(lambda connection: _write_origin(connection, origin, clock))
        marked = read_origin(database)
    if marked == origin:
        return
    if origin == "live":
        raise OriginMismatchError(
            "this database holds a replayed market, and live data must not be mixed with it. "
            "For a real one name another database and set it up: "
            "export DATABASE_URL=sqlite:///instance/live.sqlite && closingbell init-db"
        )
    raise OriginMismatchError(
        "this database holds live data, and a replay must not be mixed with it. "
        "Name another database for the replay: export DATABASE_URL=sqlite:///instance/replay.sqlite"
    )


def require_origin(database: Database, origin: str) -> None:
    """Raise OriginMismatchError with the way out when the database holds the other kind of data; writes nothing."""
    marked = read_origin(database)
    if marked is not None and marked != origin:
        raise OriginMismatchError(
            f"this database holds {marked} data and the settings are those of {origin} data; {ORIGIN_WAY_OUT}"
        )


def read_origin(database: Database) -> str | None:
    """``live``, ``replay``, or None while nothing was written."""
    with database.read() as connection:
        value: str | None = connection.scalar(select(DatabaseMark.value).where(DatabaseMark.name == "origin"))
    return value


def _write_origin(connection: Connection, origin: str, clock: Clock) -> None:
    upsert(connection, DatabaseMark, [{"name": "origin", "value": origin, "marked_at": clock.now()}])
