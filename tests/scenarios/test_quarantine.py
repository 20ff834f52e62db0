"""Bars set aside, and what a person decides on them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from closingbell.domain.money import plain
from closingbell.domain.runs import RunStatus
from closingbell.models import PriceRevision, QuarantinedBar
from tests.app_fixtures import House, item, new_york


def doubtful(house: House) -> list[Any]:
    """Every bar ever set aside."""
    return house.rows(QuarantinedBar)


def decide(house: House, what: str, *, number: int | None = None, why: str = "asked the exchange") -> Any:
    """``quarantine accept`` or ``reject`` of the first bar set aside, or of a number, by Ann."""
    row_id = doubtful(house)[0].id if number is None else number
    return house.command("quarantine", what, str(row_id), "--why", why, "--by", "Ann")


def crash(house: House) -> None:
    """Apple's real fall of 2000-09-29, set aside on its evening."""
    house.at("2000-09-29 16:31").hold("AAPL", since="2000-09-27")
    house.run()


def hundredfold(house: House) -> None:
    """A close of 2012-11-30 that is a hundred times too high, set aside; what came before is stored."""
    house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-26")
    house.run()
    house.market.misbehave("AAPL", "price_x100")
    house.at("2012-11-30 16:31").run()


# --- What is shown.


def test_list_shows_values_and_the_rule_in_words(house: House) -> None:
    hundredfold(house)

    result = house.command("quarantine", "list")

    heading, line = result.stdout.splitlines()
    assert result.exit_code == 0
    assert heading.split()[:3] == ["id", "symbol", "date"]
    assert line.partition(" AAPL")[2].split("  ")[-1] == (
        "jump: the close jumped like a split or by more than half, and no split is known"
    )
    assert line.split()[1:16] == [
        *("AAPL", "2012-11-30", "58679.00", "58840.00", "58268.00", "58528.00", "13975700", "589.36", "yahoo"),
        *("2012-11-30", "16:31:00", "EST", "2012-11-30", "16:31:00", "EST"),
    ]


def test_list_as_json_and_by_symbol(house: House) -> None:
    hundredfold(house)
    house.refresh("IBM")

    told = json.loads(house.command("quarantine", "list", "--symbols", "AAPL", "--format", "json").stdout)

    assert [(one["symbol"], one["date"], one["rule"], one["close"], one["released_at"]) for one in told] == [
        ("AAPL", "2012-11-30", "jump", "58528.00", None)
    ]
    assert house.command("quarantine", "list", "--symbols", "IBM").stdout == "no bar waits for a decision\n"
    assert house.command("quarantine", "list", "--symbols", "NOPE").exit_code == 2


def test_what_is_decided_is_shown_on_request(house: House) -> None:
    hundredfold(house)
    decide(house, "reject", why="pence for pounds")

    assert house.command("quarantine", "list").stdout == "no bar waits for a decision\n"
    line = house.command("quarantine", "list", "--all").stdout.splitlines()[1]
    assert line.endswith("2012-11-30 16:31:00 EST: rejected by Ann: pence for pounds")


# --- Accepting.


def test_accepted_bar_is_stored_settled_and_flagged(house: House) -> None:
    crash(house)
    assert house.closes("AAPL") == {"2000-09-27": "48.94", "2000-09-28": "53.50"}

    result = decide(house, "accept", why="the profit warning")

    assert (result.exit_code, result.stdout) == (0, "the bar of AAPL on 2000-09-29 is stored\n")
    assert house.closes("AAPL") == {"2000-09-27": "48.94", "2000-09-28": "53.50", "2000-09-29": "25.75"}
    assert house.states("AAPL")["2000-09-29"] == "settled"
    accepted = house.bars("AAPL")[2]
    assert (accepted.flag, accepted.provider, accepted.volume) == ("accepted", "yahoo", 132529300)
    assert accepted.fetched_at == new_york("2000-09-29 16:31")
    [released] = doubtful(house)
    assert (released.released_at, released.note) == (
        new_york("2000-09-29 16:31"),
        "accepted by Ann: the profit warning",
    )
    assert house.rows(PriceRevision) == []
    assert house.command("coverage").exit_code == 0


def test_after_an_accepted_bar_the_next_evening_is_an_ordinary_one(house: House) -> None:
    crash(house)
    decide(house, "accept")

    summary = house.at("2000-10-02 16:31").run()

    assert summary.status is RunStatus.SUCCESS
    assert list(house.closes("AAPL").values()) == ["48.94", "53.50", "25.75", "24.25"]
    assert [bar.flag for bar in house.bars("AAPL")] == [None, None, "accepted", None]
    assert len(doubtful(house)) == 1


def test_accepted_bar_stays_accepted_when_it_is_asked_for_by_force(house: House) -> None:
    crash(house)
    decide(house, "accept")

    house.refresh("AAPL", on="2000-09-29", force=True)

    assert house.closes("AAPL")["2000-09-29"] == "25.75"
    assert [row.note for row in doubtful(house)] == ["accepted by Ann: asked the exchange"]


