"""Fixtures of every test: private databases, the shared test data, and a guard around network, cache and settings.

``CLOSINGBELL_TEST_POSTGRESQL_URL`` and ``CLOSINGBELL_TEST_MARIADB_URL`` say where the servers are. One that does not
answer skips its tests; with ``CLOSINGBELL_TEST_REQUIRE_SERVERS=1``, as in CI, it fails them.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import socket
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from closingbell.config import Settings
from closingbell.models import Base
from closingbell.stores.database import Database, open_database
from tests.connections import end_other_connections

REPOSITORY = Path(__file__).resolve().parent.parent
UNIT_TESTS = REPOSITORY / "tests" / "unit"
REQUIRE_SERVERS = "CLOSINGBELL_TEST_REQUIRE_SERVERS"
SHARED_DATA = "CLOSINGBELL_SHARED_DATA"
DIALECTS = ("sqlite", "mariadb", "postgresql")

# Speed is for benchmarks: a busy machine must not fail a test.
hypothesis.settings.register_profile("closingbell", deadline=None, print_blob=True)
hypothesis.settings.load_profile("closingbell")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test because something it needs is not here; fail it where everything must be here."""
    if os.environ.get(REQUIRE_SERVERS) == "1":
        pytest.fail(f"{reason} (with {REQUIRE_SERVERS}=1 this fails instead of being skipped)", pytrace=False)
    pytest.skip(reason)


