"""The fixtures of the API's tests: an application with the API on it, and a token of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from closingbell.api.scheduler import scheduler_api
from closingbell.app import create_app
from closingbell.config import Settings
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.registry import Registry, jobs_of
from closingbell.usecases import people
from closingbell.utils.clock import FixedClock
from tests.app_fixtures import House, houses, market, no_waits  # noqa: F401

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
# Two that stay: these tests are about the API, whatever other jobs there are.
JOBS = ("daily_price_update", "log_retention")
WRONG = "cb_1_" + "x" * 43


@dataclass
class Api:
    """An application that serves the API, and tokens by what they may do: read, operate, revoked, wrong."""

    app: Flask
    context: JobContext
    registry: Registry
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def call(self, method: str, path: str, *, token: str | None = "operate", **more: Any) -> TestResponse:
        """A request with the token of that kind, or with none."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.tokens[token]}"
        return self.client.open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **{"token": "read", **more})

    def post(self, path: str, body: object = None, **more: Any) -> TestResponse:
        if body is not None:
            more["json"] = body
        return self.call("POST", path, **more)

    def command(self, *arguments: str, input: str | None = None) -> Any:
        """Run a command in this process."""
        return self.app.test_cli_runner().invoke(args=list(arguments), input=input)


def make_tokens(context: JobContext) -> dict[str, str]:
    """A token of each kind."""
    tokens = {"wrong": WRONG}
    for name, scope in (("read", "read"), ("operate", "operate"), ("revoked", "operate")):
        tokens[name] = people.create_token(context, name=name, scope=scope, by="ann")
    people.revoke_token(context, "revoked")
    return tokens


def serve(app: Flask, tokens: dict[str, str] | None = None) -> Api:
    """The API on an application, with tokens that its database has already or with new ones."""
    context: JobContext = app.extensions[EXTENSION]
    jobs = jobs_of(context.settings)
    registry = {name: jobs[name] for name in JOBS}
    app.register_blueprint(scheduler_api(registry))
    return Api(app, context, registry, tokens or make_tokens(context))


def make_app(url: str, folder: Path, **settings: Any) -> Flask:
    """An application on a database, with a clock that stands still."""
    app = create_app(Settings(database_url=url, instance_path=folder / "instance", jobs_enabled=False, **settings))
    context: JobContext = app.extensions[EXTENSION]
    app.extensions[EXTENSION] = replace(context, clock=FixedClock(NOW), wall=FixedClock(NOW))
    return app


@pytest.fixture
def app(sqlite_tables_url: str, tmp_path: Path) -> Iterator[Flask]:
    made = make_app(sqlite_tables_url, tmp_path)
    yield made
    made.extensions[EXTENSION].database.dispose()


@pytest.fixture(scope="session")
def _sqlite_with_tokens(_sqlite_with_tables: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Any]:
    """A SQLite file with tables and tokens, to be copied, and the tokens' texts."""
    folder = tmp_path_factory.mktemp("tokens")
    path = folder / "closingbell.sqlite"
    path.write_bytes(_sqlite_with_tables)
    context: JobContext = make_app(f"sqlite:///{path}", folder).extensions[EXTENSION]
    tokens = make_tokens(context)
    # The last connection to close leaves everything in the one file.
    context.database.dispose()
    return path.read_bytes(), tokens


@pytest.fixture
def api(app: Flask, tmp_path: Path, _sqlite_with_tokens: tuple[bytes, dict[str, str]]) -> Api:
    file, tokens = _sqlite_with_tokens
    (tmp_path / "closingbell.sqlite").write_bytes(file)
    return serve(app, dict(tokens))


@pytest.fixture
def api_house(sqlite_tables_url: str, houses: Callable[..., House], no_waits: None) -> tuple[Api, House]:  # noqa: F811
    """The API on a house, whose jobs can run."""
    house = houses(sqlite_tables_url, "2012-11-30 16:31")
    return serve(house.app), house


@pytest.fixture
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed with less work than in earnest."""
    monkeypatch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
