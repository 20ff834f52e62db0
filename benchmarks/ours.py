"""closingbell as it is run, prepared for a measurement: tables by migration, orders, and a clock to move."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from benchmarks.folders import cache_folder
from closingbell import calendars
from closingbell.app import create_app
from closingbell.commands.database import upgrade
from closingbell.config import load_settings
from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.price_sweep import sweep_prices
from closingbell.jobs.price_updater import DAILY_PRICE_UPDATE, refresh_prices, update_daily_prices
from closingbell.stores.orders import NewOrder, store_orders
from closingbell.utils.clock import FixedClock

MIC = "XNYS"
# Prices are asked for half an hour after the close.
AFTER_CLOSE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Took:
    """What one run of the job cost, and what it says of itself."""

    summary: RunSummary
    wall_s: float
    cpu_s: float

    @property
    def symbols_per_s(self) -> float:
        """Companies brought up to date in a second."""
        return len(self.summary.items) / self.wall_s

    @property
    def rows(self) -> int:
        """Bars stored."""
        return sum(item.stored_count for item in self.summary.items)


class Ours:
    """The application on one database; close it when done."""

    def __init__(self, url: str, *, market_url: str, concurrency: int) -> None:
        settings = load_settings(
            database_url=url,
            instance_path=cache_folder() / "instance",
            cache_dir=cache_folder(),
            yahoo_base_url=market_url,
            yahoo_requests_per_minute=0,
            yahoo_concurrency=concurrency,
            closingbell_now=datetime(2013, 1, 1, tzinfo=UTC),
        )
        self.app = create_app(settings)
        self.context: JobContext = self.app.extensions[EXTENSION]
        self.concurrency = concurrency

    def set_up(self) -> None:
        """Make the tables as ``closingbell init-db`` does."""
        with self.app.app_context():
            upgrade(self.app)

    def buy(self, symbols: Sequence[str], on: date) -> None:
        """One order a company, so that its prices are needed from that date on."""
        moment = datetime(on.year, on.month, on.day, 18, tzinfo=UTC)
        orders = [_order(symbol, on, moment) for symbol in symbols]
        self.context.database.write_unit(
            lambda connection: store_orders(
                connection, "Bench", orders, symbols=[(symbol, MIC) for symbol in symbols], now=moment
            )
        )

    def at(self, now: datetime) -> JobContext:
        """What the job is given at an instant."""
        return replace(self.context, clock=FixedClock(now))

    def run(self, now: datetime) -> Took:
        """The daily job at an instant; every company must end well."""
        return self._time(update_daily_prices, now)

    def run_by_charts(self, now: datetime) -> Took:
        """The same with every company asked for by itself."""
        return self._time(lambda context: refresh_prices(context, job_name=DAILY_PRICE_UPDATE), now)

    def sweep(self, now: datetime) -> Took:
        """The sweep at an instant; every company must end well."""
        return self._time(sweep_prices, now)

    def _time(self, job: Callable[[JobContext], RunSummary], now: datetime) -> Took:
        context = self.at(now)
        wall, cpu = time.perf_counter(), time.process_time()
        summary = job(context)
        took = Took(summary, time.perf_counter() - wall, time.process_time() - cpu)
        if summary.status is not RunStatus.SUCCESS:
            raise RuntimeError(f"not a measurement: {summary.message}")
        return took

    def fetch_only(self, symbols: Sequence[str], *, first: date, now: datetime) -> float:
        """Symbols fetched in a second by the same client with the same concurrency, nothing stored."""
        provider = self.context.open_provider()
        began = time.perf_counter()
        with ThreadPoolExecutor(self.concurrency) as pool:
            for history in pool.map(lambda symbol: provider.fetch_daily(symbol, first=first, now=now), symbols):
                assert history.bars
        return len(symbols) / (time.perf_counter() - began)

    def close(self) -> None:
        """Let go of connections."""
        self.context.open_provider().close()
        self.context.database.dispose()


@contextmanager
def opened(url: str, *, market_url: str, concurrency: int) -> Iterator[Ours]:
    """``Ours`` for the length of a ``with`` block."""
    ours = Ours(url, market_url=market_url, concurrency=concurrency)
    try:
        yield ours
    finally:
        ours.close()


def clone_symbols(count: int) -> list[str]:
    """Symbols of the recorded market's clones: C00001, C00002, ..."""
    return [f"C{number:05d}" for number in range(1, count + 1)]


@lru_cache(maxsize=8)
def sessions(first: date, last: date) -> list[tuple[date, datetime]]:
    """New York's sessions, each with the instant at which its prices are asked for."""
    return [(times.date, times.close_at + AFTER_CLOSE) for times, _ in calendars.fetch_sessions(MIC, first, last)]


def _order(symbol: str, on: date, moment: datetime) -> NewOrder:
    return NewOrder(
        type="BUY",
        symbol=symbol,
        trade_date=on,
        executed_at=moment,
        quantity=Decimal(10),
        price=Decimal(20),
        amount=Decimal(200),
        fee=Decimal(0),
        currency="USD",
        source="bench",
        source_key=symbol,
    )
