"""The frame of every run: its claim, its lease, its progress, and an honest end whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome, RunEnd, RunStatus, RunSummary, failure_kind
from closingbell.errors import AlreadyRunningError, ClosingbellError, RunLostError, RunStoppedError
from closingbell.jobs.context import JobContext
from closingbell.jobs.leases import Lease
from closingbell.providers.meter import RequestMeter, metered
from closingbell.stores import incidents, job_log, job_ticks, marks, people, run_paid

RUN_STARTED = "run.started"
RUN_FINISHED = "run.finished"
RUN_FAILED = "run.failed"
RUN_LOST = "run.lost"

# A due time whose run ended like this is taken up again: the job did not say that it was done.
TAKEN_UP_AGAIN = frozenset({"orphaned", "stalled", "interrupted", "database"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a run begins; ``trigger`` is schedule, catch-up, manual, api or retry; a tick has fire time and attempt."""

    trigger: str = "manual"
    requested_by: str | None = None
    fire_time: datetime | None = None
    tick_id: int | None = None
    attempt: int = 1
    retry_of: int | None = None
    request_id: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """A run under way: ``items`` collects how each company ended, ``requests`` what was sent to providers for it.

    ``check()`` raises when the run is to stop.
    """

    id: int
    job_name: str
    owner: str
    check: Callable[[], None]
    items: list[ItemOutcome] = field(default_factory=list)
    requests: RequestMeter = field(default_factory=RequestMeter)
    _counted: int = field(default=0, init=False, repr=False)
    _failed: int = field(default=0, init=False, repr=False)
    _counting: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def failed_count(self) -> int:
        """Companies that did not end well so far."""
        # Asked at every chunk: only what came since is looked at, or 20,000 companies would be looked at 100 times.
        with self._counting:
            new = self.items[self._counted :]
            self._failed += sum(item.outcome not in GOOD_OUTCOMES for item in new)
            self._counted += len(new)
            return self._failed

    @property
    def last_symbol(self) -> str | None:
        """The company that ended last so far."""
        return self.items[-1].symbol if self.items else None


@dataclass(frozen=True, slots=True)
class Ending:
    """What the body of a job says of its run."""

    status: RunStatus
    message: str


Body = Callable[[Run], Ending]


def store_progress(connection: Connection, run: Run, *, wall: datetime) -> None:
    """Write down how far the run is, in the transaction of what it stores; raise RunLostError when it is not ours."""
    if not job_log.store_progress(
        connection,
        run.id,
        run.owner,
        processed=len(run.items),
        failed=run.failed_count,
        last_symbol=run.last_symbol,
        requests_by_provider=run.requests.by_provider,
        wall=wall,
    ):
        raise RunLostError


def carry_out(context: JobContext, job_name: str, body: Body, occasion: Occasion | None = None) -> RunSummary:
    """Claim and log a run of ``job_name`` around ``body``; what ``body`` raises is logged as FAILED and raised again.

    Raise AlreadyRunningError when another run of this job is active.
    """
    occasion = occasion or Occasion()
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    owner = job_log.this_process()
    run_id = _start(context, job_name, owner, occasion)
    context.observer.started(run_id, job_name)
    with ExitStack() as around:
        lease = around.enter_context(Lease(context, run_id, owner))
        around.enter_context(structlog.contextvars.bound_contextvars(run_id=run_id, job=job_name))
        if context.application is not None:
            around.enter_context(context.application.app_context())
        run = Run(run_id, job_name, owner, lease.check)
        around.enter_context(metered(run.requests))
        return _carry_out(context, run, body, occasion)


def _carry_out(context: JobContext, run: Run, body: Body, occasion: Occasion) -> RunSummary:
    _log.info(RUN_STARTED, trigger=occasion.trigger)
    try:
        ending = body(run)
    except BaseException as error:
        _log.error(RUN_FAILED, error=_reason(error))
        if not isinstance(error, RunLostError):
            failed = _failed(run, error)
            _finish(context, run, occasion, failed, error_message=_reason(error), ended_by=_ended_by(error))
        raise
    _finish(context, run, occasion, ending, error_message=_errors_in_words(run.items))
    _log.info(RUN_FINISHED, status=ending.status.value, message=ending.message)
    return RunSummary(
        run_id=run.id,
        job_name=run.job_name,
        status=ending.status,
        message=ending.message,
        items=tuple(run.items),
        expected_count=sum(item.expected_count for item in run.items),
        covered_count=sum(item.covered_count for item in run.items),
        request_count=run.requests.total,
        requests_by_provider=run.requests.by_provider,
    )


