"""What people do in a browser, from the first link to the first dividend."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import time

from passlib.totp import TOTP
from playwright.sync_api import Page, expect

from closingbell.models import DividendPayment
from closingbell.usecases import people
from tests.browser.conftest import ADMINISTRATOR, PASSWORD, Served


def test_a_newcomer_goes_from_the_link_to_a_first_dividend(serve: Callable[..., Served], page: Page) -> None:
    served = serve()
    house = served.house
    house.orders("2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    link = house.command("create-admin", "--link", "--email", ADMINISTRATOR).stdout.strip()
    house.command("accounts", "give", "Ann", ADMINISTRATOR)

    page.goto(link.replace("http://127.0.0.1:8000", served.url))
    for box in page.locator("input[type=password]").all():
        box.fill(PASSWORD)
    page.locator("main button").click()
    page.locator("input[name=email]").fill(ADMINISTRATOR)
    page.locator("input[type=password]").fill(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("No scheduler is alive.")

    with served.scheduler():
        for job in ("daily_price_update", "dividend_processor"):
            page.goto(f"{served.url}/jobs/{job}/run")
            page.locator("main button").click()
            expect(page.locator(".flash")).to_contain_text(f"{job} was asked for")
            _wait_for(page, f"{served.url}/runs?job={job}", "success.*web:ann")

        # 20 shares at 2.65, ex on 2012-11-07.
        page.goto(f"{served.url}/portfolio")
        page.get_by_role("link", name="Ann").click()
        _wait_for(page, page.url, "53.00")

    paid = [(f"{row.net:.2f}", row.currency, row.leg) for row in house.rows(DividendPayment)]
    assert paid == [("53.00", "USD", "ACCRUAL"), ("53.00", "USD", "PAYMENT")]


def _wait_for(page: Page, url: str, words: str) -> None:
    """Load a page until the words stand on it."""
    for _ in range(60):
        page.goto(url)
        if re.search(words, " ".join(page.locator("main").inner_text().split())):
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{url} never said {words}: {page.locator('main').inner_text()}")


def test_a_run_is_watched_live_to_its_end(serve: Callable[..., Served], page: Page) -> None:
    served = serve(latency_ms=1500)
    house = served.house
    people.create_administrator(house.context, email=ADMINISTRATOR, password=PASSWORD, name="Ann")
    house.hold("AAPL", "FB", "GOOG", "IBM", "MSFT", since="2012-11-01")
    served.sign_in(page)

    with served.scheduler():
        page.goto(f"{served.url}/jobs/daily_price_update/run")
        page.locator("main button").click()
        seen = page.locator(".live progress")
        for _ in range(60):
            if page.goto(f"{served.url}/runs/1").ok:
                break
            page.wait_for_timeout(200)
        expect(seen).to_be_visible()
        page.evaluate("window.isFirstLoad = true")
        # Nobody touches the page from here on: it moves and loads itself anew when the run has ended.
        expect(seen).to_have_count(0)
        expect(page.locator("main")).to_contain_text("success")

    assert page.evaluate("window.isFirstLoad") is None
    expect(page.locator("main")).to_contain_text(re.compile(r"5 of 5|Companies\s*5"))


def test_the_sixth_try_to_sign_in_is_refused_with_words(served: Served, page: Page) -> None:
    for _ in range(5):
        served.sign_in(page, password="wrong password!")
        expect(page.locator("main")).to_contain_text("Authentication failed")
    served.sign_in(page)
    expect(page.locator("main")).to_contain_text(re.compile("too many", re.IGNORECASE))
    page.goto(f"{served.url}/runs")
    assert "/sign-in" in page.url


def test_a_second_factor_is_set_up_and_asked_for(served: Served, page: Page) -> None:
    served.sign_in(page)
    page.goto(f"{served.url}/settings")
    page.get_by_role("link", name="Second factor").click()
    page.get_by_label("Use an authenticator app").check()
    page.get_by_role("button", name="Go on").click()
    key = page.locator("main code").inner_text()
    page.locator("input[name=code]").fill(TOTP(key).generate().token)
    page.get_by_role("button", name="Confirm the code").click()
    expect(page.locator("input[name=code]")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()

    served.sign_in(page)
    page.locator("input[name=code]").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("main")).to_contain_text("Invalid code")
    page.goto(f"{served.url}/runs")
    assert "/sign-in" in page.url

    served.sign_in(page)
    # The code that set it up was used: the next one, half a minute on, is allowed for.
    page.locator("input[name=code]").fill(TOTP(key).generate(time() + 30).token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
