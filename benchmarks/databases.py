"""Databases of the benchmarks' own, made for one measurement and dropped after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

PREFIX = "closingbell_bench_"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """A database server; ``variable`` names the setting that moves it."""

    name: str
    variable: str
    default_url: str

    @property
    def url(self) -> str:
        return os.environ.get(self.variable) or self.default_url


SERVERS = {
    "mariadb": Server("MariaDB", "CLOSINGBELL_BENCH_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/mysql"),
    "postgresql": Server(
        "PostgreSQL", "CLOSINGBELL_BENCH_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    ),
}
NAMES = {"sqlite": "SQLite", **{key: server.name for key, server in SERVERS.items()}}


def missing(kind: str) -> str | None:
    """Why a kind of database cannot be measured here, or None."""
    if kind == "sqlite":
        return None
    server = SERVERS[kind]
    try:
        engine = create_engine(server.url, poolclass=NullPool, connect_args={"connect_timeout": 5})
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        return f"{server.name} skipped: {cause}; start it, or set {server.variable}"
    return None


@contextmanager
def new_database(kind: str) -> Iterator[str]:
    """The address of an empty database for the length of a ``with`` block."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            yield f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        return
    server = SERVERS[kind]
    name = f"{PREFIX}{os.getpid()}_{next(_numbers)}"
    admin = create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    is_postgresql = admin.dialect.name == "postgresql"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}" + ("" if is_postgresql else " CHARACTER SET utf8mb4")))
    try:
        yield make_url(server.url).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}" + (" WITH (FORCE)" if is_postgresql else "")))
