"""A company that is called otherwise from a day on: its history stays, and every name finds it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.models import Company, CompanyDecision, CompanySymbol, JobLog, LedgerEntry, Order, PriceHistory
from closingbell.replay import Market, RecordedMarket
from closingbell.stores.upsert import table_of
from tests.app_fixtures import HEADER, House, item

# In this market Facebook takes its later name ten years early.
SINCE = "2012-11-28"


def both_names(market: RecordedMarket) -> Market:
    """A market that knows Facebook's bars as FB and as META."""
    fb = next(one for one in market.listings if one.symbol == "FB")
    return Market([*market.listings, replace(fb, symbol="META", name="Meta Platforms, Inc.")])


@pytest.fixture
def renaming(tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket) -> House:
    """A house before the market of both names; Ann holds FB, the evening is 2012-11-27."""
    house = houses(tables_url, "2012-11-27 16:31", market=both_names(market))
    house.market.misbehave("META", "not_found")
    house.hold("FB", since="2012-11-26")
    house.run()
    house.market.behave()
    return house


def rename(house: House, old: str = "FB", new: str = "META", since: str = SINCE) -> str:
    """``rename-symbol`` by Ann; what it printed. From then on the source knows only the new name."""
    result = house.command("rename-symbol", old, new, "--from", since, "--by", "Ann")
    assert (result.exit_code, result.stderr) == (0, "")
    house.market.misbehave(old, "not_found")
    return result.stdout


def asked_for(house: House) -> set[str]:
    """The symbols that the source was asked for, one way or the other; forgets them."""
    asked = {symbol for record in house.market.requests for symbol in record.symbols}
    house.market.clear_log()
    return asked


def refused(house: House, *arguments: str) -> str:
    before = house.rows(Company), house.rows(CompanySymbol), house.rows(CompanyDecision)
    result = house.command("rename-symbol", *arguments)
    assert result.exit_code == 2
    assert (house.rows(Company), house.rows(CompanySymbol), house.rows(CompanyDecision)) == before
    return result.stderr.removeprefix("error: ").strip()


def test_history_goes_on_under_the_new_name(renaming: House) -> None:
    number = renaming.company("FB").id

    told = rename(renaming)
    summary = renaming.at("2012-11-30 16:31").run()

    assert told == "FB is META from 2012-11-28 on; either name finds it\n"
    assert (summary.status, item(summary, "META").outcome) == (RunStatus.SUCCESS, "stored")
    assert [row.symbol for row in renaming.rows(Company)] == ["META"]
    assert renaming.company("META").id == number
    assert renaming.closes("META") == {
        "2012-11-26": "25.94",
        "2012-11-27": "26.15",
        "2012-11-28": "26.36",
        "2012-11-29": "27.32",
        "2012-11-30": "28.00",
    }


def test_source_is_asked_under_the_name_of_the_day(renaming: House) -> None:
    rename(renaming, since="2012-11-29")
    renaming.market.behave()
    asked_for(renaming)

    renaming.at("2012-11-28 16:31").run()
    before = asked_for(renaming)
    renaming.at("2012-11-29 16:31").run()

    assert (before, asked_for(renaming)) == ({"FB"}, {"META"})
    assert list(renaming.closes("META")) == ["2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29"]


def test_provider_is_asked_by_the_name_that_it_uses(renaming: House) -> None:
    renaming.command("map-symbol", "FB", "yahoo", "META", "--from", "2012-11-28")
    asked_for(renaming)

    summary = renaming.at("2012-11-28 16:31").run()

    assert asked_for(renaming) == {"META"}
    assert item(summary, "FB").outcome == "stored"
    assert renaming.closes("FB")["2012-11-28"] == "26.36"


def test_orders_under_either_name_are_orders_of_the_company(renaming: House) -> None:
    rename(renaming)

    renaming.at("2012-11-30 16:31").orders("2012-11-29,SELL,FB,4,27.32,0,USD 2012-11-29,BUY,META,1,27.32,0,USD")

    assert [row.symbol for row in renaming.rows(Company)] == ["META"]
    assert {row.company_id for row in renaming.rows(Order)} == {renaming.company("META").id}
    for name in ("FB", "META"):
        listed = json.loads(renaming.command("orders", "list", "--symbol", name, "--format", "json").stdout)
        assert [one["symbol"] for one in listed] == ["META"] * 3
    told = renaming.command("export", "positions", "--symbols", "FB", "--format", "json").stdout
    assert [(one["symbol"], one["quantity"]) for one in json.loads(told)] == [("META", "7.00")]


