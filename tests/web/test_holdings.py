"""Whether one company's dividends buy shares is chosen beside its position."""

from __future__ import annotations

from closingbell.models import Account, AuditEntry, HoldingChoice
from tests.web.conftest import Site
from tests.web.test_pages import plain_text


def test_choice_is_shown_kept_and_written_down(site: Site) -> None:
    house = site.house
    house.orders("2012-09-04,BUY,AAPL,10,675.00,0,USD")
    house.run()
    house.command("accounts", "give", "Ann", "member@example.org")
    [account] = [one for one in house.rows(Account) if one.name == "Ann"]
    page = f"/portfolio/{account.id}"
    browser = site.as_("member")
    assert "by account" in plain_text(browser.text(page))
    assert "As the account: no Yes No" in plain_text(browser.text(f"{page}/holdings/AAPL"))

    assert browser.post(f"{page}/holdings/AAPL", reinvest="perhaps").status_code == 422
    assert house.rows(HoldingChoice, order="account_id") == []
    assert browser.post(f"{page}/holdings/AAPL", reinvest="on").status_code == 302

    shown = browser.text(page)
    assert "reinvested" in plain_text(shown)
    assert '<option value="on" selected>' in browser.text(f"{page}/holdings/AAPL")
    [noted] = [row for row in house.rows(AuditEntry) if row.action == "reinvest"]
    assert (noted.who, noted.target, noted.detail) == ("member@example.org", "Ann", "AAPL: reinvested")
    assert browser.post(f"{page}/holdings/NOPE", reinvest="on").status_code == 404
    viewer = site.as_("viewer")
    assert viewer.get(f"{page}/holdings/AAPL").status_code == 404
    assert viewer.post(f"{page}/holdings/AAPL", reinvest="off").status_code == 404
