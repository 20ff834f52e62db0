"""A payment is rated again in the browser: looked at first, with a reason, by whose it is or an administrator."""

from __future__ import annotations

import pytest

from closingbell.models import Account, AuditEntry, DividendPayment, DividendRerate
from tests.web.conftest import Site
from tests.web.test_pages import plain_text


@pytest.fixture
def paths(site: Site) -> tuple[str, str]:
    """The member's account Ann was paid Apple's 2.65 on ten shares; now a quarter of it should have been withheld."""
    house = site.house
    house.orders("2012-09-04,BUY,AAPL,10,675.00,0,USD")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    house.command("accounts", "give", "Ann", "member@example.org")
    house.command("books", "withhold", "US", "0.25", "--since", "2012-01-01", "--account", "Ann")
    [account] = [one for one in house.rows(Account) if one.name == "Ann"]
    [paid] = [one for one in house.rows(DividendPayment) if one.leg == "PAYMENT"]
    return (
        f"/portfolio/{account.id}/payments/{paid.id}",
        f"/dividends/{paid.corporate_action_id}/payments/{paid.id}",
    )


def test_own_payment_is_shown_asked_for_and_booked(site: Site, paths: tuple[str, str]) -> None:
    browser, (own, _) = site.as_("member"), paths
    assert f'href="{own}/rerate"' in browser.text(own)
    asked = plain_text(browser.text(f"{own}/rerate"))
    assert "payment is 26.50 0.00 0.00 26.50 USD – 26.50 USD half up" in asked
    assert "payment becomes 26.50 6.63 0.25 19.87 USD – 19.87 USD half up" in asked
    assert browser.post(f"{own}/rerate", why=" ").status_code == 422
    assert site.house.rows(DividendRerate, order="account_id") == []

    assert browser.post(f"{own}/rerate", why="a form was missing").status_code == 302

    assert "The next dividend run books it." in browser.text(own)
    [noted] = [row for row in site.house.rows(AuditEntry) if row.action == "rate again"]
    assert (noted.who, noted.detail) == ("member@example.org", "AAPL 2012-11-07: a form was missing")
    site.house.command("run-dividend-processor")
    assert [str(row.net) for row in site.house.rows(DividendPayment) if row.is_active] == ["19.8700", "19.8700"]
    assert "was taken back already" in browser.get(f"{own}/rerate").get_data(as_text=True)


def test_administrator_rates_anybodys_and_others_only_their_own(site: Site, paths: tuple[str, str]) -> None:
    own, explained = paths
    for role, path, status in (("viewer", own, 404), ("viewer", explained, 403), ("member", explained, 403)):
        browser = site.as_(role)
        assert browser.get(f"{path}/rerate").status_code == status
        assert browser.post(f"{path}/rerate", why="x").status_code == status
    browser = site.as_("administrator")
    assert browser.get(f"{own}/rerate").status_code == 404
    assert browser.get(explained.replace("dividends/", "dividends/9") + "/rerate").status_code == 404
    assert f'href="{explained}/rerate"' in browser.text(explained)
    browser.text(f"{explained}/rerate")
    assert browser.post(f"{explained}/rerate", why="a form was missing").status_code == 302
    assert len(site.house.rows(DividendRerate, order="account_id")) == 1
