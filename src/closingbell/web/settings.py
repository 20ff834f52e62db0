"""*Settings*: what is set and where it comes from; nothing secret is shown, nothing is changed here."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.config import told_settings
from closingbell.domain.market_zones import in_new_york
from closingbell.domain.provider_health import ProviderState
from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.jobs import list_jobs
from closingbell.usecases.closures import list_closures
from closingbell.usecases.messages import list_addresses
from closingbell.usecases.providers import list_providers
from closingbell.web.guard import Right, needs, right_of_user

_TONES = {
    ProviderState.UP: "good",
    ProviderState.RATE_LIMITED: "warn",
    ProviderState.DOWN: "bad",
    ProviderState.NOT_CONFIGURED: "bad",
    ProviderState.BROKEN: "bad",
    ProviderState.NOT_IN_USE: "idle",
}


def add_routes(pages: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    @needs(Right.MEMBER)
    def settings() -> ResponseReturnValue:
        context, right = current_context(), right_of_user()
        shown: dict[str, Any] = {"addresses": list_addresses(context, user_id=current_user.id)}
        if right >= Right.VIEWER:
            now, disabled = context.clock.now(), context.settings.disabled_jobs
            shown["told"] = told_settings(context.settings)
            shown["jobs"] = list_jobs(context.database, registry, now=now, disabled=disabled)
            shown["providers"] = [
                (one, one.in_words(in_new_york), _TONES[one.state]) for one in list_providers(context)
            ]
            shown["closures"] = list_closures(context)
        return render_template("settings.html", **shown)

    pages.add_url_rule("/settings", "settings", settings)
