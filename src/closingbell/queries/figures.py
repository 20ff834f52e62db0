"""What is measured: what all runs came to so far, and how old prices are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from closingbell.domain import run_totals as kinds
from closingbell.domain.run_totals import DURATION_BOUNDS, LATENESS_BOUNDS, cumulative
from closingbell.domain.runs import Outcome, RunStatus
from closingbell.models import Company, MarketSession, PriceSummary
from closingbell.stores.database import Database
from closingbell.stores.run_totals import load_totals
from closingbell.stores.upsert import table_of

ENDED = tuple(status.value.lower() for status in RunStatus if status is not RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Measured:
    """Times in buckets: (upper bound in seconds, how many were at most that), the last without a bound; their sum."""

    buckets: tuple[tuple[float, int], ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Ended runs by (job, status) and companies by (job, outcome), how long runs took and how late they began by job.

    They never fall. ``price_ages`` are seconds since the newest stored price, by MIC.
    """

    runs: Mapping[tuple[str, str], int]
    companies: Mapping[tuple[str, str], int]
    durations: Mapping[str, Measured]
    lateness: Mapping[str, Measured]
    price_ages: Mapping[str, float]


def load_figures(database: Database, *, job_names: Collection[str], mics: Collection[str], now: datetime) -> Figures:
    """The figures at ``now``: prices of ``mics``; a job of ``job_names`` that never ran is there with zeros."""
    with database.read() as connection:
        totals = load_totals(connection)
        ages = _price_ages(connection, mics, now)
    by_kind: dict[str, dict[str, dict[str, int]]] = {}
    for kind, job_name, label, amount in totals:
        by_kind.setdefault(kind, {}).setdefault(job_name, {})[label] = amount
    runs, companies = by_kind.get(kinds.RUNS, {}), by_kind.get(kinds.SYMBOLS, {})
    return Figures(
        runs=_counts(runs, sorted({*job_names, *runs}), ENDED),
        companies=_counts(companies, sorted(companies), [outcome.value for outcome in Outcome]),
        durations=_measured(by_kind, kinds.DURATION, kinds.DURATION_MS, DURATION_BOUNDS),
        lateness=_measured(by_kind, kinds.LATENESS, kinds.LATENESS_MS, LATENESS_BOUNDS),
        price_ages=ages,
    )


def _counts(
    found: Mapping[str, Mapping[str, int]], job_names: Collection[str], labels: Collection[str]
) -> dict[tuple[str, str], int]:
    """Counts with a zero where there was none yet: a first one is then seen to rise."""
    return {(job, label): found.get(job, {}).get(label, 0) for job in job_names for label in labels}


def _measured(
    by_kind: Mapping[str, Mapping[str, Mapping[str, int]]], kind: str, sum_kind: str, bounds: tuple[float, ...]
) -> dict[str, Measured]:
    sums = by_kind.get(sum_kind, {})
    return {
        job: Measured(tuple(cumulative(counts, bounds)), sums.get(job, {}).get("", 0) / 1000)
        for job, counts in by_kind.get(kind, {}).items()
    }


def _price_ages(connection: Connection, mics: Collection[str], now: datetime) -> dict[str, float]:
    """A price is of its session's close, or of when it was fetched where the session still ran then."""
    newest: dict[str, tuple[date, datetime]] = {}
    for mic, day, fetched_at in connection.execute(_newest()):
        if mic in mics and day is not None and (mic not in newest or newest[mic][0] < day):
            newest[mic] = day, fetched_at
    if not newest:
        return {}
    row = table_of(MarketSession).c
    wanted = or_(*(and_(row.mic == mic, row.date == day) for mic, (day, _) in newest.items()))
    closes = dict(connection.execute(select(row.mic, row.close_at).where(wanted)).all())
    return {
        mic: (now - min(fetched_at, closes.get(mic, fetched_at))).total_seconds()
        for mic, (_, fetched_at) in sorted(newest.items())
    }


@cache
def _newest() -> Select[Any]:
    summary, company = table_of(PriceSummary).c, table_of(Company)
    columns = company.c.mic, summary.date, func.max(summary.fetched_at)
    by_day = select(*columns).join(company, company.c.id == summary.company_id)
    return by_day.group_by(company.c.mic, summary.date)
