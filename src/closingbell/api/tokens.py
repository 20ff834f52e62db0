"""Who asks, by the token that a request brings."""

from __future__ import annotations

from flask import request

from closingbell.errors import NotAuthenticatedError
from closingbell.jobs.context import current_context
from closingbell.usecases import people


def verify_request(*, needs: people.Scope) -> people.TokenIdentity:
    """The token of this request; raise NotAuthenticatedError or NotAllowedError."""
    shown = request.authorization
    if shown is None or shown.type != "bearer" or not shown.token:
        raise NotAuthenticatedError("this needs a token: Authorization: Bearer cb_...")
    return people.verify_token(current_context(), shown.token, needs=needs)
