"""``closingbell rerate-payment``: a booked payment computed anew, at a person's word."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, print_json
from closingbell.domain.money import plain
from closingbell.jobs.context import current_context
from closingbell.queries.rerating import RatedAmounts, RatedLeg, RerateView, view_of
from closingbell.stores.marks import require_tables
from closingbell.usecases import rerating


@click.command("rerate-payment", cls=Command)
@click.argument("payment_id", metavar="ID", type=int)
@click.option("--why", default="", help="The reason, which stays with the payment.")
@click.option("--dry-run", is_flag=True, help="Show what would change and stop.")
@by_option
@format_option
@with_appcontext
def rerate_payment_command(payment_id: int, why: str, dry_run: bool, by: str, format_: str) -> None:
    """Compute a booked payment anew: with the account's rounding, and the tax and exchange rates valid on its day."""
    context = current_context()
    require_tables(context.database)
    if dry_run:
        found = view_of(rerating.preview_rerate(context, payment_id))
    else:
        found = view_of(rerating.rerate_payment(context, payment_id, by=by, why=why))
    if format_ == "json":
        print_json(found)
        return
    for line in _lines(found, dry_run=dry_run):
        click.echo(line)


def _lines(found: RerateView, *, dry_run: bool) -> list[str]:
    if not found.legs:
        return [f"payment {found.payment_id} stays as it is: the rates that hold now make it the same"]
    lines = [f"payment {found.payment_id}: {found.symbol}, ex {found.ex_date}, to {found.account}"]
    for leg in found.legs:
        lines.append(f"{leg.leg.lower()} (payment {leg.payment_id})")
        lines += [f"  is       {_amounts(leg, leg.before)}", f"  becomes  {_amounts(leg, leg.after)}"]
    return [*lines, "nothing was changed" if dry_run else "the next dividend run books it"]


def _amounts(leg: RatedLeg, one: RatedAmounts) -> str:
    told = f"gross {plain(one.gross)}, tax {plain(one.tax)} at {one.tax_rate.normalize():f}"
    told += f", net {plain(one.net)} {leg.currency}"
    if leg.leg != "ACCRUAL":
        told += f", cash {plain(one.cash)} {leg.cash_currency}"
    if one.fx_rate is not None:
        told += f" at {one.fx_rate.normalize():f} of {one.fx_date}"
    return f"{told}, rounded {one.rounding}"
