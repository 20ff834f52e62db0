"""A copy of the whole database in one file, and a database made of such a file; on whatever kind of database.

The file is gzip over lines of JSON: what it is; then for each table its name and columns, and its rows; at the end how
many rows there are, and a fingerprint of everything before.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError

from closingbell import __version__
from closingbell.errors import DatabaseNotReadyError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import copying, marks

FORMAT = "closingbell backup 1"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a file holds: when it was made, of which revision of the tables and kind of database, and its rows."""

    made_at: str
    version: str
    revision: str
    kind: str
    origin: str | None
    row_counts: dict[str, int]

    @property
    def row_count(self) -> int:
        """All rows."""
        return sum(self.row_counts.values())


def back_up(context: JobContext, path: Path, *, force: bool = False) -> Backup:
    """Write everything that the database has at this moment to ``path``; others may go on writing.

    The file is there whole or not at all, readable by its owner alone. Raise UsageError where there is one already, and
    OSError where it cannot be written.
    """
    marks.require_tables(context.database)
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; name another file, or say --force")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=4, mtime=0) as packed:
                made = _write(context, packed)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return made


def _write(context: JobContext, packed: gzip.GzipFile) -> Backup:
    seen = hashlib.sha256()

    def line(value: Any) -> None:
        data = orjson.dumps(value) + b"\n"
        seen.update(data)
        packed.write(data)

    origin = marks.read_origin(context.database)
    counts: dict[str, int] = {}
    with copying.one_look(context.database) as connection:
        revision = marks.read_revision(connection)
        if revision is None:
            raise DatabaseNotReadyError("the database has no tables yet; run: closingbell init-db")
        made_at = context.wall.now().isoformat()
        head = {"format": FORMAT, "made_at": made_at, "version": __version__, "revision": revision,
                "kind": context.database.dialect, "origin": origin}  # fmt: skip
        line(head)
        for table in copying.tables():
            name = str(table.name)
            line({"table": name, "columns": copying.column_names(table)})
            counts[name] = 0
            for rows in copying.read_rows(connection, table):
                counts[name] += len(rows)
                line(rows)
    packed.write(orjson.dumps({"rows": counts, "sha256": seen.hexdigest()}) + b"\n")
    return Backup(made_at, __version__, revision, context.database.dialect, origin, counts)


def examine(path: Path) -> Backup:
    """What a file holds, after reading all of it; raise UsageError for one that is damaged, cut off, or no backup."""
    head: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    counts: dict[str, int] = {}
    seen, name = hashlib.sha256(), ""
    for data in _lines(path):
        value = orjson.loads(data)
        if isinstance(value, dict) and "sha256" in value:
            end = value
            break
        seen.update(data)
        if head is None:
            head = value
        elif isinstance(value, dict):
            name = value["table"]
            counts[name] = 0
        else:
            counts[name] += len(value)
    if head is None or end is None or end["sha256"] != seen.hexdigest() or end["rows"] != counts:
        raise UsageError(f"{path}: is damaged or was cut off; take another backup")
    return Backup(head["made_at"], head["version"], head["revision"], head["kind"], head["origin"], counts)


def restore(context: JobContext, path: Path) -> Backup:
    """Fill a database that was just set up with what a file holds, all of it or nothing.

    Nothing that is there is ever replaced: raise UsageError where the database is in use, has something in it, or is of
    another revision than the file.
    """
    marks.require_tables(context.database)
    found = examine(path)
    with context.database.read() as connection:
        filled, revision = copying.find_filled(connection), marks.read_revision(connection)
    if filled:
        raise UsageError(
            f"this database is not empty ({', '.join(filled[:3])}): name a new one in DATABASE_URL, run "
            "closingbell init-db, and restore into that"
        )
    if revision != found.revision:
        raise UsageError(
            f"{path.name} is of revision {found.revision} and the tables here are of {revision}: restore it with "
            f"closingbell {found.version}, then install this version and run closingbell init-db"
        )
    try:
        with context.database.write() as connection:
            copying.empty_set_up(connection)
            _fill(connection, path)
            copying.count_on(connection)
    except IntegrityError as error:
        raise UsageError(f"{path.name}: rows do not fit together ({error.orig}); nothing was restored") from None
    return found


def _fill(connection: Any, path: Path) -> None:
    known = {table.name: table for table in copying.tables()}
    table, names = None, []
    for data in _lines(path):
        value = orjson.loads(data)
        if isinstance(value, list):
            assert table is not None
            copying.write_rows(connection, table, names, value)
        elif "table" in value:
            table, names = known[value["table"]], value["columns"]


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a backup; raise UsageError for what is none."""
    try:
        with gzip.open(path, "rb") as packed:
            first = packed.readline(10_000)
            if orjson.loads(first).get("format") != FORMAT:
                raise UsageError(f"{path}: is a backup of a form that this version does not know")
            yield first
            yield from packed
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
        raise UsageError(f"{path}: is damaged, cut off, or no backup of closingbell") from None
