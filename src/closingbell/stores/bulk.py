"""Many raw rows by the fastest path that each dialect has: executemany, binary COPY, LOAD DATA LOCAL."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, cast

from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, SmallInteger, String, Table
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError

from closingbell.models.base import Base
from closingbell.models.types import ScaledDecimal, UtcDateTime
from closingbell.stores.upsert import table_of
from closingbell.utils.clock import require_aware

# Below this many rows the driver's executemany is as fast as anything.
BULK_FROM = 1_000
# The most that any SQLite of ours binds in one statement.
_SQLITE_BINDS = 32_766
_DUPLICATE_KEY = 1062
_UNIQUE_VIOLATION = "23505"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\0": r"\0"})

_PLAIN = re.compile(r"[A-Za-z0-9 _:.,/+-]*")
_PLAINLY_WRITTEN = {int, date}

Row = tuple[Any, ...]


def raw_instant(connection: Connection, moment: datetime) -> Any:
    """An aware instant as the driver stores it."""
    moment = require_aware(moment)
    return moment if connection.dialect.name == "postgresql" else moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def insert_raw(
    connection: Connection, model: type[Base], columns: Sequence[str], rows: Sequence[Row], *, must_be_new: bool = False
) -> bool:
    """Insert raw rows, leaving those whose key is taken; with ``must_be_new`` a taken key is an IntegrityError.

    False where a key may have been taken.

    Values are what the driver stores: scaled integers, dates (in the second column), ``raw_instant`` texts. Rows that
    ascend by primary key are stored fastest.
    """
    if not rows:
        return True
    table = table_of(model)
    if connection.dialect.name == "sqlite":
        return _execute_many(connection, table, columns, _with_iso_dates(rows), must_be_new=must_be_new)
    if len(rows) < BULK_FROM:
        return _execute_many(connection, table, columns, rows, must_be_new=must_be_new)
    if connection.dialect.name == "postgresql":
        return (_copy_new if must_be_new else _copy)(connection, table, columns, rows)
    if _server_takes_files(connection):
        return _load_file(connection, table, columns, rows, must_be_new=must_be_new)
    return _execute_many(connection, table, columns, rows, must_be_new=must_be_new)


def insert_columns(connection: Connection, model: type[Base], columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert new raw rows that are told as columns, at least one row; a taken key is an IntegrityError."""
    if connection.dialect.name == "sqlite":
        _insert_on_sqlite(connection, table_of(model), columns)
        return
    insert_raw(connection, model, list(columns), list(zip(*columns.values(), strict=True)), must_be_new=True)


def _insert_on_sqlite(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Many rows with one statement; what is the same in all of them is part of it: binding costs most."""
    names = list(columns)
    constant, bound = split_constants(list(columns.values()))
    said = [as_literal(columns[names[place]][0]) for place in constant]
    values = f"({', '.join(['?'] * len(bound) + said)})"
    into = _names(connection, [names[place] for place in (*bound, *constant)])
    rows = list(
        zip(*(_as_stored_on_sqlite(table.c[names[place]], columns[names[place]]) for place in bound), strict=True)
    )
    at_once = _SQLITE_BINDS // len(bound)
    for start in range(0, len(rows), at_once):
        group = rows[start : start + at_once]
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({into}) VALUES {', '.join([values] * len(group))}",
            tuple(chain.from_iterable(group)),
        )


def _as_stored_on_sqlite(column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    """The values of a column, dates as texts; each distinct one is formatted once."""
    if not isinstance(column.type, Date):
        return values
    texts = {day: day and day.isoformat() for day in set(values)}
    return [texts[day] for day in values]


def _execute_many(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row], *, must_be_new: bool
) -> bool:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names, marks = _names(connection, columns), ", ".join([mark] * len(columns))
    if must_be_new:
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", cast(Any, rows))
        return True
    first = _names(connection, columns[:1])
    # Setting a key column to itself keeps other errors loud; INSERT IGNORE would hide them.
    tail = (
        f"ON DUPLICATE KEY UPDATE {first} = {table.name}.{first}"
        if connection.dialect.name == "mysql"
        else "ON CONFLICT DO NOTHING"
    )
    done = connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {tail}", cast(Any, rows))
    # MySQL counts a row that it left as it counts a new one.
    return connection.dialect.name != "mysql" and done.rowcount == len(rows)


def _names(connection: Connection, columns: Sequence[str]) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in columns)


def _with_iso_dates(rows: Sequence[Row]) -> list[Row]:
    """The rows with the dates of the second column as SQLite stores them; each distinct one is formatted once."""
    texts: dict[date, str] = {day: day.isoformat() for day in {row[1] for row in rows}}
    return [(row[0], texts[row[1]], *row[2:]) for row in rows]


def _copy(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Binary COPY; where a key is taken, once more by way of a temporary table: COPY itself knows no conflict.

    Rows are compared with what is stored before they come here, so only another process can have taken a key.
    """
    try:
        with connection.begin_nested():
            _copy_into(connection, table.name, table, columns, rows)
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
        _copy_what_is_free(connection, table, columns, rows)
        return False
    return True


def _copy_new(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> bool:
    _copy_into(connection, table.name, table, columns, rows)
    return True


def _copy_what_is_free(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    names, staging = _names(connection, columns), f"staging_{table.name}"
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {table.name}) ON COMMIT DROP")
    _copy_into(connection, staging, table, columns, rows)
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staging} ON CONFLICT DO NOTHING"
    )
    connection.exec_driver_sql(f"TRUNCATE {staging}")


