"""Whatever a page does is in the audit log: who, what, on which thing, from where; once, and never without the other.

Each line of the walk is done twice: first while no entry can be stored, and then nothing else may be either; then in
earnest, which leaves one entry.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from time import time
from typing import Any

import pytest
import structlog
from passlib.totp import TOTP
from sqlalchemy import insert, update

from closingbell.models import (
    AuditEntry,
    CorporateActionRow,
    CorporateActionSourceRow,
    Notification,
    QuarantinedBar,
    User,
)
from closingbell.usecases import people
from closingbell.web import companies, dividends, jobs
from closingbell.web.records.changing import ChangingView
from closingbell.web.records.kinds import VIEWS
from tests.api.test_scheduler_api import end_run, start_run
from tests.app_fixtures import everything
from tests.web.conftest import PASSWORD, Browser, Site
from tests.web.test_action_entry import fields_of
from tests.web.test_changing_records import ANN, carried
from tests.web.test_guard import BY_TOKEN

pytestmark = pytest.mark.one_database

WHO, VIEWER, NEW = "administrator@example.org", "viewer@example.org", "new@example.org"
# The words that a rule's variable part may be; each is an action of its own.
WORDS = {
    "pages.do_action": tuple(dividends.DECISIONS),
    "pages.do_bar": tuple(companies.DECISIONS),
    "pages.do_job": tuple(jobs.QUESTIONS),
    "pages.do_run": ("cancel", "retry"),
    "pages.do_suggestion": ("accept", "dismiss"),
    **{
        f"records_{view.title.lower()}.change": tuple(way.what for way in view.changes)
        for view in VIEWS
        if issubclass(view, ChangingView)
    },
    # Choosing an app only shows its key.
    "security.two_factor_setup": ("disable",),
}
# Routes of Flask-Security that change nothing.
NOTHING = {
    "security.tf_select": "chooses among several kinds of second factor; there is one",
    "security.two_factor_rescue": "is not there: the way out of a lost factor is a command",
    "security.verify": "the password given again; one that is wrong is written down, see test_sign_in",
}
# How often somebody tries is counted before the try, whatever comes of it.
COUNTED = ("sign_in_try",)
AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
HELD = {"is_held": True, "held_code": "EX_DATE_DOUBTFUL", "held_reason": "the ex-date is doubtful"}
ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD 2012-09-04,BUY,IBM,10,195,0,USD"
ORDERS_OF_ZED = "2012-09-04,BUY,AAPL,10,675.00,4.95,USD"
FILE = b"date,type,symbol,quantity,price,fee,currency\n2012-09-05,DEPOSIT,,,5000,0,USD\n"
ORDER = {"type": "DEPOSIT", "trade_date": "2012-11-29", "amount": "100", "currency": "USD", "key": "one"}
SPECIAL = {
    "symbol": "AAPL", "kind": "CASH_SPECIAL", "ex_date": "2012-11-12", "amount": "1.50", "currency": "USD", "why": "x",
}  # fmt: skip


@dataclass
class World:
    """What the walk acts on, and the browser of the administrator who acts."""

    site: Site
    browser: Browser
    secret: str
    viewer: Browser
    key: str = ""
    code_is_ahead_s: int = 30

    def form(self, path: str, **fields: Any) -> int:
        """Send a form, after its page was looked at."""
        self.browser.get(path)
        return self.browser.post(path, **fields).status_code

    def record(self, path: str, **fields: Any) -> int:
        """Fill in the form of a record, look at the question, and say yes."""
        hidden = carried(self.browser.get(path).get_data(as_text=True))
        looked = self.browser.post(path, **{**hidden, **fields, "step": "look"})
        told = carried(looked.get_data(as_text=True))
        return self.browser.post(path, **{**fields, **told, "step": "enter"}).status_code


def _world(site: Site) -> World:
    house = site.house
    house.orders(ORDERS)
    # Another account, of nobody but the books, that was paid.
    house.orders(ORDERS_OF_ZED, account="Zed")
    assert house.command("accounts", "give", "Ann", WHO).exit_code == 0
    assert house.command("accounts", "give", "Zed", WHO).exit_code == 0
    house.command("accounts", "set", "Zed", "--residence", "DE")
    house.command("accounts", "set", "Ann", "--dividends", "SUGGEST")
    # 1 and 2 are suggested; 3 and 4 held; 6 cancelled; 7 is told otherwise; 8 to be edited; 9 may be had in shares.
    _add("AAPL", "CASH", "2012-11-07", "2.65", site)
    _add("IBM", "CASH", "2012-11-07", "0.85", site)
    for day in range(1, 7):
        _add("AAPL", "CASH_SPECIAL", f"2012-10-0{day}", "1.50", site)
    shares = ("--scrip-price", "190", "--election-deadline", "2012-12-10")
    _add("IBM", "SCRIP", "2012-11-28", "0.50", site, *shares)
    assert house.command("actions", "cancel", "6", "--why", "x").exit_code == 0
    end_run(site, start_run(site), "AAPL")  # type: ignore[arg-type]
    people.create_token(site.context, name="old", scope="read", by="root")
    secret = people.invite_administrator(site.context, email="new@example.org")
    facts = {"company_id": house.company("AAPL").id, "provider": "yahoo", "first_seen_at": AT, "last_seen_at": AT}
    told = {"kind": "DIVIDEND", "ex_date": date(2012, 10, 5), "currency": "USD", "seq": 0, "printed": "1.60"}
    told |= {"amount": Decimal("1.60"), "seen_count": 1, "streak_since": AT, "verdict": "CORRECTION_CANDIDATE"}
    bar = dict.fromkeys(("open", "high", "low", "close"), Decimal("58528"))
    with site.context.database.write() as connection:
        connection.execute(update(CorporateActionRow).where(CorporateActionRow.id.in_([3, 4])).values(**HELD))
        connection.execute(insert(CorporateActionSourceRow).values(**facts, **told, corporate_action_id=7))
        for number, day in ((1, date(2012, 11, 28)), (2, date(2012, 11, 29))):
            of_day = {"id": number, "date": day, "rule": "jump", "volume": 1, "previous_close": None}
            connection.execute(insert(QuarantinedBar).values(**facts, **bar, **of_day, is_intraday=False))
        message = {"type": "failure", "level": "error", "title": "x", "body": "x", "dedupe_key": "x", "created_at": AT}
        factor = {"tf_primary_method": "authenticator", "tf_totp_secret": "x"}
        connection.execute(update(User).where(User.id == 3).values(**factor))
        connection.execute(insert(Notification).values(id=1, user_id=1, **message))
    # What was paid without tax is taxed by a rule that came later, as soon as somebody asks for it.
    assert house.command("run-dividend-processor").exit_code == 0
    house.command("books", "withhold", "US", "0.15", "--since", "2000-01-01", "--residence", "DE")
    start_run(site)  # type: ignore[arg-type]
    return World(site, site.as_("administrator"), secret, site.browser())


def _add(symbol: str, kind: str, day: str, amount: str, site: Site, *more: str) -> None:
    facts = ("--ex-date", day, "--amount", amount, "--currency", "USD", "--why", "x", *more)
    done = site.house.command("actions", "add", symbol, kind, *facts)
    assert done.exit_code == 0, done.output


@dataclass(frozen=True)
class Step:
    """What is done, with the answer; what the audit log says of it: action, target and detail; and who did it."""

    do: Callable[[World], int]
    said: tuple[str, str, str | None]
    who: str = WHO


def _sent(path: str, **fields: str) -> Callable[[World], int]:
    return lambda world: world.form(path, **fields)


def _decided(path: str) -> Callable[[World], int]:
    return _sent(path, why="the issuer's notice")


def _recorded(path: str, **fields: str) -> Callable[[World], int]:
    return lambda world: world.record(path, **fields)


def _edit_action(world: World) -> int:
    shown = fields_of(world.browser.text("/dividends/8/edit"))
    return world.form("/dividends/8/edit", **{**shown, "amount": "1.60", "why": "x", "step": "enter"})


def _import(world: World) -> int:
    world.browser.get("/portfolio/1/import")
    fields = {"csrf_token": world.browser.token, "file": (io.BytesIO(FILE), "mine.csv"), "confirm": "yes"}
    return world.browser.client.post("/portfolio/1/import", data=fields).status_code


def _welcome(world: World) -> int:
    stranger, path = world.site.browser(), f"/welcome/{world.secret}"
    stranger.get(path)
    return stranger.post(path, password="twelve letters", again="twelve letters").status_code


def _sign_in(world: World) -> int:
    world.viewer = world.site.browser()
    return world.viewer.sign_in(VIEWER).status_code


def _set_up_factor(world: World) -> int:
    world.viewer.get("/tf-setup")
    page = world.viewer.post("/tf-setup", setup="authenticator").get_data(as_text=True)
    world.viewer.token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
    key, action = re.search(r"<code>([A-Z2-7-]+)</code>", page), re.search(r'action="(/tf-setup/[^"]+)"', page)
    assert key is not None
    assert action is not None
    world.key = key[1]
    return world.viewer.post(action[1], code=_code(world, -30)).status_code


def _code(world: World, ahead_s: int) -> str:
    """The app's code of half a minute before, of now, or of half a minute after: each is good once."""
    return str(TOTP(world.key).generate(time() + ahead_s).token)


