"""What ran, when, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select
from sqlalchemy.orm import aliased

from closingbell.models import CompanySymbol, JobLog, JobLogItem, JobState, JobTick
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, as JobLog has it; ``duration_s`` is None while it runs, ``late_s`` how late it began.

    ``last_symbol`` is the company that ended last so far, None while none did.

    ``requests_by_provider`` sums to ``request_count``; it is empty for runs of a time when it was not written down.
    """

    id: int
    job_name: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_s: float | None
    late_s: float | None
    stocks_planned: int | None
    stocks_processed: int
    stocks_failed: int
    last_symbol: str | None
    message: str | None
    error_message: str | None
    trigger: str
    requested_by: str | None
    fire_time: datetime | None
    attempt: int
    ended_by: str | None
    retry_of: int | None
    cancel_requested_at: datetime | None
    expected_count: int
    covered_count: int
    request_count: int
    requests_by_provider: dict[str, int]


@dataclass(frozen=True, slots=True)
class ItemView:
    """How one company ended in a run."""

    symbol: str
    outcome: str
    expected_count: int
    covered_count: int
    stored_count: int
    changed_count: int
    quarantined_count: int
    error_kind: str | None
    message: str | None
    attempt_count: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """The ``count`` companies of a run that ended alike; ``items`` are the first of them by symbol."""

    outcome: str
    error_kind: str | None
    count: int
    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to show; None is any."""

    job_name: str | None = None
    status: str | None = None
    since: datetime | None = None
    symbol: str | None = None
    after_id: int | None = None
    before_id: int | None = None


# The plain table's: mapped attributes cost each look more than the look itself.
_ITEM_COLUMNS = [table_of(JobLogItem).c[name] for name in ItemView.__slots__]
SKIPPED = "SKIPPED"
_KINDS = ("skip", "run")


@dataclass(frozen=True, slots=True)
class SkippedTime:
    """A due time that was not run, and why."""

    id: int
    job_name: str
    fire_time: datetime
    reason: str


class Place(NamedTuple):
    """A place on the line of time, to go on from: an instant, and what stands there; at one instant runs come first."""

    at: datetime
    kind: str
    id: int

    def told(self) -> str:
        """As an address carries it."""
        return f"{self.at.astimezone(UTC).isoformat()},{self.kind},{self.id}"


def read_place(text: str) -> Place | None:
    """What ``Place.told`` says, or None where it says nothing of the kind."""
    at, _, rest = text.partition(",")
    kind, _, number = rest.partition(",")
    # An offset's + that was not written as %2B arrives as a blank.
    if kind not in _KINDS or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    try:
        read = datetime.fromisoformat(at.replace(" ", "+"))
        return None if read.tzinfo is None else Place(read.astimezone(UTC), kind, int(number))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Runs by when they began and skipped due times by when they were due, the newest first; ``older`` is its end."""

    entries: tuple[RunView | SkippedTime, ...]
    older: Place | None


def load_time_line(database: Database, wanted: RunFilter, *, before: Place | None = None, limit: int = 50) -> TimeLine:
    """A page of what was due: what ran, and what was skipped and why.

    A due time that was skipped has no companies and no outcome: it is left out where a symbol or a run's status is
    asked for. Status SKIPPED is those alone.
    """
    runs: list[RunView] = []
    skipped: list[SkippedTime] = []
    with database.read() as connection:
        if wanted.status != SKIPPED:
            found = connection.execute(_runs(wanted, before).limit(limit + 1))
            runs = [view_of(row) for row in found]
        if wanted.status in (None, SKIPPED) and wanted.symbol is None:
            # Further back than the page's last run nothing of this page can stand.
            since = runs[-1].started_at if len(runs) > limit else None
            # One look for each job: an index finds due times by job and instant, and none by instant alone.
            names = [wanted.job_name] if wanted.job_name else connection.scalars(select(JobState.job_name)).all()
            for name in names:
                found = connection.execute(_skipped(name, wanted.since, since, before=before).limit(limit + 1))
                skipped += [SkippedTime(*row) for row in found]
    both: list[RunView | SkippedTime] = [*runs, *skipped]
    entries = sorted(both, key=_order, reverse=True)
    is_more = len(entries) > limit
    return TimeLine(tuple(entries[:limit]), _place_of(entries[limit - 1]) if is_more else None)


def _order(entry: RunView | SkippedTime) -> tuple[datetime, bool, int]:
    at, kind, number = _place_of(entry)
    return at, kind == "run", number


def _place_of(entry: RunView | SkippedTime) -> Place:
    if isinstance(entry, RunView):
        return Place(entry.started_at, "run", entry.id)
    return Place(entry.fire_time, "skip", entry.id)


