"""A whole application for a test: a database, a recorded market that answers it, and one clock under both.

Folders that want it import the fixtures in their ``conftest.py``::

    from tests.app_fixtures import house, houses, market, no_waits  # noqa: F401
"""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from click.testing import Result
from flask import Flask
from sqlalchemy import Connection, Engine, select

from closingbell.app import create_app, provider_opener
from closingbell.config import Settings
from closingbell.domain.money import plain
from closingbell.domain.runs import ItemOutcome, RunSummary
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.price_planning import Selection
from closingbell.jobs.price_sweep import sweep_prices
from closingbell.jobs.price_updater import refresh_prices, update_daily_prices
from closingbell.models import Base, Company, PriceHistory
from closingbell.replay import Market, RecordedMarket, ReplayServer
from closingbell.stores import summaries
from closingbell.stores.upsert import table_of
from closingbell.usecases.import_orders import ImportResult, import_orders
from closingbell.utils.clock import FixedClock
from closingbell.utils.waiting import waits_disabled

NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
HEADER = "date,type,symbol,quantity,price,fee,currency\n"


def new_york(text: str) -> datetime:
    """``2012-11-30 16:31`` as an instant in New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@dataclass(frozen=True)
class RecordedRow:
    """One line of the recorded file, as it is written there."""

    date: str
    open: str
    high: str
    low: str
    close: str
    volume: str


@cache
def recorded_rows(symbol: str) -> tuple[RecordedRow, ...]:
    """The recorded file's own lines of a symbol, read without any of closingbell's code."""
    path = resources.files("bokeh_sampledata").joinpath("_data/stocks.csv.gz")
    with gzip.open(str(path), "rt", encoding="utf-8", newline="") as file:
        return tuple(RecordedRow(*line[1:7]) for line in csv.reader(file) if line[0] == symbol)


class House:
    """An application with its database, the market it asks and the clock that both follow."""

    def __init__(
        self, url: str, market: Market, now: str, folder: Path, *, latency_ms: float = 0, **settings: Any
    ) -> None:
        self.url = url
        self.folder = folder
        self.clock = FixedClock(new_york(now))
        self.market = ReplayServer(market, clock=self.clock, latency_ms=latency_ms)
        self.market.start()
        self.settings = Settings(
            **{
                "database_url": url,
                "instance_path": folder / "instance",
                "yahoo_base_url": self.market.base_url,
                "yahoo_requests_per_minute": 0,
                "yahoo_timeout_s": 10,
                "cache_dir": folder / "cache",
                **settings,
            }
        )
        self.app: Flask = create_app(self.settings)
        # A provider that is down in the story is tried again when the story's time has passed.
        opener = provider_opener(self.settings, wall=self.clock, database=self.app.extensions[EXTENSION].database)
        self.context: JobContext = replace(self.app.extensions[EXTENSION], clock=self.clock, open_provider=opener)
        self.app.extensions[EXTENSION] = self.context

    def close(self) -> None:
        self.context.database.dispose()
        self.market.stop()

    # --- What people and the clock do.

    def at(self, now: str) -> House:
        """Move the clock of application and market; give the house, so that a sentence goes on."""
        self.clock.set(new_york(now))
        return self

    def orders(self, lines: str, *, account: str = "Ann") -> ImportResult:
        """Import order lines in the columns of HEADER."""
        return import_orders(self.context, HEADER + "\n".join(lines.split()) + "\n", account=account)

    def hold(self, *symbols: str, since: str) -> None:
        """Buy ten shares of each symbol on a day."""
        self.orders(" ".join(f"{since},BUY,{symbol},10,1.00,0,USD" for symbol in symbols))

    def run(self) -> RunSummary:
        """The daily job."""
        with self.app.app_context():
            return update_daily_prices()

    def sweep(self, *symbols: str) -> RunSummary:
        """The sweep: companies whose turn it is, or these."""
        return sweep_prices(self.context, symbols=symbols or None)

    def refresh(self, *symbols: str, on: str | None = None, force: bool = False) -> RunSummary:
        """What ``refresh-prices`` does."""
        day = date.fromisoformat(on) if on else None
        return refresh_prices(self.context, Selection(symbols or None, day, force))

    def command(self, *arguments: str) -> Result:
        """Run a command in this process."""
        runner = self.app.test_cli_runner()
        try:
            return runner.invoke(args=list(arguments))
        finally:
            # The command sent the logs to a stream that is closed now.
            structlog.reset_defaults()

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of this house as variables for a process of its own; its clock starts at the house's now."""
        return {
            **os.environ,
            "DATABASE_URL": self.url,
            "YAHOO_BASE_URL": self.market.base_url,
            "YAHOO_REQUESTS_PER_MINUTE": "0",
            "CLOSINGBELL_NOW": self.clock.now().isoformat(),
            "INSTANCE_PATH": str(self.folder / "instance"),
            "CACHE_DIR": str(self.folder / "cache"),
            **more,
        }

    def process(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own."""
        return run_closingbell(*arguments, env=self.environment(**more), cwd=self.folder)

    # --- What is stored.

    @contextmanager
    def without_entries(self) -> Iterator[None]:
        """On SQLite: no entry of the audit log can be stored meanwhile."""
        refuse = "CREATE TRIGGER no_entry BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no entry'); END"
        engine = self.context.database.engine
        with engine.begin() as connection:
            connection.exec_driver_sql(refuse)
        yield
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER no_entry")

    def rows(self, model: type[Base], *, order: str = "id") -> list[Any]:
        """All rows of a table."""
        return rows_of(self.context.database.engine, model, order=order)

    def company(self, symbol: str) -> Any:
        """A company's row."""
        return next(row for row in self.rows(Company) if row.symbol == symbol)

    def bars(self, symbol: str) -> list[Any]:
        """A company's stored bars, ascending."""
        company_id = self.company(symbol).id
        return [row for row in self.rows(PriceHistory, order="date") if row.company_id == company_id]

    def closes(self, symbol: str) -> dict[str, str]:
        """A company's stored closes by date, in plain notation."""
        return {str(row.date): plain(row.close) for row in self.bars(symbol)}

    def states(self, symbol: str) -> dict[str, str]:
        """Whether each of a company's bars is settled."""
        return {str(row.date): "settled" if row.is_settled else "provisional" for row in self.bars(symbol)}

    def drifted(self) -> list[str]:
        """Symbols of companies whose kept summary is not what their bars come to."""
        return self._symbols_of(summaries.find_drift)

    def rebuilt(self) -> list[str]:
        """Make the summaries anew, as a test does that wrote bars behind the application's back."""
        return self._symbols_of(summaries.rebuild)

    def _symbols_of(self, look: Callable[[Connection, list[int]], list[summaries.Drift]]) -> list[str]:
        symbols = {row.id: row.symbol for row in self.rows(Company)}
        drifts = self.context.database.write_unit(lambda connection: look(connection, sorted(symbols)))
        return sorted(symbols[drift.company_id] for drift in drifts)

    def charts(self) -> list[tuple[str, ...]]:
        """The symbols of every chart request so far, as the market saw them; forgets them."""
        asked = [record.symbols for record in self.market.requests if record.endpoint == "chart"]
        self.market.clear_log()
        return asked

    def asked(self) -> dict[str, int]:
        """How many requests of each kind the market saw; forgets them."""
        kinds = Counter(record.endpoint for record in self.market.requests)
        self.market.clear_log()
        return dict(kinds)


def rows_of(engine: Engine, model: type[Base], *, order: str = "id") -> list[Any]:
    """All rows of a table, in the order of a column."""
    table = table_of(model)
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c[order])))


