from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import event

from closingbell.models import Account
from tests.web.conftest import Site
from tests.web.test_pages import plain_text

ORDERS = """
2012-09-04,DEPOSIT,,,100000,0,USD
2012-09-04,BUY,AAPL,20,675.00,4.95,USD
2012-09-04,BUY,IBM,10,195,0,USD
2012-11-16,SELL,AAPL,5,525,4.95,USD
"""


@pytest.fixture
def ann(site: Site) -> Site:
    """The member's account Ann, of a resident of Germany, paid what is due."""
    house = site.house
    house.orders(ORDERS)
    house.command("accounts", "set", "Ann", "--residence", "DE")
    house.command("books", "withhold", "US", "0.15", "--since", "2000-01-01", "--residence", "DE")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    assert house.command("accounts", "give", "Ann", "member@example.org").stdout == (
        "account Ann is member@example.org's\n"
    )
    return site


def path_of(site: Site, name: str = "Ann") -> str:
    (account,) = [one for one in site.house.rows(Account) if one.name == name]
    return f"/portfolio/{account.id}"


def test_the_portfolio_lists_ones_own_accounts(ann: Site) -> None:
    browser = ann.as_("member")
    text = plain_text(browser.text("/portfolio"))
    assert "Ann 97,897.27 USD 2 87,210.15 USD 7.22 USD On Fri 2012-11-30" in text
    assert f'href="{path_of(ann)}"' in browser.text("/portfolio")


def test_an_account_shows_cost_value_gain_and_cash(ann: Site) -> None:
    text = plain_text(ann.as_("member").text(path_of(ann)))
    assert "Worth 97,897.27 USD Cash 87,210.15 USD On its way 7.22 USD" in text
    assert (
        "AAPL Apple Inc. 15.00 10,125.00 USD 675.00 585.28 Fri 2012-11-30 8,779.20 USD -1,345.80 -750.00 "
        "by account : dividends of AAPL IBM International Business Machines Corporation 10.00 1,950.00 USD 195.00 "
        "190.07 Fri 2012-11-30 1,900.70 USD -49.30 0.00" in text
    )


def test_an_account_shows_its_value_by_month(ann: Site) -> None:
    text = plain_text(ann.as_("member").text(path_of(ann)))
    assert "Fri 2012-11-30 10,679.90 USD 87,210.15 USD 7.22 USD 97,897.27 USD Wed 2012-10-31 13,851.70 USD" in text
    assert "Fri 2012-09-28 15,416.60 USD 84,545.05 USD – 99,961.65 USD" in text


def test_an_account_shows_income_gross_tax_and_net(ann: Site) -> None:
    text = plain_text(ann.as_("member").text(path_of(ann)))
    # 20 shares at 2.65, 15 % of which are withheld.
    assert "2012-11 dividend 53.00 USD 7.95 45.05 Income by year" in text
    assert "2012 dividend 53.00 USD 7.95 45.05" in text


def test_a_day_in_the_past_has_that_days_shares_and_closes(ann: Site) -> None:
    browser = ann.as_("member")
    text = plain_text(browser.text(path_of(ann) + "?on=2012-11-08"))
    assert "AAPL Apple Inc. 20.00 13,500.00 USD 675.00 537.75 Thu 2012-11-08" in text
    assert "Nothing was paid yet." in text
    # What is no day, and what is yet to come, is today.
    assert "Nothing is held." in plain_text(browser.text(path_of(ann) + "?on=0001-01-01"))
    for on in ("soon", "2099-01-01"):
        assert "AAPL Apple Inc. 15.00 " in plain_text(browser.text(f"{path_of(ann)}?on={on}"))


