"""A company, an account and every reason called like a script or a formula: nothing runs on any page, in any file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_string
from html import unescape
from itertools import product
from typing import Any

import pytest
from werkzeug.routing import Rule

from closingbell.models import (
    Account,
    CorporateActionRow,
    DividendPayment,
    JobLog,
    MessageAddress,
    Order,
    OutboxMessage,
    QuarantinedBar,
)
from closingbell.notifications.senders import send_to_person
from closingbell.replay import Market, RecordedMarket
from closingbell.usecases.people import create_token
from tests.web.conftest import Browser, Site
from tests.web.test_guard import VALUES

pytestmark = pytest.mark.one_database

SCRIPT, FORMULA = "<script>alert(1)</script>", "=cmd|' /C calc'!A0"
NAMES = {"AAPL": SCRIPT, "MSFT": SCRIPT, "GOOG": SCRIPT, "IBM": FORMULA}
# A script of the page itself has a source.
HARM = re.compile(r"<script>alert|<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=")
# What a spreadsheet would run; a number may begin with its sign.
RUN = re.compile(r"[=@\t\r]|[+-](?![0-9.]+$)")
# What leads nowhere for who is signed in: it is somebody's way in, or made by a library for ways that are not open.
ELSEWHERE = {
    "security.login", "security.tf_select", "security.two_factor_rescue", "security.two_factor_token_validation",
    "pages.welcome", "pages.healthz", "pages.readyz", "pages.chart_library", "static", "security.static",
    "api_metrics.show_metrics",
}  # fmt: skip
# Where both stand as text: a walk that showed neither would prove nothing.
WHERE_BOTH_STAND = {
    "pages.now", "pages.companies", "pages.company", "pages.portfolio", "pages.account", "pages.orders",
    "pages.own_dividends", "pages.ask_order", "pages.ask_deletion", "pages.ask_import", "pages.settings",
    "records_companies.index_view", "records_companies.details_view", "records_companies.export",
    "records_accounts.index_view", "records_accounts.export", "records_orders.index_view", "records_orders.export",
    "records_ledger.index_view", "records_ledger.export", "records_audit.index_view", "records_audit.export",
    "api_v1.list_companies", "api_v1.show_company", "api_v1.show_accounts", "api_v1.show_positions",
    "api_v1.list_orders", "api_v1.list_dividends", "api_v1.list_jobs",
}  # fmt: skip
WHERE_THE_SCRIPT_STANDS = {
    "pages.payment", "pages.tokens", "records_payments.index_view", "records_payments.export", "api_v1.show_payment",
}  # fmt: skip


@pytest.fixture
def market() -> Market:
    """The recorded market, whose companies are called so, and their exchanges too."""
    recorded = RecordedMarket.load().listings
    return Market([replace(one, name=NAMES.get(one.symbol, ""), exchange_name=FORMULA) for one in recorded])


@pytest.fixture
def hostile(site: Site) -> Site:
    """Both names where a name, a note or a reason has room, on everything that the application makes of them.

    The account SCRIPT holds Apple, whose dividend of 2012-11-07 is paid, Microsoft, whose dividend is held, and
    Google, whose last bar is set aside; FORMULA holds IBM, whose dividend is suggested to it, and what nobody knows.
    """
    house = site.house

    def do(*words: str) -> None:
        result = house.command(*words)
        assert result.exit_code == 0, (words, result.output)

    do("addresses", "add", "administrator@example.org", "json://127.0.0.1/hook", "--level", "info")
    do("webhooks", "add", "https://example.org/hook")
    house.at("2012-11-29 16:31").hold("MSFT", since="2012-10-01")
    for symbol, account in (("AAPL", SCRIPT), ("MSFT", SCRIPT), ("GOOG", SCRIPT), ("IBM", FORMULA), ("NO", FORMULA)):
        house.orders(f"2012-10-01,BUY,{symbol},10,100.00,0,USD", account=account)
    for account in (SCRIPT, FORMULA):
        do("accounts", "give", account, "administrator@example.org", "--by", SCRIPT)
        do("orders", "add", account, "DEPOSIT", "--date", "2012-10-01", "--amount", "100", "--note", account)
    do("accounts", "set", FORMULA, "--dividends", "SUGGEST")
    house.market.misbehave("MSFT", "dividend_x100", endpoint="chart")
    house.run()
    house.market.misbehave("GOOG", "price_x100")
    house.at("2012-11-30 16:31").run()
    house.market.behave()
    do("run-dividend-processor")
    scrip = "--ex-date 2013-02-06 --amount 0.85 --currency USD --scrip-price 190"
    do("actions", "add", "IBM", "SCRIP", *scrip.split(), "--why", SCRIPT, "--by", FORMULA)
    do("pause-job", "price_sweep", "--why", SCRIPT, "--by", FORMULA)
    do("closures", "add", "XNYS", "2013-01-09", SCRIPT, "--by", FORMULA)
    do("close-company", "NO", "--on", "2012-11-30", "--why", FORMULA, "--by", SCRIPT)
    create_token(site.context, name=SCRIPT, scope="read", by=FORMULA, user_id=1)
    return site


def values_of(site: Site) -> dict[str, list[str]]:
    """Everything that the variable part of an address may be."""
    house, kinds = site.house, defaultdict(list)
    for name, model in {
        "account_id": Account, "action_id": CorporateActionRow, "address_id": MessageAddress,
        "bar_id": QuarantinedBar, "order_id": Order, "payment_id": DividendPayment, "run_id": JobLog,
    }.items():  # fmt: skip
        kinds[name] = [str(row.id) for row in house.rows(model)]
        assert kinds[name] != [], name
    kinds["dividend_id"] = [str(row.id) for row in house.rows(CorporateActionRow) if row.kind == "SCRIP"]
    kinds["symbol"] = [*NAMES, "NO"]
    kinds["record_id"] = ["1", "2"]
    kinds["decision"] = ["accept", "reject", "apply", "cancel"]
    kinds["what"] = ["pause", "resume", "cancel", "retry"]
    kinds["choice"] = ["accept", "dismiss"]
    kinds["change"] = ["edit", "close", "rename", "delete"]
    kinds["name"] = ["daily_price_update", "price_sweep"]
    return kinds


def addresses(rule: Rule, values: dict[str, list[str]]) -> Iterator[str]:
    """A rule with its variable parts filled in, in every way."""
    names = re.findall(r"<(?:[^:>]*:)?([a-z_]+)>", rule.rule)
    for chosen in product(*(values.get(name) or [VALUES.get(name, "1")] for name in names)):
        filled = iter(chosen)
        yield re.sub(r"<[^>]*>", lambda _, filled=filled: next(filled), rule.rule)  # type: ignore[misc]


def looked_at(browser: Browser, path: str, **more: Any) -> str:
    """What an address says, once it is sure that nothing of it runs; empty where it is not there."""
    response = browser.client.get(path, **more)
    said = response.get_data(as_text=True)
    assert response.status_code < 500, path
    if response.mimetype == "text/html":
        assert HARM.findall(said) == [], path
        said = unescape(said)
    elif response.mimetype == "text/csv":
        assert cells_that_run(said) == [], path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    elif response.mimetype in ("application/json", "application/problem+json"):
        said = json.dumps(json.loads(said), ensure_ascii=False)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    else:
        assert SCRIPT not in said, (path, response.mimetype)
    return said if response.status_code == 200 else ""


def cells_that_run(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row if RUN.match(cell)]


def test_nothing_runs_on_any_page_in_any_file_or_message(hostile: Site) -> None:
    browser, values = hostile.as_("administrator"), values_of(hostile)
    token = create_token(hostile.context, name="walk", scope="read", by="ann")
    shown: dict[str, set[str]] = {SCRIPT: set(), FORMULA: set()}
    unseen = set()
    for rule in hostile.house.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in ELSEWHERE:
            continue
        more: dict[str, Any] = {}
        if rule.rule.startswith("/api/v1"):
            more["headers"] = {"Authorization": f"Bearer {token}"}
        if rule.endpoint == "api_v1.list_bars":
            more["query_string"] = {"format": "csv"}
        said = "\n".join(looked_at(browser, path, **more) for path in addresses(rule, values))
        if not said.strip():
            unseen.add(rule.endpoint)
        for name, places in shown.items():
            if name in said:
                places.add(rule.endpoint)

    # Every address was seen with something on it, and both names where they must stand.
    assert unseen == set()
    assert {name: sorted(WHERE_BOTH_STAND - places) for name, places in shown.items()} == {SCRIPT: [], FORMULA: []}
    assert WHERE_THE_SCRIPT_STANDS - shown[SCRIPT] == set()
    for what in ("prices", "orders", "positions", "runs", "actions"):
        file = hostile.house.command("export", what).output
        assert len(file.splitlines()) > 1, what
        assert cells_that_run(file) == [], what
    sent = hostile.house.rows(OutboxMessage)
    events = [json.loads(one.body)["event"] for one in sent if one.channel == "webhook"]
    assert sorted(set(events)) == ["closes.stored", "dividends.paid", "run.failed"]
    assert [one.title for one in sent if one.channel == "address" and HARM.search(one.title + one.body)] == []


def test_a_mail_is_text_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mails: list[str] = []

    class Server:
        def __init__(self, *where: Any, **how: Any) -> None: ...

        def __getattr__(self, name: str) -> Any:
            return lambda *what, **how: {}

        def sendmail(self, sender: str, to: str, text: str, *more: Any) -> dict[str, Any]:
            mails.append(text)
            return {}

    monkeypatch.setattr("smtplib.SMTP", Server)
    body = f"Failed: {SCRIPT} & others.\nRun 1."
    assert send_to_person("mailto://ann:x@example.org", title=SCRIPT, body=body, key="run-1") is None

    [mail] = [message_from_string(text) for text in mails]
    parts = [part for part in mail.walk() if not part.is_multipart()]
    [(kind, said)] = [(part.get_content_type(), part.get_payload(decode=True)) for part in parts]
    assert kind == "text/plain"
    assert str(said, "utf-8").splitlines() == ["Failed: <script>alert(1)</script> & others.", "Run 1.", "", "[run-1]"]  # type: ignore[arg-type]
