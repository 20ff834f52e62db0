"""A person's own orders in the browser: entered, deleted, and brought in from a broker's file."""

from __future__ import annotations

import io
import re
from html import unescape

import pytest

from closingbell.models import Account, AuditEntry, LedgerEntry, Order
from tests.web.conftest import Browser, Site
from tests.web.test_pages import plain_text

GOOD = b"""date,type,symbol,quantity,price,fee,currency
2012-09-04,DEPOSIT,,,5000,0,USD
2012-09-05,BUY,AAPL,2,670.23,1,USD
"""
BAD = GOOD + b"2012-09-06,BUY,AAPL,many,676.27,1,USD\n"


@pytest.fixture
def ann(site: Site) -> Site:
    """The member's account Ann with ten shares of Apple since 2012-09-04."""
    site.house.orders("2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,10,675.00,4.95,USD")
    site.house.command("accounts", "give", "Ann", "member@example.org")
    return site


def path_of(site: Site) -> str:
    [account] = site.house.rows(Account)
    return f"/portfolio/{account.id}"


def send(browser: Browser, path: str, data: bytes, name: str = "mine.csv", **more: str) -> tuple[int, str]:
    browser.get(path)
    fields = {"csrf_token": browser.token, "file": (io.BytesIO(data), name), **more}
    response = browser.client.post(path, data=fields, content_type="multipart/form-data")
    return response.status_code, response.get_data(as_text=True)


def confirm(browser: Browser, path: str, page: str) -> int:
    packed = re.search(r'name="packed" value="([^"]+)"', page)
    assert packed is not None
    return browser.post(path, packed=packed[1], name="mine.csv", confirm="yes").status_code


def test_an_order_is_entered_and_listed(ann: Site) -> None:
    browser, path = ann.as_("member"), path_of(ann)
    form = browser.text(f"{path}/orders/new")
    assert 'value="2012-11-30"' in form
    key = re.search(r'name="key" value="([^"]+)"', form)
    assert key is not None
    fields = {"type": "SELL", "trade_date": "2012-11-29", "symbol": "aapl", "quantity": "1.5", "price": "589.36",
              "fee": "1", "currency": "usd", "note": "half of it", "key": key[1]}  # fmt: skip
    assert browser.post(f"{path}/orders/new", **fields).status_code == 302
    # The same form once more: the order is there once.
    assert browser.post(f"{path}/orders/new", **fields).status_code == 422

    assert len(ann.house.rows(Order)) == 3
    text = plain_text(browser.text(f"{path}/orders"))
    assert "Thu 2012-11-29 sell AAPL 1.50 589.36 – 1.00 0.00 USD web half of it" in text
    entry = ann.house.rows(AuditEntry)[-1]
    assert (entry.who, entry.action, entry.detail) == ("member@example.org", "enter order", "SELL AAPL 2012-11-29")


def test_what_is_wrong_is_said_and_everything_is_still_there(ann: Site) -> None:
    browser, path = ann.as_("member"), f"{path_of(ann)}/orders/new"
    browser.get(path)
    base = {
        "type": "SELL",
        "trade_date": "2012-11-29",
        "symbol": "AAPL",
        "quantity": "11",
        "price": "589",
        "currency": "USD",
    }
    wrong = [
        (base, "would hold -1.00 AAPL"),
        ({**base, "quantity": "ten"}, "quantity: 'ten' is not a number"),
        ({**base, "trade_date": "yesterday"}, "date: 'yesterday' is not a date"),
        ({**base, "trade_date": "2012-12-24"}, "lies in the future"),
        ({**base, "symbol": "NO SUCH"}, "is not a symbol"),
        ({**base, "type": "GIFT"}, "is not one of"),
    ]
    for fields, words in wrong:
        response = browser.post(path, **fields)
        page = response.get_data(as_text=True)
        assert (response.status_code, words in unescape(page)) == (422, True), words
        assert f'value="{fields["quantity"]}"' in page
    assert browser.post(path, **base, allow_short="on").status_code == 302
    assert len(ann.house.rows(Order)) == 3


def test_an_order_is_deleted_and_its_entries_are_reversed(ann: Site) -> None:
    browser, path = ann.as_("member"), path_of(ann)
    deposit, _purchase = ann.house.rows(Order, order="id")
    assert "Delete order" in browser.text(f"{path}/orders/{deposit.id}/delete")

    assert browser.post(f"{path}/orders/{deposit.id}/delete").status_code == 302

    order = ann.house.rows(Order, order="id")[0]
    assert order.deleted_by == "web:member@example.org"
    assert sum(one.amount for one in ann.house.rows(LedgerEntry) if one.order_id == deposit.id) == 0
    assert browser.get(f"{path}/orders/{deposit.id}/delete").status_code == 404


