"""Prices that a person sets by hand: kept whatever a provider says, until the person gives them back."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from closingbell.domain.money import plain
from closingbell.domain.runs import RunStatus
from closingbell.models import CompanyDecision, PriceCoverage, PriceGap, PriceHistory, PriceRevision, QuarantinedBar
from closingbell.stores.upsert import table_of
from tests.app_fixtures import House, item, new_york


def set_price(house: House, symbol: str, day: str, *more: str, close: str, why: str = "from the exchange") -> str:
    """``set-price`` by Ann; what it printed."""
    result = house.command("set-price", symbol, day, "--close", close, "--why", why, "--by", "Ann", *more)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(house: House, *arguments: str) -> str:
    """The error of a command that is refused; it changes nothing."""
    result = house.command(*arguments)
    assert result.exit_code == 2
    assert house.rows(CompanyDecision) == []
    return result.stderr


def bar_of(house: House, symbol: str, day: str) -> tuple[str, ...]:
    """Open, high, low, close, volume, provider and state of a stored bar."""
    bar = next(bar for bar in house.bars(symbol) if str(bar.date) == day)
    prices = [plain(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    return (*prices, str(bar.volume), bar.provider, "settled" if bar.is_settled else "provisional")


def test_price_set_by_hand_is_settled_and_what_stood_there_is_a_revision(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()

    told = set_price(house, "AAPL", "2012-11-29", close="589.00")

    assert told == (
        "AAPL on 2012-11-29 is set to 589.00 (589.00, 589.00, 589.00; 18382100 shares) USD; "
        "before: 589.36 (590.215, 594.25, 585.25; 18382100 shares) from yahoo\n"
    )
    assert bar_of(house, "AAPL", "2012-11-29") == (
        *("589.00", "589.00", "589.00", "589.00"),
        *("18382100", "manual", "settled"),
    )
    [revision] = house.rows(PriceRevision)
    assert (plain(revision.old_close), plain(revision.new_close)) == ("589.36", "589.00")
    assert (revision.old_provider, revision.new_provider) == ("yahoo", "manual")
    assert revision.new_fetched_at == new_york("2012-11-30 16:31")


def test_all_of_a_bar_can_be_told(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()

    set_price(
        house,
        "aapl",
        "2012-11-29",
        "--open",
        "590",
        "--high",
        "594.5",
        "--low",
        "585.123456",
        "--volume",
        "7",
        close="589",
    )

    assert bar_of(house, "AAPL", "2012-11-29") == (
        *("590.00", "594.50", "585.123456", "589.00"),
        *("7", "manual", "settled"),
    )


def test_no_provider_changes_it(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    set_price(house, "AAPL", "2012-11-29", close="589.00")
    set_price(house, "AAPL", "2012-11-30", close="585.00")

    evening = house.at("2012-12-03 16:31").run()
    forced = house.refresh("AAPL", force=True)

    assert (evening.status, forced.status) == (RunStatus.SUCCESS, RunStatus.SUCCESS)
    assert item(forced, "AAPL").changed_count == 0
    assert house.closes("AAPL") == {
        "2012-11-28": "582.94",
        "2012-11-29": "589.00",
        "2012-11-30": "585.00",
        "2012-12-03": "586.19",
    }
    assert len(house.rows(PriceRevision)) == 2


def test_what_a_provider_says_of_that_day_is_not_even_judged(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", "price_x100", endpoint="chart", date="2012-11-30")
    assert house.run().status is RunStatus.PARTIAL
    set_price(house, "AAPL", "2012-11-30", close="585.28", why="the source has cents")

    later = house.at("2012-12-03 16:31").refresh("AAPL", force=True)

    assert later.status is RunStatus.SUCCESS
    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    [kept] = house.rows(QuarantinedBar)
    assert (kept.note, kept.released_at) == (
        "a price was set by hand by Ann: the source has cents",
        new_york("2012-11-30 16:31"),
    )


def test_bar_set_aside_cannot_take_its_place(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", "price_x100", endpoint="chart", date="2012-11-30")
    house.run()
    set_price(house, "AAPL", "2012-11-30", close="585.28")
    # As if a run had been under way just then.
    table = table_of(QuarantinedBar)
    house.context.database.write_unit(lambda c: c.execute(table.update().values(released_at=None, note=None)))
    [kept] = house.rows(QuarantinedBar)

    result = house.command("quarantine", "accept", str(kept.id), "--why", "no idea")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: 2012-11-30: the price of AAPL was set by hand; to accept this one, first run: "
        "closingbell unset-price AAPL 2012-11-30 --why ...\n",
    )
    assert house.closes("AAPL")["2012-11-30"] == "585.28"


def test_price_for_a_session_that_the_source_lacks_fills_the_gap(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-05")
    house.run()
    assert [str(gap.date) for gap in house.rows(PriceGap, order="date")] == ["2012-11-05"]

    set_price(house, "AAPL", "2012-11-05", close="584.62")

    assert house.rows(PriceGap, order="date") == []
    assert house.rows(PriceRevision) == []
    assert house.command("coverage").stdout.splitlines()[-1] == (
        "21 of 21 expected closes of 1 company stored; "
        "0 missing, 0 known gaps, 1 provisional, 0 quarantined, 0 unexpected"
    )


def test_price_is_set_while_a_run_has_its_answer_in_hand(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.market.misbehave("AAPL", "stale", endpoint="chart")
    house.run()
    house.market.behave()
    from closingbell.jobs import price_storing

    load_known = price_storing._load_known

    def load_then_somebody_sets_a_price(*arguments: object) -> object:
        known = load_known(*arguments)  # type: ignore[arg-type]
        set_price(house, "AAPL", "2012-11-30", close="589.36", why="same as it was")
        return known

    monkeypatch.setattr(price_storing, "_load_known", load_then_somebody_sets_a_price)

    house.at("2012-12-03 16:31").run()

    assert bar_of(house, "AAPL", "2012-11-30")[3:] == ("589.36", "0", "manual", "settled")


# --- Giving it back.


def test_given_back_what_stood_there_stands_again_until_it_is_asked_for(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    set_price(house, "AAPL", "2012-11-29", close="589.00")
    set_price(house, "AAPL", "2012-11-29", close="588.00")

    result = house.command("unset-price", "AAPL", "2012-11-29", "--why", "wrong day", "--by", "Ben")

    assert (result.exit_code, result.stdout) == (
        0,
        "AAPL on 2012-11-29 is the providers' again; 589.36 (590.215, 594.25, 585.25; 18382100 shares) stands there, "
        "provisional, until a run asks for it\n",
    )
    assert bar_of(house, "AAPL", "2012-11-29") == (
        *("590.215", "594.25", "585.25", "589.36"),
        *("18382100", "yahoo", "provisional"),
    )
    house.at("2012-12-03 16:31").run()
    house.sweep("AAPL")
    assert house.states("AAPL")["2012-11-29"] == "settled"
    [coverage] = house.rows(PriceCoverage, order="company_id")
    assert (str(coverage.covered_from), str(coverage.settled_until)) == ("2012-11-28", "2012-11-30")


def test_given_back_where_nothing_stood_is_missing_again(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    set_price(house, "AAPL", "2012-11-29", close="588.00")

    result = house.command("unset-price", "AAPL", "2012-11-29", "--why", "not needed")

    assert result.stdout == (
        "AAPL on 2012-11-29 is the providers' again; no bar stands there until a run asks for it\n"
    )
    assert house.rows(PriceHistory, order="date") == []
    house.run()
    assert house.closes("AAPL")["2012-11-29"] == "589.36"


def test_who_and_why_are_kept_and_shown(house: House) -> None:
    assert house.command("decisions").stdout == "nobody decided anything\n"
    house.hold("AAPL", "IBM", since="2012-11-28")
    house.run()
    set_price(house, "AAPL", "2012-11-29", close="589.00", why="  a  typo of the source ")
    house.command("unset-price", "AAPL", "2012-11-29", "--why", "it is right now", "--by", "Ben")

    told = json.loads(house.command("decisions", "--symbols", "AAPL", "--format", "json").stdout)

    assert [(one["kind"], one["date"], one["decided_by"], one["why"]) for one in told] == [
        ("price set", "2012-11-29", "Ann", "a typo of the source"),
        ("price unset", "2012-11-29", "Ben", "it is right now"),
    ]
    assert told[0]["detail"] == "open 589.00, high 589.00, low 589.00, close 589.00, volume 18382100"
    assert house.command("decisions", "--symbols", "IBM").stdout == "nobody decided anything\n"
    assert house.command("decisions").stdout.splitlines()[1].split()[:3] == ["AAPL", "price", "set"]


# --- Wrong questions.


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["AAPL", "2012-11-24", "--close", "1"], "2012-11-24: XNYS has no session on this date"),
        (["AAPL", "2012-10-29", "--close", "1"], "2012-10-29: XNYS has no session on this date"),
        (["AAPL", "2012-12-03", "--close", "1"], "2012-12-03 is still to come; set a price after the close"),
        (
            ["AAPL", "2012-11-29", "--close", "0"],
            "2012-11-29: open, high, low and close must be above zero; nothing was stored",
        ),
        (
            ["AAPL", "2012-11-29", "--close", "589", "--high", "580"],
            "2012-11-29: open and close must lie between low and high; an auction's open may lie up to 5 % outside; "
            "nothing was stored",
        ),
        (
            ["AAPL", "2012-11-29", "--close", "589", "--volume", "-1"],
            "2012-11-29: volume must not be negative; nothing was stored",
        ),
        (
            ["AAPL", "2012-11-29", "--close", "58936"],
            "2012-11-29: the close jumped like a split or by more than half, and no split is known "
            "(the close before is 582.94); nothing was stored; --force stores it",
        ),
        (
            ["APPL", "2012-11-29", "--close", "589"],
            "no company of that symbol is known here: APPL; import an order of it, or run: closingbell watch APPL",
        ),
    ],
)
def test_wrong_price_is_refused_with_the_way_out(house: House, arguments: list[str], words: str) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    before = house.closes("AAPL")

    assert refused(house, "set-price", *arguments, "--why", "a try") == f"error: {words}\n"
    assert house.closes("AAPL") == before


def test_jump_that_is_meant_is_stored_by_force(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()

    set_price(house, "AAPL", "2012-11-29", "--force", close="58936")

    assert house.closes("AAPL")["2012-11-29"] == "58936.00"


def test_session_under_way_is_refused(house: House) -> None:
    house.at("2012-11-30 15:00").hold("AAPL", since="2012-11-28")

    assert refused(house, "set-price", "AAPL", "2012-11-30", "--close", "585", "--why", "early") == (
        "error: 2012-11-30: XNYS has not closed yet; set a price after the close\n"
    )


def test_session_that_a_person_closed_is_refused_with_the_way_out(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.command("closures", "add", "XNYS", "2012-11-29", "storm")

    assert refused(house, "set-price", "AAPL", "2012-11-29", "--close", "585", "--why", "a try") == (
        "error: 2012-11-29: XNYS has no session on this date; "
        "it was closed here, to open it: closingbell closures remove XNYS 2012-11-29\n"
    )


def test_price_that_is_no_number_or_has_no_reason_is_refused(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")

    assert "'abc' is not a number" in refused(house, "set-price", "AAPL", "2012-11-29", "--close", "abc", "--why", "x")
    assert "more than 6 decimals" in refused(
        house, "set-price", "AAPL", "2012-11-29", "--close", "1.1234567", "--why", "x"
    )
    assert "say why" in refused(house, "set-price", "AAPL", "2012-11-29", "--close", "589", "--why", " ")


def test_nothing_to_give_back(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()

    assert refused(house, "unset-price", "AAPL", "2012-11-29", "--why", "x") == (
        "error: 2012-11-29: no price of AAPL was set by hand; closingbell decisions shows them\n"
    )


def test_stored_as_the_exact_number(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    set_price(house, "AAPL", "2012-11-29", close="582.123456")

    query = select(PriceHistory.close).where(PriceHistory.date == date(2012, 11, 29))
    with house.context.database.read() as connection:
        assert connection.scalar(query) == Decimal("582.123456")
