"""Every command by name; a command's module is imported when the command is used.

``closingbell NAME`` and ``flask --app closingbell NAME`` are the same command.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup

import closingbell
from closingbell.utils.garbage import collect_less_often

# name -> module:attribute. Modules are loaded one at a time, so that a quick look stays quick.
COMMANDS: dict[str, str] = {
    "accounts": "closingbell.commands.books:accounts",
    "actions": "closingbell.commands.actions:actions",
    "audit": "closingbell.commands.audit:audit_command",
    "audit-log": "closingbell.commands.audit_log:audit_log",
    "backup": "closingbell.commands.backup:backup",
    "books": "closingbell.commands.books:books",
    "calendar": "closingbell.commands.portfolio:calendar",
    "addresses": "closingbell.commands.messages:addresses",
    "cancel-run": "closingbell.commands.control:cancel_run",
    "close-company": "closingbell.commands.symbols:close_company",
    "closures": "closingbell.commands.closures:closures",
    "coverage": "closingbell.commands.coverage:coverage",
    "create-admin": "closingbell.commands.people:create_admin",
    "create-token": "closingbell.commands.people:create_token",
    "db": "closingbell.commands.database:db",
    "decisions": "closingbell.commands.manual:decisions",
    "demo": "closingbell.commands.demo:demo",
    "doctor": "closingbell.commands.doctor:doctor",
    "elections": "closingbell.commands.elections:elections",
    "explain-payment": "closingbell.commands.dividends:explain_payment_command",
    "export": "closingbell.commands.export:export",
    "import": "closingbell.commands.imports:import_",
    "import-orders": "closingbell.commands.orders:import_orders",
    "income": "closingbell.commands.portfolio:income",
    "init-db": "closingbell.commands.database:init_db",
    "latest": "closingbell.commands.latest:latest",
    "link-dividend": "closingbell.commands.dividends:link_dividend_command",
    "list-jobs": "closingbell.commands.jobs:list_jobs",
    "list-tokens": "closingbell.commands.people:list_tokens",
    "map-symbol": "closingbell.commands.symbols:map_symbol",
    "measure-checks": "closingbell.commands.measure:measure_checks_command",
    "notifications": "closingbell.commands.notifications:notifications",
    "orders": "closingbell.commands.order_entry:orders",
    "pause-job": "closingbell.commands.control:pause_job",
    "people": "closingbell.commands.persons:people",
    "payments": "closingbell.commands.dividends:payments_command",
    "portfolio": "closingbell.commands.portfolio:portfolio",
    "providers": "closingbell.commands.providers:providers",
    "quarantine": "closingbell.commands.quarantine:quarantine",
    "rebuild-summaries": "closingbell.commands.summaries:rebuild_summaries",
    "refresh-prices": "closingbell.commands.prices:refresh_prices_command",
    "rename-symbol": "closingbell.commands.symbols:rename_symbol",
    "reopen-company": "closingbell.commands.symbols:reopen_company",
    "replay": "closingbell.commands.replay:replay",
    "rerate-payment": "closingbell.commands.rerating:rerate_payment_command",
    "reset-second-factor": "closingbell.commands.people:reset_second_factor",
    "restore": "closingbell.commands.backup:restore",
    "resume-job": "closingbell.commands.control:resume_job",
    "retry-run": "closingbell.commands.control:retry_run",
    "revoke-token": "closingbell.commands.people:revoke_token",
    "run-daily-price-update": "closingbell.commands.prices:run_daily_price_update",
    "run-dividend-processor": "closingbell.commands.dividends:run_dividend_processor_command",
    "run-intraday-refresh": "closingbell.commands.intraday:run_intraday_refresh_command",
    "run-price-sweep": "closingbell.commands.prices:run_price_sweep_command",
    "run-scheduler": "closingbell.commands.control:run_scheduler",
    "serve": "closingbell.commands.control:serve",
    "set-price": "closingbell.commands.manual:set_price",
    "suggestions": "closingbell.commands.suggestions:suggestions",
    "symbols": "closingbell.commands.symbols:symbols_command",
    "unlock": "closingbell.commands.unlock:unlock",
    "unset-price": "closingbell.commands.manual:unset_price",
    "test-notification": "closingbell.commands.messages:test_notification",
    "unwatch": "closingbell.commands.intraday:unwatch_command",
    "view-job-logs": "closingbell.commands.runs:view_job_logs",
    "watch": "closingbell.commands.intraday:watch_command",
    "webhooks": "closingbell.commands.messages:webhooks",
}


class CommandTable(AppGroup):
    """The application's commands: those of COMMANDS besides whatever else was registered on the application."""

    def __init__(self, registered: click.Group) -> None:
        super().__init__(name=registered.name, commands=dict(registered.commands))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


def _create_app() -> Flask:
    return closingbell.create_app()


def main() -> Any:
    """The console script ``closingbell``."""
    collect_less_often()
    version = click.version_option(closingbell.__version__, package_name="closingbell", prog_name="closingbell")
    group = FlaskGroup(
        name="closingbell",
        create_app=_create_app,
        add_version_option=False,
        help="Keeps a portfolio's prices and dividends right, on the exchange's own clock.",
    )
    return version(group).main(prog_name="closingbell")


if __name__ == "__main__":
    main()
