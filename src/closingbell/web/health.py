"""``/healthz``: this process answers. ``/readyz``: it can do its work."""

from __future__ import annotations

from flask import Blueprint, Response

from closingbell.jobs.context import current_context
from closingbell.stores.marks import is_ready
from closingbell.web.guard import Right, needs


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/healthz", view_func=healthz)
    pages.add_url_rule("/readyz", view_func=readyz)


@needs(Right.ANYBODY)
def healthz() -> Response:
    """200 as long as this process answers."""
    return Response("ok\n", content_type="text/plain")


@needs(Right.ANYBODY)
def readyz() -> Response:
    """200 when the database answers and has the tables of this version, else 503; says no more to strangers."""
    if not is_ready(current_context().database):
        return Response("not ready\n", status=503, content_type="text/plain")
    return Response("ready\n", content_type="text/plain")
