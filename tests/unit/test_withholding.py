from __future__ import annotations

from datetime import date
from decimal import Decimal

from closingbell.domain.countries import country_of
from closingbell.domain.withholding import WithholdingRule, withholding_rule

DAY = date(2012, 9, 4)
LONG_AGO = date(1990, 1, 1)


def rule(rate: str, **facts: object) -> WithholdingRule:
    return WithholdingRule("US", Decimal(rate), **{"valid_from": LONG_AGO, **facts})  # type: ignore[arg-type]


RULES = [
    rule("0.30"),
    rule("0.29", action_type="CAP_GAIN"),
    rule("0.15", residence="DE"),
    rule("0.10", residence="DE", valid_from=date(2013, 1, 1)),
    rule("0.05", residence="DE", action_type="CASH_SPECIAL"),
    rule("0.07", account_id=1),
    rule("0.01", account_id=1, action_type="CAP_GAIN"),
]


def rate(account_id: int = 2, residence: str | None = "FR", kind: str = "CASH", on: date = DAY) -> str | None:
    found = withholding_rule(
        RULES, account_id=account_id, residence=residence, source_country="US", action_type=kind, on=on
    )
    return None if found is None else str(found.rate)


def test_most_specific_rate_wins() -> None:
    assert rate() == "0.30"
    assert rate(kind="CAP_GAIN") == "0.29"
    assert rate(residence="DE") == "0.15"
    assert rate(residence="DE", kind="CASH_SPECIAL") == "0.05"
    assert rate(residence="DE", kind="CAP_GAIN") == "0.15"
    assert rate(account_id=1, residence="DE", kind="CASH_SPECIAL") == "0.07"
    assert rate(account_id=1, kind="CAP_GAIN") == "0.01"


def test_newest_rate_of_a_scope_holds_from_its_date_on() -> None:
    assert rate(residence="DE", on=date(2012, 12, 31)) == "0.15"
    assert rate(residence="DE", on=date(2013, 1, 1)) == "0.10"
    assert rate(on=date(1989, 12, 31)) is None


def test_nothing_is_withheld_at_home_or_guessed_for_an_unknown_residence() -> None:
    assert rate(residence="US") is None
    assert rate(residence=None) is None
    assert rate(account_id=1, residence=None) == "0.07"


def test_country_is_the_exchanges_unless_stated() -> None:
    assert (country_of("XNYS"), country_of("XNYS", "IE"), country_of("WXYZ")) == ("US", "IE", None)