def test_another_persons_account_is_not_there_whoever_asks(ann: Site) -> None:
    path = path_of(ann)
    for role in ("viewer", "administrator"):
        browser = ann.as_(role)
        response = browser.get(path)
        assert response.status_code == 404
        assert "Ann" not in plain_text(response.get_data(as_text=True)).replace("Sign out", "")
        told = [plain_text(one.get_data(as_text=True)) for one in (response, browser.get("/portfolio/999999"))]
        assert told[0] == told[1]
        assert "No account is yours." in plain_text(browser.text("/portfolio"))


def test_a_close_that_is_not_stored_is_told(site: Site) -> None:
    site.house.orders("2012-11-29,BUY,GOOG,1,680,0,USD")
    site.house.command("accounts", "give", "Ann", "member@example.org")
    text = plain_text(site.as_("member").text(path_of(site)))
    assert "no close is stored for GOOG" in text
    assert "Worth not known" in text


def test_a_hostile_name_is_text(site: Site) -> None:
    name = "<script>alert(1)</script>"
    site.house.orders("2012-11-29,DEPOSIT,,,5,0,USD", account=name)
    site.house.command("accounts", "give", name, "member@example.org")
    browser = site.as_("member")
    for path in ("/portfolio", path_of(site, name)):
        text = browser.text(path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_an_account_is_given_to_somebody_who_is_there(site: Site) -> None:
    site.house.orders("2012-11-29,DEPOSIT,,,5,0,USD")
    for name, email, said in (
        ("Ann", "nobody@example.org", "nobody has the address 'nobody@example.org'"),
        ("Bob", "member@example.org", "no account is called 'Bob'"),
    ):
        result = site.house.command("accounts", "give", name, email)
        assert result.exit_code != 0
        assert said in result.stderr
    assert [one.user_id for one in site.house.rows(Account)] == [None]


def test_what_is_coming_stands_by_month_with_its_cash(ann: Site) -> None:
    text = plain_text(ann.as_("member").text(path_of(ann) + "/dividends"))
    # IBM's dividend of 2012-11-07, 0.85 on ten shares less 15 %, is paid in December.
    assert "December 2012 expected: 7.22 USD" in text
    assert "Mon 2012-12-10 pay date" in text
    assert "IBM 10.00 0.85 8.50 1.28 7.22 USD ex" in text


def test_a_payment_is_explained_line_by_line(ann: Site) -> None:
    browser, path = ann.as_("member"), path_of(ann)
    page = browser.text(path + "/dividends")
    address = re.search(r'href="(/portfolio/[0-9]+/payments/[0-9]+)"', page)
    assert address is not None
    text = plain_text(browser.text(address[1]))
    assert "Declared 2.65 USD for each share of the close before the ex-date" in text
    assert "Shares counted 20.00 Gross 53.00 USD Tax 7.95 USD, at 0.15 by the table" in text
    assert "Tue 2012-09-04 buy, order" in text
    assert "Cash 45.05 USD" in text
    assert browser.get(path + "/payments/999999").status_code == 404
    assert ann.as_("administrator").get(address[1]).status_code == 404


def test_twenty_accounts_are_read_with_as_many_statements_as_one(ann: Site) -> None:
    browser = ann.as_("member")
    with_one = statements_of(ann, lambda: browser.text("/portfolio"))
    ann.house.command("books", "fx", "USD", "EUR", "2012-11-29", "0.77")
    ann.house.command("books", "fx", "USD", "CHF", "2012-11-29", "0.93")
    for number in range(19):
        name = f"Ann {number:02d}"
        ann.house.command("accounts", "add", name, "--currency", ("USD", "EUR", "CHF")[number % 3])
        ann.house.orders("2012-09-04,DEPOSIT,,,1000,0,USD 2012-09-04,BUY,IBM,1,195,0,USD", account=name)
        ann.house.command("accounts", "give", name, "member@example.org")

    with_twenty = statements_of(ann, lambda: browser.text("/portfolio"))

    # One more: what exchange rates there are, which accounts of one currency need not know.
    assert len(with_twenty) == len(with_one) + 1, "\n".join(with_twenty)
    text = plain_text(browser.text("/portfolio"))
    # 805 in cash and a share at 190.07; that at 0.77 and at 0.93.
    assert "Ann 00 995.07 USD 1 805.00 USD" in text
    assert "Ann 01 766.20 EUR 1 805.00 USD" in text
    assert "Ann 02 925.42 CHF 1 805.00 USD" in text
    assert "Ann 97,897.27 USD 2 87,210.15 USD 7.22 USD" in text


def statements_of(site: Site, act: Callable[[], object]) -> list[str]:
    """What the database was asked meanwhile."""
    sent: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(site.context.database.engine, "before_cursor_execute", count)
    try:
        act()
    finally:
        event.remove(site.context.database.engine, "before_cursor_execute", count)
    return sent


def test_the_chart_tells_worth_by_day_and_income_by_month(ann: Site) -> None:
    browser, path = ann.as_("member"), path_of(ann)
    told = browser.get(path + "/chart").get_json()
    worth = dict(zip(told["at"], told["worth"], strict=True))
    # The first session after the first order; nothing is drawn of the months before there was anything.
    assert (told["at"][0], told["currency"]) == ("2012-09-04", "USD")
    assert (worth["2012-09-28"], worth["2012-10-31"], worth["2012-11-30"]) == (99961.65, 98396.75, 97897.27)
    # 53.00 of Apple's, of which 7.95 are withheld; IBM's is paid in December.
    assert told["income"] == {"months": ["2012-11"], "of": {"USD": {"gross": [53.0], "net": [45.05]}}}

    before = browser.get(path + "/chart?on=2012-11-08&range=all").get_json()
    assert before["at"] == ["2012-09-28", "2012-10-31", "2012-11-08"]
    assert before["income"] == {"months": [], "of": {}}
    weeks = browser.get(path + "/chart?range=5y").get_json()["at"]
    assert (weeks[0], weeks[-1], len(weeks)) == ("2012-09-07", "2012-11-30", 13)
    assert len(browser.get(path + "/chart?range=nonsense").get_json()["at"]) == len(told["at"])


def test_the_months_between_two_incomes_are_told_as_nothing(site: Site) -> None:
    site.house.orders(
        "2012-09-03,DEPOSIT,,,10,0,USD 2012-09-28,INTEREST,,,2.00,0,USD "
        "2012-11-16,INTEREST,,,1.00,0,EUR 2012-11-29,INTEREST,,,0.50,0,EUR"
    )
    site.house.command("accounts", "give", "Ann", "member@example.org")
    told = site.as_("member").get(path_of(site) + "/chart").get_json()
    assert told["income"] == {
        "months": ["2012-09", "2012-10", "2012-11"],
        "of": {"EUR": {"gross": [0, 0, 1.5], "net": [0, 0, 1.5]}, "USD": {"gross": [2, 0, 0], "net": [2, 0, 0]}},
    }
    # There is no rate from EUR to USD: not known, and not nothing.
    assert (told["at"], told["worth"]) == (["2012-11-30"], [None])


def test_an_accounts_page_may_draw_and_reads_without_scripts(ann: Site) -> None:
    browser, path = ann.as_("member"), path_of(ann)
    page = browser.get(path + "?range=all")
    assert "style-src 'self' 'unsafe-inline'" in page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    text = page.get_data(as_text=True)
    library = re.search(r'src="(/chart-library/[^"]+)"', text)
    assert library is not None
    assert browser.get(library[1]).status_code == 200
    assert f'data-portfolio-chart="{path}/chart?range=all&amp;on=2012-11-30"' in text
    assert "Fri 2012-09-28 15,416.60 USD 84,545.05 USD – 99,961.65 USD" in plain_text(text)


def test_another_persons_chart_is_not_there(ann: Site) -> None:
    assert ann.as_("administrator").get(path_of(ann) + "/chart").status_code == 404
