"""What is well and what is not, each with the way out; no data are changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from closingbell.config import Settings
from closingbell.errors import ClosingbellError
from closingbell.jobs.registry import Registry
from closingbell.queries.jobs import JobView, list_jobs, list_schedulers
from closingbell.stores import companies, job_log, marks, sessions, summaries
from closingbell.stores.database import Database
from closingbell.utils.text import listed

OK, WARN, FAIL = "ok", "warn", "fail"

# The first SQLite without the bug by which two connections in WAL mode can corrupt a file.
SAFE_SQLITE = (3, 51, 3)
CLOCK_WARN, CLOCK_FAIL = timedelta(seconds=5), timedelta(seconds=60)
SESSIONS_AHEAD = timedelta(days=30)
# Companies whose bars are all read for a check.
SUMMARIES_LOOKED_AT = 100
DISK_WARN, DISK_FAIL = 1_000_000_000, 100_000_000
# Noon before and after the night in which New York's clocks go forward, and the offsets that then hold.
_KNOWN_OFFSETS = {datetime(2027, 3, 13, 12): -5, datetime(2027, 3, 14, 12): -4}  # noqa: DTZ001  (the zone is added)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ok, warn or fail, in a sentence, with the way out where there is one."""

    name: str
    state: str
    message: str
    way_out: str | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at; ``now`` is the clock's time, ``wall`` real time."""

    settings: Settings
    database: Database
    registry: Registry
    cache_folder: Path
    now: datetime
    wall: datetime


def guarded(name: str, look: Callable[[], Check | None]) -> list[Check]:
    """What ``look`` finds, if anything; an error on the way is a finding too."""
    try:
        found = look()
    except (ClosingbellError, DBAPIError, OSError) as error:
        lines = str(getattr(error, "orig", None) or error).splitlines()
        found = Check(name, FAIL, f"{type(error).__name__}: {lines[0] if lines else 'no reason was given'}")
    return [] if found is None else [found]


def examine_machine(patient: Patient) -> list[Check]:
    """Everything that needs no database."""
    looks: dict[str, Callable[[], Check | None]] = {
        "time zones": check_time_zones,
        "settings": lambda: _check_settings(patient),
        "cache folder": lambda: _check_cache(patient.cache_folder),
        "disk space": lambda: _check_disk(patient.database),
    }
    return [check for name, look in looks.items() for check in guarded(name, look)]


def examine_reachable(patient: Patient) -> list[Check]:
    """Whether the database answers, its version and its clock: what holds without tables too."""
    found = guarded("database", lambda: _check_reachable(patient.database))
    if any(check.state == FAIL for check in found):
        return found
    found += guarded("SQLite version", lambda: _check_sqlite(patient.database))
    found += guarded("database's clock", lambda: _check_clock(patient))
    return found


def examine_tables(patient: Patient) -> list[Check]:
    """What the tables tell: schedulers, jobs, runs, sessions, origin."""
    looks: dict[str, Callable[[], Check | None]] = {
        "origin": lambda: _check_origin(patient),
        "scheduler": lambda: _check_schedulers(patient),
        "runs": lambda: _check_runs(patient),
        "sessions": lambda: _check_sessions(patient),
        "summaries": lambda: check_summaries(patient.database),
    }
    return [
        *(check for name, look in looks.items() for check in guarded(name, look)),
        *guarded("due times", lambda: _check_overdue(_jobs(patient))),
        *guarded("paused jobs", lambda: _check_paused(_jobs(patient))),
    ]


def first_held_symbol(database: Database, *, otherwise: str = "AAPL") -> str:
    """A symbol to ask a provider for: one that somebody holds, or a well-known one."""
    with database.read() as connection:
        held = companies.load_held(connection)
    return held[0][0].symbol if held else otherwise


def check_time_zones() -> Check:
    """Whether the time zone data are there and know New York's rules."""
    name, way_out = "time zones", "install the system's tzdata, or: pip install --upgrade tzdata"
    try:
        zone = ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        return Check(name, FAIL, "there are no data for America/New_York", way_out)
    for moment, hours in _KNOWN_OFFSETS.items():
        if moment.replace(tzinfo=zone).utcoffset() != timedelta(hours=hours):
            return Check(
                name, FAIL, f"New York's offset on {moment.date()} should be {hours} hours and is not", way_out
            )
    return Check(name, OK, "New York's clocks go forward on 2027-03-14, as they should")


