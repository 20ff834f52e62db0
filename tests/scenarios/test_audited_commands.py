"""Whatever a command changes is in the audit log: who, what, on which thing, from the console; and never without.

Each line of the walk is done twice: first while no entry can be stored, and then nothing else may be either; then in
earnest, which leaves one entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import click
import pytest
from sqlalchemy import insert, update

from closingbell.cli_commands import COMMANDS
from closingbell.models import AuditEntry, CorporateActionRow, Notification, QuarantinedBar, User
from closingbell.usecases import people
from closingbell.usecases.sign_in_tries import find_signs, take_try
from closingbell.web.secret_key import load_secret_key
from closingbell.web.sign_in_limits import FOR_ONE_PERSON, keys_of
from tests.api.test_scheduler_api import end_run, start_run
from tests.app_fixtures import House, everything

pytestmark = pytest.mark.one_database

ANN = "ann@example.org"
# Commands that look, and change nothing that is anybody's.
LOOKING = frozenset(
    {
        "accounts list", "actions list", "actions show", "addresses list", "audit", "audit-log", "backup",
        "books show", "calendar", "closures list", "coverage", "decisions", "doctor", "elections list",
        "explain-payment", "export", "income", "latest", "list-jobs", "list-tokens", "measure-checks", "orders list",
        "payments", "people list", "portfolio", "providers", "quarantine list", "suggestions list", "symbols",
        "view-job-logs", "webhooks list",
    }
)  # fmt: skip
# Commands that change something and are nobody's action.
NOBODYS = {
    "init-db": "makes the tables that the audit log is one of",
    "db": "the same step by step, by Flask-Alembic",
    "restore": "fills an empty database with what a file holds, its audit log too, to the letter",
    "demo": "fills a database of its own",
    "replay": "serves a recorded market and has no database",
    "run-scheduler": "what it runs was asked for by somebody, or by the clock, and is in the log of runs",
    "serve": "serves the pages, whose every action is written down",
}
AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
HELD = {"is_held": True, "held_code": "EX_DATE_DOUBTFUL", "held_reason": "the ex-date is doubtful"}
ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD 2012-09-04,BUY,IBM,10,195,0,USD"
WHY = ("--why", "the notice")
CASH = ("--amount", "2.65", "--currency", "USD", *WHY)


@dataclass(frozen=True)
class Step:
    """A command's words, what the audit log says of it, and its exit code."""

    words: tuple[str, ...]
    said: tuple[str, str, str | None]
    exit_code: int = 0


def _step(words: str, action: str, target: str, detail: str | None = None, *more: str, exit_code: int = 0) -> Step:
    return Step((*words.split(), *more), (action, target, detail), exit_code)


