"""What the books are kept by: settings for all of them, withholding rates, exchange rates."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from closingbell.domain.pay_dates import PayPolicy
from closingbell.domain.withholding import WithholdingRule
from closingbell.models import BookSetting, FxRate, WithholdingRate
from closingbell.stores.dividend_progress import mark_everything
from closingbell.stores.upsert import upsert

PAY_POLICIES = tuple(policy.value for policy in PayPolicy)
# Settings that decide what is paid, and when.
_DECIDE_PAYMENTS = frozenset({"cutover_date", "pay_policy"})
# So old may a rate be and still count.
FX_DAYS_BACK = timedelta(days=5)
FX_DATES = ("PAY_DATE", "EX_DATE", "DAY_BEFORE")


@dataclass(frozen=True, slots=True)
class BookSettings:
    """Settings of all books: closed up to ``lock_date``; dividends paid before ``cutover_date`` are only shown."""

    lock_date: date | None = None
    cutover_date: date | None = None
    pay_policy: str = "ESTIMATE"
    fx_date: str = "PAY_DATE"


class FxRates:
    """Stored rates between some currencies, found by day."""

    def __init__(self, rates: Iterable[tuple[str, str, date, Decimal]] = ()) -> None:
        """``rates``: from, to, date, and what one unit of the first was worth in the second; in the order of dates."""
        self._rates: dict[tuple[str, str], list[tuple[date, Decimal]]] = {}
        for from_currency, to_currency, day, rate in rates:
            self._rates.setdefault((from_currency, to_currency), []).append((day, rate))

    def find(self, from_currency: str, to_currency: str, *, on: date) -> Decimal | None:
        """The newest rate of these two on ``on`` or up to FX_DAYS_BACK before; None when there is none."""
        known = self._rates.get((from_currency, to_currency), [])
        position = bisect_right(known, on, key=lambda one: one[0])
        if not position or known[position - 1][0] < on - FX_DAYS_BACK:
            return None
        return known[position - 1][1]


def load_book_settings(connection: Connection) -> BookSettings:
    """The settings in use."""
    rows = connection.execute(select(BookSetting.name, BookSetting.value))
    stored = {name: value for name, value in rows if value}
    lock, cutover = stored.get("lock_date"), stored.get("cutover_date")
    return BookSettings(
        date.fromisoformat(lock) if lock else None,
        date.fromisoformat(cutover) if cutover else None,
        stored.get("pay_policy", "ESTIMATE"),
        stored.get("fx_date", "PAY_DATE"),
    )


def store_book_setting(connection: Connection, name: str, value: str, *, by: str, now: datetime) -> None:
    """Set one of the settings (a field of BookSettings); an empty value takes it back."""
    row = {"name": name, "value": value, "changed_at": now, "changed_by": by}
    upsert(connection, BookSetting, [row], update=("value", "changed_at", "changed_by"))
    if name in _DECIDE_PAYMENTS:
        mark_everything(connection, now=now)


def load_withholding_rules(connection: Connection) -> list[WithholdingRule]:
    """Every rate, by scope and date."""
    row = WithholdingRate
    query = select(
        row.source_country, row.rate, row.valid_from, row.account_id, row.residence, row.action_type, row.is_example
    ).order_by(row.scope, row.valid_from)
    return [WithholdingRule(*found) for found in connection.execute(query)]


def store_withholding_rule(
    connection: Connection, rule: WithholdingRule, *, now: datetime, note: str | None = None
) -> None:
    """Set a rate from its date on, in place of one of the same scope and date."""
    row = {
        "scope": rule.scope,
        "account_id": rule.account_id,
        "residence": rule.residence,
        "source_country": rule.source_country,
        "action_type": rule.action_type,
        "rate": rule.rate,
        "valid_from": rule.valid_from,
        "is_example": rule.is_example,
        "note": note,
        "changed_at": now,
    }
    upsert(
        connection,
        WithholdingRate,
        [row],
        update=("rate", "is_example", "note", "changed_at"),
        key=("scope", "valid_from"),
    )


def store_fx_rates(
    connection: Connection, rates: Sequence[tuple[str, str, date, Decimal]], *, provider: str, now: datetime
) -> None:
    """Set exchange rates: from, to, date, and what one unit of the first is worth in the second."""
    rows = [
        {"from_currency": f, "to_currency": t, "date": day, "rate": rate, "provider": provider, "stored_at": now}
        for f, t, day, rate in rates
    ]
    upsert(connection, FxRate, rows, update=("rate", "provider", "stored_at"))


def load_fx_rates(connection: Connection, pairs: Collection[tuple[str, str]], *, first: date, last: date) -> FxRates:
    """The rates of these pairs (from, to) that count on the days from ``first`` to ``last``: one statement at most."""
    foreign = [pair for pair in pairs if pair[0] != pair[1]]
    if not foreign:
        return FxRates()
    row = FxRate
    from_currencies, to_currencies = {pair[0] for pair in foreign}, {pair[1] for pair in foreign}
    query = (
        select(row.from_currency, row.to_currency, row.date, row.rate)
        .where(row.from_currency.in_(from_currencies), row.to_currency.in_(to_currencies))
        .where(row.date >= first - FX_DAYS_BACK, row.date <= last)
        .order_by(row.date)
    )
    return FxRates((from_, to, day, rate) for from_, to, day, rate in connection.execute(query))
