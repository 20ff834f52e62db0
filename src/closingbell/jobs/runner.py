"""The frame of every run: its JobLog row, its progress, and an honest end whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome, RunStatus, RunSummary
from closingbell.errors import ClosingbellError, RunCancelledError
from closingbell.jobs.context import JobContext
from closingbell.stores import job_log, marks

RUN_STARTED = "run.started"
RUN_FINISHED = "run.finished"
RUN_FAILED = "run.failed"
RUN_LOST = "run.lost"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Run:
    """A run under way; ``items`` collects how each company ended."""

    id: int
    job_name: str
    owner: str
    items: list[ItemOutcome] = field(default_factory=list)
    request_count: int = 0

    @property
    def failed_count(self) -> int:
        """Companies that did not end well so far."""
        return sum(item.outcome not in GOOD_OUTCOMES for item in self.items)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the body of a job says of its run."""

    status: RunStatus
    message: str


def carry_out(
    context: JobContext, job_name: str, body: Callable[[Run], Ending], *, trigger: str = "manual"
) -> RunSummary:
    """Log a run of ``job_name`` around ``body``; whatever ``body`` raises is logged as FAILED and raised again."""
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    run = _start(context, job_name, trigger)
    with structlog.contextvars.bound_contextvars(run_id=run.id, job=job_name):
        _log.info(RUN_STARTED, trigger=trigger)
        try:
            ending = body(run)
        except BaseException as error:
            _finish(context, run, _failed(run, error), error_message=_reason(error), ended_by=_ended_by(error))
            _log.error(RUN_FAILED, error=_reason(error))
            raise
        _finish(context, run, ending, error_message=_errors_in_words(run.items))
        _log.info(RUN_FINISHED, status=ending.status.value, message=ending.message)
    return RunSummary(
        run_id=run.id,
        job_name=job_name,
        status=ending.status,
        message=ending.message,
        items=tuple(run.items),
        expected_count=sum(item.expected_count for item in run.items),
        covered_count=sum(item.covered_count for item in run.items),
        request_count=run.request_count,
    )


def _start(context: JobContext, job_name: str, trigger: str) -> Run:
    owner = job_log.this_process()
    now = context.clock.now()

    def unit(connection: Connection) -> int:
        job_log.close_orphans(connection, now=now)
        return job_log.start_run(connection, job_name, trigger=trigger, owner=owner, now=now)

    return Run(context.database.write_unit(unit), job_name, owner)


def _finish(
    context: JobContext, run: Run, ending: Ending, *, error_message: str | None, ended_by: str | None = None
) -> None:
    ours = context.database.write_unit(
        lambda connection: job_log.finish_run(
            connection,
            run.id,
            run.owner,
            status=ending.status,
            message=ending.message,
            items=run.items,
            error_message=error_message,
            request_count=run.request_count,
            now=context.clock.now(),
            ended_by=ended_by,
        )
    )
    if not ours:
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


def _ended_by(error: BaseException) -> str | None:
    return "cancelled" if isinstance(error, RunCancelledError | KeyboardInterrupt) else "error"


def _errors_in_words(items: Sequence[ItemOutcome], *, limit: int = 10) -> str | None:
    """The first failures by symbol and the rest counted, or None when there are none."""
    failed = [item for item in items if item.outcome not in GOOD_OUTCOMES]
    if not failed:
        return None
    told = "; ".join(f"{item.symbol}: {item.message or item.outcome.value}" for item in failed[:limit])
    return f"{told}; and {len(failed) - limit} more" if len(failed) > limit else told
