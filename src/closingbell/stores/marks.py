"""What the whole database is: whether it has tables, and whether it holds live or replayed data."""

from __future__ import annotations

from functools import cache
from importlib import resources

from sqlalchemy import Connection, select, text
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


@cache
def newest_revision() -> str:
    """The revision of this version's tables: the number that the name of its last migration begins with."""
    files = resources.files("closingbell").joinpath("migrations").iterdir()
    return max(file.name[:4] for file in files if file.name[:4].isdigit())


def require_this_version(database: Database) -> None:
    """Raise DatabaseNotReadyError with the way out when the tables are not there, or are another version's.

    Tables without a revision were made in one go, as tests do, and are taken as they are.
    """
    require_tables(database)
    found, known = _read_revision(database), newest_revision()
    if found is None or found == known:
        return
    if found < known:
        way_out = "run: closingbell init-db"
    else:
        way_out = "install the version of closingbell that made them, or a newer one"
    raise DatabaseNotReadyError(f"the tables are of revision {found}, this version works with {known}; {way_out}")


def read_revision(connection: Connection) -> str | None:
    """The revision of the tables."""
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _read_revision(database: Database) -> str | None:
    try:
        with database.read() as connection:
            return read_revision(connection)
    except DBAPIError as error:
        if is_of_another_version(error):
            return None
        raise


def why_not_ready(database: Database) -> str | None:
    """Why the database cannot be worked with, in words without a name or an address; None when it can."""
    try:
        require_this_version(database)
    except DatabaseNotReadyError as error:
        return str(error)
    except DBAPIError:
        return "the database does not answer"
    return None


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
