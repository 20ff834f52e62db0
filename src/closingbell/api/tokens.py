"""Who asks, by the token that a request brings."""

from __future__ import annotations

from flask import request

from closingbell.errors import NotAllowedError, NotAuthenticatedError
from closingbell.jobs.context import current_context
from closingbell.usecases import people
from closingbell.usecases.reasons import Actor


def verify_request(*, needs: people.Scope) -> people.TokenIdentity:
    """The token of this request; raise NotAuthenticatedError or NotAllowedError."""
    shown = request.authorization
    if shown is None or shown.type != "bearer" or not shown.token:
        raise NotAuthenticatedError("this needs a token: Authorization: Bearer cb_...")
    return people.verify_token(current_context(), shown.token, needs=needs)


def require_rights(token: people.TokenIdentity, *, needs: people.Scope) -> None:
    """What is not one person's own: who has a token of theirs must be a viewer to look, an administrator to operate.

    Raise NotAllowedError.
    """
    if not (token.may_look if needs == "read" else token.may_operate):
        who = "viewers and administrators" if needs == "read" else "administrators"
        raise NotAllowedError(f"this is for {who}; the token {token.name!r} may do what its owner may")


def actor_of(token: people.TokenIdentity) -> Actor:
    """The program that asks, by its token's name and from its address."""
    return Actor(token.told, token.told, request.remote_addr)
