"""``closingbell people``: whom administrators let in, and what each person may do; from the console."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, new_york, print_rows
from closingbell.jobs.context import JobContext, current_context
from closingbell.stores.marks import require_tables
from closingbell.stores.people import PersonView
from closingbell.usecases import rights

_email = click.argument("email")


@click.group("people")
def people() -> None:
    """Who may sign in: members see their own accounts, viewers look at everything, administrators operate."""


@people.command("list", cls=Command)
@format_option
@with_appcontext
def list_(format_: str) -> None:
    """Show everybody, with what each may do."""
    columns: dict[str, Callable[[PersonView], str]] = {
        "email": lambda one: one.email,
        "name": lambda one: one.name or "",
        "role": lambda one: one.role,
        "signs in": _signs_in,
        "since": lambda one: new_york(one.created_at),
    }
    empty = "nobody yet; make the first administrator with: closingbell create-admin"
    print_rows(rights.list_people(_ready_context()), format_, columns=columns, empty=empty)


def _signs_in(one: PersonView) -> str:
    if not one.is_active:
        return "no"
    if not one.has_password:
        return "once a password is chosen"
    return "with a second factor" if one.has_second_factor else "by password"


@people.command("add", cls=Command)
@_email
@click.option("--name", default="", help="How pages call the person.")
@click.option(
    "--role", type=click.Choice(["member", "viewer"]), default="member", show_default=True, help="What they may do."
)
@by_option
@with_appcontext
def add(email: str, name: str, role: str, by: str) -> None:
    """Let somebody in; prints a link, good once and for half an hour, to choose a password with."""
    context = _ready_context()
    secret = rights.add_person(context, email, name=name, is_viewer=role == "viewer", by=by)
    _print_link(context, secret)


@people.command("link", cls=Command)
@_email
@by_option
@with_appcontext
def link(email: str, by: str) -> None:
    """Print a new link to choose a password with, for who has none yet or forgot it."""
    context = _ready_context()
    _print_link(context, rights.make_link(context, _known(email), by=by))


@people.command("role", cls=Command)
@_email
@click.argument("role", type=click.Choice(list(rights.ROLES)))
@by_option
@with_appcontext
def change_role(email: str, role: str, by: str) -> None:
    """Change what a person may do; who loses a right is signed out everywhere."""
    rights.change_person(_ready_context(), _known(email), by=by, **rights.ROLES[role])
    click.echo(f"{_known(email)} is {'an' if role[0] == 'a' else 'a'} {role} now")


@people.command("deactivate", cls=Command)
@_email
@by_option
@with_appcontext
def deactivate(email: str, by: str) -> None:
    """Let somebody in no more, and end their sessions and tokens; what they did and own stays."""
    rights.change_person(_ready_context(), _known(email), by=by, is_active=False)
    click.echo(f"{_known(email)} may not sign in any more")


@people.command("activate", cls=Command)
@_email
@by_option
@with_appcontext
def activate(email: str, by: str) -> None:
    """Let somebody in again who was not let in any more."""
    rights.change_person(_ready_context(), _known(email), by=by, is_active=True)
    click.echo(f"{_known(email)} may sign in again")


def _known(email: str) -> str:
    """An e-mail in the spelling that is stored."""
    return email.strip().lower()


def _print_link(context: JobContext, secret: str) -> None:
    click.echo(f"{context.settings.public_url}/welcome/{secret}")
    # Not on standard output, so that a script can send what stands there.
    click.echo("this link works once, for half an hour", err=True)


def _ready_context() -> JobContext:
    context = current_context()
    require_tables(context.database)
    return context
