"""The fixtures of the pages' tests: a house with pages on it, and people of each kind who are signed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from closingbell.app import add_pages_to
from closingbell.jobs.context import JobContext
from closingbell.models import User
from closingbell.usecases import people
from tests.app_fixtures import House, houses, market, no_waits  # noqa: F401

PASSWORD = "correct horse battery"
# role -> columns that make it.
ROLES = {
    "administrator": {"is_administrator": True, "is_viewer": False},
    "viewer": {"is_administrator": False, "is_viewer": True},
    "member": {"is_administrator": False, "is_viewer": False},
}
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass
class Browser:
    """A client that sends the forms of pages: with their token, as a browser does."""

    client: FlaskClient
    token: str = ""
    seen: list[str] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> TestResponse:
        """A page."""
        response = self.client.get(path, **more)
        found = _TOKEN.search(response.get_data(as_text=True)) if response.mimetype == "text/html" else None
        self.token = found[1] if found else self.token
        return response

    def text(self, path: str) -> str:
        """A page's text; it must be there."""
        response = self.get(path)
        assert response.status_code == 200, (path, response.status_code)
        return response.get_data(as_text=True)

    def post(self, path: str, **fields: Any) -> TestResponse:
        """A form, with the token of the page seen last."""
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        """Fill in the sign-in."""
        self.get("/sign-in")
        return self.post("/sign-in", email=email, password=password)


@dataclass
class Site:
    """A house with its pages; ``as_`` gives a browser in which a person of that role is signed in."""

    house: House

    @property
    def context(self) -> JobContext:
        return self.house.context

    def browser(self) -> Browser:
        """A browser of a stranger."""
        return Browser(self.house.app.test_client())

    def as_(self, role: str) -> Browser:
        """A browser of a person of that role."""
        browser = self.browser()
        response = browser.sign_in(f"{role}@example.org")
        assert response.status_code == 302, response.get_data(as_text=True)
        browser.get("/settings")
        return browser


@pytest.fixture(autouse=True)
def _quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed with less work than in earnest."""
    monkeypatch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def site(sqlite_tables_url: str, houses: Callable[..., House], no_waits: None) -> Iterator[Site]:  # noqa: F811
    """Pages on Friday 2012-11-30 at 16:31, with an administrator, a viewer and a member."""
    house = houses(sqlite_tables_url, "2012-11-30 16:31")
    add_pages_to(house.app)
    context = house.context
    people.create_administrator(context, email="administrator@example.org", password=PASSWORD, name="Ann")
    with context.database.write() as connection:
        for role in ("viewer", "member"):
            hashed = people._hasher.hash(PASSWORD)
            row = {"email": f"{role}@example.org", "password_hash": hashed, "created_at": context.wall.now()}
            connection.execute(insert(User).values(**row, is_active=True, **ROLES[role]))
    yield Site(house)


def deactivate(site: Site, email: str) -> None:
    """Take a person's access away."""
    with site.context.database.write() as connection:
        connection.execute(update(User).where(User.email == email).values(is_active=False))
