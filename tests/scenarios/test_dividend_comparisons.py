"""Accounts beside each other in one run: what they are paid must differ by what their orders differ by, and no more.

For made-up orders of one account, others have the same ones cut in two, sold short, with a pair of entries that takes
itself back, or with one of them on another day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from closingbell.models import DividendPayment, LedgerEntry
from closingbell.stores.database import Database, open_database
from tests.dividend_desk import Desk
from tests.scenarios.test_dividend_vectors import empty

START, EX, PAY = date(2024, 3, 1), date(2024, 3, 14), date(2024, 4, 2)
ACCOUNTS = ("whole", "first part", "second part", "short", "undone", "moved to the ex-date", "moved before it")
EIGHTHS = st.integers(1, 8_000).map(lambda number: Decimal(number) / 8)
ORDERS = st.lists(st.tuples(st.integers(0, 12), EIGHTHS), min_size=1, max_size=4)
AMOUNTS = st.integers(1, 99_999).map(lambda number: Decimal(number).scaleb(-4))
RATIOS = st.sampled_from([(2, 1), (3, 1), (7, 4), (1, 8), (3, 2)])
FEW = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


@pytest.fixture
def database(tables_url: str) -> Iterator[Database]:
    opened = open_database(tables_url)
    yield opened
    opened.dispose()


def made(database: Database, folder: Path) -> Desk:
    empty(database)
    desk = Desk(database, folder)
    accounts = [{"id": name, "currency": "USD"} for name in ACCOUNTS]
    desk.set_up({"accounts": accounts, "instruments": [{"symbol": "XX"}], "steps": []})
    return desk


def pays(desk: Desk, amount: Decimal) -> None:
    told = {"id": "e1", "symbol": "XX", "ex_date": str(EX), "pay_date": str(PAY), "amount": str(amount)}
    desk.carry_out({"do": "event", **told})


def paid(desk: Desk) -> dict[str, tuple[Decimal, Decimal]]:
    """Shares counted and cash of every account."""
    return {one["account"]: (Decimal(one["qty"]), Decimal(one["cash"])) for one in desk.payments()}


def trade(desk: Desk, account: str, offset: int, quantity: Decimal) -> None:
    desk.trade(account, "XX", str(START + timedelta(days=offset)), str(quantity))


@given(orders=ORDERS, amount=AMOUNTS)
@FEW
def test_accounts_are_paid_by_what_their_orders_are(
    database: Database, tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[int, Decimal]], amount: Decimal
) -> None:
    desk = made(database, tmp_path_factory.mktemp("desk"))
    pays(desk, amount)
    for offset, quantity in orders:
        part = (quantity / 3).quantize(Decimal("0.001"))
        trade(desk, "whole", offset, quantity)
        trade(desk, "first part", offset, part)
        trade(desk, "second part", offset, quantity - part)
        trade(desk, "short", offset, -quantity)
        trade(desk, "undone", offset, quantity)
    (first, moved), *others = orders
    for account, offset in (("moved to the ex-date", 13), ("moved before it", 12 - first)):
        for other in (*others, (offset, moved)):
            trade(desk, account, *other)
    number = desk.trade("undone", "XX", str(START), "41.5", name="undone")

    desk.run(str(PAY))
    desk.carry_out({"do": "delete_trade", "id": "undone"})
    desk.run(str(PAY + timedelta(days=1)))

    found = paid(desk)
    shares = sum((quantity for _, quantity in orders), Decimal(0))
    exact = shares * amount
    assert found["whole"] == (shares, exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
    # Equal long and short positions cancel to the cent.
    assert found["short"] == (-shares, -found["whole"][1])
    # Two parts are paid as the whole is, but for half a cent each.
    assert found["first part"][0] + found["second part"][0] == shares
    assert abs(found["first part"][1] + found["second part"][1] - exact) <= Decimal("0.01")
    # Inserted and deleted: paid as if it had never been, and the ledger shows both ways.
    assert found["undone"] == found["whole"]
    assert len([row for row in desk.rows(LedgerEntry) if row.order_id == number]) == 4
    more = ((shares + Decimal("41.5")) * amount).quantize(Decimal("0.01"), ROUND_HALF_UP)
    log = [Decimal(text) for text in desk.cash_log().get("e1/undone", [])]
    assert log == [money for money in (more, -more, found["whole"][1]) if money]
    # On the ex-date it counts no more, on any day before it all the same.
    rest = shares - moved
    assert found.get("moved to the ex-date", (Decimal(0), None))[0] == rest
    assert found["moved before it"] == found["whole"]
    assert desk.balances_by_group() == []


@given(quantity=EIGHTHS, amount=AMOUNTS, ratio=RATIOS, days=st.integers(0, 30))
@FEW
def test_split_after_a_dividend_moves_no_cash_and_the_opposite_one_restores_the_shares(
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    quantity: Decimal,
    amount: Decimal,
    ratio: tuple[int, int],
    days: int,
) -> None:
    desk = made(database, tmp_path_factory.mktemp("desk"))
    pays(desk, amount)
    for account, sign in (("whole", 1), ("short", -1)):
        trade(desk, account, 0, sign * quantity)
    # Before it is paid or after, on the ex-date itself too.
    desk.run(str(EX if days < 15 else PAY))
    before, (num, den) = paid(desk), ratio
    for number, (new, old) in enumerate(((num, den), (den, num))):
        day = EX + timedelta(days=days + number)
        split = {"symbol": "XX", "ex_date": str(day), "num": new, "den": old, "seq": number}
        desk.carry_out({"do": "split", **split})
    desk.run(str(PAY + timedelta(days=30)))

    cash = (quantity * amount).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert paid(desk) == {"whole": (quantity, cash), "short": (-quantity, -cash)}
    assert before in ({}, paid(desk))
    assert [row.version for row in desk.rows(DividendPayment) if row.leg in {"ACCRUAL", "PAYMENT"}] == [1] * 4
    assert desk.positions()["whole"] == {"XX": quantity}
    assert desk.positions()["short"] == {"XX": -quantity}
    securities: Any = [row for row in desk.rows(LedgerEntry) if row.name == "Securities"]
    assert sum(row.amount for row in securities) == 0
