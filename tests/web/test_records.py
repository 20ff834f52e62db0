"""Record keeping: what administrators see of every kind of record, and that nothing in a name harms anybody."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from html import unescape

import pytest
from sqlalchemy import insert, update

from closingbell.models import Account, AuditEntry, Company, JobLog, LedgerEntry, Order, User
from closingbell.queries import records
from tests.web.conftest import Browser, Site
from tests.web.test_pages import plain_text

pytestmark = pytest.mark.one_database

PLACES = ("companies", "people", "accounts", "orders", "ledger", "payments", "runs", "audit")
READ_ONLY = ("ledger", "payments", "runs", "audit")
FORMULA, SCRIPT = "=cmd|' /C calc'!A0", "<script>alert(1)</script>"
AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)


@pytest.fixture
def kept(site: Site) -> Site:
    """Ann's twenty shares of Apple; the account is the member's."""
    site.house.orders("2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    site.house.command("accounts", "give", "Ann", "member@example.org")
    return site


@pytest.fixture
def paid(kept: Site) -> Site:
    """The same with a run, and Apple's dividend of November."""
    kept.house.run()
    assert kept.house.command("run-dividend-processor").exit_code == 0
    return kept


@pytest.fixture
def hostile(site: Site) -> Site:
    """Names that would do harm where they are shown as they are, in every column that has room for one."""
    with site.context.database.write() as connection:
        for number, name in enumerate((FORMULA, SCRIPT), 1):
            company = {"symbol": f"EVIL{number}", "name": name, "mic": "XNYS", "exchange_name": name}
            connection.execute(insert(Company).values(id=number, **company, closed_reason=name, created_at=AT))
            connection.execute(insert(Account).values(id=number, name=name, currency="USD", created_at=AT))
            order = {"type": "DEPOSIT", "trade_date": date(2012, 11, 30), "executed_at": AT, "fee": 0}
            order |= {"currency": "USD", "source": name, "source_key": name, "note": name, "entered_by": name}
            connection.execute(insert(Order).values(id=number, account_id=number, created_at=AT, **order))
            did = {"who": name, "action": name, "target": name, "detail": name, "address": name}
            connection.execute(insert(AuditEntry).values(id=number, at=AT, **did))
            run = {"job_name": name, "status": "FAILED", "trigger": "manual", "owner": name, "message": name}
            connection.execute(
                insert(JobLog).values(id=number, started_at=AT, heartbeat_at=AT, error_message=name, **run)
            )
            entry = {"value_date": AT.date(), "group_key": name, "line": number, "account_id": number, "name": name}
            entry |= {"currency": "USD", "amount": 1, "kind": "ORDER", "posted_at": AT, "company_id": number}
            connection.execute(insert(LedgerEntry).values(id=number, **entry))
            connection.execute(update(User).where(User.id == number).values(name=name))
    return site


def rows_of(browser: Browser, place: str, query: str = "") -> list[dict[str, str]]:
    """What the file of a kind says."""
    response = browser.get(f"/records/{place}/export/csv{query}")
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    assert response.headers["Content-Disposition"] == f"attachment; filename={place}.csv"
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))


def paths(place: str) -> list[str]:
    return [f"/records/{place}/", f"/records/{place}/1", f"/records/{place}/export/csv"]


def test_every_kind_is_listed_shown_and_downloaded(paid: Site) -> None:
    browser = paid.as_("administrator")
    home = browser.text("/records/")
    for place in PLACES:
        assert f'href="/records/{place}/"' in home
        page = browser.text(f"/records/{place}/")
        first = re.search(rf'href="(/records/{place}/[0-9]+)"', page)
        assert first is not None, place
        browser.text(first[1])
        assert len(rows_of(browser, place)) > 0
    assert '<a href="/records/">Records</a>' in browser.text("/settings")
    [dividend] = [row for row in rows_of(browser, "payments", "?symbol=AAPL") if row["leg"] == "PAYMENT"]
    assert (dividend["account"], dividend["quantity"], dividend["per_share"]) == ("Ann", "20.00", "2.65")
    assert rows_of(browser, "payments", "?symbol=IBM") == []
    [run] = rows_of(browser, "runs", "?status=success&job_name=daily_price_update")
    assert (run["status"], run["expected_count"]) == ("SUCCESS", "61")


