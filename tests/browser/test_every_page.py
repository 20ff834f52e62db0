"""Every page in both themes, on a phone and on a wide screen: nothing sticks out, and axe finds nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert

from closingbell.models import QuarantinedBar
from tests.browser.conftest import THEMES, WIDTHS, Served
from tests.browser.layout import PICTURES, Layouts

# WCAG 2.2 AA and all that it contains.
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
# Records of every kind are shown by the same few templates: three of them stand for all.
_ALIKE = tuple(f"/records/{kind}" for kind in ("people", "accounts", "ledger", "payments", "runs"))
NOT_PAGES = ("/assets", "/healthz", "/readyz", "/metrics", "/api", "/sign-out", "/static", *_ALIKE)

# A row of a table is read at a glance: on a phone a column that wraps after every word would make it a screen high.
TALLEST_ROW = "Math.max(0, ...[...document.querySelectorAll('.scroll tr')].map((row) => row.offsetHeight))"
MOST_ROW_PX = 260

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
# What is not there must look like a page too: a way past the second factor by mail is one such.
NOT_THERE = {"/nowhere", "/tf-rescue"}


def _addresses(served: Served) -> list[str]:
    """Every page that is reached without knowing anything, and one of each kind that names a row."""
    found = []
    for rule in served.house.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.startswith(NOT_PAGES):
            found.append(rule.rule)
    kinds = [
        "/runs/1",
        "/companies/AAPL",
        "/quarantine/1/accept",
        "/dividends/1",
        "/dividends/1/apply",
        "/dividends/1/edit",
        "/dividends/1/payments/2",
        "/dividends/1/payments/2/rerate",
        "/dividends?month=2012-11&state=PAID&on=2012-11-07",
        "/portfolio/1",
        "/portfolio/1/dividends",
        "/portfolio/1/holdings/AAPL",
        "/portfolio/1/payments/2",
        "/portfolio/1/payments/2/rerate",
        "/portfolio/1/suggestions/2/accept",
        "/portfolio/1/elections/3/shares",
        "/portfolio/1/orders",
        "/portfolio/1/orders/new",
        "/portfolio/1/orders/1/delete",
        "/portfolio/1/import",
        "/settings/addresses/1/level",
        "/settings/addresses/1/delete",
        "/jobs/daily_price_update/run",
        "/records/companies/1",
        "/records/companies/1/edit",
        "/records/companies/1/close",
        "/settings/tokens/1/revoke",
        "/nowhere",
    ]
    return sorted({*found, *kinds})


@pytest.fixture
def filled(served: Served) -> Served:
    """A house with something on every page: a run that failed for one company, a dividend, a message."""
    house = served.house
    house.orders("2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    house.hold("NOSUCH", since="2012-11-29")
    house.command("accounts", "give", "Ann", "ann@example.org")
    house.command("addresses", "add", "ann@example.org", "ntfy://a-topic")
    house.command("create-token", "reports", "--scope", "read")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    # From now on Ann wants to be asked, about IBM's dividend first.
    house.command("accounts", "set", "Ann", "--dividends", "SUGGEST")
    house.orders("2012-09-04,BUY,IBM,10,195.00,0,USD")
    house.run()
    # IBM's next one may be had in shares.
    scrip = "--ex-date 2013-02-06 --amount 0.85 --currency USD --scrip-price 190 --election-deadline 2013-02-20"
    assert house.command("actions", "add", "IBM", "SCRIP", *scrip.split(), "--why", "told").exit_code == 0
    with house.context.database.write() as connection:
        connection.execute(
            insert(QuarantinedBar).values(
                company_id=1, date=date(2012, 9, 3), rule="jump", open=6, high=6, low=6, close=6, volume=1,
                previous_close=Decimal("665.24"), provider="yahoo", first_seen_at=AT, last_seen_at=AT,
            )
        )  # fmt: skip
    return served


def test_every_page_fits_and_is_accessible(filled: Served, chromium: Browser, page: Page) -> None:
    filled.sign_in(page)
    state = page.context.storage_state()
    wrong, layouts = [], Layouts()
    for theme in THEMES:
        for width in WIDTHS:
            context = chromium.new_context(
                storage_state=state,
                color_scheme=theme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 900},
                # The policy of the pages would keep axe itself out.
                bypass_csp=True,
            )
            one = context.new_page()
            for address in _addresses(filled):
                where = f"{address} {theme} {width}"
                answer = one.goto(filled.url + address)
                if answer is None or (answer.status == 404) != (address in NOT_THERE) or answer.status >= 500:
                    wrong.append(f"{where}: failed")
                if "/sign-in" in one.url:
                    wrong.append(f"{where}: asks to sign in")
                too_wide = one.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                if too_wide > 0:
                    wrong.append(f"{where}: {too_wide} px too wide")
                tallest = one.evaluate(TALLEST_ROW)
                if tallest > MOST_ROW_PX:
                    wrong.append(f"{where}: a row is {tallest} px high")
                wrong += [f"{where}: {said}" for said in layouts.look(one, address, theme=theme, width=width)]
                if PICTURES:
                    continue
                for violation in Axe().run(one, options=RULES).response["violations"]:
                    nodes = [node["target"] for node in violation["nodes"]][:3]
                    wrong.append(f"{where}: {violation['id']} {nodes}")
            context.close()
    layouts.keep()
    assert wrong == [], "\n".join(wrong)


def test_the_charts_of_a_company_and_of_an_account_are_drawn(filled: Served, page: Page) -> None:
    filled.sign_in(page)

    page.goto(f"{filled.url}/companies/AAPL")
    expect(page.locator("[data-chart] .cartesianlayer .trace").first).to_be_attached()
    page.goto(f"{filled.url}/portfolio/1")
    expect(page.locator("[data-portfolio-chart] .scatterlayer .trace")).to_have_count(1)
    # Gross and net.
    expect(page.locator("[data-income] .barlayer .trace")).to_have_count(2)

    # A window that changes, or a phone that is turned, cuts nothing off.
    for path, size in (("portfolio/1", (1440, 1800)), ("portfolio/1", (390, 700)), ("companies/AAPL", (700, 390))):
        page.goto(f"{filled.url}/{path}")
        expect(page.locator(".chart .main-svg").first).to_be_attached()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(1000)
        sizes = page.evaluate(
            "[...document.querySelectorAll('.chart')].map((place) => [place.querySelector('.main-svg').clientHeight,"
            " place.offsetHeight])"
        )
        assert [drawn for drawn, _ in sizes] == [given for _, given in sizes], (path, size)


def test_nothing_sticks_out_of_a_card_at_any_width(filled: Served, page: Page) -> None:
    filled.sign_in(page)
    for width in (390, 560, 800, 1100, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(filled.url)
        out = page.evaluate(
            "[...document.querySelectorAll('.card')].flatMap((card) => [...card.querySelectorAll('*:not(.unseen)')]"
            ".filter((one) => one.getBoundingClientRect().right > card.getBoundingClientRect().right)"
            ".map((one) => one.textContent))"
        )
        assert out == [], width
