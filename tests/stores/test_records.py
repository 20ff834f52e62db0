"""Every kind of record with every filter and key, on every database."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert

from closingbell.models import Company
from closingbell.queries import records
from closingbell.queries.records import Kind, find_record, list_records, stream_records
from closingbell.stores.database import Database

KINDS = [one for one in vars(records).values() if isinstance(one, Kind)]


def test_every_kind_is_read_by_every_filter_and_key(database: Database) -> None:
    assert len(KINDS) == 8
    for kind in KINDS:
        for name in kind.filters:
            assert list(stream_records(database, kind, {name: "%' OR 1=1"})) == []
        assert list_records(database, kind, {}, after="1") == []
        assert find_record(database, kind, 1) is None


def test_companies_follow_each_other_by_symbol_without_those_that_were_made_one_with_another(
    database: Database,
) -> None:
    at = datetime(2012, 11, 30, tzinfo=UTC)
    with database.write() as connection:
        for symbol in ("VOD.L", "AAPL", "BRK-B", "OLD#3", "0700.HK", "aapl"):
            connection.execute(insert(Company).values(symbol=symbol, name=f"Of {symbol}", mic="XNYS", created_at=at))
    seen: list[str] = []
    while found := list_records(database, records.COMPANIES, {}, after=seen[-1] if seen else "", limit=2):
        seen += [one.symbol for one in found]
    assert (sorted(seen), len(set(seen))) == (["0700.HK", "AAPL", "BRK-B", "VOD.L", "aapl"], 5)
    assert [one.symbol for one in list_records(database, records.COMPANIES, {"q": "of vod"})] == ["VOD.L"]