def _check_settings(patient: Patient) -> Check:
    """What is set, in a sentence; nothing secret is in it."""
    settings = patient.settings
    where = patient.database.engine.url.render_as_string(hide_password=True)
    parts = [
        "a replayed market" if settings.is_replay else "live data",
        f"database {where.partition('?')[0]}",
        "jobs enabled" if settings.jobs_enabled else "JOBS_ENABLED is false",
        *([f"never run by themselves: {listed(sorted(settings.disabled_jobs))}"] if settings.disabled_jobs else []),
        f"{settings.yahoo_requests_per_minute or 'any number of'} requests a minute",
    ]
    unknown = sorted(settings.disabled_jobs - patient.registry.keys())
    if unknown:
        known = listed(sorted(patient.registry))
        return Check("settings", WARN, f"JOBS_DISABLED names no job: {listed(unknown)}", f"there are {known}")
    return Check("settings", OK, "; ".join(parts))


def _check_cache(folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check("cache folder", OK, f"{folder} can be written")
    except OSError as error:
        way_out = "make the folder writable, or set CACHE_DIR to another one"
        return Check("cache folder", FAIL, f"{folder} cannot be written ({error.strerror})", way_out)


def _check_disk(database: Database) -> Check | None:
    """Space where SQLite's file lies; servers look after their own."""
    path = database.engine.url.database
    if database.dialect != "sqlite" or not path or path == ":memory:":
        return None
    folder = Path(path).resolve().parent
    free = shutil.disk_usage(folder).free
    state = FAIL if free < DISK_FAIL else WARN if free < DISK_WARN else OK
    way_out = None if state == OK else "make room, or move the database and set DATABASE_URL"
    return Check("disk space", state, f"{free / 1e9:.1f} GB free in {folder}", way_out)


def _check_reachable(database: Database) -> Check:
    name = {"sqlite": "SQLite", "mysql": "MySQL or MariaDB", "postgresql": "PostgreSQL"}[database.dialect]
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        # The driver's own text may repeat what it was given; its type says enough.
        message = f"{name} does not answer ({type(error.orig).__name__})"
        return Check("database", FAIL, message, "start it, or correct DATABASE_URL")
    return Check("database", OK, f"{name} answers")


def _check_sqlite(database: Database) -> Check | None:
    if database.dialect != "sqlite":
        return None
    with database.read() as connection:
        version = str(connection.scalar(text("SELECT sqlite_version()")))
    return judge_sqlite(version)


def judge_sqlite(version: str) -> Check:
    """Whether a version of SQLite has the fix of the WAL-reset bug."""
    if tuple(int(part) for part in version.split(".")[:3]) >= SAFE_SQLITE:
        return Check("SQLite version", OK, f"SQLite {version}")
    message = f"SQLite {version} is older than 3.51.3: processes that write at once can corrupt the file"
    return Check("SQLite version", WARN, message, "pip install pysqlite3, which brings a newer one (on Linux)")


def _check_clock(patient: Patient) -> Check | None:
    """This machine's clock against the database server's; SQLite has none of its own, and a replay's is made up."""
    if patient.database.dialect == "sqlite" or patient.settings.is_replay:
        return None
    with patient.database.read() as connection:
        theirs = _server_time(connection, patient.database.dialect)
    return judge_clock(patient.wall - theirs)


def _server_time(connection: Connection, dialect: str) -> datetime:
    query = "SELECT clock_timestamp()" if dialect == "postgresql" else "SELECT UTC_TIMESTAMP(6)"
    told: datetime = connection.execute(text(query)).scalar_one()
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def judge_clock(ahead: timedelta) -> Check:
    """Whether this machine's clock is near enough to the database's."""
    apart = abs(ahead)
    state = FAIL if apart > CLOCK_FAIL else WARN if apart > CLOCK_WARN else OK
    if state == OK:
        return Check("database's clock", OK, "this machine and the database agree on the time")
    which = "ahead of" if ahead > timedelta() else "behind"
    message = f"this machine's clock is {apart.total_seconds():.0f} s {which} the database's"
    return Check("database's clock", state, message, "let both follow a time server (NTP)")


def _check_origin(patient: Patient) -> Check:
    marked, wanted = marks.read_origin(patient.database), patient.settings.origin
    if marked is None or marked == wanted:
        return Check("origin", OK, f"holds {'no data yet' if marked is None else f'{marked} data'}")
    message = f"this database holds {marked} data and the settings would fetch {wanted} data"
    return Check("origin", FAIL, message, marks.ORIGIN_WAY_OUT)


def _check_schedulers(patient: Patient) -> Check:
    seen = list_schedulers(patient.database, wall=patient.wall)
    alive = [scheduler.owner for scheduler in seen if scheduler.is_alive]
    if alive:
        return Check("scheduler", OK, f"alive: {listed(alive)}")
    if not patient.settings.jobs_enabled:
        return Check("scheduler", OK, "none is alive, and JOBS_ENABLED is false")
    last = f"; the last was seen at {_utc(seen[0].heartbeat_at)}" if seen else ""
    message = f"no scheduler is alive: no job runs by itself{last}"
    return Check("scheduler", WARN, message, "closingbell run-scheduler")


def _jobs(patient: Patient) -> list[JobView]:
    disabled = patient.settings.disabled_jobs
    return list_jobs(patient.database, patient.registry, now=patient.now, disabled=disabled)


def _check_overdue(jobs: Sequence[JobView]) -> Check:
    late = [job.id for job in jobs if job.is_overdue]
    if not late:
        return Check("due times", OK, "no job is overdue")
    return Check("due times", FAIL, f"overdue: {listed(late)}", "start a scheduler: closingbell run-scheduler")


def _check_paused(jobs: Sequence[JobView]) -> Check:
    paused = [job for job in jobs if job.paused_at is not None]
    if not paused:
        return Check("paused jobs", OK, "no job is paused")
    told = [f"{job.id} by {job.paused_by}" + (f" ({job.paused_why})" if job.paused_why else "") for job in paused]
    return Check("paused jobs", WARN, f"paused: {listed(told)}", f"closingbell resume-job {paused[0].id}")


def _check_runs(patient: Patient) -> Check:
    """Whether every run that is marked RUNNING has a live owner and gets on."""
    with patient.database.read() as connection:
        active = job_log.load_active(connection)
    orphaned = [f"{run.id} of {run.job_name}" for run in active if job_log.why_orphaned(run, patient.wall)]
    since = patient.wall - timedelta(seconds=patient.settings.jobs_stall_after_s)
    stalled = [f"{run.id} of {run.job_name}" for run in active if run.progress_at and run.progress_at < since]
    if orphaned:
        message = f"marked as running, but their process is gone: {listed(orphaned)}"
        return Check("runs", WARN, message, "the next run, or a scheduler, closes them: closingbell run-scheduler")
    if stalled:
        return Check("runs", FAIL, f"no progress for too long: {listed(stalled)}", "closingbell cancel-run NUMBER")
    return Check("runs", OK, f"{len(active)} under way" if active else "none is under way")


def _check_sessions(patient: Patient) -> Check:
    """Whether the sessions of every exchange in use are written down far enough ahead."""
    with patient.database.read() as connection:
        known = sessions.load_sessions_in_use(connection, patient.now)
    until = patient.now + SESSIONS_AHEAD
    short = [mic for mic, of_mic in known.items() if not of_mic or of_mic[-1].close_at < until]
    if short:
        message = f"sessions are known less than {SESSIONS_AHEAD.days} days ahead: {listed(short)}"
        way_out = "a scheduler writes them: closingbell run-scheduler; where one runs, upgrade exchange_calendars"
        return Check("sessions", WARN, message, way_out)
    nearest = min(of_mic[-1].date for of_mic in known.values())
    return Check("sessions", OK, f"known up to {nearest} for {listed(sorted(known))}")


def check_summaries(database: Database) -> Check:
    """Whether what is kept of each company's bars is what they come to; some companies stand for all."""
    with database.read() as connection:
        ids = summaries.load_company_ids(connection)
        looked_at = ids[:: max(1, -(-len(ids) // SUMMARIES_LOOKED_AT))]
        drifted = summaries.find_drift(connection, looked_at)
    if not drifted:
        return Check("summaries", OK, f"those of {len(looked_at)} of {len(ids)} companies are what their bars come to")
    message = f"those of {len(drifted)} of {len(looked_at)} companies are not what their bars come to"
    return Check("summaries", FAIL, message, "bars were written by other means: closingbell rebuild-summaries")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
