"""Corporate actions entered and edited in the browser: looked at first, kept once, told with who and why."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from closingbell.models import AuditEntry, Company, CorporateActionRow, CorporateActionVersion, DividendPayment
from tests.web.conftest import Browser, Site
from tests.web.test_pages import plain_text

SPECIAL = {
    "symbol": "aapl",
    "kind": "CASH_SPECIAL",
    "ex_date": "2012-11-12",
    "pay_date": "2012-11-20",
    "amount": "1.50",
    "currency": "USD",
    "why": "the issuer's notice of 2012-11-01",
}
SPIN_OFF = {
    "symbol": "AAPL",
    "kind": "SPIN_OFF",
    "ex_date": "2012-11-12",
    "ratio": "1:4",
    "child_symbol": "kid",
    "parent_basis_pct": "76.52",
    "why": "the issuer's notice",
}


@pytest.fixture
def held(site: Site) -> Site:
    """Ten shares of Apple in Ann's account since 2012-11-08, the day after a dividend's ex-date."""
    site.house.hold("AAPL", since="2012-11-08")
    return site


@pytest.fixture
def browser(held: Site) -> Browser:
    """An administrator with the form before them."""
    found = held.as_("administrator")
    found.get("/dividends/new")
    return found


def kept(site: Site) -> list[tuple[str, str, str]]:
    return [(row.kind, str(row.ex_date), f"{row.amount:.2f}") for row in site.house.rows(CorporateActionRow)]


def paid(site: Site) -> list[tuple[str, str, str]]:
    rows = [row for row in site.house.rows(DividendPayment) if row.leg == "PAYMENT"]
    return [(f"{row.net:.2f}", row.currency, str(row.value_date)) for row in rows]


def fields_of(page: str) -> dict[str, Any]:
    """What a browser would send of a page's form: every field that has a value."""
    found = dict(re.findall(r'<input[^>]*name="([a-z_]+)"[^>]*value="([^"]+)"', unescape(page)))
    chosen = re.search(r'<option value="([A-Z_]+)" selected', page)
    return {**found, **({"kind": chosen[1]} if chosen else {})}


def test_a_special_dividend_is_looked_at_entered_and_paid_once(held: Site, browser: Browser) -> None:
    looked = browser.post("/dividends/new", **SPECIAL, step="look")
    text = plain_text(looked.get_data(as_text=True))
    assert looked.status_code == 200
    assert "This would pay 1 account 15.00 USD before tax. Nothing is kept yet." in text
    assert kept(held) == []

    carried = fields_of(looked.get_data(as_text=True))
    entered = browser.post("/dividends/new", **{**carried, "step": "enter"})
    assert entered.status_code == 302
    again = browser.post("/dividends/new", **{**carried, "step": "enter"})
    assert (again.status_code, "is kept" in again.get_data(as_text=True)) == (422, False)
    assert "AAPL has a special dividend 1.50 USD on 2012-11-12 already" in plain_text(again.get_data(as_text=True))
    assert kept(held) == [("CASH_SPECIAL", "2012-11-12", "1.50")]

    for _ in range(2):
        assert held.house.command("run-dividend-processor").exit_code == 0
    assert paid(held) == [("15.00", "USD", "2012-11-20")]

    [version] = held.house.rows(CorporateActionVersion, order="version")
    assert (version.actor, version.reason) == (
        "web:administrator@example.org",
        "entered: the issuer's notice of 2012-11-01",
    )
    [entry] = [one for one in held.house.rows(AuditEntry) if one.action == "enter corporate action"]
    assert (entry.who, entry.action, entry.target, entry.detail, entry.address) == (
        "administrator@example.org",
        "enter corporate action",
        "1 AAPL",
        "special dividend 1.50 USD, ex 2012-11-12: the issuer's notice of 2012-11-01",
        "127.0.0.1",
    )


