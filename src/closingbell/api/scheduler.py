"""``/scheduler``: look at the jobs and their runs, and operate them. Jobs are named, never described: no code comes in.

Every request needs ``Authorization: Bearer cb_...``: scope read to look, scope operate for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Blueprint, Response, g, request, url_for
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    UnprocessableEntity,
    UnsupportedMediaType,
)

from closingbell.api.problems import problem_of, sealed
from closingbell.api.tokens import actor_of, require_rights, verify_request
from closingbell.domain.runs import RunStatus
from closingbell.errors import SettingsError, UsageError
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.registry import Registry, find_job
from closingbell.queries.jobs import JobView, find_request, find_run, list_jobs, list_schedulers
from closingbell.queries.runs import RunFilter, RunView, recent_runs, run_items
from closingbell.stores.marks import require_tables
from closingbell.usecases import control, people
from closingbell.usecases.reasons import Actor
from closingbell.utils.clock import require_aware
from closingbell.utils.text import listed

PREFIX = "/scheduler"
MOST_BYTES = 16 * 1024
MOST_RUNS = 200
MOST_SYMBOLS = 500
LONGEST_WHY = 500

OPERATED = "scheduler_api.operated"

# Ids fit the databases' BIGINT; a larger number is no route at all.
_RUN = "/runs/<int(max=9223372036854775807):run_id>"
_REQUEST = "/requests/<int(max=9223372036854775807):request_id>"
# method, rule, name of the view in SchedulerViews.
ROUTES = (
    ("GET", "", "show_scheduler"),
    ("GET", "/jobs", "show_jobs"),
    ("GET", "/jobs/<job_id>", "show_job"),
    ("POST", "/jobs/<job_id>/run", "run_job"),
    ("POST", "/jobs/<job_id>/pause", "pause_job"),
    ("POST", "/jobs/<job_id>/resume", "resume_job"),
    ("GET", _REQUEST, "show_request"),
    ("GET", "/runs", "show_runs"),
    ("GET", _RUN, "show_run"),
    ("POST", f"{_RUN}/cancel", "cancel_run"),
    ("POST", f"{_RUN}/retry", "retry_run"),
)
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_FILTERS = ("job_name", "status", "since", "symbol", "limit")

_JOB_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,31}")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")
# The + of an offset that was not written as %2B arrives as a blank.
_LOST_PLUS = re.compile(r" (\d\d:\d\d)$")

_log = structlog.get_logger(__name__)


def scheduler_api(registry: Registry) -> Blueprint:
    """The blueprint over the jobs of ``registry``; every route of it, whichever it is, goes through one guard."""
    blueprint = Blueprint("scheduler_api", __name__, url_prefix=PREFIX)
    views = SchedulerViews(registry)
    for method, rule, name in ROUTES:
        blueprint.add_url_rule(rule, name, getattr(views, name), methods=[method])
    blueprint.before_request(_guard)
    blueprint.before_app_request(_guard_unrouted)
    blueprint.after_request(sealed)
    blueprint.register_error_handler(Exception, problem_of)
    return blueprint


def require_way_in(context: JobContext) -> None:
    """Raise SettingsError when the API is on and nobody could use it; to be called before serving begins."""
    if not context.settings.scheduler_api_enabled:
        return
    require_tables(context.database)
    if not people.has_way_in(context):
        raise SettingsError(
            "SCHEDULER_API_ENABLED: is on, and there is neither a token nor an administrator. Make one with "
            "closingbell create-token NAME --scope read, or closingbell create-admin"
        )


# --- The guard.


def _guard() -> None:
    """Who asks comes before anything else; then whether they may; then whether the body is one we read."""
    needs: people.Scope = "read" if request.method in _LOOKING else "operate"
    g.scheduler_token = verify_request(needs=needs)
    require_rights(g.scheduler_token, needs=needs)
    if needs == "operate":
        _check_body()


def _check_body() -> None:
    """At most MOST_BYTES, and JSON by its type: what a page elsewhere can make a browser send is never that."""
    # One more than allowed: a body in pieces is cut off at this length, and not refused.
    request.max_content_length = MOST_BYTES + 1
    data = request.get_data()
    if len(data) > MOST_BYTES:
        raise RequestEntityTooLarge
    if data and request.mimetype != "application/json":
        raise UnsupportedMediaType("a body is application/json here")


def _guard_unrouted() -> Response | None:
    """The same guard for what is below the prefix and no route: a stranger must not learn which routes exist."""
    missed = request.routing_exception
    if missed is None or not (request.path == PREFIX or request.path.startswith(f"{PREFIX}/")):
        return None
    try:
        _guard()
    except Exception as error:
        return problem_of(error)
    if isinstance(missed, MethodNotAllowed):
        missed.description = f"{request.method} is not done here"
    elif isinstance(missed, NotFound):
        missed.description = "there is nothing at this address"
    return problem_of(missed)


# --- The views.


class SchedulerViews:
    """What is answered on each route."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def show_scheduler(self) -> Response:
        """Whether anybody looks after the jobs, and what time it is for them."""
        context = current_context()
        schedulers = list_schedulers(context.database, wall=context.wall.now())
        running = any(scheduler.is_alive for scheduler in schedulers)
        return _answer({"running": running, "now": context.clock.now(), "schedulers": schedulers})

    def show_jobs(self) -> Response:
        """Every job."""
        return _answer({"jobs": _job_views(self._registry)})

    def show_job(self, job_id: str) -> Response:
        """One job."""
        return _answer(self._job_view(job_id))

    def run_job(self, job_id: str) -> Response:
        """Ask for a run, of some companies or of all."""
        job = find_job(self._registry, job_id)
        symbols = _symbols(_body("symbols"))
        context = current_context()
        request_id = control.request_run(context, self._registry, job.name, by=_who(), trigger="api", symbols=symbols)
        _note("run", job=job.name, request_id=request_id, symbols=symbols)
        return _accepted(request_id)

    def pause_job(self, job_id: str) -> Response:
        """Pause a job; one that is paused stays as it is."""
        job = find_job(self._registry, job_id)
        why = _why(_body("why"))
        changed = control.pause_job(current_context(), self._registry, job.name, by=_who(), why=why)
        _note("pause", job=job.name, changed=changed)
        return _answer(self._job_view(job.name))

    def resume_job(self, job_id: str) -> Response:
        """Resume a job; one that is not paused stays as it is."""
        job = find_job(self._registry, job_id)
        _body()
        changed = control.resume_job(current_context(), self._registry, job.name, by=_who())
        _note("resume", job=job.name, changed=changed)
        return _answer(self._job_view(job.name))

    def show_request(self, request_id: int) -> Response:
        """What was asked for, and the run that it led to."""
        return _answer(find_request(current_context().database, request_id))

    def show_runs(self) -> Response:
        """The newest runs first, of those that the filters let through."""
        wanted, limit = _filters(request.args.to_dict())
        return _answer({"runs": recent_runs(current_context().database, wanted, limit=limit)})

    def show_run(self, run_id: int) -> Response:
        """One run, and how each company ended in it."""
        database = current_context().database
        run = find_run(database, run_id)
        return _answer({**asdict(run), "items": run_items(database, run_id)})

    def cancel_run(self, run_id: int) -> Response:
        """Ask a run to stop."""
        context = current_context()
        run = find_run(context.database, run_id)
        _body()
        if not control.cancel_run(context, run_id, by=_who()):
            # Somebody may have asked before us, or the run ended meanwhile.
            run = _still_running(find_run(context.database, run_id))
        _note("cancel", job=run.job_name, run_id=run_id)
        return _answer(find_run(context.database, run_id), HTTPStatus.ACCEPTED)

    def retry_run(self, run_id: int) -> Response:
        """Ask for a run over the failed companies of a finished one."""
        context = current_context()
        run = find_run(context.database, run_id)
        _body()
        try:
            request_id = control.retry_run(context, self._registry, run.id, by=_who())
        except UsageError as error:
            raise Conflict(str(error)) from None
        _note("retry", job=run.job_name, run_id=run_id, request_id=request_id)
        return _accepted(request_id)

    def _job_view(self, job_id: str) -> JobView:
        job = find_job(self._registry, job_id)
        return _job_views({job.name: job})[0]


