"""The fixtures of tests in a real browser: Debian's Chromium, pages served on loopback, a scheduler of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from closingbell.app import add_pages_to
from closingbell.usecases import people
from tests.app_fixtures import House, houses, market, no_waits  # noqa: F401
from tests.conftest import skip_or_fail
from tests.web.conftest import PASSWORD, _quick_hash  # noqa: F401

FRIDAY = "2012-11-30 16:31"
ADMINISTRATOR = "ann@example.org"
WIDTHS = (390, 1440)
THEMES = ("light", "dark")
# A machine that runs other tests beside these is slow.
PATIENCE_MS = 30_000
# Without these, Chromium calls hosts of its maker while it runs.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Served:
    """A house whose pages are served on loopback."""

    house: House
    url: str

    def sign_in(self, page: Page, *, password: str = PASSWORD) -> None:
        """Fill in the sign-in."""
        page.goto(f"{self.url}/sign-in")
        page.locator("input[name=email]").fill(ADMINISTRATOR)
        page.locator("input[type=password]").fill(password)
        with page.expect_navigation():
            page.keyboard.press("Enter")

    @contextmanager
    def scheduler(self) -> Iterator[None]:
        """A scheduler in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "closingbell", "run-scheduler"],
            env=self.house.environment(),
            cwd=self.house.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        skip_or_fail("no chromium is installed here")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that knows nothing; what its scripts throw, and what the policy blocks, fails the test."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "console",
        lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield made
    context.close()
    assert wrong == []


@pytest.fixture
def serve(
    sqlite_tables_url: str,
    houses: Callable[..., House],  # noqa: F811
    no_waits: None,  # noqa: F811
) -> Iterator[Callable[..., Served]]:
    """Serves a house's pages: ``serve(latency_ms=...)``, on Friday 2012-11-30 at 16:31 in New York."""
    running = []

    def start(**more: object) -> Served:
        house = houses(sqlite_tables_url, FRIDAY, **more)
        add_pages_to(house.app)
        server = make_server("127.0.0.1", 0, house.app, threaded=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return Served(house, f"http://127.0.0.1:{server.server_port}")

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join(30)
        server.server_close()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """Served pages and an administrator."""
    made = serve()
    people.create_administrator(made.house.context, email=ADMINISTRATOR, password=PASSWORD, name="Ann")
    return made