def test_every_field_that_cannot_be_read_is_named_and_nothing_typed_is_lost(held: Site, browser: Browser) -> None:
    refused = browser.post("/dividends/new", **{**SPECIAL, "amount": "a lot", "pay_date": "soon"}, step="look")

    page = refused.get_data(as_text=True)
    text = plain_text(page)
    assert refused.status_code == 422
    assert "Pay date: &#39;soon&#39; is not a date, as in 2012-11-30" in text
    assert "Amount per share: &#39;a lot&#39; is not a number" in text
    assert page.count('aria-invalid="true"') == 2
    assert fields_of(page).items() >= {**SPECIAL, "amount": "a lot", "pay_date": "soon"}.items()
    assert kept(held) == []


REFUSED = (
    ({"symbol": "NOPE"}, "NOPE: no company of that symbol is known here"),
    ({"symbol": "A\x00B"}, "no company of that symbol is known here"),
    ({"kind": "GIFT"}, "kind: choose one of the list"),
    ({"amount": ""}, "the amount per share must be above zero"),
    ({"amount": "1e99"}, "1E+99 is too large for a column with 10 decimals"),
    ({"currency": "DOLLARS"}, "the currency must be three capital letters, as in USD"),
    ({"ex_date": ""}, "give the ex-date, or the record date from which it follows"),
    ({"ex_date": "", "record_date": "0001-01-02"}, "Record date: the year 1 lies outside 1792 to 2200"),
    ({"tax_rate": "15"}, "a tax rate of 15; write 0.15 for 15 per cent"),
    ({"ratio": "3:2"}, "a cash special has no ratio"),
    ({"fx_rate": "1.3"}, "an exchange rate fixed by the company needs its currency"),
    ({"why": " "}, "say why, for those who look later"),
    ({"why": "x" * 201}, "the reason has 201 characters; 200 are kept"),
)
REFUSED_SPIN_OFFS = (
    ({"child_symbol": ""}, "a spin-off needs the symbol of the company spun off"),
    ({"child_symbol": "<b>"}, "is not a symbol, as in AAPL or VOD.L"),
    ({"parent_basis_pct": ""}, "a spin-off needs the share of the cost that stays with the parent, in per cent"),
    ({"ratio": "one to four"}, "is no ratio; write new:old, as in 3:2, or a number"),
)


def test_what_cannot_be_is_refused_with_the_reason_when_looked_at_and_when_entered(
    held: Site, browser: Browser
) -> None:
    cases = [({**SPECIAL, **changes}, said) for changes, said in REFUSED]
    cases += [({**SPIN_OFF, **changes}, said) for changes, said in REFUSED_SPIN_OFFS]
    for fields, said in cases:
        for step in ("look", "enter"):
            refused = browser.post("/dividends/new", **fields, step=step)
            text = plain_text(refused.get_data(as_text=True))
            assert (refused.status_code, said in text, "--" in text) == (422, True, False), (fields, text)
    assert kept(held) == []
    assert [row.symbol for row in held.house.rows(Company)] == ["AAPL"]


def test_a_spin_off_is_entered_with_its_child(held: Site, browser: Browser) -> None:
    looked = browser.post("/dividends/new", **SPIN_OFF, step="look")
    assert "This would concern 1 account with 10 shares." in plain_text(looked.get_data(as_text=True))
    browser.post("/dividends/new", **{**fields_of(looked.get_data(as_text=True)), "step": "enter"})

    [row] = held.house.rows(CorporateActionRow)
    assert (row.kind, row.numerator, row.denominator, row.child_symbol, row.currency) == ("SPIN_OFF", 1, 4, "KID", "")
    assert f"{row.parent_basis_pct:.2f}" == "76.52"


def test_a_second_one_of_a_day_is_meant_and_entered_once(held: Site, browser: Browser) -> None:
    browser.post("/dividends/new", **SPECIAL, step="enter")
    looked = browser.post("/dividends/new", **{**SPECIAL, "amount": "0.50"}, is_second="1", step="look")
    carried = {**fields_of(looked.get_data(as_text=True)), "step": "enter"}
    first, twice = (browser.post("/dividends/new", **carried) for _ in range(2))
    assert (first.status_code, twice.status_code) == (302, 422)
    assert "was entered meanwhile; look again" in twice.get_data(as_text=True)
    assert [row[2] for row in kept(held)] == ["1.50", "0.50"]