def everything(engine: Engine, *, without: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, ordered; for saying that nothing changed. ``without`` leaves tables out."""
    found = {}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in without:
                query = select(table).order_by(*table.primary_key.columns)
                found[table.name] = [tuple(row) for row in connection.execute(query)]
    return found


def run_closingbell(
    *arguments: str, env: dict[str, str], cwd: Path, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """The console script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "closingbell", *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def item(summary: RunSummary, symbol: str) -> ItemOutcome:
    """How one company ended in a run."""
    return next(one for one in summary.items if one.symbol == symbol)


def outcomes(summary: RunSummary) -> dict[str, str]:
    """How each company ended in a run."""
    return {one.symbol: one.outcome.value for one in sorted(summary.items, key=lambda one: one.symbol)}


@pytest.fixture(scope="session")
def market() -> RecordedMarket:
    """Five companies from 2000 to 2013."""
    return RecordedMarket.load()


@pytest.fixture
def no_waits() -> Iterator[None]:
    """Retries follow each other at once."""
    with waits_disabled():
        yield


@pytest.fixture
def houses(tmp_path: Path, market: RecordedMarket) -> Iterator[Callable[..., House]]:
    """Makes houses that are closed with the test: ``houses(url, now, market=..., **settings)``."""
    with ExitStack() as stack:

        def make(url: str, now: str, *, market: Market = market, **settings: Any) -> House:
            made = House(url, market, now, tmp_path, **settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def house(tables_url: str, houses: Callable[..., House], no_waits: None) -> Iterator[House]:
    """A house on each database in turn, on Friday 2012-11-30 at 16:31 in New York; failures are retried at once.

    Whatever a test did, the summaries of its companies must be what their bars come to.
    """
    made = houses(tables_url, "2012-11-30 16:31")
    yield made
    assert made.drifted() == []