def _give_code(world: World) -> int:
    # Signed out, in the browser that is known.
    world.viewer.client.delete_cookie("closingbell")
    world.viewer.sign_in(VIEWER)
    world.viewer.get("/tf-validate")
    return world.viewer.post("/tf-validate", code=_code(world, world.code_is_ahead_s)).status_code


def _remove_factor(world: World) -> int:
    world.viewer.get("/tf-setup")
    return world.viewer.post("/tf-setup", setup="disable").status_code


def _change_password(world: World) -> int:
    world.viewer.get("/password")
    new = {"new_password": "another good one!", "new_password_confirm": "another good one!"}
    return _with_session(world, "/password", password=PASSWORD, **new)


def _sign_out(world: World) -> int:
    world.viewer.get("/settings")
    return _with_session(world, "/sign-out")


def _with_session(world: World, path: str, **fields: str) -> int:
    """What failed leaves the session good that was, though not in the browser, which was told of another one."""
    cookie = world.viewer.client.get_cookie("closingbell")
    assert cookie is not None
    status = world.viewer.post(path, **fields).status_code
    if status == 500:
        world.viewer.client.set_cookie("closingbell", cookie.value)
    return status


WALK: dict[tuple[str, str], Step] = {
    ("pages.add_order", ""): Step(
        _sent("/portfolio/1/orders/new", **ORDER), ("enter order", "5 Ann", "DEPOSIT 2012-11-29")
    ),
    ("pages.delete_order", ""): Step(
        _sent("/portfolio/1/orders/5/delete"), ("delete order", "5 Ann", "DEPOSIT 2012-11-29")
    ),
    ("pages.do_import", ""): Step(_import, ("import file", "Ann", "csv mine.csv: 1 added, 0 were there")),
    ("pages.do_job", "run"): Step(
        _sent("/jobs/daily_price_update/run", symbols="AAPL"),
        ("run job", "daily_price_update", "request 1, AAPL"),
    ),
    ("pages.do_job", "pause"): Step(
        _sent("/jobs/daily_price_update/pause", why="moving house"),
        ("pause job", "daily_price_update", "moving house"),
    ),
    ("pages.do_job", "resume"): Step(
        _sent("/jobs/daily_price_update/resume"),
        ("resume job", "daily_price_update", None),
    ),
    ("pages.do_run", "retry"): Step(
        _sent("/runs/1/retry"),
        ("retry run", "run 1 of daily_price_update", "request 2"),
    ),
    ("pages.do_run", "cancel"): Step(
        _sent("/runs/3/cancel"),
        ("cancel run", "run 3 of daily_price_update", None),
    ),
    ("pages.do_suggestion", "accept"): Step(
        _sent("/portfolio/1/suggestions/1/accept"),
        ("accept suggestion", "Ann, corporate action 1", "AAPL 2012-11-07"),
    ),
    ("pages.do_suggestion", "dismiss"): Step(
        _sent("/portfolio/1/suggestions/2/dismiss"),
        ("dismiss suggestion", "Ann, corporate action 2", "IBM 2012-11-07"),
    ),
    ("pages.do_election", ""): Step(
        _sent("/portfolio/1/elections/9/shares"),
        ("elect", "Ann, corporate action 9", "IBM 2012-11-28: shares"),
    ),
    ("pages.do_holding", ""): Step(
        _sent("/portfolio/1/holdings/IBM", reinvest="on"), ("reinvest", "Ann", "IBM: reinvested")
    ),
    ("pages.do_rerate", ""): Step(
        _decided("/portfolio/2/payments/8/rerate"),
        ("rate again", "payment 8, Zed", "AAPL 2012-11-07: the issuer's notice"),
    ),
    ("pages.do_rerate_any", ""): Step(
        _decided("/dividends/7/payments/4/rerate"),
        ("rate again", "payment 4, Zed", "AAPL 2012-10-05: the issuer's notice"),
    ),
    ("pages.do_action", "apply"): Step(
        _decided("/dividends/3/apply"), ("apply corporate action", "3 AAPL", "the issuer's notice")
    ),
    ("pages.do_action", "ignore"): Step(
        _decided("/dividends/4/ignore"), ("ignore corporate action", "4 AAPL", "the issuer's notice")
    ),
    ("pages.do_action", "cancel"): Step(
        _decided("/dividends/5/cancel"), ("cancel corporate action", "5 AAPL", "the issuer's notice")
    ),
    ("pages.do_action", "reinstate"): Step(
        _decided("/dividends/6/reinstate"), ("reinstate corporate action", "6 AAPL", "the issuer's notice")
    ),
    ("pages.do_action", "take-over"): Step(
        _decided("/dividends/7/take-over"), ("take-over corporate action", "7 AAPL", "the issuer's notice")
    ),
    ("pages.change_action", ""): Step(
        _edit_action, ("edit corporate action", "8 AAPL", "special dividend 1.60 USD, ex 2012-10-06: x")
    ),
    ("pages.new_action", ""): Step(
        _sent("/dividends/new", **SPECIAL, step="enter"),
        ("enter corporate action", "10 AAPL", "special dividend 1.50 USD, ex 2012-11-12: x"),
    ),
    ("pages.do_bar", "accept"): Step(
        _decided("/quarantine/1/accept"), ("accept quarantined bar", "1 AAPL 2012-11-28", "the issuer's notice")
    ),
    ("pages.do_bar", "reject"): Step(
        _decided("/quarantine/2/reject"), ("reject quarantined bar", "2 AAPL 2012-11-29", "the issuer's notice")
    ),
    ("pages.read_notifications", ""): Step(_sent("/notifications", id="1"), ("read notifications", "1 unread", None)),
    ("pages.make_token", ""): Step(
        _sent("/settings/tokens", name="script", scope="read"), ("create token", "script", "read")
    ),
    ("pages.revoke_token", ""): Step(_sent("/settings/tokens/1/revoke"), ("revoke token", "old", "of the operator")),
    ("pages.new_address", ""): Step(
        _sent("/settings/addresses/new", url="ntfy://topic", level="error"),
        ("add address", "1", "ntfy://… from error on"),
    ),
    ("pages.change_address", ""): Step(
        _sent("/settings/addresses/1/level", level="info"),
        ("change address", "1", "ntfy://… from info on"),
    ),
    ("pages.test_addresses", ""): Step(_sent("/settings/addresses/test"), ("test addresses", WHO, "1 addresses")),
    ("pages.delete_address", ""): Step(_sent("/settings/addresses/1/delete"), ("remove address", "1", "ntfy://…")),
    ("records_companies.new", ""): Step(
        _recorded("/records/companies/new", symbol="MSFT", name="Microsoft"),
        ("add company", "MSFT", "symbol: MSFT; name: Microsoft"),
    ),
    ("records_companies.change", "edit"): Step(
        _recorded("/records/companies/1/edit", name="Apple"), ("edit company", "AAPL", "name: – to Apple")
    ),
    ("records_companies.change", "rename"): Step(
        _recorded("/records/companies/2/rename", new="IBMX", since="2012-11-29", why="x"),
        ("rename company", "IBM", "new: IBMX; since: 2012-11-29; why: x"),
    ),
    ("records_companies.change", "close"): Step(
        _recorded("/records/companies/2/close", on="2012-11-30", why="x"),
        ("close company", "IBMX", "on: 2012-11-30; why: x"),
    ),
    ("records_companies.change", "reopen"): Step(
        _recorded("/records/companies/2/reopen", why="x"), ("reopen company", "IBMX", "why: x")
    ),
    ("records_accounts.new", ""): Step(
        _recorded("/records/accounts/new", **{**ANN, "name": "Bob"}),
        (
            "add account",
            "Bob",
            "name: Bob; currency: USD; dividend preference: AUTO; is reinvesting: no; drip decimals: 4; "
            "takes scrip: no; rounding: HALF_UP; fraction policy: KEEP",
        ),
    ),
    ("records_accounts.change", "edit"): Step(
        _recorded("/records/accounts/3/edit", **{**ANN, "name": "Rob"}), ("edit account", "Bob", "name: Bob to Rob")
    ),
    ("records_orders.new", ""): Step(
        _recorded("/records/orders/new", account="Rob", **{**ORDER, "key": "two"}),
        (
            "enter order",
            "Rob",
            "account: Rob; type: DEPOSIT; trade date: 2012-11-29; amount: 100; currency: USD; allow short: no",
        ),
    ),
    ("records_orders.change", "delete"): Step(
        _recorded("/records/orders/7/delete"), ("delete order", "7", "allow short: no")
    ),
    ("records_people.new", ""): Step(
        _recorded("/records/people/new", email="max@example.org", name="Max", is_viewer="on"),
        ("add person", "max@example.org", "email: max@example.org; name: Max; is administrator: no; is viewer: yes"),
    ),
    ("records_people.change", "edit"): Step(
        _recorded("/records/people/3/edit", name="Max", is_active="on"),
        ("edit person", "member@example.org", "name: – to Max"),
    ),
    ("records_people.change", "link"): Step(
        _recorded("/records/people/3/link"), ("link person", "member@example.org", None)
    ),
    ("records_people.change", "reset-second-factor"): Step(
        _recorded("/records/people/3/reset-second-factor"), ("reset second factor", "member@example.org", None)
    ),
    ("pages.welcome", ""): Step(_welcome, ("choose password", NEW, None), NEW),
    ("security.login", ""): Step(_sign_in, ("sign in", VIEWER, None), VIEWER),
    ("security.two_factor_setup_validate", ""): Step(_set_up_factor, ("set up second factor", VIEWER, None), VIEWER),
    ("security.two_factor_token_validation", ""): Step(_give_code, ("sign in", VIEWER, None), VIEWER),
    ("security.two_factor_setup", "disable"): Step(_remove_factor, ("remove second factor", VIEWER, None), VIEWER),
    ("security.change_password", ""): Step(_change_password, ("change password", VIEWER, None), VIEWER),
    ("security.logout", ""): Step(_sign_out, ("sign out", VIEWER, None), VIEWER),
}


