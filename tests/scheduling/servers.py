"""Database servers of a test's own, which it may stop and start; other tests share the usual ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tests.conftest import skip_or_fail

_START_S = 60


class PrivateServer(Protocol):
    """A server on a port of its own with an empty database ``test``."""

    url: str

    def start(self) -> None:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """Stop it at once; connections are cut."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _binary(name: str) -> str:
    """A server's program; skips or fails the test where it is not installed."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, places)])
    found = shutil.which(name, path=path)
    if found is None:
        skip_or_fail(f"{name} is not installed, so no server of the test's own can be restarted")
    return found


def _run(command: list[str], *, user: str | None = None) -> None:
    prefix = [_binary("runuser"), "-u", user, "--"] if user and os.getuid() == 0 else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, timeout=180, cwd="/")
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _await_answer(url: str, log: Path) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=NullPool)
    ends_at = time.monotonic() + _START_S
    while True:
        try:
            with engine.connect():
                return
        except SQLAlchemyError:
            if time.monotonic() > ends_at:
                said = log.read_text(errors="replace")[-2000:] if log.is_file() else ""
                raise AssertionError(f"the server does not answer: {said}") from None
            time.sleep(0.1)


class PostgreSQL:
    """PostgreSQL in a folder; as root it is run by the user postgres, for it refuses root."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self._pg_ctl = _binary("pg_ctl")
        if os.getuid() == 0:
            try:
                shutil.chown(folder, "postgres", "postgres")
            except LookupError:
                skip_or_fail("there is no user postgres, and PostgreSQL refuses to be run by root")
        self._data = folder / "data"
        _run([_binary("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"],
             user="postgres")  # fmt: skip
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self._folder / "log"
        _run([self._pg_ctl, "-D", str(self._data), "-w", "-l", str(log), "-o", options, "start"], user="postgres")
        _await_answer(self.url, log)

    def stop(self) -> None:
        _run([self._pg_ctl, "-D", str(self._data), "-m", "fast", "-w", "stop"], user="postgres")


class MariaDB:
    """MariaDB in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self._mariadbd = _binary("mariadbd")
        self._process: subprocess.Popen[bytes] | None = None
        self._user = ["--user=root"] if os.getuid() == 0 else []
        install = _binary("mariadb-install-db")
        _run([install, "--no-defaults", *self._user, f"--datadir={folder / 'data'}", "--skip-test-db",
              "--auth-root-authentication-method=normal"])  # fmt: skip
        self.url = f"mysql+pymysql://root@127.0.0.1:{self._port}/mysql"

    def start(self) -> None:
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._mariadbd, "--no-defaults", *self._user, f"--datadir={self._folder / 'data'}",
                 f"--socket={self._folder / 'socket'}", f"--pid-file={self._folder / 'pid'}",
                 f"--port={self._port}", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=2"],
                stdout=output, stderr=output,
            )  # fmt: skip
        _await_answer(self.url, log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=_START_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


_KINDS = {"mariadb": MariaDB, "postgresql": PostgreSQL}


@contextmanager
def private_server(dialect: str) -> Iterator[tuple[PrivateServer, str]]:
    """A running server that nobody else uses, and the address of an empty database on it."""
    # Not below pytest's own folder: the user postgres may not enter that.
    with tempfile.TemporaryDirectory(prefix="closingbell-server-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = _KINDS[dialect](folder)
        server.start()
        try:
            engine = sqlalchemy.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE closingbell")
            yield server, server.url.rpartition("/")[0] + "/closingbell"
        finally:
            server.stop()
