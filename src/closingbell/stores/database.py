"""The engine for each dialect, transactions, and which errors are worth repeating a whole unit for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from closingbell.errors import SettingsError

R = TypeVar("R")
S = TypeVar("S", bound=Callable[[Connection], None])

SQLITE_BUSY_TIMEOUT_S = 30
_DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_EXTRAS = {"mysql+pymysql": "mysql", "postgresql+psycopg": "postgresql"}
# Serialization, deadlock, lock timeout; shutting down, crashed, starting up.
_RETRY_SQLSTATES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03"}
# Snapshot, lock timeout, deadlock; shutting down, killed, and what the client says of a lost or absent server.
_RETRY_MYSQL_ERRNOS = {1020, 1205, 1213, 1053, 1927, 2002, 2003, 2006, 2013}
_MISSING_SQLSTATES = {"42P01", "42703"}
_MISSING_MYSQL_ERRNOS = {1054, 1146}
# How long a unit is repeated: a server that restarts is back by then.
UNIT_PATIENCE_S = 30.0
_WRITES = "closingbell_writes"
_LAST_STEPS = "closingbell_last_steps"


class Database:
    """One database: short transactions on the engine, never open while a provider is being asked."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def dialect(self) -> str:
        """``sqlite``, ``mysql`` or ``postgresql``."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it never waits for a writer."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it takes the write lock at once."""
        last_steps: dict[Any, Callable[[Connection], None]] = {}
        with self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True, _LAST_STEPS: last_steps})
            with connection.begin():
                yield connection
                for step in last_steps.values():
                    step(connection)

    def write_unit(self, unit: Callable[[Connection], R]) -> R:
        """Carry out ``unit`` in one writing transaction; the whole unit again on a new one where that can help.

        ``unit`` must be repeatable: deadlocks, lock timeouts and lost connections roll it back.
        """
        gives_up_at = time.monotonic() + UNIT_PATIENCE_S
        wait_s = 0.05
        while True:
            try:
                with self.write() as connection:
                    return unit(connection)
            except DBAPIError as error:
                if time.monotonic() > gives_up_at or not is_worth_repeating(error):
                    raise
            time.sleep(wait_s * random.uniform(1, 2))  # noqa: S311  (spreads load; nothing secret)
            wait_s = min(wait_s * 2, 2.0)

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def last_step(connection: Connection, kind: Callable[[], S]) -> S | None:
    """What the writing transaction does just before it commits, one of each kind: made when it is first asked for.

    None on a connection that is no writing transaction of a ``Database``.
    """
    steps = connection.get_execution_options().get(_LAST_STEPS)
    if steps is None:
        return None
    if kind not in steps:
        steps[kind] = kind()
    found: S = steps[kind]
    return found


def is_worth_repeating(error: DBAPIError) -> bool:
    """Whether the same unit on a new transaction may succeed: deadlock, lock timeout, snapshot, lost connection."""
    if error.connection_invalidated:
        return True
    original: Any = error.orig
    if str(getattr(original, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
        return True
    state = getattr(original, "sqlstate", None)
    if state in _RETRY_SQLSTATES:
        return True
    if state is None and type(original).__module__.startswith("psycopg"):
        # Without a state the server was never reached.
        return isinstance(error, OperationalError)
    arguments: Any = getattr(original, "args", ())
    return bool(arguments) and arguments[0] in _RETRY_MYSQL_ERRNOS


def is_of_another_version(error: DBAPIError) -> bool:
    """Whether a statement failed because a table or a column is not there."""
    original: Any = error.orig
    arguments: Any = getattr(original, "args", ())
    return (
        getattr(original, "sqlstate", None) in _MISSING_SQLSTATES
        or "no such table" in str(original)
        or "no such column" in str(original)
        or "has no column" in str(original)
        or (bool(arguments) and arguments[0] in _MISSING_MYSQL_ERRNOS)
    )


def failure_in_words(error: BaseException) -> str | None:
    """What went wrong with the database and the way out, in one line; None for an error that is not the database's."""
    if not isinstance(error, DBAPIError):
        return None
    if is_of_another_version(error):
        return "the database has no tables of this version; run: closingbell init-db"
    reason = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    return f"the database failed: {reason}"


def open_database(url: str, *, enforce_keys: bool = True) -> Database:
    """An engine for ``url``, tuned for its dialect; raise SettingsError that names DATABASE_URL when it is wrong.

    SQLite can alter a table only by making it anew, for which migrations need foreign keys off (``enforce_keys``).
    """
    parsed = _parse_url(url)
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() == "sqlite":
        options.update(_sqlite_options(parsed))
    else:
        options.update(pool_pre_ping=True, pool_size=5, max_overflow=10, pool_recycle=1800)
    if parsed.get_backend_name() == "mysql":
        options.update(
            isolation_level="READ COMMITTED",
            connect_args={
                "charset": "utf8mb4",
                "local_infile": True,
                # What is put together of many rows would be cut after a thousand or a million characters.
                "init_command": "SET time_zone = '+00:00', group_concat_max_len = 1000000000",
            },
        )
    try:
        engine = create_engine(parsed, **options)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(parsed.drivername, "")
        hint = f'; pip install "closingbell[{extra}]"' if extra else ""
        raise SettingsError(f"DATABASE_URL: the driver {error.name} is not installed{hint}") from None
    except (NoSuchModuleError, ArgumentError) as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, enforce_keys=enforce_keys)
    return Database(engine)


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(
            "DATABASE_URL: not a database address; write it like sqlite:///folder/file.sqlite, "
            "mysql://user:password@host/name or postgresql://user:password@host/name"
        ) from None
    if parsed.drivername not in {*_DRIVERS, *_DRIVERS.values()}:
        raise SettingsError(f"DATABASE_URL: {parsed.drivername} is not one of sqlite, mysql, mariadb, postgresql")
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _sqlite_options(url: URL) -> dict[str, Any]:
    """pysqlite3 where it is there: the system's SQLite is often older than the fix of the WAL-reset bug."""
    if url.database and url.database != ":memory:":
        _make_folder(Path(url.database).parent)
    options: dict[str, Any] = {"connect_args": {"timeout": SQLITE_BUSY_TIMEOUT_S}}
    try:
        options["module"] = import_module("pysqlite3.dbapi2")
    except ImportError:
        # Elsewhere than on Linux the standard module does.
        return options
    return options


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: cannot make the folder {folder} ({error.strerror})") from None


def _tune_sqlite(engine: Engine, *, enforce_keys: bool) -> None:
    """WAL, full durability, foreign keys; a transaction begins when we say so, and writers queue at its start."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_S * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        # Checkpoints wait for the disk twice: after some 16 MB, not after every larger transaction.
        cursor.execute("PRAGMA wal_autocheckpoint = 4000")
        # What does not fit is written twice, before the commit and at it; of 2 MB that was most of a larger one.
        cursor.execute("PRAGMA cache_size = -32000")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if enforce_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
