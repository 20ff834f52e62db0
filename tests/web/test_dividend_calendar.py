"""The page of dividends by month and by state, and what each action paid."""

from __future__ import annotations

import re

import pytest

from closingbell.models import CorporateActionRow, DividendPayment
from tests.web.conftest import Site
from tests.web.test_pages import plain_text

pytestmark = pytest.mark.one_database


@pytest.fixture
def paying(site: Site) -> Site:
    """Ann and Bob hold Apple, which paid 2.65 on 2012-11-15, and Ann IBM, which pays 0.85 on 2012-12-10."""
    house = site.house
    house.orders("2012-09-04,BUY,AAPL,20,675.00,0,USD 2012-09-04,BUY,IBM,10,195,0,USD")
    house.orders("2012-09-04,BUY,AAPL,3,675.00,0,USD", account="Bob")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    house.command("accounts", "give", "Bob", "viewer@example.org")
    return site


def number_of(site: Site, symbol: str) -> int:
    company_id = site.house.company(symbol).id
    [row] = [one for one in site.house.rows(CorporateActionRow) if one.company_id == company_id]
    return int(row.id)


def test_a_month_shows_its_days_with_the_cash_of_all_accounts(paying: Site) -> None:
    html = paying.as_("viewer").text("/dividends")
    text = plain_text(html)
    assert "Of all accounts: paid 60.95 USD; expected –, net." in text
    assert "Wed 7 ex AAPL dividend 2.65 USD ex IBM dividend 0.85 USD Thu 8" in text
    assert "Thu 15 pay AAPL dividend 2.65 USD paid 60.95 USD Fri 16" in text
    assert "<caption>November 2012</caption>" in html
    assert re.findall(r'<th scope="col"><abbr title="([A-Z][a-z]+)">', html)[:7] == [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"
    ]  # fmt: skip
    # The first was a Thursday: three days of the week are October's, and two of the last week are December's.
    assert html.count('<td class="other">') == 5
    assert re.findall(r'rel="(prev|next)" href="([^"]+)"', html) == [
        ("prev", "/dividends?month=2012-10#calendar"),
        ("next", "/dividends?month=2012-12#calendar"),
    ]


def test_what_is_not_paid_yet_is_expected(paying: Site) -> None:
    browser = paying.as_("viewer")
    text = plain_text(browser.text("/dividends?month=2012-12"))
    assert "Of all accounts: paid –; expected 8.50 USD, net." in text
    assert "Mon 10 pay IBM dividend 0.85 USD expected 8.50 USD Tue 11" in text
    assert "ex IBM" not in text
    empty = plain_text(browser.text("/dividends?month=2013-02"))
    assert "No ex-date and no pay date is known in this month." in empty
    of_day = plain_text(browser.text("/dividends?on=2012-12-10"))
    assert "Mon 2012-12-10 pay IBM dividend 0.85 USD expected 8.50 USD By state" in of_day