def test_a_list_says_what_is_stored(kept: Site) -> None:
    browser = kept.as_("administrator")
    text = plain_text(browser.text("/records/orders/"))
    assert "2 Tue 2012-09-04 Ann BUY AAPL 20.00 675.00 – 4.95 USD –" in text
    assert "1 Tue 2012-09-04 Ann DEPOSIT – – – 100,000.00 0.00 USD –" in text
    text = plain_text(browser.text("/records/people/"))
    assert "viewer@example.org – yes no yes no" in text
    text = plain_text(browser.text("/records/accounts/"))
    assert "Ann member@example.org USD – AUTO no" in text
    # What a person is known by, and never what lets in.
    assert "argon2" not in browser.text("/records/people/1")
    assert all("argon2" not in str(row) for row in rows_of(browser, "people"))


def test_a_file_holds_every_field(kept: Site) -> None:
    [buy, deposit] = rows_of(kept.as_("administrator"), "orders")
    assert list(buy) == [
        "id", "account", "trade_date", "type", "symbol", "quantity", "price", "amount", "fee", "tax", "currency",
        "counter_amount", "counter_currency", "executed_at", "source", "source_key", "note", "entered_by",
        "created_at", "deleted_at", "deleted_by", "posted_at",
    ]  # fmt: skip
    assert (buy["quantity"], buy["price"], buy["fee"], buy["trade_date"]) == ("20.00", "675.00", "4.95", "2012-09-04")
    assert (deposit["symbol"], deposit["amount"], deposit["deleted_at"]) == ("", "100000.00", "")


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_records_are_the_administrators_alone(site: Site, role: str) -> None:
    browser = site.as_(role)
    for path in ["/records/", *(path for place in PLACES for path in paths(place))]:
        assert browser.get(path).status_code == 403, path
    assert "/records/" not in browser.text("/settings")


def test_a_stranger_is_sent_to_the_sign_in(site: Site) -> None:
    browser = site.browser()
    for path in ["/records/", *(path for place in PLACES for path in paths(place))]:
        response = browser.get(path)
        assert (response.status_code, response.headers["Location"].partition("?")[0]) == (302, "/sign-in"), path


def test_what_is_read_only_has_no_address_that_changes_it(site: Site) -> None:
    browser, rules = site.as_("administrator"), list(site.house.app.url_map.iter_rules())
    for place in READ_ONLY:
        own = [rule for rule in rules if rule.rule.startswith(f"/records/{place}/")]
        assert len(own) == 3
        assert {method for rule in own for method in rule.methods or ()} == {"GET", "HEAD", "OPTIONS"}
        for path in ("", "1", "export/csv"):
            assert browser.post(f"/records/{place}/{path}").status_code == 405
        for path in ("new", "new/", "1/edit", "edit/?id=1", "delete/?id=1", "action/", "ajax/update/", "1/delete"):
            assert browser.post(f"/records/{place}/{path}").status_code in (404, 405), path


def test_hostile_names_do_nothing_on_a_page(hostile: Site) -> None:
    browser = hostile.as_("administrator")
    shown = 0
    for place in PLACES:
        numbers = ("", "1", "2") if place != "payments" else ("",)
        for path in (f"/records/{place}/{number}" for number in numbers):
            page = browser.text(path)
            assert "<script>alert" not in page, path
            assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", page) == [], path
            shown += SCRIPT in unescape(page)
    assert shown >= 8
    # What was typed comes back as text.
    page = browser.text("/records/companies/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&nonsense=%3Cscript%3Ealert(2)")
    assert ("<script>alert" in page, "nonsense" in page) == (False, False)


