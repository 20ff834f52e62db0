"""The HTTP API of everything that is kept: prices, corporate actions, accounts and runs, described in OpenAPI 3.

Every route asks for a token, scope read to look and operate to change; errors are problem details (RFC 9457); exact
numbers are strings.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint as PlainBlueprint
from flask import Flask, Response, current_app, g, jsonify, request
from flask_smorest import Api
from flask_smorest import Blueprint as Resource
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from closingbell import __version__
from closingbell.api.problems import problem, problem_of
from closingbell.api.tokens import require_rights, verify_request
from closingbell.api.v1 import books, choices, market, work
from closingbell.api.v1.schemas import Problem
from closingbell.errors import UnknownAccountError, UnknownPaymentError, UnknownSymbolError
from closingbell.jobs.registry import Registry
from closingbell.usecases import people

PREFIX = "/api/v1"
NAME = "api_v1"
DOCUMENT = f"{PREFIX}/openapi.json"
_EXTENSION = "closingbell_api_v1"
_DOCUMENTED = "api_v1_document"
# A person's own, answered by whose token it is; anything else needs rights.
_OWN = {f"{NAME}.{view}" for view in books.OWN | choices.OWN | work.OWN} | {f"{_DOCUMENTED}.document"}
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_BYTES = 64 * 1024
# What the address itself names is not there; anywhere else such an error is the request's.
_NOT_THERE = (UnknownAccountError, UnknownPaymentError, UnknownSymbolError)
_SAYS = """Prices, corporate actions, accounts and runs of closingbell.

Ask with `Authorization: Bearer cb_…`. A person makes such a token under Settings, for what that person may see;
`closingbell create-token NAME --scope read` makes one that reads every account. Writing needs scope `operate`. Exact
numbers are strings; instants are ISO 8601 with their offset; prices are as traded unless `adjusted` is asked for. A
page's `next` is the address of the following one. Answers carry an ETag: ask again with `If-None-Match`, and what
has not changed is 304 without a body."""


class _Api(Api):  # type: ignore[misc]
    """The document alone, of what is ours: errors are problem details on our own routes, and pages go on by key."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave the application's own handlers in place."""

    def _register_responses(self) -> None:
        """No answer has the library's form of an error."""

    def _register_pagination_header(self) -> None:
        """No answer has the library's header of pages."""


def add_api_v1(app: Flask, registry: Registry) -> None:
    """Put the API and its document on an application."""
    app.config.update(API_TITLE="closingbell", API_VERSION="v1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX=None)
    api = _Api(
        app,
        spec_kwargs={
            "info": {"description": _SAYS, "version": __version__},
            "security": [{"token": []}],
            "servers": [{"url": "/"}],
        },
    )
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    api.spec.components.schema("Problem", schema=Problem)
    resource = Resource(NAME, __name__, url_prefix=PREFIX, description="Everything that is kept.")
    market.add_routes(resource)
    books.add_routes(resource)
    choices.add_routes(resource)
    work.add_routes(resource, registry)
    resource.before_request(_guard)
    resource.before_app_request(_guard_unrouted)
    resource.after_request(_validate)
    resource.register_error_handler(Exception, _problem_of)
    api.register_blueprint(resource)
    app.extensions[_EXTENSION] = api
    document = PlainBlueprint(_DOCUMENTED, __name__)
    document.add_url_rule(DOCUMENT, "document", show_document)
    document.before_request(_guard)
    document.after_request(_validate)
    document.register_error_handler(Exception, _problem_of)
    app.register_blueprint(document)


def show_document() -> Response:
    """The document as JSON."""
    return jsonify(document_of(current_app))


def document_of(app: Any) -> dict[str, Any]:
    """The OpenAPI document, with the problems that every route may answer with."""
    found: dict[str, Any] = app.extensions[_EXTENSION].spec.to_dict()
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    usual = {
        401: "no token, or one that is not known",
        403: "the token's scope is too small",
        404: "there is no such thing",
        405: "that is not done at this address",
        422: "bad input",
    }
    for of_path in found["paths"].values():
        for method, operation in of_path.items():
            if method == "parameters":
                continue
            answers = operation["responses"]
            for status, words in usual.items():
                answers[str(status)] = {"description": words, "content": content}
            if method == "get":
                answers["304"] = {"description": "it has not changed since"}
            else:
                for status, words in {400: "not JSON", 413: "too large", 415: "not application/json"}.items():
                    answers[str(status)] = {"description": words, "content": content}
    return found


# --- The guard.


def _guard() -> None:
    """Who asks comes before anything else; then whether the body is one that we read."""
    is_looking = request.method in _LOOKING
    scope: people.Scope = "read" if is_looking else "operate"
    g.api_token = verify_request(needs=scope)
    if request.endpoint is not None and request.endpoint not in _OWN:
        require_rights(g.api_token, needs=scope)
    if not is_looking:
        request.max_content_length = MOST_BYTES + 1
        if (request.content_length or 0) > MOST_BYTES or len(request.get_data()) > MOST_BYTES:
            raise RequestEntityTooLarge


def _guard_unrouted() -> Response | None:
    """The same guard for what is below the prefix and no route: a stranger must not learn which routes exist."""
    missed = request.routing_exception
    if missed is None or not request.path.startswith(f"{PREFIX}/"):
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


def _validate(response: Response) -> Response:
    """A fingerprint on what may be kept, and 304 for who has it already.

    The fingerprint alone decides: a bar that is taken away leaves no later date behind.
    """
    if request.method in ("GET", "HEAD") and response.status_code == HTTPStatus.OK:
        response.headers["Cache-Control"] = "private, no-cache"
        response.add_etag()
        modified = response.headers.pop("Last-Modified", None)
        response.make_conditional(request)
        if modified is not None:
            response.headers["Last-Modified"] = modified
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _problem_of(error: Exception) -> Response:
    if isinstance(error, _NOT_THERE):
        return problem(HTTPStatus.NOT_FOUND, str(error))
    told = getattr(error, "data", None)
    if isinstance(error, HTTPException) and isinstance(told, dict) and "messages" in told:
        return problem(HTTPStatus(error.code or 422), _in_words(told["messages"]))
    return problem_of(error)


def _in_words(messages: Any) -> str:
    """What is wrong with each field, in one sentence."""
    found: list[str] = []

    def walk(where: str, told: Any) -> None:
        if isinstance(told, dict):
            for name, inner in told.items():
                walk(where if name in ("json", "query", "_schema") else f"{where}{name}: ", inner)
        elif isinstance(told, list):
            found.extend(f"{where}{one}" for one in told)
        else:
            found.append(f"{where}{told}")

    walk("", messages)
    return "; ".join(found)