def test_accepted_bar_in_place_of_a_stored_one_leaves_a_revision(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    house.market.misbehave("AAPL", "price_x100")
    house.at("2012-11-30 17:00").run()
    assert house.closes("AAPL")["2012-11-30"] == "585.28"

    decide(house, "accept")

    assert house.closes("AAPL")["2012-11-30"] == "58528.00"
    [revision] = house.rows(PriceRevision)
    assert (plain(revision.old_close), plain(revision.new_close)) == ("585.28", "58528.00")
    assert revision.old_fetched_at == new_york("2012-11-30 16:31")
    assert revision.new_fetched_at == new_york("2012-11-30 17:00")
    changed = house.bars("AAPL")[2]
    assert (changed.flag, changed.is_settled) == ("accepted", True)


def test_accepting_one_bar_of_a_date_releases_the_others(house: House) -> None:
    hundredfold(house)
    house.market.behave()
    house.market.misbehave("AAPL", "high_below_low")
    house.at("2012-11-30 17:00").run()
    assert [row.rule for row in doubtful(house)] == ["jump", "outside_range"]
    first, second = doubtful(house)

    result = decide(house, "accept", number=second.id, why="high and low are of no use here")

    assert result.exit_code == 0
    assert [row.note for row in doubtful(house)] == [
        f"number {second.id} was accepted by Ann: high and low are of no use here",
        "accepted by Ann: high and low are of no use here",
    ]
    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    assert first.released_at is None


@pytest.mark.parametrize("fault", ["zero_bar", "negative_volume"])
def test_impossible_values_cannot_be_accepted(house: House, fault: str) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", fault)
    house.run()

    result = decide(house, "accept")

    assert result.exit_code == 2
    assert result.stderr == (
        "error: 2012-11-30: a price of zero or less, or a volume below zero, cannot be accepted; reject it\n"
    )
    assert list(house.closes("AAPL")) == ["2012-11-28", "2012-11-29"]
    assert [row.released_at for row in doubtful(house)] == [None]


def test_bar_of_a_session_to_come_cannot_be_accepted(house: House) -> None:
    house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", "future_bar")
    house.run()

    result = decide(house, "accept")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: 2012-11-30: XNYS has not closed yet; decide after the close\n",
    )


def test_bar_of_a_closed_day_is_accepted_once_the_day_is_open_again(house: House) -> None:
    house.command("closures", "add", "XNYS", "2012-11-29", "storm")
    house.hold("AAPL", since="2012-11-28")
    house.run()
    assert [(str(row.date), row.rule) for row in doubtful(house)] == [("2012-11-29", "not_a_session")]

    refused = decide(house, "accept")
    house.command("closures", "remove", "XNYS", "2012-11-29")
    taken = decide(house, "accept")

    assert refused.exit_code == 2
    assert refused.stderr == (
        "error: 2012-11-29: XNYS has no session on this date; reject the bar, or, when the session was closed here, "
        "first run: closingbell closures remove XNYS 2012-11-29\n"
    )
    assert taken.exit_code == 0
    assert house.closes("AAPL") == {"2012-11-28": "582.94", "2012-11-29": "589.36", "2012-11-30": "585.28"}


# --- Rejecting.


def test_rejected_bar_is_not_stored_and_its_session_stays_expected(house: House) -> None:
    hundredfold(house)

    result = decide(house, "reject", why="pence for pounds")

    assert (result.exit_code, result.stdout) == (0, "the bar of AAPL on 2012-11-30 is rejected\n")
    assert list(house.closes("AAPL")) == ["2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29"]
    assert house.command("coverage").exit_code == 1


def test_rejected_bar_that_comes_again_opens_nothing(house: House) -> None:
    hundredfold(house)
    decide(house, "reject")

    summary = house.at("2012-11-30 18:00").run()

    assert item(summary, "AAPL").outcome == "quarantined"
    [rejected] = doubtful(house)
    assert rejected.note == "rejected by Ann: asked the exchange"
    assert (rejected.first_seen_at, rejected.last_seen_at) == (
        new_york("2012-11-30 16:31"),
        new_york("2012-11-30 18:00"),
    )
    assert rejected.released_at == new_york("2012-11-30 16:31")


def test_other_values_after_a_rejection_are_set_aside_anew(house: House) -> None:
    hundredfold(house)
    decide(house, "reject")
    house.market.behave()
    house.market.misbehave("AAPL", "price_div100")

    house.at("2012-11-30 18:00").run()

    assert [(plain(row.close), row.released_at is None) for row in doubtful(house)] == [
        ("58528.00", False),
        ("5.8528", True),
    ]


def test_good_answer_after_a_rejection_is_stored(house: House) -> None:
    hundredfold(house)
    decide(house, "reject")
    house.market.behave()

    assert house.at("2012-11-30 18:00").run().status is RunStatus.SUCCESS
    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    assert [row.note for row in doubtful(house)] == ["rejected by Ann: asked the exchange"]


# --- Wrong questions.


def test_second_decision_is_refused_with_the_first(house: House) -> None:
    crash(house)
    number = doubtful(house)[0].id
    decide(house, "reject")

    result = decide(house, "accept", number=number)

    assert result.exit_code == 2
    assert result.stderr == f"error: {number} is decided already: rejected by Ann: asked the exchange\n"
    assert list(house.closes("AAPL")) == ["2000-09-27", "2000-09-28"]


def test_unknown_number_and_a_missing_reason_are_refused(house: House) -> None:
    crash(house)

    assert decide(house, "accept", number=987654).stderr == (
        "error: no bar set aside has the number 987654; closingbell quarantine list shows them\n"
    )
    assert decide(house, "reject", why="  ").stderr == "error: say why, for those who look later\n"
    assert house.command("quarantine", "reject", "1").exit_code == 2
    assert [row.released_at for row in doubtful(house)] == [None]