WALK: dict[str, Step] = {
    "accounts add": _step("accounts add Bob", "add account", "Bob", "currency: USD"),
    "accounts set": _step("accounts set Bob --residence US --reinvest", "edit account", "Bob",
                          "residence: US; is reinvesting: yes"),
    "accounts give": _step(f"accounts give Bob {ANN}", "give account", "Bob", ANN),
    "accounts reinvest": _step("accounts reinvest Ann IBM --on", "reinvest", "Ann", "IBM: reinvested"),
    "elections choose": _step("elections choose 5 --account Ann --shares", "elect", "Ann, corporate action 5",
                              "IBM 2012-11-28: shares"),
    "rerate-payment": _step("rerate-payment 2", "rate again", "payment 2, Zed", "AAPL 2012-11-07: the notice", *WHY),
    "actions apply": _step("actions apply 3", "apply corporate action", "3 AAPL", "the notice", *WHY),
    "actions ignore": _step("actions ignore 4", "ignore corporate action", "4 AAPL", "the notice", *WHY),
    "actions cancel": _step("actions cancel 3", "cancel corporate action", "3 AAPL", "the notice", *WHY),
    "actions reinstate": _step("actions reinstate 3", "reinstate corporate action", "3 AAPL", "the notice", *WHY),
    "actions edit": _step("actions edit 3 --amount 2.60", "edit corporate action", "3 AAPL",
                          "special dividend 2.60 USD, ex 2012-10-01: the notice", *WHY),
    "actions add": _step("actions add AAPL CASH_SPECIAL --ex-date 2012-11-12", "enter corporate action", "6 AAPL",
                         "special dividend 2.65 USD, ex 2012-11-12: the notice", *CASH),
    "addresses add": _step(f"addresses add {ANN} json://127.0.0.1:9/ --level error", "add address", "1",
                           f"json://… from error on, of {ANN}"),
    "addresses change": _step("addresses change 1 --level info", "change address", "1",
                              f"json://… from info on, of {ANN}"),
    "test-notification": _step("test-notification", "test addresses", "everybody", "1 addresses", exit_code=1),
    "addresses remove": _step("addresses remove 1", "remove address", "1", f"json://…, of {ANN}"),
    "webhooks add": _step("webhooks add https://example.org/hook --event run.failed", "add webhook", "1",
                          "https://…: run.failed"),
    "webhooks remove": _step("webhooks remove 1", "remove webhook", "1"),
    "books set": _step("books set lock_date 2012-01-31", "set books", "lock_date", "2012-01-31"),
    "books withhold": _step("books withhold CH 0.35 --since 2012-01-01", "set withholding rate", "CH",
                            "0.35 since 2012-01-01, */*/CH/*"),
    "books fx": _step("books fx EUR USD 2012-11-29 1.2978", "set exchange rate", "EUR USD 2012-11-29", "1.2978"),
    "pause-job": _step("pause-job price_sweep", "pause job", "price_sweep", "moving house", "--why", "moving house"),
    "resume-job": _step("resume-job price_sweep", "resume job", "price_sweep"),
    "retry-run": _step("retry-run 1", "retry run", "run 1 of daily_price_update", "request 1"),
    "cancel-run": _step("cancel-run 3", "cancel run", "run 3 of price_sweep"),
    "map-symbol": _step("map-symbol AAPL tiingo APPLE --from 2012-11-01", "map symbol", "AAPL",
                        "tiingo calls it APPLE since 2012-11-01: told by hand"),
    "set-price": _step("set-price AAPL 2012-11-29 --close 589.36", "set price", "AAPL 2012-11-29",
                       "open 589.36, high 589.36, low 589.36, close 589.36, volume 0: the notice", *WHY),
    "unset-price": _step("unset-price AAPL 2012-11-29", "unset price", "AAPL 2012-11-29",
                         "open 589.36, high 589.36, low 589.36, close 589.36, volume 0: the notice", *WHY),
    "closures add": _step("closures add XNYS 2012-11-27 storm", "close session", "XNYS 2012-11-27", "storm"),
    "closures remove": _step("closures remove XNYS 2012-11-27", "reopen session", "XNYS 2012-11-27"),
    "quarantine accept": _step("quarantine accept 1", "accept quarantined bar", "1 AAPL 2012-11-26",
                              "the notice", *WHY),
    "quarantine reject": _step("quarantine reject 2", "reject quarantined bar", "2 AAPL 2012-11-28",
                              "the notice", *WHY),
    "suggestions accept": _step("suggestions accept 1 --account Ann", "accept suggestion", "Ann, corporate action 1",
                                "AAPL 2012-11-07"),
    "suggestions dismiss": _step("suggestions dismiss 2 --account Ann", "dismiss suggestion", "Ann, corporate action 2",
                                 "IBM 2012-11-07"),
    "orders add": _step("orders add Ann DIVIDEND --date 2012-11-15 --symbol AAPL --amount 53", "enter order", "5 Ann",
                        "DIVIDEND AAPL 2012-11-15"),
    "link-dividend": _step("link-dividend 5 1", "link dividend", "5 Ann", "corporate action 1 of AAPL"),
    "orders delete": _step("orders delete 5", "delete order", "5 Ann", "DIVIDEND AAPL 2012-11-15"),
    "import": _step("import mine.csv --account Ann", "import file", "Ann",
                    "csv mine.csv: 1 added, 0 were there"),
    "import-orders": _step("import-orders other.csv --account Ann", "import file", "Ann",
                           "csv other.csv: 1 added, 0 were there"),
    "notifications": _step("notifications --mark-read", "read notifications", "1 unread"),
    "create-token": _step("create-token ci --scope read", "create token", "ci", "read"),
    "revoke-token": _step("revoke-token ci", "revoke token", "ci", "of the operator"),
    "create-admin": _step("create-admin --link --email bob@example.org", "create administrator", "bob@example.org",
                          "by a link"),
    "people add": _step("people add max@example.org --role viewer", "add person", "max@example.org",
                        "name: –; is administrator: no; is viewer: yes"),
    "people role": _step("people role max@example.org member", "edit person", "max@example.org",
                         "is administrator: no; is viewer: no"),
    "people deactivate": _step("people deactivate max@example.org", "edit person", "max@example.org",
                               "is active: no"),
    "people activate": _step("people activate max@example.org", "edit person", "max@example.org", "is active: yes"),
    "people link": _step("people link max@example.org", "link person", "max@example.org"),
    "reset-second-factor": _step(f"reset-second-factor {ANN}", "reset second factor", ANN),
    "unlock": _step(f"unlock {ANN}", "unlock", ANN, "1 tries given back"),
    "watch": _step("watch MSFT,IBM", "watch", "MSFT, IBM"),
    "unwatch": _step("unwatch MSFT", "unwatch", "MSFT"),
    "rebuild-summaries": _step("rebuild-summaries", "rebuild summaries", "every company"),
    "close-company": _step("close-company IBM --on 2012-11-30", "close company", "IBM", "on 2012-11-30: the notice",
                           *WHY),
    "reopen-company": _step("reopen-company IBM", "reopen company", "IBM", "the notice", *WHY),
    "run-daily-price-update": _step("run-daily-price-update --symbols AAPL", "run job", "daily_price_update",
                                    "run 4, AAPL"),
    "refresh-prices": _step("refresh-prices --symbols AAPL --date 2012-11-30 --force", "run job", "refresh_prices",
                            "run 6"),
    "run-price-sweep": _step("run-price-sweep --no-wait --symbols AAPL", "run job", "price_sweep", "request 2, AAPL"),
    "run-dividend-processor": _step("run-dividend-processor --symbols AAPL", "run job", "dividend_processor",
                                    "run 7, AAPL"),
    "run-intraday-refresh": _step("run-intraday-refresh --symbols AAPL", "run job", "intraday_price_refresh",
                                  "run 8, AAPL"),
    "rename-symbol": _step("rename-symbol IBM IBMX --from 2012-11-29", "rename company", "IBM",
                           "IBMX since 2012-11-29: renamed"),
}  # fmt: skip


