"""The pages of companies: what is stored of each, its chart, and the bars that were set aside."""

from __future__ import annotations

import gzip
import re

import pytest
from sqlalchemy import update

from closingbell.models import AuditEntry, Company, PriceHistory, QuarantinedBar
from tests.web.conftest import Site
from tests.web.test_pages import plain_text

NAME = "<script>alert(1)</script>"


@pytest.fixture
def apple(site: Site) -> Site:
    """Apple and IBM since 2012-11-01, up to Friday 2012-11-30."""
    site.house.hold("AAPL", "IBM", since="2012-11-01")
    site.house.run()
    return site


@pytest.fixture
def doubtful(site: Site) -> Site:
    """Apple with a close a hundred times too high on 2012-11-30: set aside."""
    site.house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-26")
    site.house.run()
    site.house.market.misbehave("AAPL", "price_x100")
    site.house.at("2012-11-30 16:31").run()
    site.house.market.behave()
    return site


def test_companies_are_listed_with_their_newest_close(apple: Site) -> None:
    text = plain_text(apple.as_("viewer").text("/companies"))
    assert "AAPL Apple Inc. XNYS Fri 2012-11-30 585.28 USD provisional" in text
    assert "IBM International Business Machines Corporation XNYS Fri 2012-11-30 190.07 USD provisional" in text


def test_the_list_is_searched_and_goes_on(apple: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.companies.PER_PAGE", 1)
    browser = apple.as_("viewer")
    first = browser.text("/companies")
    assert ("AAPL" in first, ">IBM<" in first, "after=AAPL" in first) == (True, False, True)
    second = browser.text("/companies?after=AAPL")
    assert (">AAPL<" in second, ">IBM<" in second, "after=IBM" in second) == (False, True, False)
    found = browser.text("/companies?q=machines")
    assert (">AAPL<" in found, ">IBM<" in found) == (False, True)
    assert "No company is called that." in browser.text("/companies?q=%25")


def test_a_company_shows_its_bars_and_every_session(apple: Site) -> None:
    page = apple.as_("viewer").text("/companies/AAPL")
    text = plain_text(page)
    assert "Fri 2012-11-30 586.79 588.40 582.68 585.28 13,975,700 provisional yahoo" in text
    assert "stored: 20, provisional: 1" in text
    # Thanksgiving has no session.
    assert re.search(r">22<span class=\"unseen\"> no session</span>", page)
    assert re.search(r">23<span class=\"unseen\"> stored</span>", page)
    assert "Wed 2012-11-07 dividend 2.65 USD" in text


def test_the_chart_tells_what_is_stored_as_traded_or_adjusted(apple: Site) -> None:
    browser = apple.as_("viewer")
    told = browser.get("/companies/AAPL/chart?range=3m").get_json()
    assert (told["currency"], len(told["at"]), told["at"][-1], told["close"][-1]) == ("USD", 21, "2012-11-30", 585.28)
    assert (told["volume"][-1], told["high"][-1]) == (13_975_700, 588.4)
    assert told["events"] == [{"at": "2012-11-07", "mark": "D", "words": "dividend 2.65 USD", "state": "counts"}]
    adjusted = browser.get("/companies/AAPL/chart?range=3m&adjusted=1").get_json()
    assert adjusted["close"][-1] == 585.28
    # Before the ex-date the dividend is taken out: 2.65 of the close of 2012-11-06.
    place = told["at"].index("2012-11-06")
    assert told["close"][place] == 582.8495
    assert adjusted["close"][place] == pytest.approx(580.1995, abs=0.0005)
    assert browser.get("/companies/AAPL/chart?range=day").get_json()["at"] == []
    assert len(browser.get("/companies/AAPL/chart?range=nonsense").get_json()["at"]) == 21


def test_the_chart_library_comes_from_here_and_may_be_kept(apple: Site) -> None:
    browser = apple.as_("viewer")
    page = browser.get("/companies/AAPL")
    address = re.search(r'src="(/chart-library/[^"]+)"', page.get_data(as_text=True))
    assert address is not None
    library = browser.get(address[1])
    assert gzip.decompress(library.data).startswith(b"/**\n* plotly.js")
    assert "immutable" in library.headers["Cache-Control"]
    again = browser.get(address[1], headers={"If-None-Match": library.headers["ETag"]})
    assert again.status_code == 304
    assert browser.get("/chart-library/0/plotly.min.js").status_code == 404
    policy = page.headers["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in browser.get("/companies").headers["Content-Security-Policy"]


def test_a_bar_that_was_set_aside_is_accepted_with_a_reason(doubtful: Site) -> None:
    browser = doubtful.as_("administrator")
    [row] = doubtful.house.rows(QuarantinedBar)
    assert "AAPL Fri 2012-11-30 58,528.00 589.36" in plain_text(browser.text("/companies"))
    assert f"/quarantine/{row.id}/accept" in browser.text("/companies/AAPL")
    assert "Store this bar as it is?" in browser.text(f"/quarantine/{row.id}/accept")

    assert browser.post(f"/quarantine/{row.id}/accept", why=" ").status_code == 422
    assert browser.post(f"/quarantine/{row.id}/accept", why="it is what was traded").status_code == 302

    closes = {bar.date.isoformat(): str(bar.close) for bar in doubtful.house.rows(PriceHistory, order="date")}
    assert closes["2012-11-30"] == "58528.000000"
    entry = doubtful.house.rows(AuditEntry)[-1]
    assert (entry.action, entry.target, entry.detail) == (
        "accept quarantined bar",
        f"{row.id} AAPL 2012-11-30",
        "it is what was traded",
    )
    again = browser.post(f"/quarantine/{row.id}/reject", why="no")
    assert again.status_code == 422
    assert "is decided already: accepted by web:administrator@example.org" in plain_text(again.get_data(as_text=True))


def test_a_viewer_sees_what_was_set_aside_and_decides_nothing(doubtful: Site) -> None:
    browser = doubtful.as_("viewer")
    [row] = doubtful.house.rows(QuarantinedBar)
    page = browser.text("/companies/AAPL")
    assert ("Bars set aside" in page, "/quarantine/" in page) == (True, False)
    assert browser.post(f"/quarantine/{row.id}/accept", why="mine").status_code == 403
    assert "quarantined: 1" in plain_text(page)


def test_what_is_not_there_is_not_found(apple: Site) -> None:
    browser = apple.as_("administrator")
    for path in ("/companies/NOPE", "/companies/NOPE/chart", "/quarantine/99/accept", "/quarantine/99/explode"):
        assert browser.get(path).status_code == 404, path


def test_a_name_that_looks_like_a_script_stays_a_name(apple: Site) -> None:
    with apple.context.database.write() as connection:
        connection.execute(update(Company).where(Company.symbol == "AAPL").values(name=NAME))
    browser = apple.as_("viewer")
    for path in ("/companies", "/companies/AAPL"):
        page = browser.text(path)
        assert NAME not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
