"""What pages and API read of companies, on every database."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from closingbell.errors import UnknownSymbolError
from closingbell.queries.companies import list_companies, list_revisions, load_company, load_day_states
from tests.app_fixtures import House

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)


def test_companies_and_their_sessions(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-26")
    house.run()
    database = house.context.database

    found = list_companies(database)
    assert [(one.symbol, str(one.newest_close), one.is_provisional) for one in found] == [
        ("AAPL", "585.280000", True),
        ("IBM", "190.070000", True),
    ]
    assert [one.symbol for one in list_companies(database, after="AAPL")] == ["IBM"]
    assert [one.symbol for one in list_companies(database, contains="business MACHINES")] == ["IBM"]
    assert list_companies(database, contains="%") == []
    assert load_company(database, "IBM").name == "International Business Machines Corporation"
    states = load_day_states(database, "AAPL", first=date(2012, 11, 20), now=NOW)
    assert [(one.date.day, one.state) for one in states] == [
        *((day, "stored") for day in (26, 27, 28, 29)),
        (30, "provisional"),
    ]
    assert list_revisions(database, "AAPL") == []
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        load_company(database, "NOPE")


def test_a_session_without_a_bar_is_missing(house: House) -> None:
    house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-28")
    house.run()

    states = load_day_states(house.context.database, "AAPL", first=date(2012, 11, 1), now=NOW)

    assert [(one.date.day, one.state) for one in states] == [(28, "stored"), (29, "provisional"), (30, "missing")]
