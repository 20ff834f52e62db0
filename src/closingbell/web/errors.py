"""Errors as pages: what went wrong, in a sentence, and the way on."""

from __future__ import annotations

import structlog
from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from closingbell.api.problems import problem_of, status_of
from closingbell.errors import ClosingbellError
from closingbell.stores.database import failure_in_words
from closingbell.web.guard import GUARDED_BY_THEMSELVES

PAGE_FAILED = "web.page_failed"

_SENTENCES = {
    400: ("That could not be read", "Go back, and try again from the page you came from."),
    401: ("You are not signed in", "Sign in, then try again."),
    403: ("That is not for you to do", "Ask an administrator."),
    404: ("There is nothing here", "It may have been removed, or the address is wrong."),
    405: ("That is not done here", "Use the buttons of the page."),
    413: ("That is too large", "A file has at most 16 MB."),
    429: ("Too many tries", "Wait, an hour at most, and try again; closingbell unlock gives tries back at once."),
}

_log = structlog.get_logger(__name__)


def add_pages_of_errors(app: Flask) -> None:
    """Show errors as pages of the same look."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ClosingbellError, _expected)
    app.register_error_handler(Exception, _unexpected)


def _is_for_programs() -> bool:
    endpoint = request.endpoint or ""
    return endpoint.partition(".")[0] in GUARDED_BY_THEMSELVES or request.path.startswith("/api/")


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if _is_for_programs():
        return problem_of(error)
    if error.code is not None and error.code < 400:
        return error
    status = error.code or 500
    title, way_on = _SENTENCES.get(status, ("That did not work", "Try again, or go back."))
    if isinstance(error, CSRFError):
        title, way_on = "This page was open for too long", "Go back, load the page again, and repeat what you did."
    return render_template("error.html", status=status, title=title, way_on=way_on), status


def _expected(error: ClosingbellError) -> ResponseReturnValue:
    if _is_for_programs():
        return problem_of(error)
    found = status_of(error)
    status = 500 if found is None else found.value
    return render_template("error.html", status=status, title=str(error), way_on="Go back and try again."), status


def _unexpected(error: Exception) -> ResponseReturnValue:
    if _is_for_programs():
        return problem_of(error)
    _log.error(PAGE_FAILED, path=request.path, exc_info=error)
    words = failure_in_words(error)
    way_on = words or "It has been written to the log; try again in a moment."
    return render_template("error.html", status=500, title="Something went wrong here", way_on=way_on), 500
