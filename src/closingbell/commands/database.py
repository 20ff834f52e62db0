"""Setting up and migrating the database."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_alembic import Alembic
from flask_alembic.cli import cli as alembic_cli

from closingbell import migrations
from closingbell.commands.output import Command
from closingbell.jobs.context import EXTENSION, JobContext, current_context
from closingbell.jobs.market_time import load_session_list
from closingbell.models import Base
from closingbell.models.types import ScaledDecimal, UtcDateTime
from closingbell.stores.database import open_database
from closingbell.stores.orders import post_missing
from closingbell.stores.sessions import HOME
from closingbell.utils.text import counted


def alembic_for(app: Flask) -> Alembic:
    """Flask-Alembic on the application's engine, made once per application."""
    known = app.extensions.get("alembic")
    if isinstance(known, Alembic):
        return known
    context: JobContext = app.extensions[EXTENSION]
    app.config["ALEMBIC"] = {"script_location": str(Path(migrations.__file__).parent)}
    app.config["ALEMBIC_CONTEXT"] = {"render_as_batch": True, "compare_type": True, "render_item": _render_type}
    alembic = Alembic(engines={"default": _migration_engine(context)}, metadatas={"default": Base.metadata})
    alembic.init_app(app)
    # The library would tell of every step on the screen; the command says what came of them.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return alembic


def _migration_engine(context: JobContext) -> Any:
    """The application's engine; for SQLite one that does not enforce foreign keys while tables are made anew."""
    if context.database.dialect != "sqlite":
        return context.database.engine
    return open_database(context.settings.effective_database_url, enforce_keys=False).engine


def _render_type(kind: str, item: Any, autogen: Any) -> str | bool:
    """How a migration writes our column types; the library knows how to write all others."""
    if kind != "type" or not isinstance(item, ScaledDecimal | UtcDateTime):
        return False
    autogen.imports.add("from closingbell.models.types import ScaledDecimal, UtcDateTime")
    return f"ScaledDecimal({item.scale})" if isinstance(item, ScaledDecimal) else "UtcDateTime()"


@click.group("db")
@click.pass_context
@with_appcontext
def db(ctx: click.Context) -> None:
    """Migrate the database step by step; init-db does all at once."""
    ctx.obj = alembic_for(_app())


for _name, _command in alembic_cli.commands.items():
    db.add_command(_command, _name)


@click.command("init-db", cls=Command)
@with_appcontext
def init_db() -> None:
    """Create the tables, or bring an older database up to date."""
    where = current_context().database.engine.url.render_as_string(hide_password=True)
    changed = upgrade(_app())
    _write_down_sessions(current_context())
    posted = post_missing(current_context().database, now=current_context().clock.now())
    if posted:
        click.echo(f"the ledger was brought up to {counted(posted, 'order')}")
    click.echo(f"{where}: {'tables are ready' if changed else 'already up to date'}")


def _write_down_sessions(context: JobContext) -> None:
    """The home exchange's sessions, so that a scheduler need not load a calendar for them."""
    now = context.clock.now()
    load_session_list(context, HOME, now.date() - timedelta(days=30), now=now, ahead=timedelta(days=60))


def upgrade(app: Flask) -> bool:
    """Bring the tables up to date; whether there was anything to do. Needs an application context."""
    alembic = alembic_for(app)
    before = [script.revision for script in alembic.current()]
    alembic.upgrade()
    return before != [script.revision for script in alembic.current()]


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]
