"""The demonstration: the daily job on the recorded market of autumn 2012."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib import resources
from pathlib import Path

import click

from closingbell.app import create_app
from closingbell.commands.database import upgrade
from closingbell.commands.output import Command, print_rows
from closingbell.commands.prices import print_summary
from closingbell.config import Settings, load_settings
from closingbell.domain.money import plain
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.jobs.price_updater import update_daily_prices
from closingbell.queries.holdings import StoredHistory, stored_histories
from closingbell.replay import replay_process
from closingbell.usecases.import_orders import import_orders
from closingbell.utils.logs import configure_logs

NOW = datetime.fromisoformat("2012-11-30T16:31:00-05:00")
ACCOUNT = "Demo"

NEXT_STEPS = """
What to try next, in this folder:
  {closingbell} export prices --symbols AAPL --from 2012-10-26 --to 2012-11-08   (the storm closure is not there)
  {closingbell} export actions                 the dividends, as declared
  {closingbell} export positions --to 2012-11-30   who held what
  {closingbell} view-job-logs                  what ran, and how it ended
  {closingbell} refresh-prices --symbols AAPL  refuses: this database is a replay; it says how to start a real one

Go on with the recorded market: in a second terminal
  {closingbell} replay --now 2012-12-03T16:31-05:00
and here
  export YAHOO_BASE_URL=http://127.0.0.1:8765 CLOSINGBELL_NOW=2012-12-03T16:31-05:00
  {closingbell} run-daily-price-update         one more session: 2012-12-03, and 2012-11-30 settles
  {closingbell} run-dividend-processor         pays what fell due
  {closingbell} create-admin --link --email you@example.org
  {closingbell} accounts give Demo you@example.org
  {closingbell} serve                          the pages: open the link that create-admin printed"""


@click.command(cls=Command)
def demo() -> None:
    """Run the daily job on a recorded real market: five companies, autumn 2012, no network."""
    base = load_settings()
    click.echo("A recorded market answers as Yahoo would have: it is Friday 2012-11-30, 16:31 in New York.")
    with replay_process(now=NOW, speed=1.0) as market:
        settings = load_settings(
            **{name: getattr(base, name) for name in ("database_url", "instance_path", "log_level", "log_format")},
            yahoo_base_url=market.base_url,
            closingbell_now=NOW,
            cache_dir=base.instance_path / "cache",
        )
        _run(settings)
    click.echo(NEXT_STEPS.format(closingbell=_command_name()))


def _run(settings: Settings) -> None:
    configure_logs(settings.log_level, settings.log_format)
    app = create_app(settings)
    context: JobContext = app.extensions[EXTENSION]
    with app.app_context():
        upgrade(app)
        click.echo(f"The database: {context.database.engine.url.render_as_string(hide_password=True)}")
        sample = resources.files("closingbell").joinpath("demo/orders.csv").read_text(encoding="utf-8")
        imported = import_orders(context, sample, account=ACCOUNT)
        click.echo(f"A sample portfolio: {imported.added_count} orders added, {imported.known_count} were there.\n")
        click.echo("$ closingbell run-daily-price-update")
        print_summary(update_daily_prices(context))
        click.echo("")
        _print_stored(stored_histories(context.database))


def _print_stored(histories: list[StoredHistory]) -> None:
    columns: dict[str, Callable[[StoredHistory], str]] = {
        "symbol": lambda row: row.symbol,
        "name": lambda row: row.name or "",
        "bars": lambda row: str(row.bar_count),
        "from": lambda row: str(row.first_date),
        "to": lambda row: str(row.last_date),
        "close": lambda row: f"{plain(row.close)} {row.currency}",
        "state": lambda row: "settled" if row.is_settled else "provisional",
    }
    print_rows(histories, "text", columns=columns, empty="nothing is stored")


def _command_name() -> str:
    """How to call closingbell from here: by its name where the shell finds it, by its path in .venv otherwise."""
    local = Path(".venv/bin/closingbell")
    return str(local) if local.exists() else "closingbell"