def _runs(wanted: RunFilter, before: Place | None) -> Select[Any]:
    query = _filtered(wanted)
    return query if before is None else query.where(*_before(JobLog.started_at, JobLog.id, "run", before))


def _skipped(job_name: str, *not_before: datetime | None, before: Place | None) -> Select[Any]:
    tick = JobTick
    columns: list[Any] = [tick.id, tick.job_name, tick.fire_time, tick.skipped]
    query = select(*columns).where(tick.job_name == job_name, tick.skipped.is_not(None))
    for first in not_before:
        if first is not None:
            query = query.where(tick.fire_time >= first)
    if before is not None:
        query = query.where(*_before(tick.fire_time, tick.id, "skip", before))
    return query.order_by(tick.fire_time.desc(), tick.id.desc())


def _before(at: Any, row_id: Any, kind: str, place: Place) -> list[ColumnElement[bool]]:
    """What stands after ``place`` on a line that goes back in time."""
    if kind == place.kind:
        return [at <= place.at, or_(at < place.at, row_id < place.id)]
    return [at <= place.at if kind == "skip" else at < place.at]


def recent_runs(database: Database, wanted: RunFilter | None = None, *, limit: int = 20) -> list[RunView]:
    """The newest runs first."""
    with database.read() as connection:
        return [view_of(row) for row in connection.execute(_filtered(wanted or RunFilter()).limit(limit))]


def _filtered(chosen: RunFilter) -> Select[Any]:
    query = select(JobLog).order_by(JobLog.started_at.desc(), JobLog.id.desc())
    if chosen.job_name is not None:
        query = query.where(JobLog.job_name == chosen.job_name)
    if chosen.status is not None:
        query = query.where(JobLog.status == chosen.status)
    if chosen.since is not None:
        query = query.where(JobLog.started_at >= chosen.since)
    if chosen.after_id is not None:
        query = query.where(JobLog.id > chosen.after_id)
    if chosen.before_id is not None:
        query = query.where(JobLog.id < chosen.before_id)
    if chosen.symbol is not None:
        with_symbol = select(JobLogItem.job_log_id).where(
            or_(JobLogItem.symbol == chosen.symbol, JobLogItem.symbol.in_(_names_of(chosen.symbol)))
        )
        query = query.where(JobLog.id.in_(with_symbol))
    return query


def _names_of(symbol: str) -> Select[str]:
    """Every name of a company that has or had this one: what ran under a former name is found too."""
    name, known = CompanySymbol, aliased(CompanySymbol)
    return select(name.symbol).join(known, known.company_id == name.company_id).where(known.symbol == symbol)


def run_items(database: Database, run_id: int) -> list[ItemView]:
    """How each company ended in a run, by symbol."""
    row = JobLogItem
    with database.read() as connection:
        query = select(*_ITEM_COLUMNS).where(row.job_log_id == run_id).order_by(row.symbol)
        return [ItemView(*found) for found in connection.execute(query)]


def group_items(database: Database, run_id: int, *, most: int) -> list[ItemGroup]:
    """How the companies of a run ended, those that ended alike together and at most so many of each in full.

    What failed comes first, then by number. A run has thousands of companies: they are counted where they are stored.
    """
    row = JobLogItem
    counted = (
        select(row.outcome, row.error_kind, func.count())
        .where(row.job_log_id == run_id)
        .group_by(row.outcome, row.error_kind)
    )
    with database.read() as connection:
        groups = [
            ItemGroup(outcome, error_kind, count, _first_items(connection, run_id, outcome, error_kind, most))
            for outcome, error_kind, count in connection.execute(counted).all()
        ]
    return sorted(groups, key=lambda one: (one.error_kind is None, -one.count, one.outcome))


def _first_items(
    connection: Connection, run_id: int, outcome: str, error_kind: str | None, most: int
) -> tuple[ItemView, ...]:
    row = JobLogItem
    query = select(*_ITEM_COLUMNS).where(row.job_log_id == run_id, row.outcome == outcome)
    query = query.where(row.error_kind.is_(None) if error_kind is None else row.error_kind == error_kind)
    return tuple(ItemView(*found) for found in connection.execute(query.order_by(row.symbol).limit(most)))


def view_of(row: Any) -> RunView:
    """A JobLog row as a RunView."""
    derived = ("duration_s", "late_s", "requests_by_provider")
    values = {name: getattr(row, name) for name in RunView.__slots__ if name not in derived}
    ended, fire_time = values["completed_at"], values["fire_time"]
    return RunView(
        duration_s=(ended - row.started_at).total_seconds() if ended else None,
        late_s=(row.started_at - fire_time).total_seconds() if fire_time else None,
        requests_by_provider=json.loads(row.requests_by_provider or "{}"),
        **values,
    )
