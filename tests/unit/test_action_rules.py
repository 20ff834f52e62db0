"""The rules of declared amounts at their edges; worked examples are in test_dividend_vectors."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from closingbell.domain.action_rules import (
    Basis,
    DatedRatio,
    Declared,
    PricedRow,
    UnitFlag,
    Verdict,
    classify_split,
    compare_refetch,
    dedupe,
    fund_distribution,
    has_due_bills,
    is_large,
    normalise_unit,
    same_day_split,
    undo_splits,
)
from closingbell.domain.actions import AcceptedKind

EX = date(2020, 8, 7)


def day(text: str) -> date:
    return date.fromisoformat(text)


def again(amount: str, factor: Fraction | int = 1) -> Declared:
    return Declared(Decimal(amount), Fraction(factor), is_snapped=False, is_unsnapped=False)


# --- Declared amounts.


@given(
    cents=st.integers(1, 10**7),
    ratios=st.lists(
        st.sampled_from([Fraction(2), Fraction(3), Fraction(3, 2), Fraction(1, 8), Fraction(7)]), max_size=3
    ),
)
def test_print_of_four_decimals_is_undone_whatever_splits_follow(cents: int, ratios: list[Fraction]) -> None:
    declared = Decimal(cents).scaleb(-4)
    splits = [DatedRatio(date(2021, 1, 1 + number), ratio) for number, ratio in enumerate(ratios)]
    factor = Fraction(1)
    for ratio in ratios:
        factor *= ratio
    printed = Decimal(round(Fraction(declared) / factor * 10**6)).scaleb(-6)
    assume(factor < 100)
    found = undo_splits(printed, ex_date=EX, as_of=date(2022, 1, 1), splits=splits)
    assert (found.amount, found.is_unsnapped) == (declared, False)


def test_amount_that_no_rounding_fits_is_marked() -> None:
    splits = [DatedRatio(date(2021, 1, 4), Fraction(1, 3))]

    found = undo_splits(Decimal("0.1234567"), ex_date=EX, as_of=date(2021, 1, 4), splits=splits, decimals=9)

    assert (found.amount, found.is_snapped, found.is_unsnapped) == (Decimal("0.0411522333"), False, True)


def test_split_on_the_ex_date_or_after_the_print_is_not_undone() -> None:
    splits = [DatedRatio(EX, Fraction(2)), DatedRatio(date(2021, 1, 4), Fraction(3))]
    assert undo_splits(Decimal("0.5"), ex_date=EX, as_of=date(2020, 12, 31), splits=splits).factor == 1


@pytest.mark.parametrize(
    ("stored", "told", "verdict"),
    [
        ("0.82", "0.8200004", Verdict.NO_CHANGE),
        ("0.82", "3.28", Verdict.SPLIT_GLITCH),  # multiplied once too often
        ("0.82", "0.205", Verdict.SPLIT_GLITCH),
        ("22.96", "0.82", Verdict.SPLIT_GLITCH),  # by both splits
        ("0.82", "0.83", Verdict.CORRECTION_CANDIDATE),
    ],
)
def test_told_again(stored: str, told: str, verdict: Verdict) -> None:
    known = [DatedRatio(day("2014-06-09"), Fraction(7)), DatedRatio(day("2020-08-31"), Fraction(4))]
    assert compare_refetch(Decimal(stored), again(told), known) is verdict


def test_rounding_of_a_restated_print_grows_with_the_factor() -> None:
    assert compare_refetch(Decimal("3.05"), again("3.050012", 28), []) is Verdict.NO_CHANGE
    assert compare_refetch(Decimal("3.05"), again("3.050016", 28), []) is Verdict.CORRECTION_CANDIDATE


# --- Splits.


@pytest.mark.parametrize(
    ("numerator", "denominator", "kind", "is_sure"),
    [
        (2, 1, AcceptedKind.SPLIT, True),
        (14, 2, AcceptedKind.SPLIT, True),
        (1, 30, AcceptedKind.REVERSE_SPLIT, True),
        (2, 3, AcceptedKind.REVERSE_SPLIT, True),
        (20, 19, AcceptedKind.SPLIT, True),  # 5.26 % is no stock dividend's percentage
        (21, 20, AcceptedKind.STOCK_DIVIDEND, False),
        (201, 200, AcceptedKind.STOCK_DIVIDEND, False),
        (5, 4, AcceptedKind.STOCK_DIVIDEND, False),
        (1253, 1000, AcceptedKind.SPIN_OFF, False),
        (24875, 50000, AcceptedKind.SPIN_OFF, False),
        (1, 1, AcceptedKind.SPLIT, True),
    ],
)
def test_split_is_taken_for(numerator: int, denominator: int, kind: AcceptedKind, is_sure: bool) -> None:
    found = classify_split(numerator, denominator)
    assert (found.kind, found.is_sure) == (kind, is_sure)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (-2, 1)])
def test_ratio_that_is_none_is_an_error(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="a split of"):
        classify_split(numerator, denominator)


def test_amount_per_new_share_is_put_into_old_ones() -> None:
    found = same_day_split(Decimal("0.50"), Fraction(2), prev_close=Decimal(25), close=Decimal("24.5"))
    assert found == (Basis.POST_SPLIT, Decimal("1.00"))


def test_fall_between_both_explanations_is_held() -> None:
    found = same_day_split(Decimal("1.00"), Fraction(2), prev_close=Decimal(25), close=Decimal("24.25"))
    assert found == (Basis.HELD, None)


# --- Duplicates.


def row(ex: str, amount: str, before: str | None = None, close: str | None = None) -> PricedRow:
    return PricedRow(day(ex), Decimal(amount), before and Decimal(before), close and Decimal(close))  # type: ignore[arg-type]


def test_weekly_payer_is_not_eaten() -> None:
    one, other = row("2024-05-02", "0.30"), row("2024-05-09", "0.30")
    assert dedupe(one, other, typical_gap_days=7).is_duplicate is False
    assert dedupe(one, other, typical_gap_days=30).is_duplicate is True


@pytest.mark.parametrize(
    ("other", "is_duplicate"),
    [
        (row("2024-05-19", "0.30"), True),
        (row("2024-05-20", "0.30"), False),
        (row("2024-05-03", "0.324"), True),
        (row("2024-05-03", "0.325"), False),
        (row("2024-05-03", "30.1"), True),
        (row("2024-05-03", "3.00"), False),
    ],
)
def test_close_in_days_and_amount(other: PricedRow, is_duplicate: bool) -> None:
    assert dedupe(row("2024-05-02", "0.30"), other, typical_gap_days=365).is_duplicate is is_duplicate


def test_booked_one_is_kept_whatever_the_prices_say() -> None:
    one, other = row("2023-05-09", "0.21", "66.38", "65.74"), row("2023-05-10", "0.21", "65.74", "70.58")
    found = dedupe(one, other, booked=day("2023-05-10"))
    assert (found.keep, found.is_decisive) == (day("2023-05-10"), True)


def test_of_a_hundredfold_pair_the_one_that_can_be_is_kept() -> None:
    one, other = row("2024-05-02", "30", "40", "39.7"), row("2024-05-09", "0.30", "39.7", "39.9")
    found = dedupe(one, other)
    assert (found.keep, found.is_decisive) == (day("2024-05-09"), True)


def test_without_prices_nothing_is_decided() -> None:
    found = dedupe(row("2024-05-02", "0.30"), row("2024-05-03", "0.30"))
    assert (found.is_duplicate, found.keep, found.is_decisive) == (True, None, False)


# --- Units, sizes, funds.


@pytest.mark.parametrize(
    ("amount", "unit", "close", "median", "expected"),
    [
        ("18.2", "GBp", "3688", None, ("0.182", "GBP", UnitFlag.OK)),
        ("1820", "GBp", "3688", "0.17", ("0.182", "GBP", UnitFlag.UNIT_REPAIRED)),
        ("0.182", "GBp", "3688", "0.17", ("0.182", "GBP", UnitFlag.UNIT_REPAIRED)),
        ("1820", "GBp", "3688", None, ("18.2", "GBP", UnitFlag.HELD)),
        ("0.95", "USD", "40", "0.18", ("0.95", "USD", UnitFlag.HELD)),
        ("0.90", "USD", "40", "0.18", ("0.9", "USD", UnitFlag.OK)),
        ("10", "USD", "40", None, ("10", "USD", UnitFlag.HELD)),
        ("5", "KWF", "300", None, ("0.005", "KWD", UnitFlag.OK)),
        ("55", "ZAc", "9000", "0.50", ("0.55", "ZAR", UnitFlag.OK)),
    ],
)
def test_unit_of_an_amount(
    amount: str, unit: str, close: str, median: str | None, expected: tuple[str, str, UnitFlag]
) -> None:
    found = normalise_unit(
        Decimal(amount), unit, prev_close=Decimal(close), trailing_median=None if median is None else Decimal(median)
    )
    assert found == (Decimal(expected[0]), *expected[1:])


def test_large_is_a_quarter_of_the_price() -> None:
    assert is_large(Decimal("10"), Decimal("40")) is True
    assert is_large(Decimal("9.99"), Decimal("40")) is False
    assert is_large(Decimal("10"), None) is False


def test_due_bills_are_where_the_ex_date_follows_the_pay_date() -> None:
    assert has_due_bills(day("2024-06-10"), day("2024-06-07")) is True
    assert has_due_bills(day("2024-06-07"), day("2024-06-07")) is False
    assert has_due_bills(day("2024-06-07"), None) is False


def test_fund_without_prices_is_not_decided() -> None:
    assert fund_distribution(Decimal("2"), Decimal("1"), prev_close=None, close=Decimal("9")) is None
