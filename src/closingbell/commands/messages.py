"""Where messages go, and a test that they arrive."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, new_york, print_rows
from closingbell.domain.outbox import EVENTS, LEVELS
from closingbell.errors import ClosingbellError
from closingbell.jobs.context import current_context
from closingbell.jobs.courier import deliver
from closingbell.stores.job_log import this_process
from closingbell.usecases import messages
from closingbell.utils.logs import configure_logs


@click.group("addresses")
def addresses() -> None:
    """Where each person's messages go besides the page: mail, Slack, Telegram, ntfy and others, by Apprise."""


@addresses.command("add", cls=Command)
@click.argument("email")
@click.argument("url")
@click.option("--level", type=click.Choice(LEVELS), default="warning", show_default=True, help="From which level on.")
@by_option
@with_appcontext
def add(email: str, url: str, level: str, by: str) -> None:
    """Send a person's messages also to URL, as in mailtos://user:password@example.org or ntfy://ntfy.sh/topic."""
    number = messages.add_address(current_context(), email=email, url=url, level=level, by=by)
    click.echo(f"address {number}: {email} is sent messages of level {level} and above; test-notification tries it")


@addresses.command("list", cls=Command)
@format_option
@with_appcontext
def list_(format_: str) -> None:
    """Show the addresses; never what is secret in them."""
    columns = {
        "id": lambda one: str(one.id),
        "person": lambda one: one.email,
        "kind": lambda one: one.kind,
        "level": lambda one: one.level,
        "last message": _last,
    }
    empty = "no address yet; add one: closingbell addresses add E-MAIL URL"
    print_rows(messages.list_addresses(current_context()), format_, columns=columns, empty=empty)


def _last(one: messages.ShownAddress) -> str:
    if one.last is None:
        return ""
    return f"{new_york(one.last.at)} {'sent' if one.last.is_sent else one.last.why or 'waits'}"


@addresses.command("change", cls=Command)
@click.argument("address_id", type=int)
@click.option("--level", type=click.Choice(LEVELS), required=True, help="From which level on.")
@by_option
@with_appcontext
def change(address_id: int, level: str, by: str) -> None:
    """Choose from which level on messages go to an address."""
    messages.change_level(current_context(), address_id, level, by=by)
    click.echo(f"address {address_id} is sent messages of level {level} and above")


@addresses.command("remove", cls=Command)
@click.argument("address_id", type=int)
@by_option
@with_appcontext
def remove(address_id: int, by: str) -> None:
    """Send nothing more to an address."""
    messages.remove_address(current_context(), address_id, by=by)
    click.echo(f"address {address_id} is sent nothing more")


@click.group("webhooks")
def webhooks() -> None:
    """Programs that are told of stored closes, paid dividends and failed runs."""


@webhooks.command("add", cls=Command)
@click.argument("url")
@click.option("--event", "events", type=click.Choice(EVENTS), multiple=True, help="Of what; of everything unless told.")
@by_option
@with_appcontext
def add_webhook(url: str, events: tuple[str, ...], by: str) -> None:
    """POST events to URL, signed; prints the secret that signs them, this once."""
    context = current_context()
    number, secret = messages.add_webhook(context, url=url, events=events or EVENTS, by=by)
    click.echo(secret)
    click.echo(f"webhook {number}; its secret is shown only now", err=True)


@webhooks.command("list", cls=Command)
@format_option
@with_appcontext
def list_webhooks(format_: str) -> None:
    """Show the webhooks; never their secrets."""
    shown = [messages.ShownWebhook.of(one) for one in messages.list_webhooks(current_context())]
    columns = {
        "id": lambda one: str(one.id),
        "url": lambda one: one.url,
        "events": lambda one: ", ".join(one.events),
        "by": lambda one: one.created_by,
        "since": lambda one: new_york(one.created_at),
    }
    print_rows(shown, format_, columns=columns, empty="no webhook yet; add one: closingbell webhooks add URL")


@webhooks.command("remove", cls=Command)
@click.argument("webhook_id", type=int)
@by_option
@with_appcontext
def remove_webhook(webhook_id: int, by: str) -> None:
    """Tell a program no more."""
    messages.remove_webhook(current_context(), webhook_id, by=by)
    click.echo(f"webhook {webhook_id} is told nothing more")


@click.command("test-notification", cls=Command)
@click.option("--user", "email", help="Only this person's addresses, by e-mail.")
@by_option
@with_appcontext
def test_notification(email: str | None, by: str) -> None:
    """Send a test message to every address and webhook, now; exits 1 when one did not arrive."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    queued = messages.queue_test(context, email=email, by=by)
    while deliver(context, this_process()):
        pass
    failed = messages.last_failures(context, queued.key)
    for failure in failed:
        click.echo(f"{failure.target}: {failure.why}", err=True)
    click.echo(f"{queued.count - len(failed)} of {queued.count} arrived")
    if failed:
        raise ClosingbellError("some did not arrive; those are tried again by a running scheduler")