def _everywhere() -> Iterator[str]:
    """Every command by its whole name, ``orders add`` and not ``orders``."""

    def within(name: str, command: click.Command) -> Iterator[str]:
        if isinstance(command, click.Group) and name not in NOBODYS:
            for word, one in command.commands.items():
                yield from within(f"{name} {word}", one)
        else:
            yield name

    for name, target in COMMANDS.items():
        module, _, attribute = target.partition(":")
        yield from within(name, getattr(import_module(module), attribute))


def _set_up(house: House, folder: Path) -> None:
    house.orders(ORDERS)
    people.create_administrator(house.context, email=ANN, password="correct horse battery")
    house.command("accounts", "set", "Ann", "--dividends", "SUGGEST")
    # Another account, that was paid; what was paid without tax is taxed by a rule that came later, once somebody asks.
    house.orders("2012-09-04,BUY,AAPL,10,675.00,4.95,USD", account="Zed")
    house.command("accounts", "set", "Zed", "--residence", "DE")
    for symbol, kind, day in (
        ("AAPL", "CASH", "2012-11-07"),
        ("IBM", "CASH", "2012-11-07"),
        ("AAPL", "CASH_SPECIAL", "2012-10-01"),
        ("AAPL", "CASH_SPECIAL", "2012-10-02"),
    ):
        assert house.command("actions", "add", symbol, kind, "--ex-date", day, *CASH).exit_code == 0
    shares = (
        "--amount",
        "0.50",
        "--currency",
        "USD",
        "--scrip-price",
        "190",
        "--election-deadline",
        "2012-12-10",
        *WHY,
    )
    added = house.command("actions", "add", "IBM", "SCRIP", "--ex-date", "2012-11-28", *shares)
    assert added.exit_code == 0, added.output
    end_run(house, start_run(house), "AAPL")  # type: ignore[arg-type]
    keys = keys_of(load_secret_key(house.settings), ANN, find_signs(house.context, ANN))
    assert take_try(house.context, keys[0], FOR_ONE_PERSON) is not None
    facts = {"company_id": house.company("AAPL").id, "provider": "yahoo", "first_seen_at": AT, "last_seen_at": AT}
    bar = dict.fromkeys(("open", "high", "low", "close"), Decimal("58528"))
    message = {"type": "failure", "level": "error", "title": "x", "body": "x", "dedupe_key": "x", "created_at": AT}
    factor = {"tf_primary_method": "authenticator", "tf_totp_secret": "x"}
    with house.context.database.write() as connection:
        connection.execute(update(CorporateActionRow).where(CorporateActionRow.id.in_([3, 4])).values(**HELD))
        for number, day in ((1, date(2012, 11, 26)), (2, date(2012, 11, 28))):
            of_day = {"id": number, "date": day, "rule": "jump", "volume": 1, "previous_close": None}
            connection.execute(insert(QuarantinedBar).values(**facts, **bar, **of_day, is_intraday=False))
        connection.execute(insert(Notification).values(id=1, user_id=1, **message))
        connection.execute(update(User).where(User.id == 1).values(**factor))
    assert house.command("run-dividend-processor").exit_code == 0
    house.command("books", "withhold", "US", "0.15", "--since", "2000-01-01", "--residence", "DE")
    start_run(house, job_name="price_sweep")  # type: ignore[arg-type]
    for name, day in (("mine.csv", "2012-09-05"), ("other.csv", "2012-09-06")):
        line = f"{day},DEPOSIT,,,5000,0,USD\n"
        (folder / name).write_text(f"date,type,symbol,quantity,price,fee,currency\n{line}")


def test_every_command_that_changes_something_leaves_its_entry_and_does_nothing_without(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_waits: None
) -> None:
    assert set(_everywhere()) - LOOKING - set(NOBODYS) == set(WALK)
    monkeypatch.setenv("LOGNAME", "Bob")
    monkeypatch.chdir(tmp_path)
    _set_up(house, tmp_path)
    engine = house.context.database.engine

    wrong = {}
    for name, step in WALK.items():
        before = everything(engine)
        with house.without_entries():
            refused = house.command(*step.words)
        after = everything(engine)
        changed = [table for table, rows in after.items() if rows != before[table]]
        done = house.command(*step.words)
        entries = house.rows(AuditEntry)[len(before["audit_entry"]) :]
        found = [(one.who, one.action, one.target, one.detail, one.address) for one in entries]
        is_right = done.exit_code == step.exit_code and found == [("Bob", *step.said, "console")]
        if refused.exit_code == 0 or changed or not is_right:
            wrong[name] = (refused.exit_code, changed, done.exit_code, found, done.output[-300:])
    assert wrong == {}
