"""What people decide on corporate actions, and enter where no provider knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from closingbell.domain.money import plain
from closingbell.models import Company, CorporateActionRow, CorporateActionVersion, DividendPayment
from closingbell.replay import RecordedMarket
from closingbell.replay.market import Market, Split
from closingbell.stores import actions
from tests.app_fixtures import House


def decide(house: House, *words: str, why: str = "the issuer's notice") -> Any:
    """``actions WORDS``, by Ann."""
    return house.command("actions", *words, "--why", why, "--by", "Ann")


def only(house: House) -> Any:
    [row] = house.rows(CorporateActionRow)
    return row


def versions(house: House) -> list[tuple[int, str, str]]:
    """Every version: number, who, why."""
    return [(row.version, row.actor, row.reason) for row in house.rows(CorporateActionVersion, order="version")]


def again(house: House, now: str) -> None:
    house.at(now).refresh("AAPL", force=True)


@pytest.fixture
def doubtful(house: House) -> House:
    """Apple's dividend of 2012-11-07 told a hundred times too high: held."""
    house.hold("AAPL", since="2012-10-01")
    house.market.misbehave("AAPL", "dividend_x100", endpoint="chart")
    house.run()
    house.market.behave()
    return house


@pytest.fixture
def ordinary(house: House) -> House:
    """Apple's dividend of 2012-11-07, 2.65."""
    house.hold("AAPL", since="2012-10-01")
    house.run()
    return house


# --- What is shown.


def test_list_shows_what_waits_with_the_reason(doubtful: House) -> None:
    result = doubtful.command("actions", "list")

    heading, line = result.stdout.splitlines()
    assert heading.split("  ")[0] == "id"
    assert line.split()[1:7] == ["AAPL", "2012-11-07", "dividend", "265.00", "USD", "held"]
    assert line.endswith("yahoo  it is a quarter of the price or more: a deferred ex-date, or a hundredfold error")


def test_list_is_empty_where_nothing_waits(ordinary: House) -> None:
    assert ordinary.command("actions", "list").stdout == "no corporate action waits for a decision\n"
    [one] = json.loads(ordinary.command("actions", "list", "--all", "--format", "json").stdout)
    assert (one["symbol"], one["kind"], one["amount"], one["is_held"]) == ("AAPL", "CASH", "2.65", False)
    assert ordinary.command("actions", "list", "--symbols", "NOPE").exit_code == 2


def test_show_tells_versions_and_prints(doubtful: House) -> None:
    number = str(only(doubtful).id)
    decide(doubtful, "edit", number, "--amount", "2.65", "--pay-date", "2012-11-15")
    decide(doubtful, "apply", number)

    lines = doubtful.command("actions", "show", number).stdout.splitlines()

    assert lines[0] == "AAPL: dividend 2.65 USD, ex 2012-11-07, counts"
    assert lines[1] == "pay date 2012-11-15 (confirmed)"
    assert [line.split("  ")[1] for line in lines if line.startswith("  ") and line[2].isdigit()] == ["1", "2", "3"]
    assert lines[-1].startswith("  yahoo 265.0 for 2012-11-07, 1 times from 2012-11-30 16:31:00 EST")
    assert lines[-1].endswith("HELD")
    assert json.loads(doubtful.command("actions", "show", number, "--format", "json").stdout)["action"]["version"] == 3
    assert doubtful.command("actions", "show", "999999").exit_code == 2


# --- Applying, ignoring, editing.


def test_applied_action_counts_and_says_who_and_why(doubtful: House) -> None:
    result = decide(doubtful, "apply", str(only(doubtful).id))

    assert (result.exit_code, result.stdout.split(", ", 1)[1]) == (
        0,
        "dividend 265.00 USD of 2012-11-07, counts (version 2)\n",
    )
    assert (only(doubtful).is_held, only(doubtful).held_code) == (False, None)
    assert versions(doubtful)[1] == (2, "Ann", "applied: the issuer's notice")
    assert decide(doubtful, "apply", str(only(doubtful).id)).exit_code == 2


