"""Is everything all right: the first page, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from closingbell.domain.market_clock import MarketClock, read_clock
from closingbell.domain.planning import SessionTimes
from closingbell.domain.schedules import Sessions
from closingbell.jobs.registry import Registry
from closingbell.models import CorporateActionRow, Incident, JobLog, JobLogItem, Order, QuarantinedBar
from closingbell.queries.coverage import count_incomplete
from closingbell.queries.jobs import (
    JobView,
    Outcome,
    list_schedulers,
    load_sessions_around,
    view_jobs_with_outcomes,
)
from closingbell.queries.kept import Kept
from closingbell.queries.newest_closes import MarketCloses, load_newest_closes, newest_due
from closingbell.stores import sessions
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of

STRIP = 30
DAILY = "daily_price_update"
# Without these prices end, or stay provisional, or nobody is paid: switched off, they are a trouble.
MATTERING = frozenset({DAILY, "price_sweep", "dividend_processor"})
# So long the daily job may take from its due time on before a close is missing.
DUE_AFTER = timedelta(hours=1)
# Counting closes takes time by the companies and by the orders that say who is held. A count is kept for a second for
# so many of them, which is some hundredths of the time that a process has.
_COMPANIES_A_SECOND, _ORDERS_A_SECOND = 500, 50_000
# Holidays that a clock may have to name are not further away.
_AROUND = timedelta(days=10)
# Where an exchange is, for the name of its day; all others are told in New York's.
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class JobNow:
    """A job with its newest outcomes (oldest first), its usual and its last duration."""

    job: JobView
    strip: tuple[Outcome, ...]
    usual_s: float | None
    last_s: float | None


@dataclass(frozen=True, slots=True)
class Closes:
    """The newest closes that were due, of every company held, by market; and the newest run of all companies.

    A session is due once such a run began after its close, or an hour after the daily job should have run.
    ``left_count`` companies did not get all that this run expected of them, and miss a session still. ``run_id`` is
    None while only runs of chosen companies are known.
    """

    markets: tuple[MarketCloses, ...]
    run_id: int | None
    message: str | None
    status: str | None
    at: datetime | None
    left_count: int

    @property
    def expected_count(self) -> int:
        """Closes of the newest due session of each market, one of each company held."""
        return sum(market.expected_count for market in self.markets)

    @property
    def covered_count(self) -> int:
        """How many of them are stored."""
        return sum(market.stored_count for market in self.markets)


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """Something that went wrong and goes on."""

    job_name: str
    kind: str
    opened_at: datetime
    seen_count: int


@dataclass(frozen=True, slots=True)
class Now:
    """Everything on the first page."""

    at: datetime
    clocks: tuple[MarketClock, ...]
    is_scheduler_alive: bool
    scheduler_seen_at: datetime | None
    closes: Closes | None
    jobs: tuple[JobNow, ...]
    incidents: tuple[OpenIncident, ...]
    quarantined_count: int
    held_count: int

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why not everything is all right, in words; empty when it is."""
        return (*self._troubles_of_runs(), *self._troubles_of_closes(), *filter(None, map(_why_job, self.jobs)))

    def _troubles_of_runs(self) -> Iterator[str]:
        if not self.is_scheduler_alive:
            yield "no scheduler is alive"
        if self.incidents:
            yield f"{_some(len(self.incidents), 'incident')} open"

    def _troubles_of_closes(self) -> Iterator[str]:
        if self.closes is None:
            return
        for market in self.closes.markets:
            missing_count = market.expected_count - market.stored_count
            if market.is_stale:
                until = f"end on {market.newest}" if market.newest else "are not there"
                yield f"prices of {market.mic} {until}, its session of {market.session} is missing"
            elif missing_count:
                yield f"{_some(missing_count, 'close')} of {market.mic} missing on {market.session}"
        if self.closes.left_count:
            left = _some(self.closes.left_count, "company", "companies")
            yield f"{left} without a close that run {self.closes.run_id} should have brought"

    @property
    def newest_closed(self) -> date | None:
        """The newest closed session over all markets in use."""
        return max((clock.last_closed for clock in self.clocks if clock.last_closed), default=None)


def _why_job(one: JobNow) -> str:
    """Why a job is a trouble; empty when it is none. That one of lesser weight is switched off is somebody's choice."""
    job = one.job
    if job.is_overdue:
        return f"{job.id} is overdue"
    if job.id in MATTERING and (job.paused_at or job.is_disabled):
        return f"{job.id} is {'paused' if job.paused_at else 'disabled'}"
    return ""