def test_hostile_names_do_nothing_in_a_file(hostile: Site) -> None:
    browser = hostile.as_("administrator")
    for place in ("companies", "people", "accounts", "orders", "ledger", "runs", "audit"):
        cells = [cell for row in rows_of(browser, place) for cell in row.values()]
        assert any(cell == "'=cmd|' /C calc'!A0" for cell in cells), place
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == [], place
        # Markup is no harm in a file, and stays what it was.
        assert SCRIPT in cells


def test_filters_leave_what_was_asked_for(kept: Site) -> None:
    kept.house.orders("2012-11-29,BUY,IBM,1,191.53,0,USD", account="Bob")
    browser = kept.as_("administrator")
    assert [row["symbol"] for row in rows_of(browser, "orders", "?symbol=ibm")] == ["IBM"]
    assert [row["account"] for row in rows_of(browser, "orders", "?account=Bob")] == ["Bob"]
    assert rows_of(browser, "orders", "?account=Bob&symbol=AAPL") == []
    assert {row["account"] for row in rows_of(browser, "ledger", "?account=Bob")} == {"Bob"}
    assert [row["name"] for row in rows_of(browser, "accounts", "?q=member@EXAMPLE")] == ["Ann"]
    assert [row["email"] for row in rows_of(browser, "people", "?q=view")] == ["viewer@example.org"]
    assert rows_of(browser, "companies", "?q=%25") == []
    assert {row["action"] for row in rows_of(browser, "audit", "?who=administrator@example.org")} == {"sign in"}
    assert "Nothing is like that." in plain_text(browser.text("/records/orders/?account=Nobody"))


def test_a_page_leads_to_the_next_and_none_is_left_out(kept: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.records.views.PER_PAGE", 2)
    monkeypatch.setattr(records, "AT_ONCE", 2)
    kept.house.orders(" ".join(f"2012-11-{day},BUY,IBM,1,191.53,0,USD" for day in range(26, 31)))
    browser, path, seen = kept.as_("administrator"), "/records/orders/?account=Ann&nonsense=1", []
    while path:
        page = browser.text(path)
        seen += re.findall(r'href="/records/orders/([0-9]+)"', page)
        following = re.search(r'href="([^"]+)">More<', page)
        path = unescape(following[1]) if following else ""
        assert "nonsense" not in path
    assert seen == ["7", "6", "5", "4", "3", "2", "1"]
    assert [row["id"] for row in rows_of(browser, "orders")] == seen
    # People are listed by their e-mail.
    page = browser.text("/records/people/?after=administrator@example.org")
    assert re.findall(r">([a-z]+)@example.org</a>", page) == ["member", "viewer"]


def test_what_cannot_be_is_said(site: Site) -> None:
    browser = site.as_("administrator")
    for after in ("x", "1.5", "-1", "9" * 30, "\u00b2"):
        response = browser.get("/records/orders/", query_string={"after": after})
        assert (response.status_code, "is not the number of a record" in response.get_data(as_text=True)) == (422, True)
    for place in PLACES:
        assert browser.get(f"/records/{place}/", query_string={"q": "\0", "after": ""}).status_code == 200
        for number in ("9999999", "9223372036854775807", "9223372036854775808", "x"):
            assert browser.get(f"/records/{place}/{number}").status_code == 404
    assert browser.get("/records/orders/export/xls").status_code == 404


def test_the_chosen_theme_holds_on_every_page_of_records(site: Site) -> None:
    browser = site.as_("administrator")
    for path in ("/", "/records/", "/records/orders/", "/records/companies/new"):
        assert '<html lang="en">' in browser.text(path), path
    browser.client.set_cookie("closingbell_theme", "dark")
    for path in ("/", "/records/", "/records/orders/", "/records/companies/new"):
        assert '<html lang="en" data-theme="dark">' in browser.text(path), path