def test_ignored_action_stays_ignored_whatever_the_provider_repeats(doubtful: House) -> None:
    decide(doubtful, "ignore", str(only(doubtful).id), why="pence")
    doubtful.market.misbehave("AAPL", "dividend_x100", endpoint="chart")

    again(doubtful, "2012-12-03 16:31")
    again(doubtful, "2012-12-05 16:31")

    assert (only(doubtful).is_cancelled, only(doubtful).version) == (True, 2)
    assert doubtful.command("actions", "list").stdout == "no corporate action waits for a decision\n"


def test_edited_action_is_changed_by_no_provider(ordinary: House) -> None:
    decide(ordinary, "edit", str(only(ordinary).id), "--amount", "2.70", "--kind", "return_of_capital")
    ordinary.market.misbehave("AAPL", "dividend_changed", endpoint="chart")

    again(ordinary, "2012-12-03 16:31")
    again(ordinary, "2012-12-05 16:31")

    row = only(ordinary)
    assert (row.kind, plain(row.amount), row.version, row.is_user_entered) == ("RETURN_OF_CAPITAL", "2.70", 2, True)
    assert versions(ordinary)[1] == (2, "Ann", "edited: the issuer's notice")


def test_correction_is_taken_over_at_once_when_a_person_confirms_it(ordinary: House) -> None:
    number = str(only(ordinary).id)
    assert "does not wait" in decide(ordinary, "apply", number).stderr
    ordinary.market.misbehave("AAPL", "dividend_changed", endpoint="chart")
    again(ordinary, "2012-12-03 16:31")
    waits = ordinary.command("actions", "list").stdout.splitlines()[1]
    assert waits.endswith(
        "yahoo tells 2.915 for 2012-11-07: told differently: counts when it is told again a day later"
    )

    assert "add --told" in decide(ordinary, "apply", number).stderr
    assert decide(ordinary, "apply", number, "--told").exit_code == 0

    assert (plain(only(ordinary).amount), only(ordinary).version) == ("2.915", 2)
    again(ordinary, "2012-12-04 16:31")
    assert only(ordinary).version == 2
    assert ordinary.command("actions", "list").stdout == "no corporate action waits for a decision\n"


def test_ignored_correction_is_not_applied_later(ordinary: House) -> None:
    ordinary.market.misbehave("AAPL", "dividend_changed", endpoint="chart")
    again(ordinary, "2012-12-03 16:31")

    result = decide(ordinary, "ignore", str(only(ordinary).id))
    again(ordinary, "2012-12-04 16:31")
    again(ordinary, "2012-12-06 16:31")

    assert "stays as it is" in result.stdout
    assert plain(only(ordinary).amount) == "2.65"


def test_cancelled_action_can_be_reinstated(ordinary: House) -> None:
    number = str(only(ordinary).id)
    decide(ordinary, "cancel", number, why="taken back by the board")
    assert only(ordinary).is_cancelled is True
    assert decide(ordinary, "cancel", number).exit_code == 2
    again(ordinary, "2012-12-03 16:31")
    assert only(ordinary).is_cancelled is True

    decide(ordinary, "reinstate", number)

    assert only(ordinary).is_cancelled is False
    assert [one[2] for one in versions(ordinary)] == [
        "first told",
        "cancelled: taken back by the board",
        "reinstated: the issuer's notice",
    ]
    assert decide(ordinary, "reinstate", number).exit_code == 2


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--amount", "0"], "the amount per share must be above zero"),
        (["--currency", "dollars"], "the currency must be three capital letters, as in USD, not 'DOLLARS'"),
        (["--kind", "SPLIT"], "a split has no amount; the ratio must be given as new:old, above zero"),
        (["--tax-rate", "15"], "a tax rate of 15; write 0.15 for 15 per cent"),
        (["--fx-rate", "1.1"], "an exchange rate fixed by the company needs its currency, and the other way round"),
        (["--ratio", "two"], "'two' is no ratio; write new:old, as in 3:2, or a number"),
        ([], "say what is to be changed; closingbell actions edit --help lists it"),
    ],
)
def test_facts_that_make_no_sense_are_refused(ordinary: House, words: list[str], sentence: str) -> None:
    result = decide(ordinary, "edit", str(only(ordinary).id), *words)

    assert (result.exit_code, result.stderr) == (2, f"error: {sentence}\n")
    assert only(ordinary).version == 1


