"""Jobs, runs and notifications: what ran, how it ended, and who was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from flask import g
from flask_smorest import Blueprint
from marshmallow import fields, validate

from closingbell.api.v1.asking import ID, NO_NUL, Backwards, backwards, in_range, page
from closingbell.api.v1.schemas import page_of, schema_of
from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.jobs import JobView, find_run
from closingbell.queries.jobs import list_jobs as load_jobs
from closingbell.queries.notifications import NotificationView
from closingbell.queries.notifications import list_notifications as load_notifications
from closingbell.queries.runs import ItemView, RunFilter, RunView, recent_runs, run_items
from closingbell.usecases import people

# Views that show a person's own token what is that person's alone.
OWN = frozenset({"list_notifications"})


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run, and how each company ended in it."""

    run: RunView
    items: tuple[ItemView, ...]


class _Runs(Backwards):
    job_name = fields.String(load_default=None, validate=[validate.Length(max=64), NO_NUL])
    status = fields.String(load_default=None, validate=validate.OneOf(["RUNNING", "SUCCESS", "PARTIAL", "FAILED"]))
    symbol = fields.String(load_default=None, validate=[validate.Length(max=32), NO_NUL])
    since = fields.AwareDateTime(load_default=None, format="iso", default_timezone=UTC)


class _Notifications(Backwards):
    unread = fields.Boolean(load_default=False, metadata={"description": "Those alone that nobody read."})


def add_routes(api: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    @api.route("/jobs")
    @api.response(200, page_of(JobView))
    def list_jobs() -> dict[str, Any]:
        """Every job: when it is due, how it last ended, whether it is paused or late."""
        context = current_context()
        found = load_jobs(context.database, registry, now=context.clock.now(), disabled=context.settings.disabled_jobs)
        return page(found, None)

    @api.route("/runs")
    @api.arguments(_Runs, location="query")
    @api.response(200, page_of(RunView))
    def list_runs(asked: dict[str, Any]) -> dict[str, Any]:
        """Runs, the newest first."""
        limit, since = asked["limit"], asked["since"]
        wanted = RunFilter(
            job_name=asked["job_name"],
            status=asked["status"],
            since=in_range(since),
            symbol=asked["symbol"].upper() if asked["symbol"] else None,
            before_id=asked["before"],
        )
        found = recent_runs(current_context().database, wanted, limit=limit + 1)
        return backwards(found, limit)

    @api.route(f"/runs/<{ID}:run_id>")
    @api.response(200, schema_of(RunDetail))
    def show_run(run_id: int) -> RunDetail:
        """One run, and how each company ended in it."""
        database = current_context().database
        return RunDetail(find_run(database, run_id), tuple(run_items(database, run_id)))

    @api.route("/notifications")
    @api.arguments(_Notifications, location="query")
    @api.response(200, page_of(NotificationView))
    def list_notifications(asked: dict[str, Any]) -> dict[str, Any]:
        """Messages to people, the newest first; a person's own token shows that person's."""
        token: people.TokenIdentity = g.api_token
        found = load_notifications(
            current_context().database,
            user_id=token.owner.id if token.owner else None,
            unread_only=asked["unread"],
            before_id=asked["before"],
            limit=asked["limit"] + 1,
        )
        return backwards(found, asked["limit"])