def test_file_that_names_old_orders_by_the_new_name_adds_only_what_is_new(renaming: House, tmp_path: Path) -> None:
    def added(*lines: str) -> str:
        file = tmp_path / "orders.csv"
        file.write_text(HEADER + "\n".join(lines) + "\n")
        return renaming.command("import", str(file), "--account", "Ann").stdout.splitlines()[0]

    bought, twice = "2012-11-26,BUY,{},10,1.00,0,USD", "2012-11-28,BUY,{},1,26.00,0,USD"
    rename(renaming)
    renaming.at("2012-11-29 16:31")
    assert added(twice.format("FB"), twice.format("META")).startswith("csv: added 2 orders")

    told = "csv: added 0 orders to account Ann; 3 were there, 0 left out, 0 doubtful"
    assert added(*(line.format("META") for line in (bought, twice, twice))) == told
    assert added(*(line.format("FB") for line in (bought, twice, twice))) == told
    third = added(*(line.format("META") for line in (bought, twice, twice, twice)))
    assert third == "csv: added 1 order to account Ann; 3 were there, 0 left out, 0 doubtful"
    assert sum(row.quantity for row in renaming.rows(Order)) == 13


def test_commands_take_the_former_name_for_the_company(renaming: House) -> None:
    rename(renaming)
    renaming.at("2012-11-29 16:31")

    assert item(renaming.refresh("FB"), "META").outcome == "stored"
    assert renaming.command("watch", "FB").stdout == "FB: watched\n"
    assert renaming.command("latest", "--symbols", "FB").stdout.splitlines()[1].startswith("META")
    assert renaming.command("coverage", "--symbols", "FB").stdout.splitlines()[1].startswith("META    XNYS  2012-11-26")
    renaming.command("set-price", "FB", "2012-11-28", "--close", "26.4", "--why", "a try")
    assert renaming.closes("META")["2012-11-28"] == "26.40"
    assert [row.symbol for row in renaming.rows(Company)] == ["META"]


def test_what_ran_under_the_former_name_is_found(renaming: House) -> None:
    rename(renaming)
    renaming.at("2012-11-28 16:31").run()

    told = json.loads(renaming.command("view-job-logs", "--symbol", "META", "--format", "json").stdout)

    assert len(told) == len(renaming.rows(JobLog)) == 2


def test_names_are_listed_with_their_dates(renaming: House) -> None:
    rename(renaming)
    renaming.at("2012-11-28 16:31").refresh("META")
    renaming.command("map-symbol", "META", "stooq", "meta.us", "--from", "2012-11-28")

    text = renaming.command("symbols")
    [told] = json.loads(renaming.command("symbols", "--symbols", "FB", "--format", "json").stdout)

    heading, line = text.stdout.splitlines()
    assert heading.split() == ["symbol", "since", "before", "name", "mic", "currency", "providers", "state"]
    assert re.split(r"  +", line) == [
        *("META", "2012-11-28", "FB until 2012-11-28", "Meta Platforms, Inc.", "XNYS", "USD"),
        *("stooq: meta.us since 2012-11-28", "open"),
    ]
    assert (told["symbol"], told["since"]) == ("META", "2012-11-28")
    assert told["names"] == [{"symbol": "FB", "valid_from": None, "valid_until": "2012-11-28"}]
    assert told["provider_names"] == [{"provider": "stooq", "symbol": "meta.us", "valid_from": "2012-11-28"}]
    assert [(row.kind, row.detail) for row in renaming.rows(CompanyDecision)] == [
        ("renamed", "from FB to META"),
        ("provider symbol", "stooq calls it meta.us"),
    ]


def test_renamed_back_both_names_still_find_it(renaming: House) -> None:
    rename(renaming)
    renaming.market.behave()

    rename(renaming, "META", "FB", since="2012-11-30")

    assert [row.symbol for row in renaming.rows(Company)] == ["FB"]
    assert item(renaming.at("2012-11-30 16:31").refresh("META"), "FB").outcome == "stored"


# --- A company that has the new name already.


def test_orders_under_the_new_name_that_came_first_become_its_own(renaming: House) -> None:
    renaming.at("2012-11-29 10:00").orders("2012-11-28,BUY,META,5,26.36,0,USD", account="Ben")
    renaming.command("watch", "META")
    newer = renaming.company("META").id
    before = renaming.rows(LedgerEntry)

    told = rename(renaming)

    assert told.splitlines()[1] == "what was stored under META already belongs to it now"
    assert [row.symbol for row in renaming.rows(Company)] == ["META", f"META#{newer}"]
    assert [one["symbol"] for one in json.loads(renaming.command("symbols", "--format", "json").stdout)] == ["META"]
    assert {row.company_id for row in renaming.rows(Order)} == {renaming.company("META").id}
    # The ledger is never changed: it goes on naming the number under which it was written.
    assert renaming.rows(LedgerEntry) == before
    audit = renaming.command("audit")
    # The tables of tests are made without the ledger's guards; all that the books say holds.
    wrong = [line for line in audit.output.splitlines() if line.startswith("WRONG")]
    assert wrong == ["WRONG the database refuses to change or remove entries"]
    assert "META" in renaming.command("watch").stdout
    assert renaming.at("2012-11-30 16:31").run().status is RunStatus.SUCCESS


