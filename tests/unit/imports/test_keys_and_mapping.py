from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from closingbell.errors import UsageError
from closingbell.usecases.imports.entries import Entry, Security
from closingbell.usecases.imports.keys import source_keys
from closingbell.usecases.imports.mapping import map_symbols, read_mapping

DAY = date(2024, 1, 2)


def buy(line: int, security: Security, quantity: str = "1", broker_key: str | None = None) -> Entry:
    return Entry(
        (line,),
        "BUY",
        DAY,
        "USD",
        security,
        Decimal(quantity),
        Decimal(5),
        Decimal(quantity) * 5,
        broker_key=broker_key,
    )


APPLE, UNNAMED = Security("AAPL", "US0378331005"), Security(None, "US0378331005", "APC", "Apple Inc.")


def test_rows_that_are_alike_have_keys_by_their_number_and_a_later_file_the_same() -> None:
    first = source_keys([buy(2, APPLE), buy(3, APPLE), buy(4, APPLE, "2")], "schwab")
    later = source_keys([buy(9, APPLE), buy(10, APPLE, "1.0"), buy(11, APPLE)], "schwab")

    assert len(set(first)) == 3
    assert later[:2] == first[:2]
    assert later[2] not in first


def test_the_brokers_number_alone_tells_an_order() -> None:
    corrected = source_keys([buy(2, APPLE, "2", broker_key="E1")], "ibkr_flex")

    assert corrected == source_keys([buy(5, APPLE, "1", broker_key="E1")], "ibkr_flex")
    assert corrected != source_keys([buy(2, APPLE, "2", broker_key="E2")], "ibkr_flex")
    assert corrected != source_keys([buy(2, APPLE, "2", broker_key="E1")], "trading212")


def test_an_own_order_has_the_key_it_always_had() -> None:
    own = Entry((2,), "BUY", date(2012, 11, 29), "USD", Security("AAPL"), Decimal(10), Decimal("589.36"), None)

    # sha256 of "2012-11-29|BUY|AAPL|10|589.36|None|0|USD|None|1"
    assert source_keys([own], "csv") == ["b4ea4d8462375ea226b09d7035e7a801a2df841dcc0bd7670bd7808f16be41db"]


def test_a_mapping_by_isin_symbol_ticker_or_name() -> None:
    lines = ["US0378331005=AAPL", "  GB00BH4HKS39 , vod.l  # Vodafone", "", "# nothing", "FB=META"]

    assert read_mapping(lines) == {"US0378331005": "AAPL", "GB00BH4HKS39": "VOD.L", "FB": "META"}


@pytest.mark.parametrize("line", ["AAPL", "US0378331005=", "=AAPL", "US0378331005=A B"])
def test_a_mapping_that_maps_nothing_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="maps nothing; write ISIN=SYMBOL"):
        read_mapping([line])


def test_a_company_is_named_by_the_mapping_then_by_the_row_then_by_another_row() -> None:
    mapped = map_symbols([buy(2, UNNAMED), buy(3, APPLE), buy(4, Security("FB"))], {"FB": "META"})

    assert [symbol for _, symbol in mapped.entries] == ["AAPL", "AAPL", "META"]
    assert mapped.used == {"FB": "META"}
    assert map_symbols([buy(3, APPLE)], {"US0378331005": "APC.DE"}).entries[0][1] == "APC.DE"


def test_what_no_symbol_is_known_for_names_the_way_out_once_per_row() -> None:
    mapped = map_symbols([buy(2, UNNAMED), buy(5, UNNAMED), buy(6, Security("A B"))], {})

    assert [(one.line, one.reason) for one in mapped.findings] == [
        (2, 'no symbol is known for US0378331005 (APC, Apple Inc.); say --map "US0378331005=SYMBOL"'),
        (5, 'no symbol is known for US0378331005 (APC, Apple Inc.); say --map "US0378331005=SYMBOL"'),
        (6, "symbol 'A B' is not a symbol, as in AAPL or VOD.L"),
    ]
    assert mapped.unmapped == (UNNAMED,)
    assert mapped.entries == ()
