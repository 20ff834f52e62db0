"""Who may come in: the first administrator and the tokens of programs, from the console only."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from datetime import datetime

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, format_option, new_york, print_json, print_rows
from closingbell.jobs.context import JobContext, current_context
from closingbell.stores.marks import require_tables
from closingbell.stores.people import TokenView
from closingbell.usecases import people

_by_option = click.option("--by", default=getpass.getuser, help="Who does this; your user name unless told.")


@click.command("create-admin", cls=Command)
@click.option("--email", help="The administrator's e-mail; asked for when it is not given.")
@click.option("--name", help="How pages call the person.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; needs --email.")
@click.option("--link", is_flag=True, help="Print a link, good once and for half an hour, to choose the password with.")
@_by_option
@with_appcontext
def create_admin(email: str | None, name: str | None, password_stdin: bool, link: bool, by: str) -> None:
    """Create an administrator; the password is asked for, twice and unseen, or chosen on the page of a link."""
    context = _ready_context()
    if link and password_stdin:
        raise click.UsageError("--link and --password-stdin are two ways to the same password; take one")
    if link:
        address = people.checked_email(email or click.prompt("E-mail"))
        secret = people.invite_administrator(context, email=address, name=name, by=by)
        click.echo(f"{context.settings.public_url}/welcome/{secret}")
        click.echo("this link works once, for half an hour; start the pages with: closingbell serve", err=True)
        return
    if password_stdin and not email:
        raise click.UsageError("--password-stdin needs --email: standard input holds the password alone")
    address = people.checked_email(email or click.prompt("E-mail"))
    password = _piped_password() if password_stdin else _asked_password()
    people.create_administrator(context, email=address, password=password, name=name, by=by)
    click.echo(f"{address} is an administrator now")


@click.command("reset-second-factor", cls=Command)
@click.argument("email")
@_by_option
@with_appcontext
def reset_second_factor(email: str, by: str) -> None:
    """Take away the second factor that a person lost; ask that person first, by a way that you know."""
    people.reset_second_factor(_ready_context(), email=email, by=by)
    click.echo(f"{email} signs in with the password alone now, and may set up another second factor under Settings")


def _piped_password() -> str:
    """The first line of standard input; a blank at its end is part of the password, the line's end is not."""
    return sys.stdin.readline().rstrip("\r\n")


def _asked_password() -> str:
    label = f"Password ({people.SHORTEST_PASSWORD} to {people.LONGEST_PASSWORD} characters)"
    password: str = click.prompt(label, hide_input=True, confirmation_prompt="The same again")
    return password


@click.command("create-token", cls=Command)
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(list(people.INCLUDES)),
    required=True,
    help="read: look only. operate: run, pause, resume, cancel and retry too.",
)
@_by_option
@format_option
@with_appcontext
def create_token(name: str, scope: str, by: str, format_: str) -> None:
    """Create a token for a program that uses the scheduler's HTTP API, and print it this once."""
    context = _ready_context()
    token = people.create_token(context, name=name, scope=scope, by=by)
    if format_ == "json":
        print_json({"name": name.strip(), "scope": scope, "token": token})
    else:
        click.echo(token)
    # Not on standard output, so that a script can keep what stands there.
    click.echo("this token is shown only now; keep it where secrets are kept", err=True)


@click.command("list-tokens", cls=Command)
@format_option
@with_appcontext
def list_tokens(format_: str) -> None:
    """Show who made which token, whose it is, when it was last used, and whether it is revoked; never its text."""
    columns: dict[str, Callable[[TokenView], str]] = {
        "name": lambda token: token.name,
        "of": lambda token: token.owner or "",
        "scope": lambda token: token.scope,
        "created": lambda token: new_york(token.created_at),
        "by": lambda token: token.created_by,
        "last used": lambda token: _moment(token.last_used_at, "never"),
        "revoked": lambda token: _moment(token.revoked_at, ""),
    }
    empty = "no token yet; make one with: closingbell create-token NAME --scope read"
    print_rows(people.list_tokens(_ready_context()), format_, columns=columns, empty=empty)


@click.command("revoke-token", cls=Command)
@click.argument("name")
@click.option("--of", metavar="EMAIL", help="The person whose own token it is; the operator's unless told.")
@_by_option
@with_appcontext
def revoke_token(name: str, of: str | None, by: str) -> None:
    """Revoke a token for good; the next request that shows it is refused."""
    context = _ready_context()
    people.revoke_token(context, name, of=of, by=by)
    click.echo(f"the token {name.strip()!r} is revoked")


def _ready_context() -> JobContext:
    context = current_context()
    require_tables(context.database)
    return context


def _moment(moment: datetime | None, otherwise: str) -> str:
    return otherwise if moment is None else new_york(moment)