@pytest.fixture
def quiet_logs() -> Iterator[Callable[[], None]]:
    """Asked for: an error is written to no log, at length and many times."""
    wrapper = structlog.make_filtering_bound_logger(logging.CRITICAL)
    yield lambda: structlog.configure(wrapper_class=wrapper)
    structlog.reset_defaults()


def _there(site: Site) -> set[tuple[str, str]]:
    """Every route that takes a form, with each word that its address may end in."""
    return {
        (rule.endpoint, word)
        for rule in site.house.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not rule.endpoint.startswith(BY_TOKEN)
        for word in WORDS.get(rule.endpoint, ("",))
    }


def test_every_form_of_every_page_leaves_its_entry_and_does_nothing_without(
    site: Site, quiet_logs: Callable[[], None]
) -> None:
    assert _there(site) - {(endpoint, "") for endpoint in NOTHING} == set(WALK)
    world = _world(site)
    quiet_logs()
    engine = site.context.database.engine

    wrong = {}
    for route, step in WALK.items():
        before = everything(engine, without=COUNTED)
        with site.house.without_entries():
            world.code_is_ahead_s = 0
            refused = step.do(world)
            world.code_is_ahead_s = 30
        after = everything(engine, without=COUNTED)
        changed = [name for name, rows in after.items() if rows != before[name]]
        answer = step.do(world)
        entries = site.house.rows(AuditEntry)[len(before["audit_entry"]) :]
        found = [(one.who, one.action, one.target, one.detail, one.address) for one in entries]
        if not (refused >= 400 > answer and changed == [] and found == [(step.who, *step.said, "127.0.0.1")]):
            wrong[route] = (refused, changed, answer, found)
    assert wrong == {}, wrong


def test_a_wrong_code_is_written_down_with_whose_it_was(site: Site) -> None:
    world = World(site, site.browser(), "", site.browser())
    world.viewer.sign_in(VIEWER)
    assert _set_up_factor(world) == 302

    stranger = site.browser()
    stranger.sign_in(VIEWER)
    stranger.get("/tf-validate")
    assert stranger.post("/tf-validate", code="00000").status_code == 200

    told = [(one.who, one.action, one.target, one.address) for one in site.house.rows(AuditEntry)]
    assert told == [
        (VIEWER, "sign in", VIEWER, "127.0.0.1"),
        (VIEWER, "set up second factor", VIEWER, "127.0.0.1"),
        # The password was right, and lets nobody in without the code.
        ("nobody", "fail to give code", VIEWER, "127.0.0.1"),
    ]