def test_a_day_with_many_events_leads_to_all_of_them(paying: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.dividends.MOST_A_DAY", 1)
    html = paying.as_("viewer").text("/dividends")
    assert "Wed 7 ex AAPL dividend 2.65 USD and 1 more on 2012-11-07 Thu 8" in plain_text(html)
    assert 'href="/dividends?month=2012-11&amp;on=2012-11-07#day"' in html


UNREADABLE = {
    "month=2012-13": "&#39;2012-13&#39; is no month from 1950-01 to 2199-12; write it like 2012-11",
    "month=11/2012": "&#39;11/2012&#39; is no month",
    "month=0001-01": "&#39;0001-01&#39; is no month",
    "on=yesterday": "&#39;yesterday&#39; is no day from 1950 to 2199; write it like 2012-11-30",
    "state=LOST": "there is no state &#39;LOST&#39;: it is one of ANNOUNCED, EX, PAYABLE, PAID, CORRECTED,",
}


def test_what_cannot_be_read_is_said_and_this_month_shown(site: Site) -> None:
    browser = site.as_("viewer")
    for query, said in UNREADABLE.items():
        answer = browser.get(f"/dividends?{query}")
        text = answer.get_data(as_text=True)
        assert answer.status_code == 422, query
        assert said in text, query
        assert "<caption>November 2012</caption>" in text, query


def test_the_first_and_the_last_month_lead_no_further(site: Site) -> None:
    browser = site.as_("viewer")
    beside = {asked: re.findall(r'rel="(prev|next)"', browser.text(f"/dividends?month={asked}"))
              for asked in ("1950-01", "2199-12")}  # fmt: skip
    assert beside == {"1950-01": ["next"], "2199-12": ["prev"]}


def test_events_are_counted_and_listed_by_state(paying: Site) -> None:
    browser = paying.as_("viewer")
    text = plain_text(browser.text("/dividends?state=paid"))
    assert "announced 0 ex 1 payable 0 paid 1 corrected 0 cancelled 0 held 0" in text
    assert " AAPL Wed 2012-11-07 dividend 2.65 USD Thu 2012-11-15 confirmed paid The last 90 days" in text
    assert "No corporate action is in this state." in plain_text(browser.text("/dividends?state=PAID&symbol=IBM"))

    # Cancelled, its payments are taken back by the next dividend run.
    number = number_of(paying, "AAPL")
    assert paying.house.command("actions", "cancel", str(number), "--why", "never declared").exit_code == 0
    assert paying.house.command("run-dividend-processor").exit_code == 0
    text = plain_text(browser.text("/dividends?state=CANCELLED"))
    assert "ex 1 payable 0 paid 0 corrected 0 cancelled 1 held 0" in text
    assert "pay AAPL" not in text
    assert "pay AAPL" not in plain_text(browser.text("/dividends?month=2012-11"))


def test_events_go_on_from_page_to_page(paying: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.dividends.LISTED", 1)
    browser, house = paying.as_("viewer"), paying.house
    assert house.command("actions", "cancel", "1", "--why", "x").exit_code == 0
    assert house.command("actions", "cancel", "2", "--why", "x").exit_code == 0
    assert house.command("run-dividend-processor").exit_code == 0
    rows = r'<th scope="row"><a href="/dividends/([0-9]+)">[0-9]+</a></th><td>'
    first = browser.text("/dividends?state=CANCELLED")
    assert (re.findall(rows, first), "state=CANCELLED&amp;before=2#states" in first) == (["2"], True)
    second = browser.text("/dividends?state=CANCELLED&before=2")
    assert (re.findall(rows, second), "before=" in second) == (["1"], False)


def test_what_is_held_has_its_mark_and_its_decisions(site: Site) -> None:
    site.house.hold("AAPL", since="2012-10-01")
    site.house.market.misbehave("AAPL", "dividend_x100", endpoint="chart")
    site.house.run()
    site.house.market.behave()
    html = site.as_("administrator").text("/dividends?state=HELD")
    text = plain_text(html)
    assert "held 1" in text
    assert "Wed 7 ex AAPL dividend 265.00 USD held Thu 8" in text
    assert re.findall(r'href="/dividends/1/([a-z]+)"', html) == ["apply", "ignore", "cancel"]
    assert 'href="/dividends/1/apply"' not in site.as_("viewer").text("/dividends?state=HELD")


def test_administrators_see_every_payment_of_an_action_and_its_explanation(paying: Site) -> None:
    browser, number = paying.as_("administrator"), number_of(paying, "AAPL")
    html = browser.text(f"/dividends/{number}")
    of_ann, of_bob = (
        next(one.id for one in paying.house.rows(DividendPayment) if one.leg == "PAYMENT" and str(one.net) == net)
        for net in ("53.0000", "7.9500")
    )
    text = plain_text(html)
    assert f"{of_ann} Thu 2012-11-15 Ann payment, version 1 20.00 53.00 0.00 53.00 USD 53.00 USD" in text
    assert f"{of_bob} Thu 2012-11-15 Bob payment, version 1 3.00 7.95 0.00 7.95 USD 7.95 USD" in text
    path = f"/dividends/{number}/payments/{of_ann}"
    assert f'href="{path}"' in html
    explained = plain_text(browser.text(path))
    assert f"Ann, action {number}" in explained
    assert "Tue 2012-09-04 buy, order 1 20.00" in explained
    # A payment of another action is none of this one.
    assert browser.get(f"/dividends/{number_of(paying, 'IBM')}/payments/{of_ann}").status_code == 404
    assert browser.get(f"/dividends/{number}/payments/999").status_code == 404


def test_a_viewer_sees_the_payments_to_own_accounts_alone(paying: Site) -> None:
    browser, number = paying.as_("viewer"), number_of(paying, "AAPL")
    html = browser.text(f"/dividends/{number}")
    text = plain_text(html)
    assert "Payments to your accounts" in text
    assert ("Bob payment, version 1 3.00 7.95" in text, "53.00" in text, "Ann" in text) == (True, False, False)
    [path] = re.findall(r'href="(/portfolio/[0-9]+/payments/[0-9]+)"', html)
    assert "Shares counted 3.00" in plain_text(browser.text(path))
    assert browser.get(f"/dividends/{number}/payments/2").status_code == 403


def test_payments_that_were_taken_back_say_why_and_go_on(paying: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.dividends.LISTED", 1)
    number = number_of(paying, "AAPL")
    assert paying.house.command("actions", "cancel", str(number), "--why", "never declared").exit_code == 0
    assert paying.house.command("run-dividend-processor").exit_code == 0
    browser = paying.as_("administrator")
    first = browser.text(f"/dividends/{number}")
    [before] = re.findall(r"before=([0-9]+)", first)
    second = browser.text(f"/dividends/{number}?before={before}")
    names = [re.findall(r"</td><td>(Ann|Bob)</td>", page) for page in (first, second)]
    assert (names, "before=" in second) == ([["Bob"], ["Ann"]], False)
    assert re.search(r"<td>[^<]*cancelled[^<]*</td>", first) is not None
