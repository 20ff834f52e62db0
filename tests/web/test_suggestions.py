"""Suggested payments of one's own account in the browser: seen, asked for, paid or dismissed, and written down."""

from __future__ import annotations

import pytest

from closingbell.models import Account, AuditEntry, CorporateActionRow, DividendChoice, DividendPayment
from tests.web.conftest import Site
from tests.web.test_pages import plain_text


@pytest.fixture
def ann(site: Site) -> Site:
    """The member's account Ann wants to be asked: Apple's 2.65 and IBM's 0.85 of 2012-11-07 on ten shares each."""
    house = site.house
    house.orders("2012-09-04,BUY,AAPL,10,675.00,0,USD 2012-09-04,BUY,IBM,10,195,0,USD")
    house.command("accounts", "set", "Ann", "--dividends", "SUGGEST")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    house.command("accounts", "give", "Ann", "member@example.org")
    return site


def paths(site: Site) -> dict[str, str]:
    """Where the suggestion of each company is decided on."""
    [account] = [one for one in site.house.rows(Account) if one.name == "Ann"]
    base = f"/portfolio/{account.id}"
    found = {
        symbol: f"{base}/suggestions/{row.id}"
        for row in site.house.rows(CorporateActionRow)
        for symbol in ("AAPL", "IBM")
        if row.company_id == site.house.company(symbol).id
    }
    return {**found, "page": f"{base}/dividends"}


def test_suggestions_are_shown_asked_for_and_decided(ann: Site) -> None:
    browser, path = ann.as_("member"), paths(ann)
    text = plain_text(browser.text(path["page"]))
    assert "Suggested Not paid by itself" in text
    assert "Wed 2012-11-07 AAPL cash Thu 2012-11-15 10.00 2.65 26.50 0.00 26.50 USD Pay Dismiss" in text
    assert "Wed 2012-11-07 IBM cash Mon 2012-12-10 10.00 0.85 8.50 0.00 8.50 USD Pay Dismiss" in text

    asked = plain_text(browser.text(path["AAPL"] + "/accept"))
    assert "Have it paid?" in asked
    assert "10.00 shares, 26.50 gross, 0.00 tax, 26.50 USD net" in asked
    assert ann.house.rows(DividendChoice, order="account_id") == []
    assert browser.post(path["AAPL"] + "/accept").status_code == 302
    assert browser.post(path["IBM"] + "/dismiss").status_code == 302

    after = plain_text(browser.text(path["page"]))
    assert "Suggested" not in after
    assert "AAPL, ex 2012-11-07, is paid by the next dividend run." in after
    assert [row.action for row in ann.house.rows(AuditEntry) if "suggestion" in row.action] == [
        "accept suggestion", "dismiss suggestion"
    ]  # fmt: skip
    ann.house.command("run-dividend-processor")
    legs = [(row.leg, str(row.net)) for row in ann.house.rows(DividendPayment)]
    assert legs == [("ACCRUAL", "26.5000"), ("PAYMENT", "26.5000")]
    # What is booked is decided; a dismissed one may still be accepted.
    assert browser.get(path["AAPL"] + "/dismiss").status_code == 404
    assert browser.get(path["IBM"] + "/accept").status_code == 200


def test_nobody_else_decides(ann: Site) -> None:
    path = paths(ann)
    for role in ("viewer", "administrator"):
        browser = ann.as_(role)
        assert browser.get(path["AAPL"] + "/accept").status_code == 404
        assert browser.post(path["AAPL"] + "/accept").status_code == 404
    assert ann.as_("member").get(path["AAPL"] + "/burn").status_code == 404
    assert ann.house.rows(DividendChoice, order="account_id") == []
