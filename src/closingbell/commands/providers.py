"""``closingbell providers``: where prices come from, in order, and how well each provider is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, format_option, new_york, new_york_today, print_json, print_rows
from closingbell.domain.provider_health import ProviderView
from closingbell.jobs.context import current_context
from closingbell.usecases.providers import list_providers


@click.command("providers", cls=Command)
@format_option
@with_appcontext
def providers(format_: str) -> None:
    """Show every provider of prices, the chosen ones first and in order, with its state. Asks none of them."""
    context = current_context()
    views, now = list_providers(context), context.wall.now()

    def tell(moment: datetime) -> str:
        return new_york_today(moment, now=now)

    if format_ == "json":
        told = [{field.name: getattr(view, field.name) for field in fields(view)} for view in views]
        print_json([{**one, "in_words": view.in_words(tell)} for one, view in zip(told, views, strict=True)])
        return
    columns: dict[str, Callable[[ProviderView], str]] = {
        "order": lambda view: "" if view.position is None else str(view.position),
        "provider": lambda view: view.name,
        "gives": lambda view: ", ".join(view.capabilities),
        "state": lambda view: view.in_words(tell),
        "requests left": lambda view: view.budget.in_words() if view.budget else "",
        "key": lambda view: {None: "", True: "set", False: "not set"}[view.has_key],
        "last answer": lambda view: new_york(view.last_success_at) if view.last_success_at else "",
        "last error": _last_error,
    }
    print_rows(views, format_, columns=columns, empty="there is no provider")


def _last_error(view: ProviderView) -> str:
    return f"{new_york(view.last_error_at)}: {view.last_error}" if view.last_error_at else ""
