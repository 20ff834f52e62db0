"""What people did is written down, and read by a command."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from closingbell.models import AuditEntry
from closingbell.stores import people as stored
from closingbell.stores.people import Action
from closingbell.usecases import people
from tests.app_fixtures import House


def told(house: House) -> list[tuple[str, str, str, str | None]]:
    return [(row.who, row.action, row.target, row.detail) for row in house.rows(AuditEntry)]


@pytest.mark.one_database
def test_resumed_jobs_closed_sessions_and_given_accounts_are_written_down_once(house: House) -> None:
    people.create_administrator(house.context, email="ann@example.org", password="correct horse battery")
    house.hold("AAPL", since="2012-11-28")
    for words in (
        ("pause-job", "price_sweep"),
        ("resume-job", "price_sweep"),
        ("resume-job", "price_sweep"),
        ("closures", "add", "XNYS", "2012-11-28", "storm"),
        ("closures", "add", "XNYS", "2012-11-28", "storm"),
        ("closures", "remove", "XNYS", "2012-11-28"),
        ("closures", "remove", "XNYS", "2012-11-28"),
        ("accounts", "give", "Ann", "ann@example.org"),
    ):
        assert house.command(*words, "--by", "Bob").exit_code == 0, words

    assert told(house) == [
        ("Bob", "pause job", "price_sweep", None),
        ("Bob", "resume job", "price_sweep", None),
        ("Bob", "close session", "XNYS 2012-11-28", "storm"),
        ("Bob", "reopen session", "XNYS 2012-11-28", None),
        ("Bob", "give account", "Ann", "ann@example.org"),
    ]


def test_the_command_shows_the_newest_first_and_what_is_asked_for(house: House) -> None:
    entries = (
        (datetime(2012, 11, 30, 4, 59, tzinfo=UTC), Action("ann@example.org", "sign in", "ann@example.org")),
        (datetime(2012, 11, 30, 5, 0, tzinfo=UTC), Action("bob@example.org", "resume job", "price_sweep")),
        (
            datetime(2012, 12, 1, 5, 0, tzinfo=UTC),
            Action("ann@example.org", "edit corporate action", "7 AAPL", "100% right", "192.0.2.1"),
        ),
    )
    with house.context.database.write() as connection:
        for at, action in entries:
            stored.store_action(connection, action, now=at)

    def targets(*words: str) -> list[str]:
        return [one["target"] for one in json.loads(house.command("audit-log", "--format", "json", *words).stdout)]

    assert targets() == ["7 AAPL", "price_sweep", "ann@example.org"]
    assert targets("--who", "ANN") == ["7 AAPL", "ann@example.org"]
    assert targets("--who", "a%n") == []
    assert targets("--action", "action") == ["7 AAPL"]
    assert targets("--target", "aapl") == ["7 AAPL"]
    # Days are New York's: five in the morning in Greenwich is midnight there.
    assert targets("--from", "2012-11-30", "--to", "2012-11-30") == ["price_sweep"]
    assert targets("--to", "9999-12-31", "--from", "0001-01-01", "--limit", "1") == ["7 AAPL"]
    line = house.command("audit-log", "--who", "ann").stdout.splitlines()[1]
    assert " ".join(line.split()) == (
        "2012-12-01 00:00:00 EST ann@example.org edit corporate action 7 AAPL 100% right 192.0.2.1"
    )
    assert house.command("audit-log", "--who", "eve").stdout == "nobody did anything like that\n"