def test_odd_split_is_a_real_one_when_a_person_says_so(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    listing = market.find("IBM")
    assert listing is not None
    odd = Market([replace(listing, splits=(Split(date(2012, 11, 15), 1324, 1000),), dividends=())])
    house = houses(tables_url, "2012-11-30 16:31", market=odd)
    house.hold("IBM", since="2012-11-01")
    house.run()
    number = str(only(house).id)

    refused = decide(house, "apply", number)
    assert "a spin-off needs the symbol of the company spun off (--child)" in refused.stderr
    decide(house, "edit", number, "--kind", "SPLIT")
    decide(house, "apply", number)

    company_id = house.company("IBM").id
    with house.context.database.read() as connection:
        assert actions.load_splits(connection, [company_id]) == {company_id: {date(2012, 11, 15): Fraction(331, 250)}}


@pytest.mark.one_database
def test_suspected_spin_off_is_completed_and_booked(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    listing = market.find("IBM")
    assert listing is not None
    odd = Market([replace(listing, splits=(Split(date(2012, 11, 15), 1324, 1000),), dividends=())])
    house = houses(tables_url, "2012-11-30 16:31", market=odd)
    house.hold("IBM", since="2012-11-01")
    house.run()
    number = str(only(house).id)

    assert "cannot spin itself off" in decide(house, "edit", number, "--child", "IBM").stderr
    decide(house, "edit", number, "--child", "KD")
    assert "that stays with the parent, in per cent (--parent-basis-pct)" in decide(house, "apply", number).stderr
    decide(house, "edit", number, "--parent-basis-pct", "90")
    assert "331:250 is by how much prices were restated" in decide(house, "apply", number).stderr
    decide(house, "edit", number, "--ratio", "1:5")
    assert decide(house, "apply", number).exit_code == 0

    company_id = house.company("IBM").id
    with house.context.database.read() as connection:
        assert actions.load_price_splits(connection, [company_id]) == {
            company_id: {date(2012, 11, 15): Fraction(331, 250)}
        }
    assert house.command("run-dividend-processor").exit_code == 0
    shown = house.command("actions", "show", number).stdout
    assert "booked: 2.00 shares in 1 account, with 1.00 USD of the cost\n" in shown
    (leg,) = house.rows(DividendPayment)
    explained = house.command("explain-payment", str(leg.id)).stdout
    assert "declared   1:5, shares of KD for those of the close before the ex-date" in explained
    assert f"brought    2.00 shares of KD by order {leg.order_id}" in explained
    assert "cost       90.00 per cent of the cost stays with IBM, 1.00 USD of it goes along" in explained
    assert "2012-11-15  Equity:Transfers  1.00 USD" in explained


# --- What a person enters.


def test_spin_off_is_entered_with_its_child(ordinary: House) -> None:
    result = decide(
        ordinary, "add", "aapl", "SPIN_OFF", "--ex-date", "2012-11-20", "--ratio", "0.241917", "--child", "aapx",
        "--parent-basis-pct", "76.52",
    )  # fmt: skip

    assert result.stdout.split(", ", 1)[1] == ("spin-off 241917:1000000 in AAPX of 2012-11-20, counts (version 1)\n")
    assert {row.symbol for row in ordinary.rows(Company)} == {"AAPL", "AAPX"}
    row = ordinary.rows(CorporateActionRow)[1]
    assert (row.kind, row.child_symbol, plain(row.parent_basis_pct), row.currency) == (
        "SPIN_OFF",
        "AAPX",
        "76.52",
        "",
    )
    assert (row.is_user_entered, row.provider) == (True, "person")


def test_ex_date_follows_from_the_record_date(ordinary: House) -> None:
    """Veterans Day is a session on which nothing settles: three days before 2012-11-12 is 11-07."""
    decide(ordinary, "add", "AAPL", "CASH_SPECIAL", "--record-date", "2012-11-19", "--amount", "1")

    special = ordinary.rows(CorporateActionRow)[1]
    assert (special.kind, str(special.ex_date), str(special.record_date), special.currency) == (
        "CASH_SPECIAL",
        "2012-11-15",
        "2012-11-19",
        "USD",
    )
    assert decide(ordinary, "add", "AAPL", "CASH", "--amount", "1").exit_code == 2


def test_special_and_regular_dividend_of_one_day_are_two(ordinary: House) -> None:
    assert decide(ordinary, "add", "AAPL", "CASH_SPECIAL", "--ex-date", "2012-11-07", "--amount", "1").exit_code == 0

    refused = decide(ordinary, "add", "AAPL", "CASH", "--ex-date", "2012-11-07", "--amount", "2.65")
    assert refused.exit_code == 2
    assert "AAPL has a dividend 2.65 USD on 2012-11-07 already (number" in refused.stderr
    assert (
        decide(ordinary, "add", "AAPL", "CASH", "--ex-date", "2012-11-07", "--amount", "2.65", "--second").exit_code
        == 0
    )
    again(ordinary, "2012-12-03 16:31")
    again(ordinary, "2012-12-05 16:31")

    rows = ordinary.rows(CorporateActionRow)
    assert [(row.kind, row.seq, plain(row.amount)) for row in rows] == [
        ("CASH", 0, "2.65"),
        ("CASH_SPECIAL", 0, "1.00"),
        ("CASH", 1, "2.65"),
    ]


def test_dividend_entered_before_the_provider_tells_it_is_not_kept_twice(house: House) -> None:
    house.hold("AAPL", since="2012-10-01")
    house.market.misbehave("AAPL", "dividend_missing", endpoint="chart")
    house.run()
    house.market.behave()
    decide(house, "add", "AAPL", "CASH", "--ex-date", "2012-11-07", "--amount", "2.65", "--pay-date", "2012-11-15")

    again(house, "2012-12-03 16:31")

    assert (only(house).version, str(only(house).pay_date), only(house).pay_date_status) == (
        1,
        "2012-11-15",
        "CONFIRMED",
    )


def test_unknown_company_or_number_is_named(ordinary: House) -> None:
    assert (
        "NOPE: no company of that symbol is known here"
        in decide(ordinary, "add", "NOPE", "CASH", "--ex-date", "2012-11-07", "--amount", "1").stderr
    )
    assert "no corporate action has the number 999999" in decide(ordinary, "apply", "999999").stderr


# --- A record date that asks for another ex-date.


def test_record_date_a_session_away_moves_the_ex_date_where_nobody_traded(ordinary: House) -> None:
    """Under three days, 2012-11-13 as record date asks for 11-08: nothing settled on 11-12, Veterans Day."""
    decide(ordinary, "edit", str(only(ordinary).id), "--record-date", "2012-11-13")

    assert (str(only(ordinary).ex_date), only(ordinary).is_held) == ("2012-11-08", False)


def test_record_date_a_session_away_is_held_where_somebody_traded_in_between(ordinary: House) -> None:
    ordinary.orders("2012-11-07,BUY,AAPL,5,560.00,0,USD", account="Bob")

    decide(ordinary, "edit", str(only(ordinary).id), "--record-date", "2012-11-13")

    assert (str(only(ordinary).ex_date), only(ordinary).held_code) == ("2012-11-07", "EX_DATE_DOUBTFUL")
    decide(ordinary, "apply", str(only(ordinary).id))
    assert (str(only(ordinary).ex_date), only(ordinary).is_held) == ("2012-11-07", False)


def test_record_date_of_the_ex_date_changes_nothing_else(ordinary: House) -> None:
    """Three settlement days after 11-07 are 11-08, 11-09 and 11-13."""
    decide(ordinary, "edit", str(only(ordinary).id), "--record-date", "2012-11-12")

    assert (str(only(ordinary).ex_date), str(only(ordinary).record_date), only(ordinary).is_held) == (
        "2012-11-07",
        "2012-11-12",
        False,
    )
