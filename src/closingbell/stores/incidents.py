"""Incidents and the notifications that tell administrators of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, update

from closingbell.domain import incidents
from closingbell.domain.incidents import Message, OpenIncident, Step
from closingbell.domain.outbox import DIVIDENDS_PAID, EVENTS, event_body, events_of
from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.models import Incident, JobLog, JobLogItem, JobTick, Notification, User
from closingbell.stores import outbox, run_paid
from closingbell.stores.job_log import ActiveRun
from closingbell.stores.upsert import in_groups, upsert

SYSTEM = "SYSTEM"

_OPEN = (
    Incident.id, Incident.job_name, Incident.kind, Incident.opened_at, Incident.reminded_at, Incident.seen_count,
)  # fmt: skip


def note_run(connection: Connection, end: RunEnd, *, now: datetime) -> None:
    """Open, count, remind of or close incidents after a run; part of the run's closing transaction."""
    _queue_events(connection, end, now)
    if end.status is RunStatus.SUCCESS:
        if not end.is_narrowed:
            _recover(connection, end, now)
    elif incidents.decide(None, end, now=now) is not Step.NOTHING:
        _note_failure(connection, end, now)


def note_orphans(connection: Connection, closed: Sequence[ActiveRun], *, now: datetime) -> None:
    """Tell what runs had paid whose process ended before they did; part of the transaction that closed them.

    That they failed is told when their due time is given up, or their next run fails.
    """
    for run in closed:
        paid = run_paid.take_paid(connection, run.id)
        if paid is not None:
            why = connection.scalar(select(JobLog.error_message).where(JobLog.id == run.id)) or ""
            end = RunEnd(run.id, run.job_name, RunStatus.FAILED, why, "orphaned", (), why, paid=paid)
            _queue_events(connection, end, now, wanted=(DIVIDENDS_PAID,))


def _queue_events(connection: Connection, end: RunEnd, now: datetime, *, wanted: Collection[str] = EVENTS) -> None:
    """What programs outside are told of a run's end, once however often it is written."""
    if not outbox.load_webhooks(connection):
        return
    stored_count = connection.scalar(
        select(func.sum(JobLogItem.stored_count)).where(JobLogItem.job_log_id == end.run_id)
    )
    for event in events_of(end, stored_count=int(stored_count or 0)):
        if event not in wanted:
            continue
        key = f"run-{end.run_id}-{event}"
        body = event_body(event, key, end, stored_count=int(stored_count or 0), now=now)
        outbox.queue_event(connection, event, key=key, body=body, now=now)


def note_given_up(connection: Connection, tick_id: int, *, now: datetime) -> None:
    """Tell of a due time whose attempts are used up; part of the transaction that gives it up."""
    run, tick = JobLog, JobTick
    query = (
        select(tick.job_name, tick.fire_time, run.id, run.attempt, run.error_message)
        .join(run, run.tick_id == tick.id)
        .where(tick.id == tick_id)
        .order_by(run.attempt.desc())
        .limit(1)
    )
    last = connection.execute(query).one_or_none()
    if last is not None:
        end = incidents.given_up(
            last.job_name, last.id, last.error_message, fire_time=last.fire_time, attempts=last.attempt
        )
        note_run(connection, end, now=now)


def store_read(connection: Connection, ids: Sequence[int], *, now: datetime, user_id: int | None = None) -> int:
    """Mark notifications as read, only those of one person where ``user_id`` is given; return how many were unread."""
    row, count = Notification, 0
    for group in in_groups(ids):
        which: list[ColumnElement[bool]] = [row.id.in_(group), row.read_at.is_(None)]
        if user_id is not None:
            which.append(row.user_id == user_id)
        count += connection.execute(update(row).where(*which).values(read_at=now)).rowcount
    return count


def _note_failure(connection: Connection, end: RunEnd, now: datetime) -> None:
    _count(connection, end, now)
    incident = _load_open(connection, Incident.active_key == incidents.key_of(end))[0]
    # The first to be counted is the run that opened it.
    before = None if incident.seen_count == 1 else incident
    step = incidents.decide(before, end, now=now)
    if step is Step.OPEN:
        notify(connection, incidents.opened(incident.id, end), end.run_id, now=now)
    elif step is Step.REMIND and _claim_reminder(connection, incident, now):
        notify(connection, incidents.reminder(incident, end, now=now), end.run_id, now=now)


def _count(connection: Connection, end: RunEnd, now: datetime) -> None:
    """Count one more failure of the open incident; where there is none, make it first.

    The unique key lets one of several processes make it, and counting locks it until the transaction ends. Only a
    success that closes it in between makes this turn once more.
    """
    row, key = Incident, incidents.key_of(end)
    counted = update(row).where(row.active_key == key).values(seen_count=row.seen_count + 1, last_seen_at=now)
    new = {
        "active_key": key,
        "job_name": end.job_name,
        "kind": incidents.kind_of(end),
        "opened_at": now,
        "last_seen_at": now,
        "reminded_at": now,
        "seen_count": 0,
    }
    while connection.execute(counted).rowcount == 0:
        upsert(connection, Incident, [new], key=("active_key",))


def _claim_reminder(connection: Connection, incident: OpenIncident, now: datetime) -> bool:
    """Whether reminding is ours: several processes may find it due."""
    row = Incident
    claimed = connection.execute(
        update(row).where(row.id == incident.id, row.reminded_at == incident.reminded_at).values(reminded_at=now)
    )
    return claimed.rowcount == 1


def _recover(connection: Connection, end: RunEnd, now: datetime) -> None:
    """Close every open incident of a job that works again, and tell of each once."""
    row = Incident
    for incident in _load_open(connection, row.active_key.is_not(None), row.job_name == end.job_name):
        closed = connection.execute(
            update(row).where(row.id == incident.id, row.active_key.is_not(None)).values(active_key=None, closed_at=now)
        )
        if closed.rowcount == 1:
            notify(connection, incidents.recovered(incident, end), end.run_id, now=now)


def _load_open(connection: Connection, *which: ColumnElement[bool]) -> list[OpenIncident]:
    return [OpenIncident(*found) for found in connection.execute(select(*_OPEN).where(*which).order_by(Incident.id))]


def notify(connection: Connection, message: Message, run_id: int | None = None, *, now: datetime) -> None:
    """Write a message to every active administrator; one who has it already keeps what he has."""
    notify_all(connection, [message], run_id, now=now)


def notify_all(
    connection: Connection, messages: Sequence[Message], run_id: int | None = None, *, now: datetime
) -> None:
    """Write messages to every active administrator, and let them wait for the addresses that these people gave."""
    if not messages:
        return
    told = connection.scalars(
        select(User.id).where(User.is_active.is_(True), User.is_administrator.is_(True)).order_by(User.id)
    ).all()
    rows = [
        {
            "user_id": user_id,
            "type": SYSTEM,
            "level": message.level,
            "title": message.title[:200],
            "body": message.body,
            "dedupe_key": message.key[:140],
            "job_log_id": run_id,
            "created_at": now,
        }
        for user_id in told
        for message in messages
    ]
    upsert(connection, Notification, rows, key=("user_id", "dedupe_key"))
    outbox.queue_messages(connection, messages, told, now=now)
