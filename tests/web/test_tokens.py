"""A person's own tokens in the browser: made, shown once, revoked."""

from __future__ import annotations

import re

from closingbell.models import ApiToken, AuditEntry
from closingbell.usecases import people
from tests.web.conftest import Browser, Site
from tests.web.test_pages import plain_text

PAGE = "/settings/tokens"


def make(browser: Browser, name: str = "script", scope: str = "read") -> str:
    """Fill in the form, and give the token that the answer shows."""
    browser.get(PAGE)
    response = browser.post(PAGE, name=name, scope=scope)
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.headers["Cache-Control"] == "no-store"
    found = re.search(r"<code>(cb_[^<]+)</code>", response.get_data(as_text=True))
    assert found is not None
    return found[1]


def test_a_token_is_made_and_shown_once(site: Site) -> None:
    browser = site.as_("member")
    assert "You have none yet." in browser.text(PAGE)
    token = make(browser, scope="operate")
    shown = people.verify_token(site.context, token, needs="operate")
    assert (shown.name, shown.owner and shown.owner.email) == ("script", "member@example.org")
    page = browser.text(PAGE)
    assert token not in page
    assert " script operate " in plain_text(page)
    [entry] = [one for one in site.house.rows(AuditEntry) if one.action == "create token"]
    assert (entry.who, entry.target, entry.detail) == ("member@example.org", "script", "operate")
    assert token not in str(entry)


def test_what_is_wrong_is_said_and_nothing_is_made(site: Site) -> None:
    browser = site.as_("member")
    make(browser)
    for name, scope, said in (
        ("script", "read", "a token is called &#39;script&#39; already"),
        ("", "read", "must be 1 to 100 printable characters"),
        ("other", "admin", "scope is read or operate"),
    ):
        response = browser.post(PAGE, name=name, scope=scope)
        assert (response.status_code, said in response.get_data(as_text=True)) == (422, True), said
    assert len(site.house.rows(ApiToken)) == 1
    # Another person has names of their own.
    make(site.as_("viewer"))


def test_its_owner_revokes_a_token_once_asked(site: Site) -> None:
    browser = site.as_("member")
    make(browser)
    [token] = site.house.rows(ApiToken)
    asked = browser.text(f"{PAGE}/{token.id}/revoke")
    assert "Revoke script?" in asked
    assert [one.revoked_at for one in site.house.rows(ApiToken)] == [None]
    assert browser.post(f"{PAGE}/{token.id}/revoke").headers["Location"] == PAGE
    assert "The token script is revoked." in browser.text(PAGE)
    # Sent twice it is the same, and written down once.
    assert browser.post(f"{PAGE}/{token.id}/revoke").status_code == 302
    assert all(one.revoked_at is not None for one in site.house.rows(ApiToken))
    assert len([one for one in site.house.rows(AuditEntry) if one.action == "revoke token"]) == 1


def test_administrators_see_and_revoke_the_others(site: Site) -> None:
    make(site.as_("member"))
    people.create_token(site.context, name="prometheus", scope="read", by="root")
    viewer, browser = site.as_("viewer"), site.as_("administrator")
    assert "prometheus" not in viewer.text(PAGE)
    text = plain_text(browser.text(PAGE))
    assert "prometheus the operator read" in text
    assert "script member@example.org read" in text
    for token in site.house.rows(ApiToken):
        browser.post(f"{PAGE}/{token.id}/revoke")
    assert all(one.revoked_at is not None for one in site.house.rows(ApiToken))
    noted = [one.detail for one in site.house.rows(AuditEntry) if one.action == "revoke token"]
    assert noted == ["of member@example.org", "of the operator"]
