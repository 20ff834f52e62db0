"""*Settings*: what is set and where it comes from; nothing secret is shown, nothing is changed here."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from closingbell.config import told_settings
from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.jobs import list_jobs
from closingbell.usecases.closures import list_closures
from closingbell.usecases.people import list_tokens
from closingbell.web.guard import Right, needs


def add_routes(pages: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    @needs(Right.MEMBER)
    def settings() -> ResponseReturnValue:
        context = current_context()
        return render_template(
            "settings.html",
            told=told_settings(context.settings),
            jobs=list_jobs(
                context.database, registry, now=context.clock.now(), disabled=context.settings.disabled_jobs
            ),
            closures=list_closures(context),
            tokens=list_tokens(context),
        )

    pages.add_url_rule("/settings", "settings", settings)
