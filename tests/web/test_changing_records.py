"""Record keeping: what administrators change, asked once, written down, and refused with everything still there."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert, update

from closingbell.models import Account, AuditEntry, Company, DividendRecheck, LedgerEntry, Order, User
from closingbell.usecases import people
from tests.app_fixtures import everything
from tests.web.conftest import PASSWORD, Browser, Site
from tests.web.test_pages import plain_text
from tests.web.test_records import AT, FORMULA, SCRIPT

pytestmark = pytest.mark.one_database

ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD"
MEMBER = "/records/people/3"


@pytest.fixture
def kept(site: Site) -> Site:
    """Ann's account with twenty shares of Apple."""
    site.house.orders(ORDERS)
    return site


def page_of(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    """What a form that was sent is answered with."""
    response = browser.post(path, **fields)
    text = response.get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', text)
    browser.token = token[1] if token else browser.token
    return response.status_code, unescape(text)


def carried(text: str) -> dict[str, str]:
    """What a page's form holds hidden, without its token."""
    found = dict(re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', text))
    return {name: value for name, value in found.items() if name != "csrf_token"}


def change(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    """Fill in a form, look at the question, and say yes."""
    browser.text(path)
    status, question = page_of(browser, path, step="look", **fields)
    assert status == 200, plain_text(question)
    return page_of(browser, path, **{**carried(question), "step": "enter"})


def answer(browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    """Say yes to a form that is the question itself."""
    return page_of(browser, path, **{**carried(browser.text(path)), **fields, "step": "enter"})


def last_action(site: Site) -> tuple[Any, ...]:
    entry = site.house.rows(AuditEntry)[-1]
    return entry.who, entry.action, entry.target, entry.detail, entry.address


# --- Accounts.

ANN = {
    "name": "Ann", "owner": "", "currency": "USD", "residence": "", "dividend_preference": "AUTO", "drip_decimals": "4",
    "rounding": "HALF_UP", "fraction_policy": "KEEP", "opened_date": "",
}  # fmt: skip


def test_an_account_is_edited_after_a_question_that_says_what_changes(kept: Site) -> None:
    browser, path = kept.as_("administrator"), "/records/accounts/1/edit"
    before = everything(kept.context.database.engine)
    form = browser.text(path)
    assert ('value="Ann"' in form, '<option value="AUTO" selected>' in form) == (True, True)

    wanted = {**ANN, "owner": "Member@Example.org", "residence": "de", "is_reinvesting": "on"}
    status, question = page_of(browser, path, step="look", **wanted)

    text = plain_text(question)
    assert "Country of residence – DE changed" in text
    assert "Shares are bought for dividends no yes changed" in text
    assert "Currency USD USD Country" in text
    assert (status, everything(kept.context.database.engine)) == (200, before)

    assert page_of(browser, path, **{**carried(question), "step": "enter"})[0] == 302
    [account] = kept.house.rows(Account)
    member = next(one.id for one in kept.house.rows(User) if one.email == "member@example.org")
    assert (account.user_id, account.residence, account.is_reinvesting) == (member, "DE", True)
    assert last_action(kept) == (
        "administrator@example.org", "edit account", "Ann",
        "owner: – to Member@Example.org; residence: – to DE; is reinvesting: no to yes", "127.0.0.1",
    )  # fmt: skip
    # What is booked for the account is looked at again.
    assert [one.reason for one in kept.house.rows(DividendRecheck)][-1] == "settings"


def test_an_account_is_made_renamed_and_taken_from_its_owner(kept: Site) -> None:
    browser = kept.as_("administrator")
    assert change(browser, "/records/accounts/new", **{**ANN, "name": "Bob", "owner": "viewer@example.org"})[0] == 302
    _, bob = kept.house.rows(Account, order="id")
    assert (bob.name, bob.user_id is not None, bob.currency) == ("Bob", True, "USD")
    assert change(browser, f"/records/accounts/{bob.id}/edit", **{**ANN, "name": "Rob"})[0] == 302
    _, rob = kept.house.rows(Account, order="id")
    assert (rob.name, rob.user_id) == ("Rob", None)
    assert last_action(kept)[1:4] == ("edit account", "Bob", "name: Bob to Rob; owner: viewer@example.org to –")


def test_what_cannot_be_of_an_account_is_said_and_nothing_typed_is_lost(kept: Site) -> None:
    kept.house.command("accounts", "add", "Bob")
    browser, path = kept.as_("administrator"), "/records/accounts/1/edit"
    browser.text(path)
    before = everything(kept.context.database.engine)
    for wrong, words in (
        ({"currency": "EURO"}, "currency: 'EURO' is not three letters, as in USD"),
        ({"residence": "GERMANY"}, "country: 'GERMANY' is not two letters, as in US"),
        ({"owner": "nobody@example.org"}, "nobody has the address 'nobody@example.org'"),
        ({"name": "Bob"}, "an account is called 'Bob' already"),
        ({"name": "x" * 101}, "an account's name has 1 to 100 printable characters"),
        ({"name": ""}, "Name: must be filled in"),
        ({"drip_decimals": "many"}, "Decimals of reinvested shares: 'many' is not a whole number, as in 4"),
        ({"drip_decimals": "11"}, "drip_decimals: 0 to 10"),
        ({"rounding": "UP"}, "Rounding of dividends: 'UP' is not one of HALF_UP, HALF_EVEN, DOWN"),
        ({"opened_date": "once"}, "Opened: 'once' is not a date, as in 2012-11-30"),
        ({}, "nothing is otherwise than it is stored"),
    ):
        status, text = page_of(browser, path, step="look", **{**ANN, **wrong})
        if status == 200:
            status, text = page_of(browser, path, **{**carried(text), "step": "enter"})
        assert (status, words in text) == (422, True), (words, plain_text(text))
        for value in wrong.values():
            assert f'value="{value}"' in text or value == "UP"
    assert everything(kept.context.database.engine) == before


def test_what_somebody_else_changed_meanwhile_is_not_written_over(kept: Site) -> None:
    browser, path = kept.as_("administrator"), "/records/accounts/1/edit"
    browser.text(path)
    _, question = page_of(browser, path, step="look", **{**ANN, "currency": "CHF"})
    kept.house.command("accounts", "set", "Ann", "--residence", "DE")
    status, text = page_of(browser, path, **{**carried(question), "step": "enter"})
    assert (status, "changed by somebody else" in text, 'value="CHF"' in text) == (422, True, True)
    [account] = kept.house.rows(Account)
    assert (account.currency, account.residence) == ("USD", "DE")
    # A form that carries no word of what was seen is refused too.
    assert page_of(browser, path, step="enter", **{**ANN, "currency": "CHF"})[0] == 422


def test_one_may_go_back_from_the_question_to_the_form(kept: Site) -> None:
    browser, path = kept.as_("administrator"), "/records/accounts/1/edit"
    browser.text(path)
    _, question = page_of(browser, path, step="look", **{**ANN, "currency": "CHF", "is_reinvesting": "on"})
    status, form = page_of(browser, path, **{**carried(question), "step": "change"})
    assert (status, 'value="CHF"' in form, 'value="on" checked' in form) == (200, True, True)


# --- Companies.


def test_a_company_is_made_edited_closed_opened_and_renamed(kept: Site) -> None:
    browser = kept.as_("administrator")
    assert change(browser, "/records/companies/new", symbol="vod.l", name="Vodafone", country="")[0] == 302
    vodafone = next(one for one in kept.house.rows(Company) if one.symbol == "VOD.L")
    assert (vodafone.mic, vodafone.name, vodafone.country) == ("XLON", "Vodafone", None)
    path = f"/records/companies/{vodafone.id}"
    assert change(browser, f"{path}/edit", name="Vodafone", country="gb")[0] == 302
    assert last_action(kept)[1:4] == ("edit company", "VOD.L", "country: – to GB")
    assert [one.company_id for one in kept.house.rows(DividendRecheck)][-1] == vodafone.id

    assert answer(browser, f"{path}/close", on="2012-11-30", why="taken over")[0] == 302
    assert last_action(kept)[1:4] == ("close company", "VOD.L", "on: 2012-11-30; why: taken over")
    assert browser.get(f"{path}/close").status_code == 404
    assert answer(browser, f"{path}/reopen", why="not yet")[0] == 302
    assert answer(browser, f"{path}/rename", new="vodx.l", since="2012-11-30", why="new name")[0] == 302
    found = next(one for one in kept.house.rows(Company) if one.id == vodafone.id)
    assert (found.symbol, found.country, found.closed_on) == ("VODX.L", "GB", None)


def test_what_cannot_be_of_a_company_is_said(kept: Site) -> None:
    browser = kept.as_("administrator")
    path = "/records/companies/new"
    for fields, words in (
        ({"symbol": "AAPL"}, "a company of the symbol AAPL is known here already"),
        ({"symbol": "NO SUCH"}, "is not a symbol, as in AAPL or VOD.L"),
        ({"symbol": "X.QQ"}, "no exchange is known for the suffix .QQ"),
        ({"symbol": "IBM", "country": "USA"}, "country: 'USA' is not two letters, as in US"),
        ({"symbol": ""}, "Symbol: must be filled in"),
    ):
        browser.text(path)
        status, text = page_of(browser, path, step="enter", **fields)
        assert (status, words in text) == (422, True), words
    [apple] = kept.house.rows(Company)
    status, text = answer(browser, f"/records/companies/{apple.id}/close", on="2012-11-30", why=" ")
    assert (status, "Why: must be filled in" in text, 'value="2012-11-30"' in text) == (422, True, True)
    status, text = answer(browser, f"/records/companies/{apple.id}/rename", new="VOD.L", since="2012-11-30", why="x")
    assert (status, "another listing is another company" in text) == (422, True)


# --- Orders.


def test_an_order_is_entered_once_and_deleted(kept: Site) -> None:
    browser, path = kept.as_("administrator"), "/records/orders/new"
    form = browser.text(path)
    assert 'value="2012-11-30"' in form
    sale = {"account": "Ann", "type": "SELL", "trade_date": "2012-11-29", "symbol": "aapl", "quantity": "5",
            "price": "589.36", "currency": "usd", "key": carried(form)["key"]}  # fmt: skip
    _, question = page_of(browser, path, step="look", **sale)
    assert "Price of a share 589.36" in plain_text(question)
    status, _ = page_of(browser, path, **{**carried(question), "step": "enter"})
    assert status == 302
    status, text = page_of(browser, path, **{**carried(question), "step": "enter"})
    assert (status, "is in account Ann already" in text) == (422, True)
    order = kept.house.rows(Order, order="id")[-1]
    assert (order.type, order.entered_by, order.fee) == ("SELL", "web:administrator@example.org", 0)
    assert last_action(kept)[1:3] == ("enter order", "Ann")

    assert answer(browser, f"/records/orders/{order.id}/delete")[0] == 302
    assert kept.house.rows(Order, order="id")[-1].deleted_by == "web:administrator@example.org"
    assert sum(one.amount for one in kept.house.rows(LedgerEntry) if one.order_id == order.id) == 0
    assert last_action(kept)[1:3] == ("delete order", str(order.id))
    assert browser.get(f"/records/orders/{order.id}/delete").status_code == 404
    assert "Delete" not in plain_text(browser.text(f"/records/orders/{order.id}")).replace("Deleted", "")


def test_what_cannot_be_of_an_order_is_said(kept: Site) -> None:
    browser, path = kept.as_("administrator"), "/records/orders/new"
    good = {"account": "Ann", "type": "SELL", "trade_date": "2012-11-29", "symbol": "AAPL", "quantity": "5",
            "price": "589.36", "currency": "USD", "key": "k", "note": "half of it"}  # fmt: skip
    for wrong, words in (
        ({"account": "Nobody"}, "no account is called 'Nobody'"),
        ({"quantity": "ten"}, "Shares: 'ten' is not a number"),
        ({"quantity": "21"}, "would hold -1.00 AAPL"),
        ({"trade_date": "2013-01-01"}, "lies in the future"),
        ({"type": "GIFT"}, "Type: 'GIFT' is not one of"),
        ({"currency": ""}, "Currency: must be filled in"),
    ):
        browser.text(path)
        status, text = page_of(browser, path, step="enter", **{**good, **wrong})
        assert (status, words in text, 'value="half of it"' in text) == (422, True, True), words
    assert len(kept.house.rows(Order)) == 2
    # Shares that were sold cannot be taken away from under the sale.
    assert page_of(browser, path, step="enter", **good)[0] == 302
    status, text = answer(browser, "/records/orders/2/delete")
    assert (status, "would hold -5.00 AAPL" in text) == (422, True)


def test_an_order_that_a_spin_off_made_goes_with_it_alone(kept: Site) -> None:
    with kept.context.database.write() as connection:
        made = {"source": "spin-off", "source_key": "spin-off:7:1:1"}
        connection.execute(update(Order).where(Order.id == 2).values(**made))
    status, text = answer(kept.as_("administrator"), "/records/orders/2/delete")
    assert (status, "follows from a spin-off" in text) == (422, True)
    assert kept.house.rows(Order, order="id")[1].deleted_at is None
    refused = kept.house.command("orders", "delete", "2")
    assert (refused.exit_code != 0, "follows from a spin-off" in refused.output) == (True, True)


# --- People.


def test_a_person_is_let_in_by_a_link(site: Site) -> None:
    browser = site.as_("administrator")
    status, text = change(
        browser, "/records/people/new", email="New@Example.org", name="New", is_viewer="on", is_administrator=""
    )
    link = re.search(r"(/welcome/[A-Za-z0-9_-]+)<", text)
    assert (status, link is not None) == (200, True)
    assert link is not None
    guest = site.browser()
    guest.text(link[1])
    assert guest.post(link[1], password="twelve letters", again="twelve letters").status_code == 302
    assert guest.sign_in("new@example.org", "twelve letters").status_code == 302
    assert (guest.get("/runs").status_code, guest.get("/records/").status_code) == (200, 403)
    added = next(one for one in site.house.rows(AuditEntry) if one.action == "add person")
    assert (added.who, added.target, added.address) == ("administrator@example.org", "New@Example.org", "127.0.0.1")
    # The secret is kept nowhere but in the answer.
    secret = link[1].removeprefix("/welcome/")
    assert secret not in str(everything(site.context.database.engine))


def test_rights_are_given_and_taken(site: Site) -> None:
    browser, member = site.as_("administrator"), site.as_("member")
    assert member.get("/runs").status_code == 403
    assert change(browser, f"{MEMBER}/edit", name="Max", is_active="on", is_viewer="on")[0] == 302
    assert member.get("/runs").status_code == 200
    assert last_action(site) == (
        "administrator@example.org", "edit person", "member@example.org", "name: – to Max; is viewer: no to yes",
        "127.0.0.1",
    )  # fmt: skip
    # Who may not sign in any more is out at once, and is not back in when it is allowed again.
    assert change(browser, f"{MEMBER}/edit", name="Max", is_viewer="on")[0] == 302
    assert member.get("/runs").headers["Location"].startswith("/sign-in")
    assert change(browser, f"{MEMBER}/edit", name="Max", is_active="on", is_viewer="on")[0] == 302
    assert member.get("/runs").headers["Location"].startswith("/sign-in")
    assert member.sign_in("member@example.org").status_code == 302


def test_the_last_administrator_stays(site: Site) -> None:
    browser, path = site.as_("administrator"), "/records/people/1/edit"
    # One without a password could not sign in.
    people.invite_administrator(site.context, email="invited@example.org")
    for rights in ({"is_administrator": "on"}, {"is_active": "on"}, {"is_active": "on", "is_viewer": "on"}):
        browser.text(path)
        _, question = page_of(browser, path, step="look", name="Ann", **rights)
        status, text = page_of(browser, path, **{**carried(question), "step": "enter"})
        assert (status, "is the last administrator who can sign in" in text) == (422, True), rights
    assert change(browser, f"{MEMBER}/edit", name="", is_active="on", is_administrator="on")[0] == 302
    assert change(browser, path, name="Ann", is_active="on")[0] == 302
    # Signed out, and no administrator any more.
    assert browser.get("/records/").headers["Location"].startswith("/sign-in")
    assert site.as_("administrator").get("/records/").status_code == 403


def test_a_forgotten_password_is_chosen_anew_by_a_link(site: Site) -> None:
    browser, member = site.as_("administrator"), site.as_("member")
    status, text = answer(browser, f"{MEMBER}/link")
    link = re.search(r"(/welcome/[A-Za-z0-9_-]+)<", text)
    assert link is not None
    guest = site.browser()
    guest.text(link[1])
    assert guest.post(link[1], password="another password", again="another password").status_code == 302
    assert (status, last_action(site)[1]) == (200, "choose password")
    assert member.get("/settings").headers["Location"].startswith("/sign-in")
    assert site.browser().sign_in("member@example.org", PASSWORD).status_code == 200
    assert site.browser().sign_in("member@example.org", "another password").status_code == 302


def test_a_lost_second_factor_is_taken_away(site: Site) -> None:
    browser = site.as_("administrator")
    assert browser.get(f"{MEMBER}/reset-second-factor").status_code == 404
    with site.context.database.write() as connection:
        lost = {"tf_primary_method": "authenticator", "tf_totp_secret": "x"}
        connection.execute(update(User).where(User.id == 3).values(**lost))
    assert answer(browser, f"{MEMBER}/reset-second-factor")[0] == 302
    assert [one.tf_totp_secret for one in site.house.rows(User)] == [None, None, None]
    assert last_action(site) == (
        "administrator@example.org", "reset second factor", "member@example.org", None, "127.0.0.1"
    )  # fmt: skip


def test_what_cannot_be_of_a_person_is_said(site: Site) -> None:
    browser, path = site.as_("administrator"), "/records/people/new"
    for fields, words in (
        ({"email": "no address"}, "that is not an e-mail address"),
        ({"email": "viewer@example.org"}, "there is somebody with the e-mail viewer@example.org already"),
        ({"email": "a@example.org", "name": "x" * 201}, "the name must be 1 to 200 printable characters"),
    ):
        browser.text(path)
        status, text = page_of(browser, path, step="enter", **fields)
        assert (status, words in text, f'value="{fields["email"]}"' in text) == (422, True, True), words


# --- Who may, and what harms nobody.

CHANGES = (
    "companies/new", "companies/1/edit", "companies/1/close", "companies/1/rename", "people/new", "people/1/edit",
    "people/1/link", "accounts/new", "accounts/1/edit", "orders/new", "orders/1/delete",
)  # fmt: skip


@pytest.mark.parametrize("role", ["member", "viewer", ""])
def test_nobody_but_an_administrator_changes_a_record(kept: Site, role: str) -> None:
    browser = kept.as_(role) if role else kept.browser()
    if not role:
        browser.get("/sign-in")
    before = everything(kept.context.database.engine)
    for path in CHANGES:
        answers = (
            browser.get(f"/records/{path}").status_code,
            browser.post(f"/records/{path}", step="enter").status_code,
        )
        assert answers == ((403, 403) if role else (302, 401)), path
    assert everything(kept.context.database.engine) == before


def test_a_form_without_its_token_changes_nothing(kept: Site) -> None:
    browser = kept.as_("administrator")
    before = everything(kept.context.database.engine)
    for path in CHANGES:
        browser.text(f"/records/{path}")
        for token in ({}, {"csrf_token": "x"}):
            response = browser.client.post(f"/records/{path}", data={**token, "step": "enter", "why": "x"})
            assert response.status_code == 400, path
    assert everything(kept.context.database.engine) == before


@pytest.mark.parametrize("name", [FORMULA, SCRIPT])
def test_hostile_names_do_nothing_in_a_form(site: Site, name: str) -> None:
    with site.context.database.write() as connection:
        connection.execute(insert(Company).values(id=1, symbol="EVIL", name=name, mic="XNYS", created_at=AT))
        connection.execute(insert(Account).values(id=1, name=name, currency="USD", created_at=AT))
        order = {"type": "DEPOSIT", "trade_date": date(2012, 11, 30), "executed_at": AT, "fee": 0, "currency": "USD"}
        connection.execute(
            insert(Order).values(id=1, account_id=1, created_at=AT, source=name, source_key="k", **order)
        )
        connection.execute(update(User).where(User.id == 1).values(name=name))
    browser = site.as_("administrator")
    pages = [browser.text(f"/records/{path}") for path in CHANGES]
    # What is typed comes back as text too: in the question, and in the form that is refused.
    for path, fields in (
        ("/records/companies/1/edit", {"name": f"{name}!", "country": ""}),
        ("/records/accounts/new", {**ANN, "name": name}),
        ("/records/companies/new", {"symbol": name, "name": name}),
        ("/records/companies/1/close", {"on": name, "why": name}),
        ("/records/accounts/new", {**ANN, "name": f"{name}2", "owner": name}),
    ):
        pages.append(browser.post(path, step="look", **fields).get_data(as_text=True))
    for page in pages:
        assert "<script>alert" not in page
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", page) == []
    assert sum(name in unescape(page) for page in pages) >= 8


def test_a_view_that_fails_is_not_called_again(kept: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fails(*_args: object, **_more: object) -> None:
        calls.append(1)
        raise TypeError("a bug")

    monkeypatch.setattr("closingbell.usecases.closing.close_company", fails)
    browser = kept.as_("administrator")
    status, text = answer(browser, "/records/companies/1/close", on="2012-11-30", why="x")
    assert (status, "Something went wrong here" in text, len(calls)) == (500, True, 1)