def _copy_into(connection: Connection, target: str, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    driver = cast(Any, connection.connection.driver_connection)
    with (
        _errors_of_the_driver(connection),
        driver.cursor() as cursor,
        cursor.copy(f"COPY {target} ({_names(connection, columns)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([_postgresql_type(table, name) for name in columns])
        for row in rows:
            copy.write_row(row)


@contextmanager
def _errors_of_the_driver(connection: Connection) -> Iterator[None]:
    """Raise the driver's own errors as SQLAlchemy does, and let go of a lost connection as it does."""
    dialect: Any = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        is_lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            "COPY", None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_lost, dialect=dialect
        ) from error


def _postgresql_type(table: Table, column: str) -> str:
    kind = table.c[column].type
    known = (
        ((ScaledDecimal, BigInteger), "int8"),
        (SmallInteger, "int2"),
        (Date, "date"),
        (UtcDateTime, "timestamptz"),
        (Boolean, "bool"),
        (String, "varchar"),
    )
    for types, name in known:
        if isinstance(kind, types):
            return name
    raise TypeError(f"{table.name}.{column}: no binary type is known for {kind!r}")


def _server_takes_files(connection: Connection) -> bool:
    """Whether the server allows LOAD DATA LOCAL; asked once per connection."""
    if "closingbell_local_infile" not in connection.info:
        allowed = connection.exec_driver_sql("SELECT @@local_infile").scalar()
        connection.info["closingbell_local_infile"] = bool(allowed)
    return bool(connection.info["closingbell_local_infile"])


def _load_file(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row], *, must_be_new: bool
) -> bool:
    """LOAD DATA LOCAL from a private temporary file; anything but a taken key is raised, that too where it must be new.

    LOCAL makes the server warn where it would otherwise fail, so the warnings are read back.
    """
    handle, path = tempfile.mkstemp(prefix="closingbell-", suffix=".tsv")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            values = list(zip(*rows, strict=True))
            constant, varying = split_constants(values)
            file.write(_lines([values[place] for place in varying]))
        names = _names(connection, [columns[place] for place in varying])
        said = ", ".join(
            f"{_names(connection, [columns[place]])} = {as_literal(values[place][0])}" for place in constant
        )
        connection.exec_driver_sql(
            f"LOAD DATA LOCAL INFILE '{path}' IGNORE INTO TABLE {table.name} CHARACTER SET utf8mb4 ({names})"
            + (f" SET {said}" if said else "")
        )
        return _raise_on_warnings(connection, must_be_new=must_be_new)
    finally:
        Path(path).unlink(missing_ok=True)


def split_constants(columns: Sequence[Sequence[Any]]) -> tuple[list[int], list[int]]:
    """Places of columns whose value is the same in all rows and can stand in a statement, and the others: at least one.

    Each value of each row costs, written or bound; what is said once in the statement does not.
    """
    constant = [
        place
        for place, values in enumerate(columns)
        if values[0] == values[-1] and _is_plain(values[0]) and values.count(values[0]) == len(values)
    ]
    if len(constant) == len(columns):
        constant = constant[1:]
    return constant, [place for place in range(len(columns)) if place not in set(constant)]


def _is_plain(value: Any) -> bool:
    """Whether a value means the same in the SQL of every database and mode: no quote or backslash in it."""
    return value is None or isinstance(value, int | date) or (isinstance(value, str) and bool(_PLAIN.fullmatch(value)))


def as_literal(value: Any) -> str:
    """A plain value as SQL."""
    if value is None:
        return "NULL"
    return str(int(value)) if isinstance(value, int) else f"'{value}'"


def _lines(columns: Sequence[Sequence[Any]]) -> str:
    """The file's lines; a column of nothing but numbers or days needs no look at each of its values."""
    fields: list[Iterable[Any]] = [
        values if set(map(type, values)) <= _PLAINLY_WRITTEN else map(_field, values) for values in columns
    ]
    line = "\t".join(["%s"] * len(columns)) + "\n"
    return "".join([line % row for row in zip(*fields, strict=True)])


def _field(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return _escaped(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    """Text with what would end a field or a line marked; the same few texts come in every row."""
    return text.translate(_ESCAPES)


def _raise_on_warnings(connection: Connection, *, must_be_new: bool) -> bool:
    """Whether there was no warning at all; a taken key is one, and anything else is raised."""
    if not connection.exec_driver_sql("SELECT @@warning_count").scalar():
        return True
    for _level, code, message in connection.exec_driver_sql("SHOW WARNINGS").all():
        if code != _DUPLICATE_KEY:
            raise DatabaseError(f"LOAD DATA: {message}", None, RuntimeError(message))
        if must_be_new:
            raise IntegrityError(f"LOAD DATA: {message}", None, RuntimeError(message))
    return False
