"""The pages: server-rendered, readable without JavaScript, nothing reachable without signing in."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask

from closingbell.api.metrics import metrics_api
from closingbell.api.v1 import add_api_v1
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.registry import Registry
from closingbell.web import (
    action_entry,
    addresses,
    api_docs,
    charts,
    companies,
    dividends,
    elections,
    errors,
    guard,
    health,
    holdings,
    jobs,
    notifications,
    now,
    orders,
    payments,
    people,
    portfolio,
    records,
    rerating,
    runs,
    settings,
    suggestions,
    tokens,
    welcome,
)
from closingbell.web.headers import seal
from closingbell.web.looks import add_looks
from closingbell.web.secret_key import load_secret_key

BLUEPRINT = "pages"
# The pages of the frame, in its order: endpoint, label, and the right that shows it.
FRAME = (
    ("pages.now", "Now", guard.Right.VIEWER),
    ("pages.runs", "Runs", guard.Right.VIEWER),
    ("pages.companies", "Companies", guard.Right.VIEWER),
    ("pages.dividends", "Dividends", guard.Right.VIEWER),
    ("pages.portfolio", "Portfolio", guard.Right.MEMBER),
    ("pages.notifications", "Notifications", guard.Right.MEMBER),
    ("pages.settings", "Settings", guard.Right.MEMBER),
    (records.HOME, "Records", guard.Right.ADMINISTRATOR),
)


def add_pages(app: Flask, registry: Registry) -> None:
    """Put the pages, sign-in and their guard on an application."""
    context: JobContext = app.extensions[EXTENSION]
    # The application's own templates come before those that extensions bring.
    app.template_folder = str(Path(__file__).parent / "templates")
    people.add_people(app, context, load_secret_key(context.settings))
    pages = Blueprint(BLUEPRINT, __name__, static_folder="static", static_url_path="/assets")
    health.add_routes(pages)
    welcome.add_routes(pages)
    now.add_routes(pages, registry)
    jobs.add_routes(pages, registry)
    runs.add_routes(pages, registry)
    charts.add_routes(pages)
    companies.add_routes(pages)
    dividends.add_routes(pages)
    action_entry.add_routes(pages)
    portfolio.add_routes(pages)
    orders.add_routes(pages)
    payments.add_routes(pages)
    rerating.add_routes(pages)
    suggestions.add_routes(pages)
    elections.add_routes(pages)
    holdings.add_routes(pages)
    notifications.add_routes(pages)
    settings.add_routes(pages, registry)
    addresses.add_routes(pages)
    tokens.add_routes(pages)
    api_docs.add_routes(pages)
    app.register_blueprint(pages)
    records.add_records(app)
    app.register_blueprint(metrics_api(registry))
    add_api_v1(app, registry)
    add_looks(app, FRAME)
    guard.add_guard(app)
    app.after_request(seal)
    errors.add_pages_of_errors(app)