def test_a_file_is_looked_at_before_anything_is_stored(ann: Site) -> None:
    browser, path = ann.as_("member"), f"{path_of(ann)}/import"
    status, page = send(browser, path, GOOD)
    text = plain_text(page)
    assert status == 200
    assert "2 orders would be added, 0 are there already" in text
    assert "3 Wed 2012-09-05 buy AAPL 2.00 670.23" in text
    assert len(ann.house.rows(Order)) == 2

    assert confirm(browser, path, page) == 302
    assert len(ann.house.rows(Order)) == 4
    assert ann.house.rows(AuditEntry)[-1].detail == "csv mine.csv: 2 added, 0 were there"
    # The same file again adds nothing.
    _, again = send(browser, path, GOOD)
    assert "nothing is new. 2 orders of this file are there already" in plain_text(again)
    assert confirm(browser, path, again) == 302
    assert len(ann.house.rows(Order)) == 4


def test_a_file_with_a_bad_line_adds_nothing_and_says_which(ann: Site) -> None:
    browser, path = ann.as_("member"), f"{path_of(ann)}/import"
    status, page = send(browser, path, BAD)
    assert (status, "1 bad line(s)" in page, "line 4: " in page, 'name="confirm"' in page) == (200, True, True, False)
    packed = re.search(r'name="packed" value="([^"]+)"', page)
    assert packed is not None
    refused = browser.post(path, packed=packed[1], name="mine.csv", confirm="yes")
    assert (refused.status_code, len(ann.house.rows(Order))) == (422, 2)
    # Left out by number, the rest comes in.
    looked = browser.post(path, packed=packed[1], name="mine.csv", leave_out="4")
    assert "2 orders would be added" in plain_text(looked.get_data(as_text=True))
    assert browser.post(path, packed=packed[1], name="mine.csv", leave_out="4", confirm="yes").status_code == 302
    assert len(ann.house.rows(Order)) == 4


def test_a_sale_of_more_than_is_held_is_doubtful(ann: Site) -> None:
    # The newest first, as brokers export them; only the whole file counts.
    data = (
        GOOD + b"2012-10-03,SELL,AAPL,13,660,1,USD\n2012-10-02,BUY,IBM,1,200,1,USD\n2012-10-01,SELL,IBM,1,201,1,USD\n"
    )
    _, page = send(ann.as_("member"), f"{path_of(ann)}/import", data)
    text = plain_text(page)
    assert "line 4: the account would hold -1.00 AAPL at the end of 2012-10-03" in text
    assert "line 6: the account would hold -1.00 IBM at the end of 2012-10-01" in text
    assert ("2 doubtful" in text, "Add 5 orders" in text) == (True, True)


def test_files_that_are_none_are_refused_with_the_way_out(ann: Site) -> None:
    browser, path = ann.as_("member"), f"{path_of(ann)}/import"
    for data, words in (
        (b"", "choose a file that has something in it"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "line"),
        (b"hello", ""),
        (b"x" * (4 * 1024 * 1024 + 1), "larger than 4 MB"),
    ):
        status, page = send(browser, path, data)
        assert (status, words in page) == (422, True), data[:20]
    for packed in ("", "!", "aGVsbG8="):
        browser.get(path)
        assert browser.post(path, packed=packed).status_code == 422
    assert browser.post(path, packed="aGVsbG8=", leave_out="first").status_code == 422
    assert len(ann.house.rows(Order)) == 2


def test_another_persons_account_is_not_there(ann: Site) -> None:
    browser, path = ann.as_("viewer"), path_of(ann)
    for page in ("/orders", "/orders/new", "/orders/1/delete", "/import"):
        assert browser.get(path + page).status_code == 404
        if page != "/orders":
            browser.get("/settings")
            assert browser.post(path + page, type="DEPOSIT").status_code == 404
    # One's own account does not lead to another's order.
    ann.house.command("accounts", "add", "Bob")
    ann.house.command("accounts", "give", "Bob", "viewer@example.org")
    [bob] = [one for one in ann.house.rows(Account) if one.name == "Bob"]
    assert browser.get(f"/portfolio/{bob.id}/orders/1/delete").status_code == 404


def test_a_member_begins_with_the_portfolio(ann: Site) -> None:
    assert ann.as_("member").get("/").headers["Location"] == "/portfolio"
