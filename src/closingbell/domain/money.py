"""Exact numbers: decimals at the doors, scaled integers inside.

A price is kept in *millionths* of the major currency unit (6 decimals), money with 4 decimals, quantities and
amounts per share with 10. Scaled integers are exact in every database's BIGINT, and cheap to compare by the million.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from closingbell.errors import ValueOutOfRangeError

PRICE_SCALE = 6
MONEY_SCALE = 4
QUANTITY_SCALE = 10

BIGINT_MAX = 2**63 - 1
_BIGINT_DIGITS = 19
# More decimals than anybody types: 1e-999999999 is short to write and would take an hour to compute with.
_LONGEST = 1_000

# Quoted unit -> (major currency, how many quoted units make one major unit).
MINOR_UNITS: dict[str, tuple[str, int]] = {
    "GBp": ("GBP", 100),
    "GBX": ("GBP", 100),
    "ZAc": ("ZAR", 100),
    "ILA": ("ILS", 100),
    "KWF": ("KWD", 1000),
}

# Decimals of a currency's smallest coin where they are not two (ISO 4217).
MINOR_DECIMALS: dict[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def to_scaled(value: Decimal, scale: int) -> int:
    """``value`` x 10^scale as an exact integer; raise ValueOutOfRangeError when it would lose digits or overflow."""
    if not value.is_finite():
        raise ValueOutOfRangeError(f"{value} is not a number that can be stored")
    # Judged by its digits first: a context would round a long number silently.
    if value.adjusted() + scale > _BIGINT_DIGITS:
        raise ValueOutOfRangeError(f"{value} is too large for a column with {scale} decimals")
    if int(value.as_tuple().exponent) < -_LONGEST:
        raise ValueOutOfRangeError(f"{value} has more than {scale} decimals")
    scaled = Fraction(value) * Fraction(10**scale)
    if scaled.denominator != 1:
        raise ValueOutOfRangeError(f"{value:f} has more than {scale} decimals")
    if not -BIGINT_MAX <= scaled.numerator <= BIGINT_MAX:
        raise ValueOutOfRangeError(f"{value} is too large for a column with {scale} decimals")
    return scaled.numerator


def from_scaled(value: int, scale: int) -> Decimal:
    """The decimal that ``to_scaled`` made ``value`` of."""
    return Decimal(value).scaleb(-scale)


def price_to_decimal(micros: int) -> Decimal:
    """A price in millionths as a Decimal with at least two decimals (``102.5`` prints as ``102.50``)."""
    price = from_scaled(micros, PRICE_SCALE).normalize()
    exponent = price.as_tuple().exponent
    return price if isinstance(exponent, int) and exponent <= -2 else price.quantize(Decimal("0.01"))


def parse_decimal(text: str, scale: int) -> Decimal:
    """A typed-in number with at most ``scale`` decimals; raise ValueError with a sentence that names it."""
    try:
        value = Decimal(text.strip())
        to_scaled(value, scale)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    except ValueOutOfRangeError as error:
        raise ValueError(str(error)) from None
    return value


def plain(value: Decimal) -> str:
    """``value`` in plain notation without trailing zeros beyond two decimals."""
    normal = value.normalize()
    exponent = normal.as_tuple().exponent
    if isinstance(exponent, int) and exponent > -2:
        normal = normal.quantize(Decimal("0.01"))
    return format(normal, "f")


def grouped(value: Decimal) -> str:
    """The same with commas between thousands: ``1,203.10``."""
    return format(Decimal(plain(value)), ",f")


def major_unit(quoted: str) -> tuple[str, int]:
    """The ISO currency behind a quoted unit and its divisor: ``GBp`` gives ``("GBP", 100)``."""
    return MINOR_UNITS.get(quoted, (quoted, 1))


def minor_decimals(currency: str) -> int:
    """How many decimals an amount of this currency is paid in."""
    return MINOR_DECIMALS.get(currency, 2)
