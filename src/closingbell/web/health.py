"""``/healthz``: this process answers. ``/readyz``: it can do its work."""

from __future__ import annotations

from flask import Blueprint, Response

from closingbell.jobs.context import current_context
from closingbell.stores.marks import why_not_ready
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
    """200 when the database answers and has the tables of this version, else 503 and which of the two is wrong."""
    why_not = why_not_ready(current_context().database)
    if why_not is not None:
        return Response(f"not ready: {why_not}\n", status=503, content_type="text/plain")
    return Response("ready\n", content_type="text/plain")
