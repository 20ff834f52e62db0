"""``closingbell unlock``: a person whose tries to sign in are used up may try again at once."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option
from closingbell.jobs.context import current_context
from closingbell.stores.marks import require_tables
from closingbell.usecases.sign_in_tries import find_signs, free_tries
from closingbell.web.secret_key import load_secret_key
from closingbell.web.sign_in_limits import keys_of


@click.command("unlock", cls=Command)
@click.argument("email")
@by_option
@with_appcontext
def unlock(email: str, by: str) -> None:
    """Give a person back all tries at password and code; an address's five in a minute come back by themselves."""
    context = current_context()
    require_tables(context.database)
    name = email.strip().lower()
    keys = keys_of(load_secret_key(context.settings), name, find_signs(context, name))
    count = free_tries(context, keys, email=name, by=by)
    if count:
        click.echo(f"{count} tries of {name} are given back")
    else:
        click.echo(f"no try of {name} is used up; tries are known by SECRET_KEY, which must be the server's own here")
