from __future__ import annotations

import pytest

from closingbell.calendars import SUFFIX_MICS
from closingbell.domain.currencies import CURRENCIES_OF, doubt_currency


def test_every_exchange_that_a_symbol_can_name_has_its_currencies() -> None:
    assert set(SUFFIX_MICS.values()) <= CURRENCIES_OF.keys()


@pytest.mark.parametrize(
    ("symbol", "mic", "currency"),
    [("AAPL", "XNYS", "USD"), ("VOD.L", "XLON", "GBP"), ("CSPX.L", "XLON", "USD"), ("^FTSE", "XNYS", "GBP"),
     ("EURGBP=X", "XNYS", "GBP"), ("BTC-EUR", "XNYS", "EUR"), ("X", "XXXX", "EUR")],
)  # fmt: skip
def test_usual_currency_and_what_is_on_no_exchange_is_believed(symbol: str, mic: str, currency: str) -> None:
    assert doubt_currency(symbol, mic, currency) is None


def test_unusual_currency_is_not_believed_unless_somebody_ordered_in_it() -> None:
    assert doubt_currency("BRK-B", "XNYS", "EUR") == (
        "answered in EUR, but XNYS quotes in USD, and no order of BRK-B is in EUR; not stored"
    )
    assert doubt_currency("BRK-B", "XNYS", "EUR", ordered_in={"USD"}) is not None
    assert doubt_currency("BRK-B", "XNYS", "EUR", ordered_in={"EUR"}) is None
