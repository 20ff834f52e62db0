"""What people do in a browser, from the first link to the first dividend."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import time

from passlib.totp import TOTP
from playwright.sync_api import Browser, Page, expect

from closingbell.models import DividendPayment, Order
from closingbell.replay import RecordedMarket
from closingbell.replay.market import Market, Split
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

    # Lost: the console takes it away, and every session with it.
    assert served.house.command("reset-second-factor", ADMINISTRATOR).exit_code == 0
    page.goto(f"{served.url}/runs")
    assert "/sign-in" in page.url
    served.sign_in(page)
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    again = served.house.command("reset-second-factor", ADMINISTRATOR)
    assert again.stderr == f"error: {ADMINISTRATOR} has no second factor\n"
    assert "nobody has the address" in served.house.command("reset-second-factor", "nobody@example.org").stderr


def test_a_file_with_a_bad_line_is_looked_at_corrected_and_imported(served: Served, page: Page, tmp_path: Path) -> None:
    house = served.house
    house.command("accounts", "add", "Ann")
    house.command("accounts", "give", "Ann", ADMINISTRATOR)
    file = tmp_path / "mine.csv"
    head = "date,type,symbol,quantity,price,fee,currency\n2012-09-04,DEPOSIT,,,20000,0,USD\n"
    file.write_text(head + "2012-09-04,BUY,AAPL,twenty,675.00,4.95,USD\n")
    served.sign_in(page)

    page.goto(f"{served.url}/portfolio")
    page.get_by_role("link", name="Ann").click()
    page.get_by_role("link", name="Import a broker's file").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Look at it").click()
    expect(page.locator("[role=alert]")).to_contain_text("1 bad line(s)")
    expect(page.get_by_role("region", name="Findings")).to_contain_text("line 3: ")
    expect(page.get_by_role("button", name=re.compile("^Add"))).to_have_count(0)
    assert house.rows(Order) == []

    file.write_text(head + "2012-09-04,BUY,AAPL,20,675.00,4.95,USD\n")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="Add 2 orders").click()

    expect(page.locator(".flash")).to_contain_text("2 added, 0 were there")
    expect(page.get_by_role("region", name="Orders")).to_contain_text("AAPL")
    assert [(row.type, row.source) for row in house.rows(Order, order="id")] == [("DEPOSIT", "csv"), ("BUY", "csv")]


def test_a_held_split_is_applied_and_changes_the_shares(
    serve: Callable[..., Served],
    market: RecordedMarket,
    page: Page,
) -> None:
    """IBM told as 1324:1000 on 2012-11-15: taken for a spin-off and held, until a person says that it is a split."""
    listing = market.find("IBM")
    assert listing is not None
    odd = Market([replace(listing, splits=(Split(date(2012, 11, 15), 1324, 1000),), dividends=())])
    served = serve(market=odd)
    house = served.house
    people.create_administrator(house.context, email=ADMINISTRATOR, password=PASSWORD, name="Ann")
    house.orders("2012-11-01,BUY,IBM,1000,195,0,USD")
    house.command("accounts", "give", "Ann", ADMINISTRATOR)
    house.run()
    house.command("actions", "edit", "1", "--kind", "SPLIT", "--why", "the company's notice")
    served.sign_in(page)

    page.goto(f"{served.url}/dividends")
    expect(page.get_by_role("region", name="Waiting for a person")).to_contain_text("IBM")
    page.get_by_role("region", name="Waiting for a person").get_by_role("link", name="1", exact=True).click()
    page.get_by_role("link", name="Apply").click()
    page.get_by_label("Why").fill("the company's notice of 2012-11-01")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator(".flash")).to_contain_text("counts.")
    assert house.command("run-dividend-processor").exit_code == 0

    page.goto(f"{served.url}/portfolio")
    page.get_by_role("link", name="Ann").click()
    expect(page.get_by_role("region", name="Positions")).to_contain_text("1,324.00")


def test_the_first_page_tells_the_readers_own_time(served: Served, chromium: Browser, page: Page) -> None:
    served.house.hold("AAPL", since="2012-11-29")
    served.house.run()
    served.sign_in(page)
    # 09:30 in New York is 14:30 in UTC, and half past three in the morning of the next day in Auckland.
    for zone, words in (
        ("Pacific/Auckland", "in 2 days · 2012-12-03 09:30 EST · 2012-12-04 03:30 here, 14:30 UTC"),
        ("Europe/Berlin", "in 2 days · 2012-12-03 09:30 EST · 15:30 here, 14:30 UTC"),
        ("America/New_York", "in 2 days · 2012-12-03 09:30 EST · 14:30 UTC"),
    ):
        context = chromium.new_context(storage_state=page.context.storage_state(), timezone_id=zone)
        one = context.new_page()
        one.goto(served.url)
        expect(one.locator("article", has=one.get_by_role("heading", name="XNYS"))).to_contain_text(words)
        context.close()
