"""Column types that come back exactly as they went in, on every database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from closingbell.domain.days import DaySet
from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, from_scaled, to_scaled
from closingbell.utils.clock import require_aware

# SQLite numbers rows only in a column of type INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


class ScaledDecimal(TypeDecorator[Decimal]):
    """An exact decimal with ``scale`` decimals, kept as an integer in BIGINT; overflow is an error at the door."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else to_scaled(Decimal(value), self.scale)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_scaled(int(value), self.scale)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: written as UTC with microseconds, read back aware; naive datetimes are refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = require_aware(value)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DayBits(TypeDecorator[DaySet]):
    """A set of dates, a bit for each day; what is written may be any dates."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Iterable[date] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else DaySet.of(value).to_bytes()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> DaySet | None:
        return None if value is None else DaySet.from_bytes(value)


Price = ScaledDecimal(PRICE_SCALE)
Money = ScaledDecimal(MONEY_SCALE)
Quantity = ScaledDecimal(QUANTITY_SCALE)

Symbol = String(32)
Mic = String(8)
Currency = String(3)
Country = String(2)
ProviderName = String(16)