def _start(context: JobContext, job_name: str, owner: str, occasion: Occasion) -> int:
    now, wall = context.clock.now(), context.wall.now()
    start = job_log.RunStart(
        job_name=job_name,
        trigger=occasion.trigger,
        owner=owner,
        now=now,
        wall=wall,
        fire_time=occasion.fire_time,
        tick_id=occasion.tick_id,
        attempt=occasion.attempt,
        requested_by=occasion.requested_by,
        retry_of=occasion.retry_of,
        arguments=json.dumps(occasion.arguments) if occasion.arguments else None,
    )

    def unit(connection: Connection) -> int:
        # A dead run must not keep this one from beginning.
        closed = job_log.close_orphans(connection, now=now, wall=wall)
        incidents.note_orphans(connection, closed, now=now)
        run_id = job_log.start_run(connection, start)
        _write_down(connection, run_id, start, occasion)
        if occasion.tick_id is not None and not job_ticks.claim_tick(connection, occasion.tick_id):
            raise AlreadyRunningError(f"{job_name} was run at this due time by somebody else")
        if occasion.request_id is not None and not job_ticks.finish_request(
            connection, occasion.request_id, now=now, run_id=run_id
        ):
            raise AlreadyRunningError(f"request {occasion.request_id} was taken up by somebody else")
        return run_id

    try:
        return context.database.write_unit(unit)
    except IntegrityError:
        raise AlreadyRunningError(f"{job_name} is already running") from None


def _write_down(connection: Connection, run_id: int, start: job_log.RunStart, occasion: Occasion) -> None:
    """Who began a run at the console; who asked for one was written down then, and the clock is nobody."""
    if occasion.requested_by is None or occasion.request_id is not None:
        return
    words = ", ".join((f"run {run_id}", *occasion.arguments.get("symbols", ())))
    done = people.Action(occasion.requested_by, "run job", start.job_name, words, people.CONSOLE)
    people.store_action(connection, done, now=start.wall)


def _finish(
    context: JobContext,
    run: Run,
    occasion: Occasion,
    ending: Ending,
    *,
    error_message: str | None,
    ended_by: str | None = None,
) -> None:
    """Write the run's end, its tick's, and what people must be told of it, in one transaction."""
    now = context.clock.now()
    end = RunEnd(
        run_id=run.id,
        job_name=run.job_name,
        status=ending.status,
        message=ending.message,
        kind=failure_kind(ending.status, run.items, ended_by),
        failed_symbols=tuple(item.symbol for item in run.items if item.outcome not in GOOD_OUTCOMES),
        error_message=error_message,
        is_narrowed=bool(occasion.arguments.get("symbols")),
    )

    def unit(connection: Connection) -> bool:
        ours = job_log.finish_run(
            connection,
            run.id,
            run.owner,
            status=ending.status,
            message=ending.message,
            items=run.items,
            error_message=error_message,
            requests_by_provider=run.requests.by_provider,
            now=now,
            ended_by=ended_by,
        )
        if ours and occasion.tick_id is not None and ended_by not in TAKEN_UP_AGAIN:
            job_ticks.finish_tick(connection, occasion.tick_id, now=now)
        if ours:
            incidents.note_run(connection, replace(end, paid=run_paid.take_paid(connection, run.id)), now=now)
        return ours

    if context.database.write_unit(unit):
        context.observer.ended(end)
    else:
        _log.warning(RUN_LOST, run_id=run.id)


def _failed(run: Run, error: BaseException) -> Ending:
    stored = sum(item.outcome in GOOD_OUTCOMES for item in run.items)
    return Ending(RunStatus.FAILED, f"ended early after {stored} companies: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """An error in one line; its type too unless it is one of ours, whose sentences stand alone."""
    if isinstance(error, ClosingbellError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted from the keyboard"
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:500]


def _ended_by(error: BaseException) -> str:
    if isinstance(error, RunStoppedError):
        return error.ended_by
    if isinstance(error, KeyboardInterrupt):
        return "cancelled"
    return "database" if isinstance(error, DBAPIError) else "error"


def _errors_in_words(items: Sequence[ItemOutcome], *, limit: int = 10) -> str | None:
    """The first failures by symbol and the rest counted, or None when there are none."""
    failed = [item for item in items if item.outcome not in GOOD_OUTCOMES]
    if not failed:
        return None
    told = "; ".join(f"{item.symbol}: {item.message or item.outcome.value}" for item in failed[:limit])
    return f"{told}; and {len(failed) - limit} more" if len(failed) > limit else told
