"""Pages with charts: the chart library from its own package, and the policy that it needs."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.web.guard import Right, needs
from closingbell.web.headers import POLICY

# The chart library styles what it draws through the elements themselves; scripts stay ours.
_CHART_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_LIBRARY = "plotly.min.js"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(f"/chart-library/<release>/{_LIBRARY}", "chart_library", send_library)


def page_with_chart(template: str, **shown: Any) -> Response:
    """A page on which the chart library may draw; its template is given the ``library``'s address."""
    page = make_response(
        render_template(template, library=url_for("pages.chart_library", release=version("plotly")), **shown)
    )
    page.headers["Content-Security-Policy"] = _CHART_POLICY
    return page


@needs(Right.MEMBER)
def send_library(release: str) -> ResponseReturnValue:
    """The chart library as it comes with its package; an address holds for one release, so it may be kept for good."""
    if release != version("plotly"):
        abort(404)
    response = Response(_library(), mimetype="text/javascript")
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    response.set_etag(f"plotly-{release}")
    return response.make_conditional(request)


@lru_cache(maxsize=1)
def _library() -> bytes:
    return gzip.compress((files("plotly") / "package_data" / _LIBRARY).read_bytes(), 6, mtime=0)
