"""A portfolio, its market in a process of its own, and schedulers that fetch its prices in small chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from closingbell.jobs.context import JobContext
from closingbell.models import Company, PriceHistory
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import Database
from closingbell.usecases.import_orders import import_orders
from tests.app_fixtures import HEADER, new_york
from tests.scheduling.fleet import Fleet, context_on, fleet, prepare
from tests.scheduling.quick_jobs import Plan, environment

EVENING = new_york("2012-11-30 16:31")
SINCE = "2012-09-04"
SESSIONS = 61


@dataclass
class MarketDay:
    """The evening of 2012-11-30: who holds what, who answers, who fetches."""

    processes: Fleet
    source: ReplayProcess
    context: JobContext
    plan: Plan
    began: float

    def now(self) -> datetime:
        """The simulated time, which runs at the machine's pace."""
        return EVENING + timedelta(seconds=time.monotonic() - self.began)

    def start_scheduler(self, **plan: object) -> None:
        """One more process; its clock begins where the others' are by now."""
        env = environment(replace(self.plan, **plan)) if plan else environment(self.plan)  # type: ignore[arg-type]
        self.processes.start_scheduler(CLOSINGBELL_NOW=self.now().isoformat(), **env)

    def bar_counts(self) -> Mapping[str, int]:
        """How many bars are stored of each company."""
        return bar_counts(self.context.database)


def bar_counts(database: Database) -> Mapping[str, int]:
    """How many bars are stored of each company."""
    query = (
        select(Company.symbol, func.count())
        .join(PriceHistory, PriceHistory.company_id == Company.id)
        .group_by(Company.symbol)
    )
    with database.read() as connection:
        return dict(tuple(row) for row in connection.execute(query))  # type: ignore[arg-type]


def clones(count: int) -> list[str]:
    """The symbols of so many clones."""
    return [f"C{number:05}" for number in range(1, count + 1)]


@contextmanager
def market_day(
    folder: Path, url: str, plan: Plan, *, companies: int, latency_ms: float = 40, **env: str
) -> Iterator[MarketDay]:
    """Everything, with no scheduler yet; ``plan.start`` is seconds after the evening's beginning."""
    with ExitStack() as stack:
        source = stack.enter_context(replay_process(now=EVENING, latency_ms=latency_ms, clones=companies))
        settings = {"yahoo_base_url": source.base_url, "closingbell_now": EVENING}
        context = stack.enter_context(context_on(url, folder, **settings))
        lines = "\n".join(f"{SINCE},BUY,{symbol},10,1.00,0,USD" for symbol in clones(companies))
        import_orders(context, HEADER + lines + "\n", account="Ann")
        started = replace(plan, start=(EVENING + timedelta(seconds=float(plan.start))).isoformat())
        prepare(url, folder, started, now=EVENING)
        shared = {"YAHOO_BASE_URL": source.base_url, "YAHOO_REQUESTS_PER_MINUTE": "0", "YAHOO_CONCURRENCY": "2"}
        processes = stack.enter_context(fleet(folder / "fleet", url, **{**shared, **env}))
        yield MarketDay(processes, source, context, started, time.monotonic())
