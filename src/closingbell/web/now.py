"""*Now*: is everything all right?"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.kept import Kept
from closingbell.queries.now import Closes, look
from closingbell.web.guard import Right, needs, right_of_user


def add_routes(pages: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    kept: Kept[Closes] = Kept()

    @needs(Right.MEMBER)
    def now() -> ResponseReturnValue:
        if right_of_user() < Right.VIEWER:
            return redirect(url_for("pages.portfolio"))
        context = current_context()
        seen = look(
            context.database,
            registry,
            now=context.clock.now(),
            wall=context.wall.now(),
            disabled=context.settings.disabled_jobs,
            kept=kept,
        )
        return render_template("now.html", seen=seen, jobs_enabled=context.settings.jobs_enabled)

    pages.add_url_rule("/", "now", now)