def test_books_hold_after_two_became_one(
    database_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket
) -> None:
    house = houses(database_url, "2012-11-27 16:31", market=both_names(market))
    house.command("init-db")
    house.hold("FB", since="2012-11-26")
    house.run()
    house.at("2012-11-29 16:31").orders("2012-11-28,BUY,META,5,26.36,0,USD", account="Ben")
    house.run()

    rename(house)

    # With the ledger's guards in place: nothing that was booked is changed, and every total is what it was.
    audit = house.command("audit")
    assert audit.exit_code == 0, audit.output
    [told] = json.loads(house.command("coverage", "--format", "json").stdout)["companies"]
    assert (told["symbol"], told["expected_count"], told["stored_count"]) == ("META", 4, 4)


def test_bars_under_the_new_name_that_agree_become_its_own(renaming: House) -> None:
    renaming.at("2012-11-30 16:31").orders("2012-11-27,BUY,META,5,26.15,0,USD", account="Ben")
    renaming.market.misbehave("FB", "not_found")
    renaming.run()
    assert list(renaming.closes("META")) == ["2012-11-27", "2012-11-28", "2012-11-29", "2012-11-30"]

    rename(renaming)

    assert renaming.closes("META") == {
        "2012-11-26": "25.94",
        "2012-11-27": "26.15",
        "2012-11-28": "26.36",
        "2012-11-29": "27.32",
        "2012-11-30": "28.00",
    }
    assert len(renaming.rows(PriceHistory, order="date")) == 5
    assert renaming.at("2012-12-03 16:31").run().status is RunStatus.SUCCESS
    coverage = renaming.command("coverage")
    assert coverage.stdout.splitlines()[-1].startswith("6 of 6 expected closes of 1 company stored; 0 missing")


def test_company_with_another_history_is_another_company(renaming: House) -> None:
    renaming.hold("IBM", since="2012-11-26")
    renaming.run()

    assert refused(renaming, "FB", "IBM", "--from", SINCE) == (
        "IBM is known here as another company: on 2012-11-26 it closed at 192.88, and FB at 25.94; nothing was changed"
    )
    assert sorted(row.symbol for row in renaming.rows(Company)) == ["FB", "IBM"]


def test_company_with_corporate_actions_of_its_own_is_kept_apart(renaming: House) -> None:
    renaming.at("2012-11-30 16:31").hold("MSFT", since="2012-11-01")
    renaming.run()
    # Its bars would all fit: there is none of a day on which the other has one.
    table = table_of(PriceHistory)
    number = renaming.company("MSFT").id
    renaming.context.database.write_unit(lambda c: c.execute(table.delete().where(table.c.company_id == number)))

    assert "MSFT is known here as a company with records of its own (corporate action" in refused(
        renaming, "FB", "MSFT", "--from", SINCE
    )


def test_nothing_is_made_one_while_a_run_goes_on(renaming: House) -> None:
    renaming.at("2012-11-29 10:00").orders("2012-11-28,BUY,META,5,26.36,0,USD", account="Ben")
    wall = renaming.context.wall.now()
    run = {
        "job_name": "daily_price_update",
        "status": "RUNNING",
        "started_at": renaming.clock.now(),
        "trigger": "manual",
        "owner": "elsewhere:1:0",
        "heartbeat_at": wall,
        "lease_until": wall + timedelta(minutes=5),
        "attempt": 1,
    }
    renaming.context.database.write_unit(lambda connection: connection.execute(table_of(JobLog).insert(), [run]))

    assert "of daily_price_update is under way and may be storing prices of META" in refused(
        renaming, "FB", "META", "--from", SINCE
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["FB", "FB", "--from", SINCE], "FB is its name already"),
        (
            ["NOPE", "META", "--from", SINCE],
            "no company of that symbol is known here: NOPE; closingbell symbols lists them",
        ),
        (
            ["FB", "META.L", "--from", SINCE],
            "META.L is listed on XLON and FB on XNYS: another listing is another company",
        ),
    ],
)
def test_wrong_renaming_is_refused(renaming: House, arguments: list[str], words: str) -> None:
    assert refused(renaming, *arguments) == words


def test_second_renaming_of_a_former_name_is_refused(renaming: House) -> None:
    rename(renaming)

    assert refused(renaming, "FB", "META2", "--from", SINCE) == (
        "FB is a former name of META; rename META if it changed again"
    )
    assert refused(renaming, "META", "META2", "--from", SINCE) == (
        "META is its name since 2012-11-28; a later renaming needs a later date"
    )


def test_former_name_of_another_company_cannot_be_taken(renaming: House) -> None:
    rename(renaming)
    renaming.hold("IBM", since="2012-11-26")

    assert refused(renaming, "IBM", "FB", "--from", SINCE) == "FB is a former name of META, which is another company"


def test_what_is_no_symbol_is_refused(renaming: House) -> None:
    assert "is not a symbol as Yahoo spells them" in refused(renaming, "FB", "ME TA", "--from", SINCE)
