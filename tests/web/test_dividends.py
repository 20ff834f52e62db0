"""The page of dividends: what waits for a person, and what is decided on it."""

from __future__ import annotations

import pytest

from closingbell.models import AuditEntry, CorporateActionRow, CorporateActionVersion
from tests.web.conftest import Site
from tests.web.test_pages import plain_text

NAME = "<script>alert(1)</script>"


@pytest.fixture
def doubtful(site: Site) -> Site:
    """Apple's dividend of 2012-11-07, 2.65, told a hundred times too high: held."""
    site.house.hold("AAPL", since="2012-10-01")
    site.house.market.misbehave("AAPL", "dividend_x100", endpoint="chart")
    site.house.run()
    site.house.market.behave()
    return site


def test_what_is_held_stands_first_with_its_reason(doubtful: Site) -> None:
    text = plain_text(doubtful.as_("viewer").text("/dividends"))
    assert "AAPL Wed 2012-11-07 dividend 265.00 USD" in text
    assert "it is a quarter of the price or more: a deferred ex-date, or a hundredfold error" in text
    assert text.index("held") < text.index("The last 90 days")


def test_a_held_action_is_applied_with_a_reason_and_written_down(doubtful: Site) -> None:
    browser = doubtful.as_("administrator")
    [row] = doubtful.house.rows(CorporateActionRow)
    assert "Let it count?" in browser.text(f"/dividends/{row.id}/apply")

    refused = browser.post(f"/dividends/{row.id}/apply", why=" ")
    assert (refused.status_code, doubtful.house.rows(CorporateActionRow)[0].is_held) == (422, True)
    assert browser.post(f"/dividends/{row.id}/apply", why="the issuer's notice").status_code == 302

    assert doubtful.house.rows(CorporateActionRow)[0].is_held is False
    newest = doubtful.house.rows(CorporateActionVersion, order="version")[-1]
    assert (newest.actor, newest.reason) == ("web:administrator@example.org", "applied: the issuer's notice")
    entry = doubtful.house.rows(AuditEntry)[-1]
    assert (entry.action, entry.target, entry.detail) == (
        "apply corporate action",
        f"{row.id} AAPL",
        "the issuer's notice",
    )
    text = plain_text(browser.text(f"/dividends/{row.id}"))
    assert "counts. The next dividend run books what follows." in text
    again = browser.post(f"/dividends/{row.id}/apply", why="once more")
    assert (again.status_code, len(doubtful.house.rows(CorporateActionVersion, order="version"))) == (422, 2)


def test_an_action_is_ignored_and_reinstated(doubtful: Site) -> None:
    browser = doubtful.as_("administrator")
    [row] = doubtful.house.rows(CorporateActionRow)
    browser.get(f"/dividends/{row.id}/ignore")
    browser.post(f"/dividends/{row.id}/ignore", why="never paid")
    text = plain_text(browser.text(f"/dividends/{row.id}"))
    assert ("Reinstate" in text, "Apply" in text) == (True, False)
    browser.post(f"/dividends/{row.id}/reinstate", why="it was paid after all")
    text = plain_text(browser.text(f"/dividends/{row.id}"))
    assert "Apply" in text


def test_what_is_not_there_is_not_found(doubtful: Site) -> None:
    browser = doubtful.as_("administrator")
    [row] = doubtful.house.rows(CorporateActionRow)
    for path in ("/dividends/99", "/dividends/99/apply", f"/dividends/{row.id}/explode"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, why="x").status_code in (404, 405)
    unknown = browser.get("/dividends?symbol=nope")
    assert unknown.status_code == 422
    assert "NOPE" in unknown.get_data(as_text=True)


def test_a_viewer_looks_and_decides_nothing(doubtful: Site) -> None:
    browser = doubtful.as_("viewer")
    [row] = doubtful.house.rows(CorporateActionRow)
    assert "Apply" not in plain_text(browser.text(f"/dividends/{row.id}"))
    assert browser.post(f"/dividends/{row.id}/apply", why="x").status_code == 403


def test_a_reason_is_text(doubtful: Site) -> None:
    browser = doubtful.as_("administrator")
    [row] = doubtful.house.rows(CorporateActionRow)
    browser.get(f"/dividends/{row.id}/apply")
    browser.post(f"/dividends/{row.id}/apply", why=NAME)
    text = browser.text(f"/dividends/{row.id}")
    assert (NAME in text, "&lt;script&gt;alert(1)" in text) == (False, True)
