"""Every row of every table, as plain values that any of the databases takes: for copies of a whole database."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Date, LargeBinary, Table, column, func, insert, select, text
from sqlalchemy import table as raw_table
from sqlalchemy.types import TypeEngine

from closingbell.models import Base
from closingbell.models.types import DayBits, ScaledDecimal, UtcDateTime
from closingbell.stores.database import Database

Row = list[Any]
AT_ONCE = 5_000
# What a database that was just set up has already; a copy has its own.
SET_UP = ("market_calendar", "market_session", "market_holiday", "withholding_rate", "database_mark")


def tables() -> list[Table]:
    """Every table, those before it that it refers to."""
    return list(Base.metadata.sorted_tables)


@contextmanager
def one_look(database: Database) -> Iterator[Connection]:
    """A transaction that sees one moment of all tables, whatever is written meanwhile."""
    with database.engine.connect() as plain:
        connection = plain
        if database.dialect != "sqlite":
            # On SQLite every reading transaction is one look.
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def read_rows(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """The rows of a table by key, some thousand at a time; exact numbers as whole ones, days and instants as text."""
    names = _names(table)
    raw = _raw(table)
    encoders = [(place, encode) for place, name in enumerate(names) if (encode := _encoder(table.c[name]))]
    query = select(*(raw.c[name] for name in names)).order_by(*(raw.c[key.name] for key in table.primary_key))
    result = connection.execution_options(yield_per=AT_ONCE).execute(query)
    for found in result.partitions(AT_ONCE):
        rows = [list(row) for row in found]
        for place, encode in encoders:
            for row in rows:
                if row[place] is not None:
                    row[place] = encode(row[place])
        yield rows


def write_rows(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Store rows as ``read_rows`` gave them, of the columns ``names``."""
    decoders = [(place, decode) for place, name in enumerate(names) if (decode := _decoder(table.c[name]))]
    for row in rows:
        for place, decode in decoders:
            if row[place] is not None:
                row[place] = decode(row[place])
    connection.execute(insert(_raw(table)), [dict(zip(names, row, strict=True)) for row in rows])


def column_names(table: Table) -> list[str]:
    """The columns in the order in which rows have them."""
    return _names(table)


def find_filled(connection: Connection) -> list[str]:
    """Tables with rows in them that setting up does not bring."""
    return [
        table.name
        for table in tables()
        if table.name not in SET_UP and connection.execute(select(text("1")).select_from(table).limit(1)).first()
    ]


def empty_set_up(connection: Connection) -> None:
    """Take away what setting up brought."""
    for table in reversed(tables()):
        if table.name in SET_UP:
            connection.execute(table.delete())


def count_on(connection: Connection) -> None:
    """Let numbers that the database gives go on after those that are there now."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables():
        keys = list(table.primary_key)
        if len(keys) != 1 or not isinstance(keys[0].type, BigInteger):
            continue
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, keys[0].name)))
        newest = connection.scalar(select(func.max(keys[0])))
        if sequence is not None and newest is not None:
            connection.execute(select(func.setval(sequence, newest)))


def _names(table: Table) -> list[str]:
    return [str(one.name) for one in table.c]


def _raw(table: Table) -> Any:
    """The table with the types that values are kept as: a Decimal for each would cost more than all the rest."""
    return raw_table(table.name, *(column(one.name, _kept_as(one.type)) for one in table.c))


def _kept_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, ScaledDecimal):
        return BigInteger()
    return LargeBinary() if isinstance(kind, DayBits) else kind


def _encoder(one: Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(one.type, ScaledDecimal):
        return int
    if isinstance(one.type, Date | UtcDateTime):
        return lambda value: value.isoformat()
    return (lambda value: b64encode(value).decode()) if isinstance(one.type, DayBits | LargeBinary) else None


def _decoder(one: Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(one.type, UtcDateTime):
        return datetime.fromisoformat
    if isinstance(one.type, Date):
        return date.fromisoformat
    return b64decode if isinstance(one.type, DayBits | LargeBinary) else None
