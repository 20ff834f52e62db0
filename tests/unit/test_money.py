"""Exact numbers: nothing is lost on the way in, nothing changed on the way out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.money import (
    BIGINT_MAX,
    MONEY_SCALE,
    PRICE_SCALE,
    QUANTITY_SCALE,
    from_scaled,
    major_unit,
    parse_decimal,
    plain,
    price_to_decimal,
    to_scaled,
)
from closingbell.errors import ValueOutOfRangeError

SCALES = st.sampled_from([PRICE_SCALE, MONEY_SCALE, QUANTITY_SCALE])
BIGINTS = st.integers(-BIGINT_MAX, BIGINT_MAX)


@given(BIGINTS, SCALES)
def test_every_stored_integer_survives_the_way_out_and_in(scaled: int, scale: int) -> None:
    assert to_scaled(from_scaled(scaled, scale), scale) == scaled


@given(BIGINTS, SCALES)
def test_plain_text_reads_back_as_the_same_number(scaled: int, scale: int) -> None:
    value = from_scaled(scaled, scale)
    text = plain(value)
    assert "E" not in text
    assert parse_decimal(text, scale) == value


@given(BIGINTS)
def test_price_is_exact_and_has_two_to_six_decimals(micros: int) -> None:
    price = price_to_decimal(micros)
    assert price * 10**6 == micros
    assert -6 <= int(price.as_tuple().exponent) <= -2


@given(st.decimals(allow_nan=True, allow_infinity=True), SCALES)
def test_any_decimal_is_kept_exactly_or_refused(value: Decimal, scale: int) -> None:
    try:
        scaled = to_scaled(value, scale)
    except ValueOutOfRangeError:
        return
    assert from_scaled(scaled, scale) == value
    assert abs(scaled) <= BIGINT_MAX


@given(st.text(max_size=30), SCALES)
def test_any_text_is_a_number_or_a_value_error(text: str, scale: int) -> None:
    try:
        value = parse_decimal(text, scale)
    except ValueError:
        return
    assert from_scaled(to_scaled(value, scale), scale) == value


@pytest.mark.parametrize(
    ("value", "scale", "scaled"),
    [
        ("102.5", PRICE_SCALE, 102_500_000),
        ("0.000001", PRICE_SCALE, 1),
        ("-0.0001", MONEY_SCALE, -1),
        ("1E+3", MONEY_SCALE, 10_000_000),
        ("0.10000000000000", MONEY_SCALE, 1_000),
        ("-0", MONEY_SCALE, 0),
        ("9223372036854.775807", PRICE_SCALE, 9_223_372_036_854_775_807),
        ("922337203685477.5807", MONEY_SCALE, 9_223_372_036_854_775_807),
        ("922337203.6854775807", QUANTITY_SCALE, 9_223_372_036_854_775_807),
        ("-922337203.6854775807", QUANTITY_SCALE, -9_223_372_036_854_775_807),
    ],
)
def test_decimal_is_scaled(value: str, scale: int, scaled: int) -> None:
    assert to_scaled(Decimal(value), scale) == scaled


@pytest.mark.parametrize(
    ("value", "scale", "reason"),
    [
        ("1.0000001", PRICE_SCALE, "1.0000001 has more than 6 decimals"),
        ("1.00001", MONEY_SCALE, "1.00001 has more than 4 decimals"),
        ("9223372036854.775808", PRICE_SCALE, "9223372036854.775808 is too large for a column with 6 decimals"),
        ("-922337203685477.5808", MONEY_SCALE, "-922337203685477.5808 is too large for a column with 4 decimals"),
        ("922337203.6854775808", QUANTITY_SCALE, "922337203.6854775808 is too large for a column with 10 decimals"),
        ("1E+100", MONEY_SCALE, "1E+100 is too large for a column with 4 decimals"),
        ("NaN", PRICE_SCALE, "NaN is not a number that can be stored"),
        ("sNaN", PRICE_SCALE, "sNaN is not a number that can be stored"),
        ("-Infinity", PRICE_SCALE, "-Infinity is not a number that can be stored"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(value: str, scale: int, reason: str) -> None:
    with pytest.raises(ValueOutOfRangeError) as caught:
        to_scaled(Decimal(value), scale)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "value",
    [
        "1E-999999",
        "0." + "0" * 70 + "1",
        "1E+999999",
        "-1E+999999",
        "1." + "0" * 70 + "1",
    ],
)
def test_absurd_number_is_refused_like_any_other(value: str) -> None:
    with pytest.raises(ValueOutOfRangeError):
        to_scaled(Decimal(value), PRICE_SCALE)


@pytest.mark.parametrize(
    ("micros", "text"),
    [(102_500_000, "102.50"), (100_000_000, "100.00"), (0, "0.00"), (123_456, "0.123456"), (-5_000, "-0.005")],
)
def test_price_prints_with_at_least_two_decimals(micros: int, text: str) -> None:
    assert str(price_to_decimal(micros)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000.00"), ("0", "0.00"), ("-12.5", "-12.50"), ("0.1000000", "0.10"), ("0.0000000001", "0.0000000001")],
)
def test_plain_has_no_exponent_and_no_idle_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("twelve", "'twelve' is not a number"),
        ("", "'' is not a number"),
        ("1,5", "'1,5' is not a number"),
        ("1.23456", "1.23456 has more than 4 decimals"),
        ("nan", "NaN is not a number that can be stored"),
    ],
)
def test_typed_in_number_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_decimal(text, MONEY_SCALE)
    assert str(caught.value) == reason


def test_typed_in_number_may_have_blanks_around_it() -> None:
    assert parse_decimal(" 12.50 ", MONEY_SCALE) == Decimal("12.50")


@pytest.mark.parametrize(
    ("quoted", "major"),
    [("GBp", ("GBP", 100)), ("ILA", ("ILS", 100)), ("KWF", ("KWD", 1000)), ("GBP", ("GBP", 1)), ("USD", ("USD", 1))],
)
def test_quoted_unit_has_a_major_currency(quoted: str, major: tuple[str, int]) -> None:
    assert major_unit(quoted) == major


@pytest.mark.parametrize("text", ["1e-999999999", "1e999999999", "0e-999999999"])
def test_a_short_text_of_a_number_without_end_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueOutOfRangeError):
        to_scaled(Decimal(text), PRICE_SCALE)