def _some(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def look(
    database: Database,
    registry: Registry,
    *,
    now: datetime,
    wall: datetime,
    disabled: frozenset[str],
    kept: Kept[Closes] | None = None,
) -> Now:
    """The state of everything at ``now`` (the jobs' clock); ``wall`` is real time, by which processes are alive.

    ``kept`` is where a count of closes is kept for the next one who looks: some seconds where thousands of companies
    are held, not at all where there are few, and never longer than until the next run ends or session is due.
    """
    schedulers = list_schedulers(database, wall=wall)
    with database.read() as connection:
        known = load_sessions_around(connection, now)
        jobs = view_jobs_with_outcomes(connection, registry, known, STRIP, now=now, disabled=disabled)
        return Now(
            at=now,
            clocks=_clocks(connection, known, now),
            is_scheduler_alive=any(one.is_alive for one in schedulers),
            scheduler_seen_at=max((one.heartbeat_at for one in schedulers), default=None),
            closes=_closes(connection, registry, known, kept or Kept(), now=now, wall=wall),
            jobs=tuple(_job_now(job, outcomes) for job, outcomes in jobs),
            incidents=_incidents(connection),
            quarantined_count=_count_quarantined(connection),
            held_count=_count_held(connection),
        )


def _clocks(connection: Connection, known: Sessions, now: datetime) -> tuple[MarketClock, ...]:
    return tuple(_clock(connection, mic, of_mic, now) for mic, of_mic in sorted(known.items()) if of_mic)


def _clock(connection: Connection, mic: str, of_mic: Sequence[SessionTimes], now: datetime) -> MarketClock:
    first, last = (now - _AROUND).date(), (now + _AROUND).date()
    holidays = sessions.load_holidays(connection, mic, first=first, last=last)
    return read_clock(mic, of_mic, holidays, now=now, zone=_NEW_YORK)


def _closes(
    connection: Connection, registry: Registry, known: Sessions, kept: Kept[Closes], *, now: datetime, wall: datetime
) -> Closes | None:
    """None before the daily job ever ended."""
    log = table_of(JobLog).c
    ended = (
        select(
            log.id, log.message, log.status, log.completed_at, log.started_at, log.expected_count > log.covered_count
        )
        .where(log.job_name == DAILY, log.completed_at.is_not(None))
        .order_by(log.started_at.desc(), log.id.desc())
        .limit(1)
    )
    # One that was asked for chosen companies, or for those that failed, says nothing of the others.
    whole = connection.execute(ended.where(log.arguments.is_(None), log.retry_of.is_(None))).one_or_none()
    if whole is None and connection.execute(ended).one_or_none() is None:
        return None
    job = registry.get(DAILY)
    fires = job.schedule.fire_times(now - _AROUND, now - DUE_AFTER, known) if job else []
    due = [fire.at for fire in fires if fire.skip is None][-1:]
    reached = max([*due, *([whole.started_at] if whole else [])], default=now)
    sessions_due = newest_due(known, reached)

    def count() -> tuple[Closes, timedelta]:
        markets = load_newest_closes(connection, sessions_due)
        if whole is None:
            return Closes(markets, None, None, None, None, 0), _holds_for(connection, markets)
        run_id, message, status, at, _, is_short = whole
        left_count = _count_left(connection, run_id, reached) if is_short else 0
        return Closes(markets, run_id, message, status, at, left_count), _holds_for(connection, markets)

    whole_key = None if whole is None else tuple(whole)
    return kept.load((whole_key, tuple(sorted(sessions_due.items()))), count, wall=wall)


def _holds_for(connection: Connection, markets: Sequence[MarketCloses]) -> timedelta:
    company_count = sum(market.expected_count for market in markets)
    order_count = connection.scalar(select(func.max(table_of(Order).c.id))) or 0
    return timedelta(seconds=company_count / _COMPANIES_A_SECOND + order_count / _ORDERS_A_SECOND)


def _count_left(connection: Connection, run_id: int, until: datetime) -> int:
    """Companies that got less than a run expected of them, and miss a session still."""
    item = table_of(JobLogItem).c
    is_short = item.covered_count < item.expected_count
    short = select(item.company_id).where(item.job_log_id == run_id, is_short, item.company_id.is_not(None))
    return count_incomplete(connection, list(connection.scalars(short)), until=until)


def _job_now(job: JobView, outcomes: Sequence[Outcome]) -> JobNow:
    lasted = [(one.completed_at - one.started_at).total_seconds() for one in outcomes if one.completed_at is not None]
    return JobNow(
        job=job,
        strip=tuple(reversed(outcomes)),
        usual_s=median(lasted) if lasted else None,
        last_s=lasted[0] if lasted else None,
    )


def _incidents(connection: Connection) -> tuple[OpenIncident, ...]:
    row = table_of(Incident).c
    query = select(row.job_name, row.kind, row.opened_at, row.seen_count).where(row.active_key.is_not(None))
    return tuple(OpenIncident(*found) for found in connection.execute(query.order_by(row.opened_at)))


def _count_quarantined(connection: Connection) -> int:
    row = table_of(QuarantinedBar).c
    return connection.scalar(select(func.count()).where(row.released_at.is_(None))) or 0


def _count_held(connection: Connection) -> int:
    row = table_of(CorporateActionRow).c
    query = select(func.count()).where(row.is_held.is_(True), row.is_cancelled.is_(False))
    return connection.scalar(query) or 0