def _job_views(registry: Registry) -> list[JobView]:
    context = current_context()
    return list_jobs(context.database, registry, now=context.clock.now(), disabled=context.settings.disabled_jobs)


def _still_running(run: RunView) -> RunView:
    if run.status != RunStatus.RUNNING:
        raise Conflict(f"run {run.id} does not run; it ended as {run.status}")
    return run


def _who() -> Actor:
    return actor_of(g.scheduler_token)


def _note(what: str, **target: object) -> None:
    _log.info(OPERATED, who=_who().who, what=what, **target)


# --- What comes in.


def _body(*allowed: str) -> dict[str, Any]:
    """The JSON object that was sent, or an empty one; 422 when it holds anything but ``allowed``."""
    data = request.get_data()
    if not data:
        return {}
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise BadRequest("the body cannot be read as JSON") from None
    if not isinstance(body, dict):
        raise UnprocessableEntity("the body must be a JSON object")
    _refuse_others(body, allowed)
    return body


def _refuse_others(given: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    others = sorted(set(given) - set(allowed))
    if others:
        known = f"only {', '.join(allowed)}" if allowed else "nothing"
        raise UnprocessableEntity(f"not known here: {listed([name[:40] for name in others])}; this takes {known}")


def _symbols(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The symbols of a body, or None when it names none; an empty list would mean all, so it is refused."""
    if "symbols" not in body:
        return None
    given = body["symbols"]
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SYMBOLS:
        raise UnprocessableEntity(f"symbols must be a list of 1 to {MOST_SYMBOLS}")
    return tuple(dict.fromkeys(_symbol(one) for one in given))


def _symbol(given: object) -> str:
    symbol = given.strip().upper() if isinstance(given, str) else ""
    if not _SYMBOL.fullmatch(symbol):
        raise UnprocessableEntity("a symbol is up to 32 letters, digits and . - ^ =, as in BRK-B")
    return symbol


def _why(body: Mapping[str, Any]) -> str | None:
    given = body.get("why")
    if given is None:
        return None
    if not isinstance(given, str) or not given.isprintable() or len(given) > LONGEST_WHY:
        raise UnprocessableEntity(f"why must be one line of at most {LONGEST_WHY} characters")
    return given.strip() or None


def _matching(args: Mapping[str, str], name: str, pattern: re.Pattern[str], what: str) -> str | None:
    """The text of a filter, or None; 422 when it is not of its form."""
    text = args.get(name)
    if text is not None and not pattern.fullmatch(text):
        raise UnprocessableEntity(f"{name} must be {what}")
    return text


def _filters(args: Mapping[str, str]) -> tuple[RunFilter, int]:
    """Which runs are wanted, and how many; 422 for a filter that is not known or cannot be read."""
    _refuse_others(args, _FILTERS)
    limit = int(_matching(args, "limit", _LIMIT, f"a number from 1 to {MOST_RUNS}") or 50)
    if limit > MOST_RUNS:
        raise UnprocessableEntity(f"limit must be a number from 1 to {MOST_RUNS}")
    wanted = RunFilter(
        job_name=_matching(args, "job_name", _JOB_NAME, "the name of a job"),
        status=_status(args.get("status")),
        since=_since(args.get("since")),
        symbol=_symbol(args["symbol"]) if "symbol" in args else None,
    )
    return wanted, limit


def _status(given: str | None) -> str | None:
    known = [status.value for status in RunStatus]
    if given is not None and given.upper() not in known:
        raise UnprocessableEntity(f"status must be one of {', '.join(known)}")
    return given.upper() if given else None


def _since(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        return require_aware(datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", given)), what="since")
    except (ValueError, OverflowError):
        raise UnprocessableEntity("since must be like 2026-11-23T16:30:00-05:00, with its offset or Z") from None


# --- What goes out.


def _answer(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A value as JSON: dataclasses as objects, instants as ISO 8601 with their offset."""
    return Response(orjson.dumps(value), status=status.value, content_type="application/json")


def _accepted(request_id: int) -> Response:
    """202: asked for, not done; Location says where to look."""
    response = _answer({"request_id": request_id}, HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for(".show_request", request_id=request_id)
    return response
