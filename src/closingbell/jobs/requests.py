"""Runs that people and the API ask for: a row in ``job_request``, taken up by whichever scheduler sees it first."""

from __future__ import annotations

import structlog

from closingbell.errors import AlreadyRunningError, ClosingbellError, RunStoppedError
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Job
from closingbell.jobs.runner import Occasion
from closingbell.stores import job_ticks

REQUEST_REFUSED = "request.refused"
REQUEST_FAILED = "request.failed"

_log = structlog.get_logger(__name__)


def run_requests(context: JobContext, job: Job) -> int:
    """Carry out what people asked of this job, oldest first; return how many runs this process began."""
    with context.database.read() as connection:
        waiting = [request for request in job_ticks.load_requests(connection) if request.job_name == job.name]
    count = 0
    for request in waiting:
        if context.stopping.is_set():
            break
        count += _run_request(context, job, request)
    return count


def _run_request(context: JobContext, job: Job, request: job_ticks.Request) -> bool:
    """Carry out one request; False when somebody else does, or a run of this job is active (it stays waiting)."""
    arguments = {name: value for name, value in request.arguments.items() if name in job.arguments}
    occasion = Occasion(
        trigger=request.trigger,
        requested_by=request.requested_by,
        request_id=request.id,
        retry_of=request.arguments.get("retry_of"),
        arguments=request.arguments,
    )
    try:
        job.load()(context, occasion, **arguments)
    except AlreadyRunningError:
        return False
    except RunStoppedError:
        return True
    except ClosingbellError as error:
        _refuse(context, request, str(error))
    except Exception as error:
        # The run's row holds the reason; a job must never end its scheduler.
        _log.error(REQUEST_FAILED, request_id=request.id, job=job.name, error=str(error), exc_info=True)
        return False
    return True


def _refuse(context: JobContext, request: job_ticks.Request, reason: str) -> None:
    """A request that did not even become a run; one that did is done already, and stays so."""
    now = context.clock.now()
    context.database.write_unit(
        lambda connection: job_ticks.finish_request(connection, request.id, now=now, refused=reason[:200])
    )
    _log.warning(REQUEST_REFUSED, request_id=request.id, job=request.job_name, reason=reason)