def test_the_ex_date_follows_from_a_record_date(held: Site, browser: Browser) -> None:
    # Trades settled after three business days: the ex-date lies two sessions before the record date.
    browser.post("/dividends/new", **{**SPECIAL, "ex_date": "", "record_date": "2012-11-16"}, step="enter")
    assert kept(held) == [("CASH_SPECIAL", "2012-11-14", "1.50")]


def test_an_action_is_edited_and_its_payment_corrected(held: Site, browser: Browser) -> None:
    browser.post("/dividends/new", **SPECIAL, step="enter")
    held.house.command("run-dividend-processor")
    shown = fields_of(browser.text("/dividends/1/edit"))
    assert {**shown}.items() >= {"kind": "CASH_SPECIAL", "amount": "1.50", "currency": "USD", "version": "1"}.items()

    changed = {**shown, "amount": "1.60", "why": "the notice was corrected"}
    looked = browser.post("/dividends/1/edit", **changed, step="look")
    text = plain_text(looked.get_data(as_text=True))
    assert "This would pay 1 account 16.00 USD before tax. What was booked for it is reversed and booked anew." in text
    assert "Amount per share 1.50 1.60 changed" in text
    assert browser.post("/dividends/1/edit", **changed, step="enter").status_code == 302
    # Sent twice, it is no change any more.
    assert browser.post("/dividends/1/edit", **changed, step="enter").status_code == 422

    held.house.command("run-dividend-processor")
    active = [row for row in held.house.rows(DividendPayment) if row.leg == "PAYMENT" and row.is_active]
    assert [f"{row.net:.2f}" for row in active] == ["16.00"]
    newest = held.house.rows(CorporateActionVersion, order="version")[-1]
    assert (newest.version, newest.reason) == (2, "edited: the notice was corrected")
    edits = [one.target for one in held.house.rows(AuditEntry) if one.action == "edit corporate action"]
    assert edits == ["1 AAPL"]


def test_what_somebody_else_changed_meanwhile_is_not_written_over(held: Site, browser: Browser) -> None:
    browser.post("/dividends/new", **SPECIAL, step="enter")
    shown = fields_of(browser.text("/dividends/1/edit"))
    held.house.command("actions", "edit", "1", "--amount", "1.70", "--why", "told by the registrar")
    refused = browser.post("/dividends/1/edit", **{**shown, "amount": "1.60", "why": "the notice"}, step="enter")
    assert (refused.status_code, kept(held)[0][2]) == (422, "1.70")
    assert "was changed by somebody else meanwhile; look again" in refused.get_data(as_text=True)


def test_nothing_changed_and_nothing_there_are_said(held: Site, browser: Browser) -> None:
    browser.post("/dividends/new", **SPECIAL, step="enter")
    shown = fields_of(browser.text("/dividends/1/edit"))
    same = browser.post("/dividends/1/edit", **shown, why="no reason", step="look")
    assert (same.status_code, "nothing is changed" in same.get_data(as_text=True)) == (422, True)
    emptied = browser.post("/dividends/1/edit", **{**shown, "ex_date": "", "why": "x"}, step="look")
    assert (emptied.status_code, "Ex-date: it must stay known" in emptied.get_data(as_text=True)) == (422, True)
    assert browser.get("/dividends/99/edit").status_code == 404


def test_back_to_the_form_everything_stands_as_it_was_typed(browser: Browser) -> None:
    looked = browser.post("/dividends/new", **SPECIAL, step="look")
    back = browser.post("/dividends/new", **{**fields_of(looked.get_data(as_text=True)), "step": "change"})
    found = fields_of(back.get_data(as_text=True))
    assert (back.status_code, found["amount"], found["pay_date"], found["kind"]) == (
        200,
        "1.50",
        "2012-11-20",
        "CASH_SPECIAL",
    )


def test_the_fields_of_the_chosen_kind_stand_open(browser: Browser) -> None:
    assert "<details open>" not in browser.text("/dividends/new")
    assert browser.text("/dividends/new?kind=SPIN_OFF").count("<details open>") == 1


def test_a_viewer_is_offered_neither(held: Site) -> None:
    viewer = held.as_("viewer")
    assert "Enter an action" not in viewer.text("/dividends")
    assert viewer.post("/dividends/new", **SPECIAL, step="enter").status_code == 403
    assert kept(held) == []
