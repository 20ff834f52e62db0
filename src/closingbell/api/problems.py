"""Every error of the API as problem details (RFC 9457), and the one table of which error is which status."""

from __future__ import annotations

import traceback
from http import HTTPStatus

import orjson
import structlog
from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from closingbell.errors import (
    AlreadyRunningError,
    DatabaseError,
    NotAllowedError,
    NotAuthenticatedError,
    UnknownJobError,
    UnknownRunError,
    UsageError,
)

REQUEST_REFUSED = "scheduler_api.refused"
REQUEST_FAILED = "scheduler_api.failed"

# The nearest ancestor of an error that stands here decides; anything else is a bug, 500, and told to nobody outside.
STATUSES: dict[type[Exception], HTTPStatus] = {
    NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    NotAllowedError: HTTPStatus.FORBIDDEN,
    UnknownJobError: HTTPStatus.NOT_FOUND,
    UnknownRunError: HTTPStatus.NOT_FOUND,
    UsageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    AlreadyRunningError: HTTPStatus.CONFLICT,
    DatabaseError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_CHALLENGES: dict[type[Exception], str] = {
    NotAuthenticatedError: 'Bearer realm="closingbell"',
    NotAllowedError: 'Bearer realm="closingbell", error="insufficient_scope"',
}

_log = structlog.get_logger(__name__)


def problem(status: HTTPStatus, detail: str) -> Response:
    """A status and a sentence as application/problem+json."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return sealed(Response(orjson.dumps(body), status=status.value, content_type="application/problem+json"))


def problem_of(error: Exception) -> Response:
    """What a client is told of an error."""
    if isinstance(error, RequestRedirect):
        return sealed(Response(status=error.code, headers={"Location": error.new_url}))
    if isinstance(error, HTTPException):
        return _of_http(error)
    status = status_of(error)
    if status is None:
        return _of_bug(error)
    response = problem(status, str(error))
    if type(error) in _CHALLENGES:
        # The route, never the address asked for: a client may have put its token there.
        _log.warning(REQUEST_REFUSED, status=status.value, method=request.method, route=_route(), why=str(error))
        response.headers["WWW-Authenticate"] = _CHALLENGES[type(error)]
    return response


def status_of(error: Exception) -> HTTPStatus | None:
    """The status of one of our errors; None for one that was not foreseen."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)


def sealed(response: Response) -> Response:
    """Kept by no cache and taken for nothing but what it is."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _of_http(error: HTTPException) -> Response:
    response = problem(HTTPStatus(error.code or 500), error.description or "")
    allowed = [value for name, value in error.get_headers() if name == "Allow"]
    if allowed:
        response.headers["Allow"] = allowed[0]
    return response


def _of_bug(error: Exception) -> Response:
    # Written out here: a renderer that shows local variables would show the caller's token.
    trace = "".join(traceback.format_exception(error))
    _log.error(REQUEST_FAILED, method=request.method, route=_route(), exception=trace)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "that went wrong here; the reason is in this server's log")


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "unknown"