# --- Order: unit tests first, soak tests only when they are asked for.


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: UNIT_TESTS not in item.path.parents)
    wants_soak = "soak" in config.option.markexpr
    left_out = [item for item in items if (not wants_soak and _is_soak(item)) or _is_repeated(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        unwanted = set(left_out)
        items[:] = [item for item in items if item not in unwanted]


def _is_soak(item: pytest.Item) -> bool:
    return item.get_closest_marker("soak") is not None


def _is_repeated(item: pytest.Item) -> bool:
    """Whether a test that one database is enough for would be run on one more."""
    if item.get_closest_marker("one_database") is None or not isinstance(item, pytest.Function):
        return False
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return not {params.get("database_url"), params.get("tables_url")} <= {None, "sqlite"}


# --- The guard: no test reaches the real network, the user's cache or the user's settings.


class OutsideNetworkError(RuntimeError):
    """A test tried to leave this machine; not an OSError, so that nothing takes it for a network that is down."""


@cache
def _allowed_hosts() -> frozenset[str]:
    """Where a test may connect to by name: this machine and the configured test servers."""
    servers = (make_url(server.url).host for server in SERVERS.values())
    return frozenset({"localhost", *(host for host in servers if host)})


def _is_allowed(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in ("", *_allowed_hosts()):
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guarded(function: Callable[..., Any], attempts: list[str], *, is_lookup: bool) -> Callable[..., Any]:
    """``function`` of a socket (its last argument is the address) or of a host name, refusing what is outside."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        address = args[0] if is_lookup and args else kwargs.get("host") if is_lookup else args[-1]
        host = address[0] if isinstance(address, tuple) else address
        is_unix = not is_lookup and not isinstance(address, tuple)
        if not is_unix and not _is_allowed(host):
            attempts.append(str(address))
            raise OutsideNetworkError(f"a test tried to reach {address}; tests stay on this machine")
        return function(*args, **kwargs)

    return guarded


def _unset_settings(patch: pytest.MonkeyPatch) -> None:
    """Take away every variable that Settings or an HTTP client would read."""
    names = {name.upper() for name in Settings.model_fields}
    names |= {f"{name}_FILE" for name in names} | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    for variable in [name for name in os.environ if name.upper() in names]:
        patch.delenv(variable)


@pytest.fixture(scope="session", autouse=True)
def _guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """For the whole session, so that wider fixtures are kept in too; gives the attempts to get out."""
    attempts: list[str] = []
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        _unset_settings(patch)
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("CACHE_DIR", str(home / "cache"))
        for name in ("connect", "connect_ex"):
            method = getattr(socket.socket, name)
            patch.setattr(socket.socket, name, _guarded(method, attempts, is_lookup=False))
        patch.setattr(socket, "getaddrinfo", _guarded(socket.getaddrinfo, attempts, is_lookup=True))
        if Path(".env").exists():
            # The developer's own settings; a test about `.env` files makes one in a folder of its own.
            patch.chdir(home)
        yield attempts


_test_number = count(1)


@pytest.fixture(autouse=True)
def outside_attempts(_guard: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Give each test an empty cache folder, and fail it when it tried to leave this machine, even if that was caught.

    A test that means to try clears the list.
    """
    _guard.clear()
    cache_folder = tmp_path_factory.getbasetemp() / "caches" / str(next(_test_number))
    cache_folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        _unset_settings(patch)
        patch.setenv("XDG_CACHE_HOME", str(cache_folder))
        patch.setenv("CACHE_DIR", str(cache_folder))
        yield _guard
    if _guard:
        pytest.fail(f"the test tried to reach {', '.join(_guard)}; tests stay on this machine", pytrace=False)


# --- Databases: one on each server for each worker process, emptied after every test, dropped at the end.


@dataclass(frozen=True)
class Server:
    """A database server of the test run; ``variable`` names the setting that moves it."""

    name: str
    variable: str
    default_url: str

    @property
    def url(self) -> str:
        return os.environ.get(self.variable) or self.default_url


SERVERS = {
    "mariadb": Server("MariaDB", "CLOSINGBELL_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
    "postgresql": Server(
        "PostgreSQL", "CLOSINGBELL_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
    ),
}
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_PREFIX = f"closingbell_test_{_HOST}_"


class _ServerDatabase:
    """This process's database on one server."""

    def __init__(self, server: Server, suffix: str) -> None:
        self._admin = create_engine(
            server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"connect_timeout": 5}
        )
        self._is_postgresql = self._admin.dialect.name == "postgresql"
        self.name = f"{_PREFIX}{os.getpid()}{suffix}"
        self.url: URL = make_url(server.url).set(database=self.name)
        self._own = create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def create(self) -> None:
        with self._admin.connect() as connection:
            self._drop_leftovers(connection)
            if self._is_postgresql:
                connection.execute(text(f"CREATE DATABASE {self.name} ENCODING 'UTF8' TEMPLATE template0"))
                # A test never pulls the plug of the server; its own settings are left alone.
                connection.execute(text(f"ALTER DATABASE {self.name} SET synchronous_commit = off"))
            else:
                connection.execute(text(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4"))

    def drop(self) -> None:
        with self._admin.connect() as connection:
            self._drop(connection, self.name)

    def empty(self) -> None:
        """Drop everything in it; a transaction that a test left open is ended first, lest it block us for ever."""
        with self._own.connect() as connection:
            end_other_connections(connection)
            if self._is_postgresql:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
                return
            connection.execute(text(f"DROP DATABASE {self.name}"))
            connection.execute(text(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4"))

    def empty_tables(self) -> None:
        """Delete every row and keep the tables; numbering goes on."""
        with self._own.connect() as connection:
            end_other_connections(connection)
            if not self._is_postgresql:
                connection.execute(text("SET foreign_key_checks = 0"))
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())

    def _drop_leftovers(self, connection: Connection) -> None:
        """Databases of test processes of this machine that were killed before they could clean up."""
        names = "pg_database" if self._is_postgresql else "information_schema.schemata"
        column = "datname" if self._is_postgresql else "schema_name"
        for name in connection.scalars(text(f"SELECT {column} FROM {names}")).all():
            if name.startswith(_PREFIX) and not _is_alive(int(name.removeprefix(_PREFIX).split("_")[0])):
                self._drop(connection, name)

    def _drop(self, connection: Connection, name: str) -> None:
        force = " WITH (FORCE)" if self._is_postgresql else ""
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}{force}"))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Databases:
    """This process's databases, made when they are first asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], _ServerDatabase] = {}
        self._missing: dict[str, str] = {}

    def on(self, dialect: str, suffix: str = "") -> _ServerDatabase:
        """The database on that server; skips or fails the test when the server does not answer."""
        if dialect not in self._missing and (dialect, suffix) not in self._made:
            self._make(dialect, suffix)
        if dialect in self._missing:
            skip_or_fail(self._missing[dialect])
        return self._made[dialect, suffix]

    def _make(self, dialect: str, suffix: str) -> None:
        server = SERVERS[dialect]
        try:
            database = _ServerDatabase(server, suffix)
            database.create()
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            address = make_url(server.url).render_as_string(hide_password=True)
            self._missing[dialect] = (
                f"{server.name} cannot be used at {address}: {cause}; start it, or set {server.variable}"
            )
            return
        self._made[dialect, suffix] = database
        if suffix:
            tables = open_database(database.url.render_as_string(hide_password=False))
            Base.metadata.create_all(tables.engine)
            tables.dispose()

    def drop_all(self) -> None:
        for database in self._made.values():
            database.drop()


@pytest.fixture(scope="session")
def _databases() -> Iterator[_Databases]:
    databases = _Databases()
    yield databases
    databases.drop_all()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'closingbell.sqlite'}"


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database of the test's own: on SQLite, MariaDB and PostgreSQL in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    database = request.getfixturevalue("_databases").on(request.param)
    yield database.url.render_as_string(hide_password=False)
    database.empty()


@pytest.fixture(scope="session")
def _sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file that has the tables, to be copied."""
    path = tmp_path_factory.mktemp("tables") / "closingbell.sqlite"
    database = open_database(f"sqlite:///{path}")
    Base.metadata.create_all(database.engine)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path.read_bytes()


@pytest.fixture
def sqlite_tables_url(sqlite_url: str, tmp_path: Path, _sqlite_with_tables: bytes) -> str:
    """A SQLite file with all tables in it, where what is tested has nothing to do with the kind of database."""
    (tmp_path / "closingbell.sqlite").write_bytes(_sqlite_with_tables)
    return sqlite_url


@pytest.fixture(params=DIALECTS)
def tables_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Like ``database_url``, with all tables in it and no row; about five times as fast as making them.

    For tests that leave the tables themselves alone. Numbers of new rows don't start at 1 on the servers.
    """
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_tables_url")
        return
    database = request.getfixturevalue("_databases").on(request.param, "_tables")
    yield database.url.render_as_string(hide_password=False)
    database.empty_tables()


@pytest.fixture
def database(tables_url: str) -> Iterator[Database]:
    """The database at ``tables_url``, opened as closingbell opens it."""
    opened = open_database(tables_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the shared test data, read only."""
    folder = Path(os.environ.get(SHARED_DATA) or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        skip_or_fail(f"the shared test data is not at {folder}; set {SHARED_DATA} to where it is")
    return folder
